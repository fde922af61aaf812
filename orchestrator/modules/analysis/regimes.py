"""Dates at which a price changed how much it moves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.facts import ChangePoint
from orchestrator.modules.analysis.volatility import log_returns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.series import Series

    Array = NDArray[np.float64]

YEARS = 3.0
LEAST_SEGMENT = 20
PENALTY = 3.0
"""Of a further change point, times the logarithm of the number of returns."""


def change_points(series: Series) -> tuple[ChangePoint, ...]:
    """Changes of volatility over the last three years, oldest first."""
    count = round(YEARS * series.per_year)
    returns = log_returns(series.values)[-count:]
    times = series.times[1:][-count:]
    known = np.isfinite(returns)
    returns, times = returns[known], times[known]
    cuts = segments(returns)
    edges = [0, *cuts, len(returns)]
    scale = 100 * math.sqrt(series.per_year)
    spreads = [scale * float(returns[start:end].std()) for start, end in pairwise(edges)]
    return tuple(
        ChangePoint(
            date=str(times[cut].astype("datetime64[D]")),
            volatility_before_pct=spreads[number],
            volatility_after_pct=spreads[number + 1],
        )
        for number, cut in enumerate(cuts)
    )


def segments(returns: Array) -> list[int]:
    """Rows at which a new scale of ``returns`` begins, by PELT (Killick, Fearnhead and Eckley 2012).

    Returns are taken as Laplace distributed about zero: their scale is then the mean absolute return,
    which one odd day moves less than it moves a variance. Twice the negative log-likelihood of ``n``
    returns of scale ``b`` is ``2 n (log 2b + 1)``; each further segment costs ``3 log n``, and none is
    shorter than 20 returns. The search is exact: a start is dropped only when it can no longer win.
    """
    count = len(returns)
    if count < 2 * LEAST_SEGMENT:
        return []
    sums = np.concatenate([[0.0], np.cumsum(np.abs(returns))])
    floor = 1e-12 + 1e-6 * sums[-1] / count

    def cost(starts: NDArray[np.intp], end: int) -> Array:
        length = end - starts
        scale = np.maximum((sums[end] - sums[starts]) / length, floor)
        found: Array = 2 * length * (np.log(2 * scale) + 1)
        return found

    penalty = PENALTY * math.log(count)
    best = np.full(count + 1, np.inf)
    best[0] = -penalty
    before = np.zeros(count + 1, dtype=np.intp)
    starts = np.array([0], dtype=np.intp)
    for end in range(LEAST_SEGMENT, count + 1):
        if end >= 2 * LEAST_SEGMENT:
            starts = np.append(starts, end - LEAST_SEGMENT)
        totals = best[starts] + cost(starts, end)
        winner = int(np.argmin(totals))
        best[end] = totals[winner] + penalty
        before[end] = starts[winner]
        starts = starts[totals <= best[end]]
    cuts = []
    row = int(before[count])
    while row > 0:
        cuts.append(row)
        row = int(before[row])
    return cuts[::-1]
