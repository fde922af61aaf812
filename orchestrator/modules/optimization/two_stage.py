"""Plans under uncertainty: decisions taken now for all scenarios, the rest by each.

The programs of all scenarios are joined in one, with the columns of the first stage in common (the
deterministic equivalent; Birge and Louveaux, Introduction to Stochastic Programming, 2nd ed., 2011, ch. 2).
Its objective is the expected margin, a mean of that and the conditional value at risk (Rockafellar and
Uryasev, Journal of Risk 2, 2000), or the worst margin. The value of the stochastic solution and of
perfect information are as in Birge and Louveaux, ch. 4.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from orchestrator.modules.optimization.linear import (
    INFINITY,
    Column,
    LinearProgram,
    LinearSolution,
    LiveProgram,
    Row,
)
from orchestrator.modules.optimization.models import SolveStatus

Aim = Literal["expected", "cvar", "worst_case"]
_FIXED = 1e-7
_AIM_ROW = "aim"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One course that things may take: its probability and the program that then holds."""

    name: str
    probability: float
    program: LinearProgram


@dataclass(frozen=True, slots=True)
class Risk:
    """What is aimed at.

    Attributes:
        aim: ``expected`` margin; ``cvar``: (1 − weight) · expected + weight · CVaR; or ``worst_case``.
        weight: λ, 0 to 1.
        level: α of CVaR: the mean margin of the worst 1 − α of the probability.
    """

    aim: Aim = "expected"
    weight: float = 0.5
    level: float = 0.9


@dataclass(slots=True)
class TwoStage:
    """A common decision and what comes of it.

    Attributes:
        status: How the joint program ended.
        first: The common decision, by column of the first stage.
        margins: Margin by scenario with that decision and the best second stage.
        solutions: That second stage, by scenario.
        perfect: Margin by scenario of the plan that would be made if it were known; ``None`` where there
            is none.
        mean_plan: Margin by scenario of the first stage that is best for the mean of all scenarios;
            ``None`` where it cannot be carried out.
        neutral: Expected margin of the decision that cares for nothing else.
    """

    status: SolveStatus
    first: dict[str, float] = field(default_factory=dict)
    margins: dict[str, float] = field(default_factory=dict)
    solutions: dict[str, LinearSolution] = field(default_factory=dict)
    perfect: dict[str, float | None] = field(default_factory=dict)
    mean_plan: dict[str, float | None] = field(default_factory=dict)
    neutral: float | None = None


def solve(
    scenarios: Sequence[Scenario],
    first_stage: Collection[str],
    risk: Risk,
    time_limit: float,
) -> TwoStage:
    """The best common decision.

    Args:
        scenarios: Programs that share the columns of the first stage; probabilities sum to one.
        first_stage: Columns that all scenarios share. Where their bounds differ, all of them hold.
        risk: What is aimed at.
        time_limit: For all solves together, s.
    """
    deadline = time.monotonic() + time_limit

    def left() -> float:
        return max(0.1, deadline - time.monotonic())

    found, first = _first_stage(scenarios, first_stage, risk, left())
    if not found.solved:
        return TwoStage(found.status)
    lives = {scenario.name: scenario.program.live() for scenario in scenarios}
    perfect = {name: live.solve(left()).objective for name, live in lives.items()}
    result = TwoStage(found.status, first, perfect=perfect)
    for name, live in lives.items():
        solution = _with(live, first, left())
        if solution.objective is None:
            return TwoStage(solution.status if not solution.solved else "error")
        result.margins[name] = solution.objective
        result.solutions[name] = solution
    neutral: Mapping[str, float | None] = result.margins
    if risk.aim != "expected":
        neutral_found, neutral_first = _first_stage(scenarios, first_stage, Risk(), left())
        if not neutral_found.solved:
            return TwoStage(neutral_found.status)
        neutral = _margins(lives, neutral_first, left)
    result.neutral = expected(scenarios, neutral)
    same = all(s.program.columns.keys() == scenarios[0].program.columns.keys() for s in scenarios)
    mean = mean_program(scenarios).solve(left()) if same else LinearSolution("error")
    if mean.solved:
        result.mean_plan = _margins(lives, {n: mean.values[n] for n in first_stage}, left)
    return result


def joint_program(
    scenarios: Sequence[Scenario], first_stage: Collection[str], risk: Risk
) -> LinearProgram:
    """All scenarios in one program; what is not of the first stage is called ``NAME @ SCENARIO``."""
    common = set(first_stage)
    joint = LinearProgram()
    direct = risk.aim == "expected" or (risk.aim == "cvar" and risk.weight == 0)
    for name in first_stage:
        columns = [scenario.program.columns[name] for scenario in scenarios]
        worth = sum(s.probability * c.worth for s, c in zip(scenarios, columns, strict=True))
        joint.add_column(
            Column(
                name,
                max(c.lower for c in columns),
                min(c.upper for c in columns),
                worth if direct else 0.0,
                elastic=any(c.elastic for c in columns),
                kind=columns[0].kind,
            )
        )
    for scenario in scenarios:
        program, names = scenario.program, _names(scenario, common)
        for name, column in program.columns.items():
            if name in common:
                continue
            worth = scenario.probability * column.worth if direct else 0.0
            joint.add_column(
                Column(names[name], column.lower, column.upper, worth, column.elastic, column.kind)
            )
        for row in program.rows.values():
            terms = {names[name]: value for name, value in row.terms.items()}
            named = f"{row.name} @ {scenario.name}"
            joint.add_row(Row(named, terms, row.lower, row.upper, row.elastic, row.scale))
        joint.offset += scenario.probability * program.offset if direct else 0.0
        if not direct:
            margin = f"margin @ {scenario.name}"
            joint.add_column(Column(margin, -INFINITY, INFINITY))
            terms = {names[n]: -c.worth for n, c in program.columns.items() if c.worth}
            terms[margin] = 1.0
            offset = program.offset
            joint.add_row(Row(f"{margin}: is", terms, offset, offset, elastic=False))
    if not direct:
        _add_aim(joint, scenarios, risk)
    return joint


def mean_program(scenarios: Sequence[Scenario]) -> LinearProgram:
    """The program whose every number is the mean of those of the scenarios.

    A row that some scenario has not has no mean, and is left out.
    """
    first = scenarios[0].program
    weights = [scenario.probability for scenario in scenarios]
    mean = LinearProgram()
    mean.offset = _mean(weights, [s.program.offset for s in scenarios])
    for name, column in first.columns.items():
        columns = [s.program.columns[name] for s in scenarios]
        mean.add_column(
            Column(
                name,
                _mean(weights, [c.lower for c in columns]),
                _mean(weights, [c.upper for c in columns]),
                _mean(weights, [c.worth for c in columns]),
                column.elastic,
                column.kind,
            )
        )
    for name, row in first.rows.items():
        if not all(name in s.program.rows for s in scenarios):
            continue
        rows = [s.program.rows[name] for s in scenarios]
        columns_of = dict.fromkeys(key for r in rows for key in r.terms)
        mean.add_row(
            Row(
                name,
                {c: _mean(weights, [r.terms.get(c, 0.0) for r in rows]) for c in columns_of},
                _mean(weights, [r.lower for r in rows]),
                _mean(weights, [r.upper for r in rows]),
                row.elastic,
                row.scale,
            )
        )
    return mean


def expected(scenarios: Sequence[Scenario], margins: Mapping[str, float | None]) -> float | None:
    """Mean by probability; ``None`` where a scenario has none."""
    total = 0.0
    for scenario in scenarios:
        margin = margins.get(scenario.name)
        if margin is None:
            return None
        total += scenario.probability * margin
    return total


def conditional_value_at_risk(
    margins: Sequence[float], probabilities: Sequence[float], level: float
) -> float:
    """Mean margin of the worst ``1 − level`` of the probability (Rockafellar and Uryasev, 2000).

    It is the largest ``η − E[(η − margin)₊] / (1 − level)``, reached where η is one of the margins.
    """
    values, weights = np.array(margins, float), np.array(probabilities, float)
    short = np.maximum(values[:, None] - values[None, :], 0.0) @ weights
    return float(np.max(values - short / (1.0 - level)))


def _first_stage(
    scenarios: Sequence[Scenario], first_stage: Collection[str], risk: Risk, time_limit: float
) -> tuple[LinearSolution, dict[str, float]]:
    joint = joint_program(scenarios, first_stage, risk)
    found = joint.solve(time_limit)
    if found.solved and found.objective is not None and _AIM_ROW in joint.rows:
        # Of the plans that reach the aim, the one with the largest expected margin.
        aim = found.objective - _FIXED * max(1.0, abs(found.objective))
        joint.rows[_AIM_ROW].lower = aim
        for column in joint.columns.values():
            column.worth = 0.0
        for scenario in scenarios:
            joint.columns[f"margin @ {scenario.name}"].worth = scenario.probability
        second = joint.solve(time_limit)
        found = second if second.solved else found
    return found, {name: found.values[name] for name in first_stage} if found.solved else {}


def _add_aim(joint: LinearProgram, scenarios: Sequence[Scenario], risk: Risk) -> None:
    """The objective of a cautious plan, and a free row of the same terms to hold it later."""
    joint.add_column(Column("threshold", -INFINITY, INFINITY))
    if risk.aim == "worst_case":
        aim = {"threshold": 1.0}
        for scenario in scenarios:
            terms = {f"margin @ {scenario.name}": 1.0, "threshold": -1.0}
            joint.add_row(Row(f"worst @ {scenario.name}", terms, 0.0, elastic=False))
    else:
        aim = {"threshold": risk.weight}
        for scenario in scenarios:
            short, margin = f"short @ {scenario.name}", f"margin @ {scenario.name}"
            joint.add_column(Column(short))
            terms = {short: 1.0, margin: 1.0, "threshold": -1.0}
            joint.add_row(Row(f"tail @ {scenario.name}", terms, 0.0, elastic=False))
            aim[short] = -risk.weight * scenario.probability / (1.0 - risk.level)
            aim[margin] = (1.0 - risk.weight) * scenario.probability
    for name, worth in aim.items():
        joint.columns[name].worth = worth
    joint.add_row(Row(_AIM_ROW, aim, elastic=False))


def _names(scenario: Scenario, common: set[str]) -> dict[str, str]:
    return {
        name: name if name in common else f"{name} @ {scenario.name}"
        for name in scenario.program.columns
    }


def _with(live: LiveProgram, first: Mapping[str, float], time_limit: float) -> LinearSolution:
    """The best second stage after a decision; the program is left as it was."""
    arrays = live.arrays
    kept = {
        name: (float(arrays.lower[live.column[name]]), float(arrays.upper[live.column[name]]))
        for name in first
    }
    fixed: dict[str, tuple[float, float]] = {}
    for name, value in first.items():
        low, high = kept[name]
        if arrays.integer[live.column[name]]:
            fixed[name] = (float(round(value)), float(round(value)))
            continue
        # A decision stands but for rounding, which else could make a balance impossible.
        band = _FIXED * max(1.0, abs(value))
        if value < low - band or value > high + band:
            return LinearSolution("infeasible")
        fixed[name] = (max(low, min(value - band, high)), min(high, max(value + band, low)))
    live.set_bounds(fixed)
    solution = live.solve(time_limit)
    live.set_bounds(kept)
    return solution


def _margins(
    lives: Mapping[str, LiveProgram], first: Mapping[str, float], left: Callable[[], float]
) -> dict[str, float | None]:
    return {name: _with(live, first, left()).objective for name, live in lives.items()}


def _mean(weights: Sequence[float], values: Sequence[float]) -> float:
    # Equal infinite bounds stay; a mean with one infinite bound is infinite.
    if all(value == values[0] for value in values):
        return values[0]
    return math.fsum(w * v for w, v in zip(weights, values, strict=True) if w > 0)
