"""Advice with what came of it, and questions worked on in steps, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.records import (
    AdviceLabel,
    FeedbackRecord,
    ReasoningRecord,
    ReasoningStepRecord,
)
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Maker

RUN = ReasoningRecord("run-1", "What is wrong?", T0, {"budget": {"runs": 6}}, user="anna")


def given(stated: float | None, outcome: str = "taken", model: str = "r1") -> dict[str, object]:
    return {
        "outcome": outcome,
        "model": model,
        "prompt": {"name": "advise", "version": 1, "sha256": "ab"},
        "stated_confidence": stated,
        "confidence": stated,
        "policy_confidence": 0.7,
        "proposed": ["etl.validate"],
        "policy": [],
    }


async def test_labels_come_from_verdicts_and_for_less_from_outcomes(
    store: Store, make: Maker
) -> None:
    async def decided(advice: dict[str, object], status: str | None = None) -> str:
        decision = make.decision()
        decision = replace(decision, document={**decision.document, "advice": advice})
        jobs = [make.job(decision_id=decision.id)] if status else []
        await store.decisions.add(decision, jobs)
        for job in jobs:
            await store.outcomes.record(make.outcome(job, status=status))
        return decision.id

    judged = await decided(given(0.9), "failed")
    for number, verdict in enumerate(("wrong", "right", "unclear")):
        at = T0 + timedelta(minutes=number)
        await store.feedback.add(FeedbackRecord(f"f{number}", judged, at, verdict))
    await decided(given(0.8, "agreed"), "succeeded")
    await decided(given(0.6), "failed")
    await decided(given(0.7))
    await decided(given(0.5, "not_taken"), "succeeded")
    await decided(given(None, "failed"), "succeeded")
    await decided(given(0.9, model="other"), "succeeded")
    labels = sorted(await store.advice.labels("r1"), key=lambda label: label.stated)
    assert labels == [
        AdviceLabel(0.6, right=False, weight=0.25),
        AdviceLabel(0.8, right=True, weight=0.25),
        AdviceLabel(0.9, right=True),
    ]
    assert await store.advice.labels("none such") == []


async def test_a_run_is_read_back_with_its_steps_in_order(store: Store) -> None:
    await store.reasoning.begin(RUN)
    for number in (1, 0):
        step = ReasoningStepRecord("run-1", number, "think", T0, {"thought": f"step {number}"})
        await store.reasoning.step(step)
    record, steps = await store.reasoning.get("run-1")
    assert record == RUN
    assert [step.document["thought"] for step in steps] == ["step 0", "step 1"]
    assert await store.reasoning.unfinished(T0) == [RUN]
    assert await store.reasoning.unfinished(T0 + timedelta(seconds=1)) == []
    await store.reasoning.end("run-1", T0 + timedelta(minutes=1), {"text": "Nothing."})
    await store.reasoning.end("run-1", T0 + timedelta(minutes=2), {"text": "Something else."})
    record, _ = await store.reasoning.get("run-1")
    assert record.answer == {"text": "Nothing."}
    assert await store.reasoning.unfinished(T0) == []


async def test_two_who_work_on_one_run_do_not_both_store_a_step(store: Store) -> None:
    await store.reasoning.begin(RUN)
    with pytest.raises(ConflictError, match="run-1"):
        await store.reasoning.begin(RUN)
    await store.reasoning.step(ReasoningStepRecord("run-1", 0, "think", T0, {}))
    with pytest.raises(ConflictError, match="Two processes"):
        await store.reasoning.step(ReasoningStepRecord("run-1", 0, "observe", T0, {}))
    with pytest.raises(NotFoundError):
        await store.reasoning.get("run-2")
