"""``forecasting.explain``: what a forecast rests on."""

from __future__ import annotations

import re

import numpy as np

from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.candidates import Lagged
from orchestrator.modules.forecasting.forecast import physical_bounds, score
from orchestrator.modules.forecasting.models import ExplainInput, ExplainResult, Influence
from orchestrator.modules.forecasting.selection import Selection, select
from orchestrator.modules.forecasting.series import history, plan, span
from orchestrator.modules.frames import read_frame

LEAST_SHARE = 0.01
BASELINE_TEXTS = {
    "naive": "the last value, carried forward: nothing in its past told its next move better",
    "window_average": "the mean of its last values: it wanders around a level without direction",
    "seasonal_naive": "its value one season ago: the season is all that repeats",
}


def run(parameters: ExplainInput, context: OperationContext) -> ExplainResult:
    """Forecast the target and say what its model looks at, most important first."""
    frame = read_frame(context.table(), (parameters.target,)).in_order()
    grid = plan(frame, parameters.horizon, parameters.horizon_hours)
    past = history(frame, parameters.target, grid)
    bounds = physical_bounds(context.plant.by_name.get(parameters.target), past.values)
    found = select(past, grid.steps, context.seed, bounds=bounds)
    influences = _influences(found)
    change = float(found.mean[-1] - past.values[-1])
    direction = "rise" if change > 0 else "fall" if change < 0 else "stay"
    gain = f"{found.skill_pct:.0f} % better than the best naive rule on its past"
    if found.model.name == found.baseline:
        gain = "no model did better on its past"
    return ExplainResult(
        summary=(
            f"{parameters.target} is forecast to {direction} by {abs(change):.4g} over "
            f"{span(grid.steps * grid.period)} by {found.model.name.replace('_', ' ')} ({gain}). It "
            f"rests mainly on {influences[0].text}."
        ),
        warnings=grid.notes,
        target=parameters.target,
        model=found.model.name,
        influences=tuple(influences),
        score=score(found, context.plant),
    )


def _influences(found: Selection) -> list[Influence]:
    name = found.model.name
    if isinstance(found.model, Lagged):
        return _learned(found.model, found.history.period)
    if name in BASELINE_TEXTS:
        return [Influence(feature=name, share=1.0, text=BASELINE_TEXTS[name])]
    return _components(found)


def _learned(model: Lagged, period: float) -> list[Influence]:
    """Share of each feature: gain of the trees, or size of the standardised coefficients."""
    regressor, features = model.regressor()
    if hasattr(regressor, "booster_"):
        raw = regressor.booster_.feature_importance(importance_type="gain")
    else:
        raw = regressor.coef_
    weights = np.asarray(raw, dtype=np.float64).ravel()
    total = float(np.abs(weights).sum()) or 1.0
    signed = not hasattr(regressor, "booster_")
    found = [
        Influence(
            feature=feature,
            share=round(abs(float(weight)) / total, 4),
            text=_in_words(feature, period)
            + (" (the higher it was, the lower the forecast)" if signed and weight < 0 else ""),
        )
        for feature, weight in zip(features, weights, strict=True)
    ]
    ranked = sorted(found, key=lambda item: -item.share)
    return [item for item in ranked if item.share >= LEAST_SHARE] or ranked[:1]


def _in_words(feature: str, period: float) -> str:
    numbers = [int(number) for number in re.findall(r"\d+", feature)]
    if feature.startswith("rolling_mean"):
        return f"its mean over {span(numbers[-1] * period)}"
    return f"its value {span(numbers[0] * period)} before"


def _components(found: Selection) -> list[Influence]:
    """Level, trend and season of a statistical model's forecast, by how much each moves it."""
    past, mean = found.history, found.mean
    season = past.season if past.season <= len(mean) else 1
    slope = float(np.polyfit(np.arange(len(mean)), mean, 1)[0]) if len(mean) > 1 else 0.0
    trend = abs(slope) * (len(mean) - 1)
    line = np.polyval([slope, 0.0], np.arange(len(mean)))
    rest = mean - line
    swing = float(np.ptp(rest)) if season > 1 else 0.0
    level = abs(float(mean[0] - past.values[-1]))
    parts = {
        "level": (
            level,
            f"its smoothed level, {mean[0] - past.values[-1]:+.4g} from the last value",
        ),
        "trend": (trend, f"its trend, {slope:+.4g} a step"),
        "season": (swing, f"its season of {span(past.season * past.period)}"),
    }
    total = sum(size for size, _ in parts.values())
    if total == 0:
        return [Influence(feature="level", share=1.0, text="its smoothed level, held constant")]
    ranked = sorted(parts.items(), key=lambda item: -item[1][0])
    return [
        Influence(feature=name, share=round(size / total, 4), text=text)
        for name, (size, text) in ranked
        if size / total >= LEAST_SHARE
    ]
