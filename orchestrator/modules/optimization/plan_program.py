"""The linear program of a plan model, and the words for what its solution says.

Maximise Σ price · sold + Σ surplus price · surplus − Σ price · bought − Σ cost · run, subject to

* the balance of each stream: bought + Σ yield · run = Σ run as feed + Σ blended + surplus
* the make of each product: Σ blended = sold, or fixed parts of a recipe
* capacities: minimum ≤ Σ use · run ≤ capacity
* specifications, linear by amount: Σ property · blended ≤ or ≥ bound · sold
* availability, demand and further limits
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.modules.optimization.linear import (
    INFINITY,
    Column,
    LinearProgram,
    LinearSolution,
    Row,
)
from orchestrator.modules.optimization.models import Conflict
from orchestrator.modules.optimization.plan_input import PlanModel, Price, Product, Stream
from orchestrator.modules.optimization.plan_result import NotDone, PlanLimit

SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class SpecRow:
    """Which product, property and side a specification row stands for."""

    product: str
    prop: str
    side: str
    bound: float


class PlanProgram:
    """A plan model as a linear program.

    Args:
        model: The model.
        price: Money per unit for a price of the model.
    """

    def __init__(self, model: PlanModel, price: Callable[[Price], float]) -> None:
        self.model = model
        self.prices: dict[str, float] = {}
        self.program = LinearProgram()
        self.specs: dict[str, SpecRow] = {}
        self._balance: dict[str, dict[str, float]] = defaultdict(dict)
        for name, crude in model.crudes.items():
            column = f"crudes.{name}"
            self.prices[column] = price(crude.price)
            upper = INFINITY if crude.max is None else crude.max
            self._column(column, crude.min, upper, -self.prices[column])
            self._flow(name, column, 1.0)
        self._add_units()
        for name, product in model.products.items():
            self._add_product(name, product, price(product.price))
        for name, terms in list(self._balance.items()):
            stream = model.streams.get(name, Stream())
            rule = model.surplus if stream.surplus == "inherit" else stream.surplus
            if rule == "allowed":
                column = f"surplus.{name}"
                self.program.add_column(Column(column, worth=stream.surplus_price))
                terms[column] = -1.0
            self.program.add_row(Row(f"balance.{name}", terms, 0.0, 0.0, elastic=False))
        for name, limit in model.limits.items():
            total: dict[str, float] = defaultdict(float)
            for term, factor in limit.terms.items():
                for column in self._columns_of(term):
                    total[column] += factor
            least = -INFINITY if limit.min is None else limit.min
            most = INFINITY if limit.max is None else limit.max
            self.program.add_row(Row(f"limits.{name}", dict(total), least, most))

    def _column(self, name: str, lower: float, upper: float, worth: float) -> None:
        self.program.add_column(Column(name, lower, upper, worth, elastic=True))

    def _flow(self, stream: str, column: str, amount: float) -> None:
        terms = self._balance[stream]
        terms[column] = terms.get(column, 0.0) + amount

    def _add_units(self) -> None:
        for name, unit in self.model.units.items():
            load: dict[str, float] = {}
            for feed_name, feed in unit.feeds.items():
                column = f"units.{name}.{feed_name}"
                self.program.add_column(Column(column, worth=-feed.cost))
                self._flow(feed_name, column, -1.0)
                for stream, amount in feed.yields.items():
                    self._flow(stream, column, amount)
                load[column] = feed.use
            if unit.capacity is not None or unit.minimum > 0:
                most = INFINITY if unit.capacity is None else unit.capacity
                least = unit.minimum if unit.minimum > 0 else -INFINITY
                self.program.add_row(Row(f"units.{name}", load, least, most))

    def _add_product(self, name: str, product: Product, price: float) -> None:
        sold = f"products.{name}"
        self.prices[sold] = price
        self._column(sold, product.min, INFINITY if product.max is None else product.max, price)
        if product.recipe:
            parts = sum(product.recipe.values())
            for stream, part in product.recipe.items():
                self._flow(stream, sold, -part / parts)
            return
        if not product.components:
            self._flow(name, sold, -1.0)
            return
        make = {sold: -1.0}
        for stream in product.components:
            column = f"blend.{name}.{stream}"
            self.program.add_column(Column(column))
            self._flow(stream, column, -1.0)
            make[column] = 1.0
        self.program.add_row(Row(f"make.{name}", make, 0.0, 0.0, elastic=False))
        for prop, spec in product.specs.items():
            for side, bound in (("min", spec.min), ("max", spec.max)):
                if bound is None:
                    continue
                terms = {sold: -bound}
                for stream in product.components:
                    value = self.model.streams[stream].properties[prop]
                    terms[f"blend.{name}.{stream}"] = value
                row = f"products.{name}.specs.{prop}.{side}"
                least, most = (0.0, INFINITY) if side == "min" else (-INFINITY, 0.0)
                size = max(abs(bound) * product.min, 1e-6) if product.min > 0 else 1.0
                self.program.add_row(Row(row, terms, least, most, scale=size))
                self.specs[row] = SpecRow(name, prop, side, bound)

    def _columns_of(self, term: str) -> list[str]:
        if term in self.program.columns:
            return [term]
        return [f"{term}.{feed}" for feed in self.model.units[term.partition(".")[2]].feeds]

    def words(self, path: str, side: str) -> str:
        """A limit in words."""
        kind, _, rest = path.partition(".")
        if path in self.specs:
            spec = self.specs[path]
            return f"{spec.prop} of {spec.product}"
        plain = {
            "crudes": "availability" if side == "max" else "least purchase",
            "products": "demand" if side == "max" else "least sale",
            "units": "capacity" if side == "max" else "least load",
            "balance": "balance",
        }
        return f"{plain[kind]} of {rest}" if kind in plain else f"limit {rest}"

    def binding(self, solution: LinearSolution) -> tuple[PlanLimit, ...]:
        """Limits with a shadow price, dearest first."""
        found: list[PlanLimit] = []
        for name, row in self.program.rows.items():
            dual = solution.row_dual[name]
            if abs(dual) <= SMALL or name.startswith(("balance.", "make.")):
                continue
            bounds = solution.row_range.get(name)
            low, high = (bounds.low, bounds.high) if bounds else (-math.inf, math.inf)
            if name in self.specs:
                spec = self.specs[name]
                sold = solution.values[f"products.{spec.product}"]
                # One unit of the property moves the row's bound by the amount sold. The ends of the
                # range would move the amount as well, so none is claimed.
                found.append(
                    self._limit(name, spec.side, spec.bound, dual * sold, -math.inf, math.inf)
                )
                continue
            at_most = abs(solution.activities[name] - row.upper) <= abs(
                solution.activities[name] - row.lower
            )
            side, bound = ("max", row.upper) if at_most else ("min", row.lower)
            found.append(self._limit(name, side, bound, dual, low, high))
        for name, column in self.program.columns.items():
            dual = solution.column_dual[name]
            if not column.elastic or abs(dual) <= SMALL:
                continue
            bounds = solution.column_range.get(name)
            low, high = (bounds.low, bounds.high) if bounds else (-math.inf, math.inf)
            if dual > 0:
                found.append(self._limit(name, "max", column.upper, dual, low, high))
            elif column.lower > 0:
                found.append(self._limit(name, "min", column.lower, dual, low, high))
        found.sort(key=lambda item: -abs(item.shadow_price * max(abs(item.bound), 1.0)))
        return tuple(found)

    def _limit(
        self, path: str, side: str, bound: float, dual: float, low: float, high: float
    ) -> PlanLimit:
        money = self.model.money_unit
        what = self.words(path, side)
        unit = "one" if path in self.specs else f"one {self.model.quantity_unit}/d"
        gain = "earns" if dual > 0 else "costs"
        return PlanLimit.model_validate(
            {
                "limit": what,
                "path": path,
                "side": side,
                "bound": bound,
                "shadow_price": dual,
                "from_bound": low if math.isfinite(low) else None,
                "to_bound": high if math.isfinite(high) else None,
                "text": f"{unit} more of the limit on {what} ({bound:g}) {gain} "
                f"{abs(dual):,.4g} {money} a day",
            }
        )

    def not_done(self, solution: LinearSolution) -> tuple[NotDone, ...]:
        """Crudes, products and feeds at zero, with what their price lacks."""
        found: list[NotDone] = []
        for name in self.program.columns:
            kind, _, rest = name.partition(".")
            dual = solution.column_dual[name]
            if kind in ("surplus", "blend") or dual >= -SMALL or solution.values[name] > SMALL:
                continue
            if self.program.columns[name].lower > 0:
                continue
            lacks, money = -dual, f"{self.model.money_unit}/{self.model.quantity_unit}"
            text = {
                "crudes": f"{rest} would have to be {lacks:,.4g} {money} cheaper to be bought",
                "products": f"{rest} would have to sell for {lacks:,.4g} {money} more to be made",
                "units": f"running {rest} loses {lacks:,.4g} {money}",
            }[kind]
            found.append(NotDone(what=name, lacks=lacks, text=text))
        return tuple(sorted(found, key=lambda item: item.lacks))

    def conflicts(self, time_limit: float) -> tuple[Conflict, ...]:
        """Where infeasible: the limits to relax, with the least relaxation."""
        relaxed, values = self.program.relaxation(time_limit)
        found: list[Conflict] = []
        for item in relaxed:
            bound, by, unit = item.bound, item.by, f"{self.model.quantity_unit}/d"
            if item.name in self.specs:
                spec = self.specs[item.name]
                sold = values.get(f"products.{spec.product}", 0.0)
                bound, by, unit = spec.bound, by / sold if sold > SMALL else by, ""
            what = self.words(item.name, item.side)
            direction = "raise" if item.side == "max" else "lower"
            text = f"{direction} the {item.side} {bound:g} on {what} by {by:,.6g} {unit}".rstrip()
            found.append(
                Conflict.model_validate(
                    {
                        "limit": what,
                        "side": item.side,
                        "bound": bound,
                        "relax_by": by,
                        "unit": unit,
                        "text": text,
                    }
                )
            )
        return tuple(found)
