"""``optimization.blend``: what to blend from what, through which pools, for the most money."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.modules.optimization import bilinear
from orchestrator.modules.optimization.bilinear import scip
from orchestrator.modules.optimization.blending.checks import check, oddities
from orchestrator.modules.optimization.blending.explanation import explain
from orchestrator.modules.optimization.blending.formulation import formulate
from orchestrator.modules.optimization.blending.network import network_of
from orchestrator.modules.optimization.blending.problem import BlendInput
from orchestrator.modules.optimization.blending.result import BlendResult

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

EXPLAIN_SHARE, MOST_EXPLAIN = 0.1, 3.0
"""Part of the time that is kept for shadow prices, and the most of it in seconds."""
LEAST_SECONDS = 0.1


def run(parameters: BlendInput, context: OperationContext) -> BlendResult:
    """Solve the blend to proven optimality, or as near to it as the time allows.

    Raises:
        ParameterError: the problem contradicts itself or names what is not there.
    """
    began = time.monotonic()
    check(parameters)
    context.progress(0.1, "building the blend")
    made = formulate(network_of(parameters))
    limit = parameters.time_limit_seconds
    kept = min(MOST_EXPLAIN, EXPLAIN_SHARE * limit)
    left = limit - kept - (time.monotonic() - began)
    context.progress(0.2, "solving the blend")
    solution = bilinear.solve(
        made.program, max(LEAST_SECONDS, left), gap=parameters.gap, seed=context.seed
    )
    context.progress(0.9, "checking the blend")
    result = explain(made, solution, max(kept, limit - (time.monotonic() - began)))
    warnings = [*parameters.unread(), *oddities(parameters), *result.warnings]
    if result.status == "feasible" and not scip.installed():
        warnings.append(f"SCIP would bound this better: {scip.INSTALL}")
    return result.model_copy(update={"warnings": tuple(warnings)})
