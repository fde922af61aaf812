import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.series import Series


def weekly(values, start="2015-01-02", unit=None) -> Series:
    times = np.datetime64(start, "us") + np.arange(len(values)) * np.timedelta64(7, "D")
    return Series("a", "a", "stock", None, unit, times, np.asarray(values, float), "week", 52.18)


def test_changes_are_over_the_periods_asked_for():
    values = np.array([*range(100, 121)], dtype=float)
    found = {c.periods: (c.absolute, c.percent) for c in measures.changes(values)}
    assert found[1] == pytest.approx((1, 100 / 119))
    assert found[20] == pytest.approx((20, 20))


def test_a_change_from_a_price_that_is_not_positive_has_no_percent():
    changes = measures.changes(np.array([-37.6, 10.0]), (1,))
    assert changes[0].absolute == pytest.approx(47.6)
    assert changes[0].percent is None


def test_a_series_shorter_than_the_period_has_no_change():
    assert measures.changes(np.array([1.0, 2.0]), (5,)) == ()


def test_volatility_is_that_of_the_process():
    random = np.random.default_rng(1)
    values = 50 * np.exp(np.cumsum(0.02 * random.standard_normal(20_001)))
    found = measures.volatility(values, 20_000, 252)
    assert found == pytest.approx(2 * math.sqrt(252), rel=0.03)


def test_volatility_over_a_price_below_zero_is_not_claimed():
    assert measures.volatility(np.array([10.0, -3.0, 12.0, 11.0]), 3, 252) is None
    assert measures.volatility(np.array([10.0, 11.0]), 3, 252) is None


def test_a_steady_rise_is_a_trend():
    rise = 100 + 0.5 * np.arange(60) + np.random.default_rng(2).normal(size=60)
    found = measures.trend(rise)
    assert found.direction == "rising"
    assert found.per_period_pct == pytest.approx(0.5 / rise.mean() * 100, rel=0.1)
    assert measures.trend(-rise).direction == "falling"
    assert measures.trend(np.full(60, 7.0)).direction == "flat"


def test_independent_noise_is_rarely_a_trend():
    random = np.random.default_rng(3)
    wrong = sum(measures.trend(random.normal(100, 1, 60)).direction != "flat" for _ in range(400))
    assert wrong / 400 < 0.1


@given(st.floats(-500, 500))
def test_the_season_is_that_of_the_five_years_before_and_not_the_present(offset):
    weeks = 52 * 8
    level = 1000 + 100 * np.sin(2 * np.pi * np.arange(weeks) * 7 / 365.25)
    level[-1] += offset
    found = measures.seasonal(weekly(level))
    assert found is not None
    assert found.years == 5
    usual = level[-1] - offset
    assert found.low - 20 <= usual <= found.high + 20
    assert (found.z_score > 0) == (level[-1] > found.mean)
    if abs(offset) > 60:
        assert found.position == ("above" if offset > 0 else "below")


def test_with_too_few_years_there_is_no_season():
    assert measures.seasonal(weekly(np.arange(100.0))) is None


def test_an_unusual_move_is_measured_against_the_usual_ones():
    values = np.cumsum(np.random.default_rng(4).normal(size=400))
    values[-1] = values[-6] + 20
    assert measures.move_size(values, 5, 252) == pytest.approx(20 / math.sqrt(5), rel=0.25)
    assert measures.move_size(values[:10], 5, 252) is None


def test_a_number_of_days_is_the_periods_that_span_it():
    series = weekly(np.arange(100.0))
    assert measures.periods_of(series, 28) == (1, 4, 5, 20)
    assert measures.periods_of(series, 3000) == measures.PERIODS
