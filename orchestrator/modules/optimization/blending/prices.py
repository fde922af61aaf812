"""What the limits of a blend are worth: shadow prices where the blend stands.

Where the blend satisfies the first-order conditions, the linear program of its tangents has the same
optimum, and its row prices are the multipliers of the bilinear one: pools may change what they are made
of. Where that does not hold, the prices are those with the pools left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.bilinear import BilinearProgram, with_shares
from orchestrator.modules.optimization.bilinear.tangent import set_tangents, tangent_program
from orchestrator.modules.optimization.linear import INFINITY, LinearProgram

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.modules.optimization.blending.formulation import Formulation
    from orchestrator.modules.optimization.linear import LinearSolution

SAME = 1e-6
SMALL = 1e-7
TIME_LIMIT = 5.0


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
    """Limits that bind, dearest first, and whether pools may change in these prices."""

    limits: tuple[Priced, ...] = ()
    pools_fixed: bool = False


def shadow_prices(made: Formulation, values: Mapping[str, float]) -> ShadowPrices:
    """Shadow prices at a solution of the program; none where they cannot be had."""
    program = _as_given(made, values)
    indexed = program.indexed()
    x = np.array([values[name] for name in indexed.arrays.columns])
    objective = indexed.arrays.objective(x)
    live = tangent_program(program, penalty=0.0).live()
    set_tangents(live, indexed, x)
    solution = live.solve(TIME_LIMIT)
    fixed = not _reaches(solution, objective)
    if fixed:
        shares = {share: values[share] for share, _ in program.products.values()}
        solution = with_shares(program, shares).solve(TIME_LIMIT)
        if not _reaches(solution, objective):
            return ShadowPrices()
    found = [
        item for item in _priced(made, values, solution) if abs(item.price) > SMALL * made.money
    ]
    found.sort(key=lambda item: -abs(item.price * max(abs(item.bound), 1.0)))
    return ShadowPrices(tuple(found), pools_fixed=fixed)


def _reaches(solution: LinearSolution, objective: float) -> bool:
    if solution.status != "optimal" or solution.objective is None:
        return False
    return abs(solution.objective - objective) <= SAME * max(1.0, abs(objective))


def _as_given(made: Formulation, values: Mapping[str, float]) -> BilinearProgram:
    """The program without what is only implied, which would take a part of the prices."""
    linear = LinearProgram()
    linear.offset = made.program.linear.offset
    for column in made.program.linear.columns.values():
        if column.kind == "integer":
            whole = float(round(values[column.name]))
            column = replace(column, lower=whole, upper=whole, kind="continuous")
        elif column.name in made.bounds:
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


def _priced(
    made: Formulation, values: Mapping[str, float], solution: LinearSolution
) -> Iterator[Priced]:
    """Row and column prices in the problem's own units."""
    rows = made.program.linear.rows
    for name, limit in made.limits.items():
        if name not in rows:
            dual = solution.column_dual[name]
            low, high = made.bounds[name]
            side, bound = ("max", high) if dual > 0 else ("min", low)
            if 0 < bound < INFINITY:
                yield Priced("flow", limit.of, "", side, bound * made.flow, dual * made.money)
            continue
        row, dual, activity = rows[name], solution.row_dual[name], solution.activities[name]
        at_most = abs(activity - row.upper) <= abs(activity - row.lower)
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
        price = solution.row_dual[name] * moved * made.flow * made.money
        yield Priced("quality", spec.of, spec.prop.name, spec.side, spec.bound, price)
