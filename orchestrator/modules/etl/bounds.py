"""Weighted least squares under linear balances and bounds on streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InputError, OperationError
from orchestrator.modules.etl import active_set, least_squares
from orchestrator.modules.etl.active_set import CLOSED, Program
from orchestrator.modules.etl.least_squares import Problem

Array = NDArray[np.float64]
TOLERANCE = 1e-9
CONFLICT = 1e-6


class BoundsError(InputError):
    """No flows within the bounds meet the balances.

    ``context["streams"]`` are the streams in conflict, ``context["bounds"]`` their bounds that are:
    stream, "lower" or "upper", value.
    """


class NotReconciledError(OperationError):
    """No point was found that closes the balances within the bounds and is shown to be optimal."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """An optimum under bounds.

    Attributes:
        measured: Values at the optimum, ``(n,)``.
        unmeasured: Values at the optimum, ``(p,)``; one of many where unobservable.
        binding: −1 at the lower bound, 1 at the upper, 0 free; measured then unmeasured ``(n + p,)``.
    """

    measured: Array
    unmeasured: Array
    binding: NDArray[np.int8]


def solve(problem: Problem, lower: Array, upper: Array) -> Bounded:
    """The optimum with ``lower ≤ (x, u) ≤ upper``, infinite where there is no bound.

    Each balance closes to 1e-9 of its terms, and each bound that is held has a multiplier of the right
    sign, which for this convex problem proves the optimum.

    Raises:
        BoundsError: no point within the bounds meets the balances.
        ContradictionError: the balances contradict one another.
        NotReconciledError: no point was found for which that could be shown.
    """
    free = least_squares.solve(problem)
    count = len(problem.values)
    point = np.concatenate([free.measured, free.free])
    matrix = np.hstack([problem.measured, problem.unmeasured])
    room = TOLERANCE * np.abs(point)
    room[:count] = np.maximum(room[:count], TOLERANCE * problem.sd)
    inside = bool(((point >= lower - room) & (point <= upper + room)).all())
    scale = _scale(problem, point, lower, upper)
    missed = active_set.closure(matrix, problem.constants, point, scale)
    if inside and missed.max(initial=0.0) <= CLOSED:
        binding = np.zeros(len(point), dtype=np.int8)
        return Bounded(free.measured, free.free, binding)
    point, binding = _within(problem, matrix, point, scale, lower, upper)
    return Bounded(point[:count], point[count:], binding)


def _within(
    problem: Problem, matrix: Array, free: Array, scale: Array, lower: Array, upper: Array
) -> tuple[Array, NDArray[np.int8]]:
    """The optimum and which bounds bind, measured then unmeasured, from the one without bounds."""
    count = len(problem.values)
    exact = np.zeros(len(free), dtype=np.bool_)
    exact[:count] = problem.sd == 0
    free = free.copy()
    free[:count][exact[:count]] = problem.values[exact[:count]]
    room = TOLERANCE * np.maximum(np.abs(free), _largest(lower, upper))
    outside = exact & ((free < lower - room) | (free > upper + room))
    if outside.any():
        _refuse(outside, np.where(free < lower, 1, -1), lower, upper)
    fixed = exact | (lower == upper)
    free[~exact & fixed] = lower[~exact & fixed]
    weight, target = np.zeros(len(free)), free.copy()
    weight[:count] = 1.0 / np.where(problem.sd > 0, problem.sd, np.inf)
    target[:count] = problem.values
    live = np.flatnonzero(~fixed)
    program = Program(
        matrix=matrix[:, live],
        constants=problem.constants - matrix[:, fixed] @ free[fixed],
        target=target[live],
        weight=weight[live],
        low=lower[live],
        high=upper[live],
        scale=scale[live],
    )
    start, conflict = active_set.feasible(program, free[live])
    point = free.copy()
    point[live] = start
    if active_set.closure(matrix, problem.constants, point, scale).max(initial=0.0) > CLOSED:
        hard = np.zeros(len(free), dtype=np.bool_)
        hard[live] = np.abs(conflict) > CONFLICT * np.abs(conflict).max(initial=0.0)
        side = np.zeros(len(free))
        side[live] = conflict
        _refuse(hard | (fixed & ~exact), side, lower, upper)
    found = active_set.solve(program, start)
    point[live] = found.point
    missed = float(active_set.closure(matrix, problem.constants, point, scale).max(initial=0.0))
    if not found.optimal or missed > CLOSED:
        raise NotReconciledError(
            f"the balances could not be reconciled within the bounds (largest imbalance {missed:.1e} of "
            "the flows)",
            remedy="give flows in units that bring them closer together, or leave out bounds",
        )
    binding = np.zeros(len(free), dtype=np.int8)
    hard = np.abs(found.pull) > found.noise
    at = (found.point <= program.low).astype(np.int8) - (found.point >= program.high).astype(
        np.int8
    )
    binding[live] = np.where(hard, -at, 0)
    pinned = fixed & ~exact
    binding[pinned] = np.where(target[pinned] > lower[pinned], 1, -1)
    return point, binding


def _scale(problem: Problem, free: Array, lower: Array, upper: Array) -> Array:
    """Typical size of each stream: of its bounds, else of its value without bounds, never zero."""
    given = np.concatenate(
        [np.maximum(np.abs(problem.values), problem.sd), np.abs(free[len(problem.values) :])]
    )
    bound = _largest(lower, upper)
    scale = np.where(bound > 0, bound, given)
    scale[: len(problem.values)] = given[: len(problem.values)]
    usual = float(np.median(scale[scale > 0])) if (scale > 0).any() else 1.0
    return np.maximum(np.where(scale > 0, scale, usual), 1e-12 * float(scale.max(initial=1e-280)))


def _largest(lower: Array, upper: Array) -> Array:
    """The larger of the finite bounds in size, 0 where there is none."""
    return np.maximum(
        np.where(np.isfinite(lower), np.abs(lower), 0.0),
        np.where(np.isfinite(upper), np.abs(upper), 0.0),
    )


def _refuse(streams: NDArray[np.bool_], side: Array, lower: Array, upper: Array) -> NoReturn:
    """Refuse; ``side`` is above zero where a lower bound is in the way, below at an upper, 0 both."""
    named = np.flatnonzero(streams)
    limits = [(int(i), "lower", float(lower[i])) for i in named if side[i] >= 0]
    limits += [(int(i), "upper", float(upper[i])) for i in named if side[i] <= 0]
    raise BoundsError(
        "no flows within the bounds meet the balances",
        remedy="widen the bounds, or leave out those that are not certain",
        context={"streams": named.tolist(), "bounds": sorted(limits)},
    )
