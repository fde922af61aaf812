"""Local solutions of a bilinear program: sequential linear programming from several starts.

Each step solves the program with its products replaced by their tangents, ``x̄·y + ȳ·x − x̄·ȳ``, inside
a box around the present point; what a product then lacks is charged at a penalty (Fletcher and Sainz de
la Maza, Mathematical Programming 43, 1989; for pooling Baker and Lasdon, Management Science 31, 1985). A
step that does not raise the penalised objective shrinks the box. At the end the shares are fixed and the
linear program that is left is solved, so that what is returned is exact.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.modules.optimization.bilinear.relaxed import mccormick, with_shares
from orchestrator.modules.optimization.bilinear.tangent import set_tangents, tangent_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from orchestrator.modules.optimization.bilinear.program import BilinearProgram, Indexed
    from orchestrator.modules.optimization.linear import LinearSolution
    from orchestrator.modules.optimization.linear.arrays import Floats

EXACT = 1e-8
LEAST_BOX = 1e-7
STEPS = 40
NEAR = 1e-4
FIRST_BOX, NEAR_BOX = 0.2, 1e-3
"""First reach of a step, over the width of each bound: from any point, and from one that nearly fits."""
SPREAD = 0.6
"""Relative standard deviation of the random worths that lead to different starts."""


@dataclass(frozen=True)
class Point:
    """A point that keeps every row and product, and its objective.

    ``grows`` names, where it is not empty, what grows without end at these shares.
    """

    x: Floats
    objective: float
    grows: tuple[str, ...] = ()


class LocalSearch:
    """Sequential linear programming on one program, from many points.

    Args:
        program: The program.
        bounded: The same with finite bounds of all factors; the steps stay inside them.
        indexed: ``bounded`` by position.
        deadline: Time by ``time.monotonic`` after which no step begins.
    """

    def __init__(
        self,
        program: BilinearProgram,
        bounded: BilinearProgram,
        indexed: Indexed,
        deadline: float,
    ) -> None:
        self._program, self._bounded = program, bounded
        self._indexed, self._deadline = indexed, deadline
        self._factors = np.unique(np.concatenate([indexed.share, indexed.amount]))
        worth = np.abs(indexed.arrays.worth)
        self._penalty = 10.0 * max(1.0, float(worth.max(initial=0.0)))
        self._tangent = tangent_program(bounded, self._penalty).live()

    def climb(self, start: Floats) -> Point | None:
        """The best exact point on the way up from ``start``; ``None`` where none was found."""
        first = self.at_shares(start)
        if first is not None and first.grows:
            return first
        if first is not None and self._merit(first.x) > self._merit(start):
            x = self._steps(first.x, self._merit(first.x), FIRST_BOX, first)
        else:
            # What breaks rows a little may look better than any exact point.
            near = self._indexed.violation(start) <= NEAR
            x = self._steps(start, -np.inf, NEAR_BOX if near else FIRST_BOX, first)
        found = [point for point in (first, self.at_shares(x)) if point is not None]
        if self._indexed.violation(x) <= EXACT:
            found.append(Point(x, self._indexed.arrays.objective(x)))
        return max(found, key=lambda point: point.objective, default=None)

    def at_shares(self, x: Floats) -> Point | None:
        """The optimum with the shares of ``x``, exact; ``None`` where these admit no point."""
        indexed = self._indexed
        columns = indexed.arrays.columns
        shares = dict(
            zip((columns[i] for i in indexed.shares), x[indexed.shares].tolist(), strict=True)
        )
        solution = with_shares(self._program, shares).solve(self._left())
        if solution.status == "unbounded":
            return Point(x, float("inf"), solution.ray)
        if not solution.solved or solution.objective is None:
            return None
        return Point(solution.x, solution.objective)

    def starts(self, first: Floats, seed: int) -> Iterator[Floats]:
        """``first``, then optima of the relaxation at randomly changed worths."""
        yield self._indexed.projected(first)
        random = np.random.default_rng(seed)
        relaxed = mccormick(self._bounded).live()
        worth = self._indexed.arrays.worth
        columns = self._indexed.arrays.columns
        size = max(1.0, float(np.abs(worth).max(initial=0.0)))
        while True:
            changed = worth * (1 + SPREAD * random.standard_normal(len(worth)))
            changed += 0.05 * size * random.standard_normal(len(worth))
            relaxed.set_worths(dict(zip(columns, changed.tolist(), strict=True)))
            solution = relaxed.solve(self._left())
            if not solution.solved:
                return
            yield self._indexed.projected(solution.x)

    def _left(self) -> float:
        return max(1e-2, self._deadline - time.monotonic())

    def _steps(self, x: Floats, merit: float, box: float, fixed: Point | None) -> Floats:
        """Steps from ``x`` until the box is small or time is up; integers stay as in ``fixed``."""
        arrays = self._indexed.arrays
        width = np.where(
            np.isfinite(arrays.upper - arrays.lower),
            arrays.upper - arrays.lower,
            np.maximum(1.0, np.abs(x)),
        )
        whole = np.flatnonzero(arrays.integer)
        if whole.size and fixed is not None:
            self._bounds(whole, fixed.x[whole], fixed.x[whole])
        for _ in range(STEPS):
            if time.monotonic() >= self._deadline or box < LEAST_BOX:
                break
            reach = box * width[self._factors]
            low = np.maximum(arrays.lower[self._factors], x[self._factors] - reach)
            high = np.minimum(arrays.upper[self._factors], x[self._factors] + reach)
            solution = self._step(x, low, high)
            if not solution.solved:
                box /= 4
                continue
            nearer = solution.x[: len(x)]
            reached = self._merit(nearer)
            if reached <= merit + 1e-10 * max(1.0, abs(merit)):
                box /= 4
                continue
            promised = (solution.objective or 0.0) - merit
            if np.isfinite(merit) and reached - merit > 0.75 * promised:
                box = min(1.0, 2 * box)
            x, merit = nearer, reached
        if whole.size and fixed is not None:
            self._bounds(whole, arrays.lower[whole], arrays.upper[whole])
        return x

    def _step(self, x: Floats, low: Floats, high: Floats) -> LinearSolution:
        set_tangents(self._tangent, self._indexed, x)
        self._bounds(self._factors, np.minimum(low, high), high)
        return self._tangent.solve(self._left())

    def _bounds(self, places: NDArray[np.integer[Any]], low: Floats, high: Floats) -> None:
        columns = self._indexed.arrays.columns
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        self._tangent.set_bounds({columns[i]: p for i, p in zip(places, pairs, strict=True)})

    def _merit(self, x: Floats) -> float:
        lacking = float(np.abs(self._indexed.error(x)).sum())
        return self._indexed.arrays.objective(x) - self._penalty * lacking
