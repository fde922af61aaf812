"""What normal operation looks like, tag by tag, learned from training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.samples import Rows, SampleTrail
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Tag

LEAST_ROWS = 20
HOLD_PERIODS = 3.0
"""A value counts for this many expected periods; after that the tag is stale."""
FROZEN_FACTOR = 3.0
FROZEN_LEAST = 10
"""A run of equal samples is abnormal from this many times the longest run in training, and at least so many."""
REGULAR_SHARE = 0.9
"""A tag with a sample in at least this share of the training rows is sampled with the rows."""
HELD_SHARE = 0.45
"""A tag that repeats its sample on at least this share of rows is sampled slower than the rows come."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Statistics of training rows, each of shape ``(n_tags,)``.

    Attributes:
        row_seconds: Usual time between rows, s.
        mean: Mean.
        sd: Standard deviation; 1 where the tag does not vary.
        varies: Whether the tag varies at all.
        held: Whether the tag repeats its samples (an analyser on a slower cycle).
        period: Expected time between samples, s; infinite where it is not known.
        step: Usual size of a change from sample to sample (robust standard deviation of
            differences); infinite where it is not known.
        seen: Number of training samples.
        regular: Whether a sample comes with (nearly) every row.
        longest_run: Length from which a run of equal samples is frozen; infinite where a constant
            value is normal.
    """

    row_seconds: float
    mean: FloatArray
    sd: FloatArray
    varies: BoolArray
    held: BoolArray
    period: FloatArray
    step: FloatArray
    longest_run: FloatArray
    seen: IntArray
    regular: BoolArray

    @property
    def hold(self) -> FloatArray:
        """How long a value counts, s."""
        return HOLD_PERIODS * self.period

    def for_models(self, rows: Rows) -> FloatArray:
        """Rows as deviations, for models of all tags together; NaN where a tag says nothing.

        A slow or irregular tag counts until it is stale. One that comes with every row and is missing
        from one is unknown there: its last value would break what ties it to the others.
        """
        return self.scaled(rows.held(np.where(self.regular, 0.0, self.hold)))

    def scaled(self, values: FloatArray) -> FloatArray:
        """Deviations from the mean in standard deviations."""
        return (values - self.mean) / self.sd


def expected_periods(tags: Sequence[Tag]) -> FloatArray:
    """Expected sampling periods as the tag table gives them, s; infinite where it does not."""
    return np.array([tag.period_seconds or np.inf for tag in tags], dtype=np.float64)


def training_rows(block: SampleBlock) -> Rows:
    """The rows of a training block.

    Raises:
        InsufficientDataError: fewer than 20 rows.
    """
    if len(block) < LEAST_ROWS:
        raise InsufficientDataError(
            f"{len(block)} rows are too few to learn normal operation from",
            where="training data",
            remedy=f"give at least {LEAST_ROWS} rows, better some hundred",
        )
    times = block.times.astype("datetime64[us]").astype(np.int64)
    return SampleTrail(len(block.tags)).step(times, block.values, block.quality)


def learn(rows: Rows, tags: Sequence[Tag]) -> Baseline:
    """Statistics of normal operation."""
    values = np.where(rows.present, rows.last, np.nan)
    known = rows.present.sum(axis=0)
    filled = np.where(rows.present, rows.last, 0.0)
    mean = filled.sum(axis=0) / np.maximum(known, 1)
    deviation = np.where(rows.present, rows.last - mean, 0.0)
    sd = np.sqrt((deviation**2).sum(axis=0) / np.maximum(known - 1, 1))
    varies = (known > 2) & (sd > 1e-9 * np.maximum(np.abs(mean), 1e-9))
    intervals = np.diff(rows.times) * 1e-6
    row_seconds = float(np.median(intervals[intervals > 0])) if (intervals > 0).any() else 1.0
    period = expected_periods(tags)
    step = np.full(len(tags), np.inf)
    longest_run = np.full(len(tags), np.inf)
    held = np.zeros(len(tags), dtype=np.bool_)
    for j in np.flatnonzero(known > 2):
        at = np.flatnonzero(rows.present[:, j])
        if np.isinf(period[j]):
            period[j] = float(np.median(np.diff(rows.times[at]))) * 1e-6
        change = np.diff(values[at, j])
        moved = change[change != 0]
        if len(moved):
            step[j] = 1.4826 * float(np.median(np.abs(moved)))
        held[j] = np.mean(change == 0) >= HELD_SHARE
        longest = int(rows.run[:, j].max())
        if varies[j] and longest <= known[j] / 3:
            longest_run[j] = max(FROZEN_LEAST, FROZEN_FACTOR * longest)
    return Baseline(
        row_seconds=row_seconds,
        mean=mean,
        sd=np.where(varies, sd, 1.0),
        varies=varies,
        held=held,
        period=period,
        step=step,
        longest_run=longest_run,
        seen=known,
        regular=known >= REGULAR_SHARE * len(rows.times),
    )
