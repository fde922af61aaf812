"""Convex quadratic programming with a diagonal cost, by a primal active-set method.

min Σ(weight (x − target))² subject to ``matrix x = constants`` and ``low ≤ x ≤ high`` (Nocedal and
Wright, Numerical Optimization, 2nd ed. 2006, section 16.5). Variables without cost and dependent rows
are allowed. The equations are kept solved for one variable each, always the least certain one that can
be: of a flow network that is its heaviest spanning tree, whose arithmetic is sums of flows smaller than
the result. So flows many powers of ten apart each close to their own rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
CLOSED = 1e-9
FLOOR = 1e-13
CANCELLED = 1e-11
ROUNDING = 1e-13
SIGN = 1e-11
FIRST = 1e30
REBUILT = 50
STEPS_EACH = 60


@dataclass(frozen=True, slots=True)
class Program:
    """The problem; ``m`` equations in ``n`` variables.

    Attributes:
        matrix: ``(m, n)``.
        constants: ``(m,)``.
        target, weight: Of the cost, ``(n,)``; weight 0 is no cost.
        low, high: Bounds ``(n,)``, infinite where there is none.
        scale: Typical size of each variable ``(n,)``, above zero; used where the weight is 0.
    """

    matrix: Array
    constants: Array
    target: Array
    weight: Array
    low: Array
    high: Array
    scale: Array

    @property
    def size(self) -> Array:
        """Size of a change of each variable: its standard deviation, else its scale, ``(n,)``."""
        return np.where(
            self.weight > 0, 1.0 / np.where(self.weight > 0, self.weight, 1.0), self.scale
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Where the method ended.

    Attributes:
        point: ``(n,)``, within the bounds.
        pull: Slope of the Lagrangian along each variable times its size ``(n,)``: zero where free,
            positive where a lower bound binds, negative at an upper one, if ``optimal``.
        noise: What rounding can make of ``pull``, ``(n,)``.
        optimal: Whether the multipliers of all bounds were checked to have the right sign.
    """

    point: Array
    pull: Array
    noise: Array
    optimal: bool


def closure(matrix: Array, constants: Array, point: Array, scale: Array) -> Array:
    """Residual of each equation over the size of its own terms at ``point``, ``(m,)``.

    Terms smaller than 1e-4 of what the largest are at ``point`` or ``scale`` count as that, since
    rounding carries over.
    """
    terms = np.abs(matrix) @ np.abs(point) + np.abs(constants)
    usual = np.abs(matrix) @ np.maximum(np.abs(point), scale) + np.abs(constants)
    floor = FLOOR / CLOSED * float(usual.max(initial=0.0))
    residual: Array = np.abs(matrix @ point - constants) / np.maximum(
        np.maximum(terms, floor), 1e-300
    )
    return residual


def feasible(program: Program, start: Array) -> tuple[Array, Array]:
    """A point within the bounds with the least squares of the residuals from ``start``, and ``pull``.

    Where its :func:`closure` is not zero the bounds conflict, and those with a ``pull`` do (Farkas).
    """
    rows, count = program.matrix.shape
    point = np.clip(start, program.low, program.high)
    size = (np.abs(program.matrix) * program.scale).max(axis=1, initial=0.0)
    size[size == 0] = 1.0
    endless = np.full(rows, np.inf)
    relaxed = Program(
        matrix=np.hstack([program.matrix, np.eye(rows)]),
        constants=program.constants,
        target=np.zeros(count + rows),
        weight=np.concatenate([np.zeros(count), 1.0 / size]),
        low=np.concatenate([program.low, -endless]),
        high=np.concatenate([program.high, endless]),
        scale=np.concatenate([program.scale, size]),
    )
    rest = program.constants - program.matrix @ point
    whole = np.concatenate([point, rest])
    at_bound = (whole <= relaxed.low) | (whole >= relaxed.high)
    found = _Search(relaxed, whole, at_bound, stop_closed=count).run()
    return found.point[:count], found.pull[:count]


def solve(program: Program, start: Array) -> Found:
    """The optimum, from a ``start`` that meets equations and bounds."""
    inside = (start > program.low) & (start < program.high)
    # bounds are held at the start only as far as they and the equations are independent
    tableau = _Tableau(program.matrix, program.size * np.where(inside, FIRST, 1.0))
    held = ~inside
    held[tableau.basic] = False
    return _Search(program, start, held).run()


class _Tableau:
    """``x[basic] + table[:, others] x[others] = inverse @ constants``, by Gauss-Jordan elimination.

    In each row the variable of the largest ``size`` becomes basic.
    """

    def __init__(self, matrix: Array, size: Array) -> None:
        rows, self._count = matrix.shape
        self._work = np.hstack([matrix, np.eye(rows)])
        self._bulk = np.abs(self._work)
        basic, kept = [], []
        for row in range(rows):
            reach = np.abs(self._work[row, : self._count]) * size
            column = int(reach.argmax()) if reach.size else 0
            if reach.size and reach[column] > 0:
                self._pivot(row, column)
                basic.append(column)
                kept.append(row)
        self.basic = np.array(basic, dtype=np.intp)
        self._kept = np.array(kept, dtype=np.intp)

    @property
    def table(self) -> Array:
        return self._work[self._kept, : self._count]

    @property
    def inverse(self) -> Array:
        return self._work[self._kept, self._count :]

    def exchange(self, position: int, column: int) -> None:
        """Make ``column`` basic in place of the one at ``position``."""
        self._pivot(int(self._kept[position]), column)
        self.basic[position] = column

    def _pivot(self, row: int, column: int) -> None:
        work, bulk = self._work, self._bulk
        bulk[row] /= abs(work[row, column])
        work[row] /= work[row, column]
        others = np.flatnonzero(work[:, column])
        others = others[others != row]
        factor = work[others, column][:, None]
        changed = work[others] - factor * work[row]
        weight = bulk[others] + np.abs(factor) * bulk[row]
        # what cancels to rounding is nothing: else it would link streams that are not
        changed[np.abs(changed) <= CANCELLED * weight] = 0.0
        changed[:, column] = 0.0
        work[others], bulk[others] = changed, weight
        work[row, column] = 1.0


class _Search:
    """The state of the method: a point, the bounds that are held, and the tableau."""

    def __init__(
        self, program: Program, point: Array, held: Mask, stop_closed: int | None = None
    ) -> None:
        self._program, self._stop = program, stop_closed
        self._point, self._held = point.copy(), held.copy()
        self._size = program.size
        # those without cost are basic first, so that no cost depends on the others of them
        self._rank = np.where(program.weight > 0, 1.0, FIRST) * self._size
        self._random = np.random.default_rng(0)
        self._changes = 0
        self._rebuild()

    def run(self) -> Found:
        limit = 100 + STEPS_EACH * len(self._point)
        # what the start misses the equations by is rounding, and must not seem a move
        self._point[self._tableau.basic] += self._correction()
        stalled, optimal = 0, False
        for _ in range(limit):
            move, room = self._move()
            share, blocker = self._longest(move, room, shuffled=stalled > len(self._point))
            self._point = self._point + share * move
            if blocker is not None:
                self._hold(blocker, move[blocker] > 0)
                stalled = stalled + 1 if share <= ROUNDING else 0
                continue
            if self._stop is not None and self._is_closed(self._stop):
                break
            worst = self._wrong(shuffled=stalled > len(self._point))
            if worst is None:
                optimal = True
                break
            self._release(worst)
        pull, noise = self._pull()
        point = np.clip(self._point, self._program.low, self._program.high)
        return Found(point, pull, noise, optimal)

    def _is_closed(self, count: int) -> bool:
        p = self._program
        point = np.clip(self._point, p.low, p.high)[:count]
        missed = closure(p.matrix[:, :count], p.constants, point, p.scale[:count])
        return bool((missed <= FLOOR * 10).all())

    def _rebuild(self) -> None:
        self._tableau = _Tableau(self._program.matrix, np.where(self._held, 0.0, self._rank))

    def _move(self) -> tuple[Array, Array]:
        """The step to the optimum with the held bounds as equations, and its rounding, ``(n,)``."""
        p, basic, point = self._program, self._tableau.basic, self._point
        table = self._tableau.table
        nonbasic = ~self._held
        nonbasic[basic] = False
        chosen = np.flatnonzero(nonbasic & (p.weight > 0))
        correction = self._correction()
        away = p.weight * (p.target - point)
        away_basic = away[basic] - p.weight[basic] * correction
        link = table[:, chosen]
        scaled = p.weight[basic, None] * link * self._size[chosen]
        costly = p.weight[basic] > 0
        scaled, away_basic = scaled[costly], away_basic[costly]
        # entries of scaled are at most about one: the basic are the less certain
        whole = np.eye(len(chosen)) + scaled.T @ scaled
        steps = linalg.solve(whole, away[chosen] - scaled.T @ away_basic, assume_a="pos")
        move, room = np.zeros(len(point)), ROUNDING * np.abs(point)
        move[chosen] = steps * self._size[chosen]
        move[basic] = correction - link @ move[chosen]
        top = float(np.abs(away).max(initial=0.0))
        room[chosen] += ROUNDING * (np.abs(move[chosen]) + 0.1 * top * self._size[chosen])
        terms = np.abs(table) @ np.abs(point) + np.abs(self._tableau.inverse) @ np.abs(p.constants)
        room[basic] += np.abs(link) @ room[chosen] + ROUNDING * terms
        return move, room

    def _correction(self) -> Array:
        """What the basic variables miss of their equations, from terms of their own size."""
        inverse, table = self._tableau.inverse, self._tableau.table
        missed: Array = inverse @ self._program.constants - table @ self._point
        return missed

    def _longest(self, move: Array, room: Array, *, shuffled: bool) -> tuple[float, int | None]:
        """The share of a step that stays within the bounds, and the bound that stops it."""
        p, point = self._program, self._point
        limit = np.where(move > 0, p.high, p.low)
        ends = point + move
        over = np.where(move > 0, ends > p.high + room, ends < p.low - room)
        over &= ~self._held & (np.abs(move) > room)
        index = np.flatnonzero(over)
        if not len(index):
            return 1.0, None
        share = np.maximum((limit[index] - point[index]) / move[index], 0.0)
        least = float(share.min())
        ties = index[share <= least + ROUNDING]
        if shuffled:
            return least, int(self._random.choice(ties))
        return least, int(ties[np.argmax(np.abs(move[ties]) / self._size[ties])])

    def _hold(self, column: int, upper: bool) -> None:
        self._point[column] = (self._program.high if upper else self._program.low)[column]
        self._held[column] = True
        at = np.flatnonzero(self._tableau.basic == column)
        if len(at):
            rank = np.where(self._held, 0.0, self._rank)
            rank[self._tableau.basic] = 0.0
            reach = np.abs(self._tableau.table[at[0]]) * rank
            self._exchange(int(at[0]), int(reach.argmax()))

    def _release(self, column: int) -> None:
        self._held[column] = False
        reach = np.abs(self._tableau.table[:, column]) * self._rank[column]
        ratio = reach / self._rank[self._tableau.basic]
        if len(ratio) and ratio.max() > 1.0:
            self._exchange(int(ratio.argmax()), column)

    def _exchange(self, position: int, column: int) -> None:
        self._changes += 1
        pivot = self._tableau.table[position, column]
        if self._changes % REBUILT == 0 or pivot == 0:
            self._rebuild()
        else:
            self._tableau.exchange(position, column)

    def _pull(self) -> tuple[Array, Array]:
        """Slope of the Lagrangian times size, and what rounding can make of it, ``(n,)``."""
        p, basic, table = self._program, self._tableau.basic, self._tableau.table
        away = p.weight * (self._point - p.target)
        slope = p.weight * away
        top = float(np.abs(away).max(initial=0.0))
        pull = (slope - slope[basic] @ table) * self._size
        noise = top * (p.weight + p.weight[basic] @ np.abs(table)) * self._size
        return pull, SIGN * noise

    def _wrong(self, *, shuffled: bool) -> int | None:
        """A held bound whose multiplier has the wrong sign, the worst; None at the optimum."""
        p = self._program
        pull, noise = self._pull()
        inward = np.where(self._point >= p.high, pull, -pull)
        inward[~self._held | (inward <= noise) | (p.low == p.high)] = 0.0
        if not (inward > 0).any():
            return None
        if shuffled:
            return int(self._random.choice(np.flatnonzero(inward > 0)))
        return int(inward.argmax())
