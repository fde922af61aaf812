"""Control limits for a stated false-alarm rate, from statistics of rows that no model was fitted on.

The limit of one statistic is a quantile of its sample: the empirical one while enough rows lie beyond
it, else that of a generalised Pareto distribution fitted to the largest tenth by probability-weighted
moments (Hosking and Wallis 1987), which is how a tail is carried on past the data.

Several statistics that are watched together are over a limit more often than each. So all of them
get the same rate of their own, such that the share of rows with *any* of them over is the stated one.
"""

from __future__ import annotations

import numpy as np

from orchestrator.monitoring.delays import FloatArray

ENOUGH = 5
"""Rows beyond an empirical quantile that make it a fair estimate."""
TAIL = 0.1
"""Share of the rows that the tail is fitted to."""
LEAST_TAIL = 10
SHAPE_BOUND = 0.4
"""Bound of the fitted shape: fewer than a hundred rows tell a heavy tail badly."""


def tail_quantile(values: FloatArray, rate: float) -> float:
    """The value that a share ``rate`` of rows exceeds.

    Args:
        values: Statistics of normal rows, shape ``(n_rows,)``.
        rate: Between 0 and 1.
    """
    n = len(values)
    if n * rate >= ENOUGH or n * TAIL < LEAST_TAIL:
        return float(np.quantile(values, 1 - rate))
    share = max(TAIL, LEAST_TAIL / n)
    threshold = float(np.quantile(values, 1 - share))
    excess = np.sort(values[values > threshold] - threshold)
    if len(excess) < LEAST_TAIL or excess[-1] <= 0:
        return float(np.quantile(values, 1 - rate))
    mean = float(excess.mean())
    weighted = float((excess * (len(excess) - np.arange(1, len(excess) + 1))).mean()) / len(excess)
    shape = 2 - mean / max(mean - 2 * weighted, 1e-12 * mean)
    shape = float(np.clip(shape, -SHAPE_BOUND, SHAPE_BOUND))
    scale = mean * (1 - shape)
    depth = rate / share
    if abs(shape) < 1e-9:
        return threshold - scale * float(np.log(depth))
    return threshold + scale / shape * (float(depth**-shape) - 1)


def joint_limits(statistics: FloatArray, rate: float) -> FloatArray:
    """Limits of statistics watched together, for the rate at which any of them is over.

    Args:
        statistics: Shape ``(n_statistics, n_rows)``, of normal rows.
        rate: Share of rows that may be over one limit or more.
    """
    n = statistics.shape[1]
    # Below what the rows can tell, the number of statistics that count as independent is carried on.
    told = max(rate, min(ENOUGH / n, 0.5))
    low, high = told / len(statistics), told
    for _ in range(40):
        own = 0.5 * (low + high)
        limits = np.quantile(statistics, 1 - own, axis=1)
        if (statistics > limits[:, None]).any(axis=0).mean() > told:
            high = own
        else:
            low = own
    own = low * rate / told
    return np.array([tail_quantile(each, own) for each in statistics])
