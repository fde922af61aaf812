"""Pools of a plan whose properties follow from what flows in: columns and rows added to its program.

Each stream that can be in a pool is a commodity. What leaves the pool, to a blend, a unit, a tank or
another pool, carries of each stream the pool's share of it: ``carried = share · flow``, one product for
each stream and outlet (Alfaki and Haugland, Journal of Global Optimization 56, 2013). A tank of the pool
carries its composition into the next period, and its opening stock is a stream of its own with the
properties that the file gives for the pool. Specifications and yields that depend on a property of the
pool are linear in what is carried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.planning.book import Book, Side, tagged
from orchestrator.modules.optimization.refinery.numbers import at

if TYPE_CHECKING:
    from orchestrator.modules.optimization.planning.products import ProductRows
    from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet, Process
    from orchestrator.modules.optimization.refinery.parts import Period

OPENING = "opening stock of "


@dataclass
class ComputedPools:
    """What is added to a plan for its computed pools.

    Attributes:
        book: Columns and rows of the plan.
        sheet: Its flowsheet.
        carried: Pool and column that leaves it -> stream -> column with what of it that is.
        products: Carried column -> its share and its flow.
        shares: Pool and period -> stream -> share column; empty where a pool has no choice.
        outlets: Pool and period -> column that leaves it -> amount of the pool in one of it.
    """

    book: Book
    sheet: Flowsheet
    carried: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    products: dict[str, tuple[str, str]] = field(default_factory=dict)
    shares: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    outlets: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The computed pools."""
        return [name for name, pool in self.sheet.model.pools.items() if pool.computed]

    def within(self, pool: str) -> list[str]:
        """Streams that can be in a pool, those of pools that it mixes resolved."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = [pool]
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            if self.opening(name) > 0:
                found[OPENING + name] = None
            for given in self.sheet.model.pools[name].mixes:
                for stream in self.sheet.actual(given):
                    if self.sheet.computed(stream):
                        waiting.append(stream)
                    else:
                        found[stream] = None
        return list(found)

    def opening(self, pool: str) -> float:
        """Amount of a pool in its tanks before the first period."""
        first = self.sheet.model.spans[0].name
        return sum(
            at(tank.opening, first)
            for name, tank in self.sheet.model.tanks.items()
            if (tank.holds or name) == pool
        )

    def properties(self, stream: str, period: str) -> dict[str, float]:
        """Properties of a stream that can be in a pool."""
        known = self.sheet.properties.get(stream.removeprefix(OPENING), {})
        return {prop: at(value, period) for prop, value in known.items()}

    def parts(
        self, column: str, stream: str, period: str
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Columns that make up a flow of a stream, each with its properties."""
        if (stream, column) not in self.carried:
            yield column, self.properties(stream, period)
            return
        for part, carrier in self.carried[stream, column].items():
            yield carrier, self.properties(part, period)


def add_computed_pools(book: Book, sheet: Flowsheet, products: ProductRows) -> ComputedPools:
    """Add what the computed pools of a plan need, once its balances are written.

    Raises:
        ParameterError: a pool is also made otherwise, or a property of what it mixes is not known.
    """
    made = ComputedPools(book, sheet)
    for span in sheet.model.spans:
        for pool in made.names:
            _add_outlets(made, pool, span)
    for span in sheet.model.spans:
        for pool in made.names:
            _add_balances(made, pool, span)
    for name, period, prop, side in products.computed_specs:
        _add_spec(made, products, name, period, prop, side)
    for process in sheet.processes:
        if process.deltas and sheet.computed(process.feed):
            for span in sheet.model.spans:
                _move_yields(made, process, span)
    return made


def _add_outlets(made: ComputedPools, pool: str, span: Period) -> None:
    """Shares of a pool and what each of its outlets carries."""
    book, period = made.book, span.name
    outlets = {c: -a for c, a in book.flows[pool, period].items() if a < 0}
    made.outlets[pool, period] = outlets
    surplus = tagged(f"surplus.{pool}", period)
    if surplus in book.program.columns:
        outlets[surplus] = 1.0
    streams = made.within(pool)
    choice = len(streams) > 1 and len(outlets) > 1
    shares = {}
    if choice:
        for stream in streams:
            shares[stream] = book.column(tagged(f"share.{pool}.{stream}", period), upper=1.0)
        book.row(tagged(f"shares.{pool}", period), dict.fromkeys(shares.values(), 1.0), 1.0, 1.0)
    made.shares[pool, period] = shares
    for outlet in outlets:
        if len(streams) == 1:
            made.carried[pool, outlet] = {streams[0]: outlet}
            continue
        carried = {s: book.column(f"{s} of {pool} in {outlet}") for s in streams}
        made.carried[pool, outlet] = carried
        total = dict.fromkeys(carried.values(), 1.0) | {outlet: -1.0}
        book.row(f"sum of {pool} in {outlet}", total, 0.0, 0.0)
        if choice:
            for stream, column in carried.items():
                made.products[column] = (shares[stream], outlet)


def _add_balances(made: ComputedPools, pool: str, span: Period) -> None:
    """What flows in of each stream flows out."""
    book, period = made.book, span.name
    terms: dict[str, dict[str, float]] = {s: defaultdict(float) for s in made.within(pool)}
    for column, amount in book.flows[pool, period].items():
        if amount < 0:
            continue
        source = _source(made, pool, column, period)
        inflow = made.carried.get((source, column), {source: column})
        for stream, carrier in inflow.items():
            terms[stream][carrier] += amount
    for outlet, amount in made.outlets[pool, period].items():
        for stream, carrier in made.carried[pool, outlet].items():
            terms[stream][carrier] -= amount
    first = made.sheet.model.spans[0]
    opening = made.opening(pool) / first.days if period == first.name else 0.0
    for stream, row in terms.items():
        stock = opening if stream == OPENING + pool else 0.0
        book.row(tagged(f"balance.{pool}.{stream}", period), row, -stock, -stock)


def _source(made: ComputedPools, pool: str, column: str, period: str) -> str:
    """The stream or pool that a column brings into a pool; its own tanks bring the pool itself."""
    head = f"pools.{pool}."
    if (pool, column) in made.carried:
        return pool
    name = column.removesuffix(f"[{period}]") if period else column
    if name.startswith(head):
        return name.removeprefix(head)
    raise ParameterError.of_field(
        f"pools.{pool}.computed",
        f"{name} makes {pool!r} beside what is mixed, so that its properties cannot be computed; give "
        "that stream a name of its own and list it in mixes",
        where="plan model",
    )


def _add_spec(
    made: ComputedPools, products: ProductRows, name: str, period: str, prop: str, side: Side
) -> None:
    parts = []
    for item in products.ingredients[name, period]:
        for column, known in made.parts(item.column, item.stream, period):
            _require(made, prop, column, known, f"products.{name}.specs.{prop}")
            parts.append((column, item.share, known))
    products.add_spec(name, period, prop, side, parts)


def _require(
    made: ComputedPools, prop: str, column: str, known: dict[str, float], needed_by: str
) -> None:
    rules = made.sheet.rules
    needed = [prop, *([rules.density_name] if rules.needs_density(prop) else [])]
    for name in needed:
        if name not in known:
            stream = column.removeprefix(OPENING).partition(" of ")[0]
            raise ParameterError.of_field(
                f"streams.{stream}.properties.{name}",
                f"is not known, and {needed_by} needs it of what a computed pool mixes; give it",
                where="plan model",
            )


def _move_yields(made: ComputedPools, process: Process, span: Period) -> None:
    """Yields that move with a property of the feed: ``change · (property − base)`` of what is carried."""
    rules, period = made.sheet.rules, span.name
    column = tagged(process.name, period)
    for prop, changes in process.deltas.items():
        if rules.index(prop).name not in ("linear", rules.basis):
            raise ParameterError.of_field(
                ".".join((*process.path, "deltas", prop)),
                f"depends on a property of the computed pool {process.feed!r} that blends by an index; "
                "let it depend on one that blends linearly",
                where="plan model",
            )
        for carrier, known in made.parts(column, process.feed, period):
            _require(made, prop, carrier, known, ".".join((*process.path, "deltas", prop)))
            off = known[prop] - process.base[prop]
            for stream, change in changes.items():
                row = made.book.program.rows[tagged(f"balance.{stream}", period)]
                row.terms[carrier] = row.terms.get(carrier, 0.0) + change * off
