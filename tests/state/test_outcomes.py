"""Outcomes: exactly one a job, whoever writes, and the statistics drawn from them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from orchestrator.errors import NotFoundError, ParameterError
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Maker, Rival


async def test_the_first_outcome_wins_and_ends_the_job(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    first = make.outcome(job)
    assert await store.outcomes.record(first)
    assert not await store.outcomes.record(make.outcome(job, status="failed", seconds=9.0))
    assert await store.outcomes.get(job.id) == first
    ended = await store.jobs.get(job.id)
    assert (ended.status, ended.ended_at, ended.progress) == ("succeeded", first.ended_at, 1.0)


async def test_a_failed_job_keeps_its_progress_and_its_error(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    await store.jobs.progress(job.id, 0.4, "fitting")
    error = {"type": "urn:dan-g:problem:operation-failed", "detail": "no solution"}
    await store.outcomes.record(make.outcome(job, status="failed", result=None, error=error))
    ended = await store.jobs.get(job.id)
    assert (ended.status, ended.progress, ended.message) == ("failed", 0.4, "fitting")
    stored = await store.outcomes.get(job.id)
    assert stored is not None
    assert (stored.result, stored.error) == (None, error)


async def test_of_many_concurrent_writers_one_wins(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    outcomes = [make.outcome(job, seconds=float(number)) for number in range(20)]
    won = await asyncio.gather(*(store.outcomes.record(outcome) for outcome in outcomes))
    assert won.count(True) == 1
    assert await store.outcomes.get(job.id) == outcomes[won.index(True)]


async def test_of_two_processes_each_outcome_is_written_by_one(
    store: Store, make: Maker, database_url: str, start_rival: Callable[..., Rival]
) -> None:
    jobs = [make.job(id=f"job-{number:03}") for number in range(40)]
    await store.jobs.add(*jobs)
    rivals = [start_rival("outcomes", database_url, name, str(len(jobs))) for name in ("a", "b")]
    for rival in rivals:
        rival.go()
    won = Counter(job_id for rival in rivals for job_id in rival.finish())
    assert won == {job.id: 1 for job in jobs}
    assert await store.jobs.unfinished() == ()


async def test_an_outcome_without_a_job_is_refused(store: Store, make: Maker) -> None:
    with pytest.raises(NotFoundError, match="job"):
        await store.outcomes.record(make.outcome(make.job()))


async def test_a_status_that_ends_nothing_is_refused(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    with pytest.raises(ParameterError, match="'running'"):
        await store.outcomes.record(make.outcome(job, status="running"))
    assert await store.outcomes.get(job.id) is None


async def test_statistics_of_an_operation(store: Store, make: Maker) -> None:
    for number in range(1, 21):
        job = make.job()
        await store.jobs.add(job)
        ended_at = T0 + timedelta(minutes=number)
        await store.outcomes.record(
            make.outcome(job, seconds=float(21 - number), ended_at=ended_at)
        )
    for status, seconds in (("failed", 500.0), ("timed_out", 300.0), ("cancelled", 900.0)):
        job = make.job()
        await store.jobs.add(job)
        later = T0 + timedelta(hours=1)
        await store.outcomes.record(
            make.outcome(job, status=status, seconds=seconds, ended_at=later)
        )
    broken = make.job(module="etl", operation="clean")
    await store.jobs.add(broken)
    await store.outcomes.record(make.outcome(broken, status="failed"))
    assert await store.outcomes.statistics() == {
        "forecasting.forecast": {
            "count": 22,
            "success_rate": 20 / 22,
            "p95_seconds": 19.0,
            "last_success_at": T0 + timedelta(minutes=20),
        },
        "etl.clean": {
            "count": 1,
            "success_rate": 0.0,
            "p95_seconds": None,
            "last_success_at": None,
        },
    }
    recent = await store.outcomes.statistics(since=T0 + timedelta(minutes=20))
    assert recent["forecasting.forecast"]["count"] == 3
    assert recent["forecasting.forecast"]["p95_seconds"] == 1.0


async def test_outcomes_of_a_decision_in_the_order_they_ended(store: Store, make: Maker) -> None:
    decision = make.decision()
    jobs = [make.job(decision), make.job(decision)]
    await store.decisions.add(decision, jobs)
    late = make.outcome(jobs[0], ended_at=T0 + timedelta(hours=2))
    early = make.outcome(jobs[1], ended_at=T0 + timedelta(hours=1))
    await store.outcomes.record(late)
    await store.outcomes.record(early)
    assert await store.outcomes.of_decision(decision.id) == [early, late]


async def test_what_a_caller_got_wrong_is_no_failure_of_the_operation(
    store: Store, make: Maker
) -> None:
    for status in (422, 500, None):
        job = make.job(module="etl", operation="clean")
        await store.jobs.add(job)
        error = {"type": "urn:dan-g:problem:x", **({"status": status} if status else {})}
        failed = make.outcome(job, status="failed", result=None, error=error)
        await store.outcomes.record(failed)
    found = (await store.outcomes.statistics())["etl.clean"]
    assert (found["count"], found["success_rate"]) == (2, 0.0)
