"""Recommendations, the journal of their life, and the approvals; of two who change one, one is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.faults import collision
from orchestrator.state.grouped_commits import GroupedCommits, NewRow
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import (
    ApprovalRecord,
    RecommendationRecord,
    RecommendationTransition,
    StepRecord,
)
from orchestrator.state.repositories.recommendation_steps import add_steps
from orchestrator.state.tables import approvals, recommendation_transitions, recommendations


class Recommendations:
    """Recommendations of operations, their transitions and approvals."""

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
            raise NotFoundError(
                f"no recommendation {id!r}", remedy="list them with: dan-g recommendations"
            )
        return _recommendation(row)

    async def list(
        self,
        *,
        state: str | Sequence[str] | None = None,
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
            wanted = [state] if isinstance(state, str) else list(state)
            query = query.where(columns.state.in_(wanted))
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

    async def change(
        self,
        transition: RecommendationTransition,
        *,
        approval: ApprovalRecord | None = None,
        void_approvals: bool = False,
        steps: Sequence[StepRecord] = (),
    ) -> RecommendationRecord:
        """Take one step of a recommendation's life, with all that belongs to it, or nothing of it.

        The transition's own ``sequence`` is not looked at: it becomes the next one.

        Args:
            transition: From which state to which, by whom and why.
            approval: An approval that comes with it.
            void_approvals: Whether the approvals given so far no longer count.
            steps: Writes that are planned with it; pending ones of before are dropped.

        Returns:
            The recommendation after it.

        Raises:
            NotFoundError: there is no such recommendation.
            ConflictError: its state is not the transition's first, for someone else was faster.
        """
        id_ = transition.recommendation_id
        claim = (
            update(recommendations)
            .where(recommendations.c.id == id_)
            .where(recommendations.c.state == transition.from_state)
            .values(state=transition.to_state)
        )
        async with self._database.write() as connection:
            changed = (await connection.execute(claim)).rowcount
            if changed:
                last = select(func.coalesce(func.max(recommendation_transitions.c.sequence), 0))
                last = last.where(recommendation_transitions.c.recommendation_id == id_)
                number = (await connection.execute(last)).scalar_one() + 1
                await connection.execute(
                    insert(recommendation_transitions).values(
                        **asdict(replace(transition, sequence=number))
                    )
                )
                if void_approvals:
                    mine = approvals.c.recommendation_id == id_
                    await connection.execute(update(approvals).where(mine).values(void=True))
                if approval is not None:
                    await connection.execute(
                        insert(approvals).values(sequence=number, **asdict(approval))
                    )
                if steps:
                    await add_steps(connection, id_, steps, transition.at)
        found = await self.get(id_)
        if not changed:
            raise ConflictError(
                f"recommendation {id_!r} is {found.state}, not {transition.from_state}",
                remedy="look at it again before you decide",
            )
        return found

    async def trail(self, id: str) -> tuple[RecommendationTransition, ...]:  # noqa: A002
        """Every transition of the recommendation, oldest first; empty when there is none."""
        columns = recommendation_transitions.c
        query = (
            select(recommendation_transitions)
            .where(columns.recommendation_id == id)
            .order_by(columns.sequence)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(RecommendationTransition(**row) for row in rows)

    async def approvals(self, id: str) -> tuple[ApprovalRecord, ...]:  # noqa: A002
        """Every approval of the recommendation, void ones too, oldest first."""
        columns = approvals.c
        query = (
            select(*(column for column in columns if column.name != "sequence"))
            .where(columns.recommendation_id == id)
            .order_by(columns.sequence)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(ApprovalRecord(**row) for row in rows)


def _recommendation(row: RowMapping) -> RecommendationRecord:
    return RecommendationRecord(**row)
