"""``forecasting.backtest``: how good the forecasts have been."""

from __future__ import annotations

import numpy as np

from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.forecast import default_targets, read_columns, select_all
from orchestrator.modules.forecasting.models import BacktestInput, BacktestResult, BacktestScore
from orchestrator.modules.forecasting.selection import Selection
from orchestrator.modules.forecasting.series import plan, span


def run(parameters: BacktestInput, context: OperationContext) -> BacktestResult:
    """Forecast from past moments and compare with what came.

    Errors of the model chosen are those of the choice itself: it is the best of several on the same
    moments, so that the figures flatter a little; ``errors`` shows all candidates.
    """
    frame = read_columns(parameters, context)
    targets = parameters.targets or default_targets(frame, context.plant)
    grid = plan(frame, parameters.horizon, parameters.horizon_hours)
    found, refused = select_all(
        frame, targets, grid, context, parameters, max_origins=parameters.origins
    )
    scores = tuple(_score(item) for item in found.values())
    better = sum(score.skill_pct > 0 for score in scores)
    ahead = span(grid.steps * grid.period)
    best = max(scores, key=lambda score: score.skill_pct)
    worst = min(scores, key=lambda score: score.skill_pct)
    detail = f"{best.target} gains most ({best.skill_pct:.0f} %)"
    if worst is not best:
        detail += f", {worst.target} least ({worst.skill_pct:.0f} %)"
    return BacktestResult(
        summary=(
            f"Over the last {best.origins} forecasts {ahead} ahead, {better} of {len(scores)} tags "
            f"were forecast better than by a naive rule; {detail}."
        ),
        warnings=(*grid.notes, *(f"{tag} left out: {why}" for tag, why in refused.items())),
        scores=scores,
        refused=refused,
        horizon=grid.steps,
        period_seconds=grid.period,
    )


def _score(found: Selection) -> BacktestScore:
    errors = found.errors[found.model.name]
    known = errors[np.isfinite(errors)]
    past = found.history.values
    step = float(np.mean(np.abs(np.diff(past))))
    level = float(np.mean(np.abs(past)))
    by_step = [column[np.isfinite(column)] for column in errors.T]
    mae = float(np.mean(np.abs(known)))
    return BacktestScore(
        target=found.history.tag,
        model=found.model.name,
        mae=mae,
        rmse=float(np.sqrt(np.mean(known**2))),
        bias=float(-np.mean(known)),
        mase=mae / step if step > 0 else None,
        wape=mae / level if level > 0 else None,
        skill_pct=round(found.skill_pct, 2),
        coverage=found.coverage(),
        mae_by_step=tuple(float(np.mean(np.abs(c))) if len(c) else None for c in by_step),
        errors=found.mae,
        origins=len(errors),
    )
