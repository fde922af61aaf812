"""Bilinear programs: their relaxation, local and global solutions, and what is not passed on."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import OperationError
from orchestrator.modules.optimization.bilinear import (
    BilinearProgram,
    mccormick,
    scip,
    solve,
    with_shares,
)
from orchestrator.modules.optimization.bilinear.branch import branch_and_bound
from orchestrator.modules.optimization.bilinear.scaling import rescaled
from orchestrator.modules.optimization.linear import Column, Row

SMALL_NUMBER = st.integers(-5, 5).map(float)


def add_product(made, column, share, amount):
    made.linear.add_column(column)
    made.declare_product(column.name, share, amount)


def program(worths, limit, coefficients, ends=((0, 2), (-1, 3))):
    """Maximise over x, y and w = x·y under one row."""
    made = BilinearProgram()
    for name, (low, high), worth in zip("xy", ends, worths, strict=False):
        made.linear.add_column(Column(name, low, high, worth))
    add_product(made, Column("w", -np.inf, np.inf, worths[2]), "x", "y")
    made.linear.add_row(Row("limit", dict(zip("xyw", coefficients, strict=True)), upper=limit))
    return made


def best_on_grid(worths, limit, coefficients, ends=((0, 2), (-1, 3)), count=401):
    x, y = np.meshgrid(*(np.linspace(low, high, count) for low, high in ends), indexing="ij")
    w = x * y
    fits = coefficients[0] * x + coefficients[1] * y + coefficients[2] * w <= limit + 1e-9
    value = worths[0] * x + worths[1] * y + worths[2] * w
    return float(np.where(fits, value, -np.inf).max())


@settings(max_examples=40, deadline=None)
@given(
    worths=st.tuples(SMALL_NUMBER, SMALL_NUMBER, SMALL_NUMBER),
    coefficients=st.tuples(SMALL_NUMBER, SMALL_NUMBER, SMALL_NUMBER),
    limit=SMALL_NUMBER,
)
def test_the_optimum_is_the_best_of_a_grid_and_the_bound_is_above_it(worths, coefficients, limit):
    made = program(worths, limit, coefficients)
    result = solve(made, 20)
    by_grid = best_on_grid(worths, limit, coefficients)
    if by_grid == -np.inf:
        # The grid may miss a sliver; what is called infeasible must have no point of it.
        assert result.status in ("infeasible", "optimal")
        return
    assert result.status == "optimal"
    assert result.objective >= by_grid - 1e-5
    assert result.bound >= result.objective
    assert result.bound >= by_grid - 1e-9
    assert made.indexed().violation(np.array([result.values[n] for n in "xyw"])) <= 1e-6


def test_the_relaxation_is_never_below_the_optimum():
    made = program((1.0, -2.0, 3.0), 2.0, (1.0, 1.0, 1.0))
    assert mccormick(made).solve().objective >= best_on_grid((1, -2, 3), 2, (1, 1, 1)) - 1e-9


def test_with_its_shares_held_a_program_is_exact():
    made = program((1.0, -2.0, 3.0), 2.0, (1.0, 1.0, 1.0))
    for share in (0.0, 0.7, 2.0):
        solution = with_shares(made, {"x": share}).solve()
        y = solution.values["y"]
        assert share + y + share * y <= 2 + 1e-9
        assert solution.objective == pytest.approx(share - 2 * y + 3 * share * y)


def test_integers_and_products_together():
    made = BilinearProgram()
    made.linear.add_column(Column("x", 0, 1))
    made.linear.add_column(Column("n", 0, 5, kind="integer"))
    add_product(made, Column("w", 0, 5, worth=1.0), "x", "n")
    made.linear.add_row(Row("limit", {"x": 10.0, "n": 3.0}, upper=16.0))
    best = max(
        x * n
        for n, x in itertools.product(range(6), np.linspace(0, 1, 1001))
        if 10 * x + 3 * n <= 16
    )
    result = solve(made, 20)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(best, abs=1e-5)
    assert result.values["n"] == round(result.values["n"])


def test_what_has_no_point_is_told_with_the_least_breach():
    made = program((1.0, 1.0, 1.0), 0.0, (0.0, 0.0, 1.0), ends=((1, 2), (1, 3)))
    result = solve(made, 20)
    assert result.status == "infeasible"
    assert result.confirmed
    assert [(item.name, item.side) for item in result.relaxations] == [("limit", "max")]
    assert result.relaxations[0].by == pytest.approx(1.0, abs=1e-3)


def test_what_grows_without_end_is_named():
    made = BilinearProgram()
    made.linear.add_column(Column("x", 0, 1))
    made.linear.add_column(Column("y", 0, worth=-1.0))
    add_product(made, Column("w", 0, worth=2.0), "x", "y")
    result = solve(made, 20)
    assert result.status == "unbounded"
    assert "y" in result.grows


def loose():
    """A program whose relaxation is not tight: x·y is at most 1 where x + y is at most 2."""
    return program((0.0, 0.0, 1.0), 2.0, (1.0, 1.0, 0.0), ends=((0, 2), (0, 2)))


def test_a_word_of_infeasible_does_not_stand_against_a_point(monkeypatch):
    monkeypatch.setattr(
        scip, "solve", lambda *args, **more: scip.ScipAnswer("infeasible", (), float("-inf"))
    )
    result = solve(loose(), 20)
    assert result.status == "feasible"
    assert result.objective == pytest.approx(1, abs=1e-6)
    assert result.bound == pytest.approx(2)


def test_a_bound_that_a_point_refutes_is_not_passed_on(monkeypatch):
    monkeypatch.setattr(scip, "solve", lambda *args, **more: scip.ScipAnswer("optimal", (), -100.0))
    result = solve(loose(), 20)
    assert result.status == "feasible"
    assert (result.bound, result.method) == (pytest.approx(2), "McCormick relaxation")


def test_a_point_that_is_no_point_is_mended_or_dropped(monkeypatch):
    wrong = np.array([2.0, 2.0, 600.0])
    monkeypatch.setattr(
        scip, "solve", lambda *args, **more: scip.ScipAnswer("optimal", (wrong,), 600.0)
    )
    result = solve(loose(), 20)
    assert result.objective == pytest.approx(1, abs=1e-6)
    assert result.status == "feasible"


def hilly(seed, count=5):
    """A program with many local optima: random worths of all products of shares and amounts."""
    draw = np.random.default_rng(seed)
    made = BilinearProgram()
    for number in range(count):
        made.linear.add_column(Column(f"x{number}", 0, 1, draw.normal()))
        made.linear.add_column(Column(f"y{number}", 0, 1, draw.normal()))
    for i, j in itertools.product(range(count), repeat=2):
        add_product(made, Column(f"w{i}{j}", -9, 9, 3 * draw.normal()), f"x{i}", f"y{j}")
    for number in range(3):
        row = {name: draw.normal() for name in made.linear.columns}
        made.linear.add_row(Row(f"row {number}", row, upper=1.0))
    return made


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_what_scip_leaves_unproven_goes_on_with_local_search(monkeypatch, seed):
    best = solve(hilly(seed), 20)
    assert best.status == "optimal"
    monkeypatch.setattr(
        scip, "solve", lambda *args, **more: scip.ScipAnswer("time_limit", (), float("inf"))
    )
    result = solve(hilly(seed), 2)
    assert result.status == "feasible"
    assert result.objective == pytest.approx(best.objective, rel=1e-5)
    assert result.bound >= best.objective


def test_the_branch_and_bound_agrees_with_scip():
    for seed in range(5):
        draw = np.random.default_rng(seed)
        made = BilinearProgram()
        for name in ("a", "b", "c", "d"):
            made.linear.add_column(Column(name, 0, 1 + draw.random(), worth=draw.normal()))
        for number, (x, y) in enumerate((("a", "c"), ("a", "d"), ("b", "c"))):
            add_product(made, Column(f"w{number}", -9, 9, worth=3 * draw.normal()), x, y)
        row = {name: draw.normal() for name in made.linear.columns}
        made.linear.add_row(Row("limit", row, upper=1.0))
        indexed = made.indexed()
        ours = branch_and_bound(made, indexed, time.monotonic() + 20, 1e-6)
        theirs = solve(made, 20)
        assert ours.status == "optimal"
        assert ours.bound == pytest.approx(theirs.objective, abs=1e-4)


def test_a_program_in_other_units_has_the_same_points():
    made = program((1.0, -2.0, 3.0), 2000.0, (1000.0, 1.0, 1.0), ends=((0, 2), (0, 3000)))
    scaled = rescaled(made)
    first, other = solve(made, 20), solve(scaled.program, 20)
    assert scaled.objective(other.objective) == pytest.approx(first.objective, rel=1e-6)
    point = scaled.values(other.values)
    assert made.indexed().violation(np.array([point[n] for n in "xyw"])) <= 1e-6


@pytest.mark.parametrize(
    ("share", "amount", "words"),
    [
        ("x", "z", "no plain column"),
        ("w", "y", "no plain column"),
        ("y", "x", "and also a"),
        ("x", "x", "and also a"),
    ],
)
def test_factors_must_leave_a_linear_program(share, amount, words):
    made = program((0.0, 0.0, 0.0), 1.0, (1.0, 1.0, 1.0))
    with pytest.raises(OperationError, match=words):
        add_product(made, Column("more"), share, amount)
