"""Products of a plan: blends, recipes, specifications, and the demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from orchestrator.modules.optimization.linear import INFINITY
from orchestrator.modules.optimization.planning.book import Book, Limit, Side, Values, tagged
from orchestrator.modules.optimization.planning.trade import PriceOf, add_traded
from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
from orchestrator.modules.optimization.refinery.numbers import PerPeriod, at
from orchestrator.modules.optimization.refinery.parts import Period, Product

Part = tuple[str, float, dict[str, float]]


class Ingredient(NamedTuple):
    """A stream in a product: ``share`` of it in one unit of a column."""

    column: str
    share: float
    stream: str


class ProductRows:
    """Adds the products, and keeps what each is made of.

    Attributes:
        make: Product and period -> terms of its make: what is made and drawn less what is sold.
        ingredients: Product and period -> its ingredients.
        computed_specs: Product, period, property and side of specifications on computed pools.
    """

    def __init__(self, book: Book, sheet: Flowsheet, price: PriceOf) -> None:
        self._book, self._sheet = book, sheet
        self._spans = {span.name: span for span in sheet.model.spans}
        self._known: dict[tuple[str, str], dict[str, float]] = {}
        self.make: dict[tuple[str, str], dict[str, float]] = {}
        self.ingredients: dict[tuple[str, str], list[Ingredient]] = {}
        self.computed_specs: list[tuple[str, str, str, Side]] = []
        for name, product in sheet.model.products.items():
            for span in sheet.model.spans:
                sold = add_traded(
                    book, sheet.model, f"products.{name}", product, span, price, buying=False
                )
                self._cost(name, product, span, sold)
                self._made_of(name, product, span, sold)
                self._specs(name, product, span)
                self._shares(name, product, span)

    def close(self) -> None:
        """Add the balance of what each product is made of, after the tanks have had their say."""
        model = self._sheet.model
        first = model.spans[0]
        for (name, period), terms in self.make.items():
            opening = 0.0
            if period == first.name:
                opening = sum(
                    at(tank.opening, period) / first.days
                    for tank_name, tank in model.tanks.items()
                    if (tank.holds or tank_name) == name
                )
            self._book.row(tagged(f"make.{name}", period), terms, -opening, -opening)

    def _cost(self, name: str, product: Product, span: Period, sold: str) -> None:
        """What each unit costs to blend and deliver, beside its price, in an account of its own."""
        cost = at(product.cost, span.name)
        if cost:
            handled = self._book.column(
                tagged(f"handled.{name}", span.name), worth=-cost * span.days, account="operating"
            )
            row = tagged(f"handled.{name}", span.name)
            self._book.row(row, {handled: 1.0, sold: -1.0}, 0.0, 0.0)

    def _made_of(self, name: str, product: Product, span: Period, sold: str) -> None:
        """Where a product comes from: streams in any shares, fixed parts, or the stream of its name."""
        book, sheet, period = self._book, self._sheet, span.name
        streams = sheet.actual(name)
        if not product.components and not product.recipe and len(streams) == 1:
            book.flow(streams[0], period, sold, -1.0)
            self.ingredients[name, period] = [Ingredient(sold, 1.0, streams[0])]
            return
        if product.recipe and not any(len(sheet.actual(s)) > 1 for s in product.recipe):
            self._recipe(name, product, span, sold)
            return
        given = product.components or product.recipe or {name: None}
        found = []
        terms = self.make[name, period] = {}
        for stream in dict.fromkeys(actual for s in given for actual in sheet.actual(s)):
            column = book.column(tagged(f"blend.{name}.{stream}", period))
            book.flow(stream, period, column, -1.0)
            found.append(Ingredient(column, 1.0, stream))
            terms[column] = 1.0
        self.ingredients[name, period] = found
        terms[sold] = -1.0
        parts = sum(at(part, period) for part in product.recipe.values())
        for stream, part in product.recipe.items():
            share = at(part, period) / parts
            row = tagged(f"recipe.{name}.{stream}", period)
            book.row(row, self._share_terms(name, period, stream, share), 0.0, 0.0)

    def _recipe(self, name: str, product: Product, span: Period, sold: str) -> None:
        book, period = self._book, span.name
        model = self._sheet.model
        made = sold
        if any((tank.holds or n) == name for n, tank in model.tanks.items()):
            made = book.column(tagged(f"made.{name}", period))
            self.make[name, period] = {made: 1.0, sold: -1.0}
        parts = sum(at(part, period) for part in product.recipe.values())
        found = []
        for stream, part in product.recipe.items():
            share = at(part, period) / parts
            book.flow(stream, period, made, -share)
            found.append(Ingredient(made, share, stream))
        self.ingredients[name, period] = found

    def _share_terms(self, name: str, period: str, stream: str, share: float) -> dict[str, float]:
        """``Σ what is of the stream − share · Σ all``."""
        own = set(self._sheet.actual(stream))
        return {
            item.column: (1.0 if item.stream in own else 0.0) - share
            for item in self.ingredients[name, period]
        }

    def _shares(self, name: str, product: Product, span: Period) -> None:
        period = span.name
        for stream, component in product.components.items():
            ends: tuple[tuple[Side, PerPeriod | None], ...] = (
                ("min", component.min),
                ("max", component.max),
            )
            for side, given in ends:
                if given is None:
                    continue
                share = at(given, period)
                path = f"products.{name}.components.{stream}"
                word = "least" if side == "min" else "largest"
                limit = Limit(
                    path,
                    f"{path}.{side}",
                    f"{word} share of {stream} in {name}",
                    side,
                    share,
                    "",
                    period,
                    span.days,
                    self._total(name, period),
                    fixed_range=False,
                )
                low, high = (0.0, INFINITY) if side == "min" else (-INFINITY, 0.0)
                self._book.row(
                    tagged(f"{path}.{side}", period),
                    self._share_terms(name, period, stream, share),
                    low,
                    high,
                    {side: limit},
                    scale=1.0,
                )

    def _total(self, name: str, period: str) -> Callable[[Values], float]:
        columns = [item.column for item in self.ingredients[name, period]]
        return lambda values: sum(values[column] for column in columns)

    def _specs(self, name: str, product: Product, span: Period) -> None:
        for prop, spec in product.specs.items():
            ends: tuple[tuple[Side, PerPeriod | None], ...] = (("min", spec.min), ("max", spec.max))
            for side, given in ends:
                if given is not None:
                    self._spec(name, span, prop, side)

    def _spec(self, name: str, span: Period, prop: str, side: Side) -> None:
        ingredients = self.ingredients[name, span.name]
        if any(self._sheet.computed(item.stream) for item in ingredients):
            self.computed_specs.append((name, span.name, prop, side))
            return
        parts = [
            (item.column, item.share, self._properties(item.stream, span.name))
            for item in ingredients
        ]
        self.add_spec(name, span.name, prop, side, parts)

    def add_spec(self, name: str, period: str, prop: str, side: Side, parts: list[Part]) -> None:
        """Add a specification over the parts of a product: column, share of it, and properties."""
        model, rules = self._sheet.model, self._sheet.rules
        product, spec = model.products[name], model.products[name].specs[prop]
        span = self._spans[period]
        given = spec.min if side == "min" else spec.max
        bound = at(0.0 if given is None else given, period)
        index = rules.index(prop)
        wanted = index.of(bound)
        terms: dict[str, float] = {}
        weights: dict[str, float] = {}
        weighed, index_of = rules.needs_density(prop), index.of
        for column, share, known in parts:
            weight = rules.weight(prop, known) * share if weighed else share
            off = weight * (index_of(known[prop]) - wanted)
            terms[column] = terms.get(column, 0.0) + off
            weights[column] = weights.get(column, 0.0) + weight
        path = f"products.{name}.specs.{prop}"
        limit = Limit(
            path=f"{path}.{side}",
            key=f"{path}.{side}",
            what=f"{prop} of {name}",
            side=side,
            bound=bound,
            unit=self._unit(prop),
            period=period,
            days=span.days,
            factor=lambda values: (
                index.slope(bound) * sum(w * values[c] for c, w in weights.items())
            ),
            # The ends of the program's range would move the amount as well, so that none is claimed.
            fixed_range=False,
        )
        at_least = (side == "min") == index.rising
        low, high = (0.0, INFINITY) if at_least else (-INFINITY, 0.0)
        least = at(product.min, period)
        scale = max(abs(wanted) * least, 1e-6) if least > 0 else 1.0
        self._book.row(
            tagged(f"{path}.{side}", period),
            terms,
            low,
            high,
            {"min" if at_least else "max": limit},
            scale=scale,
        )

    def _properties(self, stream: str, period: str) -> dict[str, float]:
        found = self._known.get((stream, period))
        if found is None:
            known = self._sheet.properties.get(stream, {})
            found = {prop: at(value, period) for prop, value in known.items()}
            self._known[stream, period] = found
        return found

    def _unit(self, prop: str) -> str:
        rule = self._sheet.model.properties.get(prop)
        return rule.unit if rule else ""
