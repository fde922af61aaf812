"""Has the plant moved for good? Then normal operation is learned anew; on a fault it never is.

Each quarter of the training length the last rows of that length are held against the training rows.
Normal operation is learned anew only when all of these hold:

* *planned*: a handle was moved since the last training, and at least one window ago;
* *moved*: the mean of a tag differs from training by more than one standard deviation, and more than
  chance, with the memory of the signal counted (effective sample size of an AR(1) process);
* *settled*: no tag's mean differs so between the two halves of the window;
* *quiet*: no limit, frozen or drift alert is open, and no alert of another kind began before the move.

A plant that moved without anybody moving it has a fault, or is run in a way that nobody recorded:
that is for a person to say, with ``dan-g models fit monitoring``.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.delays import BoolArray, FloatArray
from orchestrator.monitoring.quantiles import normal_above
from orchestrator.plant.samples import Quality, SampleBlock

CHANCE = 1e-4
"""Probability, over all tags, of calling a plant moved that has not."""
LEAST_SHIFT = 1.0
SETTLED_SHIFT = 0.5
CHECKS = 4
"""Looks a window."""


class RenewalWatch:
    """Keeps the last rows, and tells when they are a new normal operation.

    Args:
        baseline: Normal operation as learned.
        rows: Rows of a window.
    """

    def __init__(self, baseline: Baseline, rows: int) -> None:
        self._baseline = baseline
        self.rows = rows
        self._blocks: deque[SampleBlock] = deque()
        self._held = 0
        self._since_look = 0

    @property
    def rows_to_look(self) -> int:
        """Rows until the next look, so that looks fall on the same rows however these are cut."""
        return max(self.rows // CHECKS, 1) - self._since_look

    def add(self, block: SampleBlock) -> bool:
        """Take in rows, at most :attr:`rows_to_look`; whether it is time to look."""
        self._blocks.append(block)
        self._held += len(block)
        while self._held - len(self._blocks[0]) >= self.rows:
            self._held -= len(self._blocks.popleft())
        self._since_look += len(block)
        if self.rows_to_look > 0:
            return False
        self._since_look = 0
        return self._held >= self.rows

    def window(self) -> SampleBlock:
        """The last rows."""
        first = self._blocks[0]
        whole = SampleBlock(
            first.tags,
            np.concatenate([block.times for block in self._blocks]),
            np.concatenate([block.values for block in self._blocks]),
            np.concatenate([block.quality for block in self._blocks]),
        )
        return whole.rows(len(whole) - self.rows, len(whole))

    def moved_and_settled(self) -> bool:
        """Whether the window differs from training, and its halves do not differ from each other."""
        block = self.window()
        usable = np.isfinite(block.values) & (block.quality <= Quality.UNCERTAIN)
        z = np.where(usable, self._baseline.scaled(block.values), np.nan)
        z = z[:, self._baseline.varies & (usable.mean(axis=0) > 0.8)]
        if not z.shape[1]:
            return False
        half = len(z) // 2
        critical = normal_above(CHANCE / (2 * z.shape[1]))
        mean, error = _mean(z)
        first, error_first = _mean(z[:half])
        second, error_second = _mean(z[half:])
        moved = (np.abs(mean) > LEAST_SHIFT) & (np.abs(mean) > critical * error)
        apart = np.abs(second - first)
        moving: BoolArray = (apart > SETTLED_SHIFT) & (
            apart > critical * np.hypot(error_first, error_second)
        )
        return bool(moved.any() and not moving.any())


def _mean(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean of each column and its standard error, the memory of the signal counted."""
    known = np.isfinite(z)
    count = np.maximum(known.sum(axis=0), 2)
    mean = np.where(known, z, 0.0).sum(axis=0) / count
    deviation = np.where(known, z - mean, 0.0)
    variance = (deviation**2).sum(axis=0) / (count - 1)
    covariance = (deviation[1:] * deviation[:-1]).sum(axis=0) / (count - 1)
    rho = np.clip(covariance / np.maximum(variance, 1e-12), 0.0, 0.98)
    error: FloatArray = np.sqrt(variance / count * (1 + rho) / (1 - rho))
    return mean, error
