"""One accepted job from its first attempt to its outcome.

An attempt may be run again after a crash. It therefore first looks whether an outcome is stored,
and whatever ends the job is written with the first write winning.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import structlog

from orchestrator.clock import Clock
from orchestrator.config import Settings
from orchestrator.core.admission import Admission
from orchestrator.core.durable import Verdict
from orchestrator.core.events import EventBus
from orchestrator.core.home import Home
from orchestrator.core.inputs import Inputs, was_given
from orchestrator.core.job_events import publish_job
from orchestrator.core.resources import ResourceMeter
from orchestrator.core.worker_messages import Task
from orchestrator.core.workers import WorkerPool
from orchestrator.errors import (
    DanGError,
    NotFoundError,
    OperationCancelledError,
    OperationError,
    OperationTimedOutError,
    UnavailableError,
)
from orchestrator.modules.registry import Registry
from orchestrator.plant.tags import Plant
from orchestrator.state.records import FINAL_STATUSES, JobRecord, JobStatus, OutcomeRecord
from orchestrator.state.repositories import Store

log = structlog.get_logger(__name__)
T = TypeVar("T")

ORDER_ONLY_MODULES = frozenset({"etl"})
"""What depends on these starts after them whatever came of them: operations read the historian
themselves, and the quality gate has already judged the data."""
ORDER_ONLY_OPERATIONS = frozenset({"analysis.update"})
"""The same for single operations: a market that could not be read anew is as it was known."""
LONGEST_DEFERRAL_S = 60.0
RESOURCES_EVERY_S = 0.5
PROGRESS_STORED_EVERY_S = 1.0
DATABASE_RETRY_S = (0.1, 5.0)
DONE: Verdict = {"done": True, "not_before": 0.0}


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended the job."""

    status: JobStatus
    seconds: float = 0.0
    result: dict[str, Any] | None = None
    error: DanGError | None = None


@dataclass(slots=True)
class Run:
    """A job that has no outcome yet, as this process sees it."""

    job: JobRecord
    finished: asyncio.Future[OutcomeRecord]
    attempts: int = 0
    running: bool = False
    cancelled: bool = False
    work: asyncio.Task[Ending | float] | None = None
    notes: set[asyncio.Task[None]] = field(default_factory=set)
    progress_stored_at: float = 0.0


class JobRuns:
    """All jobs without an outcome, and what is done with them. Used on one event loop."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        store: Store,
        plant: Plant,
        clock: Clock,
        home: Home,
        events: EventBus,
        *,
        inputs: Inputs,
        pool: WorkerPool,
        meter: ResourceMeter,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._store = store
        self._plant = plant
        self._clock = clock
        self._home = home
        self._events = events
        self._inputs = inputs
        self._pool = pool
        self._meter = meter
        self._admission = Admission(pool.size, lambda name: settings.module(name).max_concurrency)
        self._runs: dict[str, Run] = {}
        self._stopping = False
        self.outcomes_written = 0
        """Grows by one with each outcome; tells when statistics are out of date."""

    def expect(self, job: JobRecord) -> Run:
        """Know of an accepted job."""
        run = self._runs.get(job.id)
        if run is None:
            run = Run(job, asyncio.get_running_loop().create_future())
            run.finished.add_done_callback(_retrieve)
            self._runs[job.id] = run
        return run

    def get(self, job_id: str) -> Run | None:
        """The job, while it has no outcome."""
        return self._runs.get(job_id)

    def live(self) -> list[Run]:
        """Every job without an outcome."""
        return list(self._runs.values())

    @property
    def queued(self) -> int:
        """Jobs that were accepted and do not run yet."""
        return sum(not run.running for run in self._runs.values())

    def cancel(self, run: Run) -> None:
        """End a job early; its outcome follows at once."""
        run.cancelled = True
        if run.work is not None:
            run.work.cancel()

    async def stop(self) -> None:
        """Stop all work and leave it to the next start."""
        self._stopping = True
        work = [run.work for run in self._runs.values() if run.work is not None]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await asyncio.gather(*(note for run in self._runs.values() for note in run.notes))
        for run in self._runs.values():
            if not run.finished.done():
                run.finished.set_exception(
                    UnavailableError(
                        "the service is stopping",
                        where=f"job {run.job.id}",
                        remedy="the job is kept and goes on at the next start",
                    )
                )

    # -- an attempt ---------------------------------------------------------------------------

    async def attempt(self, job_id: str, number: int, not_before: float) -> Verdict:
        """One attempt; raises nothing but the cancellation by :meth:`stop`."""
        if self._stopping:
            raise asyncio.CancelledError
        run = self._runs.get(job_id) or await self._found(job_id)
        if run is None:
            return DONE
        run.attempts = number
        unwanted = run.cancelled or run.job.cancel_requested
        if unwanted:
            ending: Ending | float = _cancelled("cancelled on request")
        else:
            run.work = asyncio.create_task(self._work(run, number, not_before))
            try:
                ending = await run.work
            except asyncio.CancelledError:
                if not run.cancelled:
                    raise
                ending = _cancelled("cancelled on request")
            finally:
                run.work = None
                run.running = False
        if isinstance(ending, float):
            return {"done": False, "not_before": ending}
        await self._finish(run, ending)
        return DONE

    async def _found(self, job_id: str) -> Run | None:
        """A job that this process did not know of; ``None`` where there is nothing left to do."""
        try:
            job = await self._steadily(lambda: self._store.jobs.get(job_id))
        except NotFoundError:
            log.error("a workflow has no job", job_id=job_id)
            return None
        return None if job.status in FINAL_STATUSES else self.expect(job)

    async def _work(self, run: Run, number: int, not_before: float) -> Ending | float:
        """Wait for what the job needs, run it; the ending, or when to try again (Unix time)."""
        job, started = run.job, None
        try:
            blocked = await self._blocked_by(job)
            if blocked is not None:
                return _cancelled(blocked)
            await asyncio.sleep(max(0.0, not_before - time.time()))
            if job.deferred:
                await self._resources_free()
            async with self._admission.place(job.module, job.priority):
                late = self._past_deadline(job)
                if late is not None:
                    return _cancelled(late)
                started = time.monotonic()
                return await self._run(run)
        except OperationTimedOutError as error:
            return Ending("timed_out", _since(started), error=error)
        except DanGError as error:
            if not error.retryable or number > self._settings.decision_engine.max_retries:
                return Ending("failed", _since(started), error=error)
            return self._repeat_at(run, number, error)
        except Exception as error:
            log.exception("a job failed outside its operation", job_id=job.id)
            shown = OperationError(f"{type(error).__name__}: {error}", where=_name(job))
            return Ending("failed", _since(started), error=shown)

    async def _run(self, run: Run) -> Ending:
        job = run.job
        operation = self._registry.operation(job.module, job.operation)
        run.running = True
        run.job = replace(job, status="running", started_at=job.started_at or self._clock.now())
        self._publish(run.job)
        self._note(run, self._mark_started(run.job))
        task = Task(
            job_id=job.id,
            operation=operation,
            parameters=job.request["parameters"],
            now=datetime.fromisoformat(job.request["now"]),
            data_file=await self._inputs.file_for(job),
            data_given=was_given(job),
            settings=dict(self._settings.module(job.module).options),
            write_list=self._settings.plant.write.tags,
            scratch=self._home.jobs / job.id,
            folder=self._home.modules / job.module,
            seed=job.request["seed"],
        )
        completion = await self._pool.run(
            task,
            self._plant,
            timeout_s=self._settings.module(job.module).timeout,
            on_progress=lambda share, what: self._on_progress(run, share, what),
        )
        result = json.loads(completion.result)
        if operation.appends is not None and result.get(operation.appends):
            await self._inputs.append(self._home.jobs / job.id / result[operation.appends])
        return Ending("succeeded", completion.seconds, result=result)

    async def _blocked_by(self, job: JobRecord) -> str | None:
        """Wait for the jobs that this one depends on; why it cannot run, if so."""
        for other_id in job.depends_on:
            outcome = await self.outcome_of(other_id)
            name = f"{outcome.module}.{outcome.operation}"
            order_only = outcome.module in ORDER_ONLY_MODULES or name in ORDER_ONLY_OPERATIONS
            if outcome.status != "succeeded" and not order_only:
                return f"{name}, on which it depends, ended {outcome.status}"
        return None

    async def _resources_free(self) -> None:
        """Hold a deferred job until processor and memory are no longer scarce, but not for ever.

        Workers have low priority, so that a late start takes little from what is urgent.
        """
        latest = time.monotonic() + LONGEST_DEFERRAL_S
        least = self._settings.decision_engine.gates.min_free_share
        while self._meter.scarce(least) and time.monotonic() < latest:  # noqa: ASYNC110  nothing tells when a machine is free
            await asyncio.sleep(RESOURCES_EVERY_S)

    def _past_deadline(self, job: JobRecord) -> str | None:
        deadline = job.request.get("deadline")
        if deadline is None or self._clock.now() <= datetime.fromisoformat(deadline):
            return None
        return f"its deadline {deadline} had passed before it could start"

    def _repeat_at(self, run: Run, number: int, error: DanGError) -> float:
        """Exponential back-off with jitter, so that what failed together does not return together."""
        settings = self._settings.coordination
        wait = min(settings.retry_cap, settings.retry_base * 2.0 ** (number - 1))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311  not for secrets
        log.warning(
            "job is tried again", job_id=run.job.id, attempt=number, wait_s=wait, error=str(error)
        )
        run.job = replace(run.job, status="queued", message=f"tried again after: {error.what}")
        self._publish(run.job)
        return time.time() + wait

    # -- the outcome --------------------------------------------------------------------------

    async def outcome_of(self, job_id: str) -> OutcomeRecord:
        """Wait for the outcome of a job.

        Raises:
            NotFoundError: there is no such job.
            UnavailableError: the service stops before there is one.
        """
        run = self._runs.get(job_id)
        if run is None:
            stored = await self._steadily(lambda: self._store.outcomes.get(job_id))
            if stored is not None:
                return stored
            run = self.expect(await self._steadily(lambda: self._store.jobs.get(job_id)))
        return await asyncio.shield(run.finished)

    async def _finish(self, run: Run, ending: Ending) -> None:
        await asyncio.gather(*run.notes)
        outcome = self._outcome(run, ending)
        try:
            written = await self._steadily(lambda: self._store.outcomes.record(outcome))
        except DanGError:
            raise
        except Exception as error:  # noqa: BLE001  a result that the database refuses, say
            log.error("an outcome cannot be stored as it is", job_id=run.job.id, error=str(error))
            refused = OperationError(
                f"its result cannot be stored ({type(error).__name__})", where=_name(run.job)
            )
            outcome = self._outcome(run, Ending("failed", ending.seconds, error=refused))
            written = await self._steadily(lambda: self._store.outcomes.record(outcome))
        if not written:
            stored = await self._steadily(lambda: self._store.outcomes.get(run.job.id))
            outcome = stored or outcome
        self.outcomes_written += 1
        self._inputs.release(run.job)
        run.job = replace(run.job, status=outcome.status, ended_at=outcome.ended_at)
        self._runs.pop(run.job.id, None)
        if not run.finished.done():
            run.finished.set_result(outcome)
        self._publish(run.job, outcome)

    def _outcome(self, run: Run, ending: Ending) -> OutcomeRecord:
        job = run.job
        return OutcomeRecord(
            job_id=job.id,
            decision_id=job.decision_id,
            module=job.module,
            operation=job.operation,
            status=ending.status,
            seconds=ending.seconds,
            attempts=run.attempts,
            ended_at=self._clock.now(),
            result=ending.result,
            error=ending.error.problem() if ending.error is not None else None,
        )

    async def _steadily(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the database until it answers: a lost database delays jobs, it loses none."""
        wait, longest = DATABASE_RETRY_S
        while True:
            try:
                return await ask()
            except UnavailableError as error:
                if self._stopping:
                    raise asyncio.CancelledError from error
                log.warning("waiting for the database", error=str(error))
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(longest, wait * 2)

    # -- what others see of it ----------------------------------------------------------------

    def _on_progress(self, run: Run, share: float, message: str) -> None:
        run.job = replace(run.job, progress=share, message=message)
        self._publish(run.job)
        now = time.monotonic()
        if now - run.progress_stored_at >= PROGRESS_STORED_EVERY_S:
            run.progress_stored_at = now
            self._note(run, self._store_progress(run.job))

    async def _mark_started(self, job: JobRecord) -> None:
        await self._store.jobs.start(job.id, job.started_at or self._clock.now())

    async def _store_progress(self, job: JobRecord) -> None:
        await self._store.jobs.progress(job.id, job.progress, job.message)

    def _note(self, run: Run, work: Awaitable[None]) -> None:
        """Write something that may be lost, beside the work itself."""

        async def write() -> None:
            try:
                await work
            except UnavailableError as error:
                log.warning("progress not stored", job_id=run.job.id, error=str(error))

        task = asyncio.create_task(write())
        run.notes.add(task)
        task.add_done_callback(run.notes.discard)

    def _publish(self, job: JobRecord, outcome: OutcomeRecord | None = None) -> None:
        publish_job(self._events, self._clock.now(), job, outcome)


def _cancelled(why: str) -> Ending:
    return Ending("cancelled", error=OperationCancelledError(why))


def _since(started: float | None) -> float:
    return 0.0 if started is None else time.monotonic() - started


def _name(job: JobRecord) -> str:
    return f"{job.module}.{job.operation}"


def _retrieve(finished: asyncio.Future[OutcomeRecord]) -> None:
    """Nobody need wait for a job."""
    if not finished.cancelled():
        finished.exception()
