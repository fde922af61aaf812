"""``forecasting.backtest``: how good the forecasts have been."""

from __future__ import annotations

from typing import Literal

from orchestrator.errors import DanGError, InsufficientDataError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.accuracy import score_of
from orchestrator.modules.forecasting.backtest_report import page
from orchestrator.modules.forecasting.forecast import (
    default_targets,
    history_of,
    physical_bounds,
    read_columns,
)
from orchestrator.modules.forecasting.models import BacktestInput, BacktestResult, BacktestScore
from orchestrator.modules.forecasting.rolling import Rolled, roll
from orchestrator.modules.forecasting.series import plan, span


def run(parameters: BacktestInput, context: OperationContext) -> BacktestResult:
    """Forecast from past moments as it would have been done then, and compare with what came.

    Raises:
        UnknownTagError: a column is not in the data.
        InsufficientDataError: no target can be judged; the text says what is needed.
    """
    context.progress(0.0, "reading")
    frame = read_columns(parameters, context)
    targets = parameters.targets or default_targets(
        frame, context.plant, leave_out=parameters.known_future
    )
    grid = plan(frame, parameters.horizon, parameters.horizon_hours)
    rolled: list[Rolled] = []
    refused: dict[str, str] = {}
    error: DanGError | None = None
    for i, target in enumerate(dict.fromkeys(targets)):
        context.progress(i / len(targets), f"forecasting {target} from past moments")
        try:
            past = history_of(frame, target, grid, parameters, known_ahead=False)
            rolled.append(
                roll(
                    past,
                    grid.steps,
                    origins=parameters.origins,
                    refits=parameters.refits,
                    seed=context.seed,
                    bounds=physical_bounds(context.plant.by_name.get(target), past.values, target),
                    models=parameters.models,
                )
            )
        except UnknownTagError:
            raise
        except DanGError as raised:
            refused[target] = str(raised)
            error = raised
    if not rolled:
        if error is not None and len(refused) == 1:
            raise error
        raise InsufficientDataError(
            f"no target can be judged; {next(iter(refused.values()))}",
            remedy="give more history, or fewer steps",
            context={"refused": refused},
        )
    scores = tuple(score_of(item) for item in rolled)
    summary = _summary(scores, span(grid.steps * grid.period))
    notes = (*grid.notes, *(f"{tag} left out: {why}" for tag, why in refused.items()))
    report = None
    if parameters.report:
        form: Literal["html", "markdown"] = (
            "markdown" if parameters.report == "markdown" else "html"
        )
        report = page(rolled, scores, summary, notes, form)
    return BacktestResult(
        summary=summary,
        warnings=notes,
        report=report,
        scores=scores,
        refused=refused,
        horizon=grid.steps,
        period_seconds=grid.period,
    )


def _summary(scores: tuple[BacktestScore, ...], ahead: str) -> str:
    better = sum(score.skill_pct > 0 for score in scores)
    best = max(scores, key=lambda score: score.skill_pct)
    worst = min(scores, key=lambda score: score.skill_pct)
    detail = f"{best.target} gains most ({best.skill_pct:.0f} %)" if better else "none gains"
    if better and worst is not best:
        detail += f", {worst.target} least ({worst.skill_pct:.0f} %)"
    inside = sum(score.coverage["80"] for score in scores) / len(scores)
    return (
        f"Over the last {best.origins} forecasts {ahead} ahead, {better} of {len(scores)} tags were "
        f"forecast better than by a naive rule; {detail}. {100 * inside:.0f} % of the values lay inside "
        "the 80 % intervals."
    )
