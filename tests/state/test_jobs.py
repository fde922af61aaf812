"""Jobs: their course, and what no longer changes once they have ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Maker


async def test_a_job_runs_its_course(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    assert await store.jobs.get(job.id) == job
    assert await store.jobs.start(job.id, T0 + timedelta(seconds=1))
    assert await store.jobs.progress(job.id, 0.25, "fold 1 of 4")
    running = await store.jobs.get(job.id)
    assert (running.status, running.started_at) == ("running", T0 + timedelta(seconds=1))
    assert (running.progress, running.message) == (0.25, "fold 1 of 4")


async def test_a_job_started_again_after_a_crash_keeps_its_first_start(
    store: Store, make: Maker
) -> None:
    job = make.job()
    await store.jobs.add(job)
    await store.jobs.start(job.id, T0)
    assert await store.jobs.start(job.id, T0 + timedelta(hours=1))
    assert (await store.jobs.get(job.id)).started_at == T0


async def test_a_job_that_has_ended_does_not_change(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    await store.outcomes.record(make.outcome(job))
    ended = await store.jobs.get(job.id)
    assert not await store.jobs.start(job.id, T0)
    assert not await store.jobs.progress(job.id, 0.1, "late")
    assert await store.jobs.request_cancel(job.id) == ended
    assert await store.jobs.get(job.id) == ended


@pytest.mark.parametrize(("given", "kept"), [(-0.5, 0.0), (1.7, 1.0)])
async def test_progress_stays_between_0_and_1(
    store: Store, make: Maker, given: float, kept: float
) -> None:
    job = make.job()
    await store.jobs.add(job)
    await store.jobs.progress(job.id, given)
    assert (await store.jobs.get(job.id)).progress == kept


async def test_a_request_to_cancel_is_kept(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    assert (await store.jobs.request_cancel(job.id)).cancel_requested
    assert (await store.jobs.get(job.id)).cancel_requested


async def test_what_is_not_there(store: Store, make: Maker) -> None:
    with pytest.raises(NotFoundError, match="'nothing'"):
        await store.jobs.get("nothing")
    with pytest.raises(NotFoundError, match="'nothing'"):
        await store.jobs.request_cancel("nothing")
    assert not await store.jobs.start("nothing", T0)
    with pytest.raises(NotFoundError, match="decision of job"):
        await store.jobs.add(make.job(make.decision()))


async def test_jobs_are_added_all_or_none(store: Store, make: Maker) -> None:
    taken = make.job()
    await store.jobs.add(taken)
    with pytest.raises(ConflictError, match=taken.id):
        await store.jobs.add(make.job(), taken)
    assert len((await store.jobs.list()).items) == 1


async def test_unfinished_jobs_come_in_the_order_of_acceptance(store: Store, make: Maker) -> None:
    late = make.job(accepted_at=T0 + timedelta(minutes=2))
    early = make.job(accepted_at=T0 + timedelta(minutes=1))
    done = make.job()
    await store.jobs.add(late, early, done)
    await store.jobs.start(late.id, T0)
    await store.outcomes.record(make.outcome(done))
    assert [job.id for job in await store.jobs.unfinished()] == [early.id, late.id]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "dcba"),
        ({"status": "running"}, "b"),
        ({"status": ["running", "succeeded"]}, "cb"),
        ({"status": []}, ""),
        ({"module": "etl"}, "da"),
        ({"operation": "clean"}, "d"),
        ({"operation": "forecasting.forecast"}, "cb"),
        ({"decision_id": "decision-x"}, "b"),
        ({"since": T0 + timedelta(minutes=1), "until": T0 + timedelta(minutes=3)}, "cb"),
    ],
)
async def test_each_filter_narrows_the_list(
    store: Store, make: Maker, wanted: dict[str, Any], expected: str
) -> None:
    decision = make.decision(id="decision-x")
    minute = timedelta(minutes=1)
    jobs = [
        make.job(id="a", module="etl", operation="validate"),
        make.job(decision, id="b", accepted_at=T0 + minute),
        make.job(id="c", accepted_at=T0 + 2 * minute),
        make.job(id="d", module="etl", operation="clean", accepted_at=T0 + 3 * minute),
    ]
    await store.decisions.add(decision, [jobs[1]])
    await store.jobs.add(jobs[0], jobs[2], jobs[3])
    await store.jobs.start("b", T0)
    await store.outcomes.record(make.outcome(jobs[2]))
    found = (await store.jobs.list(**wanted)).items
    assert "".join(job.id for job in found) == expected


async def test_jobs_are_paged_and_their_cursor_fits_no_other_list(
    store: Store, make: Maker
) -> None:
    await store.jobs.add(*(make.job() for _ in range(5)))
    first = await store.jobs.list(limit=3)
    second = await store.jobs.list(limit=3, cursor=first.next_cursor)
    assert len({job.id for job in (*first.items, *second.items)}) == 5
    with pytest.raises(ParameterError, match="cursor"):
        await store.decisions.list(cursor=first.next_cursor)
