"""Weigh the curves that a record of runs allows, and draw what their parameters may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.cycles import MIN_POINTS, Record
from orchestrator.modules.forecasting.degradation_curves import Curve, Sign
from orchestrator.modules.forecasting.degradation_fit import (
    SHAPES,
    Fit,
    fit_curve,
    of_last_run,
    solve,
)
from orchestrator.modules.forecasting.drift import drift_ratio

Array = NDArray[np.float64]

SHAPES_JUDGED = 30
"""Shapes looked through for a forecast from a past moment."""
DRAWS = 1000
MIN_ALONE = 12
"""Points of the present run from which it may be fitted alone."""
STRAY_SD = 5.0
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
MIN_POINTS_JUDGED = 30
WORSE = 1.25
LEAST_WEIGHT = 0.02
LEAST_RATIO = 3.0
"""Slope over its standard error from which a value degrades; cleanings found in a random walk make it look so."""
LEAST_RATIO_ALONE = 5.0
"""The same of the present run alone, whose few points say less of how far it wanders."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Parameters that the record allows for one curve, ``(count,)`` each.

    ``level`` is that at the begin of the present run, ``clean`` that of one that begins after a cleaning.
    """

    curve: Curve
    level: Array
    gain: Array
    shape: Array
    clean: Array


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
        """Level at the begin of the runs that followed a cleaning, as the likeliest curve has it."""
        return float(clean_level(self.best.levels)) if len(self.record.starts) > 1 else None


def clean_level(levels: Array) -> Array:
    """Mean over the runs after a cleaning of start levels ``(runs, …)``; the first run may begin dirty."""
    found: Array = levels[min(1, len(levels) - 1) :].mean(axis=0)
    return found


def degraded(record: Record, curves: Sequence[Curve], name: str, seed: int) -> Degraded:
    """Fit, weigh and draw.

    Curves are fitted to all runs together and, where it has twelve points, to the present run alone. Those
    whose forecasts of later parts of the present run from earlier ones are 25 % worse than the best one's
    are dropped; the others share the draws by their Akaike weights (Burnham and Anderson 2002), with as many
    points as the correlated residuals are worth. Draws are fits to the curve plus blocks of its residuals in
    another order (moving-block bootstrap, Künsch 1989).

    Raises:
        InsufficientDataError: the value does not degrade, or no curve fits.
    """
    rng = np.random.default_rng(seed)
    record = _without_stray(record, curves)
    _require_degradation(record, curves[0].sign, name)
    fits = [_judged(fit, record) for fit in _fits(record, curves)]
    if not fits:
        raise InsufficientDataError(
            f"none of {', '.join(curve.name for curve in curves)} fits a value that degrades",
            where=name,
            remedy="give more history, or model: linear",
        )
    weights = _weights(fits)
    order = np.argsort(-weights, kind="stable")
    fits, weights = [fits[i] for i in order], weights[order]
    counts = np.floor(weights * DRAWS).astype(int)
    counts[0] += DRAWS - counts.sum()
    draws = tuple(
        _draw(fit, int(count), rng) for fit, count in zip(fits, counts, strict=True) if count
    )
    return Degraded(record, tuple(fits), weights, draws)


def _without_stray(record: Record, curves: Sequence[Curve]) -> Record:
    fits = [fit for curve in curves if (fit := fit_curve(record, curve)) is not None]
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


def _require_degradation(record: Record, sign: Sign, name: str) -> None:
    """The slope has to rise above what the value wanders by, in all runs or in the present one."""
    ratio = sign * drift_ratio(record)
    if ratio >= LEAST_RATIO:
        return
    last = record.last_run()
    enough = len(record.starts) > 1 and len(last.values) >= MIN_ALONE
    if enough and sign * drift_ratio(last) >= LEAST_RATIO_ALONE:
        return
    raise InsufficientDataError(
        f"it does not degrade: it would have to {'rise' if sign > 0 else 'fall'} by {LEAST_RATIO:g} "
        f"standard errors of its slope, and does by {ratio:.2g}",
        where=name,
        why="a value that only wanders would be given a date",
        remedy="give more history, the direction, or a tag that shows the degradation",
    )


def _fits(record: Record, curves: Sequence[Curve]) -> list[Fit]:
    last = record.last_run()
    alone = len(record.starts) > 1 and len(last.values) >= MIN_ALONE
    found = [fit_curve(record, curve) for curve in curves]
    if alone:
        found += [fit_curve(last, curve, alone=True) for curve in curves]
    return [fit for fit in found if fit is not None]


def _judged(fit: Fit, record: Record) -> Fit:
    """The fit with its error in forecasting the rest of the present run from several past moments."""
    before = int((record.run < record.run[-1]).sum())
    errors = []
    for cut in CUTS:
        count = before + round(cut * (len(record.values) - before))
        known = record.first(count)
        if known.run[-1] < record.run[-1] or count == len(record.values):
            continue
        if fit.alone:
            known = known.last_run()
        if len(known.values) < MIN_POINTS:
            continue
        past = fit_curve(known, fit.curve, alone=fit.alone, shapes_tried=SHAPES_JUDGED)
        if past is None:
            continue
        forecast = past.at(record.ages[count:])
        if np.isfinite(forecast).all():
            errors.append(np.abs(record.values[count:] - forecast))
    return replace(fit, error=float(np.concatenate(errors).mean()) if errors else np.nan)


def _weights(fits: Sequence[Fit]) -> Array:
    """Akaike weights: of the fits to the same points, and between all runs and the present one alone.

    Between these two it counts how they follow the present run: what was learned from others costs no
    parameter there.
    """
    alone = np.array([fit.alone for fit in fits])
    weights = np.zeros(len(fits))
    for group in (alone, ~alone):
        members = [fit for fit, inside in zip(fits, group, strict=True) if inside]
        if members:
            weights[group] = _within(members)
    if alone.any() and not alone.all():
        common = fits[int(np.argmax(weights * ~alone))].recent
        best_alone = fits[int(np.argmax(weights * alone))]
        own = best_alone.residuals
        independent = _independent(best_alone, len(own))
        scores = [
            _criterion(common, 2, independent),
            _criterion(own, best_alone.parameters, independent),
        ]
        share = np.exp(-0.5 * (np.array(scores) - min(scores)))
        share /= share.sum()
        weights *= np.where(alone, share[1], share[0])
    weights = np.where(weights < LEAST_WEIGHT, 0.0, weights)
    found: Array = weights / weights.sum()
    return found


def _within(fits: Sequence[Fit]) -> Array:
    best = min(fits, key=lambda fit: fit.square)
    most = max(fit.parameters for fit in fits)
    independent = max(_independent(best, len(best.residuals)), most + 2.0)
    scores = np.array([_criterion(fit.residuals, fit.parameters, independent) for fit in fits])
    errors = np.array([fit.error for fit in fits])
    if len(best.residuals) >= MIN_POINTS_JUDGED and np.isfinite(errors).all():
        scores = np.where(errors > WORSE * errors.min(), np.inf, scores)
    weights = np.exp(-0.5 * (scores - scores.min()))
    found: Array = weights / weights.sum()
    return found


def _independent(fit: Fit, points: int) -> float:
    """How many independent points so many correlated ones are worth."""
    return max(points * (1 - fit.correlation) / (1 + fit.correlation), fit.parameters + 2.0)


def _criterion(residuals: Array, parameters: int, independent: float) -> float:
    """AICc (Hurvich and Tsai 1989) for as many independent points as there are."""
    mean = max(float(residuals @ residuals) / len(residuals), 1e-300)
    penalty = 2 * parameters * independent / (independent - parameters - 1)
    return independent * float(np.log(mean)) + penalty


def _draw(fit: Fit, count: int, rng: np.random.Generator) -> Draws:
    curve, record, runs = fit.curve, fit.record, len(fit.levels)
    values = (record.values - fit.residuals)[:, None] + _noise(fit, count, rng)
    best = np.full(count, np.inf)
    coefficients = np.zeros((runs + curve.has_gain, count))
    shape = np.zeros(count)
    for candidate in _about(fit):
        found, squares = solve(record, curve, candidate, values)
        better = squares < best
        best[better] = squares[better]
        coefficients[:, better] = found[:, better]
        shape[better] = candidate
    level, gain = of_last_run(curve, coefficients, runs)
    return Draws(curve, level, gain, shape, clean_level(coefficients[:runs]))


def _noise(fit: Fit, count: int, rng: np.random.Generator) -> Array:
    """Residuals in another order, ``(n, count)``: blocks of each run stay in it, as runs differ in noise."""
    rest = fit.residuals - fit.residuals.mean()
    points = len(rest)
    # a fit takes as much of the noise as it has parameters for the points that are independent
    worth = points * (1 - fit.correlation) / (1 + fit.correlation)
    rest = rest * np.sqrt(worth / max(1.0, worth - fit.parameters + 1))
    # long enough to hold what the residuals remember, short enough to differ
    memory = 3 * (1 + fit.correlation) / (1 - fit.correlation)
    found = np.empty((points, count))
    for run in range(len(fit.levels)):
        inside = np.flatnonzero(fit.record.run == run)
        size = len(inside)
        pool = rest[inside] if size >= MIN_POINTS else rest
        block = max(1, round(min(max(2 * len(pool) ** (1 / 3), memory), len(pool) / 3)))
        widened = _cut_memory(fit.correlation, block)
        # blocks are taken from a ring, so that the ends are drawn as often as the middle
        first = rng.integers(len(pool), size=(count, -(-size // block)))
        rows = (first[:, :, None] + np.arange(block)).reshape(count, -1)[:, :size] % len(pool)
        found[inside] = widened * pool[rows].T
    return found


def _cut_memory(correlation: float, block: int) -> float:
    """By how much blocks understate the spread of long means, whose noise remembers beyond their ends.

    Of noise that remembers ``correlation`` from point to point (first-order autoregression).
    """
    lag = np.arange(1, block)
    inside = 1 + 2 * float(((1 - lag / block) * correlation**lag).sum())
    return float(np.sqrt((1 + correlation) / (1 - correlation) / inside))


def _about(fit: Fit) -> Array:
    """Shapes close enough to the fitted one that a draw may have them."""
    if fit.curve.name == "linear":
        return np.array([fit.shape])
    record = fit.record
    wide = fit.curve.shapes(float(record.ages.max()), SHAPES)
    values = record.values[:, None]
    squares = np.array([solve(record, fit.curve, shape, values)[1][0] for shape in wide])
    # four standard deviations of the likelihood's profile, widened for correlated noise
    width = 16.0 * (1 + fit.correlation) / (1 - fit.correlation) / len(record.values)
    near = np.flatnonzero(squares <= max(fit.square, 1e-300) * (1 + width))
    if not len(near):
        near = np.array([int(np.argmin(np.abs(np.log(wide / fit.shape))))])
    low, high = wide[max(near[0] - 1, 0)], wide[min(near[-1] + 1, len(wide) - 1)]
    return np.append(np.geomspace(low, high, SHAPES), fit.shape)
