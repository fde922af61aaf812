"""The monitor as a whole: streaming equals batch, its own training, odd blocks, no flood."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.life_cycle import AlertEvent
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import TAGS, at, make_block

Values = Callable[[int, int], np.ndarray]
ROWS = 400


def eventful(normal: Values, seed: int) -> SampleBlock:
    """Rows with steps, ramps, spikes, frozen spans, missing and bad samples, and gaps in time."""
    random = np.random.default_rng(seed)
    values = normal(ROWS, seed)
    for _ in range(random.integers(1, 6)):
        first, tag = random.integers(0, ROWS), random.integers(0, len(TAGS))
        last = first + random.integers(1, 150)
        sd = values[:, tag].std()
        match random.integers(0, 6):
            case 0:
                values[first:last, tag] += sd * random.uniform(-15, 15)
            case 1:
                span = values[first:last, tag]
                span += sd * random.uniform(-0.2, 0.2) * np.arange(len(span))
            case 2:
                values[first, tag] += sd * 50
            case 3:
                values[first:last, tag] = values[first, tag]
            case 4:
                values[first:last, tag] = np.nan
            case _:
                values[first:last] = np.where(
                    random.random(values[first:last].shape) < 0.3, np.nan, values[first:last]
                )
    block = make_block(TAGS, values)
    quality = block.quality.copy()
    quality[random.random(quality.shape) < 0.01] = 2
    times = block.times.copy()
    for _ in range(random.integers(0, 3)):
        gap = np.timedelta64(int(random.integers(1, 90)), "m")
        times[random.integers(0, ROWS) :] += gap
    return SampleBlock(TAGS, times, block.values, quality)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, ROWS - 1), max_size=12),
    single=st.booleans(),
    trained=st.booleans(),
)
def test_what_is_said_does_not_depend_on_how_the_rows_are_cut(
    plant: Plant, normal: Values, seed: int, cuts: list[int], single: bool, trained: bool
) -> None:
    block = eventful(normal, seed)
    whole, pieces = (Monitor(plant, MonitoringSettings(training_rows=150)) for _ in range(2))
    if trained:
        for monitor in (whole, pieces):
            monitor.fit(make_block(TAGS, normal(300, 1)))
    expected = whole.update(block)
    edges = list(range(ROWS + 1)) if single else sorted({0, ROWS, *cuts})
    found: list[AlertEvent] = []
    for first, last in itertools.pairwise(edges):
        found += pieces.update(block.rows(first, last))
    assert found == expected
    assert pieces.alerts.all() == whole.alerts.all()
    assert pieces.quality() == whole.quality()
    assert pieces.steady() == whole.steady()


def test_shelves_run_out_at_the_same_time_however_the_rows_are_cut(
    plant: Plant, normal: Values
) -> None:
    values = normal(200, 2)
    values[20:, 0] = 130
    journals = []
    for size in (1, 7, 150):
        monitor = Monitor(plant, MonitoringSettings())
        monitor.fit(make_block(TAGS, normal(300, 1)))
        monitor.update(make_block(TAGS, values[:50]))
        for alert in monitor.alerts.open():
            monitor.alerts.shelve(alert.id, at(90.5), "test", "ann", at(49))
        rest = make_block(TAGS, values[50:], first=50)
        for first in range(0, len(rest), size):
            monitor.update(rest.rows(first, first + size))
        journals.append(monitor.alerts.journal())
    assert journals[0] == journals[1] == journals[2]
    expired = [event for event in journals[0] if event.transition == "shelve_expired"]
    assert expired
    assert {event.at for event in expired} == {at(90) + timedelta(seconds=30)}


def test_without_training_data_it_learns_from_its_first_rows(plant: Plant, normal: Values) -> None:
    monitor = Monitor(plant, MonitoringSettings(training_rows=200))
    monitor.update(make_block(TAGS, normal(199, 1)))
    assert not monitor.fitted
    monitor.update(make_block(TAGS, normal(2, 2), first=199))
    assert monitor.fitted
    values = normal(50, 3)
    values[20:, 3] += 30
    monitor.update(make_block(TAGS, values, first=201))
    (alert,) = [alert for alert in monitor.alerts.open() if alert.kind == "anomaly"]
    assert alert.start == at(221)
    assert alert.tag == "TI-2"


def test_one_cause_is_one_multivariate_alert_with_shares_that_sum_to_one(
    plant: Plant, normal: Values
) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(400, 1)))
    values = normal(200, 2)
    values[100:, 2] += 12
    events = monitor.update(make_block(TAGS, values))
    assert [event.transition for event in events] == ["raise"]
    alert = events[0].alert
    assert (alert.kind, alert.start, events[0].at) == ("anomaly", at(100), at(105))
    assert alert.tags[0] == alert.contributions[0].tag == "TI-1"
    shares = [part.share for part in alert.contributions]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)
    assert min(shares) >= 0


def test_columns_may_come_in_any_order_with_some_unknown_and_some_absent(
    plant: Plant, normal: Values
) -> None:
    values = normal(100, 2)
    values[50:, 0] = 150
    straight, other = (Monitor(plant, MonitoringSettings()) for _ in range(2))
    straight.update(make_block(TAGS, values))
    tags = ("extra", *reversed(TAGS[:-1]))
    shuffled = np.column_stack([np.zeros(100), values[:, 4::-1]])
    other.update(make_block(tags, shuffled))
    assert other.alerts.all() == straight.alerts.all() != []
    assert other.quality().stale_tags == ("AI-1",)


def test_rows_that_come_twice_or_late_are_left_out(plant: Plant, normal: Values) -> None:
    values = normal(100, 2)
    values[50:, 0] = 150
    block = make_block(TAGS, values)
    straight, other = (Monitor(plant, MonitoringSettings()) for _ in range(2))
    straight.update(block)
    other.update(block.rows(0, 60))
    assert other.update(block.rows(20, 60)) == []
    other.update(block.rows(40, 100))
    assert other.alerts.all() == straight.alerts.all()
    assert other.quality() == straight.quality()


def test_an_empty_block_changes_nothing(plant: Plant, normal: Values) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    assert monitor.update(make_block(TAGS, np.zeros((0, 6)))) == []


def test_a_storm_of_missing_values_is_one_alert_and_shows_in_the_quality(
    plant: Plant, normal: Values
) -> None:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(400, 1)))
    values = normal(500, 2)
    values[100:400] = np.nan
    monitor.update(make_block(TAGS, values[:400]))
    (alert,) = monitor.alerts.all()
    assert (alert.key, alert.kind, alert.severity) == ("lost:source", "frozen", "high")
    assert (alert.start, alert.active, len(alert.tags)) == (at(100), True, 6)
    report = monitor.quality()
    assert report.score == 0.0
    assert len(report.stale_tags) == 6
    assert monitor.mode() is None
    monitor.update(make_block(TAGS, values[400:], first=400))
    (alert,) = monitor.alerts.all()
    assert alert.end is not None
    assert monitor.quality().score == 1.0
    assert monitor.mode() == "steady"


def test_constant_and_absent_tags_in_training_do_no_harm(normal: Values) -> None:
    plant = Plant(tags=tuple(Tag(name=n) for n in (*TAGS, "constant", "absent")))

    def wide(rows: int, seed: int) -> np.ndarray:
        return np.column_stack([normal(rows, seed), np.full(rows, 7.0), np.full(rows, np.nan)])

    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(plant.tag_names, wide(400, 1)))
    monitor.update(make_block(plant.tag_names, wide(400, 2)))
    assert monitor.alerts.all() == []
    assert monitor.quality().stale_tags == ("absent",)


def test_a_plant_of_one_tag_is_watched_without_a_multivariate_model() -> None:
    monitor = Monitor(Plant(tags=(Tag(name="only"),)), MonitoringSettings())
    random = np.random.default_rng(1)
    monitor.fit(make_block(("only",), random.standard_normal((100, 1))))
    monitor.update(make_block(("only",), np.full((100, 1), 0.5)))
    assert [alert.kind for alert in monitor.alerts.all()] == ["frozen"]
