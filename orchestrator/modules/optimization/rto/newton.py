"""Damped Newton for many small systems of equations at once.

Every row is a system of its own: m equations in m unknowns within bounds. A step is halved until the
scaled residual falls (Armijo rule; Nocedal and Wright 2006, Numerical Optimization, section 11.2), and
it ends at a bound. What Newton cannot solve goes, system by system, to SciPy's bounded least squares
from several starts. Only a residual that is small counts as a solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Residual = Callable[[Array, NDArray[np.intp]], tuple[Array, Array]]
"""Unknowns ``(n, m)`` of the systems with these numbers -> residuals ``(n, m)``, Jacobians ``(n, m, m)``."""

TOLERANCE = 1e-9
_ITERATIONS = 40
_HALVINGS = 10


@dataclass(frozen=True, slots=True)
class Solved:
    """Unknowns ``(n, m)``, and which systems are solved ``(n,)``; an unsolved row is NaN."""

    values: Array
    solved: NDArray[np.bool_]


def solve(
    residual: Residual, guess: Array, low: Array, high: Array, size: Array, starts: int = 8
) -> Solved:
    """Solve every system from its own guess.

    Args:
        residual: Residuals and Jacobians.
        guess: First values, shape ``(n, m)``.
        low: Lower bounds, shape ``(m,)``.
        high: Upper bounds, shape ``(m,)``.
        size: What is large for each unknown, shape ``(m,)``; scales the unknowns.
        starts: Further starts where Newton from the guess fails.
    """
    values = np.clip(guess, low, high)
    error = np.full(len(values), np.inf)
    active = np.arange(len(values))
    f, jacobian = residual(values, active)
    for _ in range(_ITERATIONS):
        scale = _row_sizes(jacobian, size)
        error[active] = np.max(np.abs(f) / scale, axis=1)
        keep = np.flatnonzero(np.logical_not(error[active] <= 0.1 * TOLERANCE))
        active, f, jacobian, scale = active[keep], f[keep], jacobian[keep], scale[keep]
        if not len(active):
            break
        step = _steps(jacobian, f, scale, size)
        better, f, jacobian = _damped(residual, values, step, f, jacobian, scale, active, low, high)
        active, f, jacobian = active[better], f[better], jacobian[better]
        if not len(active):
            break
    for i in np.flatnonzero(np.logical_not(error <= TOLERANCE)):
        found = _restarted(residual, values[i], int(i), low, high, size, starts)
        if found is not None:
            values[i], error[i] = found, 0.0
    solved = error <= TOLERANCE
    return Solved(np.where(solved[:, None], values, np.nan), solved)


def _row_sizes(jacobian: Array, size: Array) -> Array:
    """How large the terms of each equation are: what its residual is compared with."""
    rows = np.abs(jacobian) @ size
    return np.where(np.isfinite(rows) & (rows > 1e-300), rows, 1.0)


def _steps(jacobian: Array, f: Array, scale: Array, size: Array) -> Array:
    matrix = jacobian * size / scale[:, :, None]
    usable = np.all(np.isfinite(matrix), axis=(1, 2)) & np.all(np.isfinite(f), axis=1)
    matrix = np.where(usable[:, None, None], matrix, np.eye(len(size)))
    right = np.where(usable[:, None], -f / scale, 0.0)[:, :, None]
    try:
        step = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        step = np.linalg.pinv(matrix) @ right
    scaled: Array = step[:, :, 0] * size
    return scaled


def _damped(
    residual: Residual,
    values: Array,
    step: Array,
    f: Array,
    jacobian: Array,
    scale: Array,
    active: NDArray[np.intp],
    low: Array,
    high: Array,
) -> tuple[NDArray[np.bool_], Array, Array]:
    """Move ``values`` by as much of the step as lessens the residual; where any does, and what is left."""
    norm = np.linalg.norm(f / scale, axis=1)
    before = values[active]
    f, jacobian = f.copy(), jacobian.copy()
    done = np.zeros(len(active), dtype=np.bool_)
    share = 1.0
    for _ in range(_HALVINGS):
        left = np.flatnonzero(~done)
        trial = np.clip(before[left] + share * step[left], low, high)
        f_trial, jacobian_trial = residual(trial, active[left])
        reached = np.linalg.norm(f_trial / scale[left], axis=1)
        good = reached <= (1 - 1e-4 * share) * norm[left]
        values[active[left[good]]] = trial[good]
        f[left[good]], jacobian[left[good]] = f_trial[good], jacobian_trial[good]
        done[left[good]] = True
        if done.all():
            break
        share /= 2
    return done, f, jacobian


def _restarted(
    residual: Residual, guess: Array, system: int, low: Array, high: Array, size: Array, starts: int
) -> Array | None:
    from scipy.optimize import least_squares

    number = np.array([system])
    random = np.random.default_rng(system)
    floor = np.where(np.isfinite(low), low, guess - 3 * size)
    roof = np.where(np.isfinite(high), high, guess + 3 * size)
    firsts = [guess, *(floor + random.random((starts, len(guess))) * (roof - floor))]
    margin = 1e-9 * (roof - floor)
    for first in firsts:
        inside = np.clip(np.where(np.isfinite(first), first, (floor + roof) / 2), low, high)
        inside = np.clip(inside, low + margin, high - margin)

        def flat(x: Array) -> Array:
            f, jacobian = residual(x[None, :], number)
            scaled: Array = np.nan_to_num((f / _row_sizes(jacobian, size))[0], nan=1e6)
            return scaled

        result = least_squares(
            flat, inside, bounds=(low, high), x_scale=size, xtol=1e-15, ftol=1e-15
        )
        if np.max(np.abs(flat(result.x))) <= TOLERANCE:
            return np.asarray(result.x)
    return None
