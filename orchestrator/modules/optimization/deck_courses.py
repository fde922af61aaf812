"""The refinery model by each scenario of a price deck."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.analysis.catalogue import public
from orchestrator.modules.optimization.plan import price_of
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.scenarios import Course
from orchestrator.modules.price_units import conversion
from orchestrator.plant.expressions import Expression

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.refinery.model import RefineryModel
    from orchestrator.modules.optimization.refinery.parts import Product, Supply
    from orchestrator.modules.price_deck import PriceDeck


def courses_of_deck(
    model: RefineryModel, deck: PriceDeck, context: OperationContext
) -> tuple[list[Course], list[str]]:
    """The model by each scenario of the deck, and what of it the deck does not price.

    Raises:
        ParameterError: no price of the model goes by a name of the deck, or an expression reads one in a
            unit into which the deck's cannot be turned.
        InsufficientDataError: a price needs a tag that neither the deck nor the data gives.
    """
    warnings = _fit(model, deck)
    factors = _factors(model, deck, context)
    courses = []
    for scenario in deck.scenarios:
        read = {name: price * factors.get(name, 1.0) for name, price in scenario.prices.items()}
        built = PlanProgram(priced(model, scenario.prices), price_of(context, read))
        courses.append(Course(scenario.name, scenario.probability, built))
    return courses, warnings


def priced(model: RefineryModel, prices: Mapping[str, float]) -> RefineryModel:
    """The model with the prices of what it buys and sells that goes by a name of the deck.

    Prices by steps are left as they are.
    """

    def named(items: Mapping[str, Supply | Product]) -> dict[str, Supply | Product]:
        return {
            name: item.model_copy(update={"price": prices[name]})
            if name in prices and not item.tiers
            else item
            for name, item in items.items()
        }

    return model.model_copy(
        update={
            "crudes": named(model.crudes),
            "purchases": named(model.purchases),
            "products": named(model.products),
        }
    )


def _fit(model: RefineryModel, deck: PriceDeck) -> list[str]:
    """What of the model the deck does not price.

    Raises:
        ParameterError: it prices nothing.
    """
    names = deck.base.prices.keys()
    every: dict[str, bool] = {}
    for what, name, price in _prices(model):
        every[what] = every.get(what, False) or name in names or _reads(price, names)
    own = [what for what, of_deck in every.items() if not of_deck]
    if len(own) == len(every):
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


def _factors(model: RefineryModel, deck: PriceDeck, context: OperationContext) -> dict[str, float]:
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


def _prices(model: RefineryModel) -> Iterator[tuple[str, str, float | str]]:
    """What is priced, its name, and each of its prices."""
    for what, items in (
        ("crude", model.crudes),
        ("purchase", model.purchases),
        ("product", model.products),
    ):
        for name, item in items.items():
            given = [tier.price for tier in item.tiers] if item.price is None else [item.price]
            for price in given:
                for one in price.values() if isinstance(price, dict) else (price,):
                    yield f"{what} {name}", name, one


def _reads(price: float | str, names: Collection[str]) -> bool:
    return isinstance(price, str) and any(n in names for n in Expression.parse(price).names)
