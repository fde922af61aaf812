"""``optimization.plan``: what to buy, run and sell for the largest margin."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError
from orchestrator.modules.optimization import changes
from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.planning.alternatives import find_alternatives
from orchestrator.modules.optimization.planning.explanation import (
    binding,
    in_conflict,
    in_words,
    not_done,
    relaxations,
    unlimited,
)
from orchestrator.modules.optimization.planning.pooling import PooledSolution
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.readout import (
    margin,
    read_periods,
    split_severities,
    total,
    total_of_each,
)
from orchestrator.modules.optimization.planning.result import PlanInput, PlanResult
from orchestrator.modules.optimization.planning.scenarios import Course, plan_common, plan_each
from orchestrator.modules.optimization.planning.wording import number
from orchestrator.modules.optimization.present import present_values, require
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.plant.expressions import Expression
from orchestrator.plant.twin import PLAN_FILE, PLANT_NAME
from orchestrator.yaml_files import read_yaml

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

CONFIGURE = (
    "give the refinery's model with the request (model), or set the option plan_model of "
    "modules.optimization to a YAML file or mapping with crudes, units and products"
)
PRICE_MINUTES = 60.0
RESERVE = 0.1
"""Least time of what a plan cannot be told without, s."""


def run(parameters: PlanInput, context: OperationContext) -> PlanResult:
    """Solve the plan and explain it.

    Raises:
        ConfigurationError: the configured model is wrong.
        InsufficientDataError: a price is an expression over tags that have no present value.
        ParameterError: scenarios or alternatives are asked of a model with computed pools.
    """
    model = parameters.model or configured_model(context)
    if model is None:
        return PlanResult(
            summary="There is no plan: no refinery model is configured.",
            status="no_model",
            configure=CONFIGURE,
        )
    context.progress(0.1, "building the plan")
    courses, base, notes = _courses(model, parameters, context)
    context.progress(0.3, "solving the plan")
    deadline = time.monotonic() + parameters.time_limit_seconds

    def left() -> float:
        return max(RESERVE, deadline - time.monotonic())

    solution = base.solve(left(), ranging=True)
    result = explain(base, solution, left())
    told: dict[str, Any] = {}
    if courses:
        context.progress(0.5, "planning by each scenario")
        told, result = _by_scenarios(parameters, courses, base, solution, result, deadline)
    if parameters.compare_with is not None:
        # What is asked for beside it keeps half of the time.
        until = deadline - (left() / 2 if parameters.alternatives.count else 0.0)
        told["compared"], without = _compared(parameters.compare_with, context, until)
        notes += without
    alternatives, latitude, more = find_alternatives(
        base, solution, parameters.alternatives, deadline - time.monotonic()
    )
    result = result.model_copy(
        update={
            **told,
            "warnings": (*result.warnings, *notes, *more),
            "alternatives": alternatives,
            "latitude": latitude,
        }
    )
    if not parameters.report:
        return result
    from orchestrator.modules.optimization.planning.report import page

    return result.model_copy(
        update={"report": page(result, base, solution, as_markdown=parameters.report == "markdown")}
    )


def _compared(
    model: RefineryModel, context: OperationContext, until: float
) -> tuple[dict[str, float], list[str]]:
    """Money by account in the plan of another model, and what is lacking of it."""
    left = until - time.monotonic()
    if left <= 0:
        return {}, ["the time did not suffice for the plan of compare_with"]
    other = PlanProgram(model, price_of(context), nonlinear=True)
    found = other.solve(left)
    if not found.solved:
        return {}, [f"compare_with has no plan: {found.status.replace('_', ' ')}"]
    if found.status == "optimal":
        return margin(other, found), []
    return margin(other, found), ["the plan of compare_with is the best that was found in the time"]


def _courses(
    model: RefineryModel, parameters: PlanInput, context: OperationContext
) -> tuple[list[Course], PlanProgram, list[str]]:
    """The scenarios, the program of the base plan, and what of the model the deck does not price."""
    if parameters.deck is not None:
        from orchestrator.modules.optimization.deck_courses import courses_of_deck

        courses, notes = courses_of_deck(model, parameters.deck, context)
        base = next(item.built for item in courses if item.name == parameters.deck.base.name)
        return courses, base, notes
    price = price_of(context)
    courses = []
    for place, scenario in enumerate(parameters.scenarios):
        where = f"scenarios.{place}.changes"
        changed = changes.apply(model, scenario.changes, price, where)
        chance = scenario.probability
        if chance is None:
            chance = 1.0 / len(parameters.scenarios)
        courses.append(Course(scenario.name, chance, PlanProgram(changed, price)))
    alone = not courses and not parameters.alternatives.count
    return courses, PlanProgram(model, price, nonlinear=alone), []


def _by_scenarios(
    parameters: PlanInput,
    courses: list[Course],
    base: PlanProgram,
    solution: LinearSolution,
    result: PlanResult,
    deadline: float,
) -> tuple[dict[str, Any], PlanResult]:
    """The plan by each scenario, and what it adds to the result of the base plan."""
    plans = plan_each(courses, solution, max(RESERVE, deadline - time.monotonic()))
    common = None
    if parameters.two_stage is not None:
        left = max(RESERVE, deadline - time.monotonic())
        common, plans, _ = plan_common(courses, parameters.two_stage, plans, left)
    expected = None
    summary = result.summary
    money = base.model.money_unit
    objectives = [p.objective for p in plans if p.status == "optimal" and p.objective is not None]
    if len(objectives) == len(plans):
        expected = sum(p.probability * value for p, value in zip(plans, objectives, strict=True))
        others = ", ".join(f"{plan.scenario} {plan.objective:,.0f}" for plan in plans)
        span = "over all periods" if base.model.periods else "a day"
        summary += f" By scenario: {others}; expected {expected:,.0f} {money} {span}."
    if common is not None:
        summary += f" {common.text}"
    told = {"scenarios": tuple(plans), "expected_objective": expected, "common": common}
    return told, result.model_copy(update={"summary": summary})


def explain(built: PlanProgram, solution: LinearSolution, time_limit: float) -> PlanResult:
    """The result that a solution stands for; an infeasible one is explained within the time limit, s."""
    deadline = time.monotonic() + time_limit
    model = built.model
    stated: dict[str, Any] = {
        "money_unit": model.money_unit,
        "quantity_unit": model.quantity_unit,
        "days": sum(span.days for span in model.spans),
        "warnings": tuple(map(str, model.warnings)),
    }
    if solution.status == "infeasible":
        if isinstance(solution, PooledSolution):
            conflicts = in_words(built, *solution.relaxations)
        else:
            conflicts = relaxations(built, time_limit)
        late = time.monotonic() >= deadline
        advice = "; ".join(item.text for item in conflicts) or (
            "it was not found in the time" if late else "no change of its limits would help"
        )
        return PlanResult(
            summary=f"The limits of {model.name} cannot all be met. Least relaxation: {advice}.",
            status="infeasible",
            conflicts=conflicts,
            conflicting=() if built.pools or late else in_conflict(built, deadline),
            **stated,
        )
    if solution.status == "unbounded":
        grows, numbers = unlimited(built, solution)
        names = ", ".join(grows) or "some quantity"
        give = numbers or "availability, capacity or demand"
        return PlanResult(
            summary=f"The margin of {model.name} has no limit: {names} can grow without end. "
            f"Give {give}.{_of_nothing(grows)}",
            status="unbounded",
            unbounded=grows,
            **stated,
        )
    if not solution.solved or solution.objective is None:
        more = solution.unproven
        if solution.status == "time_limit":
            more = "Give it more time_limit_seconds."
        return PlanResult(
            summary=f"The plan was not solved: {solution.status.replace('_', ' ')}. {more}".rstrip(),
            status=solution.status,
            **stated,
        )
    return _solved(built, solution, solution.objective, stated)


def _of_nothing(grows: tuple[str, ...]) -> str:
    """Where nothing is bought for what grows: that yields make more than they take."""
    units = sorted({name.split(".")[1] for name in grows if name.startswith("units.")})
    bought = any(
        name.startswith(("crudes.", "purchases.", "tiers.", "utilities.")) for name in grows
    )
    if bought or not units:
        return ""
    return (
        f" Nothing is bought for it: the yields of {' and '.join(units)} make more than they take."
    )


def _solved(
    built: PlanProgram, solution: LinearSolution, objective: float, stated: dict[str, Any]
) -> PlanResult:
    model = built.model
    periods = read_periods(built, solution)
    held = binding(built, solution)
    bought = total(periods, "crudes")
    rate = f"{model.quantity_unit}{'' if model.periods else '/d'}"
    span = f"over {stated['days']:g} days" if model.periods else "a day"
    slate = ", ".join(f"{name} {number(amount)}" for name, amount in bought.items()) or "no crude"
    summary = f"Margin {number(objective)} {model.money_unit} {span}: "
    left_out = not_done(built, solution)
    if any(period.products for period in periods):
        summary += f"buy {slate} {rate}"
        summary += (
            f"; what weighs most, by price times size of the limit: {held[0].text}."
            if held
            else "."
        )
    else:
        causes = [str(item) for item in model.warnings if item.path[0] == "products"]
        if causes:
            summary += f"nothing is made, of which the model warns: {'; '.join(causes)}"
        else:
            summary += "nothing is worth making at these prices and limits"
        summary += f"; least lacks: {left_out[0].text}." if left_out else "."
    if solution.status == "feasible":
        gap = "" if solution.gap is None else f", which may be {solution.gap:.2%} short of the best"
        summary += f" The time ran out: this is the best plan found{gap}."
    warnings = list(stated.pop("warnings"))
    if solution.integers_fixed:
        warnings.append(
            "shadow prices hold while what is on or off, the modes and the steps of prices stay as planned"
        )
    if isinstance(solution, PooledSolution) and solution.shares_fixed:
        warnings.append("shadow prices hold while the pools are made up as planned")
    if isinstance(solution, PooledSolution) and not solution.priced:
        warnings.append("no shadow prices could be found in the time")
    warnings += [
        f"units.{name}.severity: the plan sends what is made at low and at high severity to different "
        "places, which one severity cannot do: the margin is an upper bound of what can be had"
        for name in split_severities(built, solution)
    ]
    return PlanResult(
        summary=summary,
        warnings=tuple(warnings),
        status=solution.status,
        objective=objective,
        bound=solution.bound,
        gap=solution.gap,
        crudes=bought,
        purchases=total(periods, "purchases"),
        units=total_of_each(periods, "units"),
        products=total(periods, "products"),
        blends=total_of_each(periods, "blends"),
        margin=margin(built, solution),
        periods=periods,
        binding=held,
        not_done=left_out,
        stream_values=periods[0].stream_values if len(periods) == 1 else {},
        **stated,
    )


def configured_model(context: OperationContext) -> RefineryModel | None:
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


def price_of(
    context: OperationContext, stated: Mapping[str, float] | None = None
) -> Callable[[float | str], float]:
    """Prices as numbers; an expression is evaluated on the last hour's mean of its tags.

    A value in ``stated`` stands before the tag's own.
    """
    present: dict[str, float] = dict(stated or {})
    read = False

    def price(given: float | str) -> float:
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
