"""The least by which the bounds of a program must be broken together, as a check of infeasibility."""

from __future__ import annotations

import numpy as np

from orchestrator.modules.optimization.linear import live
from orchestrator.modules.optimization.linear.arrays import Arrays


def least_violation(arrays: Arrays, time_limit: float) -> float | None:
    """Least Σ slack with one slack for each side of each row, and for bounds that cross.

    ``None`` where the solver does not find it in time. Above rounding the program has no point.
    """
    crossed = np.maximum(arrays.lower - arrays.upper, 0.0)
    if crossed.max(initial=0.0) > 0:
        return float(crossed.sum())
    m, n = len(arrays.rows), len(arrays.columns)
    rows = np.arange(m, dtype=np.int32)
    order = np.argsort(np.concatenate([arrays.row, rows, rows]), kind="stable")
    elastic = Arrays(
        columns=arrays.columns,
        rows=arrays.rows,
        worth=np.concatenate([np.zeros(n), -np.ones(2 * m)]),
        lower=np.concatenate([arrays.lower, np.zeros(2 * m)]),
        upper=np.concatenate([arrays.upper, np.full(2 * m, np.inf)]),
        row_lower=arrays.row_lower,
        row_upper=arrays.row_upper,
        row=np.concatenate([arrays.row, rows, rows])[order],
        column=np.concatenate([arrays.column, n + rows, n + m + rows])[order].astype(np.int32),
        value=np.concatenate([arrays.value, np.ones(m), -np.ones(m)])[order],
        integer=np.concatenate([arrays.integer, np.zeros(2 * m, bool)]),
        offset=0.0,
    )
    elastic.columns = (*arrays.columns, *("",) * (2 * m))
    solver = live.loaded(elastic)
    solver.setOptionValue("time_limit", max(1e-3, time_limit))
    solver.run()
    if solver.getModelStatus().name != "kOptimal":
        return None
    return -float(solver.getInfo().objective_function_value)
