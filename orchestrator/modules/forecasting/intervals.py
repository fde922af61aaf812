"""How sure a forecast is: conformal intervals from the errors of past forecasts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array

HALF_LIFE = 10
MIN_LOCAL = 3
LEAST_LOCAL = 0.3
MOST_WIDENED = 3.0
LOCAL_HALF_LIFE = 5
LOCAL_WEIGHT = 0.5


def recency(origins: int) -> Array:
    """Weight of each origin in the intervals, newest 1, halved every :data:`HALF_LIFE` origins.

    A plant changes: errors of last week say more than those of last quarter (Barber et al. 2023 show
    what such weights cost and gain in conformal intervals).
    """
    weights: Array = 0.5 ** (np.arange(origins)[::-1] / HALF_LIFE)
    return weights


def spread(errors: Array, ends: NDArray[np.intp], steps: int) -> tuple[Array, Array, float]:
    """How large errors are: by step, at each origin relative to that, and now.

    The size at an origin is half the usual one and half the recent one (exponentially weighted, of the
    errors known by then), so that intervals widen in troubled times and narrow in calm ones: the
    residuals of a locally weighted conformal interval (Lei et al. 2018).
    """
    absolute = np.abs(errors)
    kernel = np.ones(3)
    sums = np.convolve(np.nan_to_num(absolute).mean(axis=0), kernel)[1:-1]
    counts = np.convolve(np.isfinite(absolute).mean(axis=0), kernel)[1:-1]
    tiny = 1e-12 + 1e-9 * float(np.nanmax(absolute))
    profile = np.maximum.accumulate(np.maximum(sums / np.maximum(counts, 1e-12), tiny))
    sizes = np.nanmean(absolute / profile, axis=1)

    def size_at(end: int) -> float:
        known = sizes[(ends + steps <= end) & np.isfinite(sizes)]
        if len(known) < MIN_LOCAL:
            return 1.0
        weights = 0.5 ** (np.arange(len(known))[::-1] / LOCAL_HALF_LIFE)
        recent = float(weights @ known / weights.sum())
        return (1 - LOCAL_WEIGHT) * float(np.median(known)) + LOCAL_WEIGHT * recent

    local = np.array([size_at(int(end)) for end in ends])
    now = max(size_at(int(ends[-1]) + 2 * steps), LEAST_LOCAL)
    # the first large errors after a quiet stretch must not count as many times as large again
    return profile, np.maximum(local, max(LEAST_LOCAL, now / MOST_WIDENED)), now


def conformal(shapes: Array, level: float, ends: NDArray[np.intp]) -> float:
    """Split-conformal quantile of the standardised errors of all steps together, newer ones first.

    With n exchangeable errors the level is moved outwards by (n + 1) / n (Vovk et al. 2005). Errors
    of one origin are not independent and neither are those of overlapping ones: n is taken as the
    geometric mean of the number of origins and of errors, counting at most twice as many origins as fit
    into the time without overlap. With too few for the level, the
    largest error is widened as a Student one would be.
    """
    weights = recency(len(shapes))
    known = np.isfinite(shapes)
    apart = (float(ends[-1] - ends[0]) + 1) / shapes.shape[1] + 1
    origins = min(2 * apart, float(weights.sum() ** 2 / (weights**2).sum()))
    effective = origins * float(np.sqrt(known.sum() / len(shapes)))
    outward = max(level, 1 - level) * (effective + 1) / effective
    adjusted = 1 - outward if level < 0.5 else outward
    sample = shapes[known]
    if 0 < adjusted < 1:
        return _weighted_quantile(sample, np.repeat(weights, known.sum(axis=1)), adjusted)
    from scipy.stats import t

    wide = float(t.ppf(level, max(1.0, effective - 1)))
    return min(float(sample.min()), wide) if level < 0.5 else max(float(sample.max()), wide)


def _weighted_quantile(sample: Array, weights: Array, level: float) -> float:
    order = np.argsort(sample)
    shares = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(level, shares / weights.sum(), sample[order]))


def complete(shapes: Array) -> Array:
    """Error trajectories without holes: bridged inside, the nearest error carried to the ends."""
    found = []
    index = np.arange(shapes.shape[1])
    for row in shapes:
        known = np.isfinite(row)
        if known.any():
            found.append(np.interp(index, index[known], row[known]))
    return np.stack(found)
