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

from orchestrator.errors import InputError, OperationError
from orchestrator.modules.etl import interior_point, least_squares
from orchestrator.modules.etl.least_squares import Problem, Solution

Array = NDArray[np.float64]
TOLERANCE = 1e-9
ACTIVE = 1e-9
MOST_SETS = 20
"""Active sets that are tried, for each stream."""
WRONG, FITS, CLOSED = 1e-7, 1e-8, 1e-8
"""Relative size of a force in the wrong direction, of what multipliers may leave, and of what a balance may."""


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
        OperationError: no optimum was found that could be verified.
    """
    free = least_squares.solve(problem)
    count = len(problem.values)
    point = np.concatenate([free.measured, free.free])
    room = TOLERANCE * np.maximum(1.0, np.abs(point))
    binding = np.zeros(len(point), dtype=np.int8)
    if ((point >= lower - room) & (point <= upper + room)).all():
        return Bounded(free, free.measured, free.free, binding)
    near, sides = _nearest(problem, lower, upper)
    for start in (sides, np.zeros_like(sides)):
        found = _settled(problem, lower, upper, near, start)
        if found is not None:
            solution, values, sides = found
            return Bounded(solution, values[:count], values[count:], sides)
    raise OperationError(
        "no optimum within the bounds was found",
        why="the measurements contradict the bounds, and streams differ so much in size that the "
        "result could not be verified",
        remedy="leave out bounds that are not needed, or give the small streams a larger sd",
    )


def _settled(
    problem: Problem, lower: Array, upper: Array, near: Array, sides: NDArray[np.int8]
) -> tuple[Solution, Array, NDArray[np.int8]] | None:
    """The optimum by an active set that begins with the bounds in ``sides``; null where it does not settle.

    The bound that is missed most is held, the held one that holds back the wrong way is let go, until
    neither is left: then the conditions of Karush, Kuhn and Tucker hold, and in a convex problem
    what they hold for is the optimum.
    """
    count = len(problem.values)
    sides = sides.copy()
    size = np.maximum(np.abs(near), np.finfo(np.float64).tiny)
    size[:count] = np.maximum(np.where(problem.sd > 0, problem.sd, 0.0), TOLERANCE * size[:count])
    tried: set[bytes] = set()
    while sides.tobytes() not in tried and len(tried) < MOST_SETS * len(sides):
        tried.add(sides.tobytes())
        try:
            solution, values = _held(problem, sides != 0, np.where(sides < 0, lower, upper))
        except least_squares.ContradictionError:
            return None
        # what the balances do not determine stays at the point that was found within the bounds
        values = np.where(np.isfinite(values), values, near)
        room = ACTIVE * np.maximum(size, np.abs(values))
        missed = np.maximum(lower - values, values - upper) - room
        missed[sides != 0] = -np.inf
        worst = int(np.argmax(missed / size))
        if missed[worst] > 0:
            sides[worst] = -1 if values[worst] < lower[worst] else 1
            continue
        force = _forces(problem, values, size, sides)
        # what lies on its bound is told to the last digit
        values = np.where(sides < 0, lower, np.where(sides > 0, upper, values))
        wrong = force * sides
        letting = int(np.argmax(wrong))
        if wrong[letting] <= WRONG * max(1.0, float(np.abs(force).max(initial=0.0))):
            return (solution, values, sides) if _closes(problem, values) else None
        sides[letting] = 0
    return None


def _forces(problem: Problem, values: Array, size: Array, sides: NDArray[np.int8]) -> Array:
    """How hard each held bound pushes: positive inwards from the lower, negative from the upper."""
    count = len(problem.values)
    matrix = np.hstack([problem.measured, problem.unmeasured]) * size
    weight = np.abs(matrix).max(axis=1, initial=0.0)
    matrix = matrix / np.where(weight > 0, weight, 1.0)[:, None]
    gradient = np.zeros(len(values))
    real = problem.sd > 0
    gradient[:count][real] = (values[:count] - problem.values)[real] / problem.sd[real] ** 2
    gradient *= size
    exact = np.zeros(len(values), dtype=np.bool_)
    exact[:count] = ~real
    held = np.flatnonzero(sides)
    rows = np.flatnonzero(~exact)
    # gradient = Aᵀ λ + force; the forces of the right sign that fit best, so that a degenerate
    # corner is judged by whether any multipliers fit
    place = {int(j): k for k, j in enumerate(held)}
    system = np.zeros((len(rows), matrix.shape[0] + len(held)))
    system[:, : matrix.shape[0]] = matrix.T[rows]
    for k, j in enumerate(rows):
        if int(j) in place:
            system[k, matrix.shape[0] + place[int(j)]] = -float(sides[j])
    least = np.concatenate([np.full(matrix.shape[0], -np.inf), np.zeros(len(held))])
    fitted = optimize.lsq_linear(system, gradient[rows], (least, np.inf), tol=1e-14)
    left = np.abs(system @ fitted.x - gradient[rows]).max(initial=0.0)
    scale = max(1.0, float(np.abs(gradient).max(initial=0.0)))
    force = np.zeros(len(values))
    if left <= FITS * scale:
        force[held] = -sides[held] * fitted.x[matrix.shape[0] :]
        return force
    free = np.linalg.lstsq(system, gradient[rows], rcond=None)[0]
    force[held] = -sides[held] * free[matrix.shape[0] :]
    return force


def _closes(problem: Problem, values: Array) -> bool:
    matrix = np.hstack([problem.measured, problem.unmeasured])
    left = np.abs(matrix @ values - problem.constants)
    size = np.abs(values)
    # a stream that is nothing is so to the rounding of what it was measured with
    size[: len(problem.sd)] = np.maximum(size[: len(problem.sd)], problem.sd)
    flows = (np.abs(matrix) * size).max(axis=1, initial=0.0)
    return bool((left <= CLOSED * np.maximum(flows, np.abs(problem.constants))).all())


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
