"""Holds a model's answer to what a turn found: the plant's tags, the situation, results and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.decision import ValueAnswer
from orchestrator.llm.grounding import Evidence, check, mended
from orchestrator.llm.wording import Verdict
from orchestrator.plant.tags import Plant
from orchestrator.state.records import OutcomeRecord


def grounds_of(
    plant: Plant,
    situation: Mapping[str, Any],
    outcomes: Sequence[OutcomeRecord],
    values: Sequence[ValueAnswer],
    plain: str,
) -> Evidence:
    """All that an answer to a turn may rest on."""
    evidence = Evidence()
    evidence.describe(plant.tags)
    evidence.add_situation(situation)
    for outcome in outcomes:
        if outcome.result is not None:
            evidence.add_result(f"{outcome.module}.{outcome.operation}", outcome.result)
    for value in values:
        if value.tag is not None:
            evidence.add_result("historian", value.model_dump(mode="json", exclude={"reason"}))
    evidence.add_result("plain answer", {"text": plain})
    return evidence


class Grounded:
    """A verifier over the evidence of one turn."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def __call__(self, answer: str) -> Verdict:
        """The answer without the sentences that do not hold, and why they do not."""
        report = check(answer, self._evidence)
        faults = dict.fromkeys(f'"{item.text}": {item.why}' for item in report.problems)
        if not faults:
            return Verdict(answer)
        bad = {item.sentence for item in report.problems}
        nothing = len(bad) == len(report.sentences)
        return Verdict("" if nothing else mended(report), tuple(faults))
