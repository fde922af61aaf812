"""The alarm system against the figures of EEMUA 191: counted by hand, and floods held back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.monitoring.alarm_rates import Occurrence, alarm_report
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.life_cycle import Change, Severity
from orchestrator.plant.priority import MATRIX, priority_of, raised

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def occurrence(
    key: str, start: float, end: float | None = None, cause: str | None = None
) -> Occurrence:
    return Occurrence(key, "low", after(start), None if end is None else after(end), cause)


def change(
    key: str, at: float, severity: Severity = "medium", tags: tuple[str, ...] = ()
) -> Change:
    return Change(
        at=after(at),
        since=after(at),
        key=key,
        kind="limit",
        active=True,
        severity=severity,
        tags=tags,
    )


def test_rate_peak_and_standing_are_those_counted_by_hand() -> None:
    items = [occurrence(f"k{i}", 60 + i * 0.5, 120 + i * 0.5) for i in range(12)]
    report = alarm_report(items, START, after(600))
    assert report.alarms == 12
    assert report.average_per_10_minutes == pytest.approx(12 / 60)
    assert report.peak_per_10_minutes == 12
    assert report.flood_share == pytest.approx(1 / 60, abs=1e-6)
    assert report.average_standing == pytest.approx(12 * 60 / 600)
    assert set(report.misses) == {"peak_per_10_minutes", "flood_share", "ten_most_frequent_share"}


def test_an_alarm_that_stands_for_a_day_is_stale_and_one_that_came_back_is_not() -> None:
    items = [occurrence("old", -10), occurrence("back", -10, 1400), occurrence("new", 5)]
    assert alarm_report(items, START, after(1440)).stale == ("old",)


def test_three_times_in_a_minute_chatters_and_three_in_an_hour_does_not() -> None:
    items = [occurrence("c", t, t + 0.1) for t in (10, 10.4, 10.9)]
    items += [occurrence("slow", t, t + 1) for t in (10, 30, 50)]
    assert alarm_report(items, START, after(60)).chattering == ("c",)


def test_alarms_of_one_cause_count_as_one_cause() -> None:
    items = [occurrence("a", 1, 2, "x"), occurrence("b", 1, 2, "x"), occurrence("c", 1, 2)]
    report = alarm_report(items, START, after(60))
    assert (report.alarms, report.causes) == (3, 2)


def test_no_alarm_at_all_misses_nothing() -> None:
    report = alarm_report([], START, after(60))
    assert (report.alarms, report.misses, report.peak_per_10_minutes) == (0, (), 0)


def test_in_a_flood_the_less_urgent_is_withheld_and_the_urgent_is_not() -> None:
    book = AlertBook()
    for i in range(10):
        book.apply(change(f"k{i}", i * 0.1))
    book.apply(change("late", 2))
    book.apply(change("urgent", 2, "critical"))
    states = {alert.key: alert.state for alert in book.all()}
    assert states["late"] == "suppressed_by_design"
    assert states["urgent"] == "unacknowledged"
    (event,) = book.tick(after(12))
    assert (event.alert.key, event.transition) == ("late", "unsuppress")
    assert event.alert.state == "unacknowledged"


def test_what_returned_during_the_flood_is_never_annunciated() -> None:
    book = AlertBook()
    for i in range(10):
        book.apply(change(f"k{i}", i * 0.1))
    book.apply(change("late", 2))
    book.apply(Change(at=after(5), since=after(5), key="late", kind="limit", active=False))
    assert [event.alert.state for event in book.tick(after(12))] == ["normal"]


def test_ten_alarms_in_an_hour_are_no_flood() -> None:
    book = AlertBook()
    for i in range(12):
        book.apply(change(f"k{i}", i * 5.0))
    assert {alert.state for alert in book.all()} == {"unacknowledged"}


def test_a_limit_of_a_tag_that_an_open_anomaly_names_has_its_cause() -> None:
    book = AlertBook()
    (event,) = book.apply(
        Change(
            at=after(1),
            since=after(0),
            key="anomaly:plant",
            kind="anomaly",
            active=True,
            severity="high",
            tags=("TI-1", "FI-1"),
        )
    )
    book.apply(change("limit:TI-1:high", 2, tags=("TI-1",)))
    book.apply(change("limit:PI-9:high", 2, tags=("PI-9",)))
    causes = {alert.key: alert.cause for alert in book.all()}
    assert causes["limit:TI-1:high"] == event.alert.id
    assert causes["limit:PI-9:high"] is None


def test_less_time_and_worse_consequence_never_lower_the_priority() -> None:
    order = ("low", "medium", "high", "critical")
    for row in MATRIX.values():
        assert [order.index(p) for p in row] == sorted(order.index(p) for p in row)
    for column in zip(*MATRIX.values(), strict=True):
        assert [order.index(p) for p in column] == sorted(order.index(p) for p in column)
    assert priority_of("minor", 60) == "low"
    assert priority_of("major", 5) == "high"
    assert priority_of("severe", 1) == raised("high") == raised("critical") == "critical"
