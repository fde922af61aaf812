"""Measures of a series: changes, volatility, trend, and where it stands in its season."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.facts import ChangeFact, Seasonal, Trend
from orchestrator.modules.analysis.members import running_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.series import Series

    Array = NDArray[np.float64]

PERIODS = (1, 5, 20)
TREND_VALUES = 60
SEASON_YEARS = 5
SEASON_DAYS = 10
LEAST_YEARS = 3
YEAR = 365.25


def changes(values: Array, periods: tuple[int, ...] = PERIODS) -> tuple[ChangeFact, ...]:
    """Changes of the last value over some numbers of periods, as far as there is history."""
    found = []
    for count in periods:
        if len(values) > count:
            before, last = float(values[-1 - count]), float(values[-1])
            percent = 100 * (last - before) / before if before > 0 else None
            found.append(ChangeFact(periods=count, absolute=last - before, percent=percent))
    return tuple(found)


def periods_of(series: Series, days: int | None) -> tuple[int, ...]:
    """The usual numbers of periods and the one that spans ``days``."""
    if days is None:
        return PERIODS
    ago = series.times[-1] - np.timedelta64(days * 86_400_000_000, "us")
    index = int(np.searchsorted(series.times, ago, side="right")) - 1
    count = len(series.times) - 1 - index
    return tuple(sorted({*PERIODS, count})) if index >= 0 and count > 0 else PERIODS


def volatility(values: Array, count: int, per_year: float) -> float | None:
    """Standard deviation of the last ``count`` log returns, scaled to a year, %.

    Returns from or to a price that is not positive have no logarithm: with one, there is no answer.
    """
    window = values[-count - 1 :]
    if len(window) < count + 1 or (window <= 0).any():
        return None
    return float(100 * np.diff(np.log(window)).std(ddof=1) * math.sqrt(per_year))


def trend(values: Array) -> Trend:
    """Direction of the last :data:`TREND_VALUES` values.

    The standard error of the slope is widened by ``sqrt((1 + r) / (1 - r))``, ``r`` being the lag-1
    autocorrelation of the residuals, since prices are far from independent.
    """
    window = values[-TREND_VALUES:]
    n = len(window)
    level = float(np.mean(np.abs(window)))
    if n < 8 or level == 0 or float(np.ptp(window)) == 0:
        return Trend(direction="flat", per_period_pct=None if n < 8 or level == 0 else 0.0)
    x = np.arange(n) - (n - 1) / 2
    slope = float(x @ window / (x @ x))
    residual = window - window.mean() - slope * x
    spread = float(residual @ residual)
    correlation = float(residual[1:] @ residual[:-1]) / spread if spread > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.99)
    error = math.sqrt(spread / (n - 2) / float(x @ x) * (1 + correlation) / (1 - correlation))
    significant = abs(slope) > 2 * error
    direction = "flat" if not significant else "rising" if slope > 0 else "falling"
    return Trend.model_validate({"direction": direction, "per_period_pct": 100 * slope / level})


def last_year(series: Series) -> Array:
    """Values of the last 365 days."""
    since = series.times[-1] - np.timedelta64(365 * 86_400_000_000, "us")
    found: Array = series.values[series.times > since]
    return found


def seasonal(series: Series) -> Seasonal | None:
    """The last value against the same season of the five years before.

    ``None`` with fewer than three of these years.
    """
    age = (series.times[-1] - series.times) / np.timedelta64(86_400_000_000, "us")
    years = np.round(age / YEAR)
    near = (np.abs(age - years * YEAR) <= SEASON_DAYS) & (years >= 1) & (years <= SEASON_YEARS)
    if len(np.unique(years[near])) < LEAST_YEARS:
        return None
    past, last = series.values[near], float(series.values[-1])
    low, high, spread = float(past.min()), float(past.max()), float(past.std(ddof=1))
    position = "below" if last < low else "above" if last > high else "inside"
    return Seasonal.model_validate(
        {
            "years": len(np.unique(years[near])),
            "low": low,
            "high": high,
            "mean": float(past.mean()),
            "percentile": 100 * float((past < last).mean() + (past == last).mean() / 2),
            "z_score": (last - float(past.mean())) / spread if spread > 0 else None,
            "position": position,
        }
    )


def move_size(values: Array, periods: int, per_year: float) -> float | None:
    """The last change over ``periods`` in standard deviations of the year's changes of that length."""
    window = values[-round(per_year) - periods - 1 :]
    if len(window) < periods + 20:
        return None
    moved = window[periods:] - window[:-periods]
    spread = float(moved[:-1].std(ddof=1))
    return float(moved[-1]) / spread if spread > 0 else None


def season_strength(series: Series) -> float | None:
    """Share of the variance about a year's moving mean that the time of year explains, 0 to 1.

    Three pairs of harmonics of the year are fitted to the last five years; the share is the adjusted R²,
    so that a series without a season comes out near 0. ``None`` with under three years.
    """
    width = round(series.per_year)
    if len(series.values) < (LEAST_YEARS + 1) * width:
        return None
    apart = (series.values - running_mean(series.values, width))[-SEASON_YEARS * width :]
    times = series.times[-len(apart) :]
    day = (times - times.astype("datetime64[Y]")) / np.timedelta64(86_400_000_000, "us")
    angle = 2 * np.pi * day / YEAR
    waves = [f(k * angle) for k in (1, 2, 3) for f in (np.sin, np.cos)]
    design = np.column_stack([np.ones(len(apart)), *waves])
    residual = apart - design @ np.linalg.lstsq(design, apart, rcond=None)[0]
    total = float(((apart - apart.mean()) ** 2).sum())
    if total == 0:
        return None
    free: float = (len(apart) - 1) / (len(apart) - design.shape[1])
    return max(0.0, 1.0 - float(residual @ residual) / total * float(free))


def four_week_mean(series: Series) -> float:
    """Mean of the last four weeks of values, or of the last one where they are further apart."""
    return float(series.values[-four_weeks(series) :].mean())


def four_weeks(series: Series) -> int:
    """How many values four weeks hold, at least one."""
    return max(1, round(series.per_year * 28 / 365.25))


def unit_of_mean(series: Series) -> str:
    """Unit of a four-week mean as evidence shows it, so that it is not taken for a value."""
    return f"{series.unit or ''} (mean of {four_weeks(series)})".strip()
