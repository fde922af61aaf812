"""How often a tag is sampled, and which of the samples that were due did not come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.plant.tags import Tag

OWN_PERIOD_KINDS = frozenset({"lab", "price", "state", "computed"})
REGULAR_SHARE = 0.8
TOLERANCE = 0.1
ROUNDING = 1e-6
STALE_PERIODS = 3.0
DAY = 86_400.0
LEAST_DAYS = 28
RARE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Sampling:
    """What was due of one tag, and what came.

    Attributes:
        period: Seconds between its samples; None where that cannot be told.
        expected: Samples due from the first to the last row, at least those that came.
        present: Samples that came.
        gap_starts: Times after which samples were due that did not come.
        overdue: Periods since its last sample at the end of the record, beyond the first.
    """

    period: float | None
    expected: int
    present: int
    gap_starts: NDArray[np.datetime64]
    overdue: float

    @property
    def missing(self) -> int:
        """Samples that were due and did not come."""
        return self.expected - self.present

    @property
    def stale(self) -> bool:
        """Whether the last sample is more than three periods old at the end of the record."""
        return self.overdue > STALE_PERIODS


def sampling_of(
    times: NDArray[np.datetime64],
    values: NDArray[np.float64],
    tag: Tag | None,
    usual: float | None,
) -> Sampling:
    """What was due and what came of one tag.

    The period is the plant file's; else the tag's own, where it is slower than the rows and regular
    (a laboratory value in rows of a minute), or where its kind is sampled as it comes; else that of
    the rows.

    Args:
        times: Times of the rows, ascending.
        values: Values of the tag, NaN where there is none.
        tag: The tag, where the plant file names it.
        usual: Period of the rows, s.
    """
    present = np.flatnonzero(~np.isnan(values))
    at = times[present].astype("datetime64[us]").astype(np.int64) / 1e6
    steps = np.diff(at)
    steps = steps[steps > 0]
    period = _period(steps, tag, usual)
    if period is None or not len(present):
        return Sampling(period, max(1, len(times)), len(present), times[:1], 0.0)
    start, end = (times[[0, -1]].astype("datetime64[us]").astype(np.int64) / 1e6).tolist()
    between = np.rint(np.diff(at) / period) - 1
    kept = open_days(times, usual)
    if not kept.all():
        between = between - closed_between(times[present], kept)
    # At the ends only whole periods count: the next sample may not have been due yet.
    after = np.floor((end - at[-1]) / period + ROUNDING)
    before = float(np.floor((at[0] - start) / period + ROUNDING))
    due = np.concatenate([between, [after]])
    gaps = int(np.maximum(due, 0).sum() + before)
    starts = times[present][due > 0]
    if before:
        starts = np.concatenate([times[:1], starts])
    return Sampling(period, len(present) + gaps, len(present), starts, float(end - at[-1]) / period)


def open_days(times: NDArray[np.datetime64], period: float | None) -> NDArray[np.bool_]:
    """Days of the week, from Monday, on which a daily record is kept; all where it is not daily.

    A market that is closed at the weekend has nothing to give then, and nothing is missing.
    """
    every = np.ones(7, dtype=np.bool_)
    daily = period is not None and abs(period - DAY) <= TOLERANCE * DAY
    if not daily or len(times) < LEAST_DAYS:
        return every
    # 1 January 1970 was a Thursday.
    day = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7
    counts = np.bincount(day, minlength=7)
    found: NDArray[np.bool_] = counts > RARE_SHARE * counts.max()
    return found


def closed_between(times: NDArray[np.datetime64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Days strictly between each two times on which the record is not kept."""
    days = times.astype("datetime64[D]")
    between = (days[1:] - days[:-1]).astype(np.int64) - 1
    due = np.busday_count(days[:-1] + 1, days[1:], weekmask=kept) if kept.any() else between
    closed: NDArray[np.float64] = np.maximum(0, between - due).astype(np.float64)
    return closed


def _period(steps: NDArray[np.float64], tag: Tag | None, usual: float | None) -> float | None:
    if tag is not None and tag.period_seconds is not None:
        # Rows that are means over longer than the tag's own period hold one value a row.
        return max(tag.period_seconds, usual or 0.0)
    if not len(steps):
        return usual
    own = float(np.median(steps))
    regular = float(np.mean(np.abs(steps - own) <= TOLERANCE * own)) >= REGULAR_SHARE
    by_kind = tag is not None and tag.kind in OWN_PERIOD_KINDS
    return own if by_kind or (regular and len(steps) >= 3) or usual is None else usual
