"""What the season does to a series: its usual change from any date over the next periods.

Changes over ``steps`` periods are held by the row from which they start, so that row ``t`` is known only
``steps`` rows later. What is given at a row rests on those rows of a year and more before that were known
by then.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

BANDWIDTH_DAYS = 4.2
CLIP = 2.0
LEAST_FOR_SCALE = 30
TO_SIGMA = 1.4826
"""Standard deviation of a normal variable over its median absolute deviation."""


def lagged(values: Array, rows: int) -> Array:
    """Values of ``rows`` before; NaN where there are none."""
    found = np.full(len(values), np.nan)
    if 0 < rows < len(values):
        found[rows:] = values[:-rows]
    elif rows == 0:
        found[:] = values
    return found


def change(values: Array, steps: int) -> Array:
    """Change from each row over the next ``steps``; NaN where the end is not there."""
    found = np.full(len(values), np.nan)
    if steps < len(values):
        found[:-steps] = values[steps:] - values[:-steps]
    return found


def average_change(changes: Array, per_year: float, steps: int) -> Array:
    """Mean change from the same period of all earlier years; 0 where there is no earlier year.

    This is the plain seasonal forecast that a better one has to beat.
    """
    return _kernel_mean(changes, per_year, steps, bandwidth=0.0, half_life=np.inf)


def usual_change(changes: Array, per_year: float, half_life: float, steps: int) -> Array:
    """Mean change from about the same date of earlier years, without the weight of odd years.

    Neighbouring periods count by a Gaussian of :data:`BANDWIDTH_DAYS`; a year counts half after
    ``half_life`` years. Changes further than :data:`CLIP` robust standard deviations from a first such
    mean are drawn in to there (one step of Huber's estimator). A level instead of a change has 0 ``steps``.
    """
    bandwidth = BANDWIDTH_DAYS * per_year / 365.25
    first = _kernel_mean(changes, per_year, steps, bandwidth, half_life)
    return _kernel_mean(clipped(changes, first, CLIP), per_year, steps, bandwidth, half_life)


def clipped(values: Array, centre: Array, width: float) -> Array:
    """Values drawn in to ``width`` robust standard deviations around ``centre``.

    The scale at a row is that of all rows up to it; with few of them nothing is drawn in.
    """
    apart = values - centre
    reach = width * running_scale(apart)
    drawn: Array = np.where(
        np.isfinite(reach) & np.isfinite(apart), centre + np.clip(apart, -reach, reach), values
    )
    return drawn


def running_scale(apart: Array) -> Array:
    """Robust standard deviation about zero of all rows up to each; NaN while they are few or all 0."""
    found = np.full(len(apart), np.nan)
    ordered: list[float] = []
    for row, value in enumerate(np.abs(apart)):
        if np.isfinite(value):
            insort(ordered, float(value))
        if len(ordered) >= LEAST_FOR_SCALE:
            middle = len(ordered) // 2
            median = (ordered[middle] + ordered[-middle - 1]) / 2
            found[row] = TO_SIGMA * median if median > 0 else np.nan
    return found


def _kernel_mean(
    changes: Array, per_year: float, steps: int, bandwidth: float, half_life: float
) -> Array:
    rows = len(changes)
    total, weight = np.zeros(rows), np.zeros(rows)
    reach = int(np.ceil(2.5 * bandwidth))
    for years in range(1, int((rows + reach) / per_year) + 1):
        back = round(years * per_year)
        age = 0.5 ** (years / half_life)
        # A change that began under ``steps`` rows before is not known yet.
        for offset in range(-reach, min(reach, back - steps) + 1):
            share = age * (np.exp(-0.5 * (offset / bandwidth) ** 2) if bandwidth > 0 else 1.0)
            past = lagged(changes, back - offset)
            known = np.isfinite(past)
            total[known] += share * past[known]
            weight[known] += share
    return np.divide(total, weight, out=np.zeros(rows), where=weight > 0)
