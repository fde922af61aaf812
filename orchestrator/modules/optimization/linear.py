"""Linear programs with named columns and rows on HiGHS, and what their solutions say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import OperationError
from orchestrator.modules.optimization.models import SolveStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

INFINITY = math.inf
FEASIBILITY = 1e-9


@dataclass(slots=True)
class Column:
    """A variable with bounds and its worth in the objective."""

    name: str
    lower: float = 0.0
    upper: float = INFINITY
    worth: float = 0.0
    elastic: bool = False


@dataclass(slots=True)
class Row:
    """A constraint ``lower ≤ Σ coefficient · column ≤ upper``.

    ``elastic`` rows (and columns) are limits that an explanation of infeasibility may relax; the
    others are balances and definitions, which hold whatever happens. ``scale`` is the size by which a
    relaxation is judged; the bound's own where it is null.
    """

    name: str
    terms: dict[str, float]
    lower: float = -INFINITY
    upper: float = INFINITY
    elastic: bool = True
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class Relaxation:
    """How far a limit must give way at least: ``by`` in the limit's own unit."""

    name: str
    side: str
    bound: float
    by: float


@dataclass(frozen=True, slots=True)
class Range:
    """Interval over which a shadow price or a worth stays as it is."""

    low: float
    high: float


@dataclass(slots=True)
class LinearSolution:
    """Outcome of a linear program.

    ``row_dual`` and ``column_dual`` are the change of the objective for one more unit of the bound
    that holds the row or column; 0 where none does.
    """

    status: SolveStatus
    objective: float | None = None
    values: dict[str, float] = field(default_factory=dict)
    activities: dict[str, float] = field(default_factory=dict)
    row_dual: dict[str, float] = field(default_factory=dict)
    column_dual: dict[str, float] = field(default_factory=dict)
    row_range: dict[str, Range] = field(default_factory=dict)
    column_range: dict[str, Range] = field(default_factory=dict)
    worth_range: dict[str, Range] = field(default_factory=dict)
    ray: tuple[str, ...] = ()


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
        unknown = row.terms.keys() - self.columns.keys()
        if unknown:
            raise OperationError(f"row {row.name!r} names unknown column {min(unknown)!r}")
        self.rows[row.name] = row

    def solve(self, time_limit: float = 60.0, *, ranging: bool = False) -> LinearSolution:
        """Maximise; with ``ranging`` also find the ranges of prices and worths."""
        import highspy

        solver = self._load(time_limit)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            solver.setOptionValue("presolve", "off")
            solver.run()
            status = solver.getModelStatus()
        word = _word(status)
        if word == "optimal":
            return self._read(solver, ranging=ranging)
        if word == "unbounded":
            return LinearSolution("unbounded", ray=self._ray(solver))
        return LinearSolution(word)

    def relaxation(self, time_limit: float = 60.0) -> tuple[list[Relaxation], dict[str, float]]:
        """The least change of elastic limits that makes the program feasible, largest first.

        Solves the elastic program: each limit may be exceeded by a slack that costs one over the
        size of the limit, so that limits of different size count alike. Returned with the values of
        the columns then; both are empty if no change of limits helps.
        """
        elastic = LinearProgram()
        slacks: list[tuple[str, str, str, float]] = []
        limits = list(self.rows.values())
        for column in self.columns.values():
            if column.elastic:
                elastic.add_column(Column(column.name, min(column.lower, 0.0), INFINITY))
                least = column.lower if column.lower > 0 else -INFINITY
                limits.append(Row(column.name, {column.name: 1.0}, least, column.upper))
            else:
                elastic.add_column(Column(column.name, column.lower, column.upper))
        for number, row in enumerate(limits):
            terms = dict(row.terms)
            for side, bound, sign in (("min", row.lower, 1.0), ("max", row.upper, -1.0)):
                if row.elastic and math.isfinite(bound):
                    slack = f"slack {number} {side}"
                    size = row.scale or max(abs(bound), 1.0)
                    elastic.add_column(Column(slack, worth=-1.0 / size))
                    slacks.append((slack, row.name, side, bound))
                    terms[slack] = sign
            elastic.add_row(Row(f"limit {number}", terms, row.lower, row.upper))
        solution = elastic.solve(time_limit)
        if solution.status != "optimal":
            return [], {}
        found = [
            Relaxation(name, side, bound, solution.values[slack])
            for slack, name, side, bound in slacks
            if solution.values[slack] > 1e-7 * max(1.0, abs(bound))
        ]
        found.sort(key=lambda item: -item.by / max(abs(item.bound), 1.0))
        return found, solution.values

    def _load(self, time_limit: float) -> Any:
        import highspy

        solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("time_limit", float(time_limit))
        solver.setOptionValue("primal_feasibility_tolerance", FEASIBILITY)
        solver.setOptionValue("dual_feasibility_tolerance", FEASIBILITY)
        index = {name: i for i, name in enumerate(self.columns)}
        starts, indices, values = [0], [], []
        for row in self.rows.values():
            for name, coefficient in row.terms.items():
                if coefficient:
                    indices.append(index[name])
                    values.append(coefficient)
            starts.append(len(indices))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self.columns), len(self.rows)
        model.col_cost_ = np.array([c.worth for c in self.columns.values()])
        model.col_lower_ = np.array([c.lower for c in self.columns.values()])
        model.col_upper_ = np.array([c.upper for c in self.columns.values()])
        model.row_lower_ = np.array([r.lower for r in self.rows.values()])
        model.row_upper_ = np.array([r.upper for r in self.rows.values()])
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.array(starts)
        model.a_matrix_.index_ = np.array(indices)
        model.a_matrix_.value_ = np.array(values)
        model.sense_ = highspy.ObjSense.kMaximize
        model.offset_ = self.offset
        if solver.passModel(model) == highspy.HighsStatus.kError:
            raise OperationError(
                "HiGHS refuses the linear program",
                why="a bound or coefficient is not a usable number",
                remedy="look for a minimum above its maximum, or a number of extreme size",
            )
        return solver

    def _read(self, solver: Any, *, ranging: bool) -> LinearSolution:
        solution = solver.getSolution()
        columns, rows = list(self.columns), list(self.rows)
        found = LinearSolution(
            "optimal",
            float(solver.getInfo().objective_function_value),
            dict(zip(columns, map(float, solution.col_value), strict=True)),
            dict(zip(rows, map(float, solution.row_value), strict=True)),
            dict(zip(rows, map(float, solution.row_dual), strict=True)),
            dict(zip(columns, map(float, solution.col_dual), strict=True)),
        )
        if ranging:
            _, ranges = solver.getRanging()
            found.row_range = _ranges(rows, ranges.row_bound_dn.value_, ranges.row_bound_up.value_)
            found.column_range = _ranges(
                columns, ranges.col_bound_dn.value_, ranges.col_bound_up.value_
            )
            found.worth_range = _ranges(
                columns, ranges.col_cost_dn.value_, ranges.col_cost_up.value_
            )
        return found

    def _ray(self, solver: Any) -> tuple[str, ...]:
        _, known, ray = solver.getPrimalRay()
        if not known:
            return ()
        return tuple(
            name for name, share in zip(self.columns, ray, strict=True) if abs(float(share)) > 1e-9
        )


def _ranges(names: list[str], low: Any, high: Any) -> dict[str, Range]:
    # HiGHS may append entries for its slacks.
    return {
        name: Range(min(float(a), float(b)), max(float(a), float(b)))
        for name, a, b in zip(names, low[: len(names)], high[: len(names)], strict=True)
    }


def _word(status: Any) -> SolveStatus:
    import highspy

    words: Mapping[Any, SolveStatus] = {
        highspy.HighsModelStatus.kOptimal: "optimal",
        highspy.HighsModelStatus.kModelEmpty: "optimal",
        highspy.HighsModelStatus.kInfeasible: "infeasible",
        highspy.HighsModelStatus.kUnbounded: "unbounded",
        highspy.HighsModelStatus.kTimeLimit: "time_limit",
        highspy.HighsModelStatus.kIterationLimit: "time_limit",
    }
    return words.get(status, "error")
