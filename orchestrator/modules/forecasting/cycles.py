"""From a raw column to runs between cleanings: even means, stray stretches out, resets found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, InsufficientDataError
from orchestrator.modules.forecasting.degradation_curves import Sign

Array = NDArray[np.float64]

MAX_POINTS = 400
MIN_POINTS = 12
WIDTH = 3
"""Points on each side of a step whose medians are compared."""
LONGEST_EXCURSION = 6
EXCURSION_NOISES = 8.0
RESET_NOISES = 5.0
RESET_OF_RISE = 0.25
RESET_OF_RANGE = 0.1
ABRUPT = 0.5
DAY_US = 86_400e6


@dataclass(frozen=True, slots=True)
class Record:
    """A value over time in runs between cleanings.

    Attributes:
        days: Time of each point since ``origin``, d, ``(n,)``.
        values: Medians of the raw values about it, ``(n,)``.
        run: Number of the run of each point, from 0, ``(n,)``.
        starts: Begin of each run, d.
        origin: Time zero.
        left_out: Points that stood apart: bypasses, outages.
    """

    days: Array
    values: Array
    run: NDArray[np.intp]
    starts: Array
    origin: np.datetime64
    left_out: int

    @property
    def ages(self) -> Array:
        """Days since the begin of each point's run, ``(n,)``."""
        ages: Array = self.days - self.starts[self.run]
        return ages

    @property
    def now(self) -> float:
        """Time of the last point, d."""
        return float(self.days[-1])

    @property
    def age(self) -> float:
        """Days since the last cleaning, or since the record began."""
        return float(self.days[-1] - self.starts[-1])

    @property
    def lengths(self) -> Array:
        """Length of each run that a cleaning ended, d."""
        lengths: Array = np.diff(self.starts)
        return lengths

    def time(self, days: float) -> np.datetime64:
        """The time that lies so many days after ``origin``."""
        return self.origin + np.timedelta64(round(days * DAY_US), "us")

    def first(self, count: int) -> Record:
        """What was known when the record held ``count`` points."""
        run = self.run[:count]
        starts = self.starts[: int(run[-1]) + 1]
        return Record(self.days[:count], self.values[:count], run, starts, self.origin, 0)

    def last_run(self) -> Record:
        """The run under way, alone; times are counted as before."""
        inside = self.run == self.run[-1]
        return Record(
            self.days[inside],
            self.values[inside],
            np.zeros(int(inside.sum()), dtype=np.intp),
            self.starts[-1:],
            self.origin,
            self.left_out,
        )

    def without(self, bad: NDArray[np.bool_]) -> Record:
        """The record less some points; every run keeps its begin."""
        keep = ~bad
        return Record(
            self.days[keep],
            self.values[keep],
            self.run[keep],
            self.starts,
            self.origin,
            self.left_out + int(bad.sum()),
        )


def record(
    times: NDArray[np.datetime64],
    values: Array,
    name: str,
    sign: Sign,
    cleaned: Sequence[np.datetime64] | None,
) -> Record:
    """Points, at most 400, in runs.

    Args:
        times: Ascending times, UTC.
        values: Raw values, NaN where missing.
        name: Of the value, for errors.
        sign: Which way it degrades.
        cleaned: Ends of the cleanings; found in the record when ``None``.

    Raises:
        DataError: there are infinite values.
        InsufficientDataError: all missing, constant, or fewer than twelve points.
    """
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DataError(
            f"{infinite} values are infinite",
            where=name,
            remedy="correct them, or leave them empty so that they count as missing",
        )
    present = np.isfinite(values)
    if not present.any():
        raise InsufficientDataError(
            f"all {len(values)} values are missing",
            where=name,
            remedy=f"degradation needs at least {MIN_POINTS} values at different times",
        )
    times, values = times[present], values[present]
    origin = times[0]
    days, means = _points((times - origin).astype("timedelta64[us]").astype(np.float64), values)
    if len(means) < MIN_POINTS:
        raise InsufficientDataError(
            f"there are values at {len(means)} times",
            where=name,
            why=f"a rate of degradation needs at least {MIN_POINTS}",
            remedy="give more history",
        )
    if float(np.ptp(means)) == 0.0:
        raise InsufficientDataError(
            f"the value never changes (always {means[0]:g})",
            where=name,
            why="there is no degradation to learn from",
            remedy="check whether the meter is frozen with etl.validate",
        )
    noise = 1.4826 / np.sqrt(2) * float(np.median(np.abs(np.diff(means))))
    stray = _excursions(means, noise)
    left_out = int(stray.sum())
    days, means = days[~stray], means[~stray]
    if cleaned is None:
        starts = days[[0, *_resets(sign * means, noise)]]
    else:
        ends = ((np.array(cleaned, "datetime64[us]") - origin).astype(np.float64)) / DAY_US
        starts = np.array([days[0], *sorted(at for at in ends if days[0] < at <= days[-1])])
    run = np.searchsorted(starts, days, side="right") - 1
    # a cleaning without a point after it until the next one says nothing
    used = np.unique(run)
    return Record(days, means, np.searchsorted(used, run), starts[used], origin, left_out)


def _points(microseconds: Array, values: Array) -> tuple[Array, Array]:
    """Medians over at most 400 equal spans of time, at the mean time of each."""
    width = max(float(microseconds[-1]) / MAX_POINTS, 1.0) * (1 + 1e-9)
    if len(np.unique(microseconds)) == len(values) <= MAX_POINTS:
        return microseconds / DAY_US, values.astype(np.float64)
    index = (microseconds / width).astype(np.int64)
    edges = np.flatnonzero(np.diff(index, prepend=-1))
    days = np.add.reduceat(microseconds, edges) / np.diff([*edges, len(values)]) / DAY_US
    return days, np.array([np.median(part) for part in np.split(values, edges[1:])])


def _excursions(values: Array, noise: float) -> NDArray[np.bool_]:
    """Short stretches far above or below what lies before *and* after: bypasses, outages, spikes."""
    count = len(values)
    stray = np.zeros(count, dtype=np.bool_)
    if count < 3 * WIDTH:
        return stray
    windows = np.lib.stride_tricks.sliding_window_view(values, WIDTH)
    middle = np.median(windows, axis=1)
    far = EXCURSION_NOISES * noise
    for length in range(1, min(LONGEST_EXCURSION, count - 2 * WIDTH) + 1):
        inner = np.lib.stride_tricks.sliding_window_view(values, length)
        first = np.arange(WIDTH, count - WIDTH - length + 1)
        before, after = middle[first - WIDTH], middle[first + length]
        high = inner[first].min(axis=1) > np.maximum(before, after) + far
        low = inner[first].max(axis=1) < np.minimum(before, after) - far
        for start in first[high | low]:
            stray[start : start + length] = True
    return stray


def _resets(z: Array, noise: float) -> list[int]:
    """First point after each sudden, lasting fall of ``z``, which rises as things degrade.

    A fall counts from five times the noise, a quarter of the rise since the last reset and a fifth of
    the whole range, and where half of it happens between two points.
    """
    count = len(z)
    least = max(RESET_NOISES * noise, RESET_OF_RANGE * float(np.ptp(np.quantile(z, [0.02, 0.98]))))
    fall = np.zeros(count)
    for i in range(WIDTH, count - 1):
        after = z[i : i + WIDTH]
        fall[i] = np.median(z[i - WIDTH : i]) - np.median(after)
    found: list[int] = []
    start = 0
    i = WIDTH
    while i < count - 1:
        if fall[i] < least:
            i += 1
            continue
        end = min(i + WIDTH, count - 1)
        at = i + int(np.argmax(z[i - 1 : end - 1] - z[i:end]))
        rise = float(np.median(z[max(start, at - WIDTH) : at]) - z[start : start + WIDTH].min())
        step = float(z[at - 1] - z[at])
        if step >= ABRUPT * fall[i] and fall[i] >= RESET_OF_RISE * rise and at - start >= WIDTH:
            found.append(at)
            start = at
            i = at + WIDTH
        else:
            i += 1
    return found
