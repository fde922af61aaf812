"""Weighted least squares under linear balances and bounds on streams.

With the balances eliminated the problem is one of least distance: min ‖t‖² with ``g t ≥ h``, solved
exactly in finitely many steps through nonnegative least squares (Lawson and Hanson, Solving Least
Squares Problems, 1974, ch. 23). That gives the bounds that bind; with those held, the equality problem
is solved again, so that the answer has its accuracy and not that of a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from orchestrator.errors import InputError
from orchestrator.modules.etl import least_squares
from orchestrator.modules.etl.least_squares import RELATIVE_ZERO, Problem, Solution, left_null

Array = NDArray[np.float64]
TOLERANCE = 1e-9
UNOBSERVED = 1e-4
NEGLIGIBLE = 1e-10


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
    sides = _binding(problem, free, lower, upper)
    for _ in range(3):
        held = sides != 0
        at = np.where(sides < 0, lower, upper)
        solution, values = _held(problem, held, at)
        room = 1e-7 * np.maximum(1.0, np.abs(values))
        below, above = values < lower - room, values > upper + room
        if not (below | above).any():
            break
        sides = np.where(below, -1, np.where(above, 1, sides)).astype(np.int8)
    return Bounded(solution, values[:count], values[count:], sides)


def _held(problem: Problem, held: NDArray[np.bool_], at: Array) -> tuple[Solution, Array]:
    """The equality problem with some streams exactly at a bound; values of all streams."""
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
    unmeasured[~moved] = solution.free
    return solution, np.concatenate([solution.measured, unmeasured])


def _binding(problem: Problem, free: Solution, lower: Array, upper: Array) -> NDArray[np.int8]:
    """Which bounds bind, by least-distance programming over the streams that the balances leave."""
    count = len(problem.values)
    a, b = problem.measured, problem.unmeasured
    weight = np.abs(np.hstack([a, b])).max(axis=1, initial=0.0)
    weight = 1.0 / np.where(weight > 0, weight, 1.0)
    a, b = a * weight[:, None], b * weight[:, None]
    checks = left_null(b).T @ (a * problem.sd)
    moves = linalg.null_space(checks, rcond=RELATIVE_ZERO) if len(checks) else np.eye(count)
    along = problem.sd[:, None] * moves
    hidden = linalg.null_space(b, rcond=RELATIVE_ZERO) if b.size else np.eye(b.shape[1])
    response = -linalg.pinv(b, rtol=RELATIVE_ZERO) @ (a @ along) if b.size else np.zeros((b.shape[1], along.shape[1]))
    # the unobservable directions cost next to nothing, but keep the problem one of least distance
    scale = np.abs(problem.values).max(initial=1.0) / UNOBSERVED
    rows = np.vstack([
        np.hstack([along, np.zeros((count, hidden.shape[1]))]),
        np.hstack([response, hidden * scale]),
    ])
    start = np.concatenate([free.measured, free.free])
    has_low, has_high = np.isfinite(lower), np.isfinite(upper)
    g = np.vstack([rows[has_low], -rows[has_high]])
    h = np.concatenate([lower[has_low] - start[has_low], start[has_high] - upper[has_high]])
    size = np.linalg.norm(g, axis=1)
    fixed = size < NEGLIGIBLE * max(1.0, float(size.max(initial=0.0)))
    if (h[fixed] > 1e-7 * (1.0 + np.abs(start).max(initial=0.0))).any():
        _refuse(np.flatnonzero(has_low).tolist() + np.flatnonzero(has_high).tolist(), fixed, h)
    index = np.concatenate([np.flatnonzero(has_low), np.flatnonzero(has_high)])[~fixed]
    side = np.concatenate([-np.ones(int(has_low.sum())), np.ones(int(has_high.sum()))])[~fixed]
    g, h = g[~fixed] / size[~fixed, None], h[~fixed] / size[~fixed]
    reach = max(1.0, float(np.abs(h).max(initial=0.0)))
    system = np.vstack([g.T, h / reach])
    target = np.zeros(len(system))
    target[-1] = 1.0
    multipliers, _ = optimize.nnls(system, target, maxiter=30 * max(10, len(h)))
    rest = system @ multipliers - target
    if -rest[-1] < 1e-12:
        raise BoundsError(
            "no flows within the bounds meet the balances",
            remedy="widen the bounds, or leave out those that are not certain",
            context={"streams": sorted({int(i) for i in index[multipliers > 0]})},
        )
    sides = np.zeros(len(start), dtype=np.int8)
    active = multipliers > NEGLIGIBLE * multipliers.max(initial=0.0)
    sides[index[active]] = side[active].astype(np.int8)
    return sides


def _refuse(index: list[int], fixed: NDArray[np.bool_], h: Array) -> None:
    raise BoundsError(
        "a stream that the balances leave no freedom lies outside its bounds",
        remedy="widen its bound, or give its measurement a standard deviation above zero",
        context={"streams": [index[i] for i in np.flatnonzero(fixed & (h > 0))]},
    )
