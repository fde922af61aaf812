"""A checked blending problem as a network: arcs with bounds, and what each feed counts in a mix."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.blending.checks import DENSITY
from orchestrator.modules.optimization.blending.problem import (
    Arc,
    BlendInput,
    Mixture,
)
from orchestrator.modules.optimization.refinery.blending_index import INDICES, BlendingIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSES = 20


@dataclass(frozen=True)
class Property:
    """How one property of a mix follows from the feeds in it.

    Its index is ``Σ weight · index · flow / Σ weight · flow`` over the feeds.
    """

    name: str
    rule: BlendingIndex
    index: Mapping[str, float]
    weight: Mapping[str, float]

    def of_mix(self, parts: Mapping[str, float]) -> float | None:
        """Value in a mix of these amounts of the feeds; ``None`` where it is unknown or empty."""
        if any(feed not in self.index for feed, amount in parts.items() if amount > 0):
            return None
        total = sum(self.weight[feed] * amount for feed, amount in parts.items() if amount > 0)
        if total <= 0:
            return None
        value = sum(
            self.weight[feed] * self.index[feed] * amount
            for feed, amount in parts.items()
            if amount > 0
        )
        return self.rule.value(value / total)


@dataclass(frozen=True)
class Spec:
    """A limit of a property; in index terms ``Σ weight · (index − bound) · flow`` is kept below 0.

    ``sign`` is 1 where the index must stay below its bound, −1 where above: an index that falls with
    its property exchanges the two.
    """

    of: str
    prop: Property
    side: str
    bound: float
    sign: float

    def excess(self, feed: str) -> float:
        """What one unit of a feed adds to the row that must not exceed zero."""
        apart = self.prop.index[feed] - self.prop.rule.of(self.bound)
        return self.sign * self.prop.weight[feed] * apart


@dataclass
class Network:
    """Arcs that can carry something, their largest flows, and the feeds that can be in each pool.

    Attributes:
        problem: The problem.
        arcs: By ends; those that can carry nothing are left out.
        most: Largest flow of each arc that its ends allow; infinite where nothing limits it.
        into: Arcs into each node; ``out`` those out of it.
        within: Feeds that can be in each pool, in the order of the problem.
        properties: By name.
        specs: All quality limits.
    """

    problem: BlendInput
    arcs: dict[tuple[str, str], Arc] = field(default_factory=dict)
    most: dict[tuple[str, str], float] = field(default_factory=dict)
    into: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    out: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    within: dict[str, list[str]] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)
    specs: list[Spec] = field(default_factory=list)


def network_of(problem: BlendInput) -> Network:
    """The network of a checked problem."""
    found = Network(problem)
    arcs = {arc.ends: arc for _, arc in problem.arcs.listed()}
    most = _largest_flows(problem, arcs)
    for ends, arc in arcs.items():
        # An arc with a least flow stays, so that its conflict is seen.
        if most[ends] > 0 or arc.min_flow > 0:
            found.arcs[ends], found.most[ends] = arc, most[ends]
            found.out[ends[0]].append(ends)
            found.into[ends[1]].append(ends)
    found.within = _within(problem, found)
    found.properties = {name: _property(problem, name) for name in _property_names(problem)}
    for part in problem.mixtures:
        found.specs += _specs(part, found.properties)
    return found


def _largest_flows(
    problem: BlendInput, arcs: Mapping[tuple[str, str], Arc]
) -> dict[tuple[str, str], float]:
    """Bounds of flows by passing limits of nodes on to their arcs, and back, until nothing changes."""
    limit = {feed.id: _or_infinite(feed.max) for feed in problem.feeds}
    limit |= {product.id: _or_infinite(product.max) for product in problem.products}
    limit |= {pool.id: _or_infinite(pool.capacity) for pool in problem.pools}
    most = {
        ends: 0.0 if arc.max_fraction == 0 else _or_infinite(arc.max_flow)
        for ends, arc in arcs.items()
    }
    through = {pool.id for pool in problem.pools}
    for _ in range(PASSES):
        before = dict(most)
        into: dict[str, float] = defaultdict(float)
        out: dict[str, float] = defaultdict(float)
        for (start, end), bound in most.items():
            into[end] += bound
            out[start] += bound
        for name in through:
            limit[name] = min(limit[name], into[name], out[name])
        for ends, bound in most.items():
            most[ends] = min(bound, limit[ends[0]], limit[ends[1]])
        if most == before:
            break
    return most


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def _within(problem: BlendInput, network: Network) -> dict[str, list[str]]:
    feeds = {feed.id for feed in problem.feeds}
    held: dict[str, set[str]] = {pool.id: set() for pool in problem.pools}
    changed = True
    while changed:
        changed = False
        for name, known in held.items():
            for start, _ in network.into[name]:
                more = ({start} if start in feeds else held[start]) - known
                if more:
                    known |= more
                    changed = True
    return {name: [f.id for f in problem.feeds if f.id in known] for name, known in held.items()}


def _property_names(problem: BlendInput) -> list[str]:
    if problem.qualities:
        return list(problem.qualities)
    return list(dict.fromkeys(name for feed in problem.feeds for name in feed.quality))


def _property(problem: BlendInput, name: str) -> Property:
    rule = INDICES[problem.blending.get(name, "linear")]
    weighed = rule.basis not in ("amount", problem.flow_basis)
    index: dict[str, float] = {}
    weight: dict[str, float] = {}
    for feed in problem.feeds:
        if name not in feed.quality:
            continue
        index[feed.id] = rule.of(feed.quality[name])
        density = feed.quality[DENSITY] if weighed else 1.0
        weight[feed.id] = density if problem.flow_basis == "volume" else 1.0 / density
    return Property(name, rule, index, weight)


def _specs(part: Mixture, properties: Mapping[str, Property]) -> list[Spec]:
    found = []
    for side, limits in (("min", part.quality_min), ("max", part.quality_max)):
        for name, bound in limits.items():
            if bound is not None:
                prop = properties[name]
                above = (side == "min") == prop.rule.rising
                found.append(Spec(part.id, prop, side, bound, -1.0 if above else 1.0))
    return found
