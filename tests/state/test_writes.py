"""The write journal: each promise holds in memory, as property tests use it, and on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store
from orchestrator.write_records import WriteRecord
from tests.plant.memory_journal import MemoryJournal
from tests.state.conftest import T0

MINUTE = timedelta(minutes=1)
FIRST = WriteRecord(
    id="w1",
    permit_id="p1",
    recommendation_id="r1",
    digest="ab" * 32,
    step=0,
    tag="FC1",
    before=600.0,
    value=602.0,
    approvers=("Ann", "Bob"),
    grant_id=None,
    state="intended",
    intended_at=T0,
)


async def test_a_write_goes_from_its_intent_to_its_end(store: Store) -> None:
    journal = store.writes
    await journal.intend(FIRST)
    assert await journal.open_writes() == (FIRST,)
    ended = await journal.end("w1", "done", T0 + MINUTE, read_back=602.0)
    assert ended == replace(FIRST, state="done", ended_at=T0 + MINUTE, read_back=602.0)
    assert await journal.get("w1") == ended
    assert await journal.open_writes("FC1") == ()
    assert (await journal.list()).items == [ended]
    actions = [(e.actor, e.action, e.subject) for e in await store.audit.list()]
    assert actions == [("dan-g", "write.done", "w1"), ("dan-g", "write.intended", "w1")]
    assert (await store.audit.verify()).intact


class Promises:
    """What both journals promise; ``journal`` is given by the classes below."""

    async def test_an_open_write_locks_its_tag_until_it_has_an_end(self, journal) -> None:
        await journal.intend(FIRST)
        other = replace(FIRST, id="w2", permit_id="p2", step=1)
        with pytest.raises(ConflictError, match="locked"):
            await journal.intend(other)
        await journal.intend(replace(other, id="w3", permit_id="p3", step=2, tag="TC2"))
        await journal.end("w1", "unverified", T0 + MINUTE, reasons=["to-be-verified"])
        with pytest.raises(ConflictError, match="locked"):
            await journal.intend(other)
        await journal.settle("w1", "not_done", T0 + MINUTE, by="Ann", why="seen at the panel")
        await journal.intend(other)
        assert {r.id for r in await journal.open_writes()} == {"w2", "w3"}

    async def test_a_permit_is_used_up_by_the_intent(self, journal) -> None:
        await journal.intend(FIRST)
        await journal.end("w1", "refused", T0)
        with pytest.raises(ConflictError, match="permit was used"):
            await journal.intend(replace(FIRST, id="w2", step=1))

    async def test_a_permit_that_was_refused_before_the_intent_may_be_named_again(
        self, journal
    ) -> None:
        refused = replace(FIRST, state="refused", reasons=("rate",))
        await journal.refuse(refused)
        await journal.refuse(replace(refused, id="w2"))
        await journal.intend(replace(FIRST, id="w3"))
        assert len(await journal.of_recommendation("r1")) == 3

    @pytest.mark.parametrize(
        ("end", "again"), [("done", False), ("not_done", True), ("refused", True)]
    )
    async def test_a_step_is_carried_out_once(self, journal, end: str, again: bool) -> None:
        await journal.intend(FIRST)
        await journal.end("w1", end, T0 + MINUTE)
        following = replace(FIRST, id="w2", permit_id="p2")
        if again:
            await journal.intend(following)
        else:
            with pytest.raises(ConflictError, match="written already"):
                await journal.intend(following)

    async def test_an_end_is_given_once(self, journal) -> None:
        await journal.intend(FIRST)
        results = await asyncio.gather(
            journal.end("w1", "done", T0), journal.end("w1", "not_done", T0), return_exceptions=True
        )
        assert sorted(type(item).__name__ for item in results) == ["ConflictError", "WriteRecord"]
        with pytest.raises(NotFoundError, match="'w9'"):
            await journal.end("w9", "done", T0)
        with pytest.raises(ParameterError, match="no end"):
            await journal.end("w1", "intended", T0)

    async def test_only_a_named_person_settles_and_only_what_is_unverified(self, journal) -> None:
        await journal.intend(FIRST)
        with pytest.raises(ConflictError, match="is intended, not unverified"):
            await journal.settle("w1", "done", T0, by="Ann", why="")
        await journal.end("w1", "unverified", T0)
        with pytest.raises(ParameterError, match="named person"):
            await journal.settle("w1", "done", T0, by=" ", why="")
        with pytest.raises(ParameterError, match="done or not_done"):
            await journal.settle("w1", "refused", T0, by="Ann", why="")
        settled = await journal.settle("w1", "done", T0 + MINUTE, by="Ann", why="at the panel")
        assert (settled.state, settled.settled_by, settled.text) == ("done", "Ann", "at the panel")

    async def test_moves_are_those_that_may_have_moved_the_tag(self, journal) -> None:
        for number, state in enumerate(("done", "not_done", "refused", "unverified")):
            record = replace(
                FIRST,
                id=f"w{number}",
                permit_id=f"p{number}",
                step=number,
                grant_id="g1",
                intended_at=T0 + number * MINUTE,
            )
            await journal.intend(record)
            await journal.end(record.id, state, record.intended_at)
        assert [r.id for r in await journal.moves("FC1", T0)] == ["w0", "w3"]
        assert [r.travel for r in await journal.moves("FC1", T0)] == [2.0, 2.0]
        assert [r.id for r in await journal.moves("FC1", T0 + MINUTE)] == ["w3"]
        assert await journal.moves("TC2", T0) == ()
        assert await journal.moves_under_grant("g1") == 2
        assert await journal.moves_under_grant("g2") == 0

    async def test_the_stop_stays_until_a_named_person_releases_it(self, journal) -> None:
        assert await journal.stopped() is None
        assert await journal.release("Ann", T0) is None
        first = await journal.stop("Bob", "flooding", T0)
        assert await journal.stop("Cy", "me too", T0 + MINUTE) == first
        assert await journal.stopped() == first
        with pytest.raises(ParameterError, match="named person"):
            await journal.release("  ", T0)
        released = await journal.release("Ann", T0 + MINUTE)
        assert released == replace(first, released_by="Ann", released_at=T0 + MINUTE)
        assert await journal.stopped() is None
        assert (await journal.stop("Bob", "again", T0 + 2 * MINUTE)).id != first.id


class TestInMemory(Promises):
    @pytest.fixture
    def journal(self) -> MemoryJournal:
        return MemoryJournal()


class TestOnDatabases(Promises):
    @pytest.fixture
    def journal(self, store: Store):
        return store.writes


async def test_of_two_processes_one_gets_the_tag(
    database: Database, database_url, tmp_path
) -> None:
    other = await Database.open(database_url, tmp_path)
    one, two = Store(database), Store(other)
    results = await asyncio.gather(
        one.writes.intend(FIRST),
        two.writes.intend(replace(FIRST, id="w2", permit_id="p2", step=1)),
        return_exceptions=True,
    )
    assert [type(item).__name__ for item in results].count("ConflictError") == 1
    assert len(await one.writes.open_writes()) == 1
    assert (await one.audit.verify()).links == 1
    await two.close()
    await other.close()


async def test_a_stop_of_another_process_is_seen(
    database: Database, database_url, tmp_path
) -> None:
    other = await Database.open(database_url, tmp_path)
    pressed = await Store(other).writes.stop("Bob", "flooding", T0)
    assert await Store(database).writes.stopped() == pressed
    await other.close()


async def test_the_audit_entry_and_the_write_are_kept_together_or_not_at_all(store: Store) -> None:
    async with store.database.write() as connection:
        await connection.execute(text("DROP TABLE audit"))
    with pytest.raises(Exception, match=r"(?i)audit"):
        await store.writes.intend(FIRST)
    assert await store.writes.open_writes() == ()


async def test_writes_are_listed_by_tag_state_recommendation_and_time(store: Store) -> None:
    records = [
        replace(FIRST, id=f"w{n}", permit_id=f"p{n}", recommendation_id=f"r{n % 2}", step=n, tag=tag,
                intended_at=T0 + n * MINUTE)
        for n, tag in enumerate(("FC1", "TC2", "TC3"))
    ]  # fmt: skip
    for record in records:
        await store.writes.intend(record)
    assert [r.id for r in (await store.writes.list()).items] == ["w2", "w1", "w0"]
    assert [r.id for r in (await store.writes.list(tag="TC2")).items] == ["w1"]
    assert [r.id for r in (await store.writes.list(recommendation_id="r0")).items] == ["w2", "w0"]
    assert (await store.writes.list(state="done")).items == []
    page = await store.writes.list(limit=2)
    rest = await store.writes.list(limit=2, cursor=page.next_cursor)
    assert [r.id for r in rest.items] == ["w0"]
    since = await store.writes.list(since=T0 + MINUTE, until=T0 + 2 * MINUTE)
    assert [r.id for r in since.items] == ["w1"]
