"""Forecasts keep the balances of the plant, as the data keeps them."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.errors import ParameterError
from orchestrator.modules.forecasting.forecast import run
from orchestrator.modules.forecasting.models import ForecastInput, ForecastResult
from orchestrator.plant.tags import Balance, Plant, Tag

ROWS, AHEAD = 180, 5
RNG = np.random.default_rng(31)
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS + AHEAD) * np.timedelta64(1, "D")
FEED = np.repeat(RNG.uniform(1600, 2400, 60), 4)[: ROWS + AHEAD]
SHARE = 0.4 + 0.02 * np.cumsum(RNG.normal(size=ROWS + AHEAD)) / 10
LIGHT = SHARE * FEED * (1 + RNG.normal(scale=0.01, size=ROWS + AHEAD))
HEAVY = 1.02 * FEED - LIGHT + RNG.normal(scale=2, size=ROWS + AHEAD)
TAGS = tuple(Tag(name=name, kind="flow", unit="t/d") for name in ("FEED", "LIGHT", "HEAVY"))
PLANT = Plant(
    tags=TAGS, balances=(Balance(name="column", inputs=("FEED",), outputs=("LIGHT", "HEAVY")),)
)


def ahead(values: np.ndarray) -> np.ndarray:
    return np.append(values[:ROWS], np.full(AHEAD, np.nan))


def means(result: ForecastResult, name: str) -> np.ndarray:
    return np.array([point.mean for point in result.forecasts if point.target == name])


@pytest.fixture
def ask(context_for):
    def run_with(plant: Plant = PLANT, heavy: np.ndarray = HEAVY, **more: object):
        columns = {"time": TIMES, "FEED": FEED, "LIGHT": ahead(LIGHT), "HEAVY": ahead(heavy)}
        asked = {
            "targets": ("LIGHT", "HEAVY"),
            "horizon": AHEAD,
            "known_future": ("FEED",),
            "models": "fast",
        }
        return run(ForecastInput(**(asked | more)), context_for(columns, plant))

    return run_with


def test_products_add_up_to_the_planned_feed_as_meters_have_it(ask):
    result = ask()
    kept = result.balances["column"]
    assert kept.out_pct_of_in == pytest.approx(102.0, abs=0.1)
    total = means(result, "LIGHT") + means(result, "HEAVY")
    assert total == pytest.approx(kept.out_pct_of_in / 100 * FEED[ROWS:], rel=1e-4)


def test_keeping_the_balance_makes_forecasts_better_or_leaves_them(ask):
    free, kept = ask(plant=Plant(tags=TAGS)), ask()
    assert free.balances == {}

    def error(result: ForecastResult) -> float:
        light = np.abs(means(result, "LIGHT") - LIGHT[ROWS:]).sum()
        return float(light + np.abs(means(result, "HEAVY") - HEAVY[ROWS:]).sum())

    assert error(kept) <= 1.02 * error(free)


def test_named_sums_are_kept_too(ask):
    result = ask(plant=Plant(), sums={"FEED": ("LIGHT", "HEAVY")})
    assert set(result.balances) == {"FEED"}


def test_a_balance_that_does_not_close_is_left_and_it_is_said(ask):
    result = ask(heavy=0.6 * HEAVY)
    assert result.balances == {}
    assert any(
        "balance column was not kept: in the data what comes out is" in n for n in result.warnings
    )


def test_a_sum_over_what_is_not_forecast_is_refused(ask):
    with pytest.raises(ParameterError, match="GAS is neither forecast nor known ahead"):
        ask(sums={"FEED": ("LIGHT", "GAS")})
