"""``forecasting.explain``: what a forecast rests on."""

from __future__ import annotations

from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.combination import Combination
from orchestrator.modules.forecasting.forecast import read_columns, score, select_all
from orchestrator.modules.forecasting.influences import effects_of, shares
from orchestrator.modules.forecasting.models import (
    ExplainInput,
    ExplainResult,
    ForecastInput,
    Influence,
)
from orchestrator.modules.forecasting.selection import Selection
from orchestrator.modules.forecasting.series import plan, span

LEAST_SHARE = 0.01


def run(parameters: ExplainInput, context: OperationContext) -> ExplainResult:
    """Forecast the target and say what its model looks at, most important first."""
    asked = ForecastInput(
        targets=(parameters.target,),
        known_future=parameters.known_future,
        inputs=parameters.inputs,
    )
    frame = read_columns(asked, context)
    grid = plan(frame, parameters.horizon, parameters.horizon_hours)
    chosen = select_all(frame, asked.targets, grid, context, asked)
    found = chosen.selections[parameters.target]
    past = found.history
    influences = _influences(found, grid.steps)
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
        members=_members(found),
        score=score(found, context.plant, chosen.origins[parameters.target]),
    )


def _influences(found: Selection, steps: int) -> list[Influence]:
    effects = effects_of(found.model, found.history, steps)
    listed = [
        Influence(
            feature=effect.feature,
            share=share,
            effect=None if effect.whole else effect.size,
            text=effect.text,
        )
        for effect, share in zip(effects, shares(effects), strict=True)
    ]
    return [item for item in listed if item.share >= LEAST_SHARE] or listed[:1]


def _members(found: Selection) -> dict[str, float]:
    model = found.model
    if not isinstance(model, Combination):
        return {model.name: 1.0}
    return {
        member.name: round(weight, 4)
        for member, weight in zip(model.members, model.weights, strict=True)
    }
