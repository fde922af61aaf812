"""Measures of forecasts against what came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.forecasting.models import BacktestScore, HorizonScore

if TYPE_CHECKING:
    from orchestrator.modules.forecasting.candidate import Array
    from orchestrator.modules.forecasting.rolling import Rolled

INTERVALS = ((0.1, 0.9), (0.025, 0.975))


def score_of(rolled: Rolled) -> BacktestScore:
    """All measures of one target, over all steps and by step ahead."""
    actual, mean, naive = rolled.actual, rolled.mean, rolled.naive
    error = mean - actual
    history = rolled.history
    before = history.values[: int(rolled.ends[0])]
    scale = float(np.mean(np.abs(before[history.season :] - before[: -history.season])))
    level = float(np.nanmean(np.abs(actual)))
    mae = float(np.nanmean(np.abs(error)))
    names = sorted(set(rolled.models), key=rolled.models.index)
    return BacktestScore(
        target=history.tag,
        models={name: rolled.models.count(name) for name in names},
        mae=mae,
        rmse=float(np.sqrt(np.nanmean(error**2))),
        bias=float(np.nanmean(error)),
        mase=mae / scale if scale > 0 else None,
        wape=mae / level if level > 0 else None,
        interval_score=float(np.nanmean(interval_score(actual, mean, rolled.quantiles))),
        skill_pct=skill(error, naive - actual),
        mae_naive=float(np.nanmean(np.abs(naive - actual))),
        coverage=coverage(actual, rolled.quantiles),
        by_step=tuple(_by_step(rolled, step) for step in range(actual.shape[1])),
        origins=len(rolled.ends),
    )


def _by_step(rolled: Rolled, step: int) -> HorizonScore:
    actual = rolled.actual[:, step]
    known = np.isfinite(actual)
    if not known.any():
        return HorizonScore(step=step + 1, values=0)
    actual = actual[known]
    error = rolled.mean[known, step] - actual
    quantiles = {level: band[known, step] for level, band in rolled.quantiles.items()}
    return HorizonScore(
        step=step + 1,
        values=int(known.sum()),
        mae=float(np.mean(np.abs(error))),
        bias=float(np.mean(error)),
        interval_score=float(np.mean(interval_score(actual, rolled.mean[known, step], quantiles))),
        skill_pct=skill(error, rolled.naive[known, step] - actual),
        coverage=coverage(actual, quantiles),
    )


def interval_score(actual: Array, median: Array, quantiles: Mapping[float, Array]) -> Array:
    """Weighted interval score of each value, in its unit (Bracher et al. 2021); lower is better.

    It is the mean pinball loss of the median and of both ends of the 80 % and 95 % intervals, doubled,
    and tends to the continuous ranked probability score as intervals are added.
    """
    total = 0.5 * np.abs(actual - median)
    for low, high in INTERVALS:
        alpha = 1.0 - (high - low)
        lower, upper = quantiles[low], quantiles[high]
        outside = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
        total = total + alpha / 2 * (upper - lower) + outside
    found: Array = total / (len(INTERVALS) + 0.5)
    return found


def coverage(actual: Array, quantiles: Mapping[float, Array]) -> dict[str, float]:
    """Share of the values inside the 80 % and the 95 % interval."""
    known = np.isfinite(actual)
    return {
        f"{100 * (high - low):.0f}": round(
            float(((actual >= quantiles[low]) & (actual <= quantiles[high]))[known].mean()),
            4,
        )
        for low, high in INTERVALS
    }


def skill(error: Array, naive: Array) -> float:
    """How much smaller the mean absolute error is than that of the naive rule, %."""
    base = float(np.nanmean(np.abs(naive)))
    return round(100 * (1 - float(np.nanmean(np.abs(error))) / base), 2) if base > 0 else 0.0
