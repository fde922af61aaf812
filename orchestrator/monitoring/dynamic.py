"""The dynamic detector: canonical variates watched by four statistics with memory.

=============  ==================================================================  ============
statistic      of each row                                                         sees
=============  ==================================================================  ============
``states``     moving average of T² of the states                                  large upsets
``residual``   T² of the residual, no memory                                       sudden breaks
``energy``     moving average of T² of the residual                                oscillation, noise
``shift``      T² of the moving average of the residual (MEWMA, Lowry 1992)        small lasting shifts
=============  ==================================================================  ============

Moving averages are exponentially weighted (Roberts 1959). The states get a short memory because a
plant in closed loop wanders in them for hours and comes back by itself; the residual, which has little
memory of its own, gets a long one. What goes into an average is cut off at twice the limit of the
statistic without memory, so that it returns to normal soon after the plant does.

Limits are those of :func:`~orchestrator.monitoring.tails.joint_limits` on rows that the model has not
seen: blocks of the training rows, each scored by a model of the others, or a second normal record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.canonical import CanonicalVariates, PastTrail
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.tails import joint_limits

STATISTICS = ("states", "residual", "energy", "shift")
LAGS = 2
"""Rows of the past. Held-out prediction error of normal rows is least with one or two."""
STATE_WEIGHT = 0.3
"""Weight of the newest row in the average of the states' T²,"""
RESIDUAL_WEIGHT = 0.05
"""and in the two averages of the residual: a memory of about 20 rows."""
CUT = 2.0
FOLDS = 10
GUARD = 40
"""Rows before a held-out block that no model of the block has seen: its averages remember them."""
LEAST_ROWS = 200
"""Training rows: ten times the memory of the slowest average, else no limit can be set for it."""
SHORT = 8
GAP = 3.0
"""Rows are neighbours when not more than this many usual distances apart."""


@dataclass(frozen=True, slots=True)
class DynamicScores:
    """Statistics of rows.

    Attributes:
        ratios: Each statistic as a multiple of its limit, shape ``(n_rows, 4)``, in the order of
            :data:`STATISTICS`.
        q: Whitened past, shape ``(n_rows, lags * n_tags)``.
        average: Its moving average, same shape.
    """

    ratios: FloatArray
    q: FloatArray
    average: FloatArray

    @property
    def over(self) -> BoolArray:
        """Whether one of them is over its limit."""
        over: BoolArray = self.ratios.max(axis=1) > 1.0
        return over


class DynamicDetector:
    """The fitted detector, and where its averages stand. :meth:`reset` begins a new record.

    Attributes:
        model: The canonical variates.
        limits: Limit of each statistic.
        held_out: Statistics of the rows that the limits were set from, shape ``(4, n_rows)``.

    Args:
        rows: Training rows, shape ``(n_rows, n_tags)``, complete, of unit variance.
        times: Their times, µs since the epoch.
        row_seconds: Usual distance of rows, s.
        rate: Share of normal rows that may be over a limit.

    Raises:
        InsufficientDataError: fewer than 200 rows, or too few for the number of tags.
    """

    def __init__(self, rows: FloatArray, times: IntArray, row_seconds: float, rate: float) -> None:
        if len(rows) < LEAST_ROWS:
            raise InsufficientDataError(
                f"{len(rows)} rows are too few to set limits of statistics with memory",
                where="training data",
                remedy=f"give at least {LEAST_ROWS} rows",
            )
        self._longest = GAP * row_seconds * 1e6
        self.rate = rate
        lags = LAGS
        try:
            self.model = CanonicalVariates(self._segments(rows, times), lags)
        except InsufficientDataError:
            lags = 1
            self.model = CanonicalVariates(self._segments(rows, times), lags)
        self.limits: FloatArray = np.full(len(STATISTICS), np.inf)
        self.reset()
        self.held_out = self._score_held_out(rows, times)
        self.limits = joint_limits(self.held_out, rate)
        self.reset()

    def reset(self) -> None:
        """Forget all rows, not the model nor the limits."""
        self._trail = PastTrail(self.model.tags, self.model.lags)
        self._last_time: int | None = None
        self._levels: FloatArray | None = None
        self._average: FloatArray = np.zeros(self.model.whiten.shape[0])

    def calibrate(self, rows: FloatArray, times: IntArray, rate: float) -> None:
        """Set the limits from a record of normal operation that the model was not fitted on.

        Missing values are NaN.
        """
        self.limits = np.full(len(STATISTICS), np.inf)
        self.reset()
        self.held_out = self._statistics(rows, times)[0]
        self.limits = joint_limits(self.held_out, rate)
        self.rate = rate
        self.reset()

    def step(self, rows: FloatArray, times: IntArray) -> DynamicScores:
        """Take in rows, in order of time; at least one. Missing values are NaN."""
        statistics, q, average = self._statistics(rows, times)
        return DynamicScores((statistics / self.limits[:, None]).T, q, average)

    def contributions(self, scores: DynamicScores) -> FloatArray:
        """Share of each tag in the statistic that is farthest over its limit; sums to 1.

        Args:
            scores: The rows over which the shares are averaged.
        """
        leader = STATISTICS[int(np.argmax(scores.ratios.mean(axis=0)))]
        if leader == "states":
            return self.model.contributions(scores.q, inside=True)
        # The average shows a lasting shift better than single rows do; oscillation leaves none.
        rows = scores.average if leader == "shift" else scores.q
        return self.model.contributions(rows, inside=False)

    def _statistics(
        self, rows: FloatArray, times: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        begins = np.diff(times, prepend=times[0] if self._last_time is None else self._last_time)
        begun = begins > self._longest
        if self._last_time is None:
            begun[0] = True
        self._last_time = int(times[-1])
        past, known = self._trail.step(rows, begun, self.model)
        q = self.model.whitened(past, known)
        states, residual = self.model.energies(q)
        cut_states = np.minimum(states, CUT * self.limits[0])
        cut_residual = np.minimum(residual, CUT * self.limits[1])
        if self._levels is None:
            # Averages begin where those of normal rows are, not at nought.
            k = self.model.states
            self._levels = np.array([k, self.model.whiten.shape[0] - k], dtype=np.float64)
        slow = _averaged(cut_states, STATE_WEIGHT, self._levels[0])
        energy = _averaged(cut_residual, RESIDUAL_WEIGHT, self._levels[1])
        self._levels = np.array([slow[-1], energy[-1]])
        shrunk = np.sqrt(cut_residual / np.maximum(residual, 1e-12))
        fed = q if (shrunk >= 1).all() else q * np.minimum(shrunk, 1.0)[:, None]
        average = _averaged(fed, RESIDUAL_WEIGHT, self._average)
        self._average = average[-1].copy()
        _, shift = self.model.energies(average)
        return np.stack([slow, residual, energy, shift]), q, average

    def _segments(self, rows: FloatArray, times: IntArray) -> list[FloatArray]:
        edges = np.flatnonzero(np.diff(times) > self._longest) + 1
        return list(np.split(rows, edges))

    def _score_held_out(self, rows: FloatArray, times: IntArray) -> FloatArray:
        """Statistics of each block of rows by a model of the others."""
        whole, parts = self.model, []
        for block in np.array_split(np.arange(len(rows)), FOLDS):
            first, last = max(int(block[0]) - GUARD, 0), int(block[-1]) + 1
            others = [
                *self._segments(rows[:first], times[:first]),
                *self._segments(rows[last:], times[last:]),
            ]
            try:
                self.model = CanonicalVariates(
                    [part for part in others if len(part)], whole.lags, whole.states
                )
            except InsufficientDataError:
                self.model = whole
            self.reset()
            found, _, _ = self._statistics(rows[first:last], times[first:last])
            parts.append(found[:, block[0] - first :])
        self.model = whole
        return np.concatenate(parts, axis=1)


def _averaged(values: FloatArray, weight: float, start: FloatArray | np.float64) -> FloatArray:
    """Exponentially weighted moving average along rows, going on from ``start``."""
    if len(values) <= SHORT:
        # Row by row the set-up of a filter takes longer than the rows; the arithmetic is the same.
        found = np.empty_like(values)
        level = start
        for row, value in enumerate(values):
            level = weight * value + (1 - weight) * level
            found[row] = level
        return found
    from scipy.signal import lfilter  # a second to import, and no command but the loop needs it

    zi = np.asarray((1 - weight) * start, dtype=np.float64)[None]
    output, _ = lfilter([weight], [1.0, weight - 1.0], values, axis=0, zi=zi)
    return np.asarray(output, dtype=np.float64)
