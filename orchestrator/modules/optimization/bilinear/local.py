"""Local solutions of a bilinear program: sequential linear programming from several starts.

Each step solves the program with its products replaced by their tangents, ``x̄·y + ȳ·x − x̄·ȳ``, inside
a box around the present shares (Baker and Lasdon, Management Science 31, 1985). The shares are then held
and the linear program that is left is solved: an exact point, which counts if it is better; else the box
shrinks. Where shares alone admit no point, what a product lacks is charged at a penalty instead (Fletcher
and Sainz de la Maza, Mathematical Programming 43, 1989) until it is small.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.modules.optimization.bilinear.relaxed import mccormick, with_shares
from orchestrator.modules.optimization.bilinear.tangent import (
    set_tangents,
    tangent_program,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from orchestrator.modules.optimization.bilinear.program import BilinearProgram, Indexed
    from orchestrator.modules.optimization.linear import LinearSolution
    from orchestrator.modules.optimization.linear.arrays import Floats

EXACT = 1e-8
EXACT_SECONDS = 1.0
LEAST_BOX = 1e-7
LEAST_GAIN = 1e-9
"""Gain over the objective that is not rounding."""
STEPS = 40
NEAR = 1e-4
FIRST_BOX, NEAR_BOX = 0.2, 1e-3
"""First reach of a step, over the width of each bound: from any point, and from one that nearly fits."""
START_SHARE = 0.3
"""Part of its time in which a local search finds starts."""
CLIMBED = 1 / 3
"""Part of the starts, the best, from which a search climbs."""
KICK_BOX = 0.5
SPREAD, NOISE = 0.6, 0.05
"""Standard deviation of the random worths that lead elsewhere, over each worth and over the largest."""


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
        seed: Seed of the starts and kicks.
        deadline: Time by ``time.monotonic`` after which no step begins; it may be moved.
    """

    def __init__(
        self,
        program: BilinearProgram,
        bounded: BilinearProgram,
        indexed: Indexed,
        seed: int,
        deadline: float,
    ) -> None:
        self._program, self._bounded = program, bounded
        self._indexed, self.deadline = indexed, deadline
        self._random = np.random.default_rng(seed)
        worth = np.abs(indexed.arrays.worth)
        self._penalty = 10.0 * max(1.0, float(worth.max(initial=0.0)))
        self._tangent = tangent_program(bounded, self._penalty).live()

    def climb(self, start: Floats) -> Point | None:
        """The best exact point on the way up from ``start``; ``None`` where none was found."""
        first = self.at_shares(start)
        if first is not None and first.grows:
            return first
        if first is not None and self._merit(first.x) > self._merit(start):
            return self._up(first)
        # What breaks rows a little may look better than any exact point.
        if self._indexed.violation(start) <= NEAR:
            x = self._steps(start, NEAR_BOX, Point(start, self._indexed.arrays.objective(start)))
        else:
            x = self._steps(start, FIRST_BOX, first)
        found = [point for point in (first, self.at_shares(x)) if point is not None]
        if self._indexed.violation(x) <= EXACT:
            found.append(Point(x, self._indexed.arrays.objective(x)))
        best = max(found, key=lambda point: point.objective, default=None)
        return best if best is None or best.grows else self._up(best)

    def at_shares(self, x: Floats) -> Point | None:
        """The optimum with the shares of ``x``, exact; ``None`` where these admit no point."""
        indexed, columns = self._indexed, self._indexed.arrays.columns
        shares = {columns[i]: float(x[i]) for i in indexed.shares}
        solution = with_shares(self._program, shares).solve(max(EXACT_SECONDS, self._left()))
        if solution.status == "unbounded":
            return Point(x, float("inf"), solution.ray)
        if not solution.solved or solution.objective is None:
            return None
        found = np.array([shares.get(name, solution.values.get(name, 0.0)) for name in columns])
        found[indexed.product] = found[indexed.share] * found[indexed.amount]
        return Point(found, indexed.arrays.objective(found))

    def points(self, first: Floats, count: int) -> Iterator[Point | None]:
        """Exact points: of ``first`` and other starts, at most ``count``, then of climbs from the best.

        ``None`` stands for what led nowhere.
        """
        starts: list[tuple[float, Floats]] = []
        for start in self._starts(first, count):
            point = self.at_shares(start)
            starts.append((-np.inf if point is None else point.objective, start))
            yield point
        starts.sort(key=lambda item: -item[0])
        for _, start in starts[: math.ceil(CLIMBED * len(starts))]:
            yield self.climb(start)

    def kicks(self, best: Point) -> Iterator[Point | None]:
        """Exact points of climbs from the best one, kicked; without end."""
        while True:
            point = self.climb(self._kicked(best.x))
            yield point
            if point is not None and point.objective > best.objective:
                best = point

    def _starts(self, first: Floats, count: int) -> Iterator[Floats]:
        """``first``, and optima of the relaxation at other worths, for a part of the time."""
        until = time.monotonic() + START_SHARE * self._left()
        yield self._indexed.projected(first)
        relaxed = mccormick(self._bounded).live()
        for _ in range(count - 1):
            if time.monotonic() >= until:
                return
            relaxed.set_worths(self._other_worths())
            solution = relaxed.solve(self._left())
            if solution.solved:
                yield self._indexed.projected(solution.x)

    def _kicked(self, x: Floats) -> Floats:
        """Where a wide tangent step from ``x`` leads at other worths."""
        arrays = self._indexed.arrays
        self._tangent.set_worths(self._other_worths())
        solution = self._step(x, KICK_BOX)
        self._tangent.set_worths(dict(zip(arrays.columns, arrays.worth.tolist(), strict=True)))
        return self._indexed.projected(solution.x[: len(x)]) if solution.solved else x

    def _other_worths(self) -> dict[str, float]:
        arrays = self._indexed.arrays
        size = max(1.0, float(np.abs(arrays.worth).max(initial=0.0)))
        worth = arrays.worth * (1 + SPREAD * self._random.standard_normal(len(arrays.worth)))
        worth += NOISE * size * self._random.standard_normal(len(worth))
        return dict(zip(arrays.columns, worth.tolist(), strict=True))

    def _left(self) -> float:
        return max(1e-2, self.deadline - time.monotonic())

    def _up(self, point: Point) -> Point:
        """From one exact point to better ones, the shares moved by a tangent step and then held."""
        self._hold(point)
        box = FIRST_BOX
        for _ in range(STEPS):
            if time.monotonic() >= self.deadline or box < LEAST_BOX:
                break
            solution = self._step(point.x, box)
            nearer = self.at_shares(solution.x) if solution.solved else None
            if nearer is not None and nearer.grows:
                return nearer
            least = point.objective + LEAST_GAIN * max(1.0, abs(point.objective))
            if nearer is None or nearer.objective <= least:
                promised = (solution.objective or 0.0) - point.objective
                if solution.solved and promised <= LEAST_GAIN * max(1.0, abs(point.objective)):
                    break
                box /= 4
                continue
            point, box = nearer, min(1.0, 2 * box)
            self._hold(point)
        self._hold(None)
        return point

    def _steps(self, x: Floats, box: float, fixed: Point | None) -> Floats:
        """Steps that raise the penalised objective, for where the shares alone admit no point yet."""
        merit = -np.inf
        self._hold(fixed)
        for _ in range(STEPS):
            if time.monotonic() >= self.deadline or box < LEAST_BOX:
                break
            solution = self._step(x, box)
            nearer = solution.x[: len(x)]
            reached = self._merit(nearer) if solution.solved else -np.inf
            better = np.isfinite(reached) and (
                not np.isfinite(merit) or reached > merit + 1e-10 * max(1.0, abs(merit))
            )
            if not better:
                box /= 4
                continue
            if np.isfinite(merit) and reached - merit > 0.75 * (
                (solution.objective or 0.0) - merit
            ):
                box = min(1.0, 2 * box)
            x, merit = nearer, reached
        self._hold(None)
        return x

    def _hold(self, point: Point | None) -> None:
        """Keep integer columns where a point has them, or let them go."""
        arrays = self._indexed.arrays
        whole = np.flatnonzero(arrays.integer)
        if whole.size:
            low, high = (arrays.lower, arrays.upper) if point is None else (point.x, point.x)
            self._bounds(whole, np.round(low[whole]), np.round(high[whole]))

    def _step(self, x: Floats, box: float) -> LinearSolution:
        """The optimum of the tangents at ``x``, each share within a box over the width of its bounds."""
        shares, arrays = self._indexed.shares, self._indexed.arrays
        low, high = arrays.lower[shares], arrays.upper[shares]
        at = np.clip(x[shares], low, high)
        reach = box * (high - low)
        set_tangents(self._tangent, self._indexed, x)
        self._bounds(shares, np.maximum(low, at - reach), np.minimum(high, at + reach))
        return self._tangent.solve(self._left())

    def _bounds(self, places: NDArray[np.integer[Any]], low: Floats, high: Floats) -> None:
        columns = self._indexed.arrays.columns
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        self._tangent.set_bounds({columns[i]: p for i, p in zip(places, pairs, strict=True)})

    def _merit(self, x: Floats) -> float:
        lacking = float(np.abs(self._indexed.error(x)).sum())
        return self._indexed.arrays.objective(x) - self._penalty * lacking
