"""Running means of tags over fixed bins of plant time, kept in memory for the newest bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.samples import Quality, SampleBlock, to_datetime64

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPOCH = np.datetime64("1970-01-01T00:00:00", "us")


class BinnedMeans:
    """Mean of each tag over each bin, for the ``bins`` newest bins.

    A bin is ``width`` long on the epoch's grid. Values that are bad or missing do not count; a bin
    without any usable value is NaN. Samples older than the oldest bin are ignored.

    Args:
        tags: Tags to keep.
        width: Width of a bin.
        bins: How many bins to keep.
    """

    def __init__(self, tags: Sequence[str], width: timedelta, bins: int) -> None:
        self.tags = tuple(tags)
        self.width = width
        self.bins = bins
        self._position = {tag: i for i, tag in enumerate(self.tags)}
        self._width = np.timedelta64(width, "us")
        self._newest: int | None = None
        self._sum = np.zeros((bins, len(self.tags)))
        self._count = np.zeros((bins, len(self.tags)), dtype=np.int64)
        self._layouts: dict[tuple[str, ...], tuple[NDArray[np.intp], NDArray[np.intp]]] = {}

    def update(self, block: SampleBlock) -> None:
        """Count a block's samples."""
        if not len(block) or not self.tags:
            return
        source, target = self._layout(block.tags)
        if not len(source):
            return
        values = block.values[:, source]
        usable = (block.quality[:, source] <= Quality.UNCERTAIN) & np.isfinite(values)
        index = ((block.times - _EPOCH) // self._width).astype(np.int64)
        for first, last in _runs(index):
            number = int(index[first])
            if not self._advance(number):
                continue
            row = number % self.bins
            good = usable[first:last]
            self._sum[row, target] += np.where(good, values[first:last], 0.0).sum(axis=0)
            self._count[row, target] += good.sum(axis=0)

    def _layout(self, tags: tuple[str, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        found = self._layouts.get(tags)
        if found is None:
            pairs = [(i, self._position[t]) for i, t in enumerate(tags) if t in self._position]
            source = np.array([i for i, _ in pairs], dtype=np.intp)
            target = np.array([j for _, j in pairs], dtype=np.intp)
            found = self._layouts[tags] = (source, target)
        return found

    def _advance(self, number: int) -> bool:
        """Make room for bin ``number``; false when it is too old to keep."""
        if self._newest is None:
            self._newest = number
        elif number > self._newest:
            fresh = np.arange(max(self._newest + 1, number - self.bins + 1), number + 1)
            self._sum[fresh % self.bins] = 0.0
            self._count[fresh % self.bins] = 0
            self._newest = number
        return number > self._newest - self.bins

    def means(self, at: datetime, count: int) -> dict[str, NDArray[np.float64]]:
        """Means of the ``count`` bins that end with the one holding ``at``, oldest first."""
        number = int((to_datetime64(at) - _EPOCH) // self._width)
        wanted = np.arange(number - count + 1, number + 1)
        result = np.full((count, len(self.tags)), np.nan)
        if self._newest is not None:
            known = (wanted <= self._newest) & (wanted > self._newest - self.bins)
            rows = wanted[known] % self.bins
            with np.errstate(invalid="ignore", divide="ignore"):
                result[known] = self._sum[rows] / self._count[rows]
        return {tag: result[:, i] for i, tag in enumerate(self.tags)}

    def pooled(self, at: datetime, count: int) -> Mapping[str, float]:
        """Mean over all samples of the ``count`` bins that end with the one holding ``at``."""
        number = int((to_datetime64(at) - _EPOCH) // self._width)
        if self._newest is None:
            return dict.fromkeys(self.tags, float("nan"))
        wanted = np.arange(number - count + 1, number + 1)
        rows = wanted[(wanted <= self._newest) & (wanted > self._newest - self.bins)] % self.bins
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum[rows].sum(axis=0) / self._count[rows].sum(axis=0)
        return {tag: float(mean[i]) for i, tag in enumerate(self.tags)}


def _runs(index: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Start and end of each run of equal values."""
    if index[0] == index[-1]:
        return [(0, len(index))]
    edges = np.flatnonzero(np.diff(index)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(index)], strict=True))
