"""Plain answers from results: every figure in them is under them as evidence, and odd results do not hurt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.core.decision import Action, Decision, Interpretation, Refusal, ValueAnswer
from orchestrator.llm.answers.compose import compose
from orchestrator.llm.answers.results import TEMPLATES, answer_of
from orchestrator.llm.evaluation.cases import Answering, shipped_cases
from orchestrator.llm.sessions import (
    LONGEST_SUMMARY,
    listed_last,
    messages_of,
    summary_of,
    to_be_summarised,
)
from orchestrator.llm.verification import Grounded, grounds_of
from orchestrator.modules.registry import load_registry
from orchestrator.plant.tags import Plant
from orchestrator.state.records import JobRecord, OutcomeRecord, SessionRecord, TurnRecord

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
CASES = shipped_cases().answers


def outcome(
    name: str, result: dict[str, Any] | None, status: str = "succeeded", job: str = "job-1"
) -> OutcomeRecord:
    module, _, operation = name.partition(".")
    error = None if result is not None else {"detail": "no data was given"}
    return OutcomeRecord(job, None, module, operation, status, 1.0, 1, NOW, result, error)  # type: ignore[arg-type]


def job(name: str, id_: str = "job-1", **more: Any) -> JobRecord:
    module, _, operation = name.partition(".")
    fixed: dict[str, Any] = {"priority": 5, "deferred": False, "depends_on": (), "request": {}}
    return JobRecord(id_, None, module, operation, accepted_at=NOW, **{**fixed, **more})


def decision(**more: Any) -> Decision:
    return Decision(
        id="d",
        created_at=NOW,
        situation_digest="",
        confidence=0.9,
        rationale="Nothing runs.",
        policy_version="1",
        latency_ms=0.0,
        **more,
    )


def test_every_operation_has_a_template() -> None:
    assert set(TEMPLATES) == set(load_registry().operations)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.question)
def test_an_answer_begins_with_the_summary_and_cites_what_it_says(case: Answering) -> None:
    found = outcome(case.operation, case.result)
    draft = answer_of(found)
    assert draft.sentences[0] == case.result["summary"]
    assert {item.ref for item in draft.evidence} == {"job-1"}
    assert all(item.value is not None for item in draft.evidence)
    grounds = grounds_of(Plant(), {}, [found], [], draft.evidence, draft.text)
    assert Grounded(grounds, draft.text)(draft.text).faults == ()
    if len(draft.sentences) > 1:
        assert len(draft.evidence) >= 3


def test_a_wrong_figure_beside_a_right_one_is_left_out() -> None:
    case = CASES[1]
    found = outcome(case.operation, case.result)
    draft = answer_of(found)
    verify = Grounded(grounds_of(Plant(), {}, [found], [], draft.evidence, draft.text), draft.text)
    verdict = verify("FI303 goes to 66.4 t/h. Its interval ends at 86.7 t/h.")
    assert "66.4" in verdict.text
    assert "86.7" not in verdict.text
    assert len(verdict.faults) == 1
    assert verify("It will be 912 t/h.").text == ""


@pytest.mark.parametrize(
    "result", [{"summary": "It is done."}, {"summary": "It is done.", "tags": 5, "score": "good"}]
)
@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_result_of_another_shape_still_tells_its_summary(
    name: str, result: dict[str, Any]
) -> None:
    draft = answer_of(outcome(name, result))
    assert draft.sentences[0] == "It is done."


def test_what_failed_is_said_with_the_reason() -> None:
    draft = answer_of(outcome("etl.validate", None, "failed"))
    assert draft.text == "etl.validate gave no result: No data was given."


def test_what_runs_waits_and_is_refused_is_said_beside_what_was_found() -> None:
    made = decision(
        actions=(Action(module="etl", operation="validate"),),
        refused=(
            Refusal(operation="optimization.plan", gate="quality", reason="the score is 0.6"),
        ),
        interpretation=Interpretation(operations=("etl.validate",)),
    )
    jobs = [
        job("etl.validate"),
        job("etl.clean", "job-2"),
        job("etl.reconcile", "job-3", deferred=True),
    ]
    composed = compose(made, jobs, [outcome(CASES[0].operation, CASES[0].result)])
    assert composed.state == "partial"
    lines = composed.text.splitlines()
    assert lines[0] == CASES[0].result["summary"]
    assert (
        "etl.clean has not ended yet; its result comes to this conversation (job job-2)." in lines
    )
    assert "etl.reconcile waits for free resources and then runs by itself (job job-3)." in lines
    assert "optimization.plan was not run: The score is 0.6." in lines


@pytest.mark.parametrize(
    ("slots", "state"),
    [({}, "asked"), ({"changes": [{"what": "diesel", "by": 3, "unit": "usd"}]}, "failed")],
)
def test_a_what_if_without_a_change_is_asked_for_it(slots: dict[str, Any], state: str) -> None:
    reading = Interpretation(operations=("optimization.what_if",), slots=slots)
    ended = replace(outcome("optimization.what_if", {}), status="failed")
    composed = compose(decision(interpretation=reading), [job("optimization.what_if")], [ended])
    assert composed.state == state
    assert ("What is to change" in composed.text) == (state == "asked")


def test_a_value_is_evidence_and_can_be_referred_to() -> None:
    value = ValueAnswer(
        tag="TI150", description="Desalter", value=98.5, unit="degC", time=NOW, quality="good"
    )
    reading = Interpretation(values=(value,), answer="Desalter (TI150): 98.5 degC.")
    composed = compose(decision(interpretation=reading), [], [])
    assert composed.state == "answered"
    (item,) = composed.evidence
    assert (item.ref, item.value, item.unit, item.time) == (
        "TI150",
        98.5,
        "degC",
        "2026-03-01T06:00:00Z",
    )
    assert composed.items[0].label == "TI150"
    assert not composed.worth_wording


def turn(number: int, **more: Any) -> TurnRecord:
    reading = {"operations": ["forecasting.forecast"], "slots": {"tags": [f"TI{number}"]}}
    fixed: dict[str, Any] = {"state": "answered", "answer": f"It is {number}.\nMore."}
    return TurnRecord("s", number, NOW, NOW, f"forecast TI{number}", reading, **{**fixed, **more})


def test_long_conversations_are_summarised_and_shown_without_reasoning() -> None:
    session = SessionRecord("s", "", (), {}, NOW, turns=20, summarised=0)
    assert to_be_summarised(session, whole=12) == 8
    assert to_be_summarised(SessionRecord("s", "", (), {}, NOW, turns=16), whole=12) == 0
    told = summary_of("", [turn(n) for n in range(1, 9)])
    assert told.splitlines()[0] == '1. "forecast TI1" (forecasting.forecast; tags TI1): It is 1.'
    grown = summary_of(told, [turn(n) for n in range(9, 200)])
    assert len(grown) <= LONGEST_SUMMARY
    assert grown.splitlines()[-1].startswith("199. ")
    shown = messages_of(
        SessionRecord("s", "", (), {}, NOW, turns=20, summary=told, summarised=8),
        [turn(9), turn(10, answer="", state="open")],
    )
    assert [m.role for m in shown] == ["user", "assistant", "user", "assistant"]
    assert told in shown[0].content
    assert shown[-1].content == "It is 9.\nMore."


def test_the_last_list_is_the_one_that_is_meant() -> None:
    listed = {"kind": "tag", "label": "TI150", "ref": "", "text": ""}
    turns = [turn(1), turn(2, items=(listed,)), turn(3)]
    assert [item.label for item in listed_last(turns)] == ["TI150"]
    assert listed_last([turn(1)]) == []
