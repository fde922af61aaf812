"""A program as arrays: what the solver is given, and against which its answers are checked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.modules.optimization.linear.program import LinearProgram

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(slots=True)
class Arrays:
    """Bounds, worths and coefficients by position.

    Attributes:
        columns: Names of the columns, in order.
        rows: Names of the rows, in order.
        worth: Objective by column.
        lower: Least value by column; ``upper`` the largest.
        row_lower: Least value by row; ``row_upper`` the largest.
        row: Row of each coefficient, ascending as built.
        column: Its column.
        value: Its value.
        integer: Whether each column takes whole values only.
        offset: Constant of the objective.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    worth: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    row: Integers
    column: Integers
    value: Floats
    integer: NDArray[np.bool_]
    offset: float

    def activity(self, x: Floats) -> Floats:
        """Value of each row."""
        return _sums(self.row, self.value * x[self.column], len(self.rows))

    def priced(self, y: Floats) -> Floats:
        """Σ coefficient · y over the rows of each column."""
        return _sums(self.column, self.value * y[self.row], len(self.columns))

    def objective(self, x: Floats) -> float:
        """Value of the objective."""
        return float(self.worth @ x) + self.offset


def assemble(program: LinearProgram) -> Arrays:
    """The arrays of a program.

    Raises:
        OperationError: a bound, worth or coefficient is not a usable number.
    """
    columns, rows = list(program.columns.values()), list(program.rows.values())
    index = {name: i for i, name in enumerate(program.columns)}
    terms = [row.terms for row in rows]
    count = np.fromiter(map(len, terms), np.int32, len(rows))
    entries = int(count.sum())
    arrays = Arrays(
        columns=tuple(program.columns),
        rows=tuple(program.rows),
        worth=np.array([c.worth for c in columns], float),
        lower=np.array([c.lower for c in columns], float),
        upper=np.array([c.upper for c in columns], float),
        row_lower=np.array([r.lower for r in rows], float),
        row_upper=np.array([r.upper for r in rows], float),
        row=np.repeat(np.arange(len(rows), dtype=np.int32), count),
        column=np.fromiter(map(index.__getitem__, chain.from_iterable(terms)), np.int32, entries),
        value=np.fromiter(chain.from_iterable(t.values() for t in terms), float, entries),
        integer=np.array([c.kind == "integer" for c in columns], bool),
        offset=program.offset,
    )
    _check(arrays)
    return arrays


def _check(arrays: Arrays) -> None:
    # HiGHS takes NaN for a number and may call the outcome optimal.
    refuse("the worth of column", ~np.isfinite(arrays.worth), arrays.worth, arrays.columns)
    wrong = ~np.isfinite(arrays.value)
    if wrong.any():
        names = [arrays.rows[i] for i in arrays.row]
        refuse("a coefficient of row", wrong, arrays.value, names)
    for what, low, high, bounded in (
        ("a bound of column", arrays.lower, arrays.upper, arrays.columns),
        ("a bound of row", arrays.row_lower, arrays.row_upper, arrays.rows),
    ):
        refuse(what, np.isnan(low) | (low == np.inf), low, bounded)
        refuse(what, np.isnan(high) | (high == -np.inf), high, bounded)


def refuse(what: str, wrong: Any, values: Any, names: Sequence[str]) -> None:
    """Refuse numbers that the solver cannot take.

    Raises:
        OperationError: names the first.
    """
    if np.any(wrong):
        first = int(np.argmax(wrong))
        raise OperationError(
            f"{what} {names[first]!r} is {values[first]}",
            why="HiGHS cannot reckon with it",
            remedy="correct the number from which it comes",
        )


def _sums(group: Integers, values: Floats, count: int) -> Floats:
    # An empty input would make whole numbers of it.
    return np.bincount(group, values, count).astype(float, copy=False)
