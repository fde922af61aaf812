"""A blend worked out from its flows alone, and checked against the problem as it was given.

Nothing of the program is used here: what each pool and product is made of follows from the balances of
the pools, their qualities from that, so that a wrong program cannot confirm itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from orchestrator.modules.optimization.blending.network import Network
    from orchestrator.modules.optimization.blending.problem import (
        Arc,
        BlendPool,
        BlendProduct,
        Feed,
        Lots,
    )

TOLERANCE = 1e-6

Ends = tuple[str, str]


@dataclass(frozen=True)
class Breach:
    """How far a limit is broken, over its size or 1, and which."""

    what: str
    by: float


@dataclass(frozen=True)
class Blend:
    """What flows of a network amount to.

    Attributes:
        network: The network.
        flows: Flow of each arc that carries anything.
        parts: Pool or product -> feed -> amount of it in what flows in.
        cost: Cost of feeds and arcs less sales, fixed costs included.
    """

    network: Network
    flows: Mapping[Ends, float]
    parts: Mapping[str, Mapping[str, float]]
    cost: float

    def into(self, node: str) -> float:
        """All that flows into a node."""
        return sum(flow for ends, flow in self.flows.items() if ends[1] == node)

    def out_of(self, node: str) -> float:
        """All that flows out of a node."""
        return sum(flow for ends, flow in self.flows.items() if ends[0] == node)

    def quality(self, node: str) -> dict[str, float]:
        """Known properties of a pool or product; empty where nothing flows in."""
        found = {}
        for name, prop in self.network.properties.items():
            value = prop.of_mix(self.parts[node])
            if value is not None and math.isfinite(value):
                found[name] = value
        return found

    def worst(self) -> Breach:
        """The limit that is broken most, relative to its size; 0 where all are kept."""
        return max(self._breaches(), key=lambda item: item.by, default=Breach("", 0.0))

    def _breaches(self) -> Iterator[Breach]:
        problem = self.network.problem
        for ends, flow in self.flows.items():
            yield Breach(f"flow {ends[0]} to {ends[1]}", max(0.0, -flow))
        for feed in problem.feeds:
            yield from _amount(feed, self.out_of(feed.id))
        for product in problem.products:
            yield from _amount(product, self.into(product.id))
        for pool in problem.pools:
            yield from self._pool(pool)
        for ends, arc in self.network.arcs.items():
            yield from self._arc(ends, arc)
        for part in problem.mixtures:
            if part.max_components is not None:
                count = len([ends for ends in self.flows if ends[1] == part.id])
                over = float(max(0, count - part.max_components))
                yield Breach(f"components of {part.id}", over)
        yield from self._qualities()

    def _pool(self, pool: BlendPool) -> Iterator[Breach]:
        inflow, outflow = self.into(pool.id), self.out_of(pool.id)
        yield Breach(f"balance of {pool.id}", abs(inflow - outflow) / max(1.0, inflow))
        yield from _limits(f"capacity of {pool.id}", inflow, 0.0, pool.capacity)
        yield from _lots(f"lots of {pool.id}", inflow, pool)

    def _arc(self, ends: Ends, arc: Arc) -> Iterator[Breach]:
        name, flow, total = f"{ends[0]} to {ends[1]}", self.flows.get(ends, 0.0), self.into(ends[1])
        yield from _limits(f"flow {name}", flow, arc.min_flow, arc.max_flow)
        yield from _lots(f"lots of {name}", flow, arc)
        low, high = arc.min_fraction * total, arc.max_fraction * total
        yield from _limits(f"share of {name}", flow, low, high)

    def _qualities(self) -> Iterator[Breach]:
        largest = max(self.flows.values(), default=0.0)
        for spec in self.network.specs:
            amount = self.into(spec.of)
            value = spec.prop.of_mix(self.parts[spec.of])
            if value is None or amount <= 0:
                continue
            excess = value - spec.bound if spec.side == "max" else spec.bound - value
            # Of a trace the quality means little: it counts as if diluted in a hundredth of the largest.
            part = amount / max(amount, 0.01 * largest)
            size = max(1.0, abs(spec.bound))
            yield Breach(f"{spec.prop.name} of {spec.of}", max(0.0, excess) * part / size)


def evaluate(network: Network, flows: Mapping[Ends, float]) -> Blend:
    """Work out the blend of some flows; those that are not named are zero."""
    carried = {ends: flow for ends, flow in flows.items() if flow != 0}
    problem = network.problem
    parts: dict[str, dict[str, float]] = {}
    mixes = _pool_mixes(network, carried)
    for node in problem.mixtures:
        held: dict[str, float] = defaultdict(float)
        for (start, end), flow in carried.items():
            if end != node.id:
                continue
            for feed, share in mixes.get(start, {start: 1.0}).items():
                held[feed] += share * flow
        parts[node.id] = dict(held)
    return Blend(network, carried, parts, _cost(network, carried))


def _pool_mixes(network: Network, flows: Mapping[Ends, float]) -> dict[str, dict[str, float]]:
    """Share of each feed in each pool: ``inflow · share = Σ fed + Σ from pools · their share``."""
    pools = [pool.id for pool in network.problem.pools]
    place = {name: i for i, name in enumerate(pools)}
    feeds = {feed.id: i for i, feed in enumerate(network.problem.feeds)}
    matrix, given = np.zeros((len(pools), len(pools))), np.zeros((len(pools), len(feeds)))
    for (start, end), flow in flows.items():
        if end not in place:
            continue
        matrix[place[end], place[end]] += flow
        if start in place:
            matrix[place[end], place[start]] -= flow
        else:
            given[place[end], feeds[start]] += flow
    filled = np.flatnonzero(matrix.diagonal() > 0)
    shares = np.zeros_like(given)
    if filled.size:
        solved = np.linalg.lstsq(matrix[np.ix_(filled, filled)], given[filled], rcond=None)[0]
        shares[filled] = solved
    return {
        name: {feed: float(shares[i, k]) for feed, k in feeds.items() if shares[i, k] > 1e-12}
        for name, i in place.items()
    }


def _cost(network: Network, flows: Mapping[Ends, float]) -> float:
    problem = network.problem
    prices = {feed.id: feed.price for feed in problem.feeds}
    sales = {product.id: product.price for product in problem.products}
    total = sum(
        flow * (prices.get(start, 0.0) + network.arcs[start, end].cost - sales.get(end, 0.0))
        for (start, end), flow in flows.items()
    )
    busy = {name for ends in flows for name in ends}
    nodes: list[Lots] = [part for part in problem.nodes if part.id in busy]
    arcs: list[Lots] = [network.arcs[ends] for ends in flows]
    return total + sum(part.fixed_cost for part in (*nodes, *arcs))


def _amount(part: Feed | BlendProduct, amount: float) -> Iterator[Breach]:
    yield from _limits(f"amount of {part.id}", amount, part.min, part.max)
    yield from _lots(f"lots of {part.id}", amount, part)


def _limits(what: str, value: float, low: float, high: float | None) -> Iterator[Breach]:
    yield Breach(what, max(0.0, low - value) / max(1.0, abs(low)))
    if high is not None:
        yield Breach(what, max(0.0, value - high) / max(1.0, abs(high)))


def _lots(what: str, amount: float, lots: Lots) -> Iterator[Breach]:
    if lots.lot_size is not None:
        count = amount / lots.lot_size
        yield Breach(what, abs(count - round(count)))
    if lots.minimum_lot is not None and amount > 0:
        yield Breach(what, max(0.0, lots.minimum_lot - amount) / max(1.0, lots.minimum_lot))
