"""``optimization.what_if``: the plan or the set points solved as they are, and with changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import plan, what_if_setpoints
from orchestrator.modules.optimization.planning.result import PlanResult
from orchestrator.modules.optimization.planning.supposing import Supposing
from orchestrator.modules.optimization.planning.what_if_models import (
    AccountStep,
    Difference,
    WhatIfInput,
    WhatIfResult,
)
from orchestrator.modules.optimization.what_if_setpoints import is_of_the_unit, summary_of

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext


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
        economics = parameters.economics or context.plant.economics
        unit = economics is not None and all(
            is_of_the_unit(change.what, economics, context.plant) for change in parameters.changes
        )
        of = "setpoints" if unit else "plan"
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
    limit = parameters.time_limit_seconds
    supposing = Supposing(model, parameters.changes, plan.price_of(context), limit)
    built = supposing.changed()
    solution = built.solve(supposing.left, ranging=True)
    base = plan.explain(supposing.base, supposing.base_solution, supposing.left)
    changed = plan.explain(built, solution, supposing.left)
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
    summary = summary_of(parameters.changes, gain, f"{model.money_unit} {span}", base, changed)
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
