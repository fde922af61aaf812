"""When a tag's mean changed, and from what to what: evidence beside an alert, never an alert by itself.

The change point of a window of n rows is the k that makes the two-sample statistic

    |mean(z[k:]) − mean(z[:k])| / (s √(1/k + 1/(n − k)))

largest (Hawkins 1977), found in windows before and after it again (binary segmentation, Scott and Knott
1974), of which the latest counts. Plant noise has memory, so s is not the standard deviation of the rows but of
their long-run mean: with lag-one correlation φ of normal operation it is σ √((1 + φ) / (1 − φ)). A change
counts from 4.5 of these on: in a normal window of 120 rows without memory that is one in 700.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from orchestrator.monitoring.delays import FloatArray, IntArray
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

WINDOW = 120
"""Rows that are looked through."""
LEAST_SEGMENT = 3
"""Rows on each side of a change."""
CRITICAL = 4.5
MOST_MEMORY = 0.95
LEAST_PAIRS = 20


class LevelChange(BaseModel):
    """A tag that changed its mean, in the unit of the tag.

    Attributes:
        tag: The tag.
        at: Time of the first row after the change.
        before: Mean before.
        after: Mean after.
        unit: Unit of both.
    """

    model_config = ConfigDict(frozen=True)

    tag: str
    at: datetime
    before: float
    after: float
    unit: str = ""


class ChangePoints:
    """Finds the latest change of level of each tag.

    Args:
        tags: The tags, in column order.
        mean: Mean of each in normal operation.
        sd: Standard deviation.
        normal: Scaled rows of normal operation, shape ``(n_rows, n_tags)``; NaN where missing.
    """

    def __init__(
        self, tags: Sequence[Tag], mean: FloatArray, sd: FloatArray, normal: FloatArray
    ) -> None:
        self._tags = tags
        self._mean = mean
        self._sd = sd
        memory = np.clip(_memory(normal), 0.0, MOST_MEMORY)
        self._noise: FloatArray = np.sqrt((1 + memory) / (1 - memory))

    def latest(self, times: IntArray, z: FloatArray, columns: Sequence[int]) -> list[LevelChange]:
        """The latest change of each of some tags, those that have one, in the order given.

        Args:
            times: µs since the epoch.
            z: Scaled rows, shape ``(n_rows, n_tags)``; NaN where missing.
            columns: The tags wanted.
        """
        found = []
        for j in columns:
            known = np.flatnonzero(np.isfinite(z[:, j]))
            edges = segments(z[known, j], float(self._noise[j]))
            if len(edges) < 3:
                continue
            first, cut, last = edges[-3], edges[-2], edges[-1]
            before, after = z[known[first:cut], j].mean(), z[known[cut:last], j].mean()
            found.append(
                LevelChange(
                    tag=self._tags[j].name,
                    at=moment(times[known[cut]]),
                    before=self._in_unit(j, before),
                    after=self._in_unit(j, after),
                    unit=self._tags[j].unit,
                )
            )
        return found

    def _in_unit(self, column: int, scaled: float) -> float:
        value = self._mean[column] + scaled * self._sd[column]
        return float(f"{value:.5g}")


def segments(values: FloatArray, noise: float) -> list[int]:
    """Edges of the stretches of one level, from 0 to ``len(values)``.

    Args:
        values: Rows of one tag, shape ``(n_rows,)``.
        noise: Standard deviation of its long-run mean, times the root of the number of rows.
    """
    edges, waiting = {0, len(values)}, [(0, len(values))]
    while waiting:
        first, last = waiting.pop()
        rows = last - first
        if rows < 2 * LEAST_SEGMENT:
            continue
        left = np.arange(LEAST_SEGMENT, rows - LEAST_SEGMENT + 1)
        sums = np.cumsum(values[first:last])
        gap = (sums[-1] - sums[left - 1]) / (rows - left) - sums[left - 1] / left
        size = np.abs(gap) / (noise * np.sqrt(1 / left + 1 / (rows - left)))
        best = int(np.argmax(size))
        if size[best] >= CRITICAL:
            cut = first + int(left[best])
            edges.add(cut)
            waiting += [(first, cut), (cut, last)]
    return sorted(edges)


def _memory(z: FloatArray) -> FloatArray:
    """Correlation of each tag with its own last row; nought where there are too few pairs."""
    earlier, later = z[:-1], z[1:]
    known = np.isfinite(earlier) & np.isfinite(later)
    products = np.where(known, earlier * later, 0.0).sum(axis=0)
    squares = np.where(known, (earlier**2 + later**2) / 2, 0.0).sum(axis=0)
    enough = (known.sum(axis=0) >= LEAST_PAIRS) & (squares > 0)
    return np.where(enough, products / np.where(enough, squares, 1.0), 0.0)
