"""Alarm priority from what happens without an answer, and how long there is to answer.

===================  ============  =============  ===========  ==========
consequence          over 30 min   10 to 30 min   3 to 10 min  under 3 min
===================  ============  =============  ===========  ==========
minor                low           low            medium       medium
moderate             low           medium         medium       high
major                medium        high           high         critical
severe               high          high           critical     critical
===================  ============  =============  ===========  ==========

The matrix is of the kind that EEMUA 191 and ISA-18.2 (clause 9, rationalisation) ask a plant to agree on;
what cannot be answered in time at all needs a trip, not an alarm.
"""

from __future__ import annotations

from typing import Literal

Consequence = Literal["minor", "moderate", "major", "severe"]
Priority = Literal["low", "medium", "high", "critical"]

BOUNDS = (30.0, 10.0, 3.0)
"""Minutes to answer at which a column of the matrix begins."""
MATRIX: dict[Consequence, tuple[Priority, Priority, Priority, Priority]] = {
    "minor": ("low", "low", "medium", "medium"),
    "moderate": ("low", "medium", "medium", "high"),
    "major": ("medium", "high", "high", "critical"),
    "severe": ("high", "high", "critical", "critical"),
}
LADDER: tuple[Priority, ...] = ("low", "medium", "high", "critical")
UNKNOWN_MINUTES = 10.0


def priority_of(consequence: Consequence, minutes: float | None) -> Priority:
    """Priority of an alarm.

    Args:
        consequence: Of leaving it unanswered.
        minutes: Time to answer; null counts as ten minutes.
    """
    left = UNKNOWN_MINUTES if minutes is None else minutes
    return MATRIX[consequence][sum(left < bound for bound in BOUNDS)]


def raised(priority: Priority) -> Priority:
    """The next priority up."""
    return LADDER[min(LADDER.index(priority) + 1, len(LADDER) - 1)]
