"""Is the plant steady over the data, so that its balances can be expected to close?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCKS = 6
SIGMAS = 4.0
RANGE_SIGMAS = 5.5  # the range of six means exceeds 5.5 of their sd once in a thousand
LEAST_ROWS = 9
MAD_TO_SD = 1.4826


def moved(columns: Mapping[str, Array], sd: Mapping[str, float]) -> list[str]:
    """Tags that moved over the data, those that moved most first.

    The rows are cut into blocks (three when there are few). A tag moved when its block means lie
    farther apart than their own scatter explains, and farther than ``sd``, its measurement's standard
    deviation, allows: the first alone would call slow noise of an accurate meter a move, the second
    alone a ramp of a coarse one steady. Ramps, steps and excursions that come back all show.
    """
    found: dict[str, float] = {}
    for name, column in columns.items():
        rows = len(column)
        if rows < LEAST_ROWS:
            continue
        parts = np.array_split(column, BLOCKS if rows >= 5 * BLOCKS else 3)
        kept = [part[np.isfinite(part)] for part in parts]
        kept = [part for part in kept if len(part) >= 2]
        if len(kept) < 3:
            continue
        middles = np.array([float(np.median(part)) for part in kept])
        span = float(middles.max() - middles.min())
        allowed = max(RANGE_SIGMAS * _error(kept), SIGMAS * sd.get(name, 0.0))
        if span > allowed > 0:
            found[name] = span / allowed
    return sorted(found, key=lambda name: -found[name])


def _error(parts: list[Array]) -> float:
    """Standard error of a block's median: the usual scatter within blocks, slow noise included."""
    rest = [part - np.median(part) for part in parts]
    spread = MAD_TO_SD * float(np.median([np.median(np.abs(part)) for part in rest]))
    worth = independent(np.concatenate(rest)) / len(parts)
    return 1.2533 * spread / float(np.sqrt(max(1.0, worth)))


def independent(series: Array) -> float:
    """How many independent samples a series is worth: n (1 − ρ) / (1 + ρ), at least 1."""
    values = series[np.isfinite(series)]
    if len(values) < 4:
        return float(max(1, len(values)))
    centred = values - values.mean()
    power = float(centred @ centred)
    if power <= 0:
        return float(len(values))
    rho = min(0.99, max(0.0, float(centred[1:] @ centred[:-1]) / power))
    return max(1.0, len(values) * (1 - rho) / (1 + rho))
