"""The writes of recommendations: which are planned, which are under way, and how each ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import ConflictError
from orchestrator.state.database import Database
from orchestrator.state.records import StepRecord, StepState
from orchestrator.state.tables import recommendation_steps


class RecommendationSteps:
    """Steps of recommendations; they are planned with the transition that begins them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, recommendation_id: str) -> tuple[StepRecord, ...]:
        """All steps of a recommendation, in the order in which they are written."""
        columns = recommendation_steps.c
        query = (
            select(recommendation_steps)
            .where(columns.recommendation_id == recommendation_id)
            .order_by(columns.number)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(StepRecord(**row) for row in rows)

    async def mark(
        self,
        step: StepRecord,
        state: StepState,
        *,
        at: datetime,
        detail: str = "",
    ) -> StepRecord:
        """Change a step's state from what it is in ``step``; durable on return.

        Raises:
            ConflictError: it is in another state already, so that somebody else has begun it.
        """
        columns = recommendation_steps.c
        change = (
            update(recommendation_steps)
            .where(columns.recommendation_id == step.recommendation_id)
            .where(columns.number == step.number)
            .where(columns.state == step.state)
            .values(state=state, changed_at=at, detail=detail)
        )
        async with self._database.write() as connection:
            changed = (await connection.execute(change)).rowcount
        if not changed:
            raise ConflictError(
                f"step {step.number} of recommendation {step.recommendation_id!r} is no longer "
                f"{step.state}",
                why="a step is written once",
            )
        return replace(step, state=state, changed_at=at, detail=detail)


async def add_steps(
    connection: AsyncConnection, recommendation_id: str, steps: Sequence[StepRecord], at: datetime
) -> None:
    """Plan steps after those that are there, in the caller's transaction; pending ones are dropped."""
    columns = recommendation_steps.c
    mine = columns.recommendation_id == recommendation_id
    dropped = update(recommendation_steps).where(mine, columns.state == "pending")
    await connection.execute(dropped.values(state="dropped", changed_at=at))
    last = select(func.coalesce(func.max(columns.number), 0)).where(mine)
    first = (await connection.execute(last)).scalar_one() + 1
    await connection.execute(
        insert(recommendation_steps),
        [asdict(replace(step, number=first + i)) for i, step in enumerate(steps)],
    )
