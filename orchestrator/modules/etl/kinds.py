"""What each kind of tag allows: how long a gap may be guessed over, and how it is resampled."""

from __future__ import annotations

from typing import Literal

from orchestrator.plant.tags import Tag, TagKind

Resampling = Literal["mean", "last", "mode", "sum", "difference"]

# Minutes in which a value of its kind does not usually leave the line between its neighbours.
LONGEST_GAP_MINUTES: dict[TagKind, float] = {
    "flow": 5.0,
    "pressure": 5.0,
    "valve": 5.0,
    "level": 10.0,
    "temperature": 15.0,
    "analyser": 30.0,
    "computed": 5.0,
}
NEVER_FILLED: dict[TagKind, str] = {
    "lab": "a laboratory value is measured or it is not",
    "total": "when a counter grew in a gap is not known",
}
HELD_KINDS: frozenset[TagKind] = frozenset({"state", "price"})
"""Filled only where the value is the same on both sides."""
UNFILTERED_KINDS: frozenset[TagKind] = frozenset({"state", "price", "lab", "total"})
_RESAMPLING: dict[TagKind, Resampling] = {
    "state": "last",
    "price": "last",
    "lab": "last",
    "total": "difference",
}
PERIODS = 3.0


def kind_of(tag: Tag | None) -> TagKind:
    """The kind, ``other`` where nothing is known of the tag."""
    return tag.kind if tag is not None else "other"


def resampling_of(tag: Tag | None, stated: Resampling | None) -> Resampling:
    """How a tag is resampled: as stated, or as its kind asks for."""
    return stated or _RESAMPLING.get(kind_of(tag), "mean")


def longest_gap(tag: Tag | None, period: float | None, stated_minutes: float | None) -> float:
    """Longest gap that may be filled, s.

    As stated; else three sampling periods, but no more than the kind allows, and always one missing
    sample: what is next to two measured neighbours is as sure as they are.
    """
    if stated_minutes is not None:
        return stated_minutes * 60
    period = period or 0.0
    of_kind = LONGEST_GAP_MINUTES.get(kind_of(tag))
    if of_kind is None:
        return PERIODS * period
    return min(PERIODS * period, max(60 * of_kind, period))
