"""Prediction intervals from past errors (conformal), made wider or narrower as values fall outside or inside.

The level follows Gibbs and Candès, Adaptive conformal inference under distribution shift (NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.modules.forecasting.soft_sensor.samples import Array, Rows

LEVEL = 0.95
STEP = 0.005
"""How much one value outside moves the level."""
LEVELS = (0.02, 0.3)
"""Bounds of the share that is let outside."""
LEAST = 8
"""Errors before there is an interval."""
HALF_LIFE = 300.0
"""Errors after which one counts half."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Half widths by how many errors were known.

    Attributes:
        half_widths: After 0, 1, 2… known errors, ``(n + 1,)``; before there are enough, as after the
            first that are.
        inside: For each error, whether it was within the interval of its own moment; only those that had
            one are in.
    """

    half_widths: Array
    inside: Sequence[bool]


def intervals(errors: Array, known: Rows) -> Intervals:
    """Intervals from errors in order of time.

    Args:
        errors: Value less estimate, ``(n,)``, at least one.
        known: How many of them were known when each estimate was made, ``(n,)``; its own never is.
    """
    sizes = np.abs(errors)
    count = len(sizes)
    widths = np.full(count + 1, np.nan)
    inside: list[bool] = []
    outside_share = 1 - LEVEL
    for after in range(count + 1):
        # the error that has just become known was held against an interval made before it was
        if after and np.isfinite(width := widths[known[after - 1]]):
            inside.append(bool(sizes[after - 1] <= width))
            outside_share += STEP * ((1 - LEVEL) - (not inside[-1]))
            outside_share = float(np.clip(outside_share, *LEVELS))
        widths[after] = _quantile(sizes[:after], 1 - outside_share)
    if count < LEAST:
        widths[:] = sizes.max()
    else:
        widths[:LEAST] = widths[LEAST]
    return Intervals(widths, inside)


def _quantile(sizes: Array, level: float) -> float:
    """Weighted quantile with one value more at infinity, which stands for the next; NaN if too few."""
    count = len(sizes)
    if count < LEAST:
        return float("nan")
    weights = 0.5 ** (np.arange(count)[::-1] / HALF_LIFE)
    order = np.argsort(sizes)
    share = np.cumsum(weights[order]) / (weights.sum() + 1.0)
    at = int(np.searchsorted(share, level))
    return float(sizes[order[min(at, count - 1)]])
