"""Two-stage plans: the farmer of Birge and Louveaux, and properties that hold for every program."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.modules.optimization.linear import Column, LinearProgram, Row
from orchestrator.modules.optimization.two_stage import (
    Risk,
    Scenario,
    conditional_value_at_risk,
    expected,
    solve,
)

# Birge and Louveaux, Introduction to Stochastic Programming, 2nd ed., 2011, section 1.1.
YIELDS = {"wheat": 2.5, "corn": 3.0, "beets": 20.0}
COSTS = {"wheat": 150.0, "corn": 230.0, "beets": 260.0}
FIELDS = ("wheat", "corn", "beets")


def farm(share):
    """The farmer's program where all yields are a share of their mean."""
    program = LinearProgram()
    for crop in FIELDS:
        program.add_column(Column(crop, worth=-COSTS[crop]))
    for name, worth, most in (
        ("sell wheat", 170, math.inf), ("sell corn", 150, math.inf), ("buy wheat", -238, math.inf),
        ("buy corn", -210, math.inf), ("sell beets", 36, 6000), ("sell more beets", 10, math.inf),
    ):  # fmt: skip
        program.add_column(Column(name, 0.0, most, worth))
    program.add_row(Row("land", dict.fromkeys(FIELDS, 1.0), upper=500))
    for crop, needed in (("wheat", 200.0), ("corn", 240.0)):
        terms = {crop: YIELDS[crop] * share, f"buy {crop}": 1.0, f"sell {crop}": -1.0}
        program.add_row(Row(f"need of {crop}", terms, needed))
    terms = {"beets": YIELDS["beets"] * share, "sell beets": -1.0, "sell more beets": -1.0}
    program.add_row(Row("beets", terms, 0.0))
    return program


SCENARIOS = tuple(
    Scenario(name, 1 / 3, farm(share)) for name, share in (("bad", 0.8), ("mean", 1), ("good", 1.2))
)


def test_the_farmer_s_plan_has_its_published_figures():
    found = solve(SCENARIOS, FIELDS, Risk(), 30)
    assert found.first == pytest.approx({"wheat": 170, "corn": 80, "beets": 250}, abs=1e-3)
    assert expected(SCENARIOS, found.margins) == pytest.approx(108_390, abs=1)
    assert expected(SCENARIOS, found.perfect) == pytest.approx(115_406, abs=1)
    assert expected(SCENARIOS, found.mean_plan) == pytest.approx(107_240, abs=1)
    assert found.margins == pytest.approx({"bad": 48_820, "mean": 109_350, "good": 167_000}, abs=1)


def test_the_cautious_farmer_gives_up_expected_margin_for_the_worst_year():
    neutral = solve(SCENARIOS, FIELDS, Risk(), 30)
    worst = solve(SCENARIOS, FIELDS, Risk("worst_case"), 30)
    # The worst year alone decides: its own best plan is the robust one.
    assert min(worst.margins.values()) == pytest.approx(59_950, abs=1)
    assert worst.margins["bad"] == pytest.approx(worst.perfect["bad"], abs=1)
    assert expected(SCENARIOS, worst.margins) < expected(SCENARIOS, neutral.margins)
    assert worst.neutral == pytest.approx(108_390, abs=1)
    tail, mean = [], []
    for weight in (0.0, 0.5, 1.0):
        plan = solve(SCENARIOS, FIELDS, Risk("cvar", weight, 0.6), 30)
        tail.append(conditional_value_at_risk(list(plan.margins.values()), [1 / 3] * 3, 0.6))
        mean.append(expected(SCENARIOS, plan.margins))
    assert tail == sorted(tail)
    assert mean == sorted(mean, reverse=True)
    assert tail[0] < tail[-1]


def test_cvar_is_the_mean_of_the_worst_share():
    margins, chances = [10.0, 20.0, 40.0, 100.0], [0.25] * 4
    assert conditional_value_at_risk(margins, chances, 0.75) == pytest.approx(10)
    assert conditional_value_at_risk(margins, chances, 0.5) == pytest.approx(15)
    # The worst 40 %: all of 10, and three fifths of 20.
    assert conditional_value_at_risk(margins, chances, 0.6) == pytest.approx((2.5 + 3) / 0.4)
    assert conditional_value_at_risk(margins, chances, 0.0) == pytest.approx(42.5)


def market(prices, sold):
    """Buy now, sell at one of two markets of limited demand later."""
    program = LinearProgram()
    program.add_column(Column("buy", 0.0, 10.0, -3.0))
    for number, (price, most) in enumerate(zip(prices, sold, strict=True)):
        program.add_column(Column(f"sell {number}", 0.0, most, price))
    terms = {f"sell {number}": -1.0 for number in range(len(prices))}
    program.add_row(Row("balance", {"buy": 1.0, **terms}, 0.0))
    return program


PRICES = st.lists(st.integers(0, 9).map(float), min_size=2, max_size=2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(PRICES, PRICES), min_size=2, max_size=4),
    st.sampled_from(["expected", "cvar", "worst_case"]),
)
def test_the_order_of_the_values_of_information(courses, aim):
    scenarios = [
        Scenario(f"s{k}", 1 / len(courses), market(*course)) for k, course in enumerate(courses)
    ]
    found = solve(scenarios, ["buy"], Risk(aim, 0.5, 0.7), 30)
    assert found.status == "optimal"
    ours = expected(scenarios, found.margins)
    informed, naive = expected(scenarios, found.perfect), expected(scenarios, found.mean_plan)
    slack = 1e-5
    assert informed >= found.neutral - slack
    assert found.neutral >= naive - slack
    assert found.neutral >= ours - slack

    # No decision on a fine grid reaches more of what was aimed at.
    def aimed(margins):
        chances = [s.probability for s in scenarios]
        tail = conditional_value_at_risk(margins, chances, 0.7)
        mean = float(np.dot(margins, chances))
        return {"expected": mean, "cvar": 0.5 * mean + 0.5 * tail, "worst_case": min(margins)}[aim]

    reached = aimed(list(found.margins.values()))
    for bought in np.linspace(0, 10, 21):
        margins = []
        for prices, sold in courses:
            left, earned = float(bought), -3.0 * float(bought)
            for price, most in sorted(zip(prices, sold, strict=True), reverse=True):
                amount = min(left, most)
                left, earned = left - amount, earned + amount * price
            margins.append(earned)
        assert aimed(margins) <= reached + slack


def test_what_cannot_be_kept_in_common_is_infeasible():
    forced = market([5.0], [4.0])
    forced.columns["buy"].lower = 6.0
    other = market([5.0], [4.0])
    other.columns["buy"].upper = 5.0
    found = solve([Scenario("a", 0.5, forced), Scenario("b", 0.5, other)], ["buy"], Risk(), 10)
    assert found.status == "infeasible"
    assert not found.first
