"""Fit curves of degradation to a record of runs, weigh them, and draw what the parameters may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.cycles import MIN_POINTS, Record
from orchestrator.modules.forecasting.degradation_curves import Curve

Array = NDArray[np.float64]

SHAPES = 80
"""Shapes looked through for the fit, and again about it for the draws."""
SHAPES_JUDGED = 30
"""Shapes looked through for a forecast from a past moment."""
DRAWS = 1000
BOOTSTRAPS = 400
MIN_OWN = 6
"""Points of the present run from which it may have a rate of its own."""
STRAY_SD = 5.0
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
MIN_POINTS_JUDGED = 30
WORSE = 1.25
LEAST_WEIGHT = 0.02
SURE = 0.95
MOST_CORRELATED = 0.95


@dataclass(frozen=True, slots=True)
class Fit:
    """One curve fitted by least squares.

    Attributes:
        curve: The curve.
        own_rate: Whether every run has its own second coefficient.
        shape: Its shape.
        levels: Start level of each run, ``(runs,)``.
        gains: Second coefficient of each run, ``(runs,)``; 0 where the curve has none.
        residuals: Value minus curve, ``(n,)``.
        error: Mean absolute error of forecasts of later parts of the record; NaN where none was made.
        parameters: Parameters, with the variance of the noise.
    """

    curve: Curve
    own_rate: bool
    shape: float
    levels: Array
    gains: Array
    residuals: Array
    parameters: int
    error: float = np.nan

    @property
    def name(self) -> str:
        """Of the curve, and whether runs differ in rate."""
        return self.curve.name + (", own rate each run" if self.own_rate else "")

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

    def present(self, age: float) -> float:
        """Level of the last run at an age."""
        at = np.array(age)
        return float(
            self.curve.value(at, self.levels[-1:], self.gains[-1:], np.array(self.shape))[0]
        )

    def slope(self, age: float) -> float:
        """Change a day of the last run at an age."""
        step = max(1e-4 * age, 1e-4)
        return (self.present(age + step) - self.present(age)) / step


@dataclass(frozen=True, slots=True)
class Draws:
    """Parameters that the record allows for one curve, ``(count,)`` each.

    ``clean`` and ``clean_gain`` are those of a run that begins after a cleaning.
    """

    curve: Curve
    level: Array
    gain: Array
    shape: Array
    clean: Array
    clean_gain: Array


@dataclass(frozen=True, slots=True)
class Degraded:
    """What a record says of its degradation.

    Attributes:
        record: The record, stray points left out.
        fits: Curves that were fitted, likeliest first.
        weights: Akaike weight of each, 0 for those that forecast the record clearly worse.
        draws: Parameters, as many a curve as it has weight.
    """

    record: Record
    fits: tuple[Fit, ...]
    weights: Array
    draws: tuple[Draws, ...]

    @property
    def best(self) -> Fit:
        """The likeliest curve."""
        return self.fits[0]

    def days_to(self, limit: float) -> Array:
        """Days from the last point to the limit in each draw, inf where never, ``(draws,)``."""
        ages = [p.curve.age_at(limit, p.level, p.gain, p.shape) for p in self.draws]
        days: Array = np.maximum(np.concatenate(ages) - self.record.age, 0.0)
        return days

    @property
    def level_after_cleaning(self) -> float | None:
        """Mean level at the begin of the runs that followed a cleaning."""
        levels = self.best.levels[1:]
        return float(levels.mean()) if len(levels) else None


def degraded(record: Record, curves: Sequence[Curve], name: str, seed: int) -> Degraded:
    """Fit, weigh and draw.

    Curves whose forecasts of later parts of the record from earlier ones are 25 % worse than the best
    one's are dropped; the others share the draws by their Akaike weights (Burnham and Anderson 2002), with
    as many points as the correlated residuals are worth. Draws are fits to the curve plus blocks of its
    residuals in another order (moving-block bootstrap, Künsch 1989).

    Raises:
        InsufficientDataError: the value does not degrade, or no curve fits.
    """
    rng = np.random.default_rng(seed)
    record = _without_stray(record, curves)
    _require_degradation(record, curves[0].sign, name, rng)
    fits = [fit for fit in _fits(record, curves) if fit is not None]
    if not fits:
        raise InsufficientDataError(
            f"none of {', '.join(curve.name for curve in curves)} fits a value that degrades",
            where=name,
            remedy="give more history, or model: linear",
        )
    fits = [_judged(fit, record) for fit in fits]
    criteria = _criteria(fits, len(record.values))
    errors = np.array([fit.error for fit in fits])
    if len(record.values) >= MIN_POINTS_JUDGED and np.isfinite(errors).all():
        criteria = np.where(errors > WORSE * errors.min(), np.inf, criteria)
    weights = np.exp(-0.5 * (criteria - criteria.min()))
    weights = np.where(weights / weights.sum() < LEAST_WEIGHT, 0.0, weights)
    weights /= weights.sum()
    order = np.argsort(-weights, kind="stable")
    fits, weights = [fits[i] for i in order], weights[order]
    counts = np.floor(weights * DRAWS).astype(int)
    counts[0] += DRAWS - counts.sum()
    draws = tuple(
        _draw(fit, record, int(count), rng)
        for fit, count in zip(fits, counts, strict=True)
        if count
    )
    return Degraded(record, tuple(fits), weights, draws)


def _without_stray(record: Record, curves: Sequence[Curve]) -> Record:
    fits = [fit for fit in _fits(record, curves) if fit is not None]
    if not fits:
        return record
    residuals = np.abs(min(fits, key=lambda fit: fit.square).residuals)
    bad = residuals > STRAY_SD * 1.4826 * float(np.median(residuals))
    # a curve that fits exactly leaves rounding, of which nothing is stray
    bad &= residuals > 1e-9 * float(np.ptp(record.values))
    kept = len(bad) - int(bad.sum())
    runs = len(np.unique(record.run[~bad]))
    usable = kept >= max(MIN_POINTS, 0.9 * len(bad)) and runs == len(record.starts) and not bad[-1]
    return record.without(bad) if usable else record


def _require_degradation(record: Record, sign: int, name: str, rng: np.random.Generator) -> None:
    """A common straight slope has to point towards the limit in 95 % of the draws."""
    fit = _fit(record, Curve("linear", 1 if sign > 0 else -1), own_rate=False, checked=False)
    if fit is not None:
        gains = _draw(fit, record, BOOTSTRAPS, rng).gain
        if float(np.mean(sign * gains > 0)) >= SURE:
            return
    change = fit.gains[-1] if fit is not None else 0.0
    raise InsufficientDataError(
        f"it does not degrade: it changes by {change:.3g} a day, and would have to "
        f"{'rise' if sign > 0 else 'fall'}",
        where=name,
        why="a date would be made up",
        remedy="give more history, the direction, or a tag that shows the degradation",
    )


def _fits(record: Record, curves: Sequence[Curve]) -> list[Fit | None]:
    found: list[Fit | None] = []
    for curve in curves:
        found.append(_fit(record, curve, own_rate=False))
        enough = np.bincount(record.run).min() >= MIN_OWN
        if curve.has_gain and len(record.starts) > 1 and enough:
            found.append(_fit(record, curve, own_rate=True))
    return found


def _design(record: Record, curve: Curve, shape: float, *, own_rate: bool) -> Array:
    """Columns of the start levels, then of the second coefficients, ``(n, columns)``."""
    of_b, of_g = curve.bases(record.ages, shape)
    runs = (record.run[:, None] == np.arange(len(record.starts))).astype(np.float64)
    columns = [runs * of_b[:, None]]
    if curve.has_gain:
        columns.append(runs * of_g[:, None] if own_rate else of_g[:, None])
    return np.hstack(columns)


def _fit(
    record: Record,
    curve: Curve,
    *,
    own_rate: bool,
    checked: bool = True,
    shapes_tried: int = SHAPES,
) -> Fit | None:
    """Least squares over all shapes; ``None`` where nothing degrades or too few points are there."""
    runs = len(record.starts)
    columns = runs + (runs if own_rate else 1) * curve.has_gain
    parameters = columns + (curve.name != "linear") + 1
    if len(record.values) <= parameters + 1:
        return None
    longest = float(record.ages.max())
    shapes = curve.shapes(longest, shapes_tried)
    solved = [_solve(record, curve, shape, own_rate, record.values[:, None]) for shape in shapes]
    squares = np.array([square[0] for _, square in solved])
    if checked:
        good = [
            bool(curve.degrades(*_last(curve, coefficients[:, 0], runs)))
            for coefficients, _ in solved
        ]
        squares = np.where(good, squares, np.inf)
    best = int(np.argmin(squares))
    if not np.isfinite(squares[best]):
        return None
    shape = _refined(record, curve, own_rate, shapes, squares, best)
    coefficients, _ = _solve(record, curve, shape, own_rate, record.values[:, None])
    levels = coefficients[:runs, 0]
    gains = np.zeros(runs)
    if curve.has_gain:
        gains = np.broadcast_to(coefficients[runs:, 0], (runs,)).copy()
    design = _design(record, curve, shape, own_rate=own_rate)
    residuals = record.values - design @ coefficients[:, 0]
    return Fit(curve, own_rate, shape, levels, gains, residuals, parameters)


def _refined(
    record: Record, curve: Curve, own_rate: bool, shapes: Array, squares: Array, best: int
) -> float:
    """The shape of least squares between the neighbours of the best one looked at."""
    if not 0 < best < len(shapes) - 1 or not np.isfinite(squares[[best - 1, best + 1]]).all():
        return float(shapes[best])
    from scipy.optimize import minimize_scalar

    def square(logarithm: float) -> float:
        shape = float(np.exp(logarithm))
        return float(_solve(record, curve, shape, own_rate, record.values[:, None])[1][0])

    bounds = np.log(shapes[best - 1]), np.log(shapes[best + 1])
    return float(np.exp(minimize_scalar(square, bounds=bounds, method="bounded").x))


def _solve(
    record: Record, curve: Curve, shape: float, own_rate: bool, values: Array
) -> tuple[Array, Array]:
    """Coefficients ``(columns, k)`` and sums of squares ``(k,)`` of ``values`` ``(n, k)``."""
    design = _design(record, curve, shape, own_rate=own_rate)
    scale = np.linalg.norm(design, axis=0)
    scale[scale == 0] = 1.0
    left, singular, right = np.linalg.svd(design / scale, full_matrices=False)
    kept = singular > 1e-11 * singular[0]
    parts = left[:, kept].T @ values
    coefficients = (right[kept].T @ (parts / singular[kept, None])) / scale[:, None]
    squares = np.maximum((values**2).sum(axis=0) - (parts**2).sum(axis=0), 0.0)
    return coefficients, squares


def _last(curve: Curve, coefficients: Array, runs: int) -> tuple[Array, Array]:
    """Start level and second coefficient of the last run."""
    gain = coefficients[-1] if curve.has_gain else np.zeros_like(coefficients[-1])
    return coefficients[runs - 1], gain


def _judged(fit: Fit, record: Record) -> Fit:
    """The fit with its error in forecasting, from several past moments, the rest of the run then going on."""
    errors = []
    for cut in CUTS:
        count = round(cut * len(record.values))
        known = record.first(count)
        ahead = np.flatnonzero(record.run[count:] == known.run[-1]) + count
        if count < MIN_POINTS or not len(ahead):
            continue
        own = fit.own_rate and len(known.starts) > 1
        past = _fit(known, fit.curve, own_rate=own, shapes_tried=SHAPES_JUDGED)
        if past is None:
            continue
        ages = record.days[ahead] - known.starts[-1]
        forecast = fit.curve.value(
            ages, past.levels[-1:], past.gains[-1:], np.full(len(ages), past.shape)
        )
        if np.isfinite(forecast).all():
            errors.append(np.abs(record.values[ahead] - forecast))
    return replace(fit, error=float(np.concatenate(errors).mean()) if errors else np.nan)


def _criteria(fits: Sequence[Fit], points: int) -> Array:
    """AICc (Hurvich and Tsai 1989) of each fit, for as many independent points as there are."""
    best = min(fits, key=lambda fit: fit.square)
    correlation = best.correlation
    most = max(fit.parameters for fit in fits)
    count = max(points * (1 - correlation) / (1 + correlation), most + 2.0)
    tiny = 1e-24 * max(1.0, float(np.max(np.abs(best.levels))) ** 2)
    return np.array(
        [
            count * np.log(max(fit.square / points, tiny))
            + 2 * fit.parameters * count / (count - fit.parameters - 1)
            for fit in fits
        ]
    )


def _draw(fit: Fit, record: Record, count: int, rng: np.random.Generator) -> Draws:
    curve, runs = fit.curve, len(record.starts)
    points = len(record.values)
    # long enough to hold what the residuals remember, short enough to differ
    memory = 3 * (1 + fit.correlation) / (1 - fit.correlation)
    block = max(1, round(min(max(2 * points ** (1 / 3), memory), points / 3)))
    rest = fit.residuals - fit.residuals.mean()
    # a fit takes as much of the noise as it has parameters for the points that are independent
    worth = points * (1 - fit.correlation) / (1 + fit.correlation)
    rest = rest * np.sqrt(worth / max(1.0, worth - fit.parameters + 1))
    # blocks are taken from a ring, so that the ends are drawn as often as the middle
    first = rng.integers(points, size=(count, -(-points // block)))
    rows = (first[:, :, None] + np.arange(block)).reshape(count, -1)[:, :points] % points
    values = (record.values - fit.residuals)[:, None] + rest[rows].T
    shapes = _about(fit, record)
    best = np.full(count, np.inf)
    level, gain = np.zeros(count), np.zeros(count)
    clean, clean_gain = np.zeros(count), np.zeros(count)
    shape = np.zeros(count)
    for candidate in shapes:
        coefficients, squares = _solve(record, curve, candidate, fit.own_rate, values)
        better = squares < best
        best[better] = squares[better]
        found = _last(curve, coefficients, runs)
        after = coefficients[min(1, runs - 1) : runs].mean(axis=0)
        typical = coefficients[runs:].mean(axis=0) if curve.has_gain else np.zeros(count)
        for into, what in zip(
            (level, gain, clean, clean_gain), (*found, after, typical), strict=True
        ):
            into[better] = what[better]
        shape[better] = candidate
    return Draws(curve, level, gain, shape, clean, clean_gain)


def _about(fit: Fit, record: Record) -> Array:
    """Shapes close enough to the fitted one that a draw may have them."""
    if fit.curve.name == "linear":
        return np.array([fit.shape])
    wide = fit.curve.shapes(float(record.ages.max()), SHAPES)
    values = record.values[:, None]
    squares = np.array(
        [_solve(record, fit.curve, shape, fit.own_rate, values)[1][0] for shape in wide]
    )
    points, correlation = len(record.values), fit.correlation
    # four standard deviations of the likelihood's profile, widened for correlated noise
    least = max(fit.square, 1e-300)
    width = 16.0 * (1 + correlation) / (1 - correlation) / points
    near = np.flatnonzero(squares <= least * (1 + width))
    if not len(near):
        near = np.array([int(np.argmin(np.abs(np.log(wide / fit.shape))))])
    low, high = wide[max(near[0] - 1, 0)], wide[min(near[-1] + 1, len(wide) - 1)]
    return np.append(np.geomspace(low, high, SHAPES), fit.shape)
