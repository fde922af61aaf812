"""``optimization.plan``: what to buy, run and sell for the largest margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, in_words, json_text
from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.plan_input import PlanModel, Price
from orchestrator.modules.optimization.plan_program import PlanProgram
from orchestrator.modules.optimization.plan_result import PlanInput, PlanResult
from orchestrator.modules.optimization.present import present_values, require
from orchestrator.plant.expressions import Expression
from orchestrator.plant.twin import PLAN_FILE, PLANT_NAME
from orchestrator.yaml_files import read_yaml

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

CONFIGURE = (
    "give the refinery's model with the request (model), or set the option plan_model of "
    "modules.optimization to a YAML file or mapping with crudes, units and products"
)
_SHOWN = 1e-7
PRICE_MINUTES = 60.0


def run(parameters: PlanInput, context: OperationContext) -> PlanResult:
    """Solve the plan and explain it.

    Raises:
        ConfigurationError: the configured model is wrong.
        InsufficientDataError: a price is an expression over tags that have no present value.
    """
    model = parameters.model or configured_model(context)
    if model is None:
        return PlanResult(
            summary="There is no plan: no refinery model is configured.",
            status="no_model",
            configure=CONFIGURE,
        )
    if parameters.deck is not None:
        from orchestrator.modules.optimization.plan_scenarios import plan_by_deck

        return plan_by_deck(model, parameters.deck, parameters.time_limit_seconds, context)
    context.progress(0.1, "building the plan")
    built = PlanProgram(model, price_of(context))
    context.progress(0.3, "solving the plan")
    solution = built.program.solve(parameters.time_limit_seconds, ranging=True)
    return explain(built, solution, parameters.time_limit_seconds)


def explain(built: PlanProgram, solution: LinearSolution, time_limit: float) -> PlanResult:
    """The result that a solution stands for."""
    model = built.model
    units = {"money_unit": model.money_unit, "quantity_unit": model.quantity_unit}
    if solution.status == "infeasible":
        conflicts = built.conflicts(time_limit)
        advice = "; ".join(item.text for item in conflicts) or "no change of its limits would help"
        return PlanResult(
            summary=f"The limits of {model.name} cannot all be met. Least relaxation: {advice}.",
            status="infeasible",
            conflicts=conflicts,
            **units,
        )
    if solution.status == "unbounded":
        names = ", ".join(solution.ray) or "some quantity"
        return PlanResult(
            summary=f"The margin of {model.name} has no limit: {names} can grow without end. "
            "Give availability, capacity or demand.",
            status="unbounded",
            unbounded=solution.ray,
            **units,
        )
    if solution.status != "optimal" or solution.objective is None:
        return PlanResult(
            summary=f"The plan was not solved: {solution.status.replace('_', ' ')}.",
            status=solution.status,
            **units,
        )
    values = solution.values
    bought = _picked(values, "crudes.")
    sold = _picked(values, "products.")
    runs = {
        name: {
            feed: values[f"units.{name}.{feed}"]
            for feed in unit.feeds
            if values[f"units.{name}.{feed}"] > _SHOWN
        }
        for name, unit in model.units.items()
    }
    blends = {
        name: {
            stream: values[f"blend.{name}.{stream}"]
            for stream in product.components
            if values[f"blend.{name}.{stream}"] > _SHOWN
        }
        for name, product in model.products.items()
        if product.components
    }
    binding = built.binding(solution)
    dearest = f"; dearest limit: {binding[0].text}" if binding else ""
    slate = ", ".join(f"{n} {v:,.0f}" for n, v in bought.items()) or "nothing"
    return PlanResult(
        summary=f"Margin {solution.objective:,.0f} {model.money_unit} a day: buy {slate} "
        f"{model.quantity_unit}/d{dearest}.",
        status="optimal",
        objective=solution.objective,
        crudes=bought,
        units={name: feeds for name, feeds in runs.items() if feeds},
        products=sold,
        blends={name: parts for name, parts in blends.items() if parts},
        binding=binding,
        not_done=built.not_done(solution),
        stream_values={
            name.removeprefix("balance."): -dual
            for name, dual in solution.row_dual.items()
            if name.startswith("balance.")
        },
        **units,
    )


def configured_model(context: OperationContext) -> PlanModel | None:
    """The model that the module's options name, the simulated plant's own, or none.

    Raises:
        ConfigurationError: the file cannot be read or the model is wrong.
    """
    option = context.settings.get("plan_model")
    if option is None and context.plant.simulated and context.plant.name == PLANT_NAME:
        option = str(PLAN_FILE)
    if option is None:
        return None
    where = "option plan_model of modules.optimization"
    document: Any = option
    if isinstance(option, str | Path):
        where = str(option)
        document = read_yaml(Path(option).expanduser())
    return validated(document, where)


def validated(document: Any, where: str) -> PlanModel:
    """A plan model from a document.

    Raises:
        ConfigurationError: names every wrong key.
    """
    if not isinstance(document, Mapping):
        raise ConfigurationError(
            f"a plan's model has named fields, got {json_text(document)}",
            where=where,
            remedy="write it as in the plan of the simulated unit, plant/twin/plan.yaml",
        )
    try:
        return PlanModel.model_validate(document)
    except ValidationError as error:
        found = field_errors(error.errors(), document)
        raise ConfigurationError(
            in_words(found),
            where=where,
            remedy="mend these in the plan's model",
            context={"errors": found},
        ) from error


def price_of(
    context: OperationContext, stated: Mapping[str, float] | None = None
) -> Callable[[Price], float]:
    """Prices as numbers; an expression is evaluated on the last hour's mean of its tags.

    A value in ``stated`` stands before the tag's own.
    """
    present: dict[str, float] = dict(stated or {})
    read = False

    def price(given: Price) -> float:
        nonlocal read
        if not isinstance(given, str):
            return float(given)
        expression = Expression.parse(given)
        if expression.names - present.keys() and not read:
            present.update({**present_values(context, PRICE_MINUTES), **present})
            read = True
        require(expression.names, present, context)
        value = float(expression.evaluate(present))
        if not math.isfinite(value):
            raise ConfigurationError(f"the price {given!r} has no value", where="plan model")
        return value

    return price


def _picked(values: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix) and value > _SHOWN
    }
