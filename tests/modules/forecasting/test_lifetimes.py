from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import CensoredData, weibull_min

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.lifetimes import fit_weibull


def simulated(count: int, seed: int, shape: float = 2.5, scale: float = 100.0, end: float = 110.0):
    """Simulated lives, those longer than ``end`` cut there."""
    lives = scale * np.random.default_rng(seed).weibull(shape, count)
    return np.minimum(lives, end), lives < end


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_fit_of_scipy(seed):
    days, failed = simulated(40, seed)
    found = fit_weibull(days, failed, "x")
    data = CensoredData.right_censored(days, ~failed)
    shape, _, scale = weibull_min.fit(data, floc=0)
    assert found.shape == pytest.approx(shape, rel=1e-3)
    assert found.scale == pytest.approx(scale, rel=1e-3)


def test_leaving_runs_that_did_not_fail_out_would_shorten_life():
    days, failed = simulated(400, 1)
    assert fit_weibull(days, failed, "x").scale == pytest.approx(100, rel=0.08)
    assert fit_weibull(days[failed], failed[failed], "x").scale < 90


def test_the_spread_of_repeated_fits_is_the_stated_one():
    fits = [fit_weibull(*simulated(60, seed), "x") for seed in range(120)]
    spread = np.std([np.log(fit.shape) for fit in fits])
    stated = np.mean([np.sqrt(fit.covariance[1, 1]) for fit in fits])
    assert stated == pytest.approx(spread, rel=0.25)


def test_the_remaining_life_of_what_does_not_age_is_the_same_at_any_age():
    days, failed = simulated(4000, 2, shape=1.0, end=1e9)
    life = fit_weibull(days, failed, "x")
    young, old = (float(np.median(life.remaining(age, 3))) for age in (0.0, 200.0))
    assert young == pytest.approx(100 * np.log(2), rel=0.12)
    assert old == pytest.approx(young, rel=0.12)


def test_what_wears_out_has_less_left_the_older_it_is():
    life = fit_weibull(*simulated(200, 3), "x")
    assert np.median(life.remaining(90.0, 0)) < 0.5 * np.median(life.remaining(10.0, 0))


@pytest.mark.parametrize(
    ("days", "failed", "text"),
    [
        ([10, 20, 30], [True, True, False], "2 of 3 runs ended"),
        ([50, 50, 50, 20], [True, True, True, False], "nearly the same age"),
    ],
)
def test_too_little_to_know_a_distribution_is_said(days, failed, text):
    with pytest.raises(InsufficientDataError, match=text):
        fit_weibull(days, failed, "x")
