"""Convex quadratic programming with a diagonal cost, by a primal-dual path-following method.

min ½ xᵀ diag(h) x subject to ``a x = b`` and ``low ≤ x ≤ high`` (Nocedal and Wright, Numerical
Optimization, 2nd ed. 2006, section 16.6, without the corrector, which can cycle on flow networks with
loops). Variables without cost and dependent rows are allowed.
"""

from __future__ import annotations

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
    x = np.zeros(count)
    y = np.zeros(rows)
    slack = np.maximum(sign * x[index] - limit, 1.0)
    force = np.ones(len(index))
    scale = 1.0 + max(float(np.abs(b).max(initial=0.0)), float(np.abs(limit).max(initial=0.0)))
    for _ in range(MAX_STEPS):
        pull = np.zeros(count)
        np.add.at(pull, index, sign * force)
        dual = cost * x - a.T @ y - pull
        primal = a @ x - b
        gap = sign * x[index] - limit - slack
        centre = float(slack @ force) / max(1, len(index))
        worst = max(np.abs(v).max(initial=0.0) for v in (dual, primal, gap))
        if worst < CONVERGED * scale and centre < CONVERGED * scale:
            break
        stiff = np.zeros(count)
        np.add.at(stiff, index, force / slack)
        system = np.block(
            [[np.diag(cost + stiff + REGULAR), -a.T], [a, REGULAR * np.eye(rows)]]
        )
        try:
            inverse = np.linalg.inv(system)
        except np.linalg.LinAlgError:
            break

        def step(target: Array) -> tuple[Array, Array, Array, Array]:
            right = np.zeros(count)
            np.add.at(right, index, sign * (target - force * gap) / slack)
            whole = np.concatenate([-dual + right, -primal])
            moves = inverse @ whole
            # one refinement: near the end the system is all but singular
            moves += inverse @ (whole - system @ moves)
            dx, dy = moves[:count], moves[count:]
            ds = sign * dx[index] + gap
            return dx, dy, ds, (target - force * ds) / slack

        for aim in (TOWARDS, 1.0):
            dx, dy, ds, df = step(aim * centre - slack * force)
            reach = min(1.0, SHORT * min(_longest(slack, ds), _longest(force, df)))
            # blocked by a corner: first back to the middle
            if reach >= BLOCKED:
                break
        x, y = x + reach * dx, y + reach * dy
        slack, force = slack + reach * ds, force + reach * df
    sides = np.zeros(count, dtype=np.int8)
    binds = slack < force
    # a costless variable at its bound has no force, and is held all the same where it lies on it
    sides[index[binds]] = -sign[binds].astype(np.int8)
    return x, sides


def _longest(values: Array, change: Array) -> float:
    """Longest step that keeps all values positive, at most 1 / 0.99."""
    falling = change < 0
    if not falling.any():
        return 1.0 / SHORT
    return min(1.0 / SHORT, float((values[falling] / -change[falling]).min()))
