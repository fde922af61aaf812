"""Rows as the detectors see them: the last good value of each tag, how old it is, how often repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.plant.samples import Quality, to_datetime

Uint8Array = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of all tags in plant order, each array of shape ``(n_rows, n_tags)`` but for ``times``.

    Attributes:
        times: Source times, µs since the epoch, shape ``(n_rows,)``.
        present: Whether there is a usable sample.
        bad: Whether there is a sample of bad quality.
        last: Last usable value, however old; NaN before the first.
        previous: Last usable value before this row.
        seconds: Time between the sample of this row and the one before it, s.
        age: Age of ``last``, s; infinite before the first sample.
        run: Number of equal samples in succession that end with ``last``.
        run_start: Time of the first sample of that run, µs since the epoch.
    """

    times: IntArray
    present: BoolArray
    bad: BoolArray
    last: FloatArray
    previous: FloatArray
    seconds: FloatArray
    age: FloatArray
    run: IntArray
    run_start: IntArray

    def held(self, longest: FloatArray) -> FloatArray:
        """Last values not older than ``longest`` (s, one a tag), else NaN."""
        if self.present.all():
            return self.last
        return np.where(self.present | (self.age <= longest), self.last, np.nan)


class SampleTrail:
    """Carries the last sample of each tag from block to block.

    Args:
        tags: Number of tags.
    """

    def __init__(self, tags: int) -> None:
        self.last: FloatArray = np.full(tags, np.nan)
        self.last_time: FloatArray = np.full(tags, -np.inf)
        """Time of the last sample, µs since the epoch."""
        self._run: IntArray = np.zeros(tags, dtype=np.int64)
        self._run_start: IntArray = np.zeros(tags, dtype=np.int64)

    def step(self, times: IntArray, values: FloatArray, quality: Uint8Array) -> Rows:
        """Take in rows: times in µs since the epoch, values and quality codes of all tags."""
        known = np.isfinite(values)
        usable = quality <= Quality.UNCERTAIN
        present = known & usable
        bad = (quality == Quality.BAD) | (usable & ~known)
        complete = bool(present.all())
        clock = times[:, None].astype(np.float64)
        row = np.arange(len(times))[:, None]
        if complete:
            last = values
            last_time = np.broadcast_to(clock, values.shape)
        else:
            source = np.maximum.accumulate(np.where(present, row, -1), axis=0)
            reach = np.maximum(source, 0)
            last = np.where(source >= 0, np.take_along_axis(values, reach, axis=0), self.last)
            last_time = np.where(source >= 0, clock[reach, 0], self.last_time)
        previous = np.concatenate([self.last[None], last[:-1]])
        previous_time = np.concatenate([self.last_time[None], last_time[:-1]])
        changed = present & (values != previous)
        run, run_start = self._runs(times, present, changed)
        rows = Rows(
            times=times,
            present=present,
            bad=bad,
            last=last,
            previous=previous,
            seconds=(clock - previous_time) * 1e-6,
            age=(clock - last_time) * 1e-6,
            run=run,
            run_start=run_start,
        )
        self.last, self.last_time = last[-1].copy(), last_time[-1].copy()
        self._run, self._run_start = run[-1].copy(), run_start[-1].copy()
        return rows

    def _runs(
        self, times: IntArray, present: BoolArray, changed: BoolArray
    ) -> tuple[IntArray, IntArray]:
        if changed.all():
            return np.ones(changed.shape, dtype=np.int64), np.repeat(
                times[:, None], changed.shape[1], axis=1
            )
        count = np.cumsum(present, axis=0)
        begun = np.maximum.accumulate(np.where(changed, count, 0), axis=0)
        run = np.where(begun > 0, count - begun + 1, self._run + count)
        row = np.arange(len(times))[:, None]
        origin = np.maximum.accumulate(np.where(changed, row, -1), axis=0)
        start = np.where(origin >= 0, times[np.maximum(origin, 0)], self._run_start)
        return run, start


class RowBins:
    """Means over bins of plant time (a bin covers ``floor(time / width)``), rows of any cut.

    Args:
        width: Width of a bin, µs.
        columns: Number of columns.
        longest_gap: Empty bins told of at most when rows are missing for long.
    """

    def __init__(self, width: int, columns: int, longest_gap: int) -> None:
        self.width = width
        self._longest_gap = longest_gap
        self._bin: int | None = None
        self._sum: FloatArray = np.zeros(columns)
        self._count: IntArray = np.zeros(columns, dtype=np.int64)

    def step(self, times: IntArray, values: FloatArray) -> list[tuple[int, FloatArray]]:
        """Bins that the rows close: (row that closed it, mean of each column, NaN where empty)."""
        bins = times // self.width
        if self._bin is None:
            self._bin = int(bins[0])
        known = np.isfinite(values)
        filled = values if known.all() else np.where(known, values, 0.0)
        if bins[0] == self._bin and bins[-1] == self._bin:
            self._add(filled, known)
            return []
        closed: list[tuple[int, FloatArray]] = []
        edges = [0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), len(bins)]
        for first, last in pairwise(edges):
            now = int(bins[first])
            if now != self._bin:
                closed.append((first, self._mean()))
                empty = min(now - self._bin - 1, self._longest_gap)
                nothing = np.full(values.shape[1], np.nan)
                closed.extend((first, nothing) for _ in range(empty))
                self._bin = now
                self._sum[:] = 0.0
                self._count[:] = 0
            self._add(filled[first:last], known[first:last])
        return closed

    def _add(self, values: FloatArray, known: BoolArray) -> None:
        self._sum += values.sum(axis=0)
        self._count += known.sum(axis=0)

    def _mean(self) -> FloatArray:
        return np.where(self._count > 0, self._sum / np.maximum(self._count, 1), np.nan)


def moment(microseconds: int | np.int64) -> datetime:
    """A time in µs since the epoch as an aware :class:`datetime`."""
    return to_datetime(np.datetime64(int(microseconds), "us"))
