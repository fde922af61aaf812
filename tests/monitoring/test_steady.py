"""The steady-state test of Cao and Rhinehart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.monitor import Monitor
from orchestrator.monitoring.steady import BURN_IN, RatioTest
from orchestrator.plant.tags import ModeRules, Plant, Tag
from tests.monitoring.conftest import TAGS, make_block

Values = Callable[[int, int], np.ndarray]


def test_the_ratio_is_near_one_for_noise_without_memory() -> None:
    test = RatioTest(200)
    ratio = test.step(np.random.default_rng(1).standard_normal((500, 200)), keep=True)[BURN_IN:]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
    assert 0.001 < (ratio > 2.0).mean() < 0.02


def correlated(rows: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((rows, 20))
    return np.asarray(lfilter([1.0], [1.0, -0.8], noise, axis=0))


def test_memory_of_the_noise_is_learned_from_normal_operation() -> None:
    test = RatioTest(20)
    test.learn(correlated(2000, 1))
    ratio = test.step(correlated(2000, 2), keep=True)[BURN_IN:]
    assert (ratio > 2.0).mean() > 0.3
    assert (ratio > test.critical).mean() < 0.03


def test_a_short_block_gives_the_same_as_a_long_one() -> None:
    values = correlated(100, 3)
    values[:5, 2] = np.nan
    values[40:60, 4] = np.nan
    long, short = RatioTest(20), RatioTest(20)
    long.step(values)
    for row in values:
        short.step(row[None])
    np.testing.assert_allclose(short.ratio(), long.ratio(), rtol=1e-9)


def test_a_tag_that_does_not_move_is_steady() -> None:
    test = RatioTest(1)
    test.step(np.full((50, 1), 0.3))
    assert test.ratio()[0] == 1.0


def test_the_plant_is_steady_then_transient_then_steady(plant: Plant, normal: Values) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    assert monitor.mode() is None
    monitor.fit(make_block(TAGS, normal(400, 1)))
    assert monitor.mode() is None
    monitor.update(make_block(TAGS, normal(100, 2)))
    assert monitor.mode() == "steady"
    moving = normal(40, 3) + np.outer(np.arange(40), [3, 3, 2, 2, 0.3, 0])
    monitor.update(make_block(TAGS, moving, first=100))
    assert monitor.mode() == "transient"
    found = monitor.steady()
    assert found is not None
    assert set(found.moving) >= {"FI-1", "FI-2", "TI-1", "TI-2"}
    after = normal(100, 4) + np.array([3, 3, 2, 2, 0.3, 0]) * 40
    monitor.update(make_block(TAGS, after, first=140))
    assert monitor.mode() == "steady"


def test_only_the_key_tags_count(normal: Values) -> None:
    plant = Plant(tags=tuple(Tag(name=n) for n in TAGS), mode=ModeRules(key_tags=("PI-1", "TI-2")))
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(400, 1)))
    values = normal(100, 2)
    values[:, :3] += np.arange(100)[:, None]
    monitor.update(make_block(TAGS, values))
    found = monitor.steady()
    assert found is not None
    assert set(found.steady) == {"PI-1", "TI-2"}
