"""What the safety agent says of a proposal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from orchestrator.clock import iso
from orchestrator.plant.write_rules import Finding

Outcome = Literal["allowed", "second_person", "vetoed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a proposal at one instant.

    Attributes:
        outcome: ``allowed``; ``second_person``: safe if a second person approves; ``vetoed``.
        findings: Everything that forbids it, asks for a second person or is worth telling.
        checks: What was looked at, in order; what is not named was not looked at.
        approvers_needed: 0 where a grant covers it, else 1 or 2.
        approvers: Distinct persons whose approval is valid.
        digest: The proposal's, as recomputed.
        at: The instant of the facts.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    approvers_needed: int
    approvers: tuple[str, ...]
    digest: str
    at: datetime

    @property
    def vetoes(self) -> tuple[Finding, ...]:
        """The findings that forbid it."""
        return tuple(item for item in self.findings if item.weight == "veto")

    @property
    def may_be_written(self) -> bool:
        """Whether nothing forbids it and enough persons, or a grant, answer for it."""
        return self.outcome == "allowed" and len(self.approvers) >= self.approvers_needed

    @property
    def text(self) -> str:
        """The verdict in one sentence, each broken limit told once, by the step that goes furthest."""
        if self.outcome == "vetoed":
            return f"Vetoed: {_told(self.vetoes)}."
        if self.outcome == "second_person":
            why = _told(i for i in self.findings if i.weight == "second_person")
            return f"Needs a second person: {why}."
        return f"Allowed after {len(self.checks)} checks."

    def document(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {
            "outcome": self.outcome,
            "text": self.text,
            "findings": [item.document() for item in self.findings],
            "checks": list(self.checks),
            "approvers_needed": self.approvers_needed,
            "approvers": list(self.approvers),
            "digest": self.digest,
            "at": iso(self.at),
        }


def _told(findings: Iterable[Finding]) -> str:
    """The sentences, without those of steps that break the same limit of a tag less far."""
    furthest: dict[tuple[object, ...], Finding] = {}
    for item in findings:
        if item.tag is None or item.value is None or item.limit is None:
            furthest.setdefault((item.code, item.tag, item.text), item)
            continue
        held = furthest.setdefault((item.code, item.tag, item.limit), item)
        if _beyond(item) > _beyond(held):
            furthest[item.code, item.tag, item.limit] = item
    return "; ".join(item.text for item in furthest.values())


def _beyond(finding: Finding) -> float:
    """How far a limit is passed, in the unit of its value; 0 where there are no numbers."""
    if finding.value is None or finding.limit is None:
        return 0.0
    return abs(finding.value - finding.limit)
