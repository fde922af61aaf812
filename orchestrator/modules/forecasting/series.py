"""From raw columns to regular histories: period, horizon, gaps, season."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, InsufficientDataError, ParameterError
from orchestrator.modules.forecasting.calendar_months import (
    MONTH_SECONDS,
    add_months,
    months_apart,
    months_since,
)
from orchestrator.modules.forecasting.inputs import NO_INPUTS, Inputs
from orchestrator.modules.frames import Frame, iso

Array = NDArray[np.float64]

MIN_OBSERVATIONS = 20
HISTORY_PER_STEP = 3
MAX_HISTORY = 3000
MAX_AUTO_STEPS = 48
MAX_BRIDGED = 3
OFF_GRID_SHARE = 0.05
SEASON_CORRELATION = 0.3
MAX_SEASON = 300
DAY = 86_400.0
YEAR = 365.2425 * DAY
NICE_PERIODS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(3600.0 * hours for hours in (1, 2, 3, 4, 6, 8, 12, 24, 48, 168)),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The grid on which is forecast.

    Attributes:
        period: Length of a step, s.
        steps: Steps ahead.
        native: Sampling period of the data, s.
        regular: Whether the data lies on the grid of ``native``.
        notes: What was assumed or changed.
        months: Calendar months of a step; 0 where steps have a fixed length.
    """

    period: float
    steps: int
    native: float
    regular: bool
    notes: tuple[str, ...] = ()
    months: int = 0

    @property
    def resampled(self) -> bool:
        """Whether values are means over a step."""
        return self.period != self.native or not self.regular


@dataclass(frozen=True, slots=True)
class History:
    """One regular series, ready for the models.

    Attributes:
        tag: Tag.
        values: Every value, bridged where a short gap was; shape ``(n,)``.
        observed: Which of them were measured.
        seams: Positions at which a long gap was closed up: the value there follows an older one.
        last_time: Time of the last value; the first step is one period later.
        period: Length of a step, s.
        season: Season length, in steps; 1 for none.
        missing: Periods without a value.
        bridged: Of these, how many were interpolated.
        kept: Steps from each value to the last one on the grid, zero or negative, ``(n,)``.
        floors: Whether values are means over a step that begins at its time.
        months: Calendar months of a step; 0 where steps have a fixed length.
        inputs: Other columns that a model may use, on the same rows.
    """

    tag: str
    values: Array
    observed: NDArray[np.bool_]
    seams: NDArray[np.intp]
    last_time: np.datetime64
    period: float
    season: int
    missing: int
    bridged: int
    kept: NDArray[np.intp]
    floors: bool
    months: int = 0
    inputs: Inputs = NO_INPUTS

    def future(self, steps: int) -> NDArray[np.datetime64]:
        """Times of the next ``steps`` steps."""
        return self.times_at(np.arange(1, steps + 1))

    def times_at(self, steps: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """Times some steps from the last value; the past is negative."""
        if self.months:
            return add_months(self.last_time, steps * self.months)
        ahead = np.rint(steps * self.period * 1e6).astype("timedelta64[us]")
        times: NDArray[np.datetime64] = self.last_time + ahead
        return times

    def since_gap(self, ends: NDArray[np.intp]) -> NDArray[np.intp]:
        """First row after the last closed gap before each of ``ends``: what came earlier is old."""
        marks = np.concatenate(([0], self.seams))
        found: NDArray[np.intp] = marks[np.searchsorted(marks, ends - 1, side="right") - 1]
        return found

    def steps_from_last(self, times: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Whole steps from the last value to each of ``times``; the past is negative."""
        if self.months:
            return (months_since(times, self.last_time) // self.months).astype(np.intp)
        seconds = (times - self.last_time).astype("timedelta64[us]").astype(np.int64) / 1e6
        rounded = np.floor if self.floors else np.rint
        steps: NDArray[np.intp] = rounded(seconds / self.period + 1e-9).astype(np.intp)
        return steps


def plan(frame: Frame, horizon: int | None, horizon_hours: float | None) -> Plan:
    """Find the sampling period and the number of steps.

    A horizon in steps keeps the sampling period. A horizon in hours that would take more than 48
    steps uses means over a longer period. Without a horizon: 7 steps for daily data or slower,
    else 8 hours, and never more than a third of the history.

    Raises:
        DataError: times occur twice.
        InsufficientDataError: there are fewer than two times.
        ParameterError: the horizon is not above zero.
    """
    if horizon is not None and horizon < 1:
        raise ParameterError(
            f"horizon is {horizon}", remedy="give at least 1 step, for example horizon: 7"
        )
    if horizon_hours is not None and not (horizon_hours > 0 and math.isfinite(horizon_hours)):
        raise ParameterError(
            f"horizon_hours is {horizon_hours:g}", remedy="give a time above zero, in hours"
        )
    times = frame.times
    twice = np.flatnonzero(times[1:] == times[:-1])
    if len(twice):
        raise DataError(
            f"{len(twice)} rows repeat a time, first {iso(times[twice[0]])}",
            why="a forecast needs one value at one time",
            remedy="resolve them with etl.ingest (duplicates: last, first or mean)",
        )
    if len(times) < 2:
        raise InsufficientDataError(
            f"there is {len(times)} row with a value",
            remedy=f"a forecast needs at least {MIN_OBSERVATIONS} values at regular times",
        )
    months = months_apart(times)
    if months:
        return _by_months(times, months, horizon, horizon_hours)
    steps_us = np.diff(times).astype("timedelta64[us]").astype(np.int64)
    native = _snap(float(np.median(steps_us)) / 1e6)
    multiples = steps_us / 1e6 / native
    off_grid = float(np.mean(np.abs(multiples - np.rint(multiples)) > 0.02))
    regular = off_grid <= OFF_GRID_SHARE
    notes: list[str] = []
    if not regular:
        notes.append(
            f"the data is irregular; it was averaged over the usual period of {span(native)}"
        )
    rows = int((times[-1] - times[0]).astype("timedelta64[us]").astype(np.int64) / 1e6 / native) + 1
    if horizon is not None:
        return Plan(native, horizon, native, regular, tuple(notes))
    chosen = horizon_hours is None
    if horizon_hours is None:
        if native >= DAY * 0.8:
            steps = max(1, min(7, rows // HISTORY_PER_STEP))
            return Plan(native, steps, native, regular, tuple(notes))
        supported = rows * native / 3600 / HISTORY_PER_STEP
        horizon_hours = min(8.0, max(native / 3600, supported))
        if supported < 8.0:
            notes.append(f"the history supports {span(horizon_hours * 3600)} ahead, not 8 h")
    period = _working_period(native, horizon_hours * 3600)
    if period != native:
        notes.append(f"values are means over {span(period)}, so that the horizon takes few steps")
    steps = max(1, round(horizon_hours * 3600 / period + 0.4999))
    if chosen:
        whole_periods = int(rows * native // period) - 1  # the first and last may be incomplete
        steps = max(1, min(steps, whole_periods // HISTORY_PER_STEP))
    return Plan(period, steps, native, regular, tuple(notes))


def _by_months(
    times: NDArray[np.datetime64], months: int, horizon: int | None, hours: float | None
) -> Plan:
    period = months * MONTH_SECONDS
    if hours is not None:
        horizon = max(1, math.ceil(hours * 3600 / period))
    rows = int(months_since(times[-1:], times[0])[0]) // months + 1
    steps = horizon or max(1, min(7, rows // HISTORY_PER_STEP))
    return Plan(period, steps, period, regular=True, months=months)


def history(frame: Frame, tag: str, grid: Plan) -> History:
    """One tag on the grid, its gaps bridged (up to three periods) or closed up (longer).

    A longer gap is closed up by whole seasons, so that the season keeps its phase.

    Raises:
        UnknownTagError: the data has no such numeric column.
        DataError: there are infinite values.
        InsufficientDataError: all missing, constant, or too short for the horizon.
    """
    raw = frame.column(tag)
    infinite = int(np.isinf(raw).sum())
    if infinite:
        raise DataError(
            f"{infinite} values are infinite",
            where=tag,
            remedy="correct them, or leave them empty so that they count as missing",
        )
    present = np.isfinite(raw)
    if not present.any():
        raise InsufficientDataError(
            f"all {len(raw)} values are missing",
            where=tag,
            remedy=f"a forecast needs at least {_needed(grid.steps)} values",
        )
    first, values = _on_grid(frame.times[present], raw[present], grid)
    observed = np.isfinite(values)
    count = int(observed.sum())
    if count < _needed(grid.steps):
        raise InsufficientDataError(
            f"there are {count} values at steps of {span(grid.period)}",
            where=tag,
            why=f"{grid.steps} steps ahead need at least {_needed(grid.steps)} values",
            remedy=f"give more history or a horizon of at most {count // HISTORY_PER_STEP} steps"
            if count >= MIN_OBSERVATIONS
            else "give more history",
        )
    if float(np.ptp(values[observed])) == 0.0:
        raise InsufficientDataError(
            f"the value never changes (always {values[observed][0]:g})",
            where=tag,
            why="there is nothing to learn from",
            remedy="check whether the meter is frozen with etl.validate",
        )
    last = (
        frame.times[present][-1].astype("datetime64[us]")
        if grid.months
        else first + np.timedelta64(round((len(values) - 1) * grid.period * 1e6), "us")
    )
    values = values[-MAX_HISTORY:]
    observed = np.isfinite(values)
    season = season_of(values, grid.period)
    filled, keep, seams = _close_gaps(values, season)
    measured = observed[keep]
    return History(
        tag=tag,
        values=filled,
        observed=measured,
        seams=seams,
        last_time=last,
        period=grid.period,
        season=season,
        missing=int((~observed).sum()),
        bridged=int((~measured).sum()),
        kept=np.flatnonzero(keep) - (len(values) - 1),
        floors=grid.resampled,
        months=grid.months,
    )


def span(seconds: float) -> str:
    """A duration in words: ``30 s``, ``3 min``, ``8 h``, ``1 d``."""
    if seconds >= MONTH_SECONDS and seconds % MONTH_SECONDS < 1:
        count = round(seconds / MONTH_SECONDS)
        return f"{count} month{'s' if count > 1 else ''}"
    for size, unit in ((DAY, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size and (seconds >= 2 * size or seconds % size < 0.01 * size):
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds:.4g} s"


def _needed(steps: int) -> int:
    return max(MIN_OBSERVATIONS, HISTORY_PER_STEP * steps)


def _snap(period: float) -> float:
    nearest = min(NICE_PERIODS, key=lambda nice: abs(nice - period))
    return nearest if abs(nearest - period) <= 0.02 * nearest else period


def _working_period(native: float, horizon_seconds: float) -> float:
    if horizon_seconds / native <= MAX_AUTO_STEPS:
        return native
    for nice in NICE_PERIODS:
        multiple = nice / native
        if horizon_seconds / nice <= MAX_AUTO_STEPS and abs(multiple - round(multiple)) < 1e-6:
            return nice
    return native * math.ceil(horizon_seconds / native / MAX_AUTO_STEPS)


def _on_grid(
    times: NDArray[np.datetime64], values: Array, grid: Plan
) -> tuple[np.datetime64, Array]:
    """Time of the first step, and the values on the grid with NaN in the gaps."""
    seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
    if grid.months:
        bins = months_since(times, times[0]) // grid.months
        first = times[0].astype("datetime64[us]")
    elif grid.resampled:
        bins = np.floor(seconds / grid.period + 1e-9).astype(np.int64)
        first = np.datetime64(round(int(bins[0]) * grid.period * 1e6), "us")
    else:
        bins = np.rint((seconds - seconds[0]) / grid.period).astype(np.int64)
        first = times[0].astype("datetime64[us]")
    index = bins - bins[0]
    size = int(index[-1]) + 1
    counts = np.bincount(index, minlength=size)
    sums = np.bincount(index, weights=values, minlength=size)
    with np.errstate(invalid="ignore"):
        return first, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def season_of(values: Array, period: float) -> int:
    """The daily, weekly or yearly season that shows in the autocorrelation, or 1."""
    candidates: list[int] = []
    for cycle in (DAY, 7 * DAY, 364 * DAY, YEAR):
        length = cycle / period
        if 2 <= length <= MAX_SEASON and abs(length - round(length)) < 1e-6:
            candidates.append(round(length))
    best, strength = 1, SEASON_CORRELATION
    for length in candidates:
        if np.isfinite(values).sum() < 3 * length:
            continue
        rest = values - _moving_mean(values, length)
        now, before = rest[length:], rest[:-length]
        both = np.isfinite(now) & np.isfinite(before)
        if both.sum() < 2 * length:
            continue
        spread = float(np.std(now[both]) * np.std(before[both]))
        if spread == 0.0:
            continue
        product = (now[both] - now[both].mean()) * (before[both] - before[both].mean())
        correlation = float(np.mean(product)) / spread
        # a weekly season must beat the daily one clearly: every week also repeats the days
        if correlation > strength + (0.05 if best > 1 else 0.0):
            best, strength = length, correlation
    return best


def _moving_mean(values: Array, width: int) -> Array:
    """Centred mean of the values present in a window of ``width``."""
    window = np.ones(width)
    present = np.isfinite(values)
    sums = np.convolve(np.where(present, values, 0.0), window, mode="same")
    counts = np.convolve(present.astype(float), window, mode="same")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0.5, sums / np.maximum(counts, 1.0), np.nan)


def _close_gaps(values: Array, season: int) -> tuple[Array, NDArray[np.bool_], NDArray[np.intp]]:
    missing = ~np.isfinite(values)
    keep = np.ones(len(values), dtype=np.bool_)
    closed_before: list[int] = []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        length = int(end - start)
        cut = length - length % season if length > max(MAX_BRIDGED, season - 1) else 0
        if cut:
            keep[end - cut : end] = False
            closed_before.append(int(end))
    position = np.cumsum(keep) - 1
    index = np.arange(len(values))
    filled = np.interp(index, index[~missing], values[~missing])
    seams = np.array([position[end] for end in closed_before if end < len(values)], dtype=np.intp)
    return filled[keep], keep, seams
