"""The plan by each scenario, and one decision for all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization import two_stage
from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.linear.arrays import assemble
from orchestrator.modules.optimization.linear.proof import broken
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.readout import read_periods, total
from orchestrator.modules.optimization.planning.scenario_models import (
    CommonPlan,
    ScenarioPlan,
    TwoStageOf,
)

SHOWN = 1e-7
_SECTIONS = (
    "crudes",
    "purchases",
    "units",
    "products",
    "tanks",
    "utilities",
    "on",
    "mode",
    "pools",
)


@dataclass(frozen=True, slots=True)
class Course:
    """One course that things may take: its probability and the model as it then is."""

    name: str
    probability: float
    built: PlanProgram


def plan_each(
    courses: Sequence[Course], base: LinearSolution, time_limit: float
) -> list[ScenarioPlan]:
    """The plan by each scenario alone, beside what the base plan is worth in it."""
    deadline = time.monotonic() + time_limit
    plans = []
    for course in courses:
        left = max(0.1, deadline - time.monotonic())
        solution = course.built.program.solve(left)
        periods = read_periods(course.built, solution) if solution.solved else ()
        plans.append(
            ScenarioPlan(
                scenario=course.name,
                probability=course.probability,
                status=solution.status,
                objective=solution.objective,
                of_base_plan=_kept(course.built, base) if solution.solved else None,
                crudes=total(periods, "crudes"),
                products=total(periods, "products"),
            )
        )
    return plans


def plan_common(
    courses: Sequence[Course],
    asked: TwoStageOf,
    plans: Sequence[ScenarioPlan],
    time_limit: float,
) -> tuple[CommonPlan, list[ScenarioPlan], dict[str, LinearSolution]]:
    """One decision for all scenarios: what it is worth, in each, and the second stage of each.

    Raises:
        ParameterError: the first stage names nothing of the model.
    """
    first_stage = _columns(courses[0].built, asked.first_stage)
    scenarios = [two_stage.Scenario(c.name, c.probability, c.built.program) for c in courses]
    risk = two_stage.Risk(asked.aim, asked.risk_weight, asked.level)
    found = two_stage.solve(scenarios, first_stage, risk, time_limit)
    if found.status not in ("optimal", "feasible"):
        alone = [plan.scenario for plan in plans if plan.status == "infeasible"]
        why = (
            f"no plan is possible in {', '.join(alone)}"
            if alone
            else "no decision keeps the limits of all scenarios"
        )
        text = f"There is no common decision ({found.status.replace('_', ' ')}): {why}."
        common = CommonPlan(status=found.status, aim=asked.aim, level=asked.level, text=text)
        return common, list(plans), {}
    margins = [found.margins[course.name] for course in courses]
    chances = [course.probability for course in courses]
    expected = two_stage.expected(scenarios, found.margins)
    informed = two_stage.expected(scenarios, found.perfect)
    naive = two_stage.expected(scenarios, found.mean_plan)
    assert expected is not None
    assert found.neutral is not None
    common = CommonPlan(
        status=found.status,
        aim=asked.aim,
        decision={name: value for name, value in found.first.items() if value > SHOWN},
        expected=expected,
        cvar=two_stage.conditional_value_at_risk(margins, chances, asked.level),
        level=asked.level,
        worst=min(margins),
        value_of_stochastic_solution=None if naive is None else found.neutral - naive,
        expected_value_of_perfect_information=(
            None if informed is None else informed - found.neutral
        ),
        price_of_caution=max(0.0, found.neutral - expected),
    )
    money = courses[0].built.model.money_unit
    common = common.model_copy(update={"text": _text(common, money)})
    with_common = []
    for course, plan in zip(courses, plans, strict=True):
        periods = read_periods(course.built, found.solutions[course.name])
        told = {
            "of_common_plan": found.margins[course.name],
            "common_products": total(periods, "products"),
        }
        with_common.append(plan.model_copy(update=told))
    return common, with_common, found.solutions


def _kept(built: PlanProgram, base: LinearSolution) -> float | None:
    """Margin of the base plan, left as it is; ``None`` where it breaks a limit."""
    arrays = assemble(built.program)
    if not base.solved or arrays.columns != base.columns or broken(arrays, base.x):
        return None
    return arrays.objective(base.x)


def _columns(built: PlanProgram, names: Sequence[str]) -> list[str]:
    """Columns of the first stage, in the program's order.

    Raises:
        ParameterError: a name fits no quantity.
    """
    chosen: set[str] = set()
    for name in names:
        found = [column for column in built.program.columns if _belongs(column, name)]
        if not found:
            section, _, rest = name.partition(".")
            # A section that the model leaves empty is no mistake where nothing in it is named.
            if section in _SECTIONS and not rest:
                continue
            raise ParameterError(
                f"{name!r} is no quantity of the plan",
                where="two_stage.first_stage",
                remedy="name a section (crudes), a name in it (crudes.light, units.cdu), with .PERIOD "
                "behind it for one period alone",
            )
        chosen.update(found)
    if not chosen:
        raise ParameterError(
            "the first stage is empty",
            where="two_stage.first_stage",
            remedy="name what is decided before the scenario is known, such as crudes",
        )
    return [column for column in built.program.columns if column in chosen]


def _belongs(column: str, name: str) -> bool:
    plain, _, period = column.removesuffix("]").partition("[")
    return (
        plain == name
        or plain.startswith(f"{name}.")
        or (
            bool(period)
            and name.endswith(f".{period}")
            and _belongs(plain, name.removesuffix(f".{period}"))
        )
    )


def _text(common: CommonPlan, money: str) -> str:
    aims = {
        "expected": "the largest expected margin",
        "cvar": "a large expected margin and a large margin of the worst scenarios",
        "worst_case": "the largest margin of the worst scenario",
    }
    text = (
        f"One decision for all scenarios, for {aims[common.aim]}: expected {common.expected:,.0f} "
        f"{money}, worst {common.worst:,.0f}, CVaR at {common.level:g} {common.cvar:,.0f}"
    )
    if common.value_of_stochastic_solution is not None:
        text += (
            f"; planning for the scenarios instead of their mean is worth "
            f"{common.value_of_stochastic_solution:,.0f}"
        )
    else:
        text += "; the decision for the mean of the scenarios cannot be carried out in all of them"
    if common.expected_value_of_perfect_information is not None:
        text += (
            f"; knowing which comes would be worth "
            f"{common.expected_value_of_perfect_information:,.0f}"
        )
    return f"{text}."
