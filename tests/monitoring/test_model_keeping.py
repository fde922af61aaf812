"""What was learned survives a restart, follows the plant when it moves on purpose, and never a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.model_store import ModelStore, fingerprint
from orchestrator.monitoring.monitor import RESTORED_ROWS, Monitor
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import TAGS, at, make_block

Values = Callable[[int, int], np.ndarray]
SETTINGS = MonitoringSettings(training_rows=300)


@pytest.fixture
def with_handle() -> Plant:
    """The usual six tags and the set point of the first."""
    names = (*TAGS, "FIC-1.SP")
    return Plant(tags=tuple(Tag(name=name, controllable=name == "FIC-1.SP") for name in names))


def moved(normal: Values, rows: int, at: int, *, planned: bool) -> np.ndarray:
    """Rows in which flow 1 rises by six standard deviations for good, by its set point or by itself."""
    values = np.column_stack([normal(rows, 5), np.full(rows, 100.0)])
    values[at:, 0] += 18.0
    if planned:
        values[at:, 6] = 118.0
    return values


def trained(plant: Plant, normal: Values, folder: Path) -> Monitor:
    monitor = Monitor(plant, SETTINGS, ModelStore(folder))
    values = np.column_stack([normal(400, 1), np.full(400, 100.0)])
    monitor.fit(make_block(plant.tag_names, values, first=-400))
    return monitor


def test_a_restart_says_the_same_as_if_there_had_been_none(
    plant: Plant, normal: Values, tmp_path: Path
) -> None:
    before = Monitor(plant, SETTINGS, ModelStore(tmp_path))
    before.fit(make_block(TAGS, normal(400, 1), first=-400))
    after = Monitor(plant, SETTINGS, ModelStore(tmp_path))
    record = after.restore()
    assert record is not None
    assert (record.version, record.rows, after.fitted) == (1, 400, True)
    values = normal(200, 2)
    values[100:, 2] += 12
    assert after.update(make_block(TAGS, values)) == before.update(make_block(TAGS, values)) != []


def test_what_a_run_learned_from_its_first_rows_is_kept(
    plant: Plant, normal: Values, tmp_path: Path
) -> None:
    Monitor(plant, SETTINGS, ModelStore(tmp_path)).update(make_block(TAGS, normal(350, 1)))
    record = Monitor(plant, SETTINGS, ModelStore(tmp_path)).restore()
    assert record is not None
    assert record.rows == 300
    assert "first rows" in record.reason


def test_rows_that_were_changed_on_disk_are_not_used_and_the_version_before_is(
    plant: Plant, normal: Values, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path)
    first = make_block(TAGS, normal(300, 1))
    store.save(first, reason="first")
    store.save(make_block(TAGS, normal(300, 2)), reason="second")
    path = tmp_path / "0002.npz"
    path.write_bytes(path.read_bytes()[:-200])
    found = store.load()
    assert found is not None
    assert (found[0].version, fingerprint(found[1])) == (1, fingerprint(first))
    assert [record.reason for record in store.records()] == ["first", "second"]


def test_the_same_rows_make_no_new_version(normal: Values, tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    block = make_block(TAGS, normal(300, 1))
    assert store.save(block, reason="a").version == store.save(block, reason="b").version == 1


def test_a_model_of_another_plant_is_left_alone(normal: Values, tmp_path: Path) -> None:
    ModelStore(tmp_path).save(make_block(TAGS, normal(300, 1)), reason="x")
    other = Monitor(Plant(tags=(Tag(name="else"),)), SETTINGS, ModelStore(tmp_path))
    assert other.restore() is None
    assert not other.fitted


def test_a_planned_move_is_withheld_by_design_and_then_learned_anew(
    with_handle: Plant, normal: Values, tmp_path: Path
) -> None:
    monitor = trained(with_handle, normal, tmp_path)
    values = moved(normal, 900, 100, planned=True)
    monitor.update(make_block(with_handle.tag_names, values))
    (alert,) = [alert for alert in monitor.alerts.all() if alert.kind == "anomaly"]
    first = next(e for e in monitor.alerts.journal() if e.alert.id == alert.id)
    assert first.alert.state == "suppressed_by_design"
    assert "planned move of FIC-1.SP from 100 to 118" in (first.alert.withheld_reason or "")
    assert not alert.active
    records = ModelStore(tmp_path).records()
    assert [record.version for record in records] == [1, 2]
    assert "moved for good" in records[1].reason
    assert records[1].start > make_block(with_handle.tag_names, values).rows(100, 101).start


def test_what_a_planned_move_does_not_explain_any_more_is_annunciated(
    with_handle: Plant, normal: Values, tmp_path: Path
) -> None:
    monitor = trained(with_handle, normal, tmp_path)
    values = moved(normal, 200, 100, planned=True)
    monitor.update(make_block(with_handle.tag_names, values))
    (alert,) = [alert for alert in monitor.alerts.open() if alert.kind == "anomaly"]
    assert alert.state == "unacknowledged"


def test_a_fault_is_never_learned(with_handle: Plant, normal: Values, tmp_path: Path) -> None:
    monitor = trained(with_handle, normal, tmp_path)
    values = moved(normal, 3000, 100, planned=False)
    monitor.update(make_block(with_handle.tag_names, values))
    assert [record.version for record in ModelStore(tmp_path).records()] == [1]
    (alert,) = [alert for alert in monitor.alerts.open() if alert.kind == "anomaly"]
    assert alert.active


def test_a_fault_that_is_there_before_a_planned_move_is_not_learned_with_it(
    with_handle: Plant, normal: Values, tmp_path: Path
) -> None:
    monitor = trained(with_handle, normal, tmp_path)
    values = moved(normal, 2000, 300, planned=True)
    values[100:, 2] += 12
    monitor.update(make_block(with_handle.tag_names, values))
    assert [record.version for record in ModelStore(tmp_path).records()] == [1]


@pytest.mark.parametrize("size", [1, 7, 150])
def test_moves_and_renewals_do_not_depend_on_how_the_rows_are_cut(
    with_handle: Plant, normal: Values, tmp_path: Path, size: int
) -> None:
    values = moved(normal, 700, 100, planned=True)
    block = make_block(with_handle.tag_names, values)
    whole = trained(with_handle, normal, tmp_path / "whole")
    pieces = trained(with_handle, normal, tmp_path / "pieces")
    expected = whole.update(block)
    found = []
    for first in range(0, len(block), size):
        found += pieces.update(block.rows(first, first + size))
    assert found == expected
    assert len(ModelStore(tmp_path / "pieces").records()) == 2


def test_what_is_learned_anew_ends_what_the_old_called_abnormal(
    plant: Plant, normal: Values, tmp_path: Path
) -> None:
    monitor = Monitor(plant, SETTINGS, ModelStore(tmp_path))
    monitor.fit(make_block(TAGS, normal(400, 1), first=-400))
    values = normal(400, 2)
    values[:, 2] += 12
    moved_for_good = make_block(TAGS, values)
    monitor.update(moved_for_good)
    assert [alert.kind for alert in monitor.alerts.open()] == ["anomaly"]
    record, ended = monitor.relearn(moved_for_good, "the crude is another one", "historian")
    assert (record.version, record.reason) == (2, "the crude is another one")
    assert [event.transition for event in ended] == ["return"]
    again = normal(200, 3)
    again[:, 2] += 12
    assert monitor.update(make_block(TAGS, again, first=400)) == []


def test_a_version_that_another_process_stored_is_taken_up(
    plant: Plant, normal: Values, tmp_path: Path
) -> None:
    monitor = Monitor(plant, SETTINGS, ModelStore(tmp_path))
    assert monitor.take_up() is None
    monitor.fit(make_block(TAGS, normal(400, 1), first=-400))
    values = normal(400, 2)
    values[:, 2] += 12
    ModelStore(tmp_path).save(make_block(TAGS, values), reason="by hand")
    taken = monitor.take_up()
    assert taken is not None
    assert taken[0].version == 2
    assert monitor.update(make_block(TAGS, values[:200], first=400)) == []


def restarted(before: Monitor, plant: Plant, folder: Path) -> Monitor:
    after = Monitor(plant, SETTINGS, ModelStore(folder))
    after.alerts.restore(before.alerts.all())
    assert after.restore() is not None
    return after


@pytest.mark.parametrize("cut", [1, 7, 400])
def test_what_ended_while_the_service_was_down_ends_and_what_goes_on_is_the_same_alert(
    plant: Plant, normal: Values, tmp_path: Path, cut: int
) -> None:
    before = Monitor(plant, SETTINGS, ModelStore(tmp_path))
    before.fit(make_block(TAGS, normal(400, 1), first=-400))
    values = normal(60, 2)
    values[20:, 0] += 32.0  # over its limit
    values[20:, 4] += 3.0
    before.update(make_block(TAGS, values))
    old = {alert.key: alert for alert in before.alerts.all() if alert.active}
    assert {alert.kind for alert in old.values()} == {"limit", "anomaly"}

    after = restarted(before, plant, tmp_path)
    later = normal(400, 3)
    later[:, 4] += 3.0
    block = make_block(TAGS, later, first=60)
    for first in range(0, 400, cut):
        after.update(block.rows(first, first + cut))
    for alert in old.values():
        now = after.alerts.get(alert.id)
        assert now.active == (alert.kind == "anomaly")
        if alert.kind == "limit":
            assert now.state == "returned_unacknowledged"
            assert now.end == at(60 + RESTORED_ROWS["limit"] - 1)
            last = [event for event in after.alerts.journal() if event.alert.id == alert.id][-1]
            assert last.reason == "not seen again since the restart"


def test_an_anomaly_that_is_over_after_a_restart_ends_when_the_longest_memory_is_full(
    plant: Plant, normal: Values, tmp_path: Path
) -> None:
    before = Monitor(plant, SETTINGS, ModelStore(tmp_path))
    before.fit(make_block(TAGS, normal(400, 1), first=-400))
    values = normal(60, 2)
    values[20:, 4] += 3.0
    before.update(make_block(TAGS, values))
    (old,) = before.alerts.open()
    after = restarted(before, plant, tmp_path)
    rows = RESTORED_ROWS["anomaly"]
    after.update(make_block(TAGS, normal(rows - 1, 3), first=60))
    assert after.alerts.get(old.id).active
    after.update(make_block(TAGS, normal(1, 4), first=60 + rows - 1))
    assert not after.alerts.get(old.id).active
