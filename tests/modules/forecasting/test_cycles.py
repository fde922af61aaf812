from __future__ import annotations

import numpy as np
import pytest

from orchestrator.errors import DataError, InsufficientDataError
from orchestrator.modules.forecasting.cycles import MAX_POINTS, record

START = np.datetime64("2025-01-01", "us")
DAY = np.timedelta64(86_400_000_000, "us")


def times(count: int, step_days: float = 1.0) -> np.ndarray:
    return START + (np.arange(count) * step_days * 86_400e6).astype("timedelta64[us]")


def sawtooth(count: int, cleaned: list[int], rate: float = 0.01) -> np.ndarray:
    begin = np.zeros(count)
    for at in cleaned:
        begin[at:] = at
    return rate * (np.arange(count) - begin)


def noise(count: int, seed: int, size: float = 0.05) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, count)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sign", [1, -1])
def test_cleanings_are_found_where_they_were(seed, sign):
    rng = np.random.default_rng(100 + seed)
    cleaned = sorted(int(at) for at in rng.integers(50, 70, 3).cumsum())
    values = 5 + sign * (sawtooth(260, cleaned) + noise(260, seed))
    found = record(times(260), values, "x", sign, None)
    assert len(found.starts) == 4
    assert np.abs(found.starts[1:] - cleaned).max() <= 1


@pytest.mark.parametrize("slope", [0.0, 0.01, -0.01])
def test_no_cleaning_is_made_up(slope):
    found = [
        len(record(times(300), slope * np.arange(300) + noise(300, seed), "x", 1, None).starts)
        for seed in range(40)
    ]
    assert found == [1] * 40


def test_a_partial_cleaning_counts_and_a_trifle_does_not():
    values = sawtooth(200, []) + noise(200, 1, 0.02)
    half, trifle = values.copy(), values.copy()
    half[120:] -= 0.6
    trifle[120:] -= 0.08
    assert len(record(times(200), half, "x", 1, None).starts) == 2
    assert len(record(times(200), trifle, "x", 1, None).starts) == 1


def test_a_bypass_is_left_out_and_is_no_cleaning():
    values = sawtooth(200, []) + noise(200, 2)
    values[80:84] += 5
    found = record(times(200), values, "x", 1, None)
    assert len(found.starts) == 1
    assert found.left_out == 4
    assert 81.0 not in found.days


def test_given_cleanings_are_used_as_given():
    at = [START + 40 * DAY, START + 1000 * DAY, START - 5 * DAY]
    found = record(times(100), sawtooth(100, []) + noise(100, 3), "x", 1, at)
    assert found.starts.tolist() == [0.0, 40.0]
    assert len(record(times(200), sawtooth(200, [100]), "x", 1, []).starts) == 1


def test_minutes_become_at_most_four_hundred_medians():
    count = 20_000
    values = np.linspace(0, 1, count) + noise(count, 4, 0.01)
    values[::50] += 40  # single spikes, which a median does not see
    found = record(times(count, 1 / 1440), values, "x", 1, None)
    assert MAX_POINTS - 1 <= len(found.values) <= MAX_POINTS
    assert np.abs(found.values - np.linspace(0, 1, len(found.values))).max() < 0.02
    assert found.now == pytest.approx((count - 1) / 1440, abs=0.05)


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (np.full(50, np.nan), InsufficientDataError, "all 50 values are missing"),
        (np.full(50, 3.0), InsufficientDataError, r"never changes \(always 3\)"),
        (np.arange(10.0), InsufficientDataError, "at least 12"),
        (np.array([*range(40), np.inf]), DataError, "1 values are infinite"),
    ],
)
def test_bad_values_have_a_clear_error(values, error, text):
    with pytest.raises(error, match=text):
        record(times(len(values)), values.astype(float), "x", 1, None)
