"""A blending network as a bilinear program: the pq-formulation, for nested pools its general form.

For a pool l with feeds i and outlets j the program has the share of each feed, ``y[i,l]``, the flow to
each outlet, ``v[l,j]``, and what of it comes from each feed, ``x[i,l,j] = y[i,l] · v[l,j]``. Limits of
quality and balances are linear in x. Multiplying ``Σ y = 1`` by v and the capacity by y gives rows that
are implied and make the relaxation tight:

    Σ_i x[i,l,j] = v[l,j]        Σ_j x[i,l,j] ≤ capacity[l] · y[i,l]

(Quesada and Grossmann, Computers and Chemical Engineering 19, 1995; Tawarmalani and Sahinidis,
Convexification and Global Optimization, 2002, chapter 9). With pools that feed pools, each feed is a
commodity that is balanced at each pool (Alfaki and Haugland, Journal of Global Optimization 56, 2013);
without, that is the pq-formulation. A pool with one feed or one outlet needs no product: whatever leaves
it is what flowed in.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.bilinear import BilinearProgram
from orchestrator.modules.optimization.linear import INFINITY, Column, Row

if TYPE_CHECKING:
    from orchestrator.modules.optimization.blending.network import Network, Spec
    from orchestrator.modules.optimization.blending.problem import Lots, Mixture, Named

FLOW_SIZE = 100.0
"""What the largest flow is scaled to, so that tolerances mean the same in any unit."""
LOT_LIMIT = 100.0
"""Largest flow with a lot or fixed cost where nothing bounds it, over the largest known flow."""


@dataclass(frozen=True)
class FlowLimit:
    """What a row or column limits: ``what`` (supply, demand, capacity, flow, share, components) of which."""

    what: str
    of: str


@dataclass
class Formulation:
    """The program, its scales, and what its rows stand for.

    Attributes:
        program: A maximisation of ``−cost / (flow · money)``.
        flow: One scaled unit of flow.
        money: One scaled unit of price.
        limits: Row or column -> flow limit.
        specs: Row -> limit of quality and the factor by which the row was divided.
        implied: Rows that only make the relaxation tight; their prices mean nothing.
        bounds: Bounds of columns that the problem itself gives, where those of the program are tighter.
        boxed: Whether a flow with lots had to be bounded by a made-up number.
        carried: Arc -> feed -> column with what of its flow comes from that feed.
    """

    network: Network
    flow: float
    money: float
    program: BilinearProgram = field(default_factory=BilinearProgram)
    limits: dict[str, FlowLimit] = field(default_factory=dict)
    specs: dict[str, tuple[Spec, float]] = field(default_factory=dict)
    implied: set[str] = field(default_factory=set)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    boxed: bool = False
    carried: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def inflow(self, node: str) -> dict[str, dict[str, float]]:
        """Feed -> columns with what of it flows into a node, each counted once."""
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for ends in self.network.into[node]:
            for feed, column in self.carried[ends].items():
                found[feed][column] = 1.0
        return found


def formulate(network: Network) -> Formulation:
    """The program of a network."""
    return _Builder(network).build()


def flow_column(ends: tuple[str, str]) -> str:
    """Name of the column with the flow of an arc."""
    return f"{ends[0]} to {ends[1]}"


class _Builder:
    def __init__(self, network: Network) -> None:
        self.network = network
        problem = network.problem
        known = [bound for bound in network.most.values() if 0 < bound < math.inf]
        known += [feed.min for feed in problem.feeds if feed.min > 0]
        known += [product.min for product in problem.products if product.min > 0]
        prices = [abs(feed.price) for feed in problem.feeds]
        prices += [abs(product.price) for product in problem.products]
        prices += [abs(arc.cost) for arc in network.arcs.values()]
        self.made = Formulation(
            network,
            flow=max(known, default=FLOW_SIZE) / FLOW_SIZE,
            money=max(prices, default=0.0) or 1.0,
        )
        self.linear = self.made.program.linear

    def build(self) -> Formulation:
        problem = self.network.problem
        for ends in self.network.arcs:
            self._add_flow(ends)
        for pool in problem.pools:
            self._add_pool(pool.id)
        for ends, arc in self.network.arcs.items():
            self._add_fractions(ends)
            self._add_lots(flow_column(ends), [ends], arc, arc.max_flow)
        for feed in problem.feeds:
            self._add_node("supply", feed, self.network.out[feed.id], feed.min, feed.max)
        for product in problem.products:
            arcs = self.network.into[product.id]
            self._add_node("demand", product, arcs, product.min, product.max)
            self._add_count(product)
        for pool in problem.pools:
            self._add_node("capacity", pool, self.network.into[pool.id], 0.0, pool.capacity)
            self._add_count(pool)
        for spec in self.network.specs:
            self._add_spec(spec)
        return self.made

    def _scaled(self, value: float | None) -> float:
        return INFINITY if value is None else value / self.made.flow

    def _most(self, ends: tuple[str, str]) -> float:
        return self.network.most[ends] / self.made.flow

    def _add_flow(self, ends: tuple[str, str]) -> None:
        """Flow of an arc with its money, and what it carries of each feed."""
        network, problem = self.network, self.network.problem
        arc, (start, end) = network.arcs[ends], ends
        prices = {feed.id: feed.price for feed in problem.feeds}
        sales = {product.id: product.price for product in problem.products}
        cost = arc.cost + prices.get(start, 0.0) - sales.get(end, 0.0)
        name, most = flow_column(ends), self._most(ends)
        least = arc.min_flow / self.made.flow
        worth = -cost / self.made.money
        self.linear.add_column(Column(name, least, max(least, most), worth, elastic=True))
        self.made.bounds[name] = least, self._scaled(arc.max_flow)
        self.made.limits[name] = FlowLimit("flow", name)
        feeds = [start] if start in prices else network.within[start]
        if len(feeds) == 1:
            self.made.carried[ends] = {feeds[0]: name}
            return
        self.made.carried[ends] = {feed: f"{feed} in {name}" for feed in feeds}
        for column in self.made.carried[ends].values():
            self.linear.add_column(Column(column, 0.0, most))
            self.made.bounds[column] = 0.0, INFINITY
        total = {name: -1.0} | dict.fromkeys(self.made.carried[ends].values(), 1.0)
        self.linear.add_row(Row(f"sum of {name}", total, 0.0, 0.0, elastic=False))

    def _add_pool(self, pool: str) -> None:
        """Balance of each feed in a pool, and its products where it has a choice."""
        network, carried = self.network, self.made.carried
        into, out = network.into[pool], network.out[pool]
        inflow = self.made.inflow(pool)
        for feed in network.within[pool]:
            terms = dict(inflow[feed])
            for ends in out:
                terms[carried[ends][feed]] = -1.0
            name = f"balance of {feed} in {pool}"
            self.linear.add_row(Row(name, terms, 0.0, 0.0, elastic=False))
        if len(network.within[pool]) < 2 or len(out) < 2:
            return
        most = min(sum(map(self._most, into)), sum(map(self._most, out)))
        shares = {feed: f"share of {feed} in {pool}" for feed in network.within[pool]}
        for feed, share in shares.items():
            self.linear.add_column(Column(share, 0.0, self._largest_share(feed, pool)))
        total = dict.fromkeys(shares.values(), 1.0)
        self.linear.add_row(Row(f"shares in {pool}", total, 1.0, 1.0, elastic=False))
        for feed, share in shares.items():
            for ends in out:
                self.made.program.declare_product(carried[ends][feed], share, flow_column(ends))
            if math.isfinite(most):
                terms = {carried[ends][feed]: 1.0 for ends in out} | {share: -most}
                name = f"capacity of {pool} for {feed}"
                self.linear.add_row(Row(name, terms, -INFINITY, 0.0, elastic=False))
                self.made.implied.add(name)

    def _largest_share(self, feed: str, pool: str) -> float:
        """Of a pool that is fed by feeds alone the arcs' own limits hold for the shares."""
        arcs = self.network.into[pool]
        nested = any(start in self.network.within for start, _ in arcs)
        if nested or sum(self.network.arcs[ends].max_fraction for ends in arcs) < 1:
            return 1.0
        return self.network.arcs[feed, pool].max_fraction

    def _add_node(
        self,
        what: str,
        part: Named,
        arcs: list[tuple[str, str]],
        least: float,
        most: float | None,
    ) -> None:
        """Limits and lots of all that flows through a node."""
        name = f"{what} of {part.id}"
        if least > 0 or (arcs and most is not None):
            low = least / self.made.flow if least > 0 else -INFINITY
            terms = {flow_column(ends): 1.0 for ends in arcs}
            self.linear.add_row(Row(name, terms, low, self._scaled(most)))
            self.made.limits[name] = FlowLimit(what, part.id)
        self._add_lots(name, arcs, part, most)

    def _add_fractions(self, ends: tuple[str, str]) -> None:
        arc, name = self.network.arcs[ends], flow_column(ends)
        for side, bound, given in (
            ("min", arc.min_fraction, arc.min_fraction > 0),
            ("max", arc.max_fraction, arc.max_fraction < 1),
        ):
            if not given:
                continue
            terms = {flow_column(other): -bound for other in self.network.into[ends[1]]}
            terms[name] += 1.0
            row = f"{side} share of {name}"
            low, high = (0.0, INFINITY) if side == "min" else (-INFINITY, 0.0)
            self.linear.add_row(Row(row, terms, low, high, scale=1.0))
            self.made.limits[row] = FlowLimit("share", name)

    def _add_spec(self, spec: Spec) -> None:
        """``Σ weight · (index − bound) · flow ≤ 0`` over what flows into a pool or product."""
        terms = {
            column: spec.excess(feed)
            for feed, columns in self.made.inflow(spec.of).items()
            for column in columns
        }
        size = max(map(abs, terms.values()), default=0.0)
        if size == 0:
            return
        name = f"{spec.prop.name} {spec.side} of {spec.of}"
        scaled = {column: value / size for column, value in terms.items()}
        # To miss it altogether counts like missing all that must be made.
        least = max(1.0, self._least(spec.of))
        self.linear.add_row(Row(name, scaled, -INFINITY, 0.0, scale=least))
        self.made.specs[name] = spec, size

    def _least(self, node: str) -> float:
        products = {product.id: product.min for product in self.network.problem.products}
        return products.get(node, 0.0) / self.made.flow

    def _add_lots(
        self, name: str, arcs: list[tuple[str, str]], lots: Lots, most: float | None
    ) -> None:
        """Nothing or at least a lot, whole lots, and a cost of any flow at all."""
        if not arcs or not lots.discrete:
            return
        terms = {flow_column(ends): 1.0 for ends in arcs}
        if lots.lot_size is not None:
            size = lots.lot_size / self.made.flow
            count = f"lots of {name}"
            top = math.floor(self._reach(arcs, most) / size + 1e-9)
            self.linear.add_column(Column(count, 0.0, float(top), kind="integer"))
            row = Row(f"whole {count}", terms | {count: -size}, 0.0, 0.0, elastic=False)
            self.linear.add_row(row)
        if lots.minimum_lot is not None or lots.fixed_cost > 0:
            use = self._use_of(name, arcs, most, lots.fixed_cost)
            if lots.minimum_lot is not None:
                least = terms | {use: -lots.minimum_lot / self.made.flow}
                self.linear.add_row(Row(f"lot of {name}", least, 0.0, INFINITY, elastic=False))

    def _use_of(
        self, name: str, arcs: list[tuple[str, str]], most: float | None, cost: float = 0.0
    ) -> str:
        """Column that is 1 where anything flows; made once."""
        use = f"use of {name}"
        if use not in self.linear.columns:
            worth = -cost / (self.made.flow * self.made.money)
            self.linear.add_column(Column(use, 0.0, 1.0, worth, kind="integer"))
            terms = {flow_column(ends): 1.0 for ends in arcs} | {use: -self._reach(arcs, most)}
            self.linear.add_row(Row(f"none without {use}", terms, -INFINITY, 0.0, elastic=False))
        return use

    def _reach(self, arcs: list[tuple[str, str]], most: float | None) -> float:
        """Largest flow through arcs, made up where nothing bounds it."""
        bound = min(sum(map(self._most, arcs)), self._scaled(most))
        if math.isfinite(bound):
            return bound
        self.made.boxed = True
        return LOT_LIMIT * FLOW_SIZE

    def _add_count(self, part: Mixture) -> None:
        """At most so many arcs into a node."""
        arcs = self.network.into[part.id]
        if part.max_components is None or part.max_components >= len(arcs):
            return
        terms = {self._use_of(flow_column(ends), [ends], None): 1.0 for ends in arcs}
        name = f"components of {part.id}"
        self.linear.add_row(Row(name, terms, -INFINITY, float(part.max_components)))
        self.made.limits[name] = FlowLimit("components", part.id)
