"""Ridge regression, every penalty from one decomposition, older samples weighing less where asked."""

from __future__ import annotations

import numpy as np

from orchestrator.modules.forecasting.soft_sensor.samples import Array

PENALTIES = tuple(float(10.0**power) for power in range(-2, 5))


def ridge(features: Array, values: Array, asked: Array, half_life: float | None = None) -> Array:
    """Estimates under each of :data:`PENALTIES`, ``(n_asked, n_penalties)``.

    The penalty falls on the weights of standardised features (Hoerl and Kennard, Technometrics 12, 1970).

    Args:
        features: Of the samples, oldest first, ``(n, p)``.
        values: Of the samples, ``(n,)``.
        asked: Features of the rows to estimate, ``(n_asked, p)``.
        half_life: Samples after which one weighs half; null where all weigh alike.
    """
    count = len(values)
    weights = np.ones(count)
    if half_life is not None:
        weights = 0.5 ** (np.arange(count)[::-1] / half_life)
    share = weights / weights.sum()
    centre, level = share @ features, float(share @ values)
    moved = features - centre
    scale = np.sqrt(share @ np.square(moved))
    scale[scale < 1e-12 * np.maximum(1.0, np.abs(centre))] = np.inf
    standard = moved / scale
    weighted = standard * weights[:, None]
    eigenvalues, axes = np.linalg.eigh(weighted.T @ standard)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    projected = axes.T @ (weighted.T @ (values - level))
    shrunk = projected[:, None] / (eigenvalues[:, None] + np.array(PENALTIES))
    found: Array = (asked - centre) / scale @ (axes @ shrunk) + level
    return found
