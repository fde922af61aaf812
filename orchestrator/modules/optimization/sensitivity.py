"""``optimization.sensitivity``: what limits cost, what is binding, how far prices may move."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from orchestrator.modules.optimization import plan, sensitivity_setpoints
from orchestrator.modules.optimization.linear import Range
from orchestrator.modules.optimization.planning.curves import curves, moved_by_one
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.what_if_models import (
    SensitivityInput,
    SensitivityResult,
    WorthRange,
)
from orchestrator.modules.optimization.sensitivity_setpoints import binding_in_words

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext


def run(parameters: SensitivityInput, context: OperationContext) -> SensitivityResult:
    """Explain the optimum of the plan or of the set points."""
    of = parameters.of
    model = None
    if of != "setpoints":
        model = parameters.model or plan.configured_model(context)
        if model is None and of == "auto" and context.plant.economics is not None:
            of = "setpoints"
    if of == "setpoints":
        return sensitivity_setpoints.run(parameters, context)
    if model is None:
        return SensitivityResult(
            summary="There is no plan to look at: no refinery model is configured.",
            status="no_model",
            of="plan",
            configure=plan.CONFIGURE,
        )
    deadline = time.monotonic() + parameters.time_limit_seconds
    price_of = plan.price_of(context)
    built = PlanProgram(model, price_of)
    solution = built.program.solve(parameters.time_limit_seconds, ranging=True)
    result = plan.explain(built, solution, max(plan.RESERVE, deadline - time.monotonic()))
    if not solution.solved:
        return SensitivityResult(
            summary=result.summary, status=result.status, of="plan", conflicts=result.conflicts
        )
    prices = []
    for name, price in built.prices.items():
        bounds = solution.worth_range.get(name, Range(-math.inf, math.inf))
        days = built.book.days[name]
        low, high = bounds.low / days, bounds.high / days
        # What is bought counts against the margin, so that its range is mirrored.
        ends = (low, high) if "products." in name else (-high, -low)
        prices.append(WorthRange(what=name, price=price, low=_end(ends[0]), high=_end(ends[1])))
    # Curves have what time is left, at least half of it.
    half = (time.monotonic() + deadline) / 2
    moved, late = moved_by_one(built, solution, result.binding, price_of, half)
    drawn, notes = curves(model, parameters.curves, price_of, deadline)
    summary = " ".join([binding_in_words(result.binding), *(item.text for item in drawn)])
    return SensitivityResult(
        summary=summary,
        warnings=(*result.warnings, *late, *notes),
        status=result.status,
        of="plan",
        objective=result.objective,
        limits=result.binding,
        one_more=moved,
        not_done=result.not_done,
        curves=drawn,
        prices=tuple(prices),
    )


def _end(value: float) -> float | None:
    return value if math.isfinite(value) else None
