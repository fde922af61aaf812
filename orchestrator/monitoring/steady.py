"""Steady-state test of Cao and Rhinehart (1995): the ratio of two estimates of the noise variance.

With xf the filtered value, ν² the filtered squared deviation from it and δ² the filtered squared
difference of neighbours, R = (2 − λ₁) ν²/δ² is near 1 at steady state and grows when the level moves.
The critical values of the paper suppose noise without memory. Plant data under closed-loop control
has memory, and then R is above 1 at steady state too; so the critical value of each tag is the one
that its own normal operation exceeds on 1 % of training rows, and not less than that of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.monitoring.delays import BoolArray, FloatArray

LAMBDA_LEVEL = 0.2
LAMBDA_DEVIATION = 0.1
LAMBDA_DIFFERENCE = 0.1
CRITICAL = 2.0
"""About 1 % of rows exceed it when noise has no memory, at these three filter factors."""
TRAINING_SHARE = 0.99
BURN_IN = 30
"""Rows until the three filters have forgotten their start."""
SHORT = 8


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Which key tags are steady; ``share`` is theirs of those that can be told."""

    share: float
    steady: tuple[str, ...]
    moving: tuple[str, ...]


class RatioTest:
    """R of many tags, carried from block to block; values are scaled by their spread.

    Args:
        tags: Number of tags.
    """

    def __init__(self, tags: int) -> None:
        self.critical: FloatArray = np.full(tags, CRITICAL)
        self.reset()

    def reset(self) -> None:
        """Forget all rows, not the critical values."""
        tags = len(self.critical)
        self.rows = 0
        self._known: BoolArray = np.zeros(tags, dtype=np.bool_)
        self._level: FloatArray = np.zeros(tags)
        self._last: FloatArray = np.zeros(tags)
        self._deviation: FloatArray = np.zeros(tags)
        self._difference: FloatArray = np.zeros(tags)

    def learn(self, values: FloatArray) -> None:
        """Set the critical values from rows of normal operation, shape ``(n_rows, n_tags)``."""
        self.critical = np.full(values.shape[1], CRITICAL)
        self.reset()
        ratio = self.step(values, keep=True)[BURN_IN:]
        if len(ratio):
            self.critical = np.maximum(CRITICAL, np.quantile(ratio, TRAINING_SHARE, axis=0))
        self.reset()

    def step(self, values: FloatArray, *, keep: bool = False) -> FloatArray:
        """Take in rows; returns R of every row, or with ``keep`` false nothing (see :meth:`ratio`).

        A missing value (NaN) leaves the level as it is.
        """
        if not self._known.all():
            self._begin(values)
        values = self._without_gaps(values)
        self.rows += len(values)
        if len(values) <= SHORT and not keep:
            for row in values:
                self._advance(row)
            return values[:0]
        before = np.concatenate([self._last[None], values[:-1]])
        level = _filtered(values, LAMBDA_LEVEL, self._level)
        level_before = np.concatenate([self._level[None], level[:-1]])
        deviation = _filtered((values - level_before) ** 2, LAMBDA_DEVIATION, self._deviation)
        difference = _filtered((values - before) ** 2, LAMBDA_DIFFERENCE, self._difference)
        self._last, self._level = values[-1], level[-1]
        self._deviation, self._difference = deviation[-1], difference[-1]
        return _ratio(deviation, difference) if keep else values[:0]

    def ratio(self) -> FloatArray:
        """R of each tag after the last row, NaN where nothing is known yet."""
        ratio = _ratio(self._deviation, self._difference)
        return np.where(self._known & (self.rows >= BURN_IN), ratio, np.nan)

    def _advance(self, row: FloatArray) -> None:
        self._deviation = (
            LAMBDA_DEVIATION * (row - self._level) ** 2 + (1 - LAMBDA_DEVIATION) * self._deviation
        )
        self._difference = (
            LAMBDA_DIFFERENCE * (row - self._last) ** 2 + (1 - LAMBDA_DIFFERENCE) * self._difference
        )
        self._level = LAMBDA_LEVEL * row + (1 - LAMBDA_LEVEL) * self._level
        self._last = row

    def _begin(self, values: FloatArray) -> None:
        """Start tags that were never seen at their first value, so that nothing seems to have moved."""
        known = np.isfinite(values)
        first = values[known.argmax(axis=0), np.arange(values.shape[1])]
        begun = ~self._known & known.any(axis=0)
        self._level = np.where(begun, first, self._level)
        self._last = np.where(begun, first, self._last)
        self._known = self._known | begun

    def _without_gaps(self, values: FloatArray) -> FloatArray:
        known: BoolArray = np.isfinite(values)
        if known.all():
            return values
        row = np.arange(len(values))[:, None]
        source = np.maximum.accumulate(np.where(known, row, -1), axis=0)
        held = np.take_along_axis(values, np.maximum(source, 0), axis=0)
        return np.where(source >= 0, held, self._last)


def _filtered(values: FloatArray, factor: float, start: FloatArray) -> FloatArray:
    from scipy.signal import lfilter  # a second to import, and no command but the loop needs it

    output, _ = lfilter(
        [factor], [1.0, factor - 1.0], values, axis=0, zi=((1 - factor) * start)[None]
    )
    return np.asarray(output, dtype=np.float64)


def _ratio(deviation: FloatArray, difference: FloatArray) -> FloatArray:
    """R, and 1 for a tag that does not move at all."""
    still = deviation <= 1e-12
    noise = np.maximum(difference, 1e-12)
    return np.where(still, 1.0, (2 - LAMBDA_LEVEL) * deviation / noise)
