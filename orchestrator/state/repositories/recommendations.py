"""Recommendations and their state, which only one of several approvers can change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.faults import collision
from orchestrator.state.grouped_commits import GroupedCommits, NewRow
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import RecommendationRecord
from orchestrator.state.tables import recommendations


class Recommendations:
    """Recommendations of operations."""

    def __init__(self, database: Database, commits: GroupedCommits) -> None:
        self._database = database
        self._commits = commits

    async def add(self, record: RecommendationRecord) -> None:
        """Store a recommendation.

        Raises:
            ConflictError: one of that id is stored already.
            NotFoundError: the job that it names is not stored.
        """
        values = {
            "id": record.id,
            "job_id": record.job_id,
            "created_at": record.created_at,
            "expires_at": record.expires_at,
            "state": record.state,
            "digest": record.digest,
            "document": record.document,
        }
        try:
            await self._commits.insert([NewRow(recommendations, values)])
        except IntegrityError as error:
            if collision(error) == "missing_parent":
                raise NotFoundError(f"no job {record.job_id!r}") from error
            raise ConflictError(f"recommendation {record.id!r} is stored already") from error

    async def get(self, id: str) -> RecommendationRecord:  # noqa: A002
        """The recommendation called ``id``.

        Raises:
            NotFoundError: there is none.
        """
        query = select(recommendations).where(recommendations.c.id == id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFoundError(f"no recommendation {id!r}")
        return _recommendation(row)

    async def list(
        self,
        *,
        state: str | None = None,
        job_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[RecommendationRecord]:
        """Recommendations newest first; ``since`` is included, ``until`` not.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        columns = recommendations.c
        query: Select[Any] = select(recommendations)
        if state is not None:
            query = query.where(columns.state == state)
        if job_id is not None:
            query = query.where(columns.job_id == job_id)
        if since is not None:
            query = query.where(columns.created_at >= since)
        if until is not None:
            query = query.where(columns.created_at < until)
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                _recommendation,
                kind="recommendations",
                time=columns.created_at,
                identity=columns.id,
                cursor=cursor,
                limit=limit,
            )

    async def set_state(
        self,
        id: str,  # noqa: A002
        state: str,
        *,
        expected: str | None = None,
    ) -> RecommendationRecord:
        """Change the state, from ``expected`` when that is given; returns the changed one.

        Raises:
            NotFoundError: there is none.
            ConflictError: its state is not the expected one, for someone else was faster.
        """
        change = update(recommendations).where(recommendations.c.id == id)
        if expected is not None:
            change = change.where(recommendations.c.state == expected)
        async with self._database.write() as connection:
            changed = (await connection.execute(change.values(state=state))).rowcount
        found = await self.get(id)
        if not changed:
            raise ConflictError(
                f"recommendation {id!r} is {found.state}, not {expected}",
                remedy="look at it again before you decide",
            )
        return found


def _recommendation(row: RowMapping) -> RecommendationRecord:
    return RecommendationRecord(**row)
