"""Other plans that are nearly as good, and as different as possible.

Modelling to generate alternatives (Brill, Chang and Hopkins, Management Science 28, 1982): a floor is put
under the margin, and named quantities are driven apart. Each is made as small and as large as the floor
allows (Neumann and Brown, Electric Power Systems Research 190, 2021), and the quantities of the plans so
far are made small together (Hop, Skip and Jump). Of what is found, those are kept that lie farthest from
all that were kept before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.modules.optimization.linear import (
    INFINITY,
    Column,
    LinearProgram,
    LinearSolution,
    LiveProgram,
    Row,
)

_FLOOR = "least margin"
_EDGE = 1e-6
_DIFFERS = 1e-3


@dataclass(frozen=True, slots=True)
class Alternative:
    """A plan that is nearly as good.

    Attributes:
        why: What it was driven to (``least``, ``most`` or ``apart``), and of which quantity.
        quantities: The named quantities in it.
        solution: The whole plan.
        lost: Margin that it gives up, money.
        distance: Σ |difference| from the optimum over the named quantities, as a share of their sum there.
    """

    why: tuple[str, str]
    quantities: dict[str, float]
    solution: LinearSolution
    lost: float
    distance: float


@dataclass(frozen=True, slots=True)
class NearOptimal:
    """What is open within a share of the margin.

    Attributes:
        alternatives: The plans that differ most, farthest first.
        ranges: By quantity, the least and the largest at which the margin keeps its floor.
        complete: Whether all were found in the time.
    """

    alternatives: tuple[Alternative, ...]
    ranges: dict[str, tuple[float, float]]
    complete: bool


def near_optimal(
    program: LinearProgram,
    optimum: LinearSolution,
    quantities: Mapping[str, Mapping[str, float]],
    *,
    within: float,
    count: int,
    time_limit: float,
) -> NearOptimal:
    """Plans whose margin is within a share of the optimum's.

    Args:
        program: The plan's program.
        optimum: Its solution.
        quantities: By name, the columns and factors whose sum is to differ.
        within: Share of the margin that may be given up; 0 finds other optima.
        count: Most alternatives.
        time_limit: For all solves together, s.
    """
    assert optimum.objective is not None
    deadline = time.monotonic() + time_limit
    search = _Search(program, optimum, quantities, within, deadline)
    found: list[Alternative] = []
    ranges: dict[str, tuple[float, float]] = {}
    for name in quantities:
        ends = []
        for sign, word in ((-1.0, "least"), (1.0, "most")):
            alternative = search.driven({name: sign}, (word, name))
            if alternative is not None:
                found.append(alternative)
                ends.append(alternative.quantities[name])
        if len(ends) == 2:
            ranges[name] = (ends[0], ends[1])
    chosen: list[Alternative] = []
    while len(chosen) < count:
        used = [search.at_optimum, *(item.quantities for item in chosen)]
        apart = search.driven(_apart(used), ("apart", ""))
        pool = [item for item in (*found, *([apart] if apart else ())) if item not in chosen]
        if not pool:
            break
        best = max(pool, key=lambda item: min(search.distance(item.quantities, u) for u in used))
        if min(search.distance(best.quantities, u) for u in used) < _DIFFERS:
            break
        chosen.append(best)
    chosen.sort(key=lambda item: -item.distance)
    return NearOptimal(tuple(chosen), ranges, complete=not search.late)


class _Search:
    """The plan's program with a floor under its margin and a row for each quantity, kept live."""

    def __init__(
        self,
        program: LinearProgram,
        optimum: LinearSolution,
        quantities: Mapping[str, Mapping[str, float]],
        within: float,
        deadline: float,
    ) -> None:
        assert optimum.objective is not None
        self.quantities = quantities
        self.best = optimum.objective
        self.deadline = deadline
        self.late = False
        self.worths = {name: column.worth for name, column in program.columns.items()}
        floored = LinearProgram()
        floored.offset = program.offset
        for column in program.columns.values():
            floored.add_column(replace(column))
        for row in program.rows.values():
            floored.add_row(row)
        floor = self.best - max(within, 1e-9) * abs(self.best)
        earning = {name: worth for name, worth in self.worths.items() if worth}
        floored.add_row(Row(_FLOOR, earning, floor - program.offset))
        for name, terms in quantities.items():
            floored.add_column(Column(_column(name), -INFINITY, INFINITY))
            terms = {**terms, _column(name): -1.0}
            floored.add_row(Row(_column(name), terms, 0.0, 0.0))
            self.worths[_column(name)] = 0.0
        self.live: LiveProgram = floored.live()
        self.at_optimum = self._amounts(optimum)
        self.size = sum(abs(value) for value in self.at_optimum.values()) or 1.0

    def driven(self, signs: Mapping[str, float], why: tuple[str, str]) -> Alternative | None:
        """The best plan of those in which Σ sign · quantity is as large as the floor allows."""
        driving = dict.fromkeys(self.worths, 0.0)
        driving |= {_column(name): sign for name, sign in signs.items()}
        self.live.set_worths(driving)
        extreme = self._solve()
        if extreme is None:
            return None
        # Held there but for rounding, the margin is made as large as it can be.
        held = {}
        for name, sign in signs.items():
            value = extreme.values[_column(name)]
            edge = _EDGE * max(1.0, abs(value))
            held[_column(name)] = (
                (value - edge, INFINITY) if sign > 0 else (-INFINITY, value + edge)
            )
        self.live.set_bounds(held)
        self.live.set_worths(self.worths)
        polished = self._solve() or extreme
        self.live.set_bounds(dict.fromkeys(held, (-INFINITY, INFINITY)))
        values = polished.values
        objective = self.live.arrays.offset + math.fsum(
            worth * values[name] for name, worth in self.worths.items() if worth
        )
        amounts = {name: values[_column(name)] for name in self.quantities}
        plan = replace(polished, objective=objective)
        distance = self.distance(amounts, self.at_optimum)
        return Alternative(why, amounts, plan, max(0.0, self.best - objective), distance)

    def distance(self, one: Mapping[str, float], other: Mapping[str, float]) -> float:
        """Σ |difference| as a share of the sum at the optimum."""
        return sum(abs(one[name] - other[name]) for name in self.quantities) / self.size

    def _amounts(self, solution: LinearSolution) -> dict[str, float]:
        values = solution.values
        return {
            name: math.fsum(factor * values[column] for column, factor in terms.items())
            for name, terms in self.quantities.items()
        }

    def _solve(self) -> LinearSolution | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.late = True
            return None
        found = self.live.solve(left)
        self.late |= found.status in ("time_limit", "feasible")
        return found if found.solved else None


def _apart(used: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Weights that make small what the plans so far hold, and large what they do not."""
    total = {name: sum(plan[name] for plan in used) for name in used[0]}
    most = max(map(abs, total.values()), default=0.0)
    return {
        name: -amount / most if abs(amount) > _DIFFERS * most else 1.0
        for name, amount in total.items()
        if most
    }


def _column(name: str) -> str:
    return f"quantity {name}"
