"""Outcomes: how each job ended, written once and never again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import NotFoundError, ParameterError
from orchestrator.state.database import Database
from orchestrator.state.records import FINAL_STATUSES, OutcomeRecord
from orchestrator.state.repositories.ranks import ranked_seconds
from orchestrator.state.tables import jobs, outcomes


class Outcomes:
    """One outcome a job, whoever asks how often: after a crash a step may run and report again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, outcome: OutcomeRecord) -> bool:
        """Store how a job ended and end the job, in one transaction; the first write wins.

        Returns false, with nothing changed, when the job has an outcome already.

        Raises:
            NotFoundError: there is no such job.
            ParameterError: the status is not a final one.
        """
        if outcome.status not in FINAL_STATUSES:
            raise ParameterError(
                f"status = {outcome.status!r} does not end a job",
                where=f"outcome of job {outcome.job_id!r}",
                remedy=f"one of {', '.join(sorted(FINAL_STATUSES))}",
            )
        make = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        insertion = make(outcomes).values(**_outcome_row(outcome)).on_conflict_do_nothing()
        ending: dict[str, Any] = {"status": outcome.status, "ended_at": outcome.ended_at}
        if outcome.status == "succeeded":
            ending["progress"] = 1.0
        try:
            async with self._database.write() as connection:
                if not (await connection.execute(insertion)).rowcount:
                    return False
                await connection.execute(
                    update(jobs).where(jobs.c.id == outcome.job_id).values(**ending)
                )
        except IntegrityError as error:
            raise NotFoundError(f"no job {outcome.job_id!r} to record the end of") from error
        return True

    async def get(self, job_id: str) -> OutcomeRecord | None:
        """How the job ended; null while it has not."""
        query = select(outcomes).where(outcomes.c.job_id == job_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _outcome(row)

    async def of_decision(self, decision_id: str) -> list[OutcomeRecord]:
        """Outcomes of the jobs of a decision, in the order in which they ended."""
        query = (
            select(outcomes)
            .where(outcomes.c.decision_id == decision_id)
            .order_by(outcomes.c.ended_at, outcomes.c.job_id)
        )
        async with self._database.read() as connection:
            return [_outcome(row) for row in (await connection.execute(query)).mappings()]

    async def statistics(self, since: datetime | None = None) -> dict[str, dict[str, Any]]:
        """What is known of each operation (``module.operation``) from its outcomes since ``since``.

        ``count`` is how many ended, without those cancelled and those that failed for what the
        caller gave (a status of 4xx), ``success_rate`` the share of them
        that succeeded, ``p95_seconds`` the 95th percentile (nearest rank) of the time that the
        successful ones took, ``last_success_at`` when the last of them ended; the last two are
        null before the first success.
        """
        columns = outcomes.c
        fault = columns.error["status"].as_integer()
        within = and_(
            columns.status != "cancelled",
            or_(columns.error.is_(None), ~fault.between(400, 499), fault.is_(None)),
            *([] if since is None else [columns.ended_at >= since]),
        )
        succeeded = columns.status == "succeeded"
        counts = (
            select(
                columns.module,
                columns.operation,
                func.count().label("count"),
                func.sum(case((succeeded, 1), else_=0)).label("successes"),
                func.max(case((succeeded, columns.ended_at))).label("last_success_at"),
            )
            .where(within)
            .group_by(columns.module, columns.operation)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(counts)).all()
            seconds = await ranked_seconds(connection, and_(within, succeeded), {"p95": 0.95})
        return {
            f"{row.module}.{row.operation}": {
                "count": row.count,
                "success_rate": row.successes / row.count,
                "p95_seconds": seconds.get((row.module, row.operation), {}).get("p95"),
                "last_success_at": row.last_success_at,
            }
            for row in found
        }


def _outcome_row(record: OutcomeRecord) -> dict[str, Any]:
    return {
        "job_id": record.job_id,
        "decision_id": record.decision_id,
        "module": record.module,
        "operation": record.operation,
        "status": record.status,
        "seconds": record.seconds,
        "attempts": record.attempts,
        "ended_at": record.ended_at,
        "result": record.result,
        "error": record.error,
    }


def _outcome(row: RowMapping) -> OutcomeRecord:
    return OutcomeRecord(**row)
