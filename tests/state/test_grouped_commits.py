"""Grouped commits: many callers a commit, each with its own fate, durable when told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, DatabaseUnavailableError
from orchestrator.state.database import Database
from orchestrator.state.grouped_commits import GroupedCommits, NewRow
from orchestrator.state.repositories import Store
from orchestrator.state.repositories.jobs import job_row
from orchestrator.state.tables import settings
from tests.state.conftest import T0, Maker, Rival


def setting(key: str) -> NewRow:
    return NewRow(settings, {"key": key, "value": {"n": 1}, "updated_at": T0})


async def test_concurrent_inserts_share_commits(database: Database) -> None:
    commits = GroupedCommits(database)
    await asyncio.gather(*(commits.insert([setting(f"key-{n}")]) for n in range(200)))
    assert len(await Store(database).settings.all()) == 200
    assert commits.commits <= 4
    await commits.close()


async def test_a_bad_row_fails_its_caller_alone(database: Database) -> None:
    store = Store(database)
    await store.settings.put("taken", 1)
    commits = GroupedCommits(database)
    results = await asyncio.gather(
        *(commits.insert([setting(f"a-{n}")]) for n in range(5)),
        commits.insert([setting("before-taken"), setting("taken")]),
        *(commits.insert([setting(f"b-{n}")]) for n in range(5)),
        commits.insert([setting("a-3")]),
        return_exceptions=True,
    )
    failed = [number for number, result in enumerate(results) if result is not None]
    assert failed == [5, 11]
    assert all(isinstance(results[number], IntegrityError) for number in failed)
    kept = await store.settings.all()
    assert set(kept) == {"taken", *(f"{side}-{n}" for side in "ab" for n in range(5))}
    assert kept["taken"] == 1
    await commits.close()


async def test_a_decision_and_a_late_job_of_another_caller_go_in_the_right_order(
    store: Store, make: Maker
) -> None:
    decision = make.decision()
    job, free = make.job(decision), make.job()
    await asyncio.gather(store.jobs.add(free), store.decisions.add(decision, [job]))
    assert store.commits.commits == 1
    assert {one.id for one in await store.jobs.unfinished()} == {job.id, free.id}


async def test_a_caller_that_gives_up_leaves_the_others_alone(database: Database) -> None:
    commits = GroupedCommits(database)
    tasks = [asyncio.create_task(commits.insert([setting(f"key-{n}")])) for n in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [
        number == 3 for number in range(10)
    ]
    kept = set(await Store(database).settings.all())
    assert kept >= {f"key-{n}" for n in range(10) if n != 3}
    await commits.insert([setting("after")])
    await commits.close()


async def test_more_callers_than_places_all_get_through(database: Database) -> None:
    commits = GroupedCommits(database, max_group=3, max_waiting=4)
    await asyncio.gather(*(commits.insert([setting(f"key-{n}")]) for n in range(50)))
    assert len(await Store(database).settings.all()) == 50
    assert commits.commits >= 17
    await commits.close()


async def test_closing_commits_what_waits_and_takes_nothing_more(database: Database) -> None:
    commits = GroupedCommits(database)
    waiting = [asyncio.create_task(commits.insert([setting(f"key-{n}")])) for n in range(30)]
    await asyncio.sleep(0)
    await commits.close()
    await asyncio.gather(*waiting)
    assert len(await Store(database).settings.all()) == 30
    with pytest.raises(DatabaseUnavailableError, match="closed"):
        await commits.insert([setting("late")])


async def test_a_job_of_a_missing_decision_is_told_apart_from_one_stored_twice(
    store: Store, make: Maker
) -> None:
    job = make.job()
    await store.jobs.add(job)
    orphan = make.job(make.decision())
    results: list[Any] = await asyncio.gather(
        store.jobs.add(job), store.jobs.add(orphan), store.jobs.add(), return_exceptions=True
    )
    assert isinstance(results[0], ConflictError)
    assert type(results[1]).__name__ == "NotFoundError"
    assert results[2] is None
    assert job_row(job).table.name == "jobs"


async def test_what_was_acknowledged_outlives_a_kill(
    store: Store, database_url: str, start_rival: Callable[..., Rival]
) -> None:
    rival = start_rival("decisions", database_url)
    rival.go()
    acknowledged = [await asyncio.to_thread(rival.line) for _ in range(40)]
    acknowledged += await asyncio.to_thread(rival.kill)
    assert len(acknowledged) >= 40
    for decision_id in acknowledged:
        assert (await store.decisions.get(decision_id)).id == decision_id
        assert (await store.jobs.get(f"job-of-{decision_id}")).decision_id == decision_id
    counts = text("SELECT (SELECT count(*) FROM decisions), (SELECT count(*) FROM jobs)")
    async with store.database.read() as connection:
        decisions, jobs = (await connection.execute(counts)).one()
    assert decisions == jobs


async def test_what_need_not_be_synced_is_committed_together_and_found_at_once(
    database: Database,
) -> None:
    commits = GroupedCommits(database)
    await asyncio.gather(
        *(commits.insert([setting(f"key-{n}")], synced=n % 2 == 0) for n in range(100))
    )
    assert len(await Store(database).settings.all()) == 100
    assert commits.commits <= 6
    with pytest.raises(IntegrityError):
        await commits.insert([setting("key-1")], synced=False)
    late = asyncio.create_task(commits.insert([setting("late")], synced=False))
    await asyncio.sleep(0)
    await commits.close()
    await late
    assert "late" in await Store(database).settings.all()
