"""Plans that are nearly as good: inside the floor, feasible, and different."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.modules.optimization.linear import Column, LinearProgram, Row
from orchestrator.modules.optimization.near_optimal import near_optimal


def diet(prices, demand=10.0):
    """Meet a demand from several sources of at most 8 each."""
    program = LinearProgram()
    for number, price in enumerate(prices):
        program.add_column(Column(f"c{number}", 0.0, 8.0, -price))
    program.add_column(Column("sold", 0.0, demand, 100.0))
    terms = {f"c{number}": 1.0 for number in range(len(prices))}
    program.add_row(Row("balance", {**terms, "sold": -1.0}, 0.0, 0.0, elastic=False))
    return program


def searched(program, prices, within, count=3):
    optimum = program.solve()
    quantities = {f"c{number}": {f"c{number}": 1.0} for number in range(len(prices))}
    return optimum, near_optimal(
        program, optimum, quantities, within=within, count=count, time_limit=20
    )


def test_other_optima_are_found_where_two_sources_cost_the_same():
    program = diet([10.0, 10.0, 20.0])
    optimum, found = searched(program, [10.0, 10.0, 20.0], 0.0)
    assert found.complete
    assert found.alternatives
    assert all(item.lost == pytest.approx(0, abs=1e-3) for item in found.alternatives)
    assert found.ranges["c0"] == pytest.approx((2, 8), abs=1e-3)
    assert found.ranges["c2"] == pytest.approx((0, 0), abs=1e-3)
    first = found.alternatives[0].quantities
    assert abs(first["c0"] - optimum.values["c0"]) > 5


def test_within_a_share_of_the_margin_the_dear_source_can_stand_in():
    # One unit from the dear source instead of the cheap costs 10 of the margin, one unit less of it 80.
    program = diet([10.0, 20.0])
    optimum, found = searched(program, [10.0, 20.0], 0.04)
    assert optimum.objective == pytest.approx(880)
    assert found.ranges["c1"] == pytest.approx((2 - 35.2 / 80, 2 + 35.2 / 10), abs=1e-3)
    best = found.alternatives[0]
    assert best.lost == pytest.approx(35.2, abs=1e-2)
    assert best.solution.objective == pytest.approx(880 - 35.2, abs=1e-2)
    assert best.distance == pytest.approx(2 * 3.52 / 10, abs=1e-3)


def test_an_optimum_that_stands_alone_has_no_alternative():
    _, found = searched(diet([10.0, 20.0]), [10.0, 20.0], 0.0)
    assert found.alternatives == ()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(5, 30).map(float), min_size=2, max_size=5),
    st.sampled_from([0.0, 0.02, 0.1]),
)
def test_every_alternative_keeps_the_limits_and_the_floor(prices, within):
    program = diet(prices)
    optimum, found = searched(program, prices, within)
    for item in found.alternatives:
        values = item.solution.values
        total = math.fsum(values[f"c{number}"] for number in range(len(prices)))
        assert total == pytest.approx(values["sold"], abs=1e-6)
        assert all(-1e-7 <= values[f"c{n}"] <= 8 + 1e-7 for n in range(len(prices)))
        earned = 100 * values["sold"] - sum(p * values[f"c{n}"] for n, p in enumerate(prices))
        assert item.solution.objective == pytest.approx(earned, abs=1e-6)
        assert item.lost <= within * optimum.objective + 1e-3
        assert item.lost == pytest.approx(optimum.objective - earned, abs=1e-5)
        assert item.distance > 0
    pairs = [
        sum(abs(a.quantities[q] - b.quantities[q]) for q in a.quantities)
        for i, a in enumerate(found.alternatives)
        for b in found.alternatives[:i]
    ]
    assert all(pair > 1e-3 for pair in pairs)
