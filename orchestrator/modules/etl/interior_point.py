"""Convex quadratic programming with a diagonal cost, by a primal-dual path-following method.

min ½ xᵀ diag(h) x subject to ``a x = b`` and ``low ≤ x ≤ high`` (Nocedal and Wright, Numerical
Optimization, 2nd ed. 2006, section 16.6, without the corrector, which can cycle on flow networks with
loops). Variables without cost and dependent rows are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MAX_STEPS = 100
CONVERGED = 1e-11
SHORT = 0.99
BLOCKED = 0.2
TOWARDS = 0.2
REGULAR = 1e-11


def solve(
    cost: Array, a: Array, b: Array, low: Array, high: Array
) -> tuple[Array, NDArray[np.int8]]:
    """The optimum ``(n,)`` and, for each variable, −1 or 1 where its lower or upper bound binds.

    Args:
        cost: Diagonal of the Hessian ``(n,)``, not negative.
        a: Equality constraints ``(m, n)``; a feasible point must exist.
        b: Right-hand sides ``(m,)``.
        low, high: Bounds ``(n,)``, infinite where there is none.
    """
    count, rows = len(cost), len(b)
    lows, highs = np.flatnonzero(np.isfinite(low)), np.flatnonzero(np.isfinite(high))
    # g x ≥ limit, the bounds as one list
    index = np.concatenate([lows, highs])
    sign = np.concatenate([np.ones(len(lows)), -np.ones(len(highs))])
    limit = np.concatenate([low[lows], -high[highs]])
    point = _Point(
        x=np.zeros(count),
        y=np.zeros(rows),
        slack=np.maximum(-limit, 1.0),
        force=np.ones(len(index)),
    )
    scale = 1.0 + max(float(np.abs(b).max(initial=0.0)), float(np.abs(limit).max(initial=0.0)))
    for _ in range(MAX_STEPS):
        system = _System.at(point, cost, a, b, index, sign, limit)
        if max(system.worst, system.centre) < CONVERGED * scale or system.inverse is None:
            break
        for aim in (TOWARDS, 1.0):
            move = system.towards(aim * system.centre)
            longest = min(_longest(point.slack, move.slack), _longest(point.force, move.force))
            reach = min(1.0, SHORT * longest)
            # blocked by a corner: first back to the middle
            if reach >= BLOCKED:
                break
        point = point.moved(move, reach)
    sides = np.zeros(count, dtype=np.int8)
    binds = point.slack < point.force
    sides[index[binds]] = -sign[binds].astype(np.int8)
    return point.x, sides


@dataclass(frozen=True, slots=True)
class _Point:
    """Variables, multipliers of the equations, slack of the bounds, and their multipliers."""

    x: Array
    y: Array
    slack: Array
    force: Array

    def moved(self, step: _Point, reach: float) -> _Point:
        return _Point(
            self.x + reach * step.x,
            self.y + reach * step.y,
            self.slack + reach * step.slack,
            self.force + reach * step.force,
        )


@dataclass(frozen=True, slots=True)
class _System:
    """The optimality conditions linearised at a point."""

    point: _Point
    index: NDArray[np.intp]
    sign: Array
    dual: Array
    primal: Array
    gap: Array
    matrix: Array
    inverse: Array | None

    @classmethod
    def at(
        cls, point: _Point, cost: Array, a: Array, b: Array, index: NDArray[np.intp], sign: Array,
        limit: Array,
    ) -> _System:  # fmt: skip
        pull, stiff = np.zeros(len(cost)), np.zeros(len(cost))
        np.add.at(pull, index, sign * point.force)
        np.add.at(stiff, index, point.force / point.slack)
        matrix = np.block([[np.diag(cost + stiff + REGULAR), -a.T], [a, REGULAR * np.eye(len(b))]])
        try:
            inverse: Array | None = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            inverse = None
        return cls(
            point=point,
            index=index,
            sign=sign,
            dual=cost * point.x - a.T @ point.y - pull,
            primal=a @ point.x - b,
            gap=sign * point.x[index] - limit - point.slack,
            matrix=matrix,
            inverse=inverse,
        )

    @property
    def worst(self) -> float:
        """Largest violation of the conditions."""
        parts = (self.dual, self.primal, self.gap)
        return max(float(np.abs(part).max(initial=0.0)) for part in parts)

    @property
    def centre(self) -> float:
        """Mean product of slack and force."""
        return float(self.point.slack @ self.point.force) / max(1, len(self.index))

    def towards(self, product: float) -> _Point:
        """The step at whose end each product of slack and force would be ``product``."""
        assert self.inverse is not None
        slack, force = self.point.slack, self.point.force
        target = product - slack * force
        right = np.zeros(len(self.dual))
        np.add.at(right, self.index, self.sign * (target - force * self.gap) / slack)
        whole = np.concatenate([-self.dual + right, -self.primal])
        moves = self.inverse @ whole
        # one refinement: near the end the system is all but singular
        moves += self.inverse @ (whole - self.matrix @ moves)
        dx, dy = moves[: len(self.dual)], moves[len(self.dual) :]
        ds = self.sign * dx[self.index] + self.gap
        return _Point(dx, dy, ds, (target - force * ds) / slack)


def _longest(values: Array, change: Array) -> float:
    """Longest step that keeps all values positive, at most 1 / 0.99."""
    falling = change < 0
    if not falling.any():
        return 1.0 / SHORT
    return min(1.0 / SHORT, float((values[falling] / -change[falling]).min()))
