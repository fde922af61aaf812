"""Feedback: what came of decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.faults import collision
from orchestrator.state.grouped_commits import GroupedCommits, NewRow
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import FeedbackRecord
from orchestrator.state.tables import feedback


class Feedback:
    """Verdicts on decisions; a decision may have several."""

    def __init__(self, database: Database, commits: GroupedCommits) -> None:
        self._database = database
        self._commits = commits

    async def add(self, record: FeedbackRecord) -> None:
        """Store a verdict.

        Raises:
            NotFoundError: the decision is not stored.
            ConflictError: feedback of that id is stored already.
        """
        values = {
            "id": record.id,
            "decision_id": record.decision_id,
            "created_at": record.created_at,
            "verdict": record.verdict,
            "benefit_usd": record.benefit_usd,
            "comment": record.comment,
            "author": record.author,
        }
        try:
            await self._commits.insert([NewRow(feedback, values)])
        except IntegrityError as error:
            if collision(error) == "missing_parent":
                raise NotFoundError(
                    f"no decision {record.decision_id!r} to give feedback on",
                    remedy="list the decisions with: dan-g decisions",
                ) from error
            raise ConflictError(f"feedback {record.id!r} is stored already") from error

    async def list(
        self,
        decision_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[FeedbackRecord]:
        """Feedback newest first, of one decision or of all; ``since`` is included, ``until`` not.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        columns = feedback.c
        query: Select[Any] = select(feedback)
        if decision_id is not None:
            query = query.where(columns.decision_id == decision_id)
        if since is not None:
            query = query.where(columns.created_at >= since)
        if until is not None:
            query = query.where(columns.created_at < until)
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                lambda row: FeedbackRecord(**row),
                kind="feedback",
                time=columns.created_at,
                identity=columns.id,
                cursor=cursor,
                limit=limit,
            )
