"""Decisions: stored with their jobs in one transaction, listed by filter, counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.faults import collision
from orchestrator.state.grouped_commits import GroupedCommits, NewRow
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import DecisionRecord, JobRecord
from orchestrator.state.repositories.analytics import decision_analytics
from orchestrator.state.repositories.jobs import job_row
from orchestrator.state.tables import advice, decision_actions, decision_triggers, decisions


class Decisions:
    """Every decision, dry runs included."""

    def __init__(self, database: Database, commits: GroupedCommits) -> None:
        self._database = database
        self._commits = commits

    async def add(self, record: DecisionRecord, jobs: Sequence[JobRecord] = ()) -> None:
        """Store a decision and the jobs it asks for, all or none; durable on return.

        A decision that asks for nothing loses nothing in a power cut, so it does not wait for the
        disk (the trade that PostgreSQL offers as ``synchronous_commit = off``).

        Raises:
            ConflictError: the decision or one of the jobs is stored already.
        """
        rows = [NewRow(decisions, _decision_row(record)), *_index_rows(record)]
        rows += [job_row(job) for job in jobs]
        try:
            await self._commits.insert(rows, synced=bool(jobs))
        except IntegrityError as error:
            raise ConflictError(
                f"decision {record.id!r} cannot be stored: it or one of its jobs is stored already"
                if collision(error) == "duplicate"
                else f"decision {record.id!r} cannot be stored: a job belongs to another decision",
                remedy="give each decision and each job an id of its own",
            ) from error

    async def get(self, id: str) -> DecisionRecord:  # noqa: A002
        """The decision called ``id``.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.read() as connection:
            row = (
                (await connection.execute(select(decisions).where(decisions.c.id == id)))
                .mappings()
                .first()
            )
        if row is None:
            raise NotFoundError(
                f"no decision {id!r}", remedy="list the decisions with: dan-g decisions"
            )
        return _decision(row)

    async def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        decided_by: str | None = None,
        module: str | None = None,
        operation: str | None = None,
        trigger: str | None = None,
        dry_run: bool | None = None,
        session_id: str | None = None,
        min_confidence: float | None = None,
        max_confidence: float | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[DecisionRecord]:
        """Decisions newest first; each filter narrows.

        ``since`` is included and ``until`` is not. ``module`` and ``operation`` are of one and the
        same action; an operation is given alone or as ``module.operation``. The bounds of the
        confidence are included.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        columns = decisions.c
        query: Select[Any] = select(decisions)
        if since is not None:
            query = query.where(columns.created_at >= since)
        if until is not None:
            query = query.where(columns.created_at < until)
        if decided_by is not None:
            query = query.where(columns.decided_by == decided_by)
        if dry_run is not None:
            query = query.where(columns.dry_run == dry_run)
        if session_id is not None:
            query = query.where(columns.session_id == session_id)
        if min_confidence is not None:
            query = query.where(columns.confidence >= min_confidence)
        if max_confidence is not None:
            query = query.where(columns.confidence <= max_confidence)
        if trigger is not None:
            fired = decision_triggers.c
            named = select(fired.decision_id).where(fired.name == trigger)
            query = query.where(columns.id.in_(named))
        if module is not None or operation is not None:
            query = query.where(columns.id.in_(_with_action(module, operation)))
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                _decision,
                kind="decisions",
                time=columns.created_at,
                identity=columns.id,
                cursor=cursor,
                limit=limit,
            )

    async def analytics(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Any]:
        """Statistics of the decisions made from ``since`` until before ``until``.

        See `orchestrator.state.repositories.analytics.decision_analytics` for the keys.
        """
        async with self._database.read() as connection:
            return await decision_analytics(connection, since, until)


def _with_action(module: str | None, operation: str | None) -> Select[Any]:
    """Ids of the decisions that have one action of this module and operation."""
    action = decision_actions.c
    query = select(action.decision_id)
    if operation is not None:
        named, _, alone = operation.rpartition(".")
        query = query.where(action.operation == alone)
        if named:
            query = query.where(action.module == named)
    return query if module is None else query.where(action.module == module)


def _decision_row(record: DecisionRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "created_at": record.created_at,
        "decided_by": record.decided_by,
        "confidence": record.confidence,
        "policy_version": record.policy_version,
        "situation_digest": record.situation_digest,
        "dry_run": record.dry_run,
        "session_id": record.session_id,
        "document": record.document,
        "situation": record.situation,
        "features": record.features,
    }


def _index_rows(record: DecisionRecord) -> list[NewRow]:
    """What the filters and the statistics look for inside the document."""
    made = {"created_at": record.created_at, "decision_id": record.id}
    actions = record.document.get("actions") or ()
    triggers = record.document.get("triggers") or ()
    return [
        *(
            NewRow(decision_actions, {"module": module, "operation": operation, **made})
            for module, operation in dict.fromkeys((a["module"], a["operation"]) for a in actions)
        ),
        *(
            NewRow(decision_triggers, {"name": name, **made})
            for name in dict.fromkeys(trigger["name"] for trigger in triggers)
        ),
        *_advice_rows(record),
    ]


def _advice_rows(record: DecisionRecord) -> list[NewRow]:
    """What an adviser said of it, to be learned from."""
    given = record.document.get("advice")
    if given is None:
        return []
    prompt = given["prompt"]
    row = {
        "decision_id": record.id,
        "created_at": record.created_at,
        "model": given["model"],
        "prompt": f"{prompt['name']}@{prompt['version']} {prompt['sha256']}" if prompt else "",
        "outcome": given["outcome"],
        "stated_confidence": given["stated_confidence"],
        "confidence": given["confidence"],
        "policy_confidence": given["policy_confidence"],
        "proposed": given["proposed"],
        "policy": given["policy"],
    }
    return [NewRow(advice, row)]


def _decision(row: RowMapping) -> DecisionRecord:
    return DecisionRecord(**row)
