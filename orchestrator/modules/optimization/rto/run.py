"""The optimizer run on a simulated plant, steady state by steady state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from orchestrator.modules.optimization.models import (
    Iterate,
    SetpointsInput,
    SetpointsResult,
)
from orchestrator.modules.optimization.rto.adaptation import (
    FIRST_RADIUS,
    Memory,
    Rules,
    advise,
    settled,
)
from orchestrator.modules.optimization.rto.memory import remember
from orchestrator.modules.optimization.rto.plants import ModelPlant
from orchestrator.modules.optimization.setpoints_result import modifiers_at, result_of
from orchestrator.modules.optimization.steady_model import TOLERANCE, SteadyModel

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.plant.economic_model import EconomicModel


def run_simulated(
    economics: EconomicModel,
    present: Mapping[str, float],
    parameters: SetpointsInput,
    context: OperationContext,
) -> SetpointsResult:
    """Start at the present handles and go where the advice says, until it says to stay.

    Every steady state of the plant counts as an iteration, the start and probing moves included. The
    move before the last iteration is made for money, whatever is not known.

    Args:
        economics: The model that the optimizer knows.
        present: Handles to start at, and what else model and plant read.
        parameters: Of the operation; ``simulate`` holds the plant.
        context: Of the operation.
    """
    asked = parameters.simulate
    assert asked is not None
    plant = _Judged(economics, present, parameters)
    rules = Rules(
        radius=parameters.first_step or FIRST_RADIUS,
        probing=parameters.probing is not False,
        gain=parameters.filter_gain,
        caution=parameters.caution,
    )
    memory = Memory()
    handles = {name: present[name] for name in economics.handles if name in present}
    kind: Literal["start", "step", "probe", "stay"] = "start"
    iterates: list[Iterate] = []
    first: dict[str, float] = {}
    while True:
        number = len(iterates) + 1
        context.progress(number / (asked.iterations + 1), f"steady state {number} of the plant")
        measured = plant.apply(handles) if len(handles) == len(economics.handles) else {}
        first = first or dict(measured)
        model = SteadyModel(economics, {**present, **handles, **measured}, parameters, context)
        noise = {n: abs(v) * asked.noise_percent / 100.0 for n, v in measured.items()}
        spans = {h.tag: max(h.high - h.low, 1e-12) for h in model.handles}
        remember(memory, replace(model.present, noise=noise), spans)
        last = number >= asked.iterations
        seed = context.seed + number
        advice = advise(
            model,
            memory,
            settled(rules) if number >= asked.iterations - 1 else rules,
            parameters.starts,
            seed,
            parameters.time_limit_seconds,
        )
        iterates.append(plant.iterate(number, kind, handles, measured, model))
        if last or advice.kind == "stay":
            break
        handles = dict(zip(economics.handles, advice.positions.tolist(), strict=True))
        kind = advice.kind
    start = {**present, **iterates[0].inputs, **first}
    whole = SteadyModel(economics, start, parameters, context)
    whole.learn(memory.points)
    broken = zip(whole.limits, whole.excesses(whole.now[None, :])[0], strict=True)
    outside = tuple(sorted({limit.name for limit, excess in broken if excess > TOLERANCE}))
    count = len(memory.points)
    result = result_of(whole, advice, outside, (), parameters.step_minutes, count)
    proposed = dict(zip(economics.handles, advice.positions.tolist(), strict=True))
    best = max((i for i in iterates), key=lambda i: i.true_objective - 1e9 * _worst(i))
    return result.model_copy(
        update={
            "summary": f"SIMULATED plant, {len(iterates)} steady states. {result.summary}",
            "simulated": True,
            "iterates": tuple(iterates),
            "true_objective": plant.truth_at(proposed),
            "best_iterate": best.number,
        }
    )


def _worst(item: Iterate) -> float:
    return max(0.0, *item.excess.values()) if item.excess else 0.0


class _Judged:
    """The simulated plant, with the model's objective and limits to judge it by."""

    def __init__(
        self, economics: EconomicModel, present: Mapping[str, float], parameters: SetpointsInput
    ) -> None:
        asked = parameters.simulate
        assert asked is not None
        self._names = tuple(dict.fromkeys((*economics.responses, *economics.measured)))
        share = asked.noise_percent / 100.0
        truth = asked.plant.model_copy(
            update={"handles": economics.handles, "constraints": economics.constraints}
        )
        self._plant = ModelPlant(
            truth, self._names, dict.fromkeys(self._names, share), asked.seed, present
        )
        self._limits = economics.constraints

    def apply(self, handles: Mapping[str, float]) -> dict[str, float]:
        return self._plant.apply(handles)

    def truth_at(self, handles: Mapping[str, float]) -> float:
        """True objective at handles; for the report alone."""
        self._plant.apply(handles)
        return self._plant.truth["objective"]

    def iterate(
        self,
        number: int,
        kind: Literal["start", "step", "probe", "stay"],
        handles: Mapping[str, float],
        measured: Mapping[str, float],
        model: SteadyModel,
    ) -> Iterate:
        truth = self._plant.truth
        excess = {}
        for name, (low, high) in self._limits.items():
            sides = [] if low is None else [low - truth[name]]
            sides += [] if high is None else [truth[name] - high]
            if sides:
                excess[name] = max(sides)
        return Iterate(
            number=number,
            kind=kind,
            inputs=dict(handles),
            measured=dict(measured),
            objective=model.measured_objective(measured),
            true_objective=truth["objective"],
            excess=excess,
            modifiers=modifiers_at(model, model.now),
        )
