"""The coordinator: what it accepts, refuses, repeats, stops and tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import counting
import pytest
from coordinating import Opened, opened, settings_for

from orchestrator.clock import PlantClock
from orchestrator.core.decision import Action, Decision
from orchestrator.core.home import Home
from orchestrator.core.module_coordinator import ModuleCoordinator
from orchestrator.errors import (
    ConflictError,
    DatabaseUnavailableError,
    GateRefusedError,
    HomeLockedError,
    NotFoundError,
    ParameterError,
    UnavailableError,
    UnknownModuleError,
    UnknownOperationError,
)
from orchestrator.state.records import DecisionRecord, OutcomeRecord

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
ETL = counting.like("etl", {"validate": "refuse", "clean": "count"})
PLANNING = counting.like("planning", {"plan": "refuse", "setpoints": "count", "slow": "hang"})
MODULES = (counting.MODULE, ETL, PLANNING)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Opened]:
    settings = settings_for(
        modules={
            "counting": {"timeout": 20, "max_concurrency": 1},
            "planning": {"timeout": 20, "max_concurrency": 2},
            "forecasting": {"enabled": False},
        }
    )
    async with opened(tmp_path, settings, modules=MODULES, clock=PlantClock(NOW)) as it:
        yield it


async def ended(service: Opened, name: str, **parameters: Any) -> OutcomeRecord:
    module, _, operation = name.rpartition(".")
    job = await service.coordinator.invoke(module or "counting", operation, parameters)
    return await service.coordinator.wait(job.id, 30)


async def appears(path: Path) -> None:
    while not (path.exists() and path.read_text()):
        await asyncio.sleep(0.01)


def decided(*actions: Action, identity: str = "d1", **more: Any) -> tuple[DecisionRecord, Decision]:
    decision = Decision(
        id=identity, created_at=NOW, situation_digest="", actions=actions, confidence=1,
        rationale="", policy_version="1", latency_ms=0, **more,
    )  # fmt: skip
    record = DecisionRecord(
        id=identity, created_at=NOW, decided_by="policy", confidence=1, policy_version="1",
        situation_digest="", dry_run=decision.dry_run, situation={},
        document=decision.model_dump(mode="json"),
    )  # fmt: skip
    return record, decision


def action(name: str, *after: str, **more: Any) -> Action:
    module, _, operation = name.partition(".")
    return Action(module=module, operation=operation, depends_on=after, **more)


# -- accepting ------------------------------------------------------------------------------------


async def test_an_invocation_is_stored_before_it_runs_and_ends_in_its_result(
    service: Opened,
) -> None:
    job = await service.coordinator.invoke("counting", "count", {"amount": 5}, priority=2)
    assert (await service.store.jobs.get(job.id)).priority == 2
    outcome = await service.coordinator.wait(job.id, 30)
    assert outcome.status == "succeeded"
    assert outcome.result is not None
    assert outcome.result["counted"] == 5
    assert (outcome.attempts, outcome.ended_at, outcome.error) == (1, NOW, None)
    assert (await service.store.jobs.get(job.id)).status == "succeeded"
    assert await service.store.outcomes.get(job.id) == outcome


async def test_a_module_or_operation_that_is_not_there_is_refused_by_name(service: Opened) -> None:
    with pytest.raises(UnknownModuleError, match=r"'distillation'.*counting"):
        await service.coordinator.invoke("distillation", "count", {})
    with pytest.raises(UnknownOperationError, match=r"'guess'.*count"):
        await service.coordinator.invoke("counting", "guess", {})


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"amount": "many"}, "amount"), ({"speed": 1}, "speed"), ({"seconds": None}, "seconds")],
)
async def test_a_wrong_parameter_is_refused_before_acceptance_and_named(
    service: Opened, parameters: dict[str, Any], field: str
) -> None:
    with pytest.raises(ParameterError, match=rf"counting\.count: {field}: ") as raised:
        await service.coordinator.invoke("counting", "count", parameters)
    assert [item["field"] for item in raised.value.context["errors"]] == [field]
    assert "amount, file, seconds" in (raised.value.remedy or "")
    assert (await service.store.jobs.list()).items == []


async def test_a_disabled_module_is_refused(tmp_path: Path) -> None:
    settings = settings_for(modules={"counting": {"enabled": False}})
    async with opened(tmp_path, settings) as service:
        with pytest.raises(GateRefusedError, match="'counting' is disabled"):
            await service.coordinator.invoke("counting", "count", {})
        assert (await service.coordinator.facts())["counting"].enabled is False


async def test_a_repeated_request_with_one_key_is_one_job(service: Opened, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    asked = ("counting", "count", {"file": str(file)})
    jobs = await asyncio.gather(
        *(service.coordinator.invoke(*asked, idempotency_key="k") for _ in range(5))
    )
    outcome = await service.coordinator.wait(jobs[0].id, 30)
    again = await service.coordinator.invoke(*asked, idempotency_key="k")
    assert {job.id for job in (*jobs, again)} == {outcome.job_id}
    assert again.status == "succeeded"
    assert len(file.read_text().splitlines()) == 1


async def test_one_key_for_two_requests_is_a_conflict(service: Opened) -> None:
    await service.coordinator.invoke("counting", "count", {"amount": 1}, idempotency_key="k")
    with pytest.raises(ConflictError, match="idempotency key"):
        await service.coordinator.invoke("counting", "count", {"amount": 2}, idempotency_key="k")


async def test_equal_requests_have_equal_seeds_whatever_their_ids(service: Opened) -> None:
    first, second = [await ended(service, "surroundings") for _ in range(2)]
    assert first.job_id != second.job_id
    assert first.result is not None
    assert second.result is not None
    assert first.result["details"]["seed"] == second.result["details"]["seed"]
    assert first.result["details"]["now"] == NOW.isoformat()


# -- how runs end ---------------------------------------------------------------------------------


async def test_a_worker_that_dies_is_replaced_and_the_job_repeated(
    service: Opened, tmp_path: Path
) -> None:
    outcome = await ended(service, "die", file=str(tmp_path / "runs"), fail_times=2)
    assert (outcome.status, outcome.attempts) == ("succeeded", 3)


@pytest.mark.parametrize("name", ["die", "exhaust"])
async def test_a_job_whose_worker_always_dies_fails_after_the_last_repeat(
    service: Opened, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "runs"
    outcome = await ended(service, name, file=str(file), fail_times=99)
    assert (outcome.status, outcome.attempts) == ("failed", 4)
    assert outcome.error is not None
    assert outcome.error["type"] == "urn:dan-g:problem:worker-lost"
    assert len(file.read_text().splitlines()) == 4


async def test_an_error_that_passes_is_repeated_until_it_has(
    service: Opened, tmp_path: Path
) -> None:
    outcome = await ended(service, "unavailable", file=str(tmp_path / "runs"), fail_times=1)
    assert (outcome.status, outcome.attempts) == ("succeeded", 2)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("refuse", "data", "the column is empty"),
        ("crash", "operation-failed", "ZeroDivisionError"),
        ("wrong", "operation-failed", "does not fit CountResult"),
        ("unwritable", "operation-failed", "cannot be written as JSON"),
    ],
)
async def test_an_error_that_stays_fails_the_job_at_once(
    service: Opened, name: str, kind: str, says: str
) -> None:
    outcome = await ended(service, name)
    assert (outcome.status, outcome.attempts, outcome.result) == ("failed", 1, None)
    assert outcome.error is not None
    assert outcome.error["type"] == f"urn:dan-g:problem:{kind}"
    assert says in outcome.error["detail"]


async def test_a_hung_job_is_timed_out_within_two_seconds_of_its_time_out(tmp_path: Path) -> None:
    async with opened(tmp_path, settings_for(modules={"counting": {"timeout": 1}})) as service:
        await ended(service, "count")
        started = time.monotonic()
        outcome = await ended(service, "hang", deaf=True)
        assert time.monotonic() - started < 3
        assert (outcome.status, outcome.attempts) == ("timed_out", 1)
        assert 1 <= outcome.seconds < 3
        assert outcome.error is not None
        assert "modules.counting.timeout" in outcome.error["detail"]


# -- cancelling -----------------------------------------------------------------------------------


async def test_a_running_job_is_cancelled_at_once(service: Opened, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    job = await service.coordinator.invoke("counting", "hang", {"mark": str(mark), "deaf": True})
    await appears(mark)
    started = time.monotonic()
    cancelled = await service.coordinator.cancel(job.id)
    assert time.monotonic() - started < 2
    assert (cancelled.status, cancelled.cancel_requested) == ("cancelled", True)
    outcome = await service.coordinator.wait(job.id)
    assert outcome.error is not None
    assert outcome.error["type"] == "urn:dan-g:problem:operation-cancelled"
    assert (await ended(service, "count")).status == "succeeded"


async def test_a_queued_job_is_cancelled_without_ever_running(
    service: Opened, tmp_path: Path
) -> None:
    mark, never = tmp_path / "mark", tmp_path / "never"
    first = await service.coordinator.invoke("counting", "hang", {"mark": str(mark)})
    await appears(mark)
    second = await service.coordinator.invoke("counting", "hang", {"mark": str(never)})
    assert (await service.coordinator.cancel(second.id)).status == "cancelled"
    await service.coordinator.cancel(first.id)
    assert not never.exists()


async def test_a_job_that_waits_for_its_repeat_is_cancelled_at_once(tmp_path: Path) -> None:
    slow = settings_for(coordination={"retry_base": 60, "retry_cap": 60})
    async with opened(tmp_path / "home", slow) as service:
        file = tmp_path / "runs"
        asked = {"file": str(file), "fail_times": 9}
        with service.events.subscribe() as events:
            job = await service.coordinator.invoke("counting", "unavailable", asked)
            async for event in events:
                if "tried again" in event.payload["message"]:
                    break
        assert (await service.coordinator.cancel(job.id)).status == "cancelled"


async def test_cancelling_what_has_ended_changes_nothing(service: Opened) -> None:
    outcome = await ended(service, "count")
    job = await service.coordinator.cancel(outcome.job_id)
    assert (job.status, job.cancel_requested) == ("succeeded", False)
    with pytest.raises(NotFoundError):
        await service.coordinator.cancel("nothing")


async def test_waiting_ends_without_ending_the_job(service: Opened, tmp_path: Path) -> None:
    job = await service.coordinator.invoke("counting", "hang", {})
    with pytest.raises(TimeoutError):
        await service.coordinator.wait(job.id, 0.2)
    assert (await service.store.outcomes.get(job.id)) is None
    with pytest.raises(NotFoundError):
        await service.coordinator.wait("nothing", 1)


# -- decisions ------------------------------------------------------------------------------------


async def test_a_decision_is_stored_with_its_jobs_and_they_run_in_order(
    service: Opened, tmp_path: Path
) -> None:
    file = tmp_path / "runs"
    first = action("etl.clean", parameters={"file": str(file), "seconds": 0.2})
    second = action("planning.setpoints", "etl.clean", parameters={"file": str(file)})
    jobs = await service.coordinator.submit(*decided(second, first))
    assert (await service.store.decisions.get("d1")).id == "d1"
    for job in jobs:
        assert (await service.coordinator.wait(job.id, 30)).status == "succeeded"
    order = [line.split()[0] for line in file.read_text().splitlines()]
    assert order == [jobs[1].id, jobs[0].id]


async def test_a_dry_run_is_stored_and_runs_nothing(service: Opened) -> None:
    assert await service.coordinator.submit(*decided(action("etl.clean"), dry_run=True)) == []
    assert (await service.store.decisions.get("d1")).dry_run
    assert (await service.store.jobs.list()).items == []


async def test_a_decision_with_one_wrong_action_is_not_accepted_in_part(service: Opened) -> None:
    wrong = action("counting.count", parameters={"amount": "many"})
    with pytest.raises(ParameterError, match="amount"):
        await service.coordinator.submit(*decided(action("etl.clean"), wrong))
    assert (await service.store.jobs.list()).items == []
    with pytest.raises(NotFoundError):
        await service.store.decisions.get("d1")


async def test_a_decision_twice_is_a_conflict(service: Opened) -> None:
    jobs = await service.coordinator.submit(*decided(action("etl.clean")))
    with pytest.raises(ConflictError):
        await service.coordinator.submit(*decided(action("etl.clean")))
    assert (await service.coordinator.wait(jobs[0].id, 30)).status == "succeeded"


async def test_what_depends_on_a_failure_is_cancelled_with_the_reason(service: Opened) -> None:
    jobs = await service.coordinator.submit(
        *decided(
            action("planning.plan"),
            action("planning.setpoints", "planning.plan"),
            action("counting.count", "planning.setpoints"),
        )
    )
    outcomes = [await service.coordinator.wait(job.id, 30) for job in jobs]
    assert [outcome.status for outcome in outcomes] == ["failed", "cancelled", "cancelled"]
    assert outcomes[1].error is not None
    assert "planning.plan, on which it depends, ended failed" in outcomes[1].error["detail"]


async def test_failing_data_checks_hold_up_nobody(service: Opened) -> None:
    jobs = await service.coordinator.submit(
        *decided(action("etl.validate"), action("planning.setpoints", "etl.validate"))
    )
    outcomes = [await service.coordinator.wait(job.id, 30) for job in jobs]
    assert [outcome.status for outcome in outcomes] == ["failed", "succeeded"]


async def test_actions_that_wait_for_one_another_are_refused(service: Opened) -> None:
    with pytest.raises(ParameterError, match="wait for one another"):
        await service.coordinator.submit(
            *decided(action("etl.clean", "counting.count"), action("counting.count", "etl.clean"))
        )


async def test_an_action_past_its_deadline_is_not_run(service: Opened) -> None:
    late = action("etl.clean", deadline=NOW - timedelta(minutes=1))
    jobs = await service.coordinator.submit(*decided(late))
    outcome = await service.coordinator.wait(jobs[0].id, 30)
    assert outcome.status == "cancelled"
    assert outcome.error is not None
    assert "deadline" in outcome.error["detail"]


async def test_deferred_work_waits_while_resources_are_scarce(tmp_path: Path) -> None:
    scarce = settings_for(decision_engine={"gates": {"min_free_share": 1.0}})
    async with opened(tmp_path, scarce, modules=MODULES) as service:
        held, free = await service.coordinator.submit(
            *decided(action("etl.clean", deferred=True), action("planning.setpoints", "etl.clean"))
        )
        # What is not deferred does not wait for what is.
        assert (await service.coordinator.wait(free.id, 30)).status == "succeeded"
        assert (await service.store.jobs.get(held.id)).status == "queued"
        assert service.coordinator.resources().queue_depth == 1
    plenty = settings_for(decision_engine={"gates": {"min_free_share": 0.0}})
    async with opened(tmp_path, plenty, modules=MODULES) as service:
        assert (await service.coordinator.wait(held.id, 30)).status == "succeeded"


async def test_the_most_urgent_goes_first_and_a_module_keeps_its_limit(
    service: Opened, tmp_path: Path
) -> None:
    mark, file = tmp_path / "mark", tmp_path / "runs"
    blocking = await service.coordinator.invoke("counting", "hang", {"mark": str(mark)})
    await appears(mark)
    asked = {"file": str(file)}
    jobs = {
        priority: await service.coordinator.invoke("counting", "count", asked, priority=priority)
        for priority in (5, 9, 1)
    }
    other = await ended(service, "planning.setpoints")  # another module is not held up
    assert other.status == "succeeded"
    assert not file.exists()
    while service.coordinator.resources().queue_depth != 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # until all three wait for their place
    await service.coordinator.cancel(blocking.id)
    for job in jobs.values():
        await service.coordinator.wait(job.id, 30)
    order = [line.split()[0] for line in file.read_text().splitlines()]
    assert order == [jobs[1].id, jobs[5].id, jobs[9].id]


# -- telling --------------------------------------------------------------------------------------


async def test_facts_tell_what_runs_and_how_it_went(service: Opened, tmp_path: Path) -> None:
    idle = (await service.coordinator.facts())["counting"]
    assert (idle.enabled, idle.in_flight, idle.running) == (True, 0, ())
    assert (idle.last_success_minutes, idle.success_rate, idle.p95_seconds) == (None, None, None)

    await ended(service, "count", seconds=0.1)
    await ended(service, "crash")
    clock = service.coordinator._clock
    assert isinstance(clock, PlantClock)
    clock.advance(NOW + timedelta(minutes=90))
    mark = tmp_path / "mark"
    job = await service.coordinator.invoke("counting", "hang", {"mark": str(mark)})
    busy = (await service.coordinator.facts())["counting"]
    assert (busy.in_flight, busy.running) == (1, ("counting.hang",))
    assert (busy.last_success_minutes, busy.success_rate) == (90.0, 0.5)
    assert busy.p95_seconds is not None
    assert 0.1 <= busy.p95_seconds < 5
    await service.coordinator.cancel(job.id)


async def test_the_age_of_forecasting_is_that_of_its_forecast(tmp_path: Path) -> None:
    modules = (counting.like("forecasting", {"forecast": "count", "time_to_limit": "report"}),)
    clock = PlantClock(NOW)
    async with opened(tmp_path, settings_for(), modules=modules, clock=clock) as service:
        await ended(service, "forecasting.forecast")
        clock.advance(NOW + timedelta(hours=2))
        await ended(service, "forecasting.time_to_limit")
        assert (await service.coordinator.facts())["forecasting"].last_success_minutes == 120.0


async def test_every_change_of_a_job_is_published(service: Opened) -> None:
    with service.events.subscribe() as events:
        job = await service.coordinator.invoke("counting", "report", {"seconds": 0.5})
        seen: list[dict[str, Any]] = []
        async for event in events:
            assert event.kind == "job"
            seen.append(event.payload)
            if event.payload["status"] == "succeeded":
                break
    assert {payload["id"] for payload in seen} == {job.id}
    assert [p["status"] for p in seen[:2]] == ["queued", "running"]
    assert any(0 < payload["progress"] < 1 and "step" in payload["message"] for payload in seen)
    assert (seen[-1]["progress"], seen[-1]["summary"]) == (1.0, "done")


# -- starting and stopping ------------------------------------------------------------------------


async def test_stopping_is_quick_and_what_ran_is_resumed(tmp_path: Path) -> None:
    settings = settings_for(modules={"counting": {"max_concurrency": 2}})
    file, mark = tmp_path / "runs", tmp_path / "mark"
    async with opened(tmp_path / "home", settings) as service:
        slow = await service.coordinator.invoke(
            "counting", "count", {"file": str(file), "seconds": 2}
        )
        await appears(file)
        unwanted = await service.coordinator.invoke("counting", "hang", {"mark": str(mark)})
        await appears(mark)
        waiting = asyncio.create_task(service.coordinator.wait(slow.id))
        started = time.monotonic()
    assert time.monotonic() - started < 5
    with pytest.raises(UnavailableError, match="goes on at the next start"):
        await waiting

    async with opened(tmp_path / "home", settings) as service:
        assert (await service.coordinator.cancel(unwanted.id)).cancel_requested
        assert (await service.coordinator.wait(unwanted.id, 30)).status == "cancelled"
        assert (await service.coordinator.wait(slow.id, 30)).status == "succeeded"
    assert len(file.read_text().splitlines()) == 2


async def test_an_accepted_job_without_a_workflow_is_started_by_the_sweep(tmp_path: Path) -> None:
    async with opened(tmp_path, settings_for()) as service:
        done = await ended(service, "count", amount=2)
        job = await service.store.jobs.get(done.job_id)
    from dataclasses import replace

    async with opened(tmp_path, settings_for()) as service:
        await service.store.jobs.add(replace(job, id="accepted", status="queued", ended_at=None))
    async with opened(tmp_path, settings_for()) as service:
        assert (await service.coordinator.wait("accepted", 30)).status == "succeeded"


async def test_only_the_owner_of_the_home_starts(tmp_path: Path) -> None:
    async with opened(tmp_path, settings_for()) as service:
        with pytest.raises(HomeLockedError, match=r"owns this home.*DAN_G_HOME"):
            Home.take(tmp_path)
        other = ModuleCoordinator(
            settings_for(), service.coordinator._registry, service.store, service.historian,
            service.coordinator._runs._plant, PlantClock(), Home(tmp_path), service.events,
        )  # fmt: skip
        with pytest.raises(HomeLockedError, match="does not own the home"):
            await other.start()
        await other.stop()


async def test_after_the_stop_nothing_is_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path, settings_for()) as service:
        await service.coordinator.stop()
        with pytest.raises(UnavailableError, match="starting or stopping"):
            await service.coordinator.invoke("counting", "count", {})
        assert (await service.store.jobs.list()).items == []


async def test_a_lost_database_refuses_new_work_and_loses_none(
    tmp_path: Path, own_postgres: Any
) -> None:
    settings = settings_for(own_postgres.get_uri(), modules={"counting": {"max_concurrency": 2}})
    file = tmp_path / "runs"
    async with opened(tmp_path / "home", settings) as service:
        job = await service.coordinator.invoke(
            "counting", "count", {"file": str(file), "seconds": 1}
        )
        await appears(file)
        await asyncio.to_thread(own_postgres.stop)
        with pytest.raises(DatabaseUnavailableError):
            await service.coordinator.invoke("counting", "count", {})
        with pytest.raises(TimeoutError):
            await service.coordinator.wait(job.id, 2)
        await asyncio.to_thread(own_postgres.ensure_postgres_running)
        assert (await service.coordinator.wait(job.id, 30)).status == "succeeded"
        assert (await ended(service, "count")).status == "succeeded"
    assert len(file.read_text().splitlines()) == 1


async def test_two_services_on_one_postgresql_database_are_refused(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    from orchestrator.core import durable

    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (durable.OWNER_LOCK,))
        monkeypatch.setattr(durable, "OWNER_WAIT_S", 0.2)
        with pytest.raises(ConflictError, match="another orchestrator uses this database"):
            async with opened(tmp_path, settings_for(postgres_url)):
                pass
