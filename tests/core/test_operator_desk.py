"""The operator agent over a small simulated plant; what is stored is tried on both databases."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from operating import MINUTE, MOVES, T0, Operating, content
from sqlalchemy import update

from orchestrator.errors import (
    ConflictError,
    ParameterError,
    RefusedError,
    UnsafeError,
)
from orchestrator.monitoring.life_cycle import Change
from orchestrator.plant.envelope import GrantedTag
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime64
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store
from orchestrator.state.tables import recommendations

Make = Callable[..., Operating]
on_both = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    on_postgres = getattr(request, "param", "sqlite") == "postgresql"
    url = request.getfixturevalue("postgres_url") if on_postgres else None
    database = await Database.open(url, tmp_path)
    await database.migrate()
    opened = Store(database)
    yield opened
    await opened.close()
    await database.close()


@pytest.fixture
async def make(store: Store, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Operating] = []

    def operating(*, after: Operating | None = None, **options: Any) -> Operating:
        """The operator agent of a new process, ``after`` the end of an earlier one on the same home."""
        if after is not None:
            after.close()
            options |= {"clock": after.clock, "plant": after.plant}
        made.append(Operating(store, tmp_path, **options))
        return made[-1]

    yield operating
    for one in made:
        one.close()


@on_both
async def test_an_approved_recommendation_is_applied_at_its_rate_and_verified(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    assert op.plant.writes == []
    approved = await op.desk.approve(record.id, "Anna", record.digest, "agreed")
    assert approved.state == "approved"
    await op.run(10)
    assert await op.state(record) == "verifying"
    assert op.plant.set_points == {"A_SP": 103.0, "B_SP": 52.0}
    steps = [(at, value) for at, tag, value in op.plant.writes if tag == "A_SP"]
    assert [value for _, value in steps] == [101.0, 102.0, 103.0]
    assert all(b[0] - a[0] >= MINUTE for a, b in itertools.pairwise(steps))
    await op.run(35)
    assert await op.state(record) == "completed"
    assert await op.events_of(record) == ["offer", "approve", "begin", "applied", "verified"]
    last = (await op.store.recommendations.trail(record.id))[-1]
    [response] = last.details["response"]
    assert response["expected"] == 6.0
    assert response["measured"] == pytest.approx(6.0, abs=0.3)
    chain = await op.store.audit.verify()
    assert chain.intact
    published = [e.payload["event"] for e in op.seen if e.kind == "recommendation"]
    assert published == ["propose", "offer", "approve", "begin", "applied", "verified"]


async def test_advice_is_never_written_and_seen_when_a_person_follows_it(make: Make) -> None:
    op = make(mode="advisory", write_enabled=False)
    await op.start()
    record = await op.offered()
    approved = await op.desk.approve(record.id, "Anna", record.digest)
    assert approved.state == "approved"
    assert await op.why(record) == "advisory: to be done by hand"
    await op.run(5)
    assert op.plant.writes == []
    op.plant.set_points.update(A_SP=102.0)
    await op.run(3)
    assert await op.state(record) == "approved"
    op.plant.set_points.update(A_SP=103.0, B_SP=52.0)
    await op.run(2)
    assert await op.state(record) == "followed"
    assert op.plant.writes == []


async def test_an_approval_given_for_hands_does_not_become_a_write(make: Make) -> None:
    op = make(mode="advisory")
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.desk.modes.set("supervised", "Berta")
    await op.run(5)
    assert op.plant.writes == []
    assert await op.state(record) == "approved"


@on_both
async def test_an_approval_is_for_the_content_that_was_seen(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    with pytest.raises(ConflictError, match="not that of the stored content"):
        await op.desk.approve(record.id, "Anna", "0" * 64)
    changed = {**record.document, "worth_usd_per_day": 9e9}
    async with op.store.database.write() as connection:
        await connection.execute(
            update(recommendations)
            .where(recommendations.c.id == record.id)
            .values(document=changed)
        )
    with pytest.raises(ConflictError, match="not that of the stored content"):
        await op.desk.approve(record.id, "Anna", record.digest)
    with pytest.raises(ParameterError, match="no person's name"):
        await op.desk.approve(record.id, " Operator Agent ", record.digest)


@pytest.mark.parametrize("what", ["mode", "alert", "handle"])
async def test_an_approval_is_void_when_what_matters_has_changed(make: Make, what: str) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    if what == "mode":
        op.assessor.operator_mode = "transient"
    elif what == "alert":
        op.book.apply(a_limit("A_SP", op))
    else:
        op.plant.set_points["A_SP"] = 101.5
    await op.run(1)
    assert await op.state(record) == "awaiting_approval"
    assert op.plant.writes == []
    assert [a.void for a in await op.store.recommendations.approvals(record.id)] == [True]
    with pytest.raises(ConflictError, match="the situation has changed"):
        await op.desk.approve(record.id, "Anna", record.digest)


async def test_what_does_not_matter_voids_nothing(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    op.book.apply(a_limit("UNRELATED", op))
    op.plant.set_points["A_SP"] = 100.02
    op.feed(30)
    assert (await op.desk.approve(record.id, "Anna", record.digest)).state == "approved"


def a_limit(tag: str, op: Operating, side: str = "high") -> Change:
    now = op.clock.now()
    return Change(
        now, now, f"limit:{tag}:{side}", "limit", True, "high", (tag,), f"{tag} is {side}"
    )


async def test_a_move_beyond_the_soft_limit_needs_two_persons(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered(moves=(("A_SP", 100.0, 112.0, "degC"),))
    first = await op.desk.approve(record.id, "Anna", record.digest)
    assert first.state == "awaiting_second_approval"
    await op.run(2)
    assert op.plant.writes == []
    with pytest.raises(ConflictError, match="second person"):
        await op.desk.approve(record.id, " anna", record.digest)
    second = await op.desk.approve(record.id, "Berta", record.digest)
    assert second.state == "approved"
    await op.run(30)
    assert op.plant.set_points["A_SP"] == 112.0


async def test_the_safety_agent_vetoes_and_refuses(make: Make) -> None:
    op = make()
    await op.start()
    beyond = await op.desk.take(content(moves=(("A_SP", 100.0, 114.9, "degC"), MOVES[1])), None)
    assert beyond.state == "awaiting_approval"
    outside = await op.desk.take(content(moves=(("A_SP", 100.0, 118.0, "degC"),)), None)
    assert outside.state == "vetoed"
    assert "hard limits" in await op.why(outside)
    elsewhere = await op.desk.take(content(moves=(("A_SP", 105.0, 106.0, "degC"),)), None)
    assert elsewhere.state == "vetoed"
    path = [{"tag": "A_SP", "value": 101.0, "at_minutes": 0.0}]
    nowhere = await op.desk.take(content(path=path), None)
    assert nowhere.state == "vetoed"
    assert "the path leaves A_SP at 101, not at 103" in await op.why(nowhere)
    record = await op.offered()
    await op.desk.stop("Berta", "a drill")
    with pytest.raises(UnsafeError, match="stopped by Berta: a drill"):
        await op.desk.approve(record.id, "Anna", record.digest)
    await op.desk.release("Berta")
    op.clock.advance(op.clock.now() + timedelta(hours=1))
    with pytest.raises(ConflictError, match="not fit for use"):
        await op.desk.approve(record.id, "Anna", record.digest)
    assert await op.state(record) == "awaiting_approval"


async def test_a_newer_recommendation_supersedes_an_open_one_for_its_handles(make: Make) -> None:
    op = make()
    await op.start()
    both = await op.offered()
    only_b = await op.offered(moves=(("B_SP", 50.0, 51.0, "t/h"),), expected_response={})
    assert await op.state(both) == "superseded"
    only_a = await op.offered(moves=(("A_SP", 100.0, 101.0, "degC"),))
    assert await op.state(only_b) == "awaiting_approval"
    await op.desk.approve(only_a.id, "Anna", only_a.digest)
    await op.run(1)
    assert await op.state(only_a) == "verifying"
    later = await op.desk.take(content(moves=(("A_SP", 101.0, 102.0, "degC"),)), None)
    assert later.state == "vetoed"
    assert f"being moved by recommendation {only_a.id}" in await op.why(later)


async def test_time_runs_out_and_moves_elsewhere_end_an_open_one(make: Make) -> None:
    op = make(valid_minutes=20)
    await op.start()
    record = await op.offered()
    await op.run(25)
    assert await op.state(record) == "expired"
    with pytest.raises(ConflictError, match="awaits no approval"):
        await op.desk.approve(record.id, "Anna", record.digest)
    other = await op.offered()
    op.plant.set_points["B_SP"] = 48.0
    await op.run(1)
    assert await op.state(other) == "expired"
    assert await op.why(other) == "B_SP was moved elsewhere"


async def test_a_rejection_keeps_its_reason(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    with pytest.raises(ParameterError, match="reason"):
        await op.desk.reject(record.id, "Anna", " ")
    rejected = await op.desk.reject(record.id, "Anna", "the analyser is being calibrated")
    assert rejected.state == "rejected"
    assert await op.why(record) == "the analyser is being calibrated"
    with pytest.raises(ConflictError):
        await op.desk.approve(record.id, "Berta", record.digest)


@pytest.mark.parametrize("how", ["wrong_sign", "wrong_size", "alert", "limit"])
async def test_moves_that_the_plant_answers_badly_are_taken_back(make: Make, how: str) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    if how == "wrong_sign":
        op.plant.gain = -2.0
    elif how == "wrong_size":
        op.plant.gain = 6.0
    await op.run(6)
    if how == "alert":
        op.book.apply(a_limit("T", op))
    elif how == "limit":
        op.plant.disturbance = 400.0
    await op.run(60)
    assert await op.state(record) == "rolled_back", await op.why(record)
    assert op.plant.set_points == {"A_SP": 100.0, "B_SP": 50.0}
    back = next(
        t for t in await op.store.recommendations.trail(record.id) if t.event == "roll_back"
    )
    said = {
        "wrong_sign": "wrong sign: T",
        "wrong_size": "wrong size: T",
        "alert": "limit alert on T",
    }
    assert said.get(how, "limit crossed: T high_high") in back.reason


async def test_an_inner_limit_that_is_soon_kept_again_takes_nothing_back(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(6)
    crossed = a_limit("T", op)
    op.book.apply(crossed)
    await op.run(10)
    assert await op.state(record) == "verifying"
    op.book.apply(replace(crossed, at=op.clock.now(), since=op.clock.now(), active=False))
    await op.run(30)
    assert await op.state(record) == "completed", await op.why(record)


def a_trend(op: Operating) -> Change:
    now = op.clock.now()
    return Change(now, now, "trend:T:rising", "trend", True, "high", ("T",), "T is rising")


async def test_what_verified_moves_brought_does_not_hold_the_next_ones(make: Make) -> None:
    op = make()
    op.monitor.fit(SampleBlock(("A_SP", "B_SP", "T"), *normal_operation(op)))
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(5)
    op.book.apply(a_trend(op))
    back = (("A_SP", 103.0, 104.0, "degC"),)
    await op.run(35)
    assert await op.state(record) == "completed", await op.why(record)
    next_one = await op.offered(moves=back)
    trail = await op.store.recommendations.trail(next_one.id)
    told = trail[-1].details["verdict"]["findings"]
    assert [(item["code"], item["weight"]) for item in told] == [("alert-explained", "warning")]
    assert record.id in told[0]["text"]
    # The next process knows it too.
    again = make(after=op)
    again.monitor.fit(SampleBlock(("A_SP", "B_SP", "T"), *normal_operation(op)))
    again.book.restore(op.book.all())
    await again.start(3)
    assert (await again.desk.take(content(moves=back), None)).state == "awaiting_approval"


async def test_a_trend_that_no_verified_move_explains_holds_them(make: Make) -> None:
    op = make()
    op.monitor.fit(SampleBlock(("A_SP", "B_SP", "T"), *normal_operation(op)))
    await op.start()
    op.book.apply(a_trend(op))
    record = await op.desk.take(content(), None)
    assert record.state == "vetoed"
    assert "which way is worse is not known" in await op.why(record)


def normal_operation(op: Operating) -> tuple[Any, Any, Any]:
    """Times, values and qualities of eight hours before the begin."""
    rows = 480
    times = np.array([to_datetime64(T0 - (rows - i) * MINUTE) for i in range(rows)])
    values = np.array([100.0, 50.0, 200.0]) + op.random.normal(0.0, [0.002, 0.002, 0.1], (rows, 3))
    return times, values, np.full(values.shape, np.uint8(Quality.GOOD))


async def test_a_live_source_has_each_step_written_when_it_is_due(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    woken: list[Any] = []
    op.desk._spawn = woken.append
    await op.run(1)
    await op.desk.tick()
    assert len(woken) == 1, "one is enough"
    op.clock.advance(op.clock.now() + MINUTE)
    op.feed(1)
    written = len(op.plant.writes)
    op.desk._spawn = None
    waiting = op.desk._tick_after(0.0)
    woken.pop().close()
    await waiting
    assert len(op.plant.writes) > written


async def test_what_cannot_be_taken_back_safely_is_held(make: Make) -> None:
    op = make(patience_minutes=0)
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(2)
    op.book.apply(a_limit("T", op, "low"))  # the way back would lower T further
    await op.run(3)
    assert await op.state(record) == "held"
    assert "rolling back is not safe now" in await op.why(record)
    assert "pushed further" in await op.why(record)
    with pytest.raises(ConflictError, match="does not turn round"):
        await op.desk.resume(record.id, "Anna")
    with pytest.raises(ParameterError, match="say why"):
        await op.desk.leave(record.id, "Anna", " ")
    left = await op.desk.leave(record.id, "Anna", "new set points bring T back")
    assert left.state == "stopped"
    written = len(op.plant.writes)
    await op.run(3)
    assert len(op.plant.writes) == written
    at = op.plant.set_points
    newer = (("A_SP", at["A_SP"], at["A_SP"] + 1.0, "degC"),)
    await op.offered(moves=newer)
    with pytest.raises(ConflictError, match="not held"):
        await op.desk.leave(record.id, "Anna", "again")


async def test_a_step_waits_for_what_passes_and_is_held_for_what_does_not(make: Make) -> None:
    op = make(patience_minutes=5)
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(1)
    written = len(op.plant.writes)
    op.assessor.operator_mode = "transient"
    await op.run(4)
    assert (await op.state(record), len(op.plant.writes)) == ("applying", written)
    op.assessor.operator_mode = "steady"
    await op.run(1)
    assert len(op.plant.writes) > written
    op.assessor.operator_mode = "transient"
    await op.run(10)
    assert await op.state(record) == "held"
    assert "transient" in await op.why(record)
    op.assessor.operator_mode = "steady"
    await op.run(5)
    assert await op.state(record) == "held"
    await op.desk.resume(record.id, "Anna", "steady again")
    await op.run(10)
    assert op.plant.set_points == {"A_SP": 103.0, "B_SP": 52.0}


async def test_the_stop_acts_at_once_and_lasts_until_it_is_released_by_name(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(1)
    written = len(op.plant.writes)
    await op.desk.stop("Berta", "smoke in the furnace house")
    await op.run(3)
    assert (await op.state(record), len(op.plant.writes)) == ("stopped", written)
    with pytest.raises(RefusedError, match="smoke in the furnace house"):
        await op.desk.roll_back(record.id, "Anna")
    again = make(after=op)
    await again.start()
    assert (await again.desk.stopped()).by == "Berta"
    with pytest.raises(ParameterError):
        await again.desk.release(" ")
    await again.desk.release("Berta")
    await again.desk.roll_back(record.id, "Anna", "as it was")
    await again.run(10)
    assert await again.state(record) == "rolled_back"
    assert op.plant.set_points == {"A_SP": 100.0, "B_SP": 50.0}


async def test_advisory_mode_holds_what_is_under_way(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(1)
    written = len(op.plant.writes)
    await op.desk.modes.set("advisory", "Berta")
    await op.run(5)
    assert (await op.state(record), len(op.plant.writes)) == ("held", written)
    with pytest.raises(RefusedError, match="advisory"):
        await op.desk.resume(record.id, "Anna")


async def test_advisory_mode_takes_nothing_back_by_itself(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    op.plant.gain = -2.0
    await op.run(8)
    written = len(op.plant.writes)
    await op.desk.modes.set("advisory", "Berta")
    await op.run(35)
    assert (await op.state(record), len(op.plant.writes)) == ("held", written)
    assert "to be taken back by hand: wrong sign: T" in await op.why(record)


async def test_no_mode_writes_where_writing_is_switched_off(make: Make) -> None:
    op = make(mode="supervised", write_enabled=False)
    await op.start()
    assert op.desk.modes.mode == "advisory"
    with pytest.raises(RefusedError, match="switched off"):
        await op.desk.modes.set("autonomous", "Anna")


async def test_a_refused_and_an_unclear_write_hold_and_are_never_repeated(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    op.plant.refuses = True
    await op.run(3)
    assert await op.state(record) == "held"
    assert "in manual" in await op.why(record)
    op.plant.refuses, op.plant.silent = False, True
    await op.desk.resume(record.id, "Anna")
    await op.run(3)
    assert await op.state(record) == "held"
    [unclear] = await op.store.writes.open_writes()
    op.plant.silent = False
    with pytest.raises(ConflictError, match="nobody knows"):
        await op.desk.resume(record.id, "Anna")
    await op.desk.settle(unclear.id, "not_done", "Anna", "the panel shows 100.4")
    await op.desk.resume(record.id, "Anna")
    await op.run(10)
    assert op.plant.set_points == {"A_SP": 103.0, "B_SP": 52.0}


async def test_what_is_refused_unknown_or_held_is_an_alert_until_it_is_over(make: Make) -> None:
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    op.plant.refuses = True
    await op.run(3)
    by_key = {alert.key: alert for alert in op.book.all()}
    refused, held = by_key["write:A_SP"], by_key[f"held:{record.id}"]
    assert (refused.kind, refused.severity, refused.state) == (
        "write",
        "high",
        "returned_unacknowledged",
    )
    assert "in manual" in refused.message
    assert (held.state, held.active) == ("unacknowledged", True)
    assert op.assessor.situation(op.clock.now()).alerts == ()

    op.plant.refuses, op.plant.silent = False, True
    await op.desk.resume(record.id, "Anna")
    assert not op.book.get(held.id).active
    await op.run(3)
    [unclear] = await op.store.writes.open_writes()
    [locked] = [a for a in op.book.all() if a.key == "write:A_SP" and a.active]
    op.plant.silent = False
    await op.desk.settle(unclear.id, "not_done", "Anna", "the panel shows 100.4")
    assert not op.book.get(locked.id).active
    stored = await op.store.alerts.get(locked.id)
    assert stored.state == "returned_unacknowledged"
    await op.desk.resume(record.id, "Anna")
    await op.run(10)
    assert op.plant.set_points == {"A_SP": 103.0, "B_SP": 52.0}
    assert not [a for a in op.book.all() if a.active]


async def test_a_set_point_that_does_not_stay_is_not_called_completed(make: Make) -> None:
    """A plant that takes a write, shows it, and puts it back a while later."""
    op = make()
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.run(10)
    assert await op.state(record) == "verifying"
    op.plant.set_points["B_SP"] = 50.0
    await op.run(1)
    assert await op.state(record) == "held"
    assert "B_SP is at 50, not at 52 where it was left" in await op.why(record)


async def test_an_approval_does_not_outlive_its_recommendation(make: Make) -> None:
    op = make(valid_minutes=20)
    await op.start()
    record = await op.offered()
    await op.desk.approve(record.id, "Anna", record.digest)
    op.plant.refuses = True
    await op.run(3)
    assert await op.state(record) == "held"
    op.plant.refuses = False
    op.feed(30)
    with pytest.raises(ConflictError, match="nothing of it was written"):
        await op.desk.resume(record.id, "Anna")
    await op.desk.roll_back(record.id, "Anna", "too late")
    await op.run(2)
    assert await op.state(record) == "rolled_back"
    assert op.plant.writes == []


async def test_of_two_approvals_that_are_over_the_one_who_goes_on_is_one_person(make: Make) -> None:
    op = make(valid_minutes=20)
    await op.start()
    record = await op.offered(moves=(("A_SP", 100.0, 112.0, "degC"),))
    await op.desk.approve(record.id, "Anna", record.digest)
    await op.desk.approve(record.id, "Ben", record.digest)
    await op.run(4)
    op.plant.refuses = True
    await op.run(3)
    assert await op.state(record) == "held"
    op.plant.refuses = False
    op.feed(30)
    await op.desk.resume(record.id, "Anna")
    await op.run(3)
    assert await op.state(record) == "held"
    assert "second person" in await op.why(record) or "soft limits" in await op.why(record)


@on_both
async def test_a_restart_holds_and_asks(make: Make) -> None:
    first = make()
    await first.start()
    record = await first.offered()
    await first.desk.approve(record.id, "Anna", record.digest)
    await first.run(1)
    written = len(first.plant.writes)
    second = make(after=first)
    await second.start()
    assert await second.state(record) == "held"
    await second.run(5)
    assert len(first.plant.writes) == written
    await second.desk.resume(record.id, "Anna", "go on")
    await second.run(45)
    assert await second.state(record) == "completed"
    assert len({(tag, value) for _, tag, value in first.plant.writes}) == len(first.plant.writes)


async def test_an_approval_that_was_not_begun_is_held_after_a_restart(make: Make) -> None:
    first = make()
    await first.start()
    record = await first.offered()
    await first.desk.approve(record.id, "Anna", record.digest)
    second = make(after=first)
    await second.start()
    await second.run(3)
    assert (await second.state(record), first.plant.writes) == ("held", [])
    await second.desk.resume(record.id, "Anna")
    await second.run(45)
    assert await second.state(record) == "completed"


async def test_after_restart_resume_goes_on_by_itself(make: Make) -> None:
    first = make()
    await first.start()
    record = await first.offered()
    await first.desk.approve(record.id, "Anna", record.digest)
    await first.run(1)
    second = make(after=first, after_restart="resume")
    await second.start(1)
    await second.run(10)
    assert first.plant.set_points == {"A_SP": 103.0, "B_SP": 52.0}
    assert len({(tag, value) for _, tag, value in first.plant.writes}) == len(first.plant.writes)
    assert await second.state(record) == "verifying"


@on_both
async def test_a_grant_stands_for_the_approval_inside_its_envelope_and_time(make: Make) -> None:
    op = make(mode="autonomous")
    await op.start()
    limits = {
        "A_SP": GrantedTag(95.0, 105.0, 1.0, 5.0),
        "B_SP": GrantedTag(45.0, 55.0, 2.0, 5.0),
    }
    with pytest.raises(ParameterError, match="wider than the envelope"):
        await op.desk.modes.grant(
            {"A_SP": replace(limits["A_SP"], high=114.0)},
            by="Anna",
            starts_at=None,
            ends_at=op.clock.now() + 60 * MINUTE,
            max_moves=9,
        )
    ends = op.clock.now() + 60 * MINUTE
    grant = await op.desk.modes.grant(limits, by="Anna", starts_at=None, ends_at=ends, max_moves=50)
    inside = await op.desk.take(content(), None)
    assert inside.state == "approved"
    [approval] = await op.store.recommendations.approvals(inside.id)
    assert approval.grant_id == grant.id
    await op.run(8)
    assert op.plant.set_points == {"A_SP": 103.0, "B_SP": 52.0}
    await op.run(40)
    assert await op.state(inside) == "completed"
    beyond = await op.desk.take(content(moves=(("A_SP", 103.0, 107.0, "degC"),)), None)
    assert beyond.state == "awaiting_approval"
    await op.run(20)
    late = await op.desk.take(content(moves=(("A_SP", 103.0, 104.0, "degC"),)), None)
    assert late.state == "awaiting_approval"
    assert op.plant.set_points["A_SP"] == 103.0


async def test_a_revoked_grant_ends_what_it_began(make: Make) -> None:
    op = make(mode="autonomous")
    await op.start()
    limits = {"A_SP": GrantedTag(95.0, 105.0, 1.0, 5.0)}
    grant = await op.desk.modes.grant(
        limits, by="Anna", starts_at=None, ends_at=op.clock.now() + 60 * MINUTE, max_moves=50
    )
    record = await op.desk.take(content(moves=MOVES[:1]), None)
    await op.run(1)
    written = len(op.plant.writes)
    await op.desk.modes.revoke(grant.id, "Berta")
    await op.run(5)
    assert (await op.state(record), len(op.plant.writes)) == ("held", written)
    assert "grant" in await op.why(record)
