"""Variances of measurements from the data, where none are given.

Two ways, both robust. Balance residuals (Almásy and Mah 1984, Ind. Eng. Chem. Process Des. Dev. 23,
779): the true flows cancel in the balances, so that the covariance of the residuals is A Σ Aᵀ, from
which Σ follows where there are enough balances. Differences: half the squared step from sample to
sample, in which slow movement of the plant cancels; noise that is itself slow is underestimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from orchestrator.modules.etl.reconciled import SdSource

Array = NDArray[np.float64]
MAD_TO_SD = 1.4826
LEAST_ROWS = 20
WINSOR = 3.5
INDEPENDENT = 1e-6


@dataclass(frozen=True)
class Estimate:
    """Standard deviation of a single reading, and where it comes from."""

    sd: float
    source: SdSource


def estimate(values: Array, coefficients: Array, given: Array) -> list[Estimate | None]:
    """For each column of ``values`` (rows, n); None where it was given or the data do not tell.

    Args:
        values: Readings, NaN where missing.
        coefficients: Balances ``(m, n)``.
        given: Standard deviations that are known ``(n,)``, NaN where not.
    """
    found: list[Estimate | None] = [None] * values.shape[1]
    wanted = ~np.isfinite(given)
    for j in np.flatnonzero(wanted):
        sd = from_differences(values[:, j])
        if sd is not None:
            found[j] = Estimate(sd, "differences")
    variances = _from_residuals(values, coefficients, given)
    for j in np.flatnonzero(wanted):
        if variances is not None and np.isfinite(variances[j]) and variances[j] > 0:
            found[j] = Estimate(float(np.sqrt(variances[j])), "balance_residuals")
    return found


def from_differences(column: Array) -> float | None:
    """From the median absolute step between neighbours; None with too few or no steps."""
    present = column[np.isfinite(column)]
    if len(present) < LEAST_ROWS:
        return None
    steps = np.diff(present)
    middle = float(MAD_TO_SD * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))
    if middle > 0:
        return middle
    spread = float(np.std(steps) / np.sqrt(2))
    return spread if spread > 0 else None


def _from_residuals(values: Array, coefficients: Array, given: Array) -> Array | None:
    measured = np.isfinite(values).mean(axis=0) > 0.5
    usable = ~(np.abs(coefficients[:, ~measured]) > 0).any(axis=1)
    used = coefficients[usable]
    touched = measured & (np.abs(used) > 0).any(axis=0)
    rows = np.isfinite(values[:, touched]).all(axis=1)
    if not usable.any() or not touched.any() or rows.sum() < LEAST_ROWS:
        return None
    residuals = values[np.ix_(rows, touched)] @ used[:, touched].T
    covariance = robust_covariance(residuals)
    upper = np.triu_indices(len(used))
    design = np.stack([np.outer(used[:, j], used[:, j])[upper] for j in np.flatnonzero(touched)], 1)
    known = np.isfinite(given[touched])
    target = covariance[upper] - design[:, known] @ np.square(given[touched][known])
    free = design[:, ~known]
    if not free.shape[1]:
        return None
    size = np.linalg.norm(free, axis=0)
    singular = np.linalg.svd(free / size, compute_uv=False)
    if len(singular) < free.shape[1] or singular.min() < INDEPENDENT * singular.max():
        return None
    # covariances of different size count alike
    spread = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    weight = 1.0 / np.outer(spread, spread)[upper]
    solved, _ = optimize.nnls(free / size * weight[:, None], target * weight)
    found = np.full(values.shape[1], np.nan)
    found[np.flatnonzero(touched)[~known]] = solved / size
    return found


def robust_covariance(samples: Array) -> Array:
    """Covariance of ``(rows, m)`` with each column pulled in to 3.5 robust sd about its median."""
    middle = np.median(samples, axis=0)
    spread = MAD_TO_SD * np.median(np.abs(samples - middle), axis=0)
    reach = WINSOR * np.where(spread > 0, spread, np.std(samples, axis=0))
    return np.atleast_2d(np.cov(np.clip(samples, middle - reach, middle + reach), rowvar=False))


def told(names: Sequence[str], found: Sequence[Estimate | None]) -> list[str]:
    """What was estimated and how, in sentences."""
    ways = {
        "balance_residuals": "the scatter of the balances (Almásy and Mah)",
        "differences": "the steps from sample to sample",
    }
    notes = []
    for source, way in ways.items():
        those = [n for n, e in zip(names, found, strict=True) if e and e.source == source]
        if those:
            shown = ", ".join(those[:5]) + (", …" if len(those) > 5 else "")
            notes.append(f"standard deviations of {shown} were estimated from {way}")
    return notes
