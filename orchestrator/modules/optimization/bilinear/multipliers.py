"""Row and column prices of a bilinear program at one of its points.

Where the point satisfies the first-order conditions, the linear program of its tangents has the same
optimum, and its row prices are the multipliers of the bilinear one (Nocedal and Wright, Numerical
Optimization, 2006, section 12.3). Where that does not hold, they are those with the shares held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.bilinear.tangent import set_tangents, tangent_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.modules.optimization.bilinear.program import BilinearProgram
    from orchestrator.modules.optimization.linear import LinearSolution

SAME = 1e-6


@dataclass(frozen=True)
class Multipliers:
    """Prices of a point: change of the objective for one more unit of the bound that holds.

    Attributes:
        rows: Price of each row.
        columns: Price of each column.
        shares_held: Whether they hold only while the shares stay as they are.
    """

    rows: Mapping[str, float]
    columns: Mapping[str, float]
    shares_held: bool


def multipliers(
    program: BilinearProgram, values: Mapping[str, float], time_limit: float
) -> Multipliers | None:
    """Prices at a point, its integers held; ``None`` where they cannot be had in time."""
    indexed = program.indexed()
    arrays = indexed.arrays
    x = np.array([values[name] for name in arrays.columns])
    objective = arrays.objective(x)
    live = tangent_program(program, penalty=0.0).live()
    whole = np.flatnonzero(arrays.integer)
    live.set_bounds({arrays.columns[i]: (float(round(x[i])),) * 2 for i in whole})
    set_tangents(live, indexed, x)
    solution = live.solve(time_limit / 2)
    held = not _reaches(solution, objective)
    if held:
        live.set_bounds({arrays.columns[i]: (float(x[i]),) * 2 for i in indexed.shares})
        solution = live.solve(time_limit / 2)
        if not _reaches(solution, objective):
            return None
    return Multipliers(solution.row_dual, solution.column_dual, held)


def _reaches(solution: LinearSolution, objective: float) -> bool:
    if solution.status != "optimal" or solution.objective is None:
        return False
    return abs(solution.objective - objective) <= SAME * max(1.0, abs(objective))
