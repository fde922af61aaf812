"""``optimization.what_if``: the plan or the set points solved as they are, and with changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import plan, setpoints
from orchestrator.modules.optimization.changes import changed_number
from orchestrator.modules.optimization.models import ChangeOf, SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.planning.result import PlanResult
from orchestrator.modules.optimization.planning.supposing import Supposing, words
from orchestrator.modules.optimization.planning.what_if_models import (
    AccountStep,
    Difference,
    WhatIfInput,
    WhatIfResult,
)
from orchestrator.modules.optimization.present import present_values

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.plant.tags import Plant


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
        supposed[tag] = changed_number(change, present.get(tag), tag, "changes")
    changed = setpoints.run(asked.model_copy(update={"current": supposed}), context)
    before, after = _positions(base), _positions(changed)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    gain = _daily(changed.objective_usd_per_hour, base.objective_usd_per_hour)
    return WhatIfResult(
        summary=_summary(parameters.changes, gain, "USD a day", base, changed),
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
    limit = parameters.time_limit_seconds
    supposing = Supposing(model, parameters.changes, plan.price_of(context), limit)
    built = supposing.changed()
    solution = built.solve(supposing.left, ranging=True)
    base = plan.explain(supposing.base, supposing.base_solution, limit)
    changed = plan.explain(built, solution, limit)
    gain = None
    if base.objective is not None and changed.objective is not None:
        gain = changed.objective - base.objective
    contributions = () if gain is None else supposing.contributions(gain)
    warnings = list(changed.warnings)
    if gain is not None and not contributions:
        warnings.append(
            "what each change adds is not told: some of them are impossible alone, or the time ran out"
        )
    span = "over all periods" if model.periods else "a day"
    summary = _summary(parameters.changes, gain, f"{model.money_unit} {span}", base, changed)
    report = None
    if parameters.report:
        from orchestrator.modules.optimization.planning.report import page

        shown = changed.model_copy(
            update={"compared": base.margin, "summary": f"{summary} {changed.summary}"}
        )
        markdown = parameters.report == "markdown"
        report = page(shown, built, solution, as_markdown=markdown, supposed=contributions)
    return WhatIfResult(
        summary=summary,
        warnings=tuple(warnings),
        status=changed.status,
        of="plan",
        base=base.objective,
        changed=changed.objective,
        worth=gain,
        contributions=contributions,
        accounts=_accounts(base, changed) if gain is not None else (),
        differences=_differences(base, changed) if gain is not None else (),
        conflicts=changed.conflicts,
        report=report,
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


def _positions(result: SetpointsResult) -> dict[str, float]:
    return {move.tag: move.to for move in result.moves}


def _differences(base: PlanResult, changed: PlanResult) -> tuple[Difference, ...]:
    flat = [
        {
            **{f"crudes.{k}": v for k, v in result.crudes.items()},
            **{f"purchases.{k}": v for k, v in result.purchases.items()},
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


def _accounts(base: PlanResult, changed: PlanResult) -> tuple[AccountStep, ...]:
    names = dict.fromkeys((*base.margin, *changed.margin))
    return tuple(
        AccountStep(
            account=name, base=base.margin.get(name, 0.0), changed=changed.margin.get(name, 0.0)
        )
        for name in names
    )


def _summary(
    changes: tuple[ChangeOf, ...],
    gain: float | None,
    money: str,
    base: PlanResult | SetpointsResult,
    changed: PlanResult | SetpointsResult,
) -> str:
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


def _per_day(per_hour: float | None) -> float | None:
    return None if per_hour is None else per_hour * setpoints.HOURS


def _daily(changed: float | None, base: float | None) -> float | None:
    return None if changed is None or base is None else (changed - base) * setpoints.HOURS
