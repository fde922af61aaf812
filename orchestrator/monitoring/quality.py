"""Quality of the data, tag by tag and as a whole: missing, stale, frozen, out of range, spike, rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from orchestrator.monitoring.baseline import HOLD_PERIODS, Baseline, expected_periods
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.samples import Rows, Uint8Array
from orchestrator.plant.credible import credible_range
from orchestrator.plant.samples import to_datetime64
from orchestrator.plant.tags import Tag

WINDOW = 60
"""Rows that the shares refer to."""
SPIKE_FACTOR = 10.0
"""A spike goes this many usual steps away, and comes back with the next sample."""
LOST_PERIODS = 5.0
"""A signal is lost when none of so many expected samples came; fewer are the losses of a line."""
FROZEN_UNTRAINED = 60
"""Run of equal samples that is frozen where nothing was learned from training."""
OPTIONAL_KINDS = frozenset({"price", "lab", "computed", "state"})
"""Tags of these kinds may be absent, and may stay constant, without harm."""

MISSING, BAD, OUT_OF_RANGE, SPIKE, RATE = 1, 2, 4, 8, 16
_FLAGS = {
    MISSING: ("missing", 1.0),
    BAD: ("bad quality", 1.0),
    OUT_OF_RANGE: ("out of range", 1.0),
    SPIKE: ("spikes", 2.0),
    RATE: ("changes faster than its rate limit", 1.0),
}
FROZEN_SCORE = 0.3


class TagQuality(BaseModel):
    """Fitness of one tag, 0 useless to 1 good, and why."""

    model_config = ConfigDict(frozen=True)

    score: float
    reasons: tuple[str, ...] = ()


class QualityReport(BaseModel):
    """Fitness of the plant's data over the last rows.

    Attributes:
        score: Mean score of the tags, 0 to 1; null before the first row.
        missing_share: Share of expected samples that did not come, 0 to 1.
        stale_tags: Tags without a sample for three expected periods.
        frozen_tags: Tags that repeat one value for longer than is normal for them.
        tags: Each tag whose score is below 1, with reasons.
    """

    model_config = ConfigDict(frozen=True)

    score: float | None
    missing_share: float | None
    stale_tags: tuple[str, ...] = ()
    frozen_tags: tuple[str, ...] = ()
    tags: dict[str, TagQuality] = {}


@dataclass(frozen=True, slots=True)
class _Now:
    """Where the tags stand after the last row, each of shape ``(n_tags,)``."""

    time: int
    age: FloatArray
    run: FloatArray
    seen: BoolArray


@dataclass(frozen=True, slots=True)
class Standstill:
    """Which tags stand still, each array of shape ``(n_rows, n_tags)``.

    Attributes:
        frozen: They repeat one value for longer than is normal for them.
        lost: No usable value has come for five expected periods; one that never came is not lost.
        lost_since: When the first of those was due, µs since the epoch; nought where not lost.
    """

    frozen: BoolArray
    lost: BoolArray
    lost_since: IntArray


class QualityWatch:
    """Flags each sample and keeps the flags of the last rows.

    Args:
        tags: The tags, in column order.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        count = len(tags)
        self._names = tuple(tag.name for tag in tags)
        self._optional: BoolArray = np.array([tag.kind in OPTIONAL_KINDS for tag in tags])
        self._period = expected_periods(tags)
        self._step: FloatArray = np.full(count, np.inf)
        self._longest_run: FloatArray = np.where(self._optional, np.inf, FROZEN_UNTRAINED)
        ranges: FloatArray = np.array([credible_range(tag) for tag in tags]).reshape(-1, 2)
        self._low, self._high = ranges[:, 0], ranges[:, 1]
        self._rate: FloatArray = np.array([tag.rate_limit or np.inf for tag in tags])
        self._rated = bool(np.isfinite(self._rate).any())
        self._ring: Uint8Array = np.zeros((WINDOW, count), dtype=np.uint8)
        self._at = 0
        self._filled = 0
        self._changes: FloatArray = np.zeros((2, count))
        self._now: _Now | None = None

    def learn(self, baseline: Baseline) -> None:
        """Take over what is normal for each tag."""
        self._period = baseline.period
        self._step = baseline.step
        self._longest_run = np.where(self._optional, np.inf, baseline.longest_run)

    def step(self, rows: Rows) -> Standstill:
        """Take in rows; returns which tags stand still."""
        flags = self._flags(rows)
        self._remember(flags)
        frozen = rows.run >= self._longest_run
        lost, lost_since = self._lost(rows)
        self._now = _Now(
            int(rows.times[-1]),
            rows.age[-1],
            rows.run[-1].astype(np.float64),
            np.isfinite(rows.last[-1]),
        )
        return Standstill(frozen, lost, lost_since)

    def _lost(self, rows: Rows) -> tuple[BoolArray, IntArray]:
        shape = rows.present.shape
        if rows.present.all():
            return np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.int64)
        seen = np.isfinite(rows.age)
        lost: BoolArray = seen & (rows.age > LOST_PERIODS * self._period) & ~self._optional
        overdue = np.where(lost, rows.age - np.where(lost, self._period, 0.0), 0.0) * 1e6
        return lost, np.where(lost, rows.times[:, None] - overdue.astype(np.int64), 0)

    def report(self, at: datetime | None = None) -> QualityReport:
        """Quality after the last row.

        Args:
            at: Time for which staleness is asked; null is the time of the last row.
        """
        now = self._now
        if now is None:
            return QualityReport(score=None, missing_share=None)
        later = 0.0
        if at is not None:
            later = max(0.0, (int(to_datetime64(at).astype(np.int64)) - now.time) * 1e-6)
        age = now.age + later
        counted = now.seen | ~self._optional
        stale = counted & (age > HOLD_PERIODS * self._period) & ~self._optional
        stale |= counted & ~now.seen
        frozen = (now.run >= self._longest_run) & ~stale
        window = self._ring[: max(self._filled, 1)]
        score = np.ones(len(self._names))
        reasons: dict[int, list[str]] = {}
        for flag, (words, weight) in _FLAGS.items():
            share = ((window & flag) > 0).mean(axis=0)
            score -= weight * share
            for j in np.flatnonzero(share > 0):
                text = f"{words}: {share[j]:.0%} of the last {len(window)} rows"
                reasons.setdefault(int(j), []).append(text)
        for j in np.flatnonzero(frozen):
            reasons.setdefault(int(j), []).append(f"frozen: {now.run[j]:.0f} equal samples")
        for j in np.flatnonzero(stale):
            text = "never seen" if not now.seen[j] else f"stale: no sample for {age[j]:.0f} s"
            reasons.setdefault(int(j), []).append(text)
        score = np.clip(np.where(frozen, np.minimum(score, FROZEN_SCORE), score), 0.0, 1.0)
        score = np.where(stale, 0.0, score)
        missing = ((window & (MISSING | BAD)) > 0)[:, counted]
        return QualityReport(
            score=round(float(score[counted].mean()), 6) if counted.any() else None,
            missing_share=round(float(missing.mean()), 6) if missing.size else None,
            stale_tags=tuple(self._names[j] for j in np.flatnonzero(stale)),
            frozen_tags=tuple(self._names[j] for j in np.flatnonzero(frozen)),
            tags={
                self._names[j]: TagQuality(score=round(float(score[j]), 6), reasons=tuple(texts))
                for j, texts in sorted(reasons.items())
                if counted[j]
            },
        )

    def _flags(self, rows: Rows) -> Uint8Array:
        flags = np.zeros(rows.last.shape, dtype=np.uint8)
        complete = rows.present.all()
        if not complete:
            flags[rows.bad] |= BAD
            # A tag that is due more rarely than the rows come is missing only once it is due.
            due = np.isinf(self._period) | (rows.age >= 0.999 * self._period)
            flags[~rows.present & ~rows.bad & due & ~self._optional] |= MISSING
        change = rows.last - rows.previous
        with np.errstate(invalid="ignore"):
            outside = (rows.last < self._low) | (rows.last > self._high)
            jump = np.abs(change) > SPIKE_FACTOR * self._step
        if outside.any():
            flags[outside & rows.present] |= OUT_OF_RANGE
        if jump.any():
            with np.errstate(invalid="ignore"):
                flags[jump & self._returns(change)] |= SPIKE
        if self._rated:
            fast = np.abs(change) * 60.0 > self._rate * rows.seconds
            flags[fast & rows.present] |= RATE
        self._changes = np.concatenate([self._changes, change[-2:]])[-2:]
        return flags

    def _returns(self, change: FloatArray) -> BoolArray:
        """Whether a change takes back the one before it, after calm: oscillation is no spike."""
        size = SPIKE_FACTOR * self._step
        whole = np.concatenate([self._changes, change])
        calm, out = whole[:-2], whole[1:-1]
        back = np.abs(change + out) < 0.5 * np.abs(change)
        found: BoolArray = back & (np.abs(out) > size) & ~(np.abs(calm) > size)
        return found

    def _remember(self, flags: Uint8Array) -> None:
        flags = flags[-WINDOW:]
        end = self._at + len(flags)
        if end <= WINDOW:
            self._ring[self._at : end] = flags
        else:
            first = WINDOW - self._at
            self._ring[self._at :] = flags[:first]
            self._ring[: end - WINDOW] = flags[first:]
        self._at = end % WINDOW
        self._filled = min(self._filled + len(flags), WINDOW)
