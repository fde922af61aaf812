"""A bilinear program solved, checked and bounded: the one way in.

1. The McCormick relaxation bounds the objective; where it has no point, the program has none.
2. Local searches from several starts give points that are exact.
3. SCIP, where it is installed, improves both and closes the gap; else a spatial branch and bound of our
   own does what it can in the time.
4. What the solver gives is brought back onto the program by linear programs, and checked against it.

A verdict is passed on only where it was confirmed: a point keeps the program to ``EXACT``, a bound lies
on the right side of every point, and infeasibility follows from a convex relaxation or from a proven
least breach of limits.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.bilinear import scip
from orchestrator.modules.optimization.bilinear.branch import branch_and_bound
from orchestrator.modules.optimization.bilinear.elastic import elastic
from orchestrator.modules.optimization.bilinear.local import LocalSearch, Point
from orchestrator.modules.optimization.bilinear.program import BilinearProgram
from orchestrator.modules.optimization.bilinear.relaxed import mccormick
from orchestrator.modules.optimization.linear import LinearProgram, Relaxation
from orchestrator.modules.optimization.models import SolveStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.modules.optimization.bilinear.program import Indexed
    from orchestrator.modules.optimization.linear.arrays import Floats

EXACT = 1e-7
GAP = 1e-5
LARGE = 60
"""Products above which a program is large: SCIP seldom proves it at once, so that local search comes first."""
FEW, MANY = 3, 12
"""Starts of local search on a small program, and on a large one."""
BEFORE_SHARE, AFTER_SHARE = 0.1, 0.1
"""Most of the time for local search before the global one, and after it where it proves no optimum."""
MOST_KEPT, KEPT_SHARE = 0.5, 0.05
"""Time for the checks after the search: the most in seconds, and the most over the time limit."""
LEAST_SECONDS = 0.05
BOX = 1e3
BROKEN = 1e-6
"""Least breach of limits, over their size, that counts as a proof that not all can be kept."""


@dataclass
class BilinearSolution:
    """Outcome of a bilinear program.

    Attributes:
        status: ``optimal`` (gap at most the one asked for), ``feasible`` (the best found, with its gap),
            ``infeasible``, ``unbounded``, ``time_limit`` (no point found in the time) or ``error``.
        objective: Objective of the point.
        bound: What no point can exceed.
        values: Value of each column; of an infeasible program at the least breach of limits.
        method: What proved the bound.
        confirmed: Of an infeasible program: whether a proof of our own confirms it.
        relaxations: Of an infeasible program: the limits to relax, with the least breach found.
        grows: Of an unbounded program: what grows without end.
        boxed: Whether columns without bounds were searched up to a large bound only, so that the proof
            holds inside it.
    """

    status: SolveStatus
    objective: float | None = None
    bound: float | None = None
    values: dict[str, float] = field(default_factory=dict)
    method: str = ""
    confirmed: bool = False
    relaxations: tuple[Relaxation, ...] = ()
    grows: tuple[str, ...] = ()
    boxed: bool = False

    @property
    def gap(self) -> float | None:
        """Their distance over the larger of both, see :func:`relative_gap`; ``None`` without a point or a bound."""
        return relative_gap(self.objective, self.bound)


def relative_gap(objective: float | None, bound: float | None) -> float | None:
    """Distance of objective and bound over the larger of both, 0 within the solvers' tolerance of 1e-7."""
    if objective is None or bound is None or not math.isfinite(bound):
        return None
    apart = abs(bound - objective)
    return 0.0 if apart <= 1e-7 else apart / max(abs(objective), abs(bound))


def solve(
    program: BilinearProgram,
    time_limit: float,
    *,
    gap: float = GAP,
    seed: int = 0,
    explain: bool = True,
) -> BilinearSolution:
    """Maximise to global optimality, or as near to it as the time allows.

    Args:
        program: The program, scaled so that 1 is a meaningful amount of each quantity.
        time_limit: Seconds by the wall clock.
        gap: Relative gap at which a point counts as optimal.
        seed: Seed of the starts.
        explain: Whether the least breach of limits is sought where there is no point.

    Raises:
        OperationError: a bound or coefficient is not a usable number.
    """
    return _Search(program, time_limit, gap, seed, explain=explain).run()


class _Search:
    """One solution of one program: what is known so far, and until when."""

    def __init__(
        self, program: BilinearProgram, time_limit: float, gap: float, seed: int, *, explain: bool
    ) -> None:
        self.began = time.monotonic()
        self.deadline = self.began + time_limit - min(MOST_KEPT, KEPT_SHARE * time_limit)
        self.program, self.gap, self.seed, self.explain = program, gap, seed, explain
        self.box, self.boxed = _boxed(program)
        self.indexed: Indexed = self.box.indexed()
        self.best: Point | None = None
        self.bound = math.inf
        self.method = ""

    def run(self) -> BilinearSolution:
        if not self.program.products:
            return self._linear()
        relaxed = mccormick(self.box).solve(self._left())
        if relaxed.status == "infeasible":
            return self._no_point(confirmed=True)
        if relaxed.objective is not None and relaxed.status == "optimal":
            self.bound, self.method = relaxed.objective, "McCormick relaxation"
        first = (
            relaxed.x
            if relaxed.solved
            else np.clip(0.0, self.indexed.arrays.lower, self.indexed.arrays.upper)
        )
        local = LocalSearch(self.program, self.box, self.indexed, self.seed, self.deadline)
        self._climb(local, first, BEFORE_SHARE * self._left(), thorough=self._large())
        word: SolveStatus = "time_limit"
        if not self._closed():
            word = self._globally(self.deadline - AFTER_SHARE * self._left())
        if word in ("time_limit", "feasible") and not self._closed():
            self._climb(local, first, self._left(), thorough=True)
        if self.best is not None and self.best.grows:
            return BilinearSolution("unbounded", grows=self.best.grows)
        if self.best is None:
            return self._no_point(confirmed=False) if word == "infeasible" else self._none(word)
        return self._answer(self.best)

    def _linear(self) -> BilinearSolution:
        """Without a product the program is linear, and HiGHS proves its optimum."""
        solution = self.program.linear.solve(self._left())
        if solution.status == "infeasible":
            return self._no_point(confirmed=True)
        bound = solution.objective if solution.bound is None else solution.bound
        return BilinearSolution(
            solution.status,
            solution.objective,
            bound,
            solution.values,
            "HiGHS",
            grows=solution.ray,
        )

    def _climb(self, local: LocalSearch, first: Floats, seconds: float, *, thorough: bool) -> None:
        """Local search for at most so many seconds: from starts, and if thorough from the best, kicked."""
        local.deadline = time.monotonic() + seconds
        for point in self._points(local, first, thorough=thorough):
            self._take(point)
            if self._closed() or time.monotonic() >= local.deadline:
                return

    def _points(
        self, local: LocalSearch, first: Floats, *, thorough: bool
    ) -> Iterator[Point | None]:
        if self.best is None:
            yield from local.points(first, MANY if thorough else FEW)
        if thorough and self.best is not None:
            yield from local.kicks(self.best)

    def _large(self) -> bool:
        return len(self.program.products) > LARGE

    def _take(self, point: Point | None) -> bool:
        """Keep a point where it is exact and better."""
        if point is None:
            return False
        if point.grows:
            self.best = point
            return True
        if self.indexed.violation(point.x) > EXACT:
            return False
        if self.best is None or point.objective > self.best.objective + 1e-9 * abs(point.objective):
            self.best = point
            return True
        return False

    def _closed(self) -> bool:
        if self.best is None or self.best.grows:
            return self.best is not None
        found = relative_gap(self.best.objective, self.bound)
        return found is not None and found <= self.gap

    def _globally(self, deadline: float) -> SolveStatus:
        start = None if self.best is None else self.best.x
        if not scip.installed():
            found = branch_and_bound(self.box, self.indexed, deadline, self.gap, start)
            self._accept(found.bound, found.points, "spatial branch and bound")
            return found.status
        seconds = max(LEAST_SECONDS, deadline - time.monotonic())
        answer = scip.solve(self.box, seconds, self.gap / 10, start)
        self._accept(answer.bound, answer.points, "SCIP")
        if answer.status == "infeasible" and self.best is not None:
            # It contradicts a point that was checked, so that nothing it says counts.
            self.bound, self.method = self._relaxed_bound(), "McCormick relaxation"
        if answer.status in ("infeasible", "error") and not self._closed() and self._left() > 0.2:
            again = scip.solve(self.box, self._left(), self.gap / 10, start, presolve=False)
            self._accept(again.bound, again.points, "SCIP")
            return again.status
        return answer.status

    def _accept(self, bound: float, points: tuple[Floats, ...], method: str) -> None:
        """Take over what a solver found: points after their repair, a bound that no point refutes."""
        search = LocalSearch(
            self.program,
            self.box,
            self.indexed,
            self.seed,
            time.monotonic() + max(0.5, self._left()),
        )
        for x in points:
            self._take(search.at_shares(x))
            if not self._closed() or self.best is None:
                self._take(search.climb(x))
            if self.best is not None:
                break
        refuted = self.best is not None and (
            self.best.objective > bound + self.gap * abs(bound) + EXACT
        )
        if math.isfinite(bound) and not refuted and bound < self.bound:
            self.bound, self.method = bound, method

    def _relaxed_bound(self) -> float:
        solution = mccormick(self.box).solve(max(1.0, self._left()))
        return solution.objective if solution.objective is not None else math.inf

    def _answer(self, best: Point) -> BilinearSolution:
        names = self.indexed.arrays.columns
        bound = max(self.bound, best.objective)
        solution = BilinearSolution(
            "feasible",
            best.objective,
            bound if math.isfinite(bound) else None,
            dict(zip(names, best.x.tolist(), strict=True)),
            self.method,
            boxed=self.boxed,
        )
        if solution.gap is not None and solution.gap <= self.gap:
            solution.status = "optimal"
        return solution

    def _none(self, word: SolveStatus) -> BilinearSolution:
        bound = self.bound if math.isfinite(self.bound) else None
        known = word in ("time_limit", "error")
        return BilinearSolution(word if known else "error", bound=bound, method=self.method)

    def _no_point(self, *, confirmed: bool) -> BilinearSolution:
        """Infeasible, unless the least breach of limits turns out to be none."""
        if not self.explain:
            return BilinearSolution("infeasible", confirmed=confirmed)
        loose = elastic(self.program)
        least = solve(
            loose.program, max(1.0, self._left()), gap=1e-3, seed=self.seed, explain=False
        )
        if least.objective is None:
            return BilinearSolution("infeasible", confirmed=confirmed)
        if not confirmed and -least.objective <= BROKEN:
            return self._from(least)
        broken = least.bound is not None and -least.bound > BROKEN
        return BilinearSolution(
            "infeasible",
            values=least.values,
            confirmed=confirmed or broken,
            relaxations=tuple(loose.relaxations(least.values, BROKEN)),
        )

    def _from(self, least: BilinearSolution) -> BilinearSolution:
        """The answer from a point that breaks no limit, found where the solver saw none."""
        names = self.indexed.arrays.columns
        x = np.array([least.values[name] for name in names])
        search = LocalSearch(
            self.program,
            self.box,
            self.indexed,
            self.seed,
            time.monotonic() + max(1.0, self._left()),
        )
        self._take(search.climb(x))
        if self.best is None:
            return BilinearSolution("error", bound=self.bound, method=self.method)
        self.bound, self.method = self._relaxed_bound(), "McCormick relaxation"
        return self._answer(self.best)

    def _left(self) -> float:
        return max(LEAST_SECONDS, self.deadline - time.monotonic())


def _boxed(program: BilinearProgram) -> tuple[BilinearProgram, bool]:
    """The program with every factor bounded, and whether a bound had to be made up."""
    factors = {name for pair in program.products.values() for name in pair}
    columns = program.linear.columns
    ends: Mapping[str, tuple[float, float]] = {
        name: (columns[name].lower, columns[name].upper) for name in factors
    }
    known = [abs(end) for pair in ends.values() for end in pair if math.isfinite(end)]
    most = BOX * max([1.0, *known])
    if all(math.isfinite(end) for pair in ends.values() for end in pair):
        return program, False
    linear = LinearProgram()
    linear.offset = program.linear.offset
    linear.rows = program.linear.rows
    for name, column in columns.items():
        if name in factors:
            column = replace(column, lower=max(column.lower, -most), upper=min(column.upper, most))
        linear.add_column(column)
    made = BilinearProgram(linear)
    made.products = program.products
    return made, True
