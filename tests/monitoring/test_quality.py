"""Data quality: missing, stale, frozen, out of range, spike, rate, and the scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.errors import ConfigurationError, InsufficientDataError
from orchestrator.monitoring.monitor import Monitor
from orchestrator.monitoring.quality import WINDOW
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, Tag
from tests.monitoring.conftest import TAGS, at, make_block

Values = Callable[[int, int], np.ndarray]


@pytest.fixture
def monitor(plant: Plant, normal: Values) -> Monitor:
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(TAGS, normal(400, 1)))
    return monitor


def test_normal_data_is_perfect(monitor: Monitor, normal: Values) -> None:
    monitor.update(make_block(TAGS, normal(200, 2)))
    report = monitor.quality()
    assert (report.score, report.missing_share, report.tags) == (1.0, 0.0, {})


def test_before_the_first_row_nothing_is_claimed(plant: Plant) -> None:
    report = Monitor(plant, MonitoringSettings()).quality()
    assert report.score is None
    assert report.missing_share is None


def test_missing_samples_lower_the_score_of_their_tag_alone(
    monitor: Monitor, normal: Values
) -> None:
    values = normal(WINDOW, 2)
    values[::4, 1] = np.nan
    monitor.update(make_block(TAGS, values))
    report = monitor.quality()
    assert report.missing_share == pytest.approx(0.25 / 6, abs=1e-6)
    assert set(report.tags) == {"FI-2"}
    assert report.tags["FI-2"].score == pytest.approx(0.75)
    assert report.tags["FI-2"].reasons == ("missing: 25% of the last 60 rows",)
    assert report.score == pytest.approx(1 - 0.25 / 6, abs=1e-6)


def test_a_sample_of_bad_quality_is_named_as_such(monitor: Monitor, normal: Values) -> None:
    block = make_block(TAGS, normal(WINDOW, 2))
    quality = block.quality.copy()
    quality[:30, 0] = 2
    monitor.update(SampleBlock(TAGS, block.times, block.values, quality))
    assert monitor.quality().tags["FI-1"].reasons == ("bad quality: 50% of the last 60 rows",)


def test_a_tag_sampled_more_rarely_is_not_missing_between_its_samples(normal: Values) -> None:
    tags = ("FI-1", "FI-2", "TI-1", "TI-2", "PI-1", "AI-1")
    plant = Plant(tags=tuple(Tag(name=name) for name in tags))

    def sparse(rows: int, seed: int) -> np.ndarray:
        values = normal(rows, seed)
        values[np.arange(rows) % 5 != 0, 5] = np.nan
        return values

    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(tags, sparse(400, 1)))
    monitor.update(make_block(tags, sparse(100, 2), first=400))
    assert monitor.quality().missing_share == 0.0
    late = sparse(20, 3)
    late[:, 5] = np.nan
    monitor.update(make_block(tags, late, first=500))
    report = monitor.quality()
    assert report.stale_tags == ("AI-1",)
    assert report.tags["AI-1"].score == 0.0


def test_a_tag_that_stops_is_stale_after_three_periods(monitor: Monitor, normal: Values) -> None:
    values = normal(100, 2)
    values[97:, 2] = np.nan
    monitor.update(make_block(TAGS, values))
    assert monitor.quality().stale_tags == ()
    monitor.update(make_block(TAGS, values[97:98], first=100))
    report = monitor.quality()
    assert report.stale_tags == ("TI-1",)
    assert "stale: no sample for 240 s" in report.tags["TI-1"].reasons


def test_a_silent_source_makes_all_tags_stale_as_time_goes_by(
    monitor: Monitor, normal: Values
) -> None:
    monitor.update(make_block(TAGS, normal(100, 2)))
    assert monitor.quality(at(101)).stale_tags == ()
    report = monitor.quality(at(110))
    assert set(report.stale_tags) == set(TAGS)
    assert report.score == 0.0


def test_a_tag_never_seen_counts_unless_its_kind_may_be_absent(normal: Values) -> None:
    plant = Plant(tags=(Tag(name="FI-1"), Tag(name="gone"), Tag(name="crude", kind="price")))
    monitor = Monitor(plant, MonitoringSettings())
    monitor.update(make_block(("FI-1",), normal(10, 1)[:, :1]))
    report = monitor.quality()
    assert report.stale_tags == ("gone",)
    assert report.tags["gone"].reasons[-1] == "never seen"
    assert report.score == 0.5


def test_the_normal_hold_of_an_analyser_is_not_frozen(monitor: Monitor, normal: Values) -> None:
    values = normal(200, 2)
    values[100:114, 5] = values[100, 5]
    monitor.update(make_block(TAGS, values[:114]))
    assert monitor.quality().frozen_tags == ()


def test_a_value_implausibly_far_outside_its_normal_range_is_flagged_an_upset_is_not(
    monitor: Monitor, normal: Values
) -> None:
    values = normal(WINDOW, 2)
    values[10:20, 0] += np.linspace(0, 50, 10)
    values[20:30, 0] = 150
    monitor.update(make_block(TAGS, values))
    assert not any("range" in r for t in monitor.quality().tags.values() for r in t.reasons)
    values[20:50, 0] = 1000
    monitor.update(make_block(TAGS, values, first=WINDOW))
    assert "out of range: 50% of the last 60 rows" in monitor.quality().tags["FI-1"].reasons


def test_a_single_spike_is_flagged_and_a_step_or_an_oscillation_is_not(
    monitor: Monitor, normal: Values
) -> None:
    values = normal(WINDOW, 2)
    values[30, 3] += 100
    values[30:, 4] += 100
    values[::2, 2] += 100
    monitor.update(make_block(TAGS, values))
    report = monitor.quality()
    assert report.tags["TI-2"].reasons == ("spikes: 2% of the last 60 rows",)
    # The first swing out and back looks like a spike until the next one comes.
    assert set(report.tags) == {"TI-1", "TI-2"}
    assert report.tags["TI-1"].reasons == ("spikes: 2% of the last 60 rows",)


def test_a_change_faster_than_the_rate_limit_is_flagged(monitor: Monitor, normal: Values) -> None:
    values = normal(WINDOW, 2)
    values[30:, 0] += 45
    monitor.update(make_block(TAGS, values))
    assert "changes faster" in monitor.quality().tags["FI-1"].reasons[0]


def test_training_on_too_few_rows_is_refused(plant: Plant, normal: Values) -> None:
    with pytest.raises(InsufficientDataError, match="19 rows"):
        Monitor(plant, MonitoringSettings()).fit(make_block(TAGS, normal(19, 1)))


def test_a_plant_without_tags_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="without tags"):
        Monitor(Plant(), MonitoringSettings())
