"""What the safety agent or the writer objects to: in words, and whether it may pass by itself."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plant.write_rules import Finding

PASSING = frozenset(
    {
        "plant-mode",
        "data-quality",
        "value-missing",
        "value-bad",
        "value-stale",
        "facts-old",
        "rate",
        "min-interval",
        "stalled",
        "permit-expired",
        "alert-on-tag",
        "alert-conflict",
        "alert-in-area",
        "alert-pushed",
        "alert-touched",
    }
)
"""Objections that may pass by themselves; a step waits for that before it is held."""


def in_words(findings: Sequence[Finding]) -> str:
    """What is objected to, as one text."""
    return "; ".join(dict.fromkeys(item.text for item in findings))


def may_pass(findings: Sequence[Finding]) -> bool:
    """Whether all that is objected to may pass by itself."""
    return bool(findings) and all(item.code in PASSING for item in findings)
