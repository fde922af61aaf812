"""Durable workflows by DBOS: each job is one workflow, and its attempts are the steps.

DBOS lives in a thread with an event loop of its own, because it makes its thread pool the default
of every loop that it meets and takes the pool away when it ends. What an attempt does runs on the
service's loop. A process has at most one :class:`DurableJobs` at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar

import structlog
from sqlalchemy import make_url

from orchestrator.errors import ConflictError, DatabaseUnavailableError

if TYPE_CHECKING:
    import psycopg

log = structlog.get_logger(__name__)
T = TypeVar("T")

APPLICATION = "dan-g"
EXECUTOR = "dan-g"
"""Constant, so that a restart finds what the process before it left; one owner is ensured below."""
WORKFLOW_VERSION = "1"
"""To be raised when the steps of the workflow change."""
OWNER_LOCK = 0x64616E672D6A6F62
OWNER_WAIT_S = 10.0
"""How long PostgreSQL may take to notice that the owner before us was killed."""
STOP_POLL_S = 0.2
"""How often a thread of DBOS that we have no use for looks whether to end: bounds our stop."""
DRAIN_S = 1.0
"""How long workflows whose outcome is written may take to say so, at a stop."""
PURGE_EVERY_S = 86_400.0
PURGE_AT_ONCE = 500
"""Workflows removed in one transaction, so that none of those that run waits long."""
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Verdict(TypedDict):
    """How an attempt ended: done for good, or to be repeated at ``not_before`` (Unix time, s)."""

    done: bool
    not_before: float


Attempt = Callable[[str, int, float], Coroutine[Any, Any, Verdict]]


class _Process:
    """What DBOS has once in a process."""

    running: ClassVar[DurableJobs | None] = None
    workflow: ClassVar[Callable[[str], Coroutine[Any, Any, None]] | None] = None


class DurableJobs:
    """Runs ``attempt(job_id, number, not_before)`` until it is done, across crashes and restarts.

    An attempt may run again after a crash, so it must write its outcome with the first write
    winning. An attempt that is cancelled leaves its workflow to be resumed at the next start.

    Args:
        url: ``sqlite:///…`` or ``postgresql://…``.
        attempt: Runs on the event loop on which :meth:`start` is awaited.
        keep: How long a finished workflow is kept; see :meth:`begin_purging`.
    """

    def __init__(self, url: str, attempt: Attempt, keep: timedelta) -> None:
        self._url = url
        self._attempt = attempt
        self._keep = keep
        self._purging: asyncio.Task[None] | None = None
        self._service_loop: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._claim: psycopg.Connection[Any] | None = None
        self._workflow: Callable[[str], Coroutine[Any, Any, None]] | None = None

    async def start(self) -> None:
        """Launch; jobs that a crash left in flight are taken up again within about a second.

        Raises:
            ConflictError: another service uses the same database, or this process has one already.
            DatabaseUnavailableError: the database cannot be reached.
        """
        if _Process.running is not None:
            raise ConflictError("this process runs durable jobs already")
        _Process.running = self
        self._service_loop = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="durable-jobs", daemon=True
        )
        self._thread.start()
        try:
            await self._on_own_loop(self._launch())
        except BaseException:
            await self.stop()
            raise

    async def begin(self, job_id: str) -> None:
        """Start the workflow of a job; does nothing where there is one."""
        await self._on_own_loop(self._start_workflow(job_id))

    async def begin_anew(self, job_ids: list[str]) -> None:
        """Start the workflows of accepted jobs that have no outcome.

        Those in flight are left to DBOS's own recovery. One that ended without an outcome (its
        database was put back from a backup, say) is started again, and so is one of an earlier
        ``WORKFLOW_VERSION``, which DBOS would leave alone.
        """
        await self._on_own_loop(self._start_again(job_ids))

    async def begin_purging(self) -> None:
        """Remove old finished workflows from now on; only after :meth:`begin_anew` has seen them."""
        await self._on_own_loop(self._begin_purging())

    async def stop(self) -> None:
        """Stop; attempts must have been cancelled before. What is in flight resumes at next start."""
        if self._thread is not None:
            await self._on_own_loop(self._drain())
            thread, self._thread = self._thread, None
            await asyncio.to_thread(self._end, thread)
        if _Process.running is self:
            _Process.running = None

    async def on_service_loop(self, job_id: str, number: int, not_before: float) -> Verdict:
        """Run one attempt on the service's loop; called on the own loop."""
        assert self._service_loop is not None
        future = asyncio.run_coroutine_threadsafe(
            self._attempt(job_id, number, not_before), self._service_loop
        )
        return await asyncio.wrap_future(future)

    # -- on the own loop ----------------------------------------------------------------------

    async def _launch(self) -> None:
        from dbos import DBOS, DBOSConfig

        _redirect_log()
        if self._url.startswith("sqlite"):
            _prepare_sqlite(self._url)
        else:
            self._claim = _claim_database(self._url)
        self._workflow = _registered_workflow()
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._url,
            "executor_id": EXECUTOR,
            "application_version": WORKFLOW_VERSION,
            "log_level": "ERROR",
            "enable_otlp": False,
            "use_listen_notify": False,
            "sys_db_pool_size": 8,
            "max_executor_threads": 16,
            "notification_listener_polling_interval_sec": STOP_POLL_S,
        }
        try:
            DBOS(config=config)
            DBOS.launch()
        except Exception as error:
            raise DatabaseUnavailableError(
                f"durable workflows cannot be started: {type(error).__name__}",
                where=make_url(self._url).render_as_string(hide_password=True),
                why="no work is accepted that could be lost",
                remedy="see that the database server runs and takes connections",
            ) from error

    async def _start_workflow(self, job_id: str) -> None:
        from dbos import DBOS, SetWorkflowID

        assert self._workflow is not None
        with SetWorkflowID(job_id):
            await DBOS.start_workflow_async(self._workflow, job_id)

    async def _start_again(self, job_ids: list[str]) -> None:
        from dbos import DBOS

        if not job_ids:
            return
        known = await DBOS.list_workflows_async(
            workflow_ids=job_ids, load_input=False, load_output=False
        )
        ended = [
            workflow.workflow_id
            for workflow in known
            if workflow.status in ENDED or workflow.app_version != WORKFLOW_VERSION
        ]
        if ended:
            log.warning("workflows that left no outcome start anew", jobs=ended)
            await DBOS.delete_workflows_async(ended)
        in_flight = {workflow.workflow_id for workflow in known} - set(ended)
        for job_id in job_ids:
            if job_id not in in_flight:
                await self._start_workflow(job_id)

    async def _begin_purging(self) -> None:
        self._purging = asyncio.ensure_future(self._purge_daily())

    async def _purge_daily(self) -> None:
        """Remove old finished workflows now and then each day; what fails waits for the next time."""
        while True:
            try:
                removed = await self._purge()
            except Exception as error:  # noqa: BLE001 jobs run on without it
                log.warning("finished workflows are not removed", error=repr(error))
            else:
                if removed:
                    log.info("finished workflows removed", count=removed)
            await asyncio.sleep(PURGE_EVERY_S)

    async def _purge(self) -> int:
        """Remove the workflows that ended longer ago than they are kept; how many there were."""
        from dbos import DBOS

        before = (datetime.now(UTC) - self._keep).isoformat()  # DBOS stamps by the machine's clock
        removed = 0
        while True:
            old = await DBOS.list_workflows_async(
                status=list(ENDED),
                completed_before=before,
                limit=PURGE_AT_ONCE,
                load_input=False,
                load_output=False,
            )
            if not old:
                return removed
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in old])
            removed += len(old)

    async def _drain(self) -> None:
        if self._purging is not None:
            self._purging.cancel()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=DRAIN_S)

    async def _on_own_loop(self, work: Coroutine[Any, Any, T]) -> T:
        if self._thread is None or self._loop is None:
            work.close()
            raise DatabaseUnavailableError("durable jobs are not running")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _end(self, thread: threading.Thread) -> None:
        from dbos import DBOS

        DBOS.destroy()
        loop = self._loop
        assert loop is not None
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(timeout=2)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=2)
        if not thread.is_alive():
            loop.close()
        if self._claim is not None:
            self._claim.close()
            self._claim = None


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _registered_workflow() -> Callable[[str], Coroutine[Any, Any, None]]:
    """The workflow, registered with DBOS once for the life of the process."""
    if _Process.workflow is None:
        from dbos import DBOS

        register = DBOS.workflow(name="dan_g.job", max_recovery_attempts=None)
        _Process.workflow = staticmethod(register(_job))
    return _Process.workflow


async def _job(job_id: str) -> None:
    """The workflow: attempts until one is done. Each attempt is a step, with its result kept."""
    from dbos import DBOS

    number, not_before = 1, 0.0
    while True:
        verdict = await DBOS.run_step_async({"name": "attempt"}, _step, job_id, number, not_before)
        if verdict["done"]:
            return
        number, not_before = number + 1, verdict["not_before"]


async def _step(job_id: str, number: int, not_before: float) -> Verdict:
    if _Process.running is None:
        raise asyncio.CancelledError
    return await _Process.running.on_service_loop(job_id, number, not_before)


def _prepare_sqlite(url: str) -> None:
    """Write-ahead logging, which DBOS does not set: a commit then costs one sync, not several."""
    path = make_url(url).database
    assert path is not None
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _claim_database(url: str) -> psycopg.Connection[Any]:
    """Be the one service on a PostgreSQL database, for as long as the connection lives.

    A second launch on the same workflows would run again what the first has in flight.
    """
    import psycopg

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        raise DatabaseUnavailableError(
            "the database of the durable workflows cannot be reached",
            where=shown,
            remedy="see that the database server runs and takes connections",
        ) from error
    try:
        connection.execute(f"SET lock_timeout = {int(OWNER_WAIT_S * 1000)}")
        connection.execute("SELECT pg_advisory_lock(%s)", (OWNER_LOCK,))
    except psycopg.errors.LockNotAvailable:
        connection.close()
        raise ConflictError(
            "another orchestrator uses this database",
            where=shown,
            why="two would run the same jobs twice",
            remedy="stop the other one, or give this one a database of its own",
        ) from None
    except BaseException:
        connection.close()
        raise
    return connection


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log.error("dbos", message=record.getMessage(), error=repr(error) if error else None)


def _redirect_log() -> None:
    """Errors of DBOS go to our log; it would write to the console otherwise."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, _ToStructlog) for handler in logger.handlers):
        logger.handlers = [_ToStructlog()]
        logger.propagate = False
