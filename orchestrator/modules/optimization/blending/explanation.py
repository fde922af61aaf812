"""The result that a solution of a blending program stands for, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.blending.evaluation import TOLERANCE, Blend, evaluate
from orchestrator.modules.optimization.blending.formulation import flow_column
from orchestrator.modules.optimization.blending.prices import ShadowPrices, shadow_prices
from orchestrator.modules.optimization.blending.result import (
    BlendLimit,
    BlendResult,
    Flow,
    Mixed,
    Verification,
)
from orchestrator.modules.optimization.models import Conflict
from orchestrator.modules.optimization.planning.result import Quality

if TYPE_CHECKING:
    from orchestrator.modules.optimization.bilinear import BilinearSolution
    from orchestrator.modules.optimization.blending.formulation import Formulation
    from orchestrator.modules.optimization.blending.problem import Mixture

TRACE = 1e-8
"""Scaled flow that is rounding, not flow."""


def explain(made: Formulation, solution: BilinearSolution, time_limit: float) -> BlendResult:
    """The result of a solution; one that breaks the problem as given is an error.

    Shadow prices that are not found within ``time_limit`` seconds are left out.
    """
    sense = made.network.problem.sense
    if solution.objective is None:
        return _without_blend(made, solution)
    blend = evaluate(made.network, _flows(made, solution.values))
    worst = blend.worst()
    check = Verification(
        largest_breach=worst.by, of=worst.what if worst.by > 0 else "", tolerance=TOLERANCE
    )
    sign = 1.0 if sense == "min" else -1.0
    scale = made.flow * made.money
    # A scaled optimum is rounded; the blend itself says what it costs.
    bound = None if solution.bound is None else min(-solution.bound * scale, blend.cost)
    if worst.by > TOLERANCE:
        return BlendResult(
            summary=f"The blend that was found breaks {worst.what} by {worst.by:.2g} of its size; it "
            "is not passed on.",
            status="error",
            bound=None if bound is None else sign * bound,
            sense=sense,
            verification=check,
            method=solution.method,
        )
    prices = shadow_prices(made, solution.values, time_limit)
    gap = _gap(blend.cost, bound, scale)
    return BlendResult(
        summary=_summary(made, blend, solution, gap),
        warnings=_warnings(made, solution, prices),
        status=solution.status,
        objective=sign * blend.cost,
        bound=None if bound is None else sign * bound,
        gap=gap,
        sense=sense,
        flows=tuple(
            Flow.model_validate({"from": start, "to": end, "flow": flow})
            for (start, end), flow in blend.flows.items()
        ),
        feeds={
            feed.id: blend.out_of(feed.id)
            for feed in made.network.problem.feeds
            if blend.out_of(feed.id) > 0
        },
        pools={p.id: _mixed(blend, p) for p in made.network.problem.pools if blend.into(p.id) > 0},
        products={product.id: _mixed(blend, product) for product in made.network.problem.products},
        binding=_binding(prices),
        verification=check,
        method=solution.method,
    )


def _flows(made: Formulation, values: Mapping[str, float]) -> dict[tuple[str, str], float]:
    found = {ends: values[flow_column(ends)] for ends in made.network.arcs}
    return {ends: flow * made.flow for ends, flow in found.items() if flow > TRACE}


def _gap(cost: float, bound: float | None, scale: float) -> float | None:
    if bound is None:
        return None
    apart = cost - bound
    return 0.0 if apart <= 1e-9 * scale else apart / max(abs(cost), abs(bound))


def _mixed(blend: Blend, part: Mixture) -> Mixed:
    amount = blend.into(part.id)
    quality = blend.quality(part.id)
    specs = {}
    for name in dict.fromkeys((*part.quality_min, *part.quality_max)):
        low, high, value = part.quality_min.get(name), part.quality_max.get(name), quality.get(name)
        if low is None and high is None:
            continue
        room = [] if value is None else _room(value, low, high)
        specs[name] = Quality(value=value, min=low, max=high, giveaway=min(room, default=None))
    held = blend.parts[part.id]
    return Mixed(
        amount=amount,
        composition={feed: share / amount for feed, share in held.items()} if amount > 0 else {},
        quality=quality,
        specs=specs,
    )


def _room(value: float, low: float | None, high: float | None) -> list[float]:
    room = [] if low is None else [value - low]
    return room if high is None else [*room, high - value]


def _summary(made: Formulation, blend: Blend, solution: BilinearSolution, gap: float | None) -> str:
    problem = made.network.problem
    amounts = {product.id: blend.into(product.id) for product in problem.products}
    listed = ", ".join(f"{name} {amount:,.6g}" for name, amount in amounts.items() if amount > 0)
    word, money = ("Cost", blend.cost) if blend.cost > 0 else ("Profit", -blend.cost)
    proof = (
        "no blend is better"
        if solution.status == "optimal"
        else "it is not proven that none is better"
    )
    if solution.status != "optimal" and gap is not None:
        proof = f"none can be better by more than {gap:.2%}"
    return f"{word} {money + 0.0:,.6g} a period: make {listed or 'nothing'}; {proof}."


def _warnings(
    made: Formulation, solution: BilinearSolution, prices: ShadowPrices
) -> tuple[str, ...]:
    found = []
    if solution.boxed or made.boxed:
        found.append(
            "some flows have no limit: the search went up to a large one, and its proof holds inside it"
        )
    if not prices.found:
        found.append("no shadow prices could be found in the time")
    if prices.pools_fixed:
        found.append("shadow prices are those with the pools' compositions left as they are")
    return tuple(found)


def _binding(prices: ShadowPrices) -> tuple[BlendLimit, ...]:
    found = []
    for item in prices.limits:
        what = f"{item.prop or item.kind} of {item.of}"
        verb = "earns" if item.price > 0 else "costs"
        found.append(
            BlendLimit.model_validate(
                {
                    "limit": what,
                    "kind": item.kind,
                    "of": item.of,
                    "property": item.prop,
                    "side": item.side,
                    "bound": item.bound,
                    "shadow_price": item.price,
                    "text": f"one more on the {item.side} of {what} ({item.bound:g}) {verb} "
                    f"{abs(item.price):,.4g} a period",
                }
            )
        )
    return tuple(found)


def _without_blend(made: Formulation, solution: BilinearSolution) -> BlendResult:
    sense = made.network.problem.sense
    if solution.status == "unbounded":
        flows = [name for name in solution.grows if name in made.bounds and " in " not in name]
        return BlendResult(
            summary=f"The profit has no limit: {', '.join(flows) or 'some flow'} can grow without end. "
            "Give the supply of its feed or the demand of its product.",
            status="unbounded",
            unbounded=tuple(flows),
            sense=sense,
        )
    if solution.status == "infeasible":
        conflicts = _conflicts(made, solution)
        advice = "; ".join(item.text for item in conflicts)
        proof = "" if solution.confirmed else " This could not be confirmed by a proof of our own."
        return BlendResult(
            summary="The limits cannot all be met."
            + (f" They can be met if one would {advice}." if advice else "")
            + proof,
            status="infeasible",
            conflicts=conflicts,
            infeasibility_proven=solution.confirmed,
            sense=sense,
        )
    scale = made.flow * made.money * (1.0 if sense == "max" else -1.0)
    return BlendResult(
        summary="No blend was found in the time allowed; give more time_limit_seconds."
        if solution.status == "time_limit"
        else "The solver ended without a blend that could be confirmed.",
        status=solution.status,
        bound=None if solution.bound is None else solution.bound * scale,
        sense=sense,
        method=solution.method,
    )


def _conflicts(made: Formulation, solution: BilinearSolution) -> tuple[Conflict, ...]:
    found = []
    for item in solution.relaxations:
        if item.name in made.specs:
            what, bound, by = _spec_conflict(made, item.name, item.by, solution.values)
            side = made.specs[item.name][0].side
        elif item.name in made.limits:
            limit = made.limits[item.name]
            plain = limit.what in ("share", "components")
            scale = 1.0 if plain else made.flow
            what, bound, by = f"{limit.what} of {limit.of}", item.bound * scale, item.by * scale
            side = item.side
        else:
            continue
        direction = "raise" if side == "max" else "lower"
        found.append(
            Conflict.model_validate(
                {
                    "limit": what,
                    "side": side,
                    "bound": bound,
                    "relax_by": by,
                    "text": f"{direction} the {side} {bound:g} on {what} by {by:,.6g}",
                }
            )
        )
    return tuple(found)


def _spec_conflict(
    made: Formulation, name: str, by: float, values: Mapping[str, float]
) -> tuple[str, float, float]:
    """Limit in words, its bound, and by how much the property then exceeds it."""
    spec, _ = made.specs[name]
    parts = {
        feed: sum(values[column] for column in columns)
        for feed, columns in made.inflow(spec.of).items()
    }
    value = spec.prop.of_mix(parts)
    return (
        f"{spec.prop.name} of {spec.of}",
        spec.bound,
        by if value is None else abs(value - spec.bound),
    )
