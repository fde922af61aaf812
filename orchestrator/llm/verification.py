"""Holds a model's answer to what a turn found: the plant's tags, the situation, results and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.core.decision import ValueAnswer
from orchestrator.llm.answers.draft import Evidence as Found
from orchestrator.llm.grounding import Evidence, check_quoting, mended
from orchestrator.llm.wording import Verdict
from orchestrator.plant.tags import Plant
from orchestrator.state.records import OutcomeRecord


def grounds_of(
    plant: Plant,
    situation: Mapping[str, Any],
    outcomes: Sequence[OutcomeRecord],
    values: Sequence[ValueAnswer],
    found: Sequence[Found],
    plain: str,
    passages: Sequence[str] = (),
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
    for text in passages:
        evidence.add_passage("document", text)
    for item in found:
        if isinstance(item.value, float):
            fact = {
                "name": item.subject,
                item.what.replace(" ", "_"): item.value,
                "unit": item.unit,
            }
            evidence.add_result(item.source, fact)
    return evidence


class Grounded:
    """A verifier over the evidence of one turn.

    What repeats the plain answer word for word holds: those are the program's own words.
    """

    def __init__(self, evidence: Evidence, plain: str, passages: Sequence[str] = ()) -> None:
        self._passages = passages
        self._evidence = evidence
        self._plain = _flat(plain)

    def __call__(self, answer: str) -> Verdict:
        """The answer without the sentences that do not hold, and why they do not."""
        report = check_quoting(answer, self._evidence, self._passages, [self._plain])
        said = [_flat(answer[begin:end]) for begin, end in report.sentences]
        problems = tuple(
            item
            for item in report.problems
            if item.kind in ("misquoted", "instruction") or said[item.sentence] not in self._plain
        )
        if not problems:
            return Verdict(answer)
        bad = {item.sentence for item in problems}
        faults = dict.fromkeys(f'"{item.text}": {item.why}' for item in problems)
        nothing = len(bad) == len(report.sentences)
        return Verdict("" if nothing else mended(replace(report, problems=problems)), tuple(faults))


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
