"""Programs on HiGHS: their answers, against scipy and by re-solving."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, milp

from orchestrator.errors import OperationError
from orchestrator.modules.optimization.linear import Column, LinearProgram, Row, conflicting

NUMBERS = st.integers(-6, 6).map(float)


@st.composite
def programs(draw, kind="continuous"):
    """Small random programs: bounded, unbounded and infeasible ones."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    program = LinearProgram()
    for j in range(n):
        upper = draw(st.sampled_from([math.inf, 3.0, 7.0]))
        program.add_column(Column(f"x{j}", 0.0, upper, draw(NUMBERS), elastic=True, kind=kind))
    for i in range(m):
        terms = {f"x{j}": draw(NUMBERS) for j in range(n)}
        side, bound = draw(st.sampled_from(["min", "max", "equal"])), draw(NUMBERS)
        low, high = {
            "min": (bound, math.inf),
            "max": (-math.inf, bound),
            "equal": (bound, bound),
        }[side]
        program.add_row(Row(f"r{i}", terms, low, high))
    return program


def by_scipy(program):
    columns, rows = list(program.columns.values()), list(program.rows.values())
    a = np.array([[row.terms.get(c.name, 0.0) for c in columns] for row in rows])
    low, high = np.array([r.lower for r in rows]), np.array([r.upper for r in rows])
    upper, lower = np.isfinite(high), np.isfinite(low)
    return linprog(
        [-c.worth for c in columns],
        A_ub=np.vstack([a[upper], -a[lower]]),
        b_ub=np.concatenate([high[upper], -low[lower]]),
        bounds=[(c.lower, c.upper) for c in columns],
        method="highs-ipm",
    )


def moved(program, **bounds):
    """A copy in which rows have other bounds."""
    copy = LinearProgram()
    for column in program.columns.values():
        copy.add_column(column)
    for row in program.rows.values():
        low, high = bounds.get(row.name, (row.lower, row.upper))
        copy.add_row(Row(row.name, row.terms, low, high))
    return copy


@settings(max_examples=150, deadline=None)
@given(programs())
def test_an_outcome_is_that_of_another_solver(program):
    ours, theirs = program.solve(), by_scipy(program)
    if theirs.status == 0:
        assert ours.status == "optimal"
        assert ours.objective == pytest.approx(-theirs.fun, rel=1e-6, abs=1e-6)
    elif theirs.status == 2:
        assert ours.status == "infeasible"
    elif theirs.status == 3:
        assert ours.status == "unbounded"
        assert ours.ray


@settings(max_examples=60, deadline=None)
@given(programs(kind="integer"))
def test_an_integer_outcome_is_that_of_another_solver(program):
    for column in program.columns.values():
        column.upper = min(column.upper, 9.0)
    columns, rows = list(program.columns.values()), list(program.rows.values())
    a = np.array([[row.terms.get(c.name, 0.0) for c in columns] for row in rows])
    theirs = milp(
        [-c.worth for c in columns],
        constraints=LinearConstraint(a, [r.lower for r in rows], [r.upper for r in rows]),
        bounds=([c.lower for c in columns], [c.upper for c in columns]),
        integrality=[1] * len(columns),
    )
    assume(theirs.status in (0, 2))  # the other solver sometimes ends in a numerical error
    ours = program.solve()
    assert ours.status == {0: "optimal", 2: "infeasible"}[theirs.status]
    if theirs.status == 0:
        assert ours.objective == pytest.approx(-theirs.fun, abs=1e-6)
        assert all(value == pytest.approx(round(value)) for value in ours.values.values())
        assert ours.integers_fixed


@settings(max_examples=100, deadline=None)
@given(programs(), st.data())
def test_a_live_program_after_changes_is_the_program_built_anew(program, data):
    live = program.live()
    live.solve()
    names = list(program.columns)
    worths = {name: data.draw(NUMBERS) for name in names}
    live.set_worths(worths)
    after_prices = live.solve()
    for column in program.columns.values():
        column.worth = worths[column.name]
    cold = program.solve()
    assert (after_prices.status, after_prices.objective) == (
        cold.status,
        pytest.approx(cold.objective, abs=1e-6) if cold.objective is not None else None,
    )
    bounds = {name: (0.0, data.draw(st.sampled_from([1.0, 4.0]))) for name in names}
    rows = {name: (-math.inf, data.draw(NUMBERS)) for name in program.rows}
    live.set_bounds(bounds)
    live.set_rows(rows)
    live.set_coefficients({("r0", names[0]): 2.5})
    for name, (low, high) in bounds.items():
        program.columns[name].lower, program.columns[name].upper = low, high
    program.rows["r0"].terms[names[0]] = 2.5
    warm, cold = live.solve(), moved(program, **rows).solve()
    assert warm.status == cold.status
    if cold.objective is not None:
        assert warm.objective == pytest.approx(cold.objective, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(programs(), st.floats(-0.01, 0.01))
def test_a_shadow_price_inside_its_range_is_what_the_bound_earns(program, step):
    solution = program.solve(ranging=True)
    if solution.status != "optimal":
        return
    for name, row in program.rows.items():
        price, holds = solution.row_dual[name], solution.row_bounds.by(solution.rows).get(name)
        bound = row.upper if price > 0 else row.lower
        if abs(price) < 1e-9:
            continue
        assert holds, name
        if not holds.low + 0.02 < bound < holds.high - 0.02:
            continue
        low = row.lower + step if price < 0 or row.lower == row.upper else row.lower
        high = row.upper + step if price > 0 or row.lower == row.upper else row.upper
        after = moved(program, **{name: (low, high)}).solve()
        assert after.objective - solution.objective == pytest.approx(price * step, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(programs())
def test_a_conflict_is_irreducible_and_the_relaxation_mends_it(program):
    for row in program.rows.values():
        row.elastic = True
    if program.solve().status != "infeasible":
        assert not conflicting(program).limits
        return
    found = conflicting(program)
    assert found.irreducible
    sides = {(limit.name, limit.side) for limit in found.limits}
    assert sides
    assert restricted(program, sides).solve().status == "infeasible"
    for side in sides:
        assert restricted(program, sides - {side}).solve().status != "infeasible"
    relaxed, _ = program.relaxation()
    assert relaxed
    for item in relaxed:
        part = program.rows.get(item.name) or program.columns[item.name]
        step = item.by * (1 + 1e-9) + 1e-7
        if item.side == "min":
            part.lower -= step
        else:
            part.upper += step
    assert program.solve().status in ("optimal", "unbounded")


def restricted(program, sides):
    """A copy that keeps only some limits."""
    copy = LinearProgram()
    for column in program.columns.values():
        upper = column.upper if (column.name, "max") in sides else math.inf
        copy.add_column(Column(column.name, 0.0, upper))
    for row in program.rows.values():
        low = row.lower if (row.name, "min") in sides else -math.inf
        high = row.upper if (row.name, "max") in sides else math.inf
        copy.add_row(Row(row.name, row.terms, low, high))
    return copy


INF = math.inf


def made_of(columns, rows):
    """A program of columns (upper, worth) and rows (low, coefficients, high), all of them limits."""
    program = LinearProgram()
    for j, (upper, worth) in enumerate(columns):
        program.add_column(Column(f"x{j}", 0.0, upper, worth, elastic=True))
    for i, (low, terms, high) in enumerate(rows):
        named = {f"x{j}": value for j, value in enumerate(terms)}
        program.add_row(Row(f"r{i}", named, low, high, elastic=True))
    return program


def test_a_program_without_end_is_not_called_a_conflict():
    # HiGHS 1.15 calls it infeasible in presolve.
    program = made_of(
        [(INF, 0.0), (3.0, 0.0), (INF, 4.0), (INF, 0.0), (3.0, 6.0)],
        [
            (-INF, [4.0, 0.0, -4.0, -4.0, 0.0], 3.0),
            (-6.0, [1.0, 0.0, 0.0, -6.0, 0.0], -6.0),
            (-INF, [-4.0, 0.0, 1.0, -1.0, 1.0], -4.0),
        ],
    )
    assert program.solve().status == "unbounded"
    assert conflicting(program).limits == ()


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (
            [(7.0, 5.0), (3.0, 6.0), (INF, 0.0), (7.0, 2.0), (7.0, -6.0)],
            [
                (-5.0, [-2.0, 6.0, -3.0, -3.0, -2.0], INF),
                (-INF, [-3.0, 5.0, 1.0, -2.0, -2.0], -6.0),
                (1.0, [2.0, -2.0, -4.0, -2.0, 6.0], INF),
                (-INF, [2.0, -2.0, 6.0, 3.0, 5.0], 2.0),
            ],
        ),
        (
            [(7.0, 6.0), (INF, 3.0), (3.0, 1.0), (7.0, 2.0)],
            [
                (-1.0, [0.0, 0.0, 0.0, 5.0], INF),
                (6.0, [-5.0, -2.0, 0.0, 3.0], 6.0),
                (-3.0, [3.0, 0.0, 0.0, 3.0], INF),
                (2.0, [-1.0, 2.0, 0.0, -2.0], 2.0),
            ],
        ),
    ],
)
def test_a_conflict_is_proven_at_each_step_of_its_filter(columns, rows):
    program = made_of(columns, rows)
    sides = {(limit.name, limit.side) for limit in conflicting(program).limits}
    assert restricted(program, sides).solve().status == "infeasible"
    for side in sides:
        assert restricted(program, sides - {side}).solve().status != "infeasible"


@pytest.mark.parametrize("kind", ["continuous", "integer"])
def test_rows_that_hold_nothing_do_not_hide_what_grows(kind):
    program = made_of([(3.0, 0.0), (INF, 4.0)], [(-INF, [0.0, 0.0], 1.0)])
    for column in program.columns.values():
        column.kind = kind
    found = program.solve()
    assert (found.status, found.ray) == ("unbounded", ("x1",))


@pytest.mark.parametrize("kind", ["continuous", "integer"])
def test_what_earns_without_end_is_infeasible_where_other_limits_conflict(kind):
    program = made_of(
        [(INF, 4.0), (3.0, 0.0), (3.0, 0.0)],
        [(2.0, [0.0, 1.0, 1.0], INF), (-INF, [0.0, 2.0, 3.0], 1.0), (0.0, [1.0, -1.0, 0.0], INF)],
    )
    for column in program.columns.values():
        column.kind = kind
    assert program.solve().status == "infeasible"
    assert {limit.name for limit in conflicting(program).limits} == {"r0", "r1"}


def test_what_is_no_limit_is_not_in_a_conflict():
    program = LinearProgram()
    program.add_column(Column("made", 5.0, math.inf, elastic=True))
    program.add_column(Column("bought", 0.0, 4.0, elastic=True))
    program.add_column(Column("other", 0.0, 1.0, elastic=True))
    program.add_row(Row("balance", {"made": 1.0, "bought": -1.0}, 0.0, 0.0, elastic=False))
    found = {(item.name, item.side) for item in conflicting(program).limits}
    assert found == {("made", "min"), ("bought", "max")}


def test_a_search_that_runs_out_of_time_gives_the_best_it_found():
    draw = np.random.default_rng(3)
    program = LinearProgram()
    n = 90
    for j in range(n):
        program.add_column(Column(f"x{j}", 0.0, 1.0, float(draw.integers(10, 100)), kind="integer"))
    for i in range(40):
        weights = draw.integers(1, 100, n)
        terms = {f"x{j}": float(weights[j]) for j in range(n)}
        program.add_row(Row(f"r{i}", terms, upper=float(weights.sum()) * 0.4))
    found = program.solve(0.5)
    assert found.status == "feasible"
    assert found.objective <= found.bound
    assert found.gap > 1e-6


def test_duals_of_an_integer_program_are_of_its_linear_program_with_the_integers_fixed():
    # On costs 10 and allows up to 8, each worth 3, of which 5 can be sold.
    program = LinearProgram()
    program.add_column(Column("run", 0.0, math.inf, 3.0))
    program.add_column(Column("on", 0.0, 1.0, -10.0, kind="integer"))
    program.add_row(Row("capacity", {"run": 1.0, "on": -8.0}, upper=0.0))
    program.add_row(Row("demand", {"run": 1.0}, upper=5.0))
    found = program.solve(ranging=True)
    assert found.objective == pytest.approx(5.0)
    assert found.row_dual["demand"] == pytest.approx(3.0)
    assert found.row_bounds.by(found.rows)["demand"].high == pytest.approx(8.0)
    assert found.gap == pytest.approx(0.0, abs=1e-6)
    again = program.live()
    again.solve()
    again.set_worths({"run": 1.0})
    assert again.solve().values["on"] == pytest.approx(0.0)


@pytest.mark.parametrize("place", ["worth", "lower", "coefficient", "row"])
def test_what_is_not_a_number_is_refused_with_its_name(place):
    program = LinearProgram()
    nan = math.nan
    program.add_column(
        Column("a", nan if place == "lower" else 0.0, 1.0, nan if place == "worth" else 1.0)
    )
    terms = {"a": nan if place == "coefficient" else 1.0}
    program.add_row(Row("limit", terms, upper=nan if place == "row" else 1.0))
    with pytest.raises(OperationError, match=r"'(a|limit)' is nan"):
        program.solve()


def test_names_are_used_once_and_known():
    program = LinearProgram()
    program.add_column(Column("a"))
    with pytest.raises(OperationError, match="two columns"):
        program.add_column(Column("a"))
    with pytest.raises(OperationError, match="unknown column 'b'"):
        program.add_row(Row("r", {"b": 1.0}))
    program.add_row(Row("r", {"a": 1.0}))
    with pytest.raises(OperationError, match="two rows"):
        program.add_row(Row("r", {"a": 1.0}))
    with pytest.raises(OperationError, match="no 'c'"):
        program.live().set_worths({"c": 1.0})


def test_bounds_that_cross_are_infeasible():
    program = LinearProgram()
    program.add_column(Column("a", 2.0, 1.0, 1.0))
    assert program.solve().status == "infeasible"


def test_an_answer_that_breaks_a_bound_is_not_passed_on(monkeypatch):
    from orchestrator.modules.optimization.linear import live

    program = LinearProgram()
    program.add_column(Column("a", 0.0, 1.0, 1.0))
    program.add_row(Row("r", {"a": 1.0}, upper=0.5))
    solver = program.live()
    # What is checked against is not what the solver was given.
    solver.arrays.row_upper[0] = 0.25
    found = solver.solve()
    assert found.status == "error"
    assert "r" in found.unproven
    assert live.FEASIBILITY < 1e-6


def test_a_conflict_of_decisions_of_yes_or_no_is_explained():
    # Two of three units must run, each takes at least 4, and there is feed for 7.
    program = LinearProgram()
    for number in range(3):
        program.add_column(Column(f"run {number}", 0.0, 9.0, 1.0))
        program.add_column(Column(f"on {number}", 0.0, 1.0, kind="integer"))
        terms = {f"run {number}": 1.0, f"on {number}": -4.0}
        program.add_row(Row(f"turndown {number}", terms, 0.0, elastic=False))
    on = {f"on {number}": 1.0 for number in range(3)}
    program.add_row(Row("at work", on, 2.0))
    program.add_row(Row("feed", {f"run {n}": 1.0 for n in range(3)}, upper=7.0))
    program.add_row(Row("other", {"run 0": 1.0}, upper=8.0))
    assert program.solve().status == "infeasible"
    found = conflicting(program)
    assert {(item.name, item.side) for item in found.limits} == {
        ("at work", "min"),
        ("feed", "max"),
    }
    relaxed, _ = program.relaxation()
    assert len(relaxed) == 1
    assert relaxed[0].by == pytest.approx(1.0)


def test_what_grows_without_end_is_named_with_decisions_of_yes_or_no_as_well():
    program = LinearProgram()
    program.add_column(Column("made", worth=1.0))
    program.add_column(Column("on", 0.0, 1.0, kind="integer"))
    program.add_row(Row("needs", {"made": 1.0, "on": 5.0}, 1.0))
    found = program.solve()
    assert found.status == "unbounded"
    assert "made" in found.ray
