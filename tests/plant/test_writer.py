"""The writer's stations one by one: what happens at each when something goes wrong there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.clock import PlantClock
from orchestrator.errors import (
    DatabaseUnavailableError,
    ParameterError,
    PlantRefusedError,
    UnavailableError,
)
from orchestrator.plant.twin.source import TwinSource
from orchestrator.plant.twin.target import TwinTarget
from orchestrator.plant.write_facts import Facts, PastMove, moves_seen
from orchestrator.plant.writer import STALL_SECONDS
from tests.plant.write_world import EPOCH, Crash, World, permit_of


@pytest.fixture
def world() -> World:
    return World()


async def write(world: World, **changes: object):
    world.current = permit_of(world, **changes)
    return await world.writer.write(world.current)


async def test_a_write_that_is_in_order_is_done(world: World) -> None:
    record = await write(world)
    assert (record.state, record.before, record.value, record.read_back) == ("done", 600, 602, 602)
    assert world.set_points["FC1"] == 602
    assert world.alarms == []


@pytest.mark.parametrize(
    ("fault", "state", "reason", "held"),
    [
        ("refuses", "not_done", "plant-refused", 600),
        ("applied_without_answer", "done", "no-answer", 602),
        ("applied_late", "done", "no-answer", 602),
        ("clamps", "unverified", "to-be-verified", 601),
        ("ignores", "unverified", "to-be-verified", 600),
    ],
)
async def test_the_end_is_what_the_plant_shows(
    world: World, fault, state: str, reason: str, held: float
) -> None:
    world.fault = fault
    record = await write(world)
    assert (record.state, record.reasons) == (state, (reason,))
    assert world.set_points["FC1"] == held
    assert [alarm.id for alarm in world.alarms] == ([] if state == "done" else [record.id])


async def test_a_plant_that_cannot_be_read_after_the_write_leaves_it_unverified(
    world: World,
) -> None:
    async def write_and_go(tag: str, value: float) -> None:
        world.set_points[tag] = value
        world.readable = False

    world.write = write_and_go  # type: ignore[method-assign]
    world.start_process()
    record = await write(world)
    assert record.state == "unverified"
    assert "cannot be read" in record.text
    world.readable = True
    del world.write  # type: ignore[method-assign]
    assert (await write(world, id="p2", step=1)).reasons[0] == "tag-locked"
    elsewhere = {"recommendation_id": "r2", "tag": "TC2", "before": 360.0, "value": 360.5}
    other = await write(world, id="p3", approvers=("Ann", "Bob"), **elsewhere)
    assert other.state == "done"
    await world.writer.settle(record.id, "done", by="Ann", why="seen at the panel")
    world.pass_time(61)
    assert (await write(world, id="p4", step=1)).state == "done"


@pytest.mark.parametrize(
    ("crash", "state"),
    [
        ("before_intent", None),
        ("after_intent", "unverified"),
        ("before_end", "done"),
        ("after_end", None),
    ],
)
async def test_a_write_cut_off_in_the_journal_is_known_after_a_restart(
    world: World, crash, state: str | None
) -> None:
    world.crash_in_journal = crash
    with pytest.raises(Crash):
        await write(world)
    world.start_process()
    assert [r.state for r in await world.writer.recover()] == ([state] if state else [])
    world.judge_journal()
    assert await world.writer.recover() == ()


@pytest.mark.parametrize("fault", ["no_answer", "applied_much_later", "crash_before"])
async def test_the_old_value_alone_proves_nothing_however_long_it_stands(
    world: World, fault
) -> None:
    world.fault = fault
    began = world.seconds
    if fault == "crash_before":
        with pytest.raises(Crash):
            await write(world)
        world.start_process()
        (record,) = await world.writer.recover()
    else:
        record = await write(world)
    assert record.state == "unverified"
    assert world.seconds - began >= 30
    world.pass_time(3600)
    assert world.set_points["FC1"] == (602 if fault == "applied_much_later" else 600)
    assert (await write(world, id="p2", step=1)).reasons[0] == "tag-locked"
    world.judge_journal()


async def test_after_a_crash_a_plant_that_is_away_leaves_it_to_a_person(world: World) -> None:
    world.fault = "crash_after"
    with pytest.raises(Crash):
        await write(world)
    world.readable = False
    world.start_process()
    (record,) = await world.writer.recover()
    assert (record.state, record.reasons) == ("unverified", ("process-ended", "to-be-verified"))
    assert world.alarms[-1] == record


async def test_a_stop_pressed_while_it_is_checked_is_in_time(world: World) -> None:
    """Facts come slowly the second time; the stop is pressed meanwhile."""
    calls = 0

    async def slow_facts() -> Facts:
        nonlocal calls
        calls += 1
        if calls == 2:
            await world.writer.stop.press("Bob", "flooding")
        return world.fresh_facts()

    world.facts = slow_facts  # type: ignore[method-assign]
    world.start_process()
    record = await write(world)
    assert (record.state, record.reasons) == ("refused", ("stopped",))
    assert "Bob" in record.text
    assert world.applied == []


async def test_a_stop_works_where_the_journal_is_away_and_is_kept_once_it_is_back(
    world: World,
) -> None:
    plain = world.journal.stop

    async def away(*_: object) -> None:
        raise DatabaseUnavailableError("away")

    world.journal.stop = away  # type: ignore[method-assign]
    with pytest.raises(DatabaseUnavailableError):
        await world.writer.stop.press("Bob", "flooding")
    assert (await write(world)).reasons == ("stopped",)
    world.journal.stop = plain  # type: ignore[method-assign]
    await world.writer.stop.press("Bob", "flooding")
    world.start_process()
    assert (await write(world)).reasons == ("stopped",)
    with pytest.raises(ParameterError, match="named person"):
        await world.writer.stop.release(" ")
    await world.writer.stop.release("Ann")
    assert (await write(world)).state == "done"


async def test_a_stop_that_another_process_released_is_off(world: World) -> None:
    await world.writer.stop.press("Bob")
    assert (await write(world)).reasons == ("stopped",)
    await world.journal.release("Ann", EPOCH)
    assert (await write(world)).state == "done"


async def test_a_journal_that_cannot_be_reached_writes_nothing(world: World) -> None:
    async def away(*_: object) -> None:
        raise DatabaseUnavailableError("away")

    world.journal.intend = away  # type: ignore[method-assign]
    with pytest.raises(DatabaseUnavailableError):
        await write(world)
    assert world.applied == []


async def test_a_writer_that_was_held_up_after_its_intent_gives_up(world: World) -> None:
    """Another process may have concluded meanwhile that nothing was sent."""
    plain = world.journal.intend

    async def then_sleep(record) -> None:
        await plain(record)
        asyncio.get_running_loop().call_soon(world.pass_time, 0)

    calls = 0

    async def slow_facts() -> Facts:
        nonlocal calls
        calls += 1
        if calls == 2:
            world.pass_time(STALL_SECONDS + 1)
        return world.fresh_facts()

    world.journal.intend = then_sleep  # type: ignore[method-assign]
    world.facts = slow_facts  # type: ignore[method-assign]
    world.start_process()
    assert (await write(world)).reasons == ("stalled",)
    assert world.applied == []


async def test_facts_that_do_not_come_refuse(world: World) -> None:
    async def none() -> Facts:
        raise UnavailableError("the historian is away")

    world.facts = none  # type: ignore[method-assign]
    world.start_process()
    assert {"plant-mode", "data-quality", "value-missing"} <= set((await write(world)).reasons)


async def test_two_writes_at_once_go_one_after_the_other(world: World) -> None:
    world.current = permit_of(world)
    twin = replace(world.current, id="p2")
    records = await asyncio.gather(world.writer.write(world.current), world.writer.write(twin))
    assert [record.state for record in records] == ["done", "refused"]
    assert len(world.applied) == 1


async def test_what_another_process_has_just_written_counts_in_full(world: World) -> None:
    """Two services on one database: neither takes the other's move for an old one."""
    world.pass_time(3600)
    beside = world.writer
    world.start_process()
    world.pass_time(3600)
    assert (await write(world, value=603.0)).state == "done"
    world.pass_time(35)
    permit = permit_of(world, id="p2", recommendation_id="r2", value=605.0)
    world.current = permit
    record = await beside.write(permit)
    assert (record.state, record.reasons) == ("refused", ("rate",))
    world.pass_time(36)  # a minute, and what two clocks may be apart
    permit = permit_of(world, id="p3", recommendation_id="r2", value=605.0)
    world.current = permit
    assert (await beside.write(permit)).state == "done"


async def test_what_a_person_has_settled_counts_from_then_on(world: World) -> None:
    world.pass_time(3600)
    world.fault = "applied_much_later"
    record = await write(world, value=603.0)
    assert record.state == "unverified"
    world.pass_time(60)
    assert world.set_points["FC1"] == 603
    await world.journal.settle(record.id, "done", world.now(), by="Ann", why="seen")
    again = await write(world, id="p2", step=1, value=601.0)
    assert again.reasons[0] == "rate"


async def test_clocks_that_are_set_forward_alike_age_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await write(world, value=604.0)).state == "done"
    world.pass_time(25)
    world.offset = 7 * 86400.0
    monkeypatch.setattr(world, "true_time", world.now)
    record = await write(world, id="p2", step=1, value=601.0)
    assert (record.state, record.reasons) == ("refused", ("rate",))


async def test_a_small_move_is_told_from_none(world: World) -> None:
    """The tolerance is wider than the move, and yet old and new are not mixed up."""
    small = {"value": 600.1}
    assert (await write(world, **small)).state == "done"
    world.fault = "refuses"
    world.pass_time(61)
    record = await write(world, id="p2", step=1, before=600.1, value=600.2)
    assert record.state == "not_done"


async def test_the_simulated_unit_is_written_like_a_plant() -> None:
    source = TwinSource(Path("normal"))
    blocks = source.blocks(timedelta(minutes=10))
    next(blocks)
    clock = PlantClock(source.start)
    target = TwinTarget(source, clock)
    assert target.simulated
    seen = await target.read("FC101_SP")
    assert (seen.value, seen.plant_time) == (600.0, source.start)
    await target.write("FC101_SP", 604.0)
    assert (await target.read("FC101_SP")).value == 604.0
    with pytest.raises(PlantRefusedError, match="outside its range"):
        await target.write("FC101_SP", 900.0)
    with pytest.raises(PlantRefusedError, match="not a set point"):
        await target.write("TI131", 500.0)
    with pytest.raises(UnavailableError, match="not a set point"):
        await target.read("TI131")
    rows = next(blocks)
    working = rows.values[:, rows.tags.index("FC101_SP")]
    assert working.tolist()[:3] == [602.0, 604.0, 604.0]


def test_moves_are_seen_in_data_and_noise_is_not() -> None:
    import numpy as np

    values = np.array([600.0, 600.2, np.nan, 602.0, 602.1, 602.9, 600.0])
    times = [EPOCH + timedelta(minutes=i) for i in range(len(values))]
    seen = moves_seen("FC1", times, values, tolerance=0.5)
    assert seen == (
        PastMove("FC1", times[3], 2.0),
        PastMove("FC1", times[5], pytest.approx(0.9)),
        PastMove("FC1", times[6], pytest.approx(2.9)),
    )
