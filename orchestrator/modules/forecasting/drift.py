"""Whether a value drifts, or only wanders: a test of its trend that holds up to a random walk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.cycles import Record

Array = NDArray[np.float64]

MOST_LAGS = 5
ROUNDING = 1e-9
"""Residuals smaller than this share of the range are none."""


def drift_ratio(record: Record) -> float:
    """The common slope of the runs over its standard error.

    Generalised least squares of a straight line with a level for each run. The memory is the sum of the
    autoregressive coefficients of the residuals, corrected for the trend taken out; where it is within
    ``1/√n`` of 1 it is taken for 1, a random walk, so that the ratio is about standard normal without
    a drift, whatever the memory (Perron and Yabu 2009). Points count as evenly spaced. Runs that were found in
    the record leave its falls out, which raises the ratio.
    """
    values, age, run = record.values, record.ages, record.run
    runs = (run[:, None] == np.arange(len(record.starts))).astype(np.float64)
    design = np.column_stack([runs, age])
    plain = np.linalg.lstsq(design, values, rcond=None)[0]
    rest = values - design @ plain
    if float(np.ptp(rest)) <= ROUNDING * float(np.ptp(values)):
        return float(np.copysign(np.inf, plain[-1]))
    memory = _memory(rest, run)
    same = run[1:] == run[:-1]
    left = (values[1:] - memory * values[:-1])[same]
    right = (design[1:] - memory * design[:-1])[same]
    if memory < 1:
        first = np.concatenate([[True], ~same])
        scale = np.sqrt(1 - memory**2)
        left = np.concatenate([scale * values[first], left])
        right = np.vstack([scale * design[first], right])
    else:
        right = right[:, -1:]  # levels are gone from the differences
    slope = np.linalg.lstsq(right, left, rcond=None)[0]
    noise = left - right @ slope
    spread = np.linalg.pinv(right.T @ right)[-1, -1]
    variance = _long_run(noise) * len(noise) / max(len(noise) - right.shape[1], 1)
    return float(slope[-1] / np.sqrt(max(variance * spread, 1e-300)))


def _memory(rest: Array, run: NDArray[np.intp]) -> float:
    """Sum of the autoregressive coefficients, of the order of least BIC; 1 where it may be 1."""
    count = len(rest)
    best, found = np.inf, 0.0
    most = min(MOST_LAGS, count // 8)
    for order in range(1, most + 1):
        # all orders are judged on the same points, none across a cleaning
        inside = np.flatnonzero(run[most:] == run[:-most]) + most
        if len(inside) <= order + 2:
            break
        past = np.column_stack([rest[inside - lag] for lag in range(1, order + 1)])
        weights = np.linalg.lstsq(past, rest[inside], rcond=None)[0]
        square = float(np.sum((rest[inside] - past @ weights) ** 2))
        score = len(inside) * np.log(max(square, 1e-300)) + order * np.log(len(inside))
        if score < best:
            best, found = score, float(weights.sum())
    # least squares finds too little memory once a trend is taken out (Kendall 1954)
    found += (2 + 4 * found) / count
    return 1.0 if found > 1 - count**-0.5 else max(found, 0.0)


def _long_run(noise: Array) -> float:
    """Variance that long means of the noise have, times their length (Newey and West 1987)."""
    rest = noise
    lags = int(4 * (len(rest) / 100) ** (2 / 9))
    total = float(rest @ rest)
    for lag in range(1, min(lags, len(rest) - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(rest[lag:] @ rest[:-lag])
    return total / len(rest)
