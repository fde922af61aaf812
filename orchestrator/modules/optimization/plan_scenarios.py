"""The plan by a deck of price scenarios."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.analysis.catalogue import public
from orchestrator.modules.optimization.plan import explain, price_of
from orchestrator.modules.optimization.plan_program import PlanProgram
from orchestrator.modules.optimization.plan_result import PlanResult, ScenarioPlan
from orchestrator.modules.price_units import conversion
from orchestrator.plant.expressions import Expression

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.plan_input import PlanModel, Price
    from orchestrator.modules.price_deck import PriceDeck


def plan_by_deck(
    model: PlanModel, deck: PriceDeck, time_limit: float, context: OperationContext
) -> PlanResult:
    """The plan of the base scenario, with the plan of every scenario beside it.

    Raises:
        ParameterError: no price of the model goes by a name of the deck, or an expression reads one in a
            unit into which the deck's cannot be turned.
        InsufficientDataError: a price needs a tag that neither the deck nor the data gives.
    """
    warnings = _fit(model, deck)
    factors = _factors(model, deck, context)
    programs = {}
    solutions = {}
    for number, scenario in enumerate(deck.scenarios):
        context.progress(0.1 + 0.8 * number / len(deck.scenarios), f"planning: {scenario.name}")
        read = {name: price * factors.get(name, 1.0) for name, price in scenario.prices.items()}
        built = PlanProgram(priced(model, scenario.prices), price_of(context, read))
        programs[scenario.name] = built
        ranging = scenario.name == deck.base.name
        solutions[scenario.name] = built.program.solve(time_limit, ranging=ranging)
    base = solutions[deck.base.name]
    result = explain(programs[deck.base.name], base, time_limit)
    plans = []
    for scenario in deck.scenarios:
        built, solution = programs[scenario.name], solutions[scenario.name]
        made = explain(built, solution, time_limit) if solution.status != "optimal" else None
        both = solution.status == base.status == "optimal"
        plans.append(
            ScenarioPlan(
                scenario=scenario.name,
                probability=scenario.probability,
                status=solution.status if made is None else made.status,
                objective=solution.objective,
                of_base_plan=_worth(built, base.values) if both else None,
                crudes=_amounts(solution.values, "crudes."),
                products=_amounts(solution.values, "products."),
            )
        )
    objectives = [plan.objective for plan in plans if plan.status == "optimal"]
    expected = None
    summary = result.summary
    if len(objectives) == len(plans):
        expected = sum(plan.probability * (plan.objective or 0.0) for plan in plans)
        others = ", ".join(
            f"{plan.scenario} {plan.objective:,.0f}" for plan in plans if plan.objective is not None
        )
        summary += f" By scenario: {others}; expected {expected:,.0f} {model.money_unit} a day."
    return result.model_copy(
        update={
            "summary": summary,
            "warnings": (*result.warnings, *warnings),
            "scenarios": tuple(plans),
            "expected_objective": expected,
        }
    )


def priced(model: PlanModel, prices: Mapping[str, float]) -> PlanModel:
    """The model with the prices of those of its crudes and products that go by a name of the deck."""
    return model.model_copy(
        update={
            "crudes": {
                name: item.model_copy(update={"price": prices[name]}) if name in prices else item
                for name, item in model.crudes.items()
            },
            "products": {
                name: item.model_copy(update={"price": prices[name]}) if name in prices else item
                for name, item in model.products.items()
            },
        }
    )


def _fit(model: PlanModel, deck: PriceDeck) -> list[str]:
    """What of the model the deck does not price.

    Raises:
        ParameterError: it prices nothing.
    """
    names = deck.base.prices.keys()
    own = [
        what
        for what, name, price in _prices(model)
        if name not in names and not _reads(price, names)
    ]
    if len(own) == len(model.crudes) + len(model.products):
        raise ParameterError(
            f"no price of {model.name} goes by a name of the deck",
            where="parameters, deck",
            why="the plan would be the same by every scenario",
            remedy="give analysis.market price_names that say which tag, crude or product of the "
            f"model each series prices; the deck has: {', '.join(sorted(names))}",
        )
    if not own:
        return []
    return [f"the deck does not price {', '.join(own)}: the model's own prices stand"]


def _factors(model: PlanModel, deck: PriceDeck, context: OperationContext) -> dict[str, float]:
    """By name that an expression reads: from the deck's unit to that of the tag or series of the name.

    Raises:
        ParameterError: the units are not both by the barrel or gallon.
    """
    read: set[str] = set()
    for _, name, price in _prices(model):
        # A crude or product whose name is in the deck takes that price, whatever its expression.
        if isinstance(price, str) and name not in deck.base.prices:
            read |= Expression.parse(price).names
    found = {}
    for name in sorted(read & deck.base.prices.keys()):
        unit = _unit(name, deck, context)
        factor = conversion(deck.unit, unit)
        if factor is None:
            raise ParameterError(
                f"the deck gives {name} in {deck.unit}, but a price of {model.name} reads it in {unit}",
                where="parameters, deck",
                why="the plan would reckon with a price of another size",
                remedy=f"give the deck in {unit}, or correct its unit or that of {name}",
            )
        found[name] = factor
    return found


def _unit(name: str, deck: PriceDeck, context: OperationContext) -> str:
    """Unit in which data under a name come: of the tag, of the deck's series, or of the identifier."""
    tag = context.plant.by_name.get(name)
    if tag is not None and tag.unit:
        return tag.unit
    known = public(name)
    return deck.units.get(name) or (known.unit if known is not None else None) or deck.unit


def _prices(model: PlanModel) -> Iterator[tuple[str, str, Price]]:
    for name, crude in model.crudes.items():
        yield f"crude {name}", name, crude.price
    for name, product in model.products.items():
        yield f"product {name}", name, product.price


def _worth(built: PlanProgram, values: Mapping[str, float]) -> float:
    """Margin of these amounts at the program's prices."""
    program = built.program
    return program.offset + sum(c.worth * values[name] for name, c in program.columns.items())


def _reads(price: Price, names: Collection[str]) -> bool:
    return isinstance(price, str) and any(n in names for n in Expression.parse(price).names)


def _amounts(values: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix) and value > 1e-7
    }
