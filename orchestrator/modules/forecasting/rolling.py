"""Forecasts from past moments as they would have been made then, and how they turned out.

At each of a few moments the model is chosen and fitted anew with what was known; it then forecasts from
the origins up to the next one. No figure comes from data that a choice has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.candidates import Models
from orchestrator.modules.forecasting.naive import Naive, SeasonalNaive
from orchestrator.modules.forecasting.selection import QUANTILES, actual_after, origins_of, select
from orchestrator.modules.forecasting.series import History, season_of


@dataclass(frozen=True, slots=True)
class Rolled:
    """Forecasts of one target from past moments.

    Attributes:
        history: The whole history.
        ends: Rows known at each origin, ``(origins,)``.
        actual: What came, NaN where not measured, ``(origins, steps)``.
        mean: What was forecast, ``(origins, steps)``.
        quantiles: Level -> quantile, ``(origins, steps)``.
        naive: Forecast of the better naive rule of then, ``(origins, steps)``.
        models: Model in use at each origin.
    """

    history: History
    ends: NDArray[np.intp]
    actual: Array
    mean: Array
    quantiles: dict[float, Array]
    naive: Array
    models: tuple[str, ...]


def roll(
    history: History,
    steps: int,
    *,
    origins: int,
    refits: int,
    seed: int,
    bounds: tuple[float, float],
    models: Models,
) -> Rolled:
    """Forecast from ``origins`` moments of the last third, choosing anew ``refits`` times.

    Raises:
        InsufficientDataError: there is no past moment with values before and after it.
    """
    ends = origins_of(history, steps, origins)
    means, naive, names = [], [], []
    bands: dict[float, list[Array]] = {level: [] for level in QUANTILES}
    for block in np.array_split(ends, min(refits, len(ends))):
        then = truncated(history, int(block[0]), steps)
        chosen = select(then, steps, seed, bounds=bounds, models=models)
        at = [int(end) for end in block]
        mean = np.clip(chosen.model.predict(history, at, steps), *bounds)
        rule = Naive() if chosen.baseline == Naive.name else SeasonalNaive()
        naive.append(rule.predict(then_season(history, then.season), at, steps))
        means.append(mean)
        names += [chosen.model.name] * len(at)
        for level, band in bands.items():
            band.append(np.clip(mean + chosen.offset(level), *bounds))
    return Rolled(
        history=history,
        ends=ends,
        actual=actual_after(history, ends, steps),
        mean=np.concatenate(means),
        quantiles={level: np.concatenate(band) for level, band in bands.items()},
        naive=np.concatenate(naive),
        models=tuple(names),
    )


def truncated(history: History, end: int, steps: int) -> History:
    """The history as it was after its first ``end`` rows, with what was known ahead then."""
    inputs = history.inputs
    back = int(history.kept[end - 1])
    values = history.values[:end]
    return replace(
        history,
        values=values,
        observed=history.observed[:end],
        seams=history.seams[history.seams < end],
        last_time=history.times_at(np.array([back]))[0],
        season=season_of(values, history.period),
        kept=history.kept[:end] - back,
        inputs=replace(
            inputs,
            known=None if inputs.known is None else inputs.known[: end + steps],
            past=None if inputs.past is None else inputs.past[:end],
        ),
    )


def then_season(history: History, season: int) -> History:
    """The history with the season that was seen at an earlier moment."""
    return replace(history, season=season)
