"""What never moved in normal operation and then does is told, though no model can know it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.judgement import Judge
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import TAGS, make_block, row_of

Values = Callable[[int, int], np.ndarray]
NAMES = (*TAGS, "FI-9")


def with_one_more(plant: Plant, **facts: object) -> Plant:
    more = Tag.model_validate({"name": "FI-9", "area": "A", "kind": "flow", **facts})
    return plant.model_copy(update={"tags": (*plant.tags, more)})


def record(values: np.ndarray, column: np.ndarray, first: int = 0) -> SampleBlock:
    return make_block(NAMES, np.column_stack([values, column]), first)


def told(plant: Plant, normal: Values, moved: np.ndarray, level: float = 7.0) -> list[Alert]:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(record(normal(1000, 1), np.full(1000, level)))
    monitor.update(record(normal(len(moved), 2), moved, 1000))
    return [alert for alert in monitor.alerts.all() if alert.key == "constant:FI-9"]


def stepped(level: float, to: float, first: int, last: int, rows: int = 300) -> np.ndarray:
    found = np.full(rows, level)
    found[first:last] = to
    return found


def test_the_first_move_of_what_stood_still_is_told_until_it_is_back(
    plant: Plant, normal: Values
) -> None:
    (alert,) = told(with_one_more(plant), normal, stepped(7.0, 7.1, 100, 200))
    assert row_of(alert.start) == 1100
    assert alert.end is not None
    assert row_of(alert.end) == 1200
    assert "stood at 7" in alert.message


@pytest.mark.parametrize(
    ("facts", "moved"),
    [
        ({}, stepped(7.0, 7.0, 0, 0)),
        ({}, stepped(7.0, 7.5, 100, 102)),
        ({}, stepped(7.0, 7.005, 100, 200)),
        ({"normal": (0, 500)}, stepped(7.0, 7.4, 100, 200)),
        ({"controllable": True}, stepped(7.0, 9.0, 100, 200)),
        ({"kind": "valve"}, stepped(7.0, 9.0, 100, 200)),
        ({}, stepped(7.0, np.nan, 100, 200)),
    ],
)
def test_no_move_a_spike_noise_a_handle_a_valve_and_nothing_at_all_are_not_told(
    plant: Plant, normal: Values, facts: dict[str, object], moved: np.ndarray
) -> None:
    assert told(with_one_more(plant, **facts), normal, moved) == []


def test_a_flow_that_begins_is_told_row_by_row_as_in_one_block(
    plant: Plant, normal: Values
) -> None:
    whole = with_one_more(plant)
    moved = stepped(0.0, 0.2, 100, 300)
    (batch,) = told(whole, normal, moved, level=0.0)
    monitor = Monitor(whole, MonitoringSettings())
    monitor.fit(record(normal(1000, 1), np.zeros(1000)))
    block = record(normal(300, 2), moved, 1000)
    for row in range(300):
        monitor.update(block.rows(row, row + 1))
    (single,) = [alert for alert in monitor.alerts.all() if alert.key == "constant:FI-9"]
    assert (single.start, single.message) == (batch.start, batch.message)


def test_what_moves_in_the_same_row_is_one_alert_until_the_last_is_back(
    plant: Plant, normal: Values
) -> None:
    more = tuple(Tag(name=f"FI-{n}", area="A", kind="flow") for n in (7, 8))
    names = (*TAGS, "FI-7", "FI-8")
    monitor = Monitor(plant.model_copy(update={"tags": (*plant.tags, *more)}), MonitoringSettings())
    monitor.fit(make_block(names, np.column_stack([normal(1000, 1), np.zeros((1000, 2))])))
    moved = np.column_stack([stepped(0.0, 1.0, 100, 150), stepped(0.0, 2.0, 100, 200)])
    moved[170:230, 0] = 1.0  # leaves again before the other is back
    monitor.update(make_block(names, np.column_stack([normal(300, 2), moved]), 1000))
    (alert,) = [each for each in monitor.alerts.all() if each.key.startswith("constant:")]
    assert alert.tags == ("FI-7", "FI-8")
    assert alert.message.endswith("and is 1; 1 more left their level with it")
    assert alert.end is not None
    assert row_of(alert.end) == 1230


def test_a_judged_record_has_it_as_an_alert(plant: Plant, normal: Values) -> None:
    judge = Judge(
        record(normal(1000, 1), np.full(1000, 7.0)), with_one_more(plant), MonitoringSettings()
    )
    judgement = judge.judge(record(normal(300, 2), stepped(7.0, 8.0, 100, 200), 1000))
    (alert,) = [each for each in judgement.alerts if "stood at 7" in each["diagnosis"]]
    assert alert["contributions"] == [{"tag": "FI-9", "share": 1.0}]
    assert judgement.times[100].isoformat().replace("+00:00", "Z") == alert["start"]
