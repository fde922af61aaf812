"""Tags that no model covers are charted: small shifts of an analyser are found, its holding is not one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.tags import Plant
from tests.monitoring.conftest import TAGS, make_block, row_of

Values = Callable[[int, int], np.ndarray]


def shifts(plant: Plant, normal: Values, size: float, rows: int = 1500) -> list[Alert]:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(2000, 1)))
    values = normal(rows, 2)
    values[500:, 5] += size
    monitor.update(make_block(TAGS, values))
    return [alert for alert in monitor.alerts.all() if alert.key == "shift:AI-1"]


@pytest.mark.parametrize("size", [3.0, -3.0])
def test_a_shift_of_an_analyser_is_found_within_twenty_samples(
    plant: Plant, normal: Values, size: float
) -> None:
    (alert,) = shifts(plant, normal, size)
    assert 500 <= row_of(alert.start) <= 600
    assert alert.active


def test_normal_operation_of_an_analyser_is_no_shift(plant: Plant, normal: Values) -> None:
    assert shifts(plant, normal, 0.0, rows=5000) == []


def test_the_alert_ends_when_the_analyser_is_back(plant: Plant, normal: Values) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(2000, 1)))
    values = normal(1500, 2)
    values[500:900, 5] += 3
    monitor.update(make_block(TAGS, values))
    (alert,) = [alert for alert in monitor.alerts.all() if alert.key == "shift:AI-1"]
    assert alert.end is not None
    assert 900 <= row_of(alert.end) <= 1000


def test_tags_of_a_model_are_not_charted_too(plant: Plant, normal: Values) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(2000, 1)))
    values = normal(600, 2)
    values[300:, 2] += 8
    monitor.update(make_block(TAGS, values))
    assert not [alert for alert in monitor.alerts.all() if alert.key.startswith("shift:")]
