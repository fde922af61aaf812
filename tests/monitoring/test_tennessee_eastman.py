"""The Tennessee Eastman process: few false alarms, quick detection, the right tags."""

from __future__ import annotations

import csv
import gzip
from functools import cache

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import SHARED

FOLDER = SHARED / "data" / "tep"
FAULT_ROW = 160
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"reference data is absent: {FOLDER}")


@cache
def read(name: str) -> SampleBlock:
    with gzip.open(FOLDER / f"{name}.csv.gz", "rt") as file:
        header, *lines = csv.reader(file)
    values = np.array([line[1:] for line in lines], dtype=np.float64)
    stamps = np.array([line[0].rstrip("Z") for line in lines], dtype="datetime64[us]")
    return SampleBlock(tuple(header[1:]), stamps, values, np.zeros(values.shape, dtype=np.uint8))


@cache
def alerts(name: str) -> tuple[tuple[int, Alert], ...]:
    train, test = read("d00"), read(name)
    monitor = Monitor(Plant(tags=tuple(Tag(name=t) for t in train.tags)), MonitoringSettings())
    monitor.fit(train)
    for row in range(0, len(test), 20):
        monitor.update(test.rows(row, row + 20))
    return tuple(
        (round((alert.start - test.start).total_seconds() / 180), alert)
        for alert in monitor.alerts.all()
    )


FAULTS = ["d01_te", "d04_te", "d05_te", "d11_te", "d14_te"]


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_found_at_once_and_hardly_anything_before(name: str) -> None:
    starts = [row for row, _ in alerts(name)]
    assert sum(row < FAULT_ROW for row in starts) <= 2
    assert any(FAULT_ROW <= row < FAULT_ROW + 20 for row in starts)


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_does_not_make_a_flood(name: str) -> None:
    assert len(alerts(name)) <= 10


def test_normal_operation_raises_few_alerts() -> None:
    assert len(alerts("d00_te")) <= 2


def first_tags(name: str) -> list[str]:
    _, alert = next(item for item in alerts(name) if item[0] >= FAULT_ROW)
    return [part.tag for part in alert.contributions[:3]]


def test_the_condenser_fault_points_at_the_separator_and_the_stripper() -> None:
    assert {"XMEAS_11", "XMEAS_22"} & set(first_tags("d05_te"))


def test_the_reactor_cooling_fault_points_at_its_valve() -> None:
    assert first_tags("d04_te")[0] == "XMV_10"
