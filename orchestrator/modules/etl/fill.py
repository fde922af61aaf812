"""Filling the gaps of one tag where that can be justified, and saying why not where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.etl.kinds import HELD_KINDS, NEVER_FILLED, kind_of
from orchestrator.plant.tags import Tag

Array = NDArray[np.float64]
MEASURED, SPIKE, FILLED, MISSING = 0, 1, 2, 3
JUMP_SIGMAS = 4.0


@dataclass
class Series:
    """One tag while it is cleaned: values, a mark for each, what stood there before."""

    name: str
    values: Array
    marks: NDArray[np.uint8]
    before: Array
    why_not: list[str] = field(default_factory=list)
    resets: int = 0
    unassigned: float = 0.0

    def refuse(self, reason: str) -> None:
        """Note why a gap stays."""
        if reason not in self.why_not:
            self.why_not.append(reason)


def fill(
    item: Series,
    times: NDArray[np.datetime64],
    tag: Tag | None,
    longest: float,
    states: Sequence[Array],
) -> None:
    """Fill the gaps of one tag where that can be justified; say why the rest is left.

    Args:
        item: The tag, changed in place.
        times: Times of the rows, ascending.
        tag: What is known of it.
        longest: Longest gap to fill, s.
        states: Tags that tell the mode of the plant, on the same rows; a gap in which one of them
            changes, or is not known, is left.
    """
    missing = ~np.isfinite(item.values)
    if not missing.any():
        return
    if missing.all():
        item.refuse("there is no value at all")
        return
    kind = kind_of(tag)
    seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
    known = np.flatnonzero(~missing)
    one_step = np.diff(item.values[known])[np.diff(known) == 1]
    usual = float(np.sqrt(np.mean(one_step**2))) if len(one_step) else 0.0
    typical = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if start == 0 or end == len(missing):
            item.refuse("at an end of the record")
            continue
        left, right = item.values[start - 1], item.values[end]
        width = float(seconds[end] - seconds[start - 1])
        if kind in NEVER_FILLED:
            item.refuse(NEVER_FILLED[kind])
        elif width - typical > longest + 1e-6:
            item.refuse(f"a gap of {_span(width - typical)} is too long to guess")
        elif any(_changes(state[start - 1 : end + 1]) for state in states):
            item.refuse("the plant changed its mode in the gap, or its mode is not known there")
        elif kind in HELD_KINDS and left != right:
            item.refuse("the value changed in the gap, and when is not known")
        elif kind not in HELD_KINDS and abs(right - left) > JUMP_SIGMAS * usual * np.sqrt(
            end - start + 1
        ):
            item.refuse("the value jumped across the gap")
        else:
            share = (seconds[start:end] - seconds[start - 1]) / width
            item.values[start:end] = left + share * (right - left)
            item.marks[start:end] = FILLED


def _span(seconds: float) -> str:
    """A span of time in the unit in which people would say it."""
    for unit, size, least in (("d", 86_400.0, 2.0), ("h", 3_600.0, 2.0), ("min", 60.0, 2.0)):
        if seconds >= least * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _changes(state: Array) -> bool:
    """Whether a state differs between any two of these rows, or is missing on both sides of a change."""
    known = state[np.isfinite(state)]
    unknown_ends = not (np.isfinite(state[0]) and np.isfinite(state[-1]))
    return unknown_ends or bool((known != known[0]).any())
