"""A program that stays in the solver: changed in place, solved again from the last basis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import OperationError
from orchestrator.modules.optimization.linear import proof
from orchestrator.modules.optimization.linear.arrays import Arrays, Floats, assemble, refuse
from orchestrator.modules.optimization.linear.solution import Bounds, LinearSolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.modules.optimization.linear.program import LinearProgram
    from orchestrator.modules.optimization.models import SolveStatus

FEASIBILITY = 1e-9
MIP_GAP = 1e-6
TIME_LIMIT = 60.0
DUAL_SIMPLEX, PRIMAL_SIMPLEX = 1, 4
_WORDS: Mapping[str, SolveStatus] = {
    "kOptimal": "optimal",
    "kModelEmpty": "optimal",
    "kInfeasible": "infeasible",
    "kUnbounded": "unbounded",
    "kTimeLimit": "time_limit",
    "kIterationLimit": "time_limit",
}
# Tried one after the other until an answer stands its proof.
_ATTEMPTS: tuple[Mapping[str, Any], ...] = (
    {},
    {"presolve": "off", "simplex_strategy": DUAL_SIMPLEX},
    {"presolve": "off", "simplex_strategy": PRIMAL_SIMPLEX, "simplex_scale_strategy": 0,
     "primal_feasibility_tolerance": 1e-7, "dual_feasibility_tolerance": 1e-7},
    {"solver": "ipm", "primal_feasibility_tolerance": 1e-7, "dual_feasibility_tolerance": 1e-7},
)  # fmt: skip


class LiveProgram:
    """A program in the solver.

    Changes are made by name and in place; :meth:`solve` then goes on from the last basis: by the primal
    simplex method where only worths were changed, for which the old basis is still feasible, else by the
    dual.

    Raises:
        OperationError: a bound or coefficient is not a usable number.
    """

    def __init__(self, program: LinearProgram) -> None:
        self.arrays: Arrays = assemble(program)
        self.column = {name: i for i, name in enumerate(self.arrays.columns)}
        self.row = {name: i for i, name in enumerate(self.arrays.rows)}
        self._place: dict[tuple[int, int], int] | None = None
        self._feasible_basis = False
        self._incumbent: Floats | None = None
        self._solver = self._load()

    def set_worths(self, worths: Mapping[str, float]) -> None:
        """Change the worth of columns."""
        index = self._indices(worths, self.column)
        values = np.fromiter(worths.values(), float, len(worths))
        refuse("the worth of column", ~np.isfinite(values), values, list(worths))
        self.arrays.worth[index] = values
        self._done(self._solver.changeColsCost(len(index), index, values))

    def set_bounds(self, bounds: Mapping[str, tuple[float, float]]) -> None:
        """Change the least and largest value of columns."""
        index = self._indices(bounds, self.column)
        low, high = self._pairs(bounds)
        self.arrays.lower[index], self.arrays.upper[index] = low, high
        self._feasible_basis = False
        self._done(self._solver.changeColsBounds(len(index), index, low, high))

    def set_rows(self, bounds: Mapping[str, tuple[float, float]]) -> None:
        """Change the least and largest value of rows."""
        index = self._indices(bounds, self.row)
        low, high = self._pairs(bounds)
        self.arrays.row_lower[index], self.arrays.row_upper[index] = low, high
        self._feasible_basis = False
        self._done(self._solver.changeRowsBounds(len(index), index, low, high))

    def set_coefficients(self, coefficients: Mapping[tuple[str, str], float]) -> None:
        """Change coefficients, by row and column."""
        arrays = self.arrays
        values = np.fromiter(coefficients.values(), float, len(coefficients))
        wrong = ~np.isfinite(values)
        refuse("a coefficient of row", wrong, values, [row for row, _ in coefficients])
        if self._place is None:
            pairs = zip(arrays.row.tolist(), arrays.column.tolist(), strict=True)
            self._place = {pair: k for k, pair in enumerate(pairs)}
        for (row, column), value in coefficients.items():
            pair = self._at(self.row, row), self._at(self.column, column)
            if pair not in self._place:
                self._place[pair] = len(arrays.value)
                arrays.row = np.append(arrays.row, np.int32(pair[0]))
                arrays.column = np.append(arrays.column, np.int32(pair[1]))
                arrays.value = np.append(arrays.value, value)
            arrays.value[self._place[pair]] = value
            self._done(self._solver.changeCoeff(*pair, float(value)))
        self._feasible_basis = False

    def solve(self, time_limit: float = TIME_LIMIT, *, ranging: bool = False) -> LinearSolution:
        """Maximise, from the last basis where there is one; with ``ranging`` also find the ranges.

        An answer that does not stand its proof is sought again in other ways; where none does, the
        status is ``error`` and ``unproven`` says why. With integer columns the ranges and duals are
        those of the linear program with these fixed.
        """
        deadline = time.monotonic() + time_limit
        why = ""
        for number, options in enumerate(_ATTEMPTS):
            left = deadline - time.monotonic()
            if number and left <= 0:
                return LinearSolution("time_limit")
            found = self._attempt(options, left, ranging=ranging)
            if found.status != "error":
                return found
            why = found.unproven or why
            self._solver.clearSolver()
            self._feasible_basis = False
        return LinearSolution("error", unproven=why or "the solver found no answer")

    def irreducible(self) -> tuple[list[str], list[str]]:
        """Columns and rows that HiGHS names as an irreducible infeasible system; empty if it cannot."""
        status, found = self._solver.getIis()
        if status.name == "kError" or not found.valid_:
            return [], []
        return (
            [self.arrays.columns[i] for i in found.col_index_],
            [self.arrays.rows[i] for i in found.row_index_],
        )

    def _attempt(
        self, options: Mapping[str, Any], time_limit: float, *, ranging: bool
    ) -> LinearSolution:
        arrays = self.arrays
        start = time.monotonic()
        status = self._run(options, time_limit)
        if status == "kUnboundedOrInfeasible":
            status = self._run({**options, "presolve": "off"}, time_limit)
        word = _WORDS.get(status, "error")
        if status == "kUnboundedOrInfeasible" and arrays.integer.any():
            # HiGHS leaves it open for integer columns where the relaxation has a ray.
            grows = self._ray(time_limit) and self._has_point(time_limit)
            word = "unbounded" if grows else "infeasible"
        left = max(1e-3, time_limit - (time.monotonic() - start))
        if word == "optimal" or (word == "time_limit" and self._has_incumbent()):
            if arrays.integer.any():
                return self._read_mixed(word, left, ranging=ranging)
            return self._read(ranging=ranging) if word == "optimal" else LinearSolution(word)
        if word == "unbounded":
            ray = self._ray(left)
            if not ray:
                return LinearSolution("error", unproven="the ray does not grow without end")
            if not self._has_point(left):
                return LinearSolution("error", unproven="no point was found from which it grows")
            return LinearSolution("unbounded", ray=ray)
        if word == "infeasible" and not self._no_point(left):
            return LinearSolution("error", unproven="its infeasibility could not be confirmed")
        return LinearSolution(word)

    def _run(self, options: Mapping[str, Any], time_limit: float) -> str:
        solver = self._solver
        strategy = PRIMAL_SIMPLEX if self._feasible_basis else DUAL_SIMPLEX
        # The solver's clock goes on over all runs.
        until = solver.getRunTime() + max(1e-3, time_limit)
        changed = {"simplex_strategy": strategy, **options, "time_limit": until}
        kept = {name: solver.getOptionValue(name)[1] for name in changed}
        for name, value in changed.items():
            solver.setOptionValue(name, value)
        if self._incumbent is not None:
            solver.setSolution(
                len(self._incumbent),
                np.arange(len(self._incumbent), dtype=np.int32),
                self._incumbent,
            )
        solver.run()
        for name, value in kept.items():
            solver.setOptionValue(name, value)
        return str(solver.getModelStatus().name)

    def _read(self, *, ranging: bool) -> LinearSolution:
        arrays, solver = self.arrays, self._solver
        given = solver.getSolution()
        x, y = np.array(given.col_value, float), np.array(given.row_dual, float)
        why = proof.broken(arrays, x)
        if not why and not proof.is_optimal(arrays, x, y):
            why = "the shadow prices do not prove the optimum"
        if why:
            return LinearSolution("error", unproven=why)
        self._feasible_basis = True
        found = LinearSolution(
            "optimal",
            arrays.objective(x),
            columns=arrays.columns,
            rows=arrays.rows,
            x=x,
            activity=np.array(given.row_value, float),
            y=y,
            d=np.array(given.col_dual, float),
        )
        if ranging:
            _, ranges = solver.getRanging()
            # HiGHS has none for a program without coefficients.
            if ranges.valid:
                m, n = len(arrays.rows), len(arrays.columns)
                found.row_bounds = _bounds(ranges.row_bound_dn, ranges.row_bound_up, m)
                found.column_bounds = _bounds(ranges.col_bound_dn, ranges.col_bound_up, n)
                found.worths = _bounds(ranges.col_cost_dn, ranges.col_cost_up, n)
        return found

    def _read_mixed(self, word: SolveStatus, time_limit: float, *, ranging: bool) -> LinearSolution:
        """The best integer point, with the duals of the linear program that keeps its integers."""
        arrays, solver = self.arrays, self._solver
        x = np.array(solver.getSolution().col_value, float)
        bound = float(solver.getInfo().mip_dual_bound)
        whole = np.flatnonzero(arrays.integer).astype(np.int32)
        fixed = np.clip(np.round(x[whole]), arrays.lower[whole], arrays.upper[whole])
        kept = arrays.lower[whole].copy(), arrays.upper[whole].copy()
        self._incumbent = None
        self._integers(whole, fixed, fixed, integer=False)
        status = self._run({}, max(time_limit, 5.0))
        linear = self._read(ranging=ranging) if status == "kOptimal" else LinearSolution("error")
        self._integers(whole, *kept, integer=True)
        self._feasible_basis = False
        if linear.objective is None:
            return LinearSolution(
                "error", unproven=linear.unproven or "its integers admit no proven plan"
            )
        linear.integers_fixed, linear.bound = True, max(bound, linear.objective)
        gap = linear.gap or 0.0
        proven = word == "optimal" and gap <= 2 * MIP_GAP
        linear.status = "optimal" if proven else "feasible"
        self._incumbent = linear.x
        return linear

    def _integers(self, whole: Any, low: Floats, high: Floats, *, integer: bool) -> None:
        arrays, solver = self.arrays, self._solver
        arrays.lower[whole], arrays.upper[whole] = low, high
        arrays.integer[whole] = integer
        kinds = np.full(len(whole), int(integer), np.uint8)
        solver.changeColsIntegrality(len(whole), whole, kinds)
        solver.changeColsBounds(len(whole), whole, low, high)

    def _has_incumbent(self) -> bool:
        return bool(self.arrays.integer.any()) and (
            self._solver.getInfo().primal_solution_status == 2
        )

    def _no_point(self, time_limit: float) -> bool:
        """Whether infeasibility is proven: by Farkas' lemma, or by the least violation of all bounds."""
        _, known, ray = self._solver.getDualRay()
        if known and proof.is_infeasible(self.arrays, np.asarray(ray, float)):
            return True
        least = self._least_violation(time_limit)
        return least is not None and least > proof.TOLERANCE

    def _has_point(self, time_limit: float) -> bool:
        least = self._least_violation(time_limit)
        return least is not None and least <= proof.TOLERANCE

    def _least_violation(self, time_limit: float) -> float | None:
        from orchestrator.modules.optimization.linear.violation import least_violation

        return least_violation(self.arrays, time_limit)

    def _ray(self, time_limit: float) -> tuple[str, ...]:
        """Columns that grow in a direction that earns without end; none where no direction proves it."""
        arrays = self.arrays
        _, known, ray = self._solver.getPrimalRay()
        direction = np.asarray(ray, float)
        if not known or not proof.is_ray(arrays, direction):
            from orchestrator.modules.optimization.linear.recession import best_direction

            found = best_direction(arrays, time_limit)
            if found is None or not proof.is_ray(arrays, found):
                return ()
            direction = found
        grows = np.abs(direction) > proof.ROUNDING * np.abs(direction).max()
        return tuple(arrays.columns[i] for i in np.flatnonzero(grows))

    def _load(self) -> Any:
        solver = loaded(self.arrays)
        solver.setOptionValue("primal_feasibility_tolerance", FEASIBILITY)
        solver.setOptionValue("dual_feasibility_tolerance", FEASIBILITY)
        solver.setOptionValue("mip_rel_gap", MIP_GAP)
        return solver

    def _indices(self, names: Mapping[str, Any], where: Mapping[str, int]) -> Any:
        return np.fromiter((self._at(where, name) for name in names), np.int32, len(names))

    def _pairs(self, bounds: Mapping[str, tuple[float, float]]) -> tuple[Floats, Floats]:
        pairs = np.array(list(bounds.values()), float).reshape(-1, 2)
        refuse("a bound of", np.isnan(pairs).any(axis=1), pairs, list(bounds))
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    @staticmethod
    def _at(where: Mapping[str, int], name: str) -> int:
        try:
            return where[name]
        except KeyError:
            raise OperationError(f"the program has no {name!r}") from None

    @staticmethod
    def _done(status: Any) -> None:
        if status.name == "kError":
            raise OperationError(
                "HiGHS refuses a change of the program",
                why="a bound or coefficient is not a usable number",
                remedy="look for a number of extreme size",
            )


def loaded(arrays: Arrays) -> Any:
    """A silent solver of one thread with the program in it.

    Raises:
        OperationError: HiGHS refuses the numbers.
    """
    import highspy

    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    ends = np.searchsorted(arrays.row, np.arange(len(arrays.rows) + 1))
    status = solver.passModel(
        len(arrays.columns),
        len(arrays.rows),
        len(arrays.value),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMaximize),
        arrays.offset,
        arrays.worth,
        arrays.lower,
        arrays.upper,
        arrays.row_lower,
        arrays.row_upper,
        ends.astype(np.int32),
        arrays.column,
        arrays.value,
        arrays.integer.astype(np.int32),
    )
    if status == highspy.HighsStatus.kError:
        raise OperationError(
            "HiGHS refuses the linear program",
            why="a bound or coefficient is not a usable number",
            remedy="look for a number of extreme size",
        )
    return solver


def _bounds(low: Any, high: Any, count: int) -> Bounds:
    # HiGHS may append entries for its slacks.
    a, b = np.array(low.value_[:count], float), np.array(high.value_[:count], float)
    return Bounds(np.minimum(a, b), np.maximum(a, b))
