"""``optimization.what_if``: the plan or the set points solved as they are, and with changes."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import plan, setpoints
from orchestrator.modules.optimization.models import ChangeOf, SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.planning.result import (
    Difference,
    PlanInput,
    PlanResult,
    WhatIfInput,
    WhatIfResult,
)
from orchestrator.modules.optimization.present import present_values
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.modules.optimization.refinery.model import RefineryModel

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.plant.tags import Plant

_MAIN_FIELD = {"crudes": "price", "units": "capacity", "products": "price"}
_WORDS = {
    "price": {"crudes": "price", "products": "price"},
    "capacity": {"units": "capacity"},
    "demand": {"products": "max"},
    "availability": {"crudes": "max"},
}


def run(parameters: WhatIfInput, context: OperationContext) -> WhatIfResult:
    """Solve twice and compare.

    Raises:
        ParameterError: a change names nothing that the model has.
    """
    if not parameters.changes:
        raise ParameterError(
            "no change was given",
            where="changes",
            remedy='name one, for example {"what": "PR_DIESEL", "by": 5}',
        )
    of = parameters.of
    if of == "auto":
        tags = all(tag_of(change.what, context.plant) for change in parameters.changes)
        of = "setpoints" if tags and context.plant.economics is not None else "plan"
    return _setpoints(parameters, context) if of == "setpoints" else _plan(parameters, context)


def _setpoints(parameters: WhatIfInput, context: OperationContext) -> WhatIfResult:
    fields = {name: getattr(parameters, name) for name in SetpointsInput.model_fields}
    asked = SetpointsInput.model_validate(fields)
    if context.plant.economics is None:
        return WhatIfResult(
            summary="Nothing can be supposed: the plant file has no economic model.",
            status="no_model",
            of="setpoints",
            configure=setpoints.CONFIGURE,
        )
    base = setpoints.run(asked, context)
    present = present_values(context, parameters.average_minutes) | dict(parameters.current)
    supposed = dict(parameters.current)
    for change in parameters.changes:
        tag = tag_of(change.what, context.plant)
        if tag is None:
            raise ParameterError(
                f"{change.what!r} is not a tag", where="changes", remedy="name a tag of the plant"
            )
        supposed[tag] = _apply(change, present.get(tag), tag)
    changed = setpoints.run(asked.model_copy(update={"current": supposed}), context)
    before, after = _positions(base), _positions(changed)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    gain = _daily(changed.objective_usd_per_hour, base.objective_usd_per_hour)
    return WhatIfResult(
        summary=_words(parameters.changes, gain, "USD", changed.status),
        warnings=changed.warnings,
        status=changed.status,
        of="setpoints",
        base=_per_day(base.objective_usd_per_hour),
        changed=_per_day(changed.objective_usd_per_hour),
        worth=gain,
        differences=tuple(
            Difference(
                what=name,
                base=before.get(name, present.get(name, math.nan)),
                changed=after.get(name, supposed.get(name, present.get(name, math.nan))),
            )
            for name in names
        ),
        conflicts=changed.conflicts,
    )


def _plan(parameters: WhatIfInput, context: OperationContext) -> WhatIfResult:
    model = parameters.model or plan.configured_model(context)
    if model is None:
        return WhatIfResult(
            summary="Nothing can be supposed: no refinery model is configured.",
            status="no_model",
            of="plan",
            configure=plan.CONFIGURE,
        )
    price = plan.price_of(context)
    document = model.model_dump()
    for change in parameters.changes:
        *parents, last = path = resolve(change.what, model)
        place: Any = document
        for part in parents:
            place = place[part]
        present = price(place[last]) if isinstance(place[last], str) else place[last]
        place[last] = _apply(change, present, ".".join(path))
    changed_model = validated(copy.deepcopy(document), "the changed plan")
    limit = parameters.time_limit_seconds
    base = plan.run(PlanInput(model=model, time_limit_seconds=limit), context)
    changed = plan.run(PlanInput(model=changed_model, time_limit_seconds=limit), context)
    gain = None
    if base.objective is not None and changed.objective is not None:
        gain = changed.objective - base.objective
    return WhatIfResult(
        summary=_words(parameters.changes, gain, model.money_unit, changed.status),
        status=changed.status,
        of="plan",
        base=base.objective,
        changed=changed.objective,
        worth=gain,
        differences=_differences(base, changed) if gain is not None else (),
        conflicts=changed.conflicts,
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


def resolve(what: str, model: RefineryModel) -> list[str]:
    """The path of a number in a plan model that a change names.

    Besides a path, a bare name of a crude, unit or product stands for its price, capacity or price,
    and a name with one of the words price, capacity, demand or availability for that number.

    Raises:
        ParameterError: there is no such number, or the name fits more than one.
    """
    document = model.model_dump()
    parts = what.split(".")
    candidates = _named(what, document) if len(parts) == 1 else []
    if len(candidates) > 1:
        choices = " or ".join(".".join(path) for path in candidates)
        raise ParameterError(f"{what!r} is not one thing", remedy=f"write {choices}")
    if candidates:
        return candidates[0]
    place: Any = document
    for part in parts:
        if not isinstance(place, dict) or part not in place:
            raise ParameterError(
                f"the plan's model has no {what!r}",
                where="changes",
                remedy="write a path such as crudes.NAME.price, units.NAME.capacity or "
                "products.NAME.max",
            )
        place = place[part]
    if isinstance(place, dict | tuple | list):
        raise ParameterError(f"{what!r} is not a number of the plan's model", where="changes")
    return parts


def _named(what: str, document: dict[str, Any]) -> list[list[str]]:
    """Paths that a name fits, with or without a word for the number."""
    words = what.casefold().split()
    fields = dict(_MAIN_FIELD)
    if len(words) > 1 and words[-1] in _WORDS:
        fields = _WORDS[words.pop()]
    name = " ".join(words)
    return [
        [kind, known, field]
        for kind, field in fields.items()
        for known in document[kind]
        if name in (known.casefold(), known.casefold().replace("_", " "))
    ]


def _apply(change: ChangeOf, present: float | None, what: str) -> float:
    if change.to is not None:
        return change.to
    assert change.by is not None
    if present is None:
        raise ParameterError(
            f"{what} has no present value to change by {change.by}",
            where="changes",
            remedy="give its new value as to",
        )
    if change.unit in ("%", "percent"):
        return present * (1.0 + change.by / 100.0)
    return present + change.by


def _positions(result: SetpointsResult) -> dict[str, float]:
    return {move.tag: move.to for move in result.moves}


def _differences(base: PlanResult, changed: PlanResult) -> tuple[Difference, ...]:
    flat = [
        {
            **{f"crudes.{k}": v for k, v in result.crudes.items()},
            **{f"products.{k}": v for k, v in result.products.items()},
            **{f"units.{u}.{f}": v for u, feeds in result.units.items() for f, v in feeds.items()},
        }
        for result in (base, changed)
    ]
    names = list({**flat[0], **flat[1]})
    found = [
        Difference(what=n, base=flat[0].get(n, 0.0), changed=flat[1].get(n, 0.0)) for n in names
    ]
    found = [d for d in found if abs(d.changed - d.base) > 1e-6 * max(1.0, abs(d.base))]
    return tuple(sorted(found, key=lambda d: -abs(d.changed - d.base)))


def _words(changes: tuple[ChangeOf, ...], gain: float | None, money: str, status: str) -> str:
    supposed = " and ".join(
        f"{c.what} {'to' if c.to is not None else 'by'} "
        f"{c.to if c.to is not None else c.by:g}{f' {c.unit}' if c.unit else ''}"
        for c in changes
    )
    if gain is None or status == "infeasible":
        return f"With {supposed} the limits cannot all be kept ({status})."
    word = "gains" if gain >= 0 else "loses"
    return f"Changing {supposed} {word} {abs(gain):,.0f} {money} a day, with everything else re-optimised."


def _per_day(per_hour: float | None) -> float | None:
    return None if per_hour is None else per_hour * setpoints.HOURS


def _daily(changed: float | None, base: float | None) -> float | None:
    return None if changed is None or base is None else (changed - base) * setpoints.HOURS
