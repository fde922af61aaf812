"""The builder of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import OperationError

if TYPE_CHECKING:
    from orchestrator.modules.optimization.linear.conflict import Relaxation
    from orchestrator.modules.optimization.linear.live import LiveProgram
    from orchestrator.modules.optimization.linear.parts import Column, Row
    from orchestrator.modules.optimization.linear.solution import LinearSolution

TIME_LIMIT = 60.0


class LinearProgram:
    """A maximisation, built column by column and row by row.

    Raises:
        OperationError: two columns or rows have one name, or a row names an unknown column.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.rows: dict[str, Row] = {}
        self.offset = 0.0

    def add_column(self, column: Column) -> None:
        """Add a variable."""
        if column.name in self.columns:
            raise OperationError(f"two columns are called {column.name!r}")
        self.columns[column.name] = column

    def add_row(self, row: Row) -> None:
        """Add a constraint over known columns."""
        if row.name in self.rows:
            raise OperationError(f"two rows are called {row.name!r}")
        if not row.terms.keys() <= self.columns.keys():
            unknown = row.terms.keys() - self.columns.keys()
            raise OperationError(f"row {row.name!r} names unknown column {min(unknown)!r}")
        self.rows[row.name] = row

    def live(self) -> LiveProgram:
        """The program as it is now, loaded into the solver for changes and re-solves.

        Raises:
            OperationError: a bound or coefficient is not a usable number.
        """
        from orchestrator.modules.optimization.linear.live import LiveProgram

        return LiveProgram(self)

    def solve(self, time_limit: float = TIME_LIMIT, *, ranging: bool = False) -> LinearSolution:
        """Maximise once; with ``ranging`` also find the ranges of prices and worths.

        Raises:
            OperationError: a bound or coefficient is not a usable number.
        """
        return self.live().solve(time_limit, ranging=ranging)

    def relaxation(
        self, time_limit: float = TIME_LIMIT
    ) -> tuple[list[Relaxation], dict[str, float]]:
        """The least change of elastic limits that makes the program feasible, largest first."""
        from orchestrator.modules.optimization.linear.conflict import relaxation

        return relaxation(self, time_limit)
