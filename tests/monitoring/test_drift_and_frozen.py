"""Instruments that drift or stand still."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import TAGS, at, make_block, row_of

NAMES = tuple(f"T{i}" for i in range(10))


def redundant(rows: int, seed: int) -> np.ndarray:
    """Ten readings of two movements."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((2, 10))
    return random.standard_normal((rows, 2)) @ mixing + 0.3 * random.standard_normal((rows, 10))


def alerts_of(values: np.ndarray, **tag: object) -> list[Alert]:
    monitor = Monitor(Plant(tags=tuple(Tag(name=n, **tag) for n in NAMES)), MonitoringSettings())
    monitor.fit(make_block(NAMES, redundant(600, 1)))
    monitor.update(make_block(NAMES, values))
    return monitor.alerts.all()


@pytest.mark.parametrize("tag", [0, 4, 9])
def test_a_slow_drift_of_one_instrument_is_told_as_drift_of_that_tag(tag: int) -> None:
    values = redundant(1500, 2)
    values[300:, tag] += 0.002 * np.arange(1200)
    drifts = [alert for alert in alerts_of(values) if alert.kind == "drift"]
    assert [alert.tag for alert in drifts] == [NAMES[tag]]
    assert row_of(drifts[0].start) >= 300
    assert drifts[0].active


def test_a_movement_of_the_process_is_no_drift() -> None:
    mixing = np.random.default_rng(99).standard_normal((2, 10))
    values = redundant(1500, 2)
    values[300:] += np.outer(0.002 * np.arange(1200), mixing[0])
    assert [alert for alert in alerts_of(values) if alert.kind == "drift"] == []


def test_a_tag_that_is_missing_for_long_makes_no_drift_of_others() -> None:
    mixing = np.random.default_rng(99).standard_normal((2, 10))
    values = redundant(1500, 2)
    values[300:] += np.minimum(0.005 * np.arange(1200), 1.0)[:, None] * mixing[0]
    values[400:, 3] = np.nan
    assert [alert for alert in alerts_of(values) if alert.kind == "drift"] == []


def test_what_is_moved_on_purpose_does_not_drift() -> None:
    values = redundant(1500, 2)
    values[300:, 4] += 0.002 * np.arange(1200)
    found = alerts_of(values, controllable=True)
    assert [alert for alert in found if alert.kind == "drift"] == []


def frozen(plant: Plant, values: np.ndarray, train: np.ndarray) -> list[Alert]:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, train))
    monitor.update(make_block(TAGS, values))
    return [alert for alert in monitor.alerts.all() if alert.kind == "frozen"]


def test_a_frozen_tag_is_dated_to_when_it_stopped(
    plant: Plant, normal: Callable[[int, int], np.ndarray]
) -> None:
    values = normal(200, 2)
    values[50:90, 2] = values[50, 2]
    (alert,) = frozen(plant, values, normal(400, 1))
    assert (alert.key, alert.start, alert.end) == ("frozen:TI-1", at(50), at(90))


def test_all_tags_frozen_together_are_one_alert(
    plant: Plant, normal: Callable[[int, int], np.ndarray]
) -> None:
    values = normal(200, 2)
    values[50:] = values[50]
    found = frozen(plant, values, normal(400, 1))
    assert len([alert for alert in found if alert.active]) == 1
    assert found[-1].key == "frozen:source"
    assert set(found[-1].tags) == set(TAGS)


def test_a_tag_that_is_constant_in_training_may_stay_so(
    plant: Plant, normal: Callable[[int, int], np.ndarray]
) -> None:
    train, values = normal(400, 1), normal(200, 2)
    train[:, 1] = values[:, 1] = 42.0
    assert frozen(plant, values, train) == []


def test_a_signal_that_is_lost_is_one_alert_from_the_first_sample_that_did_not_come(
    plant: Plant, normal: Callable[[int, int], np.ndarray]
) -> None:
    values = normal(200, 2)
    values[50:90, 2] = np.nan
    (alert,) = frozen(plant, values, normal(400, 1))
    assert (alert.key, alert.start, alert.tags) == ("lost:TI-1", at(50), ("TI-1",))
    assert alert.end is not None
    assert at(89) < alert.end <= at(93)


def test_samples_missing_here_and_there_are_no_lost_signal(
    plant: Plant, normal: Callable[[int, int], np.ndarray]
) -> None:
    values = normal(600, 2)
    values[np.random.default_rng(3).random(values.shape) < 0.1] = np.nan
    assert frozen(plant, values, normal(400, 1)) == []


def test_a_tag_that_never_came_is_not_lost(
    plant: Plant, normal: Callable[[int, int], np.ndarray]
) -> None:
    values, train = normal(200, 2), normal(400, 1)
    values[:, 1] = train[:, 1] = np.nan
    assert frozen(plant, values, train) == []
