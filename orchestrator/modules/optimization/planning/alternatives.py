"""Other plans that are nearly as good, in the plan's own words."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.near_optimal import Alternative, near_optimal
from orchestrator.modules.optimization.planning.book import tagged
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.scenario_models import (
    AlternativePlan,
    AlternativesOf,
    Latitude,
)
from orchestrator.modules.optimization.planning.wording import signed

USUAL_COUNT = 3
MOST_COLUMNS = 2000
SHOWN = 1e-6
_MOST_NAMED = 4


def find_alternatives(
    built: PlanProgram, solution: LinearSolution, asked: AlternativesOf, time_limit: float
) -> tuple[tuple[AlternativePlan, ...], tuple[Latitude, ...], tuple[str, ...]]:
    """Alternatives, the latitude of each quantity, and what limits them."""
    count = asked.count
    if count is None:
        small = len(built.program.columns) <= MOST_COLUMNS and not built.integer and not built.pools
        count = USUAL_COUNT if small else 0
    if count == 0 or not solution.solved:
        return (), (), ()
    if time_limit <= 0:
        return (), (), ("the time did not suffice for alternative plans",)
    quantities = _quantities(built, asked)
    found = near_optimal(
        built.program,
        solution,
        {name: terms for name, (_, _, terms) in quantities.items()},
        within=asked.within_percent / 100.0,
        count=count,
        time_limit=time_limit,
    )
    planned = {
        name: sum(factor * solution.values[column] for column, factor in terms.items())
        for name, (_, _, terms) in quantities.items()
    }
    alternatives = tuple(
        _told(built, item, quantities, planned, asked) for item in found.alternatives
    )
    latitude = tuple(
        Latitude(
            what=name,
            least=max(0.0, min(low, planned[name])),
            planned=planned[name],
            largest=max(high, planned[name]),
        )
        for name, (low, high) in found.ranges.items()
    )
    notes = () if found.complete else ("the time did not suffice for all alternative plans",)
    return alternatives, latitude, notes


def _quantities(
    built: PlanProgram, asked: AlternativesOf
) -> dict[str, tuple[str, str, dict[str, float]]]:
    """By path: section, name, and the columns whose sum over all days it is."""
    model = built.model
    found: dict[str, tuple[str, str, dict[str, float]]] = {}
    for section in asked.of:
        for name in getattr(model, section):
            terms: dict[str, float] = {}
            for span in model.spans:
                if section == "units":
                    for process in built.sheet.processes:
                        if process.unit == name:
                            terms[tagged(process.name, span.name)] = span.days
                else:
                    terms[tagged(f"{section}.{name}", span.name)] = span.days
            if terms:
                found[f"{section}.{name}"] = (section, name, terms)
    return found


def _told(
    built: PlanProgram,
    item: Alternative,
    quantities: Mapping[str, tuple[str, str, dict[str, float]]],
    planned: Mapping[str, float],
    asked: AlternativesOf,
) -> AlternativePlan:
    amounts: dict[str, dict[str, float]] = {
        "crudes": {},
        "purchases": {},
        "products": {},
        "units": {},
    }
    every = _quantities(built, asked.model_copy(update={"of": tuple(amounts)}))
    for section, name, terms in every.values():
        amount = sum(factor * item.solution.values[column] for column, factor in terms.items())
        if amount > SHOWN:
            amounts[section][name] = amount
    moves = sorted(
        (
            (item.quantities[path] - planned[path], name)
            for path, (_, name, _) in quantities.items()
        ),
        key=lambda move: -abs(move[0]),
    )
    size = max((abs(value) for value in planned.values()), default=1.0)
    said = [
        f"{name} {signed(change)}"
        for change, name in moves[:_MOST_NAMED]
        if abs(change) > 1e-4 * size
    ]
    model = built.model
    rate = model.quantity_unit if model.periods else f"{model.quantity_unit}/d"
    objective = item.solution.objective
    assert objective is not None
    return AlternativePlan(
        objective=objective,
        lost=item.lost,
        text=f"{', '.join(said)} {rate} for {item.lost:,.0f} {model.money_unit} less",
        **amounts,
    )
