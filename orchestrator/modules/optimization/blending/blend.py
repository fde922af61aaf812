"""``optimization.blend``: what to blend from what, through which pools, for the most money."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, json_text
from orchestrator.modules.optimization import bilinear
from orchestrator.modules.optimization.bilinear import scip
from orchestrator.modules.optimization.blending.checks import check, oddities
from orchestrator.modules.optimization.blending.explanation import explain
from orchestrator.modules.optimization.blending.formulation import formulate
from orchestrator.modules.optimization.blending.network import network_of
from orchestrator.modules.optimization.blending.problem import BlendInput
from orchestrator.modules.optimization.blending.result import BlendResult
from orchestrator.yaml_files import read_yaml

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

CONFIGURE = (
    "give feeds, products and arcs with the request, or set the option blend_problem of "
    "modules.optimization to a YAML or JSON file with them"
)
EXPLAIN_SHARE, MOST_EXPLAIN = 0.05, 0.5
"""Part of the time that is kept for shadow prices, and the most of it in seconds."""
LEAST_SECONDS = 0.1


def run(parameters: BlendInput, context: OperationContext) -> BlendResult:
    """Solve the blend to proven optimality, or as near to it as the time allows.

    Raises:
        ConfigurationError: the configured problem cannot be read.
        ParameterError: the problem contradicts itself or names what is not there.
    """
    began = time.monotonic()
    if not parameters.feeds and not parameters.products:
        configured = _configured(parameters, context)
        if configured is None:
            return BlendResult(
                summary="There is no blend: no feeds and products are given or configured.",
                status="no_model",
                configure=CONFIGURE,
            )
        parameters = configured
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


def _configured(parameters: BlendInput, context: OperationContext) -> BlendInput | None:
    """The problem that the module's options name, with the time and gap asked for."""
    option = context.settings.get("blend_problem")
    if option is None:
        return None
    where = "option blend_problem of modules.optimization"
    document: Any = option
    if isinstance(option, str | Path):
        where = str(option)
        document = read_yaml(Path(option).expanduser())
    if not isinstance(document, Mapping):
        raise ConfigurationError(
            f"a blending problem has named fields, got {json_text(document)}",
            where=where,
            remedy="write feeds, products and arcs as in docs/blending.md",
        )
    asked = parameters.model_dump(include={"time_limit_seconds", "gap"}, exclude_unset=True)
    try:
        return BlendInput.model_validate({**document, **asked})
    except ValidationError as error:
        found = field_errors(error.errors(), document)
        raise ConfigurationError.of_fields(
            found, where=where, remedy="mend these in the blending problem"
        ) from error
