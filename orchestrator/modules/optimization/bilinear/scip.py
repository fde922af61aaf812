"""A bilinear program solved to global optimality by SCIP: spatial branch and bound.

SCIP (Bolusani and others, The SCIP Optimization Suite 9.0, 2024) bounds a program by convex envelopes,
cuts of the reformulation-linearisation technique and bound tightening, and branches on what is left
(Bestuzheva and others, Global optimization of mixed-integer nonlinear programs with SCIP 8, 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import UnavailableError
from orchestrator.modules.optimization.models import SolveStatus

if TYPE_CHECKING:
    from orchestrator.modules.optimization.bilinear.program import BilinearProgram
    from orchestrator.modules.optimization.linear.arrays import Floats

INSTALL = "install the extra: pip install 'dan-g-orchestrator[optimization]'"
SEED = 1
_WORDS: dict[str, SolveStatus] = {
    "optimal": "optimal",
    "gaplimit": "optimal",
    "infeasible": "infeasible",
    "unbounded": "unbounded",
    "timelimit": "time_limit",
    "nodelimit": "time_limit",
    "memlimit": "time_limit",
    "userinterrupt": "time_limit",
}
MEMORY_MB = 4096.0


@dataclass(frozen=True)
class ScipAnswer:
    """What SCIP says, unchecked: its word, its points (best first) and its bound of the objective."""

    status: SolveStatus
    points: tuple[Floats, ...]
    bound: float


def installed() -> bool:
    """Whether SCIP is installed."""
    try:
        import pyscipopt  # noqa: F401
    except ImportError:
        return False
    return True


def solve(
    program: BilinearProgram,
    time_limit: float,
    gap: float,
    start: Floats | None = None,
    *,
    presolve: bool = True,
) -> ScipAnswer:
    """Maximise.

    Args:
        program: The program.
        time_limit: Seconds by the wall clock.
        gap: Relative gap at which it may stop.
        start: A feasible point from which to begin.
        presolve: Whether SCIP may transform the program first; without it is slower and sturdier.

    Raises:
        UnavailableError: SCIP is not installed.
    """
    try:
        from pyscipopt import Model, quicksum
    except ImportError as error:
        raise UnavailableError(
            f"SCIP is not installed ({error})", where="optimization", remedy=INSTALL
        ) from error
    model: Any = Model("bilinear")
    model.hideOutput()
    model.setParams(
        {
            "limits/time": max(0.1, time_limit),
            "limits/gap": gap,
            "limits/memory": MEMORY_MB,
            "timing/clocktype": 2,
            "misc/catchctrlc": False,
            "randomization/randomseedshift": SEED,
        }
    )
    if not presolve:
        model.setIntParam("presolving/maxrounds", 0)
    variables = {
        column.name: model.addVar(
            name=f"c{number}",
            vtype="I" if column.kind == "integer" else "C",
            lb=_bound(column.lower),
            ub=_bound(column.upper),
        )
        for number, column in enumerate(program.linear.columns.values())
    }
    for row in program.linear.rows.values():
        if not any(row.terms.values()):
            continue
        total = quicksum(value * variables[name] for name, value in row.terms.items() if value)
        _add_row(model, total, row.lower, row.upper)
    for w, (x, y) in program.products.items():
        model.addCons(variables[w] == variables[x] * variables[y])
    columns = program.linear.columns.values()
    model.setObjective(
        quicksum(c.worth * variables[c.name] for c in columns if c.worth), "maximize"
    )
    if start is not None:
        given = model.createSol()
        for variable, value in zip(variables.values(), start.tolist(), strict=True):
            model.setSolVal(given, variable, value)
        model.addSol(given)
    model.optimize()
    points = tuple(
        np.array([model.getSolVal(point, variable) for variable in variables.values()])
        for point in model.getSols()[:3]
    )
    bound = float(model.getDualbound())
    infinite = abs(bound) >= model.infinity()
    return ScipAnswer(
        _word(model.getStatus()),
        points,
        float("inf") if infinite else bound + program.linear.offset,
    )


def _word(status: str) -> SolveStatus:
    # Of "infeasible or unbounded" neither is known; a check of its own decides.
    return _WORDS.get(status, "error")


def _bound(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _add_row(model: Any, total: Any, lower: float, upper: float) -> None:
    if lower == upper:
        model.addCons(total == lower)
        return
    if np.isfinite(lower):
        model.addCons(total >= lower)
    if np.isfinite(upper):
        model.addCons(total <= upper)
