"""The direction in which a program earns most, where the solver gives none of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orchestrator.modules.optimization.linear import live
from orchestrator.modules.optimization.linear.arrays import Arrays, Floats


def best_direction(arrays: Arrays, time_limit: float) -> Floats | None:
    """The direction of largest worth among those of at most one in each column that keep every bound.

    A program that has a point is unbounded exactly where a direction of its recession cone earns
    (Bertsimas and Tsitsiklis, Introduction to Linear Optimization, 1997, section 4.8). HiGHS has no ray for
    a program of which presolve leaves no row. ``None`` where nothing is found in time.
    """
    cone = replace(
        arrays,
        lower=np.where(np.isfinite(arrays.lower), 0.0, -1.0),
        upper=np.where(np.isfinite(arrays.upper), 0.0, 1.0),
        row_lower=np.where(np.isfinite(arrays.row_lower), 0.0, -np.inf),
        row_upper=np.where(np.isfinite(arrays.row_upper), 0.0, np.inf),
        integer=np.zeros(len(arrays.columns), bool),
        offset=0.0,
    )
    solver = live.loaded(cone)
    solver.setOptionValue("time_limit", max(1e-3, time_limit))
    solver.run()
    if solver.getModelStatus().name != "kOptimal":
        return None
    return np.array(solver.getSolution().col_value, float)
