"""What the limits of a blend are worth: shadow prices where the blend stands.

They are the multipliers of the bilinear program, for which pools may change what they are made of; where
these cannot be had, those with the pools left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.bilinear import BilinearProgram
from orchestrator.modules.optimization.bilinear.multipliers import Multipliers, multipliers
from orchestrator.modules.optimization.linear import INFINITY, LinearProgram

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.modules.optimization.blending.formulation import Formulation

SMALL = 1e-7


@dataclass(frozen=True)
class Priced:
    """A limit that binds.

    Attributes:
        kind: supply, demand, capacity, flow, share, components or quality.
        of: Which feed, product, pool or arc.
        prop: Of a quality, which.
        side: ``min`` or ``max``.
        bound: The limit.
        price: Change of the profit for one more unit of the bound.
    """

    kind: str
    of: str
    prop: str
    side: str
    bound: float
    price: float


@dataclass(frozen=True)
class ShadowPrices:
    """Limits that bind, dearest first, or that none could be priced; whether pools were left as they are."""

    limits: tuple[Priced, ...] = ()
    found: bool = True
    pools_fixed: bool = False


def shadow_prices(
    made: Formulation, values: Mapping[str, float], time_limit: float
) -> ShadowPrices:
    """Shadow prices at a solution of the program; none where they cannot be had in time."""
    found = multipliers(_as_given(made), values, time_limit)
    if found is None:
        return ShadowPrices(found=False)
    least = SMALL * made.money
    limits = [item for item in _priced(made, values, found) if abs(item.price) > least]
    limits.sort(key=lambda item: -abs(item.price * max(abs(item.bound), 1.0)))
    return ShadowPrices(tuple(limits), pools_fixed=found.shares_held)


def _as_given(made: Formulation) -> BilinearProgram:
    """The program without what is only implied, which would take a part of the prices."""
    linear = LinearProgram()
    linear.offset = made.program.linear.offset
    for column in made.program.linear.columns.values():
        if column.name in made.bounds:
            low, high = made.bounds[column.name]
            column = replace(column, lower=low, upper=high)
        linear.add_column(column)
    for row in made.program.linear.rows.values():
        if row.name not in made.implied:
            linear.add_row(row)
    program = BilinearProgram(linear)
    for w, (share, amount) in made.program.products.items():
        program.declare_product(w, share, amount)
    return program


def _priced(made: Formulation, values: Mapping[str, float], found: Multipliers) -> Iterator[Priced]:
    """Row and column prices in the problem's own units."""
    rows = made.program.linear.rows
    for name, limit in made.limits.items():
        if name not in rows:
            dual = found.columns[name]
            low, high = made.bounds[name]
            side, bound = ("max", high) if dual > 0 else ("min", low)
            if 0 < bound < INFINITY:
                yield Priced("flow", limit.of, "", side, bound * made.flow, dual * made.money)
            continue
        row, dual = rows[name], found.rows[name]
        # More of a largest value cannot cost.
        at_most = dual > 0
        side = "max" if at_most else "min"
        if limit.what == "share":
            side = name.partition(" ")[0]
            bound = -min(row.terms.values()) if len(row.terms) > 1 else 1.0
            total = sum(values[column] for column in row.terms)
            yield Priced("share", limit.of, "", side, bound, dual * total * made.flow * made.money)
        elif limit.what != "components":
            bound = (row.upper if at_most else row.lower) * made.flow
            yield Priced(limit.what, limit.of, "", side, bound, dual * made.money)
    for name, (spec, size) in made.specs.items():
        carried = made.inflow(spec.of)
        amount = sum(
            spec.prop.weight[feed] * values[column]
            for feed, columns in carried.items()
            for column in columns
        )
        moved = spec.sign * spec.prop.rule.slope(spec.bound) * amount / size
        price = found.rows[name] * moved * made.flow * made.money
        yield Priced("quality", spec.of, spec.prop.name, spec.side, spec.bound, price)
