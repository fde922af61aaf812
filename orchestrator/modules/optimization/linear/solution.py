"""What the solution of a program says, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.models import SolveStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.modules.optimization.linear.arrays import Floats

_NONE = np.empty(0)


@dataclass(frozen=True, slots=True)
class Range:
    """Interval over which a shadow price or a worth stays as it is."""

    low: float
    high: float


@dataclass(slots=True)
class Bounds:
    """Ranges by position."""

    low: Floats = field(default_factory=lambda: _NONE)
    high: Floats = field(default_factory=lambda: _NONE)

    def at(self, place: int) -> Range | None:
        """At one place; ``None`` where none were asked for."""
        if not self.low.size:
            return None
        return Range(float(self.low[place]), float(self.high[place]))

    def by(self, names: tuple[str, ...]) -> dict[str, Range]:
        """By name; empty where none were asked for."""
        if not self.low.size:
            return {}
        return {
            name: Range(low, high)
            for name, low, high in zip(names, self.low.tolist(), self.high.tolist(), strict=True)
        }


@dataclass(eq=False)
class LinearSolution:
    """Outcome of a program; values by name are made when they are first asked for.

    ``row_dual`` and ``column_dual`` are the change of the objective for one more unit of the bound
    that holds the row or column; 0 where none does.

    Attributes:
        status: How the solver ended; ``feasible`` is the best that was found within the time limit.
        objective: Value of the objective, or ``None``.
        ray: Where unbounded, the columns that grow without end.
        bound: Of a program with integer columns, the proven limit of the objective.
        integers_fixed: Whether the duals are those of the linear program with the integer columns
            fixed at their values: they say what a limit costs while these decisions stay.
        unproven: Why an answer of the solver was not passed on, where status is ``error``.
    """

    status: SolveStatus
    objective: float | None = None
    ray: tuple[str, ...] = ()
    bound: float | None = None
    integers_fixed: bool = False
    unproven: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    x: Floats = field(default_factory=lambda: _NONE, repr=False)
    activity: Floats = field(default_factory=lambda: _NONE, repr=False)
    y: Floats = field(default_factory=lambda: _NONE, repr=False)
    d: Floats = field(default_factory=lambda: _NONE, repr=False)
    row_bounds: Bounds = field(default_factory=Bounds, repr=False)
    column_bounds: Bounds = field(default_factory=Bounds, repr=False)
    worths: Bounds = field(default_factory=Bounds, repr=False)

    @property
    def solved(self) -> bool:
        """Whether there are values: the optimum, or the best found in the time."""
        return self.status in ("optimal", "feasible")

    @property
    def gap(self) -> float | None:
        """Share by which the objective may still grow; ``None`` without a proven bound."""
        if self.bound is None or self.objective is None:
            return None
        return abs(self.bound - self.objective) / max(abs(self.objective), 1e-9)

    def row_prices(self, least: float) -> Iterator[tuple[str, float, int]]:
        """Rows whose shadow price is above ``least`` in size, with it and the row's place."""
        return _above(self.rows, self.y, least)

    def column_prices(self, least: float) -> Iterator[tuple[str, float, int]]:
        """Columns whose reduced cost is above ``least`` in size, with it and the column's place."""
        return _above(self.columns, self.d, least)

    @cached_property
    def values(self) -> dict[str, float]:
        """Value of each column."""
        return dict(zip(self.columns, self.x.tolist(), strict=False))

    @cached_property
    def row_dual(self) -> dict[str, float]:
        """Shadow price of each row."""
        return dict(zip(self.rows, self.y.tolist(), strict=False))

    @cached_property
    def column_dual(self) -> dict[str, float]:
        """Reduced cost of each column."""
        return dict(zip(self.columns, self.d.tolist(), strict=False))

    @cached_property
    def worth_range(self) -> dict[str, Range]:
        """Worths of each column between which the solution stays."""
        return self.worths.by(self.columns)


def _above(names: tuple[str, ...], duals: Floats, least: float) -> Iterator[tuple[str, float, int]]:
    places = np.flatnonzero(np.abs(duals) > least)
    for place, dual in zip(places.tolist(), duals[places].tolist(), strict=True):
        yield names[place], dual, place
