"""The plan as it is and as it would be: what each supposed change and each account adds to the margin.

What one of several changes adds depends on the others. Each is given alone, and its share of the whole: the
mean of what it adds over all orders in which the changes may come (Shapley, Contributions to the Theory of
Games II, 1953), so that the shares add up to the whole.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence

from orchestrator.modules.optimization import changes as supposed
from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.planning.book import tagged
from orchestrator.modules.optimization.planning.program import PlanProgram, PriceOf
from orchestrator.modules.optimization.planning.what_if_models import Contribution
from orchestrator.modules.optimization.refinery.model import RefineryModel

MOST_EXACT = 4


class Supposing:
    """A model under sets of changes, each solved once.

    Args:
        model: The model as it is.
        changes: What is supposed.
        price: Money for a price of the model.
        time_limit: For all solves together, s.
    """

    def __init__(
        self,
        model: RefineryModel,
        changes: Sequence[ChangeOf],
        price: PriceOf,
        time_limit: float,
    ) -> None:
        self.model, self.changes, self.price = model, tuple(changes), price
        self._deadline = time.monotonic() + time_limit
        self.base = PlanProgram(model, price, nonlinear=True)
        self.base_solution = self.base.solve(time_limit, ranging=True)
        self._margins: dict[tuple[int, ...], float | None] = {(): self.base_solution.objective}

    @property
    def left(self) -> float:
        """Time that is left, s."""
        return max(0.1, self._deadline - time.monotonic())

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._deadline

    def changed(self, chosen: Sequence[int] | None = None) -> PlanProgram:
        """The program under all changes, or under those chosen.

        Raises:
            ParameterError: a change names nothing that the model has.
            ConfigurationError: the changed model is wrong.
        """
        kept = self.changes if chosen is None else [self.changes[i] for i in chosen]
        model = supposed.apply(self.model, kept, self.price, planned=self._planned())
        return PlanProgram(model, self.price, nonlinear=True)

    def contributions(self, whole: float) -> tuple[Contribution, ...]:
        """What each change adds, alone and as its share of the whole; empty where it cannot be said."""
        count = len(self.changes)
        if count == 1:
            return (Contribution(what=words(self.changes[0]), alone=whole, share=whole),)
        self._margins[tuple(range(count))] = (self.base_solution.objective or 0.0) + whole
        orders: list[tuple[int, ...]] = [tuple(range(count)), tuple(reversed(range(count)))]
        if count <= MOST_EXACT:
            orders = list(itertools.permutations(range(count)))
        shares = [0.0] * count
        for order in orders:
            reached: list[int] = []
            before = self._margin(())
            for index in order:
                reached.append(index)
                after = self._margin(tuple(sorted(reached)))
                if before is None or after is None:
                    return ()
                shares[index] += (after - before) / len(orders)
                before = after
        found = []
        for index, change in enumerate(self.changes):
            alone = self._margin((index,))
            base = self._margin(())
            found.append(
                Contribution(
                    what=words(change),
                    alone=None if alone is None or base is None else alone - base,
                    share=shares[index],
                )
            )
        return tuple(found)

    def _margin(self, chosen: tuple[int, ...]) -> float | None:
        if chosen not in self._margins:
            if self.late:
                return None
            self._margins[chosen] = self.changed(chosen).solve(self.left).objective
        return self._margins[chosen]

    def _planned(self) -> Callable[[str, str], float] | None:
        if not self.base_solution.solved:
            return None
        return lambda path, period: amount(self.base, self.base_solution, path, period)


def amount(built: PlanProgram, solution: LinearSolution, path: str, period: str) -> float:
    """What is bought, sold or run of a path (``crudes.light``, ``units.cdu``) in a period, per day."""
    section, _, name = path.partition(".")
    if section != "units":
        return solution.values[tagged(path, period)]
    return math.fsum(
        solution.values[tagged(process.name, period)]
        for process in built.sheet.processes
        if process.unit == name
    )


def words(change: ChangeOf) -> str:
    """A change as one says it."""
    if change.to is not None:
        return f"{change.what} to {change.to:g}{f' {change.unit}' if change.unit else ''}"
    return f"{change.what} by {change.by:+g}{f' {change.unit}' if change.unit else ''}"
