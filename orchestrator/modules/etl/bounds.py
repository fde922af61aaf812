"""Weighted least squares under linear balances and bounds on streams.

An interior-point method finds which bounds bind; with those held, the equality problem is solved again,
so that the answer has its accuracy and not that of a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from orchestrator.errors import InputError
from orchestrator.modules.etl import interior_point, least_squares
from orchestrator.modules.etl.least_squares import Problem, Solution

Array = NDArray[np.float64]
TOLERANCE = 1e-9
ACTIVE = 1e-7


class BoundsError(InputError):
    """No flows within the bounds meet the balances."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """An optimum under bounds.

    Attributes:
        solution: Of the problem with the binding bounds held as exact values.
        measured: Values at the optimum, ``(n,)``.
        unmeasured: Values at the optimum, ``(p,)``; one of many where unobservable.
        binding: −1 at the lower bound, 1 at the upper, 0 free; measured then unmeasured ``(n + p,)``.
    """

    solution: Solution
    measured: Array
    unmeasured: Array
    binding: NDArray[np.int8]


def solve(problem: Problem, lower: Array, upper: Array) -> Bounded:
    """The optimum with ``lower ≤ (x, u) ≤ upper``, infinite where there is no bound.

    Raises:
        BoundsError: no point within the bounds meets the balances.
        ContradictionError: the balances contradict one another.
    """
    free = least_squares.solve(problem)
    count = len(problem.values)
    point = np.concatenate([free.measured, free.free])
    room = TOLERANCE * np.maximum(1.0, np.abs(point))
    binding = np.zeros(len(point), dtype=np.int8)
    if ((point >= lower - room) & (point <= upper + room)).all():
        return Bounded(free, free.measured, free.free, binding)
    near, sides = _nearest(problem, lower, upper)
    solution, values = _held(problem, sides != 0, np.where(sides < 0, lower, upper))
    # what the balances do not determine stays at the point that was found within the bounds
    values = np.where(np.isfinite(values), values, near)
    room = ACTIVE * np.maximum(1.0, np.abs(near))
    outside = ((values < lower - room) | (values > upper + room)).any()
    if outside or _cost(problem, values) > _cost(problem, near) * (1 + 1e-6) + 1e-9:
        values = near
    return Bounded(solution, values[:count], values[count:], sides)


def _cost(problem: Problem, point: Array) -> float:
    sd = np.where(problem.sd > 0, problem.sd, np.inf)
    return float(np.square((point[: len(sd)] - problem.values) / sd).sum())


def _held(problem: Problem, held: NDArray[np.bool_], at: Array) -> tuple[Solution, Array]:
    """The equality problem with some streams exactly at a bound; values, NaN where unobservable."""
    count = len(problem.values)
    fixed, moved = held[:count], held[count:]
    values = np.where(fixed, at[:count], problem.values)
    smaller = replace(
        problem,
        values=values,
        sd=np.where(fixed, 0.0, problem.sd),
        unmeasured=problem.unmeasured[:, ~moved],
        constants=problem.constants - problem.unmeasured[:, moved] @ at[count:][moved],
    )
    solution = least_squares.solve(smaller)
    unmeasured = np.empty(len(moved))
    unmeasured[moved] = at[count:][moved]
    unmeasured[~moved] = solution.unmeasured
    return solution, np.concatenate([solution.measured, unmeasured])


def _nearest(problem: Problem, lower: Array, upper: Array) -> tuple[Array, NDArray[np.int8]]:
    """The optimum within the bounds, and which of them bind; measured then unmeasured."""
    count = len(problem.values)
    matrix = np.hstack([problem.measured, problem.unmeasured])
    start = np.concatenate([problem.values, np.zeros(matrix.shape[1] - count)])
    size = np.full(len(start), max(1e-300, float(np.abs(problem.values).max(initial=1e-3))))
    live = np.ones(len(start), dtype=np.bool_)
    live[:count] = problem.sd > 0
    size[:count] = np.where(live[:count], problem.sd, 1.0)
    exact = ~live & ((start < lower) | (start > upper))
    if exact.any():
        _refuse(np.flatnonzero(exact))
    a = (matrix * size)[:, live]
    weight = np.abs(a).max(axis=1, initial=0.0)
    kept = weight > 0
    a = a[kept] / weight[kept, None]
    b = (problem.constants - matrix @ start)[kept] / weight[kept]
    low, high = ((lower - start) / size)[live], ((upper - start) / size)[live]
    _check_feasible(a, b, low, high, np.flatnonzero(live))
    cost = np.concatenate([np.ones(count), np.zeros(len(start) - count)])[live]
    moved, side = interior_point.solve(cost, a, b, low, high)
    found = start.copy()
    found[live] += size[live] * moved
    sides = np.zeros(len(start), dtype=np.int8)
    sides[live] = side
    return np.clip(found, lower, upper), sides


def _check_feasible(a: Array, b: Array, low: Array, high: Array, index: NDArray[np.intp]) -> None:
    """Least total violation of the bounds by linear programming; those violated are named."""
    count = a.shape[1]
    has_low, has_high = np.flatnonzero(np.isfinite(low)), np.flatnonzero(np.isfinite(high))
    eye = np.eye(count)
    done = optimize.linprog(
        np.concatenate([np.zeros(count), np.ones(count)]),
        A_ub=np.vstack([np.hstack([-eye, -eye])[has_low], np.hstack([eye, -eye])[has_high]]),
        b_ub=np.concatenate([-low[has_low], high[has_high]]),
        A_eq=np.hstack([a, np.zeros_like(a)]),
        b_eq=b,
        bounds=[(None, None)] * count + [(0, None)] * count,
        method="highs",
    )
    if done.x is None:
        _refuse(index[has_low])
    violated = done.x[count:]
    if violated.sum() > 1e-6 * max(1.0, float(np.abs(done.x[:count]).max())):
        _refuse(index[violated > 1e-9])


def _refuse(index: NDArray[np.intp]) -> NoReturn:
    raise BoundsError(
        "no flows within the bounds meet the balances",
        remedy="widen the bounds, or leave out those that are not certain",
        context={"streams": sorted({int(i) for i in index})},
    )
