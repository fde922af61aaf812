"""The optimum as a function of one number, against plain re-solves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.modules.optimization.linear import Column, LinearProgram, Row
from orchestrator.modules.optimization.parametric import curve


def shop(capacity=10.0, price=5.0, use=1.0, least=0.0):
    """Three goods of falling worth share a capacity."""
    program = LinearProgram()
    program.add_column(Column("a", least, 4.0, price))
    program.add_column(Column("b", 0.0, 4.0, 3.0))
    program.add_column(Column("c", 0.0, math.inf, 1.0))
    program.add_row(Row("capacity", {"a": use, "b": 1.0, "c": 1.0}, upper=capacity))
    return program


def test_margin_over_a_capacity_breaks_where_the_next_good_begins():
    found = curve(lambda value: shop(capacity=value), 0.0, 20.0, 20)
    assert found.shape == "concave"
    assert [p.at for p in found.points] == pytest.approx([0, 4, 8, 20])
    assert [p.slope for p in found.points[:-1]] == pytest.approx([5, 3, 1])
    assert [p.objective for p in found.points] == pytest.approx([0, 20, 32, 44])


def test_margin_over_a_price_is_convex_and_its_slope_is_what_is_made():
    found = curve(lambda value: shop(price=value), 0.0, 6.0, 20)
    assert found.shape == "convex"
    assert [p.at for p in found.points] == pytest.approx([0, 1, 6])
    # Below the price of c nothing of a is made; above it all that can be.
    assert [p.slope for p in found.points[:-1]] == pytest.approx([0, 4])


def test_a_number_that_is_a_coefficient_is_sampled():
    found = curve(lambda value: shop(use=value), 0.5, 3.0, 20)
    assert found.shape == "sampled"
    for point in found.points:
        assert point.objective == pytest.approx(shop(use=point.at).solve().objective)


def test_the_curve_ends_where_there_is_no_plan():
    found = curve(lambda value: shop(capacity=value, least=3.0), -5.0, 5.0, 20)
    assert found.low == pytest.approx(3.0, abs=1e-5)
    assert found.high == 5.0
    nothing = curve(lambda value: shop(capacity=value), -5.0, -1.0, 20)
    assert nothing.points == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9).map(float), min_size=4, max_size=4),
    st.lists(st.integers(-5, 9).map(float), min_size=8, max_size=8),
    st.sampled_from(["bound", "worth"]),
)
def test_between_breakpoints_the_curve_is_the_optimum(worths, coefficients, moves):
    def program_at(value):
        program = LinearProgram()
        for number, worth in enumerate(worths):
            moved = value if moves == "worth" and number == 0 else 0.0
            program.add_column(Column(f"x{number}", 0.0, 6.0, worth + moved))
        for row in range(2):
            terms = {f"x{n}": coefficients[4 * row + n] for n in range(4)}
            bound = value if moves == "bound" and row == 0 else 7.0
            program.add_row(Row(f"r{row}", terms, upper=bound))
        return program

    found = curve(program_at, -8.0, 12.0, 20)
    at = [p.at for p in found.points]
    for value in np.linspace(-8.0, 12.0, 17):
        solved = program_at(float(value)).solve()
        if solved.objective is None:
            assert value < found.low + 1e-5 or value > found.high - 1e-5
            continue
        if found.low <= value <= found.high:
            drawn = np.interp(value, at, [p.objective for p in found.points])
            assert drawn == pytest.approx(solved.objective, abs=1e-4)
