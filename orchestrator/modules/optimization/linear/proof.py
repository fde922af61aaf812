"""Checks of a solver's answer against the program as it was built.

An optimum is proven by weak duality: any row prices y bound the objective by
``Σ y·b + Σ (c − Aᵀy)·x`` over the bounds, so that a feasible point which reaches that bound is optimal
(Bertsimas and Tsitsiklis, Introduction to Linear Optimization, 1997, ch. 4). Infeasibility is proven by
row prices that bound a zero objective below zero (Farkas' lemma, ibid. section 4.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from orchestrator.modules.optimization.linear.arrays import Arrays, Floats

TOLERANCE = 1e-6
WHOLE = 1e-6
ROUNDING = 1e-9


def broken(arrays: Arrays, x: Floats) -> str:
    """The bound that a point breaks most, in words; empty where it keeps all."""
    if not np.all(np.isfinite(x)):
        return "a value is not finite"
    if not x.size:
        return ""
    activity = arrays.activity(x)
    # Rounding of a sum grows with its terms.
    size = np.ones(len(arrays.rows))
    np.maximum.at(size, arrays.row, np.abs(arrays.value * x[arrays.column]))
    for names, excess in (
        (arrays.columns, _excess(x, arrays.lower, arrays.upper, np.ones_like(x))),
        (arrays.rows, _excess(activity, arrays.row_lower, arrays.row_upper, size)),
    ):
        if excess.size and excess.max() > TOLERANCE:
            worst = int(np.argmax(excess))
            return f"{names[worst]} is outside its bounds by {excess[worst]:.3g} of its size"
    fraction = np.abs(x - np.round(x))[arrays.integer]
    if fraction.size and fraction.max() > WHOLE:
        return (
            f"{arrays.columns[int(np.flatnonzero(arrays.integer)[fraction.argmax()])]} is not whole"
        )
    return ""


def dual_bound(arrays: Arrays, y: Floats) -> float:
    """Largest objective that these row prices allow; infinite where they prove nothing."""
    reduced = arrays.worth - arrays.priced(y)
    # What lies below rounding would meet an infinite bound and prove nothing.
    small = TOLERANCE * max(1.0, float(np.abs(arrays.worth).max(initial=0.0)))
    return (
        _most(y, arrays.row_lower, arrays.row_upper, small)
        + _most(reduced, arrays.lower, arrays.upper, small)
        + arrays.offset
    )


def is_optimal(arrays: Arrays, x: Floats, y: Floats) -> bool:
    """Whether row prices prove that a feasible point of a linear program is optimal."""
    size = float(np.abs(arrays.worth * x).max(initial=1.0))
    objective = arrays.objective(x)
    return dual_bound(arrays, y) - objective <= TOLERANCE * max(size, abs(objective))


def is_infeasible(arrays: Arrays, ray: Floats) -> bool:
    """Whether a dual ray proves that the linear program has no point, in either sign."""
    size = float(np.abs(ray).max(initial=0.0))
    if size == 0 or not np.isfinite(size):
        return False
    for y in (ray / size, -ray / size):
        reduced = -arrays.priced(y)
        most = _most(y, arrays.row_lower, arrays.row_upper, ROUNDING) + _most(
            reduced, arrays.lower, arrays.upper, ROUNDING
        )
        size = _size(y, arrays.row_lower, arrays.row_upper)
        size += _size(reduced, arrays.lower, arrays.upper)
        if most < -ROUNDING * max(1.0, size):
            return True
    return False


def is_ray(arrays: Arrays, ray: Floats) -> bool:
    """Whether a direction earns without end: it keeps every bound and raises the objective."""
    size = float(np.abs(ray).max(initial=0.0))
    if size == 0 or not np.isfinite(size):
        return False
    x = ray / size
    activity = arrays.activity(x)
    keeps = (
        np.all(x[np.isfinite(arrays.lower)] >= -TOLERANCE)
        and np.all(x[np.isfinite(arrays.upper)] <= TOLERANCE)
        and np.all(activity[np.isfinite(arrays.row_lower)] >= -TOLERANCE)
        and np.all(activity[np.isfinite(arrays.row_upper)] <= TOLERANCE)
    )
    earned = arrays.worth * x
    return bool(keeps and float(earned.sum()) > ROUNDING * float(np.abs(earned).sum()))


def _excess(value: Floats, lower: Floats, upper: Floats, size: Floats) -> Floats:
    below = np.where(np.isfinite(lower), lower - value, 0.0)
    above = np.where(np.isfinite(upper), value - upper, 0.0)
    bound = np.maximum(
        np.where(np.isfinite(lower), np.abs(lower), 0.0),
        np.where(np.isfinite(upper), np.abs(upper), 0.0),
    )
    return np.maximum(below, above) / np.maximum(np.minimum(bound, np.abs(value) + 1.0), size)


def _most(price: Floats, lower: Floats, upper: Floats, small: float) -> float:
    """Largest ``Σ price · v`` with v inside its bounds."""
    bound = np.where(price > 0, upper, lower)
    held = np.isfinite(bound)
    if np.any(np.abs(price[~held]) > small):
        return float("inf")
    return float(price[held] @ bound[held])


def _size(price: Floats, lower: Floats, upper: Floats) -> float:
    bound = np.where(price > 0, upper, lower)
    held = np.isfinite(bound)
    return float(np.abs(price[held] * bound[held]).sum())
