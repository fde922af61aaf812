"""Jobs: accepted actions and how far each one is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, literal, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.faults import collision
from orchestrator.state.grouped_commits import GroupedCommits, NewRow
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import FINAL_STATUSES, JobRecord
from orchestrator.state.tables import jobs

_OPEN = jobs.c.status.not_in(sorted(FINAL_STATUSES))


class Jobs:
    """Jobs of decisions and direct invocations. A job that has ended does not change again."""

    def __init__(self, database: Database, commits: GroupedCommits) -> None:
        self._database = database
        self._commits = commits

    async def add(self, *records: JobRecord) -> None:
        """Accept jobs, all or none; durable on return.

        Raises:
            ConflictError: one of them is stored already.
            NotFoundError: the decision of one is not stored.
        """
        try:
            await self._commits.insert([job_row(record) for record in records])
        except IntegrityError as error:
            names = ", ".join(repr(record.id) for record in records)
            if collision(error) == "missing_parent":
                raise NotFoundError(f"the decision of job {names} is not stored") from error
            raise ConflictError(f"job {names} is stored already") from error

    async def get(self, id: str) -> JobRecord:  # noqa: A002
        """The job called ``id``.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == id))).mappings().first()
        if row is None:
            raise NotFoundError(
                f"no job {id!r}", remedy="each decision lists its jobs: dan-g decisions"
            )
        return _job(row)

    async def list(
        self,
        *,
        status: str | Sequence[str] | None = None,
        module: str | None = None,
        operation: str | None = None,
        decision_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[JobRecord]:
        """Jobs by the time they were accepted, newest first; ``since`` is included, ``until`` not.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        columns = jobs.c
        query: Select[Any] = select(jobs)
        if status is not None:
            wanted = [status] if isinstance(status, str) else list(status)
            query = query.where(columns.status.in_(wanted))
        if module is not None:
            query = query.where(columns.module == module)
        if operation is not None:
            named, _, alone = operation.rpartition(".")
            query = query.where(columns.operation == alone)
            if named:
                query = query.where(columns.module == named)
        if decision_id is not None:
            query = query.where(columns.decision_id == decision_id)
        if since is not None:
            query = query.where(columns.accepted_at >= since)
        if until is not None:
            query = query.where(columns.accepted_at < until)
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                _job,
                kind="jobs",
                time=columns.accepted_at,
                identity=columns.id,
                cursor=cursor,
                limit=limit,
            )

    async def unfinished(self) -> tuple[JobRecord, ...]:
        """Every job without an outcome, in the order of acceptance."""
        query = select(jobs).where(_OPEN).order_by(jobs.c.accepted_at, jobs.c.id)
        async with self._database.read() as connection:
            return tuple(_job(row) for row in (await connection.execute(query)).mappings())

    async def start(self, id: str, at: datetime) -> bool:  # noqa: A002
        """Mark the job as running since ``at``; false when it has ended.

        A job that starts again after a crash keeps its first start.
        """
        first = func.coalesce(jobs.c.started_at, literal(at, jobs.c.started_at.type))
        change = update(jobs).where(jobs.c.id == id, _OPEN)
        return await self._change(change.values(status="running", started_at=first))

    async def progress(self, id: str, share: float, message: str = "") -> bool:  # noqa: A002
        """Note how far a job is, from 0 to 1; false when it has ended."""
        share = min(max(share, 0.0), 1.0)
        change = update(jobs).where(jobs.c.id == id, _OPEN)
        return await self._change(change.values(progress=share, message=message))

    async def request_cancel(self, id: str) -> JobRecord:  # noqa: A002
        """Ask a job to end early; one that has ended stays as it is. Returns the job.

        Raises:
            NotFoundError: there is none.
        """
        await self._change(update(jobs).where(jobs.c.id == id, _OPEN).values(cancel_requested=True))
        return await self.get(id)

    async def _change(self, change: Any) -> bool:
        async with self._database.write() as connection:
            return bool((await connection.execute(change)).rowcount)


def job_row(record: JobRecord) -> NewRow:
    """The row of a job, to insert alone or with its decision."""
    return NewRow(
        jobs,
        {
            "id": record.id,
            "decision_id": record.decision_id,
            "module": record.module,
            "operation": record.operation,
            "priority": record.priority,
            "deferred": record.deferred,
            "depends_on": record.depends_on,
            "request": record.request,
            "accepted_at": record.accepted_at,
            "status": record.status,
            "progress": record.progress,
            "message": record.message,
            "started_at": record.started_at,
            "ended_at": record.ended_at,
            "cancel_requested": record.cancel_requested,
        },
    )


def _job(row: RowMapping) -> JobRecord:
    values = dict(row)
    values["depends_on"] = tuple(values["depends_on"])
    return JobRecord(**values)
