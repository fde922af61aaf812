"""``optimization.setpoints``: what to move on the running unit, limits first and money second."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.models import SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.present import present_values
from orchestrator.modules.optimization.rto import memory as memories
from orchestrator.modules.optimization.rto.adaptation import FIRST_RADIUS, Memory, Rules, advise
from orchestrator.modules.optimization.rto.back_off import drawn_in
from orchestrator.modules.optimization.rto.run import run_simulated
from orchestrator.modules.optimization.rto.variability import variability
from orchestrator.modules.optimization.setpoints_result import HOURS, result_of
from orchestrator.modules.optimization.steady_model import TOLERANCE, SteadyModel

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.modules.base import OperationContext
    from orchestrator.plant.economic_model import EconomicModel

__all__ = ["CONFIGURE", "HOURS", "place", "propose", "run"]

CONFIGURE = (
    "add a section economics to the plant file: handles (tags that may move), responses (tag: "
    "expression over handles), objective (USD per hour) and constraints"
)


def run(parameters: SetpointsInput, context: OperationContext) -> SetpointsResult:
    """Propose moves, and remember the operating point."""
    return propose(parameters, context, keep=True)


def propose(
    parameters: SetpointsInput, context: OperationContext, *, keep: bool
) -> SetpointsResult:
    """Propose moves.

    Args:
        parameters: Of the operation.
        context: Of the operation.
        keep: Whether to remember the operating point; one with values that were given is not.

    Raises:
        UnknownTagError: the model or a parameter names what is not a tag.
        InsufficientDataError: a present value that the model needs is not there.
        OperationError: the model has no steady state at the present point.
    """
    economics = parameters.economics or context.plant.economics
    if economics is None:
        return SetpointsResult(
            summary="No set points can be proposed: the plant file has no economic model.",
            status="no_model",
            configure=CONFIGURE,
        )
    present = present_values(context, parameters.average_minutes) | dict(parameters.current)
    if parameters.simulate is not None:
        return run_simulated(economics, present, parameters, context)
    context.progress(0.1, "placing the model at the present point")
    model = SteadyModel(economics, present, parameters, context)
    return _advised(model, parameters, context, keep and not parameters.current)


def place(parameters: SetpointsInput, context: OperationContext) -> SteadyModel:
    """The economic model at the present values of the data and of the parameters."""
    economics = parameters.economics or context.plant.economics
    assert economics is not None
    present = present_values(context, parameters.average_minutes) | dict(parameters.current)
    return SteadyModel(economics, present, parameters, context)


def _advised(
    model: SteadyModel, parameters: SetpointsInput, context: OperationContext, keep: bool
) -> SetpointsResult:
    names = frozenset({*model.state.handles, *model.state.measured, *model.state.disturbances})
    varied, moving = variability(context, parameters.average_minutes, names)
    known = {n: v.sd_of_mean for n, v in varied.items() if n not in parameters.current}
    noise = {n: known.get(n, model.present.noise.get(n, 0.0)) for n in model.present.measured}
    point = replace(model.present, noise=noise, at=context.now)
    path, memory = _memory(model.economics, parameters, context)
    if moving:
        model.warnings.append(
            f"the unit is not steady ({', '.join(moving[:3])}): nothing is learned"
        )
        points = [*memory.points, replace(point, noise={})]
        used = Memory(points, memory.radius, memory.centre)
    else:
        spans = {h.tag: max(h.high - h.low, 1e-12) for h in model.handles}
        memories.remember(memory, point, spans)
        used = memory
    model.learn(used.points)
    before = np.maximum(model.excesses(model.now[None, :])[0], 0.0)
    outside = {i.name for i, e in zip(model.limits, before, strict=True) if e > TOLERANCE}
    context.progress(0.3, "restoring limits" if outside else "searching the optimum")
    kept = drawn_in(model, varied, parameters.limit_chance)
    advice = advise(
        model,
        used,
        Rules(
            radius=parameters.first_step or (FIRST_RADIUS if parameters.probing else 1.0),
            probing=bool(parameters.probing),
            gain=parameters.filter_gain,
            caution=parameters.caution,
        ),
        parameters.starts,
        context.seed,
        parameters.time_limit_seconds,
    )
    if path is not None and keep and not moving:
        memories.write(path, memory)
    count = len(used.points)
    return result_of(model, advice, tuple(sorted(outside)), kept, parameters.step_minutes, count)


def _memory(
    economics: EconomicModel, parameters: SetpointsInput, context: OperationContext
) -> tuple[Path | None, Memory]:
    """Where the plant has been, and the file that keeps it."""
    if context.folder is None or not parameters.adapt:
        return None, Memory()
    path = memories.path_of(context.folder, economics)
    return path, memories.read(path)
