"""The optimizer run on a plant, steady state by steady state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from orchestrator.modules.optimization.models import (
    Iterate,
    SetpointsInput,
    SetpointsResult,
)
from orchestrator.modules.optimization.present import require
from orchestrator.modules.optimization.rto.adaptation import (
    FIRST_RADIUS,
    Memory,
    Rules,
    advise,
    settled,
)
from orchestrator.modules.optimization.rto.memory import remember
from orchestrator.modules.optimization.rto.plants import ModelPlant, SteadyPlant
from orchestrator.modules.optimization.setpoints_result import modifiers_at, result_of
from orchestrator.modules.optimization.steady_model import TOLERANCE, SteadyModel

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.plant.economic_model import EconomicModel


Kind = Literal["start", "step", "probe", "stay"]


def run_simulated(
    economics: EconomicModel,
    present: Mapping[str, float],
    parameters: SetpointsInput,
    context: OperationContext,
) -> SetpointsResult:
    """Run on the plant that ``parameters.simulate`` gives as expressions; for what, see :func:`run_on`."""
    asked = parameters.simulate
    assert asked is not None
    names = tuple(dict.fromkeys((*economics.responses, *economics.measured)))
    truth = asked.plant.model_copy(
        update={"handles": economics.handles, "constraints": economics.constraints}
    )
    noise_percent = asked.noise_percent / asked.readings**0.5
    noise = dict.fromkeys(names, noise_percent / 100.0)
    plant = ModelPlant(truth, names, noise, asked.seed, present)
    result, proposed = _loop(
        plant, economics, present, parameters, context, asked.iterations, noise_percent
    )
    plant.apply(proposed)
    return result.model_copy(
        update={
            "summary": f"SIMULATED plant, {len(result.iterates)} steady states. {result.summary}",
            "simulated": True,
            "true_objective": plant.truth["objective"],
            "best_iterate": max(result.iterates, key=_merit).number,
        }
    )


def run_on(
    plant: SteadyPlant,
    economics: EconomicModel,
    present: Mapping[str, float],
    parameters: SetpointsInput,
    context: OperationContext,
    iterations: int,
    noise_percent: float = 0.0,
) -> SetpointsResult:
    """Start at the present handles and go where the advice says, until it says to stay.

    Every steady state of the plant counts as an iteration, the start and probing moves included. The
    move before the last iteration is made for money, whatever is not known.

    Args:
        plant: Is moved, and measured; where it tells its truth, that is noted and not used.
        economics: The model that the optimizer knows.
        present: Handles to start at, and what else the model reads and the plant does not measure.
        parameters: Of the operation.
        context: Of the operation.
        iterations: Most steady states.
        noise_percent: Standard deviation of a steady value as measured, in percent of it.

    Returns:
        The last advice, with every steady state in ``iterates``.

    Raises:
        InsufficientDataError: a handle or another value that the model needs is not there.
        OperationError: plant or model has no steady state where it was sent.
    """
    return _loop(plant, economics, present, parameters, context, iterations, noise_percent)[0]


def _loop(
    plant: SteadyPlant,
    economics: EconomicModel,
    present: Mapping[str, float],
    parameters: SetpointsInput,
    context: OperationContext,
    iterations: int,
    noise_percent: float,
) -> tuple[SetpointsResult, dict[str, float]]:
    """The result, and the handles that it proposes."""
    require(economics.handles.keys(), present, context)
    rules = Rules(
        radius=parameters.first_step or FIRST_RADIUS,
        probing=parameters.probing is not False,
        gain=parameters.filter_gain,
        caution=parameters.caution,
    )
    memory = Memory()
    handles = {name: present[name] for name in economics.handles}
    kind: Kind = "start"
    iterates: list[Iterate] = []
    while True:
        number = len(iterates) + 1
        context.progress(number / (iterations + 1), f"steady state {number} of the plant")
        measured = plant.apply(handles)
        model = SteadyModel(economics, {**present, **measured, **handles}, parameters, context)
        noise = {n: abs(v) * noise_percent / 100.0 for n, v in model.present.measured.items()}
        spans = {h.tag: max(h.high - h.low, 1e-12) for h in model.handles}
        remember(memory, replace(model.present, noise=noise), spans)
        advice = advise(
            model,
            memory,
            settled(rules) if number >= iterations - 1 else rules,
            parameters.starts,
            context.seed + number,
            parameters.time_limit_seconds,
        )
        iterates.append(_iterate(number, kind, handles, measured, model, plant.truth))
        if number >= iterations or advice.kind == "stay":
            break
        handles = dict(zip(economics.handles, advice.positions.tolist(), strict=True))
        kind = advice.kind
    start = {**present, **iterates[0].measured, **iterates[0].inputs}
    whole = SteadyModel(economics, start, parameters, context)
    whole.learn(memory.points)
    broken = zip(whole.limits, whole.excesses(whole.now[None, :])[0], strict=True)
    outside = tuple(sorted({limit.name for limit, excess in broken if excess > TOLERANCE}))
    count = len(memory.points)
    result = result_of(whole, advice, outside, (), parameters.step_minutes, count)
    proposed = dict(zip(economics.handles, advice.positions.tolist(), strict=True))
    return result.model_copy(update={"iterates": tuple(iterates)}), proposed


def _merit(item: Iterate) -> float:
    """True objective, limits before money."""
    assert item.true_objective is not None
    return item.true_objective - 1e9 * max(0.0, *item.excess.values(), 0.0)


def _iterate(
    number: int,
    kind: Kind,
    handles: Mapping[str, float],
    measured: Mapping[str, float],
    model: SteadyModel,
    truth: Mapping[str, float],
) -> Iterate:
    excess = {}
    for name, (low, high) in model.economics.constraints.items() if truth else ():
        sides = [] if low is None else [low - truth[name]]
        sides += [] if high is None else [truth[name] - high]
        if sides:
            excess[name] = max(sides)
    return Iterate(
        number=number,
        kind=kind,
        inputs=dict(handles),
        measured=dict(measured),
        objective=model.measured_objective(model.present.measured),
        true_objective=truth["objective"] if truth else None,
        excess=excess,
        modifiers=modifiers_at(model, model.now),
    )
