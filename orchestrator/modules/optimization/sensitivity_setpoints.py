"""The set-point side of ``optimization.sensitivity``: what each limit on the running unit costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.modules.optimization import setpoints
from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.planning.result import PlanLimit
from orchestrator.modules.optimization.planning.what_if_models import (
    SensitivityInput,
    SensitivityResult,
)

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext


def run(parameters: SensitivityInput, context: OperationContext) -> SensitivityResult:
    """Explain the optimum of the set points."""
    fields = {name: getattr(parameters, name) for name in SetpointsInput.model_fields}
    result = setpoints.propose(SetpointsInput.model_validate(fields), context, keep=False)
    if result.status == "no_model":
        return SensitivityResult(
            summary=result.summary, status="no_model", of="setpoints", configure=result.configure
        )
    limits = tuple(
        PlanLimit(
            limit=f"{item.kind} limit of {item.limit}",
            path=item.limit,
            side=item.side,
            bound=item.bound,
            shadow_price=item.shadow_price,
            text=item.text,
        )
        for item in result.binding
    )
    per_hour = result.objective_usd_per_hour
    return SensitivityResult(
        summary=binding_in_words(limits),
        warnings=result.warnings,
        status=result.status,
        of="setpoints",
        objective=None if per_hour is None else per_hour * setpoints.HOURS,
        limits=limits,
        conflicts=result.conflicts,
    )


def binding_in_words(limits: tuple[PlanLimit, ...]) -> str:
    """The first limit, and how many more there are."""
    if not limits:
        return "No limit holds the optimum back."
    more = f" and {len(limits) - 1} more" if len(limits) > 1 else ""
    return f"Binding: {limits[0].limit}{more}; {limits[0].text}."
