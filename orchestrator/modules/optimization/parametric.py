"""The optimum as a function of one number of the model.

Where the number moves only bounds, or only worths, the optimum is piecewise linear: concave or convex
(Gal, Postoptimal Analyses, Parametric Programming, 2nd ed., 1995). Its breakpoints are found exactly by
meeting tangents (Eisner and Severance, Journal of the ACM 23, 1976): the slope at a point comes from the
dual, two tangents meet in a candidate, and a solve there says whether they are neighbours. Where it moves
coefficients, or both, the curve is sampled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from orchestrator.modules.optimization.linear import LinearProgram, LinearSolution, LiveProgram
from orchestrator.modules.optimization.linear.arrays import Arrays, Floats, assemble

MOST_BREAKS = 200
SAMPLES = 21
BISECTIONS = 40
_SAME = 1e-7

Shape = Literal["concave", "convex", "sampled"]


@dataclass(frozen=True, slots=True)
class Point:
    """The optimum at one value of the parameter; ``slope`` is that of the curve to its right."""

    at: float
    objective: float
    slope: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """The optimum over an interval.

    Attributes:
        points: Ends and breakpoints, ascending; between them the curve is straight unless sampled.
        shape: ``concave`` or ``convex`` where the breakpoints are exact, else ``sampled``.
        low: Least value at which there is a plan, inside the interval asked for.
        high: Largest such value.
        complete: Whether the time sufficed.
    """

    points: tuple[Point, ...]
    shape: Shape
    low: float
    high: float
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Direction:
    """Change of each number for one unit of the parameter."""

    worth: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats

    @property
    def moves_bounds(self) -> bool:
        return any(
            np.any(part) for part in (self.lower, self.upper, self.row_lower, self.row_upper)
        )


def curve(
    program_at: Callable[[float], LinearProgram], low: float, high: float, time_limit: float
) -> Curve:
    """The optimum between two values of a parameter.

    Args:
        program_at: The program at a value of the parameter; its columns and rows stay the same.
        low: Least value.
        high: Largest value, above ``low``.
        time_limit: For all solves together, s.
    """
    deadline = time.monotonic() + time_limit
    first, last = assemble(program_at(low)), assemble(program_at(high))
    direction = None
    if not first.integer.any():
        direction = _direction(first, assemble(program_at((low + high) / 2)), last, high - low)
    if direction is None or (direction.moves_bounds and np.any(direction.worth)):
        return _sampled(program_at, low, high, deadline)
    line = _Line(program_at(low), first, direction, low, deadline)
    return line.curve(high, "concave" if direction.moves_bounds else "convex")


class _Line:
    """A live program on a straight line through its numbers."""

    def __init__(
        self,
        program: LinearProgram,
        first: Arrays,
        direction: _Direction,
        low: float,
        deadline: float,
    ) -> None:
        self.live: LiveProgram = program.live()
        self.first, self.direction, self.low, self.deadline = first, direction, low, deadline
        self.late = False

    def curve(self, high: float, shape: Shape) -> Curve:
        low = self.low
        ends = self._ends(low, high)
        if ends is None:
            return Curve((), shape, high, low, complete=not self.late)
        (start, left), (stop, right) = ends
        points = {start: left, stop: right}
        pending = [(start, stop)] if stop > start else []
        while pending and len(points) < MOST_BREAKS and not self.late:
            a, b = pending.pop()
            (value_a, slope_a), (value_b, slope_b) = points[a], points[b]
            size = max(1.0, abs(value_a), abs(value_b))
            meet = _meet(a, value_a, slope_a, b, value_b, slope_b)
            if meet is None or abs(value_a + slope_a * (b - a) - value_b) <= _SAME * size:
                continue
            found = self.at(meet)
            if found is None:
                continue
            tangent = value_a + slope_a * (meet - a)
            points[meet] = found
            if abs(found[0] - tangent) > _SAME * size:
                pending += [(a, meet), (meet, b)]
        return Curve(_with_slopes(points), shape, start, stop, complete=not self.late)

    def at(self, value: float) -> tuple[float, float] | None:
        """Optimum and slope; ``None`` where there is no plan."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.late = True
            return None
        self._move(value - self.low)
        found = self.live.solve(left)
        if found.status == "time_limit":
            self.late = True
        if found.status != "optimal" or found.objective is None:
            return None
        return found.objective, self._slope(found)

    def _ends(
        self, low: float, high: float
    ) -> tuple[tuple[float, tuple[float, float]], tuple[float, tuple[float, float]]] | None:
        """The ends of where there is a plan, by bisection where one end of the interval has none."""
        left, right = self.at(low), self.at(high)
        if left and right:
            return (low, left), (high, right)
        inside = None
        if not (left or right):
            # What can be planned is an interval: look for any point of it.
            for share in np.linspace(0, 1, SAMPLES)[1:-1]:
                value = low + float(share) * (high - low)
                inside = self.at(value)
                if inside:
                    break
            if not inside:
                return None
            middle, known = value, inside
        else:
            middle, known = (low, left) if left else (high, right)  # type: ignore[assignment]
        start = (low, left) if left else self._edge(low, middle, known)
        stop = (high, right) if right else self._edge(high, middle, known)
        return start, stop

    def _edge(
        self, without: float, within: float, known: tuple[float, float]
    ) -> tuple[float, tuple[float, float]]:
        for _ in range(BISECTIONS):
            middle = (without + within) / 2
            found = self.at(middle)
            if found:
                within, known = middle, found
            else:
                without = middle
        return within, known

    def _move(self, step: float) -> None:
        live, first, by = self.live, self.first, self.direction
        columns, rows = first.columns, first.rows
        worths = np.flatnonzero(by.worth)
        if worths.size:
            live.set_worths({columns[i]: first.worth[i] + step * by.worth[i] for i in worths})
        for change, names, low, high, low_by, high_by in (
            (live.set_bounds, columns, first.lower, first.upper, by.lower, by.upper),
            (live.set_rows, rows, first.row_lower, first.row_upper, by.row_lower, by.row_upper),
        ):
            moved = np.flatnonzero((low_by != 0) | (high_by != 0))
            if moved.size:
                change(
                    {
                        names[i]: (
                            float(low[i] + step * low_by[i]),
                            float(high[i] + step * high_by[i]),
                        )
                        for i in moved
                    }
                )

    def _slope(self, found: LinearSolution) -> float:
        by = self.direction
        rows = np.where(found.y > 0, by.row_upper, by.row_lower)
        columns = np.where(found.d > 0, by.upper, by.lower)
        return float(found.x @ by.worth + found.y @ rows + found.d @ columns)


def _direction(first: Arrays, middle: Arrays, last: Arrays, width: float) -> _Direction | None:
    """How the numbers move; ``None`` where they do not do so in a straight line."""
    if first.columns != last.columns or first.rows != last.rows:
        return None
    for a, b in ((first, middle), (first, last)):
        same = (
            np.array_equal(a.row, b.row)
            and np.array_equal(a.column, b.column)
            and np.array_equal(a.value, b.value)
            and a.offset == b.offset
        )
        if not same:
            return None
    parts = {}
    for name in ("worth", "lower", "upper", "row_lower", "row_upper"):
        a, m, b = (getattr(arrays, name) for arrays in (first, middle, last))
        finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(m)
        if not np.array_equal(a[~finite], b[~finite]):
            return None
        step = np.where(finite, b - np.where(finite, a, 0.0), 0.0)
        straight = np.abs(np.where(finite, m, 0) - np.where(finite, a, 0) - step / 2)
        straight[~finite] = 0.0
        if np.any(straight > 1e-9 * np.maximum(1.0, np.abs(step))):
            return None
        parts[name] = np.where(finite, step / width, 0.0)
    return _Direction(**parts)


def _sampled(
    program_at: Callable[[float], LinearProgram], low: float, high: float, deadline: float
) -> Curve:
    points: list[Point] = []
    for share in np.linspace(0, 1, SAMPLES):
        value = low + float(share) * (high - low)
        left = deadline - time.monotonic()
        if left <= 0:
            break
        found = program_at(value).solve(left)
        # What was not solved to its end says nothing.
        if found.status == "optimal" and found.objective is not None:
            points.append(Point(value, found.objective))
    ends = (points[0].at, points[-1].at) if points else (high, low)
    return Curve(tuple(points), "sampled", *ends, complete=time.monotonic() < deadline)


def _meet(
    a: float, value_a: float, slope_a: float, b: float, value_b: float, slope_b: float
) -> float | None:
    """Where two tangents meet, strictly between their points."""
    if abs(slope_a - slope_b) <= 1e-12 * max(1.0, abs(slope_a), abs(slope_b)):
        return None
    at = (value_b - value_a + slope_a * a - slope_b * b) / (slope_a - slope_b)
    margin = 1e-9 * max(1.0, abs(a), abs(b))
    return at if a + margin < at < b - margin else None


def _with_slopes(points: dict[float, tuple[float, float]]) -> tuple[Point, ...]:
    """Points in order, less those on a straight line between their neighbours."""
    ordered = sorted((at, value) for at, (value, _) in points.items())
    kept: list[tuple[float, float]] = []
    for at, value in ordered:
        while len(kept) > 1:
            (a, va), (b, vb) = kept[-2:]
            on_line = va + (value - va) * (b - a) / (at - a)
            if abs(on_line - vb) > _SAME * max(1.0, abs(vb)):
                break
            kept.pop()
        kept.append((at, value))
    slopes = [(vb - va) / (b - a) if b > a else None for (a, va), (b, vb) in pairwise(kept)]
    return tuple(
        Point(at, value, slope) for (at, value), slope in zip(kept, [*slopes, None], strict=True)
    )
