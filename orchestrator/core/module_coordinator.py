"""Has the modules do what was decided: accepts jobs, runs them durably, tells how they ended.

A job is accepted when it is stored, together with its decision, in one transaction. From then on it
ends in exactly one outcome, whatever happens to this process: the durable workflow of the job goes
on after a restart, and a sweep starts the workflow of any accepted job that has none yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4, uuid5

import structlog

from orchestrator.clock import Clock
from orchestrator.config import Settings
from orchestrator.core.acceptance import JOB_NAMESPACE, Acceptance, digest_of
from orchestrator.core.decision import Action, Decision
from orchestrator.core.durable import DurableJobs
from orchestrator.core.events import EventBus
from orchestrator.core.home import Home
from orchestrator.core.inputs import Inputs
from orchestrator.core.job_events import publish_job
from orchestrator.core.job_runs import JobRuns
from orchestrator.core.resources import ResourceMeter
from orchestrator.core.situation import ModuleFact, ResourcesFact
from orchestrator.core.workers import WorkerPool
from orchestrator.errors import (
    ConflictError,
    HomeLockedError,
    NotFoundError,
    UnavailableError,
)
from orchestrator.modules.registry import Registry
from orchestrator.plant.tags import Plant
from orchestrator.state.records import FINAL_STATUSES, DecisionRecord, JobRecord, OutcomeRecord
from orchestrator.state.repositories import Store

if TYPE_CHECKING:
    from orchestrator.plant.historian import Historian

log = structlog.get_logger(__name__)

LEADING_OPERATION = {"forecasting": "forecast"}
"""Operation whose last success tells a module's age; of the other modules, any operation's."""
CANCEL_WAIT_S = 10.0


class ModuleCoordinator:
    """Runs operations as durable jobs. One process has one started coordinator at a time.

    Args:
        settings: The configuration.
        registry: Modules that can be run.
        store: Where jobs and outcomes are kept.
        historian: The owner of the live samples, from which input data is taken.
        plant: Tags and models, handed to every operation.
        clock: Plant time or wall time; all times of jobs are read from it.
        home: The home, owned by this process.
        events: Where each change of a job is published.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        store: Store,
        historian: Historian,
        plant: Plant,
        clock: Clock,
        home: Home,
        events: EventBus,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._store = store
        self._clock = clock
        self._home = home
        self._events = events
        coordination = settings.coordination
        self._pool = WorkerPool(coordination.workers, memory_mb=coordination.worker_memory_mb)
        self._meter = ResourceMeter()
        self._inputs = Inputs(home.exchange, historian, plant)
        self._acceptance = Acceptance(settings, registry, clock, self._inputs)
        self._runs = JobRuns(
            settings,
            registry,
            store,
            plant,
            clock,
            home,
            events,
            inputs=self._inputs,
            pool=self._pool,
            meter=self._meter,
        )
        self._durable = DurableJobs(
            self._workflow_url(), self._runs.attempt, timedelta(days=coordination.workflow_days)
        )
        self._starting: set[asyncio.Task[None]] = set()
        self._keys: dict[str, asyncio.Lock] = {}
        self._statistics: tuple[int, dict[str, dict[str, Any]]] | None = None
        self._started = False

    async def start(self) -> None:
        """Launch the durable workflows, and take up every job without an outcome.

        Workers start here, or when they are first needed, as configured.

        Raises:
            HomeLockedError: this process does not own the home.
            ConflictError: another coordinator runs on the same database or in this process.
            DatabaseUnavailableError: the database cannot be reached.
        """
        if not self._home.owned:
            raise HomeLockedError(
                "this process does not own the home",
                where=str(self._home.path),
                why="a second launch would run again what the owner has in flight",
                remedy="acquire the home first",
            )
        unfinished = await self._store.jobs.unfinished()
        self._inputs.sweep(unfinished)
        for job in unfinished:
            self._runs.expect(job)
        await self._durable.start()
        self._started = True
        if self._settings.coordination.start_workers == "ahead":
            self._pool.start()
        await self._durable.begin_anew([job.id for job in unfinished])
        await self._durable.begin_purging()
        if unfinished:
            log.info("unfinished jobs are taken up again", count=len(unfinished))

    async def stop(self) -> None:
        """Stop within a few seconds; what runs or waits goes on at the next start."""
        if not self._started:
            return
        self._started = False
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await self._runs.stop()
        await asyncio.gather(self._durable.stop(), self._pool.stop())

    # -- acceptance ---------------------------------------------------------------------------

    async def submit(self, record: DecisionRecord, decision: Decision) -> list[JobRecord]:
        """Store a decision with its actions as jobs, in one transaction, and start them.

        A dry run is stored without jobs. An action waits for those that it depends on; one that is
        not deferred does not wait for one that is.

        Raises:
            UnknownModuleError, UnknownOperationError, ParameterError, DataError: an action cannot
                be run; nothing is stored.
            ConflictError: the decision is stored already.
            DatabaseUnavailableError: nothing could be stored.
        """
        jobs = [] if decision.dry_run else await self._acceptance.jobs_of(decision)
        try:
            self._require_started(bool(jobs))
            await self._store.decisions.add(record, jobs)
        except BaseException:
            self._acceptance.withdraw(jobs)
            raise
        for job in jobs:
            self._launch(job)
        return jobs

    async def invoke(
        self,
        module: str,
        operation: str,
        parameters: dict[str, Any],
        *,
        priority: int = 5,
        idempotency_key: str | None = None,
        origin: dict[str, str] | None = None,
    ) -> JobRecord:
        """Accept one operation asked for directly; ``priority`` 1 is the most urgent.

        ``origin`` is kept with the job: by which way it was asked for, and by whom. With an ``idempotency_key`` a repeated request returns the job of the first.

        Raises:
            UnknownModuleError, UnknownOperationError: there is no such operation.
            GateRefusedError: the module is disabled.
            ParameterError: a parameter does not fit; the text names it.
            DataError: the input data cannot be used.
            ConflictError: the key was used for another request.
            DatabaseUnavailableError: nothing could be stored.
        """
        action = Action(
            module=module, operation=operation, parameters=parameters, priority=priority
        )
        if idempotency_key is None:
            return await self._accept(uuid4().hex, action, origin)
        job_id = uuid5(JOB_NAMESPACE, f"key:{idempotency_key}").hex
        lock = self._keys.setdefault(job_id, asyncio.Lock())
        try:
            async with lock:
                earlier = await self._earlier(job_id, action)
                return earlier or await self._accept(job_id, action, origin)
        finally:
            if not lock.locked():
                self._keys.pop(job_id, None)

    async def _earlier(self, job_id: str, action: Action) -> JobRecord | None:
        try:
            job = await self._store.jobs.get(job_id)
        except NotFoundError:
            return None
        if job.request["digest"] != digest_of(action):
            raise ConflictError(
                "the idempotency key was used for another request",
                where=f"{job.module}.{job.operation}",
                remedy="use a new key for a new request",
            )
        return job

    async def _accept(
        self, job_id: str, action: Action, origin: dict[str, str] | None
    ) -> JobRecord:
        job = await self._acceptance.job(job_id, action, origin=origin)
        try:
            self._require_started(True)
            await self._store.jobs.add(job)
        except BaseException:
            self._acceptance.withdraw([job])
            raise
        self._launch(job)
        return job

    def _launch(self, job: JobRecord) -> None:
        self._runs.expect(job)
        publish_job(self._events, self._clock.now(), job)
        self._spawn(self._begin(job.id))

    async def _begin(self, job_id: str) -> None:
        try:
            await self._durable.begin(job_id)
        except Exception as error:  # noqa: BLE001  accepted: the next start takes it up again
            log.error("a workflow could not be started", job_id=job_id, error=str(error))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    # -- afterwards ---------------------------------------------------------------------------

    async def wait(self, job_id: str, timeout: float | None = None) -> OutcomeRecord:  # noqa: ASYNC109
        """The outcome of a job, waited for up to ``timeout`` seconds (without limit when ``None``).

        Raises:
            NotFoundError: there is no such job.
            TimeoutError: it has not ended in that time; it goes on.
            UnavailableError: the service stops first; the job goes on at the next start.
        """
        async with asyncio.timeout(timeout):
            return await self._runs.outcome_of(job_id)

    async def cancel(self, job_id: str) -> JobRecord:
        """End a job early, queued or running; one that has ended stays as it is.

        Raises:
            NotFoundError: there is no such job.
        """
        job = await self._store.jobs.request_cancel(job_id)
        run = self._runs.get(job_id)
        if job.status in FINAL_STATUSES or run is None:
            return job
        self._runs.cancel(run)
        try:
            await self.wait(job_id, CANCEL_WAIT_S)
        except TimeoutError:
            log.warning("a job takes long to cancel", job_id=job_id)
        return await self._store.jobs.get(job_id)

    def progress(self, job_id: str) -> JobRecord | None:
        """A job that has no outcome yet, with its progress up to this moment."""
        run = self._runs.get(job_id)
        return run.job if run is not None else None

    async def facts(self) -> dict[str, ModuleFact]:
        """State of every module. Accepted jobs that wait count as in flight: they will run."""
        written = self._runs.outcomes_written
        if self._statistics is None or self._statistics[0] != written:
            self._statistics = written, await self._store.outcomes.statistics()
        statistics = self._statistics[1]
        live = [run.job for run in self._runs.live()]
        return {
            module.name: self._fact(
                module.name,
                [job for job in live if job.module == module.name],
                {
                    operation.name: statistics[operation.full_name]
                    for operation in module.operations
                    if operation.full_name in statistics
                },
            )
            for module in self._registry
        }

    def resources(self) -> ResourcesFact:
        """Free shares of the machine and the number of jobs that wait."""
        return ResourcesFact(
            cpu_free_share=self._meter.cpu_free_share(),
            memory_free_share=self._meter.memory_free_share(),
            queue_depth=self._runs.queued,
        )

    def _fact(
        self, name: str, live: list[JobRecord], statistics: dict[str, dict[str, Any]]
    ) -> ModuleFact:
        leading = LEADING_OPERATION.get(name)
        successes = [
            numbers["last_success_at"]
            for operation, numbers in statistics.items()
            if numbers["last_success_at"] is not None and leading in (None, operation)
        ]
        count = sum(numbers["count"] for numbers in statistics.values())
        good = sum(numbers["count"] * numbers["success_rate"] for numbers in statistics.values())
        slowest = [n["p95_seconds"] for n in statistics.values() if n["p95_seconds"] is not None]
        age = (self._clock.now() - max(successes)).total_seconds() / 60 if successes else None
        return ModuleFact(
            enabled=self._settings.module(name).enabled,
            in_flight=len(live),
            running=tuple(sorted({f"{job.module}.{job.operation}" for job in live})),
            last_success_minutes=max(0.0, age) if age is not None else None,
            success_rate=good / count if count else None,
            p95_seconds=max(slowest, default=None),
        )

    def _require_started(self, needed: bool) -> None:
        if needed and not self._started:
            raise UnavailableError(
                "no work is accepted: the service is starting or stopping", remedy="try again"
            )

    def _workflow_url(self) -> str:
        secret = self._settings.state.database_url
        url = secret.get_secret_value() if secret is not None else ""
        scheme, separator, rest = url.partition("://")
        if scheme.startswith("postgres"):
            return f"postgresql{separator}{rest}"
        return f"sqlite:///{self._home.workflows}"
