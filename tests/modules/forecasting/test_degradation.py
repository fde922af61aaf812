"""Curves with a known truth; all series here are simulated."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.cycles import Record, record
from orchestrator.modules.forecasting.degradation import Degraded, degraded
from orchestrator.modules.forecasting.degradation_curves import curves_for

START = np.datetime64("2025-01-01", "us")


def noisy(count: int, seed: int, size: float, memory: float = 0.5) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0, size * np.sqrt(1 - memory**2), count)
    found = np.zeros(count)
    found[0] = steps[0]
    for i in range(1, count):
        found[i] = memory * found[i - 1] + steps[i]
    return found


def made(values: np.ndarray, sign: int = 1) -> Record:
    times = START + (np.arange(len(values)) * 86_400e6).astype("timedelta64[us]")
    return record(times, values, "x", sign, None)


def fitted(values: np.ndarray, kind: str = "fouling", sign: int = 1, seed: int = 0) -> Degraded:
    curves = curves_for(kind, "auto", sign, positive=bool(values.min() > 0))
    return degraded(made(values, sign), curves, "x", seed)


AGE = np.arange(200.0)
TRUTHS = {
    "linear": ("fouling", 1, 1 + 0.01 * AGE, 4.0, 300.0),
    "asymptotic": ("fouling", 1, 1 + 2 * (1 - np.exp(-AGE / 80)), 2.95, 80 * np.log(40)),
    "falling_rate": ("fouling", 1, 0.5 + 0.5 * np.sqrt(1 + AGE / 10), 4.0, 480.0),
    "exponential": ("filter", 1, np.exp(0.005 * AGE), 6.0, np.log(6) / 0.005),
    "hyperbolic": ("catalyst", -1, 3 / (1 + 0.01 * AGE), 0.75, 300.0),
    "accelerating": ("catalyst", 1, 350 + 2 * np.exp(AGE / 80), 400.0, 80 * np.log(25)),
    "blocking": ("filter", 1, 1 / (1 - 0.004 * AGE), 20.0, 237.5),
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_the_curve_and_the_time_to_the_limit_are_found(truth):
    kind, sign, values, limit, reached = TRUTHS[truth]
    size = 0.01 * float(np.ptp(values))
    found = fitted(values + noisy(200, 1, size), kind, sign)
    assert found.best.curve.name == truth
    days = np.quantile(found.days_to(limit), [0.002, 0.5, 0.998], method="inverted_cdf")
    assert days[1] == pytest.approx(reached - 199, rel=0.25)
    assert days[0] <= reached - 199 <= days[2]


def test_eighty_per_cent_intervals_hold_about_eighty_per_cent():
    _, _, values, limit, reached = TRUTHS["asymptotic"]
    inside = 0
    for seed in range(40):
        found = fitted(values + noisy(200, seed, 0.05), seed=seed)
        low, high = np.quantile(found.days_to(limit), [0.1, 0.9], method="inverted_cdf")
        inside += low <= reached - 199 <= high
    # the binomial spread of 40 draws at 80 % is 6.3 %
    assert 0.6 <= inside / 40 <= 0.95


def test_an_asymptote_below_the_limit_is_never_crossed():
    values = 1 + 1.0 * (1 - np.exp(-AGE / 30)) + noisy(200, 4, 0.02)
    assert np.mean(np.isinf(fitted(values).days_to(3.0))) > 0.95


def test_earlier_cycles_make_a_young_one_predictable():
    age = np.concatenate([np.arange(90.0), np.arange(90.0), np.arange(16.0)])
    values = 1 + 0.01 * age + noisy(196, 5, 0.04)
    pooled = fitted(values)
    alone = fitted(values[180:])
    assert len(pooled.record.starts) == 3
    width = [
        float(np.subtract(*np.quantile(found.days_to(2.0), [0.9, 0.1], method="inverted_cdf")))
        for found in (pooled, alone)
    ]
    assert width[0] < 0.3 * width[1]
    assert np.median(pooled.days_to(2.0)) == pytest.approx(85, abs=8)


def test_a_cycle_of_another_rate_keeps_its_own():
    age = np.concatenate([np.arange(100.0), np.arange(80.0)])
    rate = np.concatenate([np.full(100, 0.02), np.full(80, 0.005)])
    found = fitted(1 + rate * age + noisy(180, 6, 0.02))
    assert found.best.alone
    assert found.best.slope(found.record.age) == pytest.approx(0.005, rel=0.2)


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_what_does_not_degrade_gets_no_date(memory):
    for seed in range(10):
        with pytest.raises(InsufficientDataError, match="does not degrade"):
            fitted(5 - 0.002 * AGE + noisy(200, seed, 0.05, memory))
    dated = 0
    for seed in range(20):
        try:
            fitted(5 + noisy(200, seed, 0.05, memory))
        except InsufficientDataError:
            continue
        dated += 1
    assert dated <= 1


@pytest.mark.parametrize("memory", [0.95, 1.0])
def test_what_wanders_gets_no_date(memory):
    dated = 0
    for seed in range(30):
        steps = np.random.default_rng(seed).normal(size=300)
        values = np.zeros(300)
        for i in range(1, 300):
            values[i] = memory * values[i - 1] + steps[i]
        try:
            fitted(values)
        except InsufficientDataError:
            continue
        dated += 1
    assert dated <= 4


def test_a_drift_in_a_random_walk_is_found():
    wander = np.cumsum(np.random.default_rng(2).normal(0, 0.1, 300))
    # 300 steps wander by 1.7; a rise of 0.05 a step makes 15
    found = fitted(0.05 * np.arange(300.0) + wander)
    assert found.best.slope(found.record.age) == pytest.approx(0.05, rel=0.5)


def test_a_badly_followed_early_run_does_not_widen_what_is_said_of_the_present_one():
    """An S-shaped first run that no curve has, then a straight one."""
    early = 1 / (1 + np.exp(-(np.arange(100.0) - 50) / 4))
    values = np.concatenate([1 + early, 1 + 0.004 * np.arange(100.0)])
    found = fitted(values + noisy(200, 8, 0.01))
    low, middle, high = np.quantile(found.days_to(2.0), [0.01, 0.5, 0.99], method="inverted_cdf")
    assert low <= 151 <= high
    assert middle == pytest.approx(151, rel=0.1)
    assert high - low < 80


def test_a_large_offset_costs_no_precision():
    rest = noisy(200, 9, 0.05)
    near, far = (np.median(fitted(o + 0.01 * AGE + rest).days_to(o + 4)) for o in (1.0, 1e6))
    assert far == pytest.approx(near, rel=0.02)


def test_the_same_record_gives_the_same_draws():
    values = TRUTHS["linear"][2] + noisy(200, 7, 0.05)
    assert np.array_equal(fitted(values).days_to(4.0), fitted(values).days_to(4.0))


def test_values_without_noise_are_followed_exactly():
    found = fitted(1 + 0.01 * AGE)
    assert np.median(found.days_to(4.0)) == pytest.approx(101, rel=1e-3)
