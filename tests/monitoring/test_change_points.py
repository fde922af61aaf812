"""Changes of level: found where they are, sized in the tag's unit, and not made of noise with memory."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.change_points import WINDOW, ChangePoints, segments
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import TAGS, make_block, row_of, times


def with_memory(rows: int, memory: float, seed: int) -> np.ndarray:
    """Noise of unit variance, each row ``memory`` times the one before it and something new."""
    random = np.random.default_rng(seed)
    values = np.zeros(rows + 200)
    for row in range(1, rows + 200):
        values[row] = memory * values[row - 1] + np.sqrt(1 - memory**2) * random.standard_normal()
    return values[200:]


def finder(memory: float) -> ChangePoints:
    tag = Tag(name="FI-1", unit="t/h")
    normal = with_memory(2000, memory, 0)[:, None]
    return ChangePoints([tag], np.array([200.0]), np.array([4.0]), normal)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_normal_noise_changes_its_level_in_few_windows_whatever_its_memory(memory: float) -> None:
    found = finder(memory)
    changed = sum(
        bool(found.latest(times(WINDOW).astype(np.int64), rows[:, None], [0]))
        for rows in (with_memory(WINDOW, memory, seed) for seed in range(1, 301))
    )
    assert changed <= 6


@pytest.mark.parametrize("rows_after", [10, 60])
def test_a_shift_is_dated_and_sized(rows_after: int) -> None:
    rows = with_memory(WINDOW, 0.3, 5)
    rows[-rows_after:] += 6.0
    (change,) = finder(0.3).latest(times(WINDOW).astype(np.int64), rows[:, None], [0])
    assert abs(row_of(change.at) - (WINDOW - rows_after)) <= 1
    assert (change.tag, change.unit) == ("FI-1", "t/h")
    assert change.before == pytest.approx(200, abs=2)
    assert change.after == pytest.approx(224, abs=4)


def test_of_two_changes_the_latest_is_told() -> None:
    rows = with_memory(WINDOW, 0.0, 6)
    rows[30:] += 6.0
    rows[80:] -= 9.0
    assert segments(rows, 1.0) == [0, 30, 80, WINDOW]
    (change,) = finder(0.0).latest(times(WINDOW).astype(np.int64), rows[:, None], [0])
    assert row_of(change.at) == 80


def test_too_few_and_missing_values_are_no_change() -> None:
    assert segments(np.array([0.0, 9.0]), 1.0) == [0, 2]
    rows = with_memory(WINDOW, 0.0, 7)
    rows[::2] = np.nan
    assert finder(0.0).latest(times(WINDOW).astype(np.int64), rows[:, None], [0]) == []


def test_an_alert_tells_which_of_its_tags_changed_level_and_when(plant: Plant, normal) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(400, 1)))
    values = normal(200, 2)
    values[120:, 2] += 12
    raised, *_ = monitor.update(make_block(TAGS, values))
    change = raised.alert.levels[0]
    assert change.tag == "TI-1"
    assert abs(row_of(change.at) - 120) <= 1
    after = values[row_of(change.at) : row_of(raised.at) + 1, 2]
    assert change.after == pytest.approx(after.mean(), rel=1e-3)
    assert change.after > change.before + 5
