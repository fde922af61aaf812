"""Least squares of one curve of degradation: over its shape by search, over the rest by linear algebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.cycles import Record
from orchestrator.modules.forecasting.degradation_curves import Curve

Array = NDArray[np.float64]

SHAPES = 80
"""Shapes looked through for a fit, and again about it for the draws."""
MOST_CORRELATED = 0.95


@dataclass(frozen=True, slots=True)
class Fit:
    """One curve fitted by least squares.

    Attributes:
        curve: The curve.
        record: What it was fitted to: all runs, or the present one alone.
        alone: Whether earlier runs were left aside.
        shape: Its shape, common to all runs.
        levels: Start level of each run, ``(runs,)``.
        gain: Second coefficient, common to all runs; 0 where the curve has none.
        residuals: Value minus curve, ``(n,)``.
        error: Mean absolute error of forecasts of later parts of the present run from earlier ones; NaN
            where none was made.
    """

    curve: Curve
    record: Record
    alone: bool
    shape: float
    levels: Array
    gain: float
    residuals: Array
    error: float = np.nan

    @property
    def name(self) -> str:
        """Of the curve, and whether earlier runs were left aside."""
        return self.curve.name + (", present run alone" if self.alone else "")

    @property
    def parameters(self) -> int:
        """Parameters, with the variance of the noise."""
        return len(self.levels) + self.curve.parameters + 1

    @property
    def recent(self) -> Array:
        """Residuals of the present run."""
        found: Array = self.residuals[self.record.run == self.record.run[-1]]
        return found

    @property
    def correlation(self) -> float:
        """Of one residual with the next, from 0 to 0.95."""
        rest = self.residuals
        found = float(rest[1:] @ rest[:-1]) / max(self.square, 1e-300)
        return min(max(found, 0.0), MOST_CORRELATED)

    @property
    def square(self) -> float:
        """Sum of squared residuals."""
        return float(self.residuals @ self.residuals)

    def at(self, ages: Array) -> Array:
        """Levels of the present run at ages, d."""
        level, gain, shape = (np.array(x) for x in (self.levels[-1], self.gain, self.shape))
        return self.curve.value(ages, level, gain, shape)

    def slope(self, age: float) -> float:
        """Change a day of the present run at an age."""
        step = max(1e-4 * age, 1e-4)
        now, then = self.at(np.array([age, age + step]))
        return float(then - now) / step


def fit_curve(
    record: Record,
    curve: Curve,
    *,
    alone: bool = False,
    checked: bool = True,
    shapes_tried: int = SHAPES,
) -> Fit | None:
    """Least squares over all shapes; ``None`` where nothing degrades or too few points are there."""
    runs = len(record.starts)
    if len(record.values) <= runs + curve.parameters + 2:
        return None
    shapes = curve.shapes(float(record.ages.max()), shapes_tried)
    solved = [solve(record, curve, shape, record.values[:, None]) for shape in shapes]
    squares = np.array([square[0] for _, square in solved])
    if checked:
        good = [bool(curve.degrades(*of_last_run(curve, found[:, 0], runs))) for found, _ in solved]
        squares = np.where(good, squares, np.inf)
    best = int(np.argmin(squares))
    if not np.isfinite(squares[best]):
        return None
    shape = _refined(record, curve, shapes, squares, best)
    found = solve(record, curve, shape, record.values[:, None])[0][:, 0]
    gain = float(found[-1]) if curve.has_gain else 0.0
    residuals = record.values - _design(record, curve, shape) @ found
    return Fit(curve, record, alone, shape, found[:runs], gain, residuals)


def _refined(record: Record, curve: Curve, shapes: Array, squares: Array, best: int) -> float:
    """The shape of least squares between the neighbours of the best one looked at."""
    if not 0 < best < len(shapes) - 1 or not np.isfinite(squares[[best - 1, best + 1]]).all():
        return float(shapes[best])
    from scipy.optimize import minimize_scalar

    def square(logarithm: float) -> float:
        shape = float(np.exp(logarithm))
        return float(solve(record, curve, shape, record.values[:, None])[1][0])

    bounds = np.log(shapes[best - 1]), np.log(shapes[best + 1])
    return float(np.exp(minimize_scalar(square, bounds=bounds, method="bounded").x))


def solve(record: Record, curve: Curve, shape: float, values: Array) -> tuple[Array, Array]:
    """Coefficients ``(columns, k)`` and sums of squares ``(k,)`` of ``values`` ``(n, k)``."""
    design = _design(record, curve, shape)
    scale = np.linalg.norm(design, axis=0)
    scale[scale == 0] = 1.0
    left, singular, right = np.linalg.svd(design / scale, full_matrices=False)
    kept = singular > 1e-11 * singular[0]
    parts = left[:, kept].T @ values
    coefficients = (right[kept].T @ (parts / singular[kept, None])) / scale[:, None]
    squares: Array = ((values - left[:, kept] @ parts) ** 2).sum(axis=0)
    return coefficients, squares


def _design(record: Record, curve: Curve, shape: float) -> Array:
    """Columns of the start levels, then of the second coefficient, ``(n, columns)``."""
    of_b, of_g = curve.bases(record.ages, shape)
    runs = (record.run[:, None] == np.arange(len(record.starts))).astype(np.float64)
    columns = [runs * of_b[:, None]]
    if curve.has_gain:
        columns.append(of_g[:, None])
    return np.hstack(columns)


def of_last_run(curve: Curve, coefficients: Array, runs: int) -> tuple[Array, Array]:
    """Start level and second coefficient of the last run."""
    gain = coefficients[-1] if curve.has_gain else np.zeros_like(coefficients[-1])
    return coefficients[runs - 1], gain
