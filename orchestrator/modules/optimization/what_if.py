"""``optimization.what_if``: the plan or the set points solved as they are, and with changes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import plan, what_if_setpoints
from orchestrator.modules.optimization.changes import changed_value, in_words, tag_of
from orchestrator.modules.optimization.plan_input import PlanModel
from orchestrator.modules.optimization.plan_result import (
    Difference,
    PlanInput,
    PlanResult,
    WhatIfInput,
    WhatIfResult,
)

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

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
    if of == "setpoints":
        return what_if_setpoints.run(parameters, context)
    return _plan(parameters, context)


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
        place[last] = changed_value(change, present, ".".join(path))
    changed_model = plan.validated(copy.deepcopy(document), "the changed plan")
    limit = parameters.time_limit_seconds
    base = plan.run(PlanInput(model=model, time_limit_seconds=limit), context)
    changed = plan.run(PlanInput(model=changed_model, time_limit_seconds=limit), context)
    gain = None
    if base.objective is not None and changed.objective is not None:
        gain = changed.objective - base.objective
    return WhatIfResult(
        summary=in_words(parameters.changes, gain, model.money_unit, changed.status),
        status=changed.status,
        of="plan",
        base=base.objective,
        changed=changed.objective,
        worth=gain,
        differences=_differences(base, changed) if gain is not None else (),
        conflicts=changed.conflicts,
    )


def resolve(what: str, model: PlanModel) -> list[str]:
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
