"""Limit alarms: severity by limit, dead band, delays."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.tags import Limits, Plant, Tag
from tests.monitoring.conftest import at, make_block

SETTINGS = MonitoringSettings(limit_on_delay=2, limit_off_delay=3)


def watched(values: list[float], **tag: object) -> Monitor:
    known = {"limits": Limits(low_low=0, low=10, high=90, high_high=100), "dead_band": 5.0} | tag
    monitor = Monitor(Plant(tags=(Tag(name="FI-1", **known),)), SETTINGS)
    monitor.update(make_block(("FI-1",), np.array(values)[:, None]))
    return monitor


def test_one_sample_beyond_a_limit_is_not_an_alarm() -> None:
    assert watched([50, 95, 50, 50, 95, 50]).alerts.all() == []


def test_start_is_the_first_row_beyond_and_end_the_first_row_back() -> None:
    (alert,) = watched([50, 95, 95, 95, 50, 50, 50, 50]).alerts.all()
    assert (alert.kind, alert.key, alert.severity) == ("limit", "limit:FI-1:high", "high")
    assert (alert.start, alert.end) == (at(1), at(4))


def test_a_value_inside_the_dead_band_keeps_the_alarm() -> None:
    (alert,) = watched([95, 95, *[87] * 20]).alerts.all()
    assert alert.active
    (alert,) = watched([95, 95, *[84] * 20]).alerts.all()
    assert alert.end == at(2)


def test_the_outer_limit_raises_the_severity_of_the_same_alert() -> None:
    monitor = watched([95, 95, 105, 105, 97, 97, 97, 97, 50, 50, 50])
    (alert,) = monitor.alerts.all()
    assert alert.severity == "critical"
    assert alert.end == at(8)
    assert [event.transition for event in monitor.alerts.journal()] == [
        "raise",
        "escalate",
        "return",
    ]


def test_low_limits_work_downwards() -> None:
    (alert,) = watched([50, -5, -5, -5]).alerts.all()
    assert (alert.key, alert.severity) == ("limit:FI-1:low", "critical")


def test_a_tag_with_an_outer_limit_only_still_ends_its_alarm() -> None:
    (alert,) = watched([105, 105, 50, 50, 50], limits=Limits(high_high=100)).alerts.all()
    assert (alert.severity, alert.end) == ("critical", at(2))


def test_missing_values_neither_raise_nor_end_an_alarm() -> None:
    (alert,) = watched([95, 95, *[np.nan] * 30]).alerts.all()
    assert alert.active
    assert watched([50, *[np.nan] * 30]).alerts.all() == []


@pytest.mark.parametrize(("kind", "share"), [("flow", 0.05), ("temperature", 0.01)])
def test_without_a_dead_band_the_usual_one_of_the_kind_holds(kind: str, share: float) -> None:
    known = {"kind": kind, "dead_band": 0.0, "normal": (10.0, 90.0)}
    inside, outside = 90 - 80 * share * 0.9, 90 - 80 * share * 1.1
    (alert,) = watched([95, 95, *[inside] * 9], **known).alerts.all()
    assert alert.active
    (alert,) = watched([95, 95, *[outside] * 9], **known).alerts.all()
    assert not alert.active
