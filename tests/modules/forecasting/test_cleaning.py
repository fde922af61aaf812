from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from orchestrator.modules.forecasting.cleaning import best_age, best_cycle, waiting
from orchestrator.modules.forecasting.degradation import Draws
from orchestrator.modules.forecasting.degradation_curves import Curve
from orchestrator.modules.forecasting.degradation_models import Cleaning


def draws(name: str, b: float, g: float, shape: float = 1.0, sign: int = 1) -> Draws:
    values = (np.array([value]) for value in (b, g, shape, b))
    return Draws(Curve(name, sign), *values)


@pytest.mark.parametrize(
    ("cost", "loss", "rate"), [(50_000, 200, 2.0), (900, 40, 0.05), (1e6, 1, 9)]
)
def test_linear_fouling_has_the_closed_form(cost, loss, rate):
    """t = √(2 C / (w k)) and an average cost of √(2 C w k)."""
    costs = Cleaning(cost_usd=cost, loss_usd_per_day_per_unit=loss)
    cycle = best_cycle(draws("linear", 3.0, rate), costs, None, None)
    assert cycle.interval[0] == pytest.approx(np.sqrt(2 * cost / (loss * rate)), rel=2e-3)
    assert cycle.rate[0] == pytest.approx(np.sqrt(2 * cost * loss * rate), rel=2e-3)


@pytest.mark.parametrize(
    "name", ["linear", "falling_rate", "asymptotic", "accelerating", "exponential"]
)
def test_every_curve_agrees_with_a_direct_search(name):
    b, g, shape = {
        "linear": (1.0, 0.02, 1.0),
        "falling_rate": (1.0, 0.8, 20.0),
        "asymptotic": (1.0, 4.0, 60.0),
        "accelerating": (1.0, 0.5, 50.0),
        "exponential": (1.0, 0.0, 0.01),
    }[name]
    costs = Cleaning(
        cost_usd=20_000,
        downtime_hours=36,
        downtime_usd_per_day=8_000,
        loss_usd_per_day_per_unit=900,
    )
    curve = Curve(name, 1)

    def away(t: float) -> float:
        return float(curve.value(np.array(t), np.array(b), np.array(g), np.array(shape))) - b

    def average(t: float) -> float:
        return (20_000 + 8_000 * 1.5 + 900 * quad(away, 0, t)[0]) / (t + 1.5)

    best = minimize_scalar(average, bounds=(1, 1000), method="bounded", options={"xatol": 1e-6})
    cycle = best_cycle(draws(name, b, g, shape), costs, None, None)
    assert cycle.interval[0] == pytest.approx(best.x, rel=5e-3)
    assert cycle.rate[0] == pytest.approx(best.fun, rel=2e-3)


def test_fouling_that_levels_off_cheaply_is_never_worth_a_cleaning():
    costs = Cleaning(cost_usd=100_000, loss_usd_per_day_per_unit=100)
    one = draws("asymptotic", 1.0, 3.0, 20.0)
    cycle = best_cycle(one, costs, None, None)
    # it levels off at 200 USD/d after losing 4 000 USD less than that on the way
    assert cycle.interval[0] == np.inf
    assert cycle.rate[0] == pytest.approx(200)
    assert waiting(one, costs, None, 500.0, cycle).days[0] == np.inf
    free = Cleaning(cost_usd=100_000)
    assert best_cycle(one, free, None, None).interval[0] == np.inf


def test_a_limit_ends_the_cycle_where_it_comes_first():
    costs = Cleaning(cost_usd=50_000, loss_usd_per_day_per_unit=10)
    one = draws("linear", 0.0, 0.1)
    assert best_cycle(one, costs, None, None).interval[0] > 300
    cycle = best_cycle(one, costs, None, 12.0)
    assert cycle.by_limit[0]
    assert cycle.interval[0] == pytest.approx(120)
    assert cycle.rate[0] == pytest.approx((50_000 + 10 * 0.1 * 120**2 / 2) / 120, rel=1e-3)


def test_the_run_under_way_ends_when_it_costs_as_much_as_the_best_cycle():
    costs = Cleaning(cost_usd=9_800, loss_usd_per_day_per_unit=100)
    one = draws("linear", 0.0, 0.04)
    cycle = best_cycle(one, costs, None, None)
    assert cycle.interval[0] == pytest.approx(70, rel=1e-3)
    run = waiting(one, costs, None, 30.0, cycle)
    assert run.days[0] == pytest.approx(40, rel=5e-3)
    assert waiting(one, costs, None, 90.0, cycle).days[0] == 0.0
    # a week late costs w k 7² / 2, and as much a week early
    best = float(run.days[0])
    rate = float(cycle.rate[0])
    assert run.excess(best, best + 7, rate) == pytest.approx(98, rel=0.05)
    assert -run.excess(best - 7, best, rate) == pytest.approx(98, rel=0.05)


def test_a_dirty_start_of_the_run_brings_its_end_forward():
    costs = Cleaning(cost_usd=9_800, loss_usd_per_day_per_unit=100, value_after=0.0)
    dirty = draws("linear", 1.0, 0.04)
    cycle = best_cycle(dirty, costs, 0.0, None)
    assert waiting(dirty, costs, 0.0, 30.0, cycle).days[0] == pytest.approx(15, rel=0.02)


def test_what_wears_out_is_changed_at_the_age_of_least_cost():
    costs = Cleaning(cost_usd=1_000, failure_cost_usd=9_000)

    def average(t: float) -> float:
        lasting = np.exp(-((t / 100) ** 3))
        return (1_000 + 9_000 * (1 - lasting)) / quad(lambda x: np.exp(-((x / 100) ** 3)), 0, t)[0]

    best = minimize_scalar(average, bounds=(1, 200), method="bounded")
    age, rate = best_age(np.array([3.0]), np.array([100.0]), costs)
    assert age[0] == pytest.approx(best.x, rel=0.02)
    assert rate[0] == pytest.approx(best.fun, rel=1e-3)


@pytest.mark.parametrize(("shape", "extra"), [(1.0, 9_000), (0.7, 9_000), (3.0, 0)])
def test_what_does_not_age_or_costs_no_more_when_it_fails_runs_to_failure(shape, extra):
    costs = Cleaning(cost_usd=1_000, failure_cost_usd=extra)
    age, _ = best_age(np.array([shape]), np.array([100.0]), costs)
    assert age[0] == np.inf


@pytest.mark.parametrize(
    "field", ["cost_usd", "downtime_hours", "downtime_usd_per_day", "loss_usd_per_day_per_unit"]
)
def test_negative_and_infinite_costs_are_refused(field):
    for value in (-1.0, np.inf, np.nan):
        with pytest.raises(ValidationError, match=field):
            Cleaning(**({"cost_usd": 1.0} | {field: value}))
