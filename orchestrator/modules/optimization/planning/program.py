"""The program of a refinery model over its periods.

Maximise the margin Σ days · (Σ price · sold − Σ price · bought − Σ cost · run − ...) subject to, in each
period,

* the balance of each stream: bought + Σ yield · run + drawn from store = Σ run as feed + Σ blended + surplus
* the make of each product: Σ blended + drawn from store = sold, or fixed parts of a recipe
* capacities: minimum ≤ Σ use · run ≤ capacity, less what maintenance takes; 0 or between where on_off
* specifications: Σ weight · (index − index of the bound) · blended ≤ or ≥ 0
* stores: closing = opening + days · (in − out), carried to the next period
* utilities, emissions, availability, demand and further limits

Flows are per day, stores are amounts, money is for the whole of the periods. It is a mixed-integer program
where units may be off, run one mode alone or start at a cost, and where steps of a price need their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.linear import INFINITY, LinearProgram, LinearSolution
from orchestrator.modules.optimization.planning.book import Book, Limit, Side, tagged
from orchestrator.modules.optimization.planning.computed_pools import add_computed_pools
from orchestrator.modules.optimization.planning.products import ProductRows
from orchestrator.modules.optimization.planning.stores import add_tanks
from orchestrator.modules.optimization.planning.trade import add_traded
from orchestrator.modules.optimization.planning.units import add_units
from orchestrator.modules.optimization.refinery.checks import covers
from orchestrator.modules.optimization.refinery.flow_checks import rule_of
from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.numbers import at, price_at
from orchestrator.modules.optimization.refinery.parts import Period, SideLimit, Stream

PriceOf = Callable[[float | str], float]


class PlanProgram:
    """A refinery model as a program.

    Args:
        model: The model.
        price: Money per unit for a price of the model.
        nonlinear: Whether computed pools are let through: their products are then in ``pools`` for
            :mod:`~orchestrator.modules.optimization.planning.pooling` to solve.

    Attributes:
        sheet: The flowsheet.
        book: Columns, rows, accounts and limits.
        program: The program itself.
        products: What each product is made of.
        pools: What is added for computed pools; null where there are none.

    Raises:
        ParameterError: the model has computed pools that are not let through, or that lack a property.
    """

    def __init__(self, model: RefineryModel, price: PriceOf, *, nonlinear: bool = False) -> None:
        self.model = model
        self.sheet = Flowsheet(model)
        self.book = Book()
        computed = [name for name, pool in model.pools.items() if pool.computed]
        if computed and not nonlinear:
            raise ParameterError(
                f"the properties of {', '.join(computed)} follow from what is mixed, which only plan "
                "or what_if can be solved for, without scenarios, alternatives or sensitivity",
                where=f"pools.{computed[0]}.computed",
                remedy="ask for the plan alone, give the pool's properties under streams, or keep its "
                "inputs apart",
            )
        for section, traded in (("crudes", model.crudes), ("purchases", model.purchases)):
            for name, supply in traded.items():
                for span in model.spans:
                    column = add_traded(
                        self.book, model, f"{section}.{name}", supply, span, price, buying=True
                    )
                    self.book.flow(name, span.name, column, 1.0)
        add_units(self.book, self.sheet)
        self.products = ProductRows(self.book, self.sheet, price)
        self._pools()
        self._utilities(price)
        # Tanks come after everything else that moves a stream or product, and before the balances.
        add_tanks(self.book, model, self.products.make, price)
        self.products.close()
        self._balances()
        self._emissions(price)
        self.pools = add_computed_pools(self.book, self.sheet, self.products) if computed else None
        for name, limit in model.limits.items():
            self._side_limit(name, limit)

    def solve(self, time_limit: float, *, ranging: bool = False) -> LinearSolution:
        """The best plan: by HiGHS, or as a bilinear program where there are computed pools."""
        if self.pools is None:
            return self.program.solve(time_limit, ranging=ranging)
        from orchestrator.modules.optimization.planning import pooling

        return pooling.solve(self, self.pools, time_limit)

    @property
    def program(self) -> LinearProgram:
        """The program itself."""
        return self.book.program

    @property
    def prices(self) -> dict[str, float]:
        """Column -> price of what is bought or sold."""
        return self.book.prices

    @property
    def integer(self) -> bool:
        """Whether there are decisions of yes or no."""
        return any(column.kind == "integer" for column in self.program.columns.values())

    def _pools(self) -> None:
        for name, pool in self.model.pools.items():
            for span in self.model.spans:
                for given in pool.mixes:
                    for stream in self.sheet.actual(given):
                        column = self.book.column(tagged(f"pools.{name}.{stream}", span.name))
                        self.book.flow(stream, span.name, column, -1.0)
                        self.book.flow(name, span.name, column, 1.0)

    def _utilities(self, price: PriceOf) -> None:
        book = self.book
        for name, utility in self.model.utilities.items():
            used = [p for p in self.sheet.processes if name in p.utilities]
            makes = any(at(p.utilities[name], s.name) < 0 for p in used for s in self.model.spans)
            for span in self.model.spans:
                terms: dict[str, float] = {}
                for process in used:
                    rate = at(process.utilities[name], span.name)
                    terms[tagged(process.name, span.name)] = -rate
                for given, made in utility.from_.items():
                    for stream in self.sheet.actual(given):
                        column = book.column(tagged(f"burn.{name}.{stream}", span.name))
                        book.flow(stream, span.name, column, -1.0)
                        terms[column] = at(made, span.name)
                if utility.purchase and utility.price is not None:
                    column = self._purchase(name, span, price(price_at(utility.price, span.name)))
                    terms[column] = 1.0
                if utility.sell_price is not None:
                    worth = price(price_at(utility.sell_price, span.name))
                    sold = tagged(f"sell.{name}", span.name)
                    book.column(sold, worth=worth * span.days, account="utilities")
                    terms[sold] = -1.0
                elif makes:
                    terms[book.column(tagged(f"vent.{name}", span.name))] = -1.0
                book.row(tagged(f"utilities.{name}", span.name), terms, 0.0, 0.0)

    def _purchase(self, name: str, span: Period, price: float) -> str:
        utility = self.model.utilities[name]
        unit = f"{utility.unit}/d" if utility.unit else "a day"
        low = at(utility.min, span.name)
        high = INFINITY if utility.max is None else at(utility.max, span.name)
        path, column = f"utilities.{name}", tagged(f"utilities.{name}", span.name)
        ends: tuple[tuple[Side, str, float], ...] = (
            ("max", f"availability of {name}", high),
            ("min", f"least purchase of {name}", low),
        )
        limits = tuple(
            Limit(path, f"{path}.{side}", words, side, bound, unit, span.name, span.days)
            for side, words, bound in ends
            if 0 < bound < INFINITY or (side == "max" and bound < INFINITY)
        )
        self.book.prices[column] = price
        self.book.days[column] = span.days
        return self.book.column(
            column,
            worth=-price * span.days,
            account="utilities",
            lower=low,
            upper=high,
            limits=limits,
        )

    def _balances(self) -> None:
        spans = {span.name: span for span in self.model.spans}
        streams = dict.fromkeys(stream for stream, _ in self.book.flows)
        rules = {stream: rule_of(self.sheet, stream) for stream in streams}
        for stream, period in list(self.book.flows):
            self._balance(stream, spans[period], rules[stream])

    def _balance(self, stream: str, span: Period, rule: Stream) -> None:
        period = span.name
        terms = self.book.flows[stream, period]
        if rule.surplus == "allowed":
            column = self.book.column(
                tagged(f"surplus.{stream}", period),
                worth=at(rule.surplus_price, period) * span.days,
                account="surplus",
            )
            terms[column] = -1.0
        constant = self.stored_at_first(stream, period)
        self.book.row(tagged(f"balance.{stream}", period), terms, -constant, -constant)

    def stored_at_first(self, stream: str, period: str) -> float:
        """What the opening stock of a stream adds to its balance in the first period, per day."""
        first = self.model.spans[0]
        if period != first.name:
            return 0.0
        return sum(
            at(tank.opening, first.name) / first.days
            for name, tank in self.model.tanks.items()
            if (tank.holds or name) == stream
        )

    def _emissions(self, price: PriceOf) -> None:
        book, model = self.book, self.model
        for name, emission in model.emissions.items():
            total: dict[str, float] = {}
            path, unit = f"emissions.{name}", f"{emission.unit}/d"
            for span in model.spans:
                cap = INFINITY if emission.cap is None else at(emission.cap, span.name)
                limits: tuple[Limit, ...] = ()
                if cap < INFINITY:
                    what = f"cap on {name}"
                    limits = (
                        Limit(path, f"{path}.cap", what, "max", cap, unit, span.name, span.days),
                    )
                money = price(price_at(emission.price, span.name))
                column = book.column(
                    tagged(path, span.name),
                    worth=-money * span.days,
                    account="emissions",
                    upper=cap,
                    limits=limits,
                )
                terms = self._emitted(name, span.name)
                terms[column] = -1.0
                book.row(tagged(f"emitted.{name}", span.name), terms, 0.0, 0.0)
                total[column] = span.days
            if emission.cap_total is not None:
                cap = at(emission.cap_total, model.spans[0].name)
                what = f"cap on {name} in all"
                limit = Limit(path, f"{path}.cap_total", what, "max", cap, emission.unit)
                book.row(f"{path}.cap_total", total, -INFINITY, cap, {"max": limit})

    def _emitted(self, name: str, period: str) -> dict[str, float]:
        terms: dict[str, float] = {}
        for process in self.sheet.processes:
            if name in process.emissions:
                terms[tagged(process.name, period)] = at(process.emissions[name], period)
        for utility_name, utility in self.model.utilities.items():
            bought = tagged(f"utilities.{utility_name}", period)
            if name in utility.emissions and bought in self.program.columns:
                terms[bought] = at(utility.emissions[name], period)
            for given in utility.from_:
                for stream in self.sheet.actual(given):
                    factor = rule_of(self.sheet, stream).emissions.get(name, 0.0)
                    terms[tagged(f"burn.{utility_name}.{stream}", period)] = at(factor, period)
        for stream, when in self.book.flows:
            column = tagged(f"surplus.{stream}", period)
            factor = rule_of(self.sheet, stream).emissions.get(name, 0.0)
            if when == period and column in self.program.columns and factor:
                terms[column] = at(factor, period)
        return terms

    def _side_limit(self, name: str, limit: SideLimit) -> None:
        spans = self.model.spans
        if limit.over == "horizon":
            self._limit_over(name, limit, "", spans)
            return
        for span in spans:
            self._limit_over(name, limit, span.name, (span,))

    def _limit_over(
        self, name: str, limit: SideLimit, period: str, spans: tuple[Period, ...]
    ) -> None:
        """A further limit on a period, per day, or on the sum over the days of all."""
        whole = limit.over == "horizon"
        terms: dict[str, float] = defaultdict(float)
        for term, factor in limit.terms.items():
            stock = term.startswith("tanks.")
            for span in spans:
                days = span.days if whole and not stock else 1.0
                for column in self.columns_of(term, span.name):
                    terms[column] += at(factor, span.name) * days
        low = -INFINITY if limit.min is None else at(limit.min, spans[0].name)
        high = INFINITY if limit.max is None else at(limit.max, spans[0].name)
        path, days = f"limits.{name}", 1.0 if whole else spans[0].days
        limits: dict[Side, Limit] = {
            side: Limit(path, f"{path}.{side}", f"limit {name}", side, bound, "", period, days)
            for side, bound in self._finite(low, high)
        }
        self.book.row(tagged(path, period), terms, low, high, limits)

    @staticmethod
    def _finite(low: float, high: float) -> list[tuple[Side, float]]:
        ends: list[tuple[Side, float]] = [("min", low), ("max", high)]
        return [(side, bound) for side, bound in ends if abs(bound) < INFINITY]

    def columns_of(self, term: str, period: str) -> list[str]:
        """Columns that a term of a limit counts in a period."""
        kind = term.partition(".")[0]
        columns = self.program.columns
        if kind == "units":
            return [
                tagged(process.name, period)
                for process in self.sheet.processes
                if term in covers(process.name)
            ]
        if kind in ("surplus", "blends", "pools"):
            head, _, stream = term.rpartition(".")
            names = [f"{head}.{actual}" for actual in self.sheet.actual(stream)]
            names = [name.replace("blends.", "blend.", 1) for name in names]
            return [tagged(n, period) for n in names if tagged(n, period) in columns]
        return [tagged(term, period)] if tagged(term, period) in columns else []
