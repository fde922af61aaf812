"""A trial of a refinery model: whether it has a plan at all, without prices that follow tags."""

from __future__ import annotations

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.plan import explain
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.refinery.findings import Finding
from orchestrator.modules.optimization.refinery.model import RefineryModel

TIME_LIMIT = 30.0


def trial(model: RefineryModel) -> list[Finding]:
    """Solve the plan once, and report limits that conflict and margins without end.

    Prices that are expressions over tags count as 0; where there are any, only the limits are judged.
    """
    follows: list[str] = []

    def price(given: float | str) -> float:
        if isinstance(given, str):
            follows.append(given)
            return 0.0
        return given

    try:
        built = PlanProgram(model, price, nonlinear=True)
    except ParameterError as error:
        told = error.context.get("errors") or [
            {"field": error.where or "(all)", "message": f"{error.what}; {error.remedy}"}
        ]
        return [Finding("error", tuple(item["field"].split(".")), item["message"]) for item in told]
    if follows:
        for column in built.program.columns.values():
            column.worth = 0.0
    solution = built.solve(TIME_LIMIT)
    return _told(built, solution)


def _told(built: PlanProgram, solution: LinearSolution) -> list[Finding]:
    if solution.status == "infeasible":
        result = explain(built, solution, TIME_LIMIT)
        keys = [item.key for item in result.conflicts] or ["limits"]
        together = "; ".join(result.conflicting)
        text = result.summary + (f" These cannot be kept together: {together}." if together else "")
        return [Finding("error", tuple(keys[0].split(".")), text)]
    if solution.status == "unbounded":
        result = explain(built, solution, TIME_LIMIT)
        grows = result.unbounded[0] if result.unbounded else "products"
        return [Finding("error", tuple(grows.partition("[")[0].split(".")), result.summary)]
    if not solution.solved:
        text = (
            f"could not be solved: {solution.status.replace('_', ' ')} {solution.unproven}".strip()
        )
        return [Finding("warning", ("(all)",), text)]
    return []
