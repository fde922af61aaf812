"""Reconciliation under nonlinear equations, by successive linearisation from several starts.

At each step the equations are linearised and the linear problem solved in full, bounds included
(Knepper and Gorman 1980, AIChE J. 26, 260); the step is shortened until an exact penalty function
falls. A point is an answer only where the residuals vanish and the gradient of the Lagrangian does.
Of several answers the one of least objective is taken, those that keep the signs of measurements and
first guess before others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from orchestrator.errors import InputError, OperationError
from orchestrator.modules.etl import bounds, least_squares
from orchestrator.modules.etl.equations import Equations

Array = NDArray[np.float64]
MAX_STEPS = 120
CLOSED = 1e-9
STATIONARY = 1e-6
HALVINGS = 25
MEMORY = 4
RANDOM_STARTS = 6
AGREEING = 4
SAME_OBJECTIVE = 1e-7


@dataclass(frozen=True)
class Problem:
    """Equations over measured then unmeasured variables.

    Attributes:
        equations: Over ``n + p`` variables.
        values: Measured ``(n,)``.
        sd: Their standard deviations ``(n,)``, 0 where exact.
        guess: Of the unmeasured ``(p,)``; ``guessed`` says where it was given.
        lower, upper: Bounds ``(n + p,)``.
    """

    equations: Equations
    values: Array
    sd: Array
    guess: Array
    guessed: NDArray[np.bool_]
    lower: Array
    upper: Array

    @property
    def known(self) -> int:
        """How many variables are measured."""
        return len(self.values)

    def objective(self, point: Array) -> float:
        """Sum of squared adjustments in standard deviations."""
        sd = np.where(self.sd > 0, self.sd, np.inf)
        return float(np.square((point[: self.known] - self.values) / sd).sum())


@dataclass(frozen=True)
class Answer:
    """A verified optimum."""

    point: Array
    objective: float
    bounded: bounds.Bounded
    jacobian: Array
    closure: float
    stationarity: float
    iterations: int
    starts: int = 1
    optima: int = 1


def solve(problem: Problem, seed: int = 0) -> Answer:
    """The best optimum found.

    Raises:
        OperationError: no point that meets the equations was found; the text names the worst one.
    """
    answers: list[Answer] = []
    tried = 0
    worst: tuple[float, Array] | None = None
    for start in _starts(problem, seed):
        tried += 1
        answer, last = _descend(problem, start)
        if answer is not None:
            answers.append(answer)
            if _settled(problem, answers):
                break
        else:
            residual = _relative(problem.equations, last)
            if worst is None or residual.max() < worst[0]:
                worst = (float(residual.max()), residual)
    if not answers:
        raise _no_solution(problem, worst)
    best = _choose(problem, answers)
    count = len({round(a.objective / (SAME_OBJECTIVE * max(1.0, best.objective))) for a in answers})
    return Answer(**{**best.__dict__, "starts": tried, "optima": count})


def _settled(problem: Problem, answers: list[Answer]) -> bool:
    """Whether further starts would add nothing: linear equations, or several ways to one optimum."""
    if answers[0].iterations <= 1:
        return True
    least = min(answer.objective for answer in answers)
    same = [a for a in answers if a.objective <= least + SAME_OBJECTIVE * max(1e-6, abs(least))]
    return len(same) >= AGREEING and any(_kept(problem, answer) for answer in same)


def _kept(problem: Problem, answer: Answer) -> bool:
    """Whether all variables have the signs of their measurement or first guess."""
    signs = np.sign(np.concatenate([problem.values, np.where(problem.guessed, problem.guess, 1.0)]))
    small = 1e-9 * (1 + np.abs(answer.point))
    return bool((answer.point * signs >= -small)[signs != 0].all())


def _choose(problem: Problem, answers: list[Answer]) -> Answer:
    proper = [answer for answer in answers if _kept(problem, answer)] or answers
    least = min(answer.objective for answer in proper)
    # of equal ones the first start's, which is nearest to the first guess
    return next(a for a in proper if a.objective <= least + SAME_OBJECTIVE * max(1e-6, abs(least)))


def _no_solution(problem: Problem, worst: tuple[float, Array] | None) -> OperationError:
    where = None
    if worst is not None and np.isfinite(worst[1]).any():
        index = int(np.nanargmax(worst[1]))
        where = f"constraints: {problem.equations.texts[index]!r}"
    return OperationError(
        "no solution was found that meets all equations",
        where=where or "etl.reconcile",
        why="the equations may contradict the measurements or one another, or the first guess is "
        "too far off",
        remedy="check this equation, or give initial_guess_unmeasured nearer to the expected values",
    )


def _starts(problem: Problem, seed: int) -> list[Array]:
    """First points: the guess, then what meets the equations best from guesses of several sizes."""
    count = len(problem.guess)
    first = problem.guess.copy()
    typical = (
        float(np.median(np.abs(problem.values[problem.values != 0])))
        if ((problem.values != 0).any())
        else 1.0
    )
    given = problem.guessed.all() or count == 0
    guesses = [first]
    if count:
        rng = np.random.default_rng(seed)
        sizes = [1.0, typical, typical / 10, typical * 10, 0.1, 100.0]
        if not given:
            guesses += [np.where(problem.guessed, first, size) for size in sizes]
        for _ in range(RANDOM_STARTS):
            spread = np.exp(rng.normal(scale=0.7, size=count))
            guesses.append(np.where(first != 0, first, typical) * spread)
    points = []
    if not np.isfinite(problem.equations.residual(np.concatenate([problem.values, first]))).all():
        # a root or logarithm of a reading that noise has put below zero
        away = np.maximum(np.abs(problem.values), problem.sd)
        points += [np.concatenate([away, guess]) for guess in guesses]
    for guess in guesses:
        points.append(_clipped(problem, np.concatenate([problem.values, guess])))
        if count:
            fitted = _fitted(problem, guess)
            if fitted is not None:
                points.append(_clipped(problem, fitted))
    return points


def _clipped(problem: Problem, point: Array) -> Array:
    found: Array = np.clip(point, problem.lower, problem.upper)
    return found


def _fitted(problem: Problem, guess: Array) -> Array | None:
    """Unmeasured that meet the equations best with the measured as they are."""
    known = problem.known

    def residual(u: Array) -> Array:
        found = problem.equations.residual(np.concatenate([problem.values, u]))
        return np.nan_to_num(found / size, nan=1e6)

    def slopes(u: Array) -> Array:
        found = problem.equations.jacobian(np.concatenate([problem.values, u]))
        return np.nan_to_num(found[:, known:] / size[:, None])

    start = np.concatenate([problem.values, guess])
    if not np.isfinite(problem.equations.residual(start)).all():
        return None
    size = problem.equations.size(start)
    done = optimize.least_squares(residual, guess, slopes, x_scale="jac", max_nfev=60)
    point = np.concatenate([problem.values, done.x])
    return point if np.isfinite(problem.equations.residual(point)).all() else None


def _relative(equations: Equations, point: Array) -> Array:
    residual = np.abs(equations.residual(point)) / equations.size(point)
    return np.where(np.isfinite(residual), residual, np.inf)


def _scale(problem: Problem, point: Array) -> Array:
    """Size by which a change of each variable is judged, ``(n + p,)``."""
    size = np.maximum(np.abs(point), 1e-8)
    known = problem.known
    size[:known] = np.where(problem.sd > 0, problem.sd, size[:known])
    return size


def _linearised(problem: Problem, point: Array) -> tuple[bounds.Bounded, Array, Array] | None:
    """The optimum of the problem linearised at ``point``, where to it leads, and the slopes."""
    residual, jacobian = problem.equations.residual(point), problem.equations.jacobian(point)
    if not (np.isfinite(residual).all() and np.isfinite(jacobian).all()):
        return None
    known = problem.known
    scale = np.maximum(np.abs(point[known:]), 1e-8)
    # the unmeasured as steps in their own size: what is not determined then stays where it is
    linear = least_squares.Problem(
        measured=jacobian[:, :known],
        unmeasured=jacobian[:, known:] * scale,
        constants=jacobian[:, :known] @ point[:known] - residual,
        values=problem.values,
        sd=problem.sd,
    )
    lower = np.concatenate([problem.lower[:known], (problem.lower[known:] - point[known:]) / scale])
    upper = np.concatenate([problem.upper[:known], (problem.upper[known:] - point[known:]) / scale])
    try:
        bounded = bounds.solve(linear, lower, upper)
    except (InputError, bounds.NotReconciledError):
        return None
    target = np.concatenate([bounded.measured, point[known:] + scale * bounded.unmeasured])
    return bounded, target, jacobian


def _multipliers(problem: Problem, point: Array, jacobian: Array) -> tuple[Array, float]:
    """Multipliers of the equations, and the largest scaled gradient of the Lagrangian that is left."""
    known = problem.known
    scale = _scale(problem, point)
    gradient = np.zeros(len(point))
    live = problem.sd > 0
    gradient[:known][live] = 2 * (point[:known] - problem.values)[live] / problem.sd[live] ** 2
    room = 1e-9 * np.maximum(1.0, np.abs(point))
    free = (point > problem.lower + room) & (point < problem.upper - room)
    free[:known] &= live
    size = np.maximum(np.linalg.norm(jacobian * scale, axis=1), 1e-300)
    matrix = (jacobian * scale / size[:, None])[:, free]
    target = (gradient * scale)[free]
    found, *_ = np.linalg.lstsq(matrix.T, -target, rcond=1e-12)
    rest = target + matrix.T @ found
    reference = max(1.0, float(np.abs(target).max(initial=0.0)))
    return found / size, float(np.abs(rest).max(initial=0.0)) / reference


def _descend(problem: Problem, start: Array) -> tuple[Answer | None, Array]:
    """Successive linearisation from ``start``; the verified answer or None, and the last point."""
    point = start
    history: list[float] = []
    for step in range(MAX_STEPS):
        found = _linearised(problem, point)
        if found is None:
            point, moved = _restored(problem, point)
            if not moved:
                return None, point
            continue
        _, target, jacobian = found
        multipliers, left = _multipliers(problem, point, jacobian)
        change = np.abs((target - point) / _scale(problem, point)).max(initial=0.0)
        closure = float(_relative(problem.equations, point).max(initial=0.0))
        if closure < CLOSED and (change < 1e-8 or (left < 1e-9 and step > 3)):
            return _answer(problem, point, step), point
        point = _shortened(problem, point, target, multipliers, history)
    polished = _polished(problem, point)
    return _answer(problem, polished, MAX_STEPS), polished


def _answer(problem: Problem, point: Array, steps: int) -> Answer | None:
    found = _linearised(problem, point)
    if found is None:
        return None
    bounded, _, jacobian = found
    closure = float(_relative(problem.equations, point).max(initial=0.0))
    _, left = _multipliers(problem, point, jacobian)
    if closure > CLOSED or left > STATIONARY:
        return None
    return Answer(
        point=point,
        objective=problem.objective(point),
        bounded=bounded,
        jacobian=jacobian,
        closure=closure,
        stationarity=left,
        iterations=steps,
    )


def _shortened(
    problem: Problem, point: Array, target: Array, multipliers: Array, history: list[float]
) -> Array:
    """As much of the way as lowers the penalty function below its worst of the last few points."""
    size = problem.equations.size(point)
    weight = 2.0 * np.abs(multipliers) + 10.0 * (1.0 + problem.objective(target)) / size

    def merit(at: Array) -> float:
        residual = problem.equations.residual(at)
        if not np.isfinite(residual).all():
            return float("inf")
        return problem.objective(at) + float(weight @ np.abs(residual))

    history.append(merit(point))
    reference = max(history[-MEMORY:])
    share = 1.0
    for _ in range(HALVINGS):
        trial = point + share * (target - point)
        if merit(trial) < reference:
            return trial
        share /= 2
    # near the optimum rounding hides the gain; the full step is the linear problem's answer
    return target if np.isfinite(problem.equations.residual(target)).all() else trial


def _restored(problem: Problem, point: Array) -> tuple[Array, bool]:
    """Nearest point that meets the equations better, where they cannot be linearised as they are."""
    scale = _scale(problem, point)
    size = problem.equations.size(np.where(np.isfinite(point), point, 1.0))

    def residual(shift: Array) -> Array:
        values = np.nan_to_num(problem.equations.residual(point + shift * scale) / size, nan=1e3)
        return np.concatenate([values, 1e-4 * shift])

    done = optimize.least_squares(residual, np.full(len(point), 1e-3), max_nfev=40)
    trial = _clipped(problem, point + done.x * scale)
    better = (
        _relative(problem.equations, trial).max() < 0.9 * _relative(problem.equations, point).max()
    )
    return (trial, True) if better else (point, False)


def _polished(problem: Problem, point: Array) -> Array:
    """Newton's method on the optimality conditions, with the curvature of the equations.

    Successive linearisation leaves it out, and so converges slowly or not at all where large
    adjustments meet strong curvature. Bounds that bind are held.
    """
    known = problem.known
    room = 1e-9 * np.maximum(1.0, np.abs(point))
    free = (point > problem.lower + room) & (point < problem.upper - room)
    free[:known] &= problem.sd > 0
    for _ in range(40):
        residual, jacobian = problem.equations.residual(point), problem.equations.jacobian(point)
        if not (np.isfinite(residual).all() and np.isfinite(jacobian).all()):
            return point
        multipliers, _ = _multipliers(problem, point, jacobian)
        scale = _scale(problem, point)
        hessian = problem.equations.curvature(point, multipliers, scale)
        gradient = np.zeros(len(point))
        live = problem.sd > 0
        gradient[:known][live] = 2 * (point[:known] - problem.values)[live] / problem.sd[live] ** 2
        index = np.arange(known)[live]
        hessian[index, index] += 2 / problem.sd[live] ** 2
        rows = np.maximum(np.linalg.norm(jacobian * scale, axis=1), 1e-300)
        j = ((jacobian * scale) / rows[:, None])[:, free]
        h = (hessian * scale * scale[:, None])[np.ix_(free, free)]
        system = np.block([[h, j.T], [j, np.zeros((len(j), len(j)))]])
        right = -np.concatenate([(gradient * scale)[free], residual / rows])
        step, *_ = np.linalg.lstsq(system, right, rcond=1e-13)
        move = np.zeros(len(point))
        move[free] = step[: int(free.sum())] * scale[free]
        longest = float(np.abs(move / np.maximum(scale, np.abs(point))).max(initial=0.0))
        point = _clipped(problem, point + move * min(1.0, 2.0 / max(longest, 1e-300)))
        if longest < 1e-12:
            break
    return point
