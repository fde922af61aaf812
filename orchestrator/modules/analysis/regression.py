"""Ridge regression fitted anew at every row on what was known by then, late rows counting more.

With moments summed up row by row, the fit of each row costs one small solve; a rolling-origin evaluation
is then exact (no reuse of an older fit) and takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEAST_WEIGHT = 80.0
"""Under so much weight of rows no regression is fitted."""
PENALTY = 0.1
"""Of a feature with unit variance, per row (Hoerl and Kennard 1970, with the penalty n · λ)."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Weighted sums over all usable rows up to each, of features ``x`` (k of them) and target ``y``.

    Attributes:
        count: Sum of weights, ``(rows,)``.
        x: ``(rows, k)``.
        y: ``(rows,)``.
        xx: ``(rows, k, k)``.
        xy: ``(rows, k)``.
    """

    count: Array
    x: Array
    y: Array
    xx: Array
    xy: Array

    def add(self, other: Moments, weight: float) -> Moments:
        """The sums of both, the other's ``weight`` times."""
        return Moments(
            self.count + weight * other.count,
            self.x + weight * other.x,
            self.y + weight * other.y,
            self.xx + weight * other.xx,
            self.xy + weight * other.xy,
        )


def moments(features: Array, target: Array, first: int, half_life: float) -> Moments:
    """Running sums from row ``first`` on, in which a row counts half after ``half_life`` rows.

    A row with a missing value counts for nothing.
    """
    from scipy.signal import lfilter

    usable = np.isfinite(features).all(axis=1) & np.isfinite(target)
    usable[:first] = False
    x = np.where(usable[:, None], features, 0.0)
    y = np.where(usable, target, 0.0)
    kept = 0.5 ** (1.0 / half_life)

    def summed(values: Array) -> Array:
        found: Array = lfilter([1.0], [1.0, -kept], values, axis=0)
        return found

    return Moments(
        summed(usable.astype(np.float64)),
        summed(x),
        summed(y),
        summed(x[:, :, None] * x[:, None, :]),
        summed(x * y[:, None]),
    )


def predict(sums: Moments, features: Array, origins: Iterable[int], steps: int) -> Array:
    """Forecasts from each origin, fitted on the rows whose target was known there.

    The target of a row is known ``steps`` rows later. A missing feature counts as its mean. Below
    :data:`LEAST_WEIGHT` the answer is 0: no more is claimed than what the target is measured from.
    """
    rows = np.asarray(list(origins), dtype=np.intp)
    found = np.zeros(len(rows))
    last = rows - steps
    fit = (last >= 0) & (sums.count[np.maximum(last, 0)] >= LEAST_WEIGHT)
    if not fit.any():
        return found
    at = last[fit]
    count = sums.count[at]
    mean = sums.x[at] / count[:, None]
    centre = sums.y[at] / count
    cross = sums.xx[at] / count[:, None, None] - mean[:, :, None] * mean[:, None, :]
    deviation = np.sqrt(np.maximum(np.einsum("nkk->nk", cross), 0.0))
    varies = deviation > 1e-9 * (1e-12 + np.abs(mean) + deviation)
    deviation = np.where(varies, deviation, 1.0)
    correlation = cross / (deviation[:, :, None] * deviation[:, None, :])
    correlation += PENALTY * np.eye(cross.shape[1])
    towards = (sums.xy[at] / count[:, None] - mean * centre[:, None]) / deviation
    slope = np.linalg.solve(correlation, towards[:, :, None])[:, :, 0]
    given = features[rows[fit]]
    scaled = np.where(np.isfinite(given) & varies, (given - mean) / deviation, 0.0)
    found[fit] = centre + (slope * scaled).sum(axis=1)
    return found
