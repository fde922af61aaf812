"""The set-point side of ``optimization.what_if``: moves proposed as things are, and with changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import setpoints
from orchestrator.modules.optimization.changes import changed_value, in_words, tag_of
from orchestrator.modules.optimization.models import SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.plan_result import Difference, WhatIfInput, WhatIfResult
from orchestrator.modules.optimization.present import present_values

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext


def run(parameters: WhatIfInput, context: OperationContext) -> WhatIfResult:
    """Search the set points twice and compare.

    Raises:
        ParameterError: a change names no tag, or changes by an amount what has no present value.
    """
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
        supposed[tag] = changed_value(change, present.get(tag), tag)
    changed = setpoints.run(asked.model_copy(update={"current": supposed}), context)
    before, after = _positions(base), _positions(changed)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    gain = _daily(changed.objective_usd_per_hour, base.objective_usd_per_hour)
    return WhatIfResult(
        summary=in_words(parameters.changes, gain, "USD", changed.status),
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


def _positions(result: SetpointsResult) -> dict[str, float]:
    return {move.tag: move.to for move in result.moves}


def _per_day(per_hour: float | None) -> float | None:
    return None if per_hour is None else per_hour * setpoints.HOURS


def _daily(changed: float | None, base: float | None) -> float | None:
    return None if changed is None or base is None else (changed - base) * setpoints.HOURS
