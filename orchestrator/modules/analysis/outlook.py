"""Forecasts of stocks and demand some periods ahead, with intervals and with what they are worth.

The forecast is the last value plus the mean of several forecast changes (``members.py``): a plain mean with
equal weights, which is hard to beat by weights learned from a few years (Bates and Granger 1969; Claeskens
et al. 2016). From each period of the last ten years every member forecasts again with what
was known there; the errors give the measures and the intervals. Where the combination was not better over
these years than the better of two plain forecasts, that one is used and said. Two years are too few to
judge by: which of them was best in the two years before tells little of the two after.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.analysis.members import Members
from orchestrator.modules.analysis.outlook_models import (
    HorizonScore,
    OutlookScore,
)
from orchestrator.modules.analysis.panel import Panel, has_grid, panel
from orchestrator.modules.forecasting.models import ForecastPoint
from orchestrator.modules.frames import iso

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.series import Series

    Array = NDArray[np.float64]

COMBINATION = "combination"
BASELINES = ("last_value", "season_average")
JUDGED_YEARS = 10
SCORED_YEARS = 2
CALIBRATION_YEARS = 3
SEASON_KNOWN_YEARS = 3
LEAST_VALUES = 60
LEAST_ERRORS = 20
LEVELS = {"80": 0.8, "95": 0.95}


@dataclass(frozen=True, slots=True)
class Outlook:
    """Forecast of one series.

    Attributes:
        points: One a step.
        score: What it rests on and how it has been.
    """

    points: tuple[ForecastPoint, ...]
    score: OutlookScore


@dataclass(frozen=True, slots=True)
class Track:
    """Forecasts from many origins of one panel, by method and step.

    Attributes:
        origins: Rows of the grid, ascending; the last is the last row.
        forecasts: Method -> forecast changes, ``(origins, steps)``; members, combination, baselines.
        actual: Changes that came, NaN where none is known yet, ``(origins, steps)``.
        members: Names of the members of the combination.
    """

    origins: NDArray[np.intp]
    forecasts: dict[str, Array]
    actual: Array
    members: tuple[str, ...]

    def errors(self, method: str) -> Array:
        """What came less what was forecast."""
        found: Array = self.actual - self.forecasts[method]
        return found

    def known_errors(self, method: str, step: int, at: int, count: int) -> Array:
        """The last ``count`` errors over ``step`` + 1 rows that were known at origin number ``at``."""
        errors = self.errors(method)[: max(0, at - step), step]
        found: Array = errors[np.isfinite(errors)][-count:]
        return found

    def mae(self, method: str, at: int, count: int) -> float:
        """Mean over the steps of their mean absolute errors; NaN where one has none."""
        by_step = [
            self.known_errors(method, step, at, count) for step in range(self.actual.shape[1])
        ]
        if not all(len(errors) for errors in by_step):
            return math.nan
        return float(np.mean([np.abs(errors).mean() for errors in by_step]))


def track(given: Panel, steps: int, count: int) -> Track:
    """Forecasts from the last ``count`` rows that hold a value, the very last one included.

    Where no value up to an origin is negative, the combination and the baselines forecast none that is.
    """
    values = given.values[given.target.name]
    known = np.flatnonzero(np.isfinite(values))
    origins = known[max(0, len(known) - count) :]
    members = Members(given, origins)
    by_step = [members.forecasts(step) for step in range(1, steps + 1)]
    plain = [members.baselines(step) for step in range(1, steps + 1)]
    names = tuple(by_step[0])
    forecasts = {name: np.column_stack([step[name] for step in by_step]) for name in names}
    forecasts[COMBINATION] = np.mean([forecasts[name] for name in names], axis=0)
    forecasts.update({name: np.column_stack([step[name] for step in plain]) for name in BASELINES})
    least = np.where(np.fmin.accumulate(values) >= 0, -values, -np.inf)[origins][:, None]
    for name in (COMBINATION, *BASELINES):
        forecasts[name] = np.maximum(forecasts[name], least)
    ends = origins[:, None] + np.arange(1, steps + 1)
    inside = ends < len(values)
    later = np.where(inside, values[np.minimum(ends, len(values) - 1)], np.nan)
    return Track(origins, forecasts, later - values[origins][:, None], names)


def choose(found: Track, at: int, count: int) -> str:
    """The combination, or the better baseline where it was not better than that.

    Judged by the last ``count`` errors of each step that were known at origin number ``at``.
    """
    errors = {name: found.mae(name, at, count) for name in (COMBINATION, *BASELINES)}
    better = min(BASELINES, key=lambda name: errors[name])
    return COMBINATION if errors[COMBINATION] < errors[better] else better


def outlook(target: Series, others: Sequence[Series], steps: int) -> Outlook:
    """Forecast ``target``; ``others`` may hold what moves with it.

    Raises:
        InsufficientDataError: the history is too short to judge a forecast, or its values lie too far or
            too unevenly apart.
    """
    if not has_grid(target):
        raise InsufficientDataError(
            f"the values of {target.name} are usually {365.25 / target.per_year:.0f} days apart",
            where=target.name,
            why="the season is known by days, weeks, fortnights or months",
            remedy="give values of one of these",
        )
    given = panel(target, others)
    values = given.values[target.name]
    year = round(given.per_year)
    if len(target.values) < LEAST_VALUES + steps:
        raise InsufficientDataError(
            f"{target.name} has {len(target.values)} values",
            where=target.name,
            why="a forecast is judged by what it would have said of the past",
            remedy=f"give at least {LEAST_VALUES + steps} values, and three years for a season",
        )
    scored, calibrated = SCORED_YEARS * year, CALIBRATION_YEARS * year
    # Two years are left to learn the season from; a short history is judged from where it can be.
    enough = len(values) >= SEASON_KNOWN_YEARS * year
    learned = 2 * year if enough else LEAST_VALUES // 2
    found = track(given, steps, min(JUDGED_YEARS * year, len(values) - learned))
    now = len(found.origins) - 1
    if math.isnan(found.mae("last_value", now, len(found.origins))):
        raise InsufficientDataError(
            f"no two values of {target.name} lie each of 1 to {steps} {target.period}s apart",
            where=target.name,
            why="a forecast is judged by what it would have said of the past",
            remedy="give values without gaps, or ask for a shorter horizon",
        )
    model = choose(found, now, len(found.origins))
    widths = {
        name: [
            width(found.known_errors(model, step, now, calibrated), level) for step in range(steps)
        ]
        for name, level in LEVELS.items()
    }
    means = values[-1] + found.forecasts[model][-1]
    least = 0.0 if target.values.min() >= 0 else -math.inf
    points = tuple(
        ForecastPoint(
            target=target.name,
            time=iso(time),
            mean=float(means[step]),
            quantiles=_quantiles(float(means[step]), widths, step, least),
        )
        for step, time in enumerate(given.ahead(steps))
    )
    return Outlook(points, _score(given, found, model, now, scored))


def width(errors: Array, level: float) -> float:
    """Half width of an interval from past errors, NaN with few of them.

    The smallest absolute error that a share ``level`` of n + 1 exchangeable ones does not exceed:
    split-conformal prediction (Vovk et al. 2005).
    """
    if len(errors) < LEAST_ERRORS:
        return math.nan
    rank = math.ceil((len(errors) + 1) * level)
    return float(np.sort(np.abs(errors))[min(rank, len(errors)) - 1])


def _quantiles(
    mean: float, widths: dict[str, list[float]], step: int, least: float
) -> dict[str, float]:
    wide, narrow = widths["95"][step], widths["80"][step]
    found = {"0.025": mean - wide, "0.1": mean - narrow, "0.9": mean + narrow, "0.975": mean + wide}
    return {level: max(value, least) for level, value in found.items() if math.isfinite(value)}


def _score(given: Panel, found: Track, model: str, now: int, scored: int) -> OutlookScore:
    errors = {
        name: found.mae(name, now, scored) for name in (COMBINATION, *BASELINES, *found.members)
    }
    better = min(BASELINES, key=lambda name: errors[name])
    judged = min(BASELINES, key=lambda name: found.mae(name, now, len(found.origins)))
    target = given.target
    return OutlookScore(
        model=model,
        baseline=better,
        members=found.members if model == COMBINATION else (),
        predictors=tuple(name for name in given.values if name != target.name),
        errors={name: value for name, value in errors.items() if math.isfinite(value)},
        skill_pct=_skill(errors[model], errors[better]),
        skill_of_judged_pct=_skill(
            *(found.mae(name, now, len(found.origins)) for name in (model, judged))
        ),
        horizons=tuple(
            _horizon(found, model, step, now, scored) for step in range(found.actual.shape[1])
        ),
        coverage=coverage(found, model, now, scored),
        origins=len(found.known_errors(model, 0, now, scored)),
        judged_origins=len(found.known_errors(model, 0, now, len(found.origins))),
        observations=len(target.values),
        unit=target.unit or "",
        last_time=iso(target.times[-1]),
        last_value=float(target.values[-1]),
    )


def _skill(error: float, of_baseline: float) -> float:
    return 100.0 * (1.0 - error / of_baseline) if of_baseline > 0 else 0.0


def _horizon(found: Track, model: str, step: int, now: int, scored: int) -> HorizonScore:
    known = {name: found.known_errors(name, step, now, scored) for name in (model, *BASELINES)}
    mae = {name: float(np.abs(errors).mean()) for name, errors in known.items()}
    rmse = {name: float(np.sqrt((errors**2).mean())) for name, errors in known.items()}
    return HorizonScore(
        steps=step + 1,
        mae=mae[model],
        rmse=rmse[model],
        mae_last_value=mae["last_value"],
        rmse_last_value=rmse["last_value"],
        mae_season_average=mae["season_average"],
        rmse_season_average=rmse["season_average"],
    )


def coverage(found: Track, model: str, now: int, scored: int) -> dict[str, float] | None:
    """Share of the scored values inside the interval that the errors known before alone gave."""
    errors = found.errors(model)
    calibrated = round(scored * CALIBRATION_YEARS / SCORED_YEARS)
    inside = dict.fromkeys(LEVELS, 0)
    total = 0
    for step in range(errors.shape[1]):
        for row in range(max(0, now - step - scored), max(0, now - step)):
            past = found.known_errors(model, step, row, calibrated)
            if not math.isfinite(errors[row, step]) or len(past) < LEAST_ERRORS:
                continue
            total += 1
            for name, level in LEVELS.items():
                inside[name] += abs(errors[row, step]) <= width(past, level)
    return {name: round(count / total, 4) for name, count in inside.items()} if total else None
