"""A spatial branch and bound on HiGHS, for where SCIP is not installed.

Each node is the McCormick relaxation over smaller bounds of the shares and integer columns; the node
with the best bound is split next, at the product that is missed most (Horst and Tuy, Global
Optimization, 1996, ch. IV; for pooling Foulds, Haugland and Jörnsten, Optimization 24, 1992).
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.bilinear.local import LocalSearch, Point
from orchestrator.modules.optimization.bilinear.relaxed import mccormick
from orchestrator.modules.optimization.models import SolveStatus

if TYPE_CHECKING:
    from orchestrator.modules.optimization.bilinear.program import BilinearProgram, Indexed
    from orchestrator.modules.optimization.linear import LinearSolution
    from orchestrator.modules.optimization.linear.arrays import Floats

MISSED = 1e-7
LEAST_SPLIT = 0.1
"""Share of an interval that each half of a split keeps at least."""

Ends = tuple["Floats", "Floats"]


@dataclass(frozen=True)
class BranchAnswer:
    """Status, points (best first) and the proven bound of the objective."""

    status: SolveStatus
    points: tuple[Floats, ...]
    bound: float


def branch_and_bound(
    program: BilinearProgram,
    indexed: Indexed,
    deadline: float,
    gap: float,
    start: Floats | None = None,
) -> BranchAnswer:
    """Maximise until the gap is closed or the deadline (``time.monotonic``) is reached."""
    arrays = indexed.arrays
    search = LocalSearch(program, program, indexed, 0, deadline)
    best = None if start is None else Point(start, arrays.objective(start))
    heap: list[tuple[float, int, Ends, Floats]] = []
    count = 0

    def open_node(low: Floats, high: Floats) -> bool:
        """Solve a node and queue it; whether it was solved or proven empty."""
        nonlocal count
        solution = _relax(program, indexed, low, high, deadline)
        if solution.solved and solution.objective is not None:
            count += 1
            heapq.heappush(heap, (-solution.objective, count, (low, high), solution.x))
        return solution.solved or solution.status == "infeasible"

    whole = open_node(arrays.lower.copy(), arrays.upper.copy())
    bound = -heap[0][0] if heap else np.inf
    while heap and whole and time.monotonic() < deadline:
        bound = -heap[0][0]
        if best is not None and bound - best.objective <= gap * abs(best.objective) + 1e-9:
            return BranchAnswer("optimal", (best.x,), max(bound, best.objective))
        _, number, (low, high), x = heapq.heappop(heap)
        found = search.at_shares(indexed.projected(x)) if number % 5 == 1 or best is None else None
        if found is not None and (best is None or found.objective > best.objective):
            best = found
        split = _split(indexed, x, low, high)
        if split is None:
            if best is None or arrays.objective(x) > best.objective:
                best = Point(x, arrays.objective(x))
            continue
        column, at, whole_numbers = split
        lower_half, upper_half = high.copy(), low.copy()
        lower_half[column] = np.floor(at) if whole_numbers else at
        upper_half[column] = np.floor(at) + 1 if whole_numbers else at
        whole = open_node(low, lower_half) and open_node(upper_half, high)
    points = () if best is None else (best.x,)
    if heap or not whole:
        return BranchAnswer("feasible" if points else "time_limit", points, bound)
    if best is None:
        return BranchAnswer("infeasible", (), -np.inf)
    return BranchAnswer("optimal", points, best.objective)


def _relax(
    program: BilinearProgram, indexed: Indexed, low: Floats, high: Floats, deadline: float
) -> LinearSolution:
    columns = indexed.arrays.columns
    changed = np.flatnonzero((low > indexed.arrays.lower) | (high < indexed.arrays.upper))
    bounds = {columns[i]: (float(low[i]), float(high[i])) for i in changed}
    return mccormick(program, bounds).solve(max(0.05, deadline - time.monotonic()))


def _split(
    indexed: Indexed, x: Floats, low: Floats, high: Floats
) -> tuple[int, float, bool] | None:
    """Column to split and where; ``None`` where the point keeps all products and whole numbers."""
    whole = np.flatnonzero(indexed.arrays.integer)
    fraction = np.abs(x - np.round(x))[whole]
    if fraction.size and fraction.max() > MISSED:
        column = int(whole[fraction.argmax()])
        return column, float(x[column]), True
    missed = np.abs(indexed.error(x))
    if missed.max(initial=0.0) <= MISSED:
        return None
    shares = indexed.shares
    total = np.bincount(indexed.share, missed, len(x))[shares] * (high[shares] - low[shares])
    if total.max() <= 0:
        return None
    column = int(shares[total.argmax()])
    width = high[column] - low[column]
    at = float(
        np.clip(x[column], low[column] + LEAST_SPLIT * width, high[column] - LEAST_SPLIT * width)
    )
    return column, at, False
