"""Volatility, correlation and term structure against plain reckoning."""

import numpy as np
import pytest

from orchestrator.modules.analysis.futures import ABSENT
from orchestrator.modules.analysis.models import PricesInput, SeriesRole
from orchestrator.modules.analysis.prices import run as prices
from orchestrator.modules.analysis.volatility import log_returns, spread, weighted_variance


def garch(rows, omega=0.02e-4, alpha=0.08, beta=0.9, seed=1):
    """Prices of a simulated GARCH(1,1) with normal errors."""
    rng = np.random.default_rng(seed)
    variance, returns = omega / (1 - alpha - beta), []
    for _ in range(rows):
        returns.append(np.sqrt(variance) * rng.normal())
        variance = omega + alpha * returns[-1] ** 2 + beta * variance
    return 70 * np.exp(np.cumsum(returns))


def test_the_weighted_variance_is_the_recursion():
    returns = np.random.default_rng(1).normal(0, 0.02, 60)
    expected = np.mean(returns[:20] ** 2)
    for value in returns[20:]:
        expected = 0.94 * expected + 0.06 * value**2
    assert weighted_variance(returns) == pytest.approx(expected)


def test_garch_finds_the_parameters_that_made_the_prices():
    found = spread(garch(2001), 252.0, 21)
    assert found is not None
    assert found.model == "garch"
    assert found.fact.persistence == pytest.approx(0.98, abs=0.03)
    long_run = 100 * np.sqrt(252 * 0.02e-4 / 0.02)
    assert found.fact.garch_long_run_pct == pytest.approx(long_run, rel=0.3)
    assert found.fact.degrees_of_freedom > 15
    one, month = found.horizon_deviation(1), found.horizon_deviation(21)
    assert one == pytest.approx(found.fact.garch_pct / 100 / np.sqrt(252))
    assert 0.7 * np.sqrt(21) < month / one < 1.4 * np.sqrt(21)


def test_without_enough_returns_the_weighted_variance_stands_alone_and_says_so():
    values = garch(120)
    found = spread(values, 252.0)
    assert found is not None
    assert found.model == "ewma"
    assert found.fact.garch_pct is None
    assert "too few for GARCH" in found.fact.note
    assert found.horizon_deviation(4) == pytest.approx(2 * found.horizon_deviation(1))
    assert spread(values[:15], 252.0) is None


def test_a_price_that_does_not_move_breaks_nothing():
    found = spread(np.full(400, 70.0), 252.0)
    assert found is not None
    assert found.fact.ewma_pct == 0.0
    assert "does not move" in found.fact.note


def test_a_price_below_zero_has_no_log_return():
    returns = log_returns(np.array([10.0, 11.0, -3.0, 9.0, 10.0]))
    assert np.isfinite(returns).tolist() == [True, False, False, True]


def frame(columns, rows=400):
    times = [str(np.datetime64("2023-01-02") + i) for i in range(rows)]
    return {"time": times, **columns}


def test_correlations_are_those_of_the_returns_of_the_last_year(context_for):
    rng = np.random.default_rng(3)
    common = rng.normal(0, 0.02, 400)
    data = frame(
        {
            "wti": 70 * np.exp(np.cumsum(common)),
            "diesel_usd_gal": 2.5 * np.exp(np.cumsum(0.8 * common + rng.normal(0, 0.01, 400))),
        }
    )
    result = prices(PricesInput(), context_for(data))
    table = result.correlations
    assert table is not None
    order = [table.names.index(name) for name in ("wti", "diesel_usd_gal")]
    returns = [np.diff(np.log(data[name][-365:])) for name in ("wti", "diesel_usd_gal")]
    assert table.matrix[order[0]][order[1]] == pytest.approx(np.corrcoef(returns)[0, 1], abs=1e-4)
    assert table.matrix[0][0] == 1.0
    assert table.returns == 364


@pytest.mark.parametrize(
    ("last", "shape"), [(72.0, "contango"), (68.0, "backwardation"), (70.1, "flat")]
)
def test_the_term_structure_has_its_carry(context_for, last, shape):
    flat = np.full(400, 70.0)
    data = frame({"RCLC1": flat, "RCLC2": flat + (last - 70) / 3, "RCLC4": np.full(400, last)})
    result = prices(PricesInput(), context_for(data))
    found = result.term_structure[0]
    assert (found.shape, found.product) == (shape, "crude")
    assert found.carry_pct == pytest.approx(100 * np.log(last / 70) * 4)
    assert found.prompt_spread == pytest.approx((70 - last) / 3)
    assert {item.series: item.value for item in found.evidence}["RCLC4"] == last
    assert result.term_structure_note is None
    assert [item.name for item in result.prices] == ["RCLC1"]


def test_without_futures_nothing_is_said_of_the_term_structure(context_for):
    result = prices(PricesInput(), context_for(frame({"wti": np.linspace(60, 70, 400)})))
    assert result.term_structure == ()
    assert result.term_structure_note == ABSENT


def test_futures_are_no_prices_beside_a_spot_price(context_for):
    flat = np.full(400, 70.0)
    data = frame({"RWTC": flat, "RCLC1": flat + 1, "RCLC2": flat + 2})
    result = prices(PricesInput(), context_for(data))
    assert [item.name for item in result.prices] == ["RWTC"]
    assert result.term_structure[0].prices == {1: 71.0, 2: 72.0}


def test_a_column_can_be_named_a_delivery_month(context_for):
    roles = {f"X{n}": SeriesRole(product="diesel", unit="USD/gal", contract=n) for n in (1, 2)}
    data = frame({"X1": np.full(400, 2.0), "X2": np.full(400, 2.1)})
    found = prices(PricesInput(series=roles), context_for(data)).term_structure[0]
    assert found.prices == {1: 2.0, 2: 2.1}
