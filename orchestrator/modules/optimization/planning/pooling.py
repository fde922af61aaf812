"""The solution of a plan with computed pools: its own linear program, and products beside it.

The program is solved as a bilinear one, to a proven bound or to the best within the time. Shadow prices
are those of its tangents at the solution where they have the same optimum, so that pools may change what
they are made of, else those with the pools' shares as they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization import bilinear
from orchestrator.modules.optimization.bilinear import BilinearProgram, BilinearSolution
from orchestrator.modules.optimization.bilinear.multipliers import multipliers
from orchestrator.modules.optimization.bilinear.scaling import rescaled
from orchestrator.modules.optimization.linear import (
    INFINITY,
    LinearProgram,
    LinearSolution,
    Relaxation,
    Row,
)

if TYPE_CHECKING:
    from orchestrator.modules.optimization.planning.computed_pools import ComputedPools
    from orchestrator.modules.optimization.planning.program import PlanProgram

BOUND_SHARE = 0.2
"""Part of the time for bounds of flows, without which the relaxation says little."""
PRICE_SECONDS = 5.0


class PooledSolution(LinearSolution):
    """A plan's solution with what only a bilinear one has.

    Attributes:
        priced: Whether shadow prices were found.
        shares_fixed: Whether they hold only while the pools are made up as planned.
        relaxations: Of an infeasible plan, the limits to relax, with the values of the columns then.
    """

    priced: bool = True
    shares_fixed: bool = False
    relaxations: tuple[tuple[Relaxation, ...], dict[str, float]] = ((), {})


def solve(built: PlanProgram, pools: ComputedPools, time_limit: float) -> PooledSolution:
    """The best plan, its proven bound, and its shadow prices."""
    deadline = time.monotonic() + time_limit
    exact = _program(built.program, pools)
    bounded = _bounded(exact, pools, deadline - (1 - BOUND_SHARE) * time_limit)
    scaled = rescaled(bounded)
    found = bilinear.solve(scaled.program, max(1.0, deadline - time.monotonic() - 1.0))
    values = scaled.values({n: v for n, v in found.values.items() if n in scaled.size})
    if found.objective is None:
        solution = PooledSolution(found.status, ray=found.grows)
        solution.relaxations = _in_own_units(found, scaled.size, built.program), values
        return solution
    solution = _priced(exact, values, max(1.0, deadline - time.monotonic()))
    solution.status = found.status
    bound = found.bound
    solution.bound = (
        None if bound is None else max(scaled.objective(bound), solution.objective or 0)
    )
    return solution


def _program(linear: LinearProgram, pools: ComputedPools) -> BilinearProgram:
    program = BilinearProgram(linear)
    for column, (share, flow) in pools.products.items():
        program.declare_product(column, share, flow)
    return program


def _bounded(program: BilinearProgram, pools: ComputedPools, until: float) -> BilinearProgram:
    """The program with the largest flow of each outlet, by the linear program, and what follows from it.

    The rows ``Σ carried ≤ largest throughput · share`` are implied, and tighten the relaxation.
    """
    relaxed = bilinear.mccormick(program).live()
    worthless = dict.fromkeys(program.linear.columns, 0.0)
    relaxed.set_worths(worthless)
    most: dict[str, float] = {}
    for outlet in dict.fromkeys(flow for _, flow in program.products.values()):
        if time.monotonic() >= until:
            break
        relaxed.set_worths({outlet: 1.0})
        solution = relaxed.solve(max(0.1, until - time.monotonic()))
        relaxed.set_worths({outlet: 0.0})
        if solution.status == "optimal" and solution.objective is not None:
            most[outlet] = solution.objective * (1 + 1e-9) + 1e-9
    linear = LinearProgram()
    linear.offset = program.linear.offset
    for column in program.linear.columns.values():
        upper = min(column.upper, max(column.lower, most.get(column.name, INFINITY)))
        flow = program.products.get(column.name, ("", ""))[1]
        linear.add_column(replace(column, upper=min(upper, most.get(flow, INFINITY))))
    for row in program.linear.rows.values():
        linear.add_row(row)
    for (pool, period), shares in pools.shares.items():
        outlets = pools.outlets[pool, period]
        largest = sum(amount * most.get(outlet, INFINITY) for outlet, amount in outlets.items())
        for stream, share in shares.items():
            if math.isfinite(largest):
                terms = {pools.carried[pool, o][stream]: a for o, a in outlets.items()}
                name = f"throughput of {share}"
                linear.add_row(Row(name, terms | {share: -largest}, upper=0.0, elastic=False))
    return _program(linear, pools)


def _priced(
    program: BilinearProgram, values: dict[str, float], time_limit: float
) -> PooledSolution:
    """The solution at a point, with its row and column prices."""
    arrays = program.indexed().arrays
    x = np.array([values[name] for name in arrays.columns])
    found = multipliers(program, values, min(PRICE_SECONDS, time_limit))
    none: Mapping[str, float] = {}
    rows, columns = (none, none) if found is None else (found.rows, found.columns)
    solution = PooledSolution(
        "optimal",
        arrays.objective(x),
        columns=arrays.columns,
        rows=arrays.rows,
        x=x,
        activity=arrays.activity(x),
        y=np.array([rows.get(name, 0.0) for name in arrays.rows]),
        d=np.array([columns.get(name, 0.0) for name in arrays.columns]),
        integers_fixed=bool(arrays.integer.any()),
    )
    solution.priced = found is not None
    solution.shares_fixed = found is not None and found.shares_held
    return solution


def _in_own_units(
    found: BilinearSolution, size: Mapping[str, float], linear: LinearProgram
) -> tuple[Relaxation, ...]:
    """Relaxations in the units of the plan's own rows."""
    given = []
    for item in found.relaxations:
        row = linear.rows.get(item.name)
        if row is None and item.name not in linear.columns:
            continue
        unit = size[item.name] if row is None else max(size[name] for name in row.terms)
        given.append(replace(item, bound=item.bound * unit, by=item.by * unit))
    return tuple(given)
