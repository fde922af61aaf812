"""ISA-18.2 states and transitions of the alert book."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.life_cycle import WITHHELD, Change, Severity, alert_id
from tests.monitoring.conftest import at

KEY = "limit:FI-1:high"


def begins(row: int, severity: Severity = "high", key: str = KEY) -> Change:
    return Change(
        at=at(row + 1), since=at(row), key=key, kind="limit", active=True,
        severity=severity, tags=("FI-1",), message="high",
    )  # fmt: skip


def ends(row: int, key: str = KEY) -> Change:
    return Change(at=at(row + 1), since=at(row), key=key, kind="limit", active=False)


@pytest.fixture
def book() -> AlertBook:
    book = AlertBook()
    book.apply(begins(0))
    return book


def state(book: AlertBook, index: int = -1) -> str:
    return book.all()[index].state


def test_an_alert_is_raised_once_however_often_the_condition_is_told(book: AlertBook) -> None:
    assert book.apply(begins(1)) == []
    assert [a.id for a in book.open()] == [alert_id(KEY, at(0))]


def test_the_same_occurrence_has_the_same_id_in_another_replay(book: AlertBook) -> None:
    other = AlertBook()
    other.apply(begins(0))
    assert other.all() == book.all()


def test_acknowledged_then_returned_is_normal(book: AlertBook) -> None:
    event = book.acknowledge(book.open()[0].id, "ann", at(3))
    assert (event.previous, event.alert.state) == ("unacknowledged", "acknowledged")
    assert event.alert.acknowledged_by == "ann"
    (event,) = book.apply(ends(5))
    assert event.alert.state == "normal"
    assert event.alert.end == at(5)
    assert book.open() == []


def test_returned_before_anybody_saw_it_waits_for_an_acknowledgement(book: AlertBook) -> None:
    book.apply(ends(5))
    assert state(book) == "returned_unacknowledged"
    assert book.open() == []
    book.acknowledge(book.all()[0].id, "ann", at(9))
    assert state(book) == "normal"


def test_a_new_occurrence_supersedes_the_unseen_older_one(book: AlertBook) -> None:
    book.apply(ends(5))
    events = book.apply(begins(8))
    assert [event.transition for event in events] == ["supersede", "raise"]
    assert [alert.state for alert in book.all()] == ["normal", "unacknowledged"]


def test_a_higher_severity_annunciates_anew_and_a_lower_one_does_nothing(book: AlertBook) -> None:
    book.acknowledge(book.open()[0].id, "ann", at(2))
    (event,) = book.apply(begins(3, "critical"))
    assert (event.transition, event.alert.state) == ("escalate", "unacknowledged")
    assert event.alert.severity == "critical"
    assert book.apply(begins(4, "medium")) == []


def test_a_shelf_that_runs_out_annunciates_anew_at_its_own_time(book: AlertBook) -> None:
    id_ = book.open()[0].id
    book.shelve(id_, at(60), "valve is being repaired", "ann", at(2))
    assert state(book) == "shelved"
    assert book.open() == []
    assert book.tick(at(59)) == []
    (event,) = book.tick(at(100))
    assert (event.transition, event.at, event.alert.state) == (
        "shelve_expired",
        at(60),
        "unacknowledged",
    )
    assert event.alert.shelved_until is None


def test_whoever_unshelves_has_seen_the_alert(book: AlertBook) -> None:
    id_ = book.open()[0].id
    book.shelve(id_, at(60), "test", "ann", at(2))
    event = book.unshelve(id_, "bob", at(10))
    assert event.alert.state == "acknowledged"
    assert event.alert.acknowledged_by == "bob"
    assert book.tick(at(100)) == []


def test_a_shelved_alert_that_returned_is_normal_after_the_shelf(book: AlertBook) -> None:
    book.shelve(book.open()[0].id, at(60), "test", "ann", at(2))
    book.apply(ends(5))
    assert state(book) == "shelved"
    book.tick(at(60))
    assert state(book) == "normal"


def test_a_new_occurrence_under_a_shelf_is_recorded_and_not_annunciated(book: AlertBook) -> None:
    book.shelve(book.open()[0].id, at(60), "test", "ann", at(2))
    book.apply(ends(5))
    book.apply(begins(10))
    assert [alert.state for alert in book.all()] == ["normal", "shelved"]
    assert book.open() == []
    book.apply(begins(70, key="limit:other:low"))
    assert {alert.key for alert in book.open()} == {KEY, "limit:other:low"}


def test_a_shelf_whose_alert_is_gone_ends_silently_with_its_time(book: AlertBook) -> None:
    book.shelve(book.open()[0].id, at(60), "test", "ann", at(2))
    book.apply(ends(5))
    book.tick(at(60))
    (event,) = book.apply(begins(70))
    assert event.alert.state == "unacknowledged"


@pytest.mark.parametrize(
    ("how", "back", "withheld"),
    [
        ("suppress", "unsuppress", "suppressed_by_design"),
        ("remove_from_service", "return_to_service", "out_of_service"),
    ],
)
def test_a_withheld_condition_is_recorded_and_annunciated_when_given_back(
    book: AlertBook, how: Any, back: Any, withheld: str
) -> None:
    first = book.open()[0].id
    event = book.withhold(first, how, "pump stopped", "ann", at(2))
    assert (event.alert.state, event.by, event.reason) == (withheld, "ann", "pump stopped")
    book.apply(ends(5))
    book.apply(begins(8))
    assert state(book) == withheld
    assert book.open() == []
    newest = book.all()[-1].id
    with pytest.raises(ConflictError, match=newest):
        book.give_back(first, back, "ann", at(9))
    event = book.give_back(newest, back, "ann", at(9))
    assert (event.alert.state, event.alert.withheld_reason) == ("unacknowledged", None)
    with pytest.raises(ConflictError):
        book.give_back(newest, back, "ann", at(10))


def test_a_suppression_with_an_end_ends_by_itself(book: AlertBook) -> None:
    id_ = book.open()[0].id
    book.withhold(id_, "suppress", "start-up", "ann", at(2), until=at(30))
    assert book.tick(at(29)) == []
    (event,) = book.tick(at(40))
    assert (event.transition, event.at, event.alert.state) == (
        "unsuppress",
        at(30),
        "unacknowledged",
    )
    with pytest.raises(ParameterError, match="must end after"):
        book.withhold(id_, "suppress", "start-up", "ann", at(50), until=at(50))
    with pytest.raises(ParameterError, match="reason"):
        book.withhold(id_, "remove_from_service", " ", "ann", at(50))


def test_what_is_out_of_service_is_so_after_a_restart_though_it_has_returned(
    book: AlertBook,
) -> None:
    book.withhold(book.open()[0].id, "remove_from_service", "in repair", "ann", at(2))
    book.apply(ends(5))
    later = AlertBook()
    later.restore(book.all())
    later.apply(begins(9))
    assert [alert.state for alert in later.all()] == ["normal", "out_of_service"]


def test_a_key_can_be_withheld_before_it_ever_alarmed() -> None:
    book = AlertBook()
    assert book.suppress(KEY, "unit is not built yet", at(0)) == []
    book.apply(begins(1))
    assert state(book) == "suppressed_by_design"


def test_what_makes_no_sense_is_refused(book: AlertBook) -> None:
    id_ = book.open()[0].id
    with pytest.raises(NotFoundError, match="no alert 'nothing'"):
        book.acknowledge("nothing", "ann", at(2))
    with pytest.raises(ParameterError, match="reason"):
        book.shelve(id_, at(60), " ", "ann", at(2))
    with pytest.raises(ParameterError, match="must end after"):
        book.shelve(id_, at(1), "test", "ann", at(2))
    with pytest.raises(ParameterError, match="time zone"):
        book.shelve(id_, datetime(2027, 1, 1), "test", "ann", at(2))  # noqa: DTZ001
    with pytest.raises(ConflictError, match="unacknowledged"):
        book.unshelve(id_, "ann", at(2))
    book.acknowledge(id_, "ann", at(3))
    with pytest.raises(ConflictError, match="acknowledged"):
        book.acknowledge(id_, "ann", at(4))
    assert state(book) == "acknowledged"


def test_a_restarted_book_goes_on_where_the_old_one_stood(book: AlertBook) -> None:
    book.shelve(book.open()[0].id, at(60), "test", "ann", at(2))
    again = AlertBook()
    again.restore(book.all())
    assert again.all() == book.all()
    assert again.apply(begins(3)) == []
    assert again.tick(at(60))[0].alert.state == "unacknowledged"


def test_the_record_for_the_database_holds_the_whole_alert(book: AlertBook) -> None:
    alert = book.open()[0]
    record = alert.record()
    assert (record.id, record.state, record.tags) == (alert.id, alert.state, ("FI-1",))
    assert type(alert).model_validate(record.document) == alert


steps = st.lists(
    st.sampled_from(
        [
            "begin",
            "worsen",
            "end",
            "acknowledge",
            "shelve",
            "unshelve",
            "wait",
            "suppress",
            "give",
            "remove",
            "return",
        ]
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps)
def test_any_order_of_steps_keeps_the_book_consistent(path: list[str]) -> None:
    book = AlertBook()
    for row, step in enumerate(path):
        now = at(10 * row + 5)
        try:
            match step:
                case "begin" | "worsen":
                    book.apply(begins(10 * row, "high" if step == "begin" else "critical"))
                case "end":
                    book.apply(ends(10 * row))
                case "suppress":
                    book.suppress(KEY, "design", now)
                case "wait":
                    book.tick(now)
                case _:
                    if book.all():
                        latest = book.all()[-1].id
                        if step == "acknowledge":
                            book.acknowledge(latest, "ann", now)
                        elif step == "shelve":
                            book.shelve(latest, at(10 * row + 30), "why", "ann", now)
                        elif step == "remove":
                            book.withhold(latest, "remove_from_service", "why", "ann", now)
                        elif step == "return":
                            book.give_back(latest, "return_to_service", "ann", now)
                        elif step == "give":
                            book.give_back(latest, "unsuppress", "ann", now)
                        else:
                            book.unshelve(latest, "ann", now)
        except ConflictError:
            continue
    active = [alert for alert in book.all() if alert.active]
    assert len(active) <= 1
    for alert in book.all():
        assert alert.active or alert.state not in {"unacknowledged", "acknowledged"}
        assert not (alert.active and alert.state in {"normal", "returned_unacknowledged"})
        assert (alert.withheld_reason is not None) == (alert.state in WITHHELD)
    events = book.journal()
    for alert in book.all():
        own = [event for event in events if event.alert.id == alert.id]
        assert own[0].transition == "raise"
        assert own[-1].alert == alert
        for earlier, later in itertools.pairwise(own):
            assert later.previous == earlier.alert.state
