"""The set-point side of ``optimization.what_if``: a price, limit, feed or set point that is other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import setpoints
from orchestrator.modules.optimization.changes import changed_number
from orchestrator.modules.optimization.models import ChangeOf, SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.planning.result import PlanResult
from orchestrator.modules.optimization.planning.supposing import words
from orchestrator.modules.optimization.planning.what_if_models import (
    Difference,
    SimulatedAnswer,
    WhatIfInput,
    WhatIfResult,
)
from orchestrator.modules.optimization.present import present_values
from orchestrator.modules.optimization.steady_model import TOLERANCE, SteadyModel
from orchestrator.modules.optimization.what_if_twin import on_the_twin

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.plant.economic_model import EconomicModel
    from orchestrator.plant.tags import Plant

_SIDES = {"high": 1, "max": 1, "high_high": 1, "low": 0, "min": 0, "low_low": 0}
_SAME = 1e-9


def run(parameters: WhatIfInput, context: OperationContext) -> WhatIfResult:
    """Search the set points as things are and as supposed, and say what the change does by itself.

    Raises:
        ParameterError: a change names nothing of the unit, or changes by an amount what has no value.
    """
    fields = {name: getattr(parameters, name) for name in SetpointsInput.model_fields}
    asked = SetpointsInput.model_validate(fields).model_copy(update={"simulate": None})
    economics = asked.economics or context.plant.economics
    if economics is None:
        return WhatIfResult(
            summary="Nothing can be supposed: the plant file has no economic model.",
            status="no_model",
            of="setpoints",
            configure=setpoints.CONFIGURE,
        )
    here = setpoints.place(asked, context)
    supposed = _Supposed(economics, here, context.plant)
    for change in parameters.changes:
        supposed.take(change)
    changed_asked = asked.model_copy(
        update={
            "economics": supposed.economics,
            "current": dict(asked.current) | supposed.current(),
            "hold": tuple(dict.fromkeys((*asked.hold, *supposed.handles))),
        }
    )
    changed_context = supposed.context(context)
    base = setpoints.propose(asked, context, keep=False)
    changed = setpoints.propose(changed_asked, changed_context, keep=False)
    there = setpoints.place(changed_asked, changed_context)
    gain = _daily(changed.objective_usd_per_hour, base.objective_usd_per_hour)
    alone = (_money(there) - _money(here)) * setpoints.HOURS * here.hourly
    broken = tuple(sorted(_broken(there) - _broken(here)))
    values = present_values(context, asked.average_minutes) | dict(asked.current)
    simulated, refused = on_the_twin(supposed.handles, values, supposed.plant)
    return WhatIfResult(
        summary=summary_of(parameters.changes, gain, "USD a day", base, changed)
        + f" By itself it is worth {alone:+,.0f} USD a day"
        + (f" and breaks the limits of {', '.join(broken)}." if broken else ".")
        + _simulated_words(simulated),
        warnings=(*changed.warnings, refused) if refused else changed.warnings,
        status=changed.status,
        of="setpoints",
        base=_per_day(base.objective_usd_per_hour),
        changed=_per_day(changed.objective_usd_per_hour),
        worth=gain,
        worth_alone=alone,
        crossings=broken,
        effects=_effects(here, there),
        simulated=simulated,
        differences=_differences(here, there, base, changed),
        conflicts=changed.conflicts,
    )


def is_of_the_unit(what: str, economics: EconomicModel, plant: Plant) -> bool:
    """Whether words name a tag, a name of the model, or a limit of one of these."""
    name, _, side = what.rpartition(".")
    return _named(what, economics, plant) is not None or (
        side in _SIDES and _named(name, economics, plant) is not None
    )


def tag_of(words: str, plant: Plant) -> str | None:
    """The tag that words name: its name, or one of its aliases, whatever the case."""
    if words in plant.by_name:
        return words
    plain = words.strip().casefold()
    found = [
        tag.name
        for tag in plant.tags
        if plain == tag.name.casefold() or plain in (alias.casefold() for alias in tag.aliases)
    ]
    return found[0] if len(found) == 1 else None


def summary_of(
    changes: tuple[ChangeOf, ...],
    gain: float | None,
    money: str,
    base: PlanResult | SetpointsResult,
    changed: PlanResult | SetpointsResult,
) -> str:
    """What the changes gain, in a sentence."""
    supposed = " and ".join(words(change) for change in changes)
    if gain is None and base.status == "infeasible" and changed.status != "infeasible":
        return (
            f"As it is the limits cannot all be kept; with {supposed} they can. {changed.summary}"
        )
    if gain is None or changed.status == "infeasible":
        return f"With {supposed} the limits cannot all be kept ({changed.status})."
    word = "gains" if gain >= 0 else "loses"
    return (
        f"Changing {supposed} {word} {abs(gain):,.0f} {money}, with everything else re-optimised."
    )


def _named(words: str, economics: EconomicModel, plant: Plant) -> str | None:
    own = {*economics.handles, *economics.parameters, *economics.constraints, *economics.unknowns}
    return words if words in own | {*economics.responses} else tag_of(words, plant)


@dataclass(slots=True)
class _Supposed:
    """What is other: values, set points, and the model and plant with other limits.

    Attributes:
        economics: The model with other bounds.
        here: The model at the present point.
        plant: The plant with other limits.
        values: Supposed values of what the model reads or measures.
        handles: Supposed set points.
    """

    economics: EconomicModel
    here: SteadyModel
    plant: Plant
    values: dict[str, float] = field(default_factory=dict)
    handles: dict[str, float] = field(default_factory=dict)

    def take(self, change: ChangeOf) -> None:
        """Take in one change."""
        name, _, side = change.what.rpartition(".")
        whole = _named(change.what, self.economics, self.plant)
        limited = _named(name, self.economics, self.plant) if side in _SIDES else None
        if whole is not None:
            self._value(whole, change)
        elif limited is not None:
            self._limit(limited, side, change)
        else:
            raise ParameterError(
                f"{change.what!r} is nothing of the unit",
                where="changes",
                remedy="name a tag, or a limit of one as TAG.high or TAG.low",
            )

    def _value(self, name: str, change: ChangeOf) -> None:
        now = {h.tag: h.now for h in self.here.handles}
        if name in now:
            self.handles[name] = changed_number(change, now[name], name, "changes")
            return
        if name in self.economics.parameters:
            item = self.economics.parameters[name]
            value = changed_number(change, item.value, name, "changes")
            parameters = dict(self.economics.parameters)
            parameters[name] = item.model_copy(update={"value": value})
            self.economics = self.economics.model_copy(update={"parameters": parameters})
            return
        present = self.here.present.measured.get(name, self.here.fixed.get(name))
        self.values[name] = changed_number(change, present, name, "changes")

    def _limit(self, name: str, side: str, change: ChangeOf) -> None:
        at = _SIDES[side]
        for kind in ("handles", "constraints"):
            bounds = getattr(self.economics, kind)
            if name in bounds:
                ends = list(bounds[name])
                ends[at] = changed_number(change, ends[at], change.what, "changes")
                other = {**bounds, name: tuple(ends)}
                self.economics = self.economics.model_copy(update={kind: other})
        tag = self.plant.by_name.get(name)
        if tag is None:
            return
        known = ("low", "high")[at] if side in ("min", "max") else side
        value = changed_number(change, getattr(tag.limits, known), change.what, "changes")
        outer = known + "_" + known if known in ("low", "high") else None
        update = {known: value}
        # An alarm limit that is supposed beyond the trip limit takes that along.
        if outer and (far := getattr(tag.limits, outer)) is not None:
            update[outer] = max(far, value) if at else min(far, value)
        limits = tag.limits.model_copy(update=update)
        tags = tuple(
            t.model_copy(update={"limits": limits}) if t.name == name else t
            for t in self.plant.tags
        )
        # A copy would keep the tags that the original has already indexed.
        fields = {n: getattr(self.plant, n) for n in type(self.plant).model_fields}
        self.plant = type(self.plant).model_construct(**fields | {"tags": tags})

    def current(self) -> dict[str, float]:
        """Values at the supposed point; where set points move, what is measured moves by the model."""
        if not self.handles:
            return dict(self.values)
        position = np.array([self.handles.get(h.tag, h.now) for h in self.here.handles])
        said = self.here.predict(position[None, :])
        moved = {name: float(said[name][0]) for name in self.here.present.measured}
        return moved | self.handles | self.values

    def context(self, context: OperationContext) -> OperationContext:
        """The operation's context with the plant's limits as supposed."""
        return replace(context, plant=self.plant)


def _simulated_words(simulated: SimulatedAnswer | None) -> str:
    if simulated is None:
        return ""
    if not simulated.crossings:
        return f" SIMULATED for {simulated.minutes:.0f} min: no limit is crossed."
    return f" SIMULATED: {'; '.join(simulated.crossings)}."


def _money(model: SteadyModel) -> float:
    return float(model.predict(model.now[None, :])["objective"][0])


def _broken(model: SteadyModel) -> set[str]:
    excess = model.excesses(model.now[None, :])[0]
    return {i.name for i, e in zip(model.limits, excess, strict=True) if e > TOLERANCE}


def _effects(here: SteadyModel, there: SteadyModel) -> tuple[Difference, ...]:
    """What the change does by itself to what is measured, the other set points staying."""
    before, after = (m.predict(m.now[None, :]) for m in (here, there))
    return tuple(
        Difference(what=name, base=float(before[name][0]), changed=float(after[name][0]))
        for name in here.state.measured
        if abs(after[name][0] - before[name][0]) > _SAME * max(1.0, abs(before[name][0]))
    )


def _differences(
    here: SteadyModel, there: SteadyModel, base: SetpointsResult, changed: SetpointsResult
) -> tuple[Difference, ...]:
    """Set points after the search, where they differ."""
    before, after = ({move.tag: move.to for move in result.moves} for result in (base, changed))
    pairs = [
        (old.tag, before.get(old.tag, old.now), after.get(old.tag, new.now))
        for old, new in zip(here.handles, there.handles, strict=True)
    ]
    return tuple(
        Difference(what=tag, base=one, changed=other) for tag, one, other in pairs if one != other
    )


def _per_day(per_hour: float | None) -> float | None:
    return None if per_hour is None else per_hour * setpoints.HOURS


def _daily(changed: float | None, base: float | None) -> float | None:
    return None if changed is None or base is None else (changed - base) * setpoints.HOURS
