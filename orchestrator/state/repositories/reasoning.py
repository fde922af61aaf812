"""Questions that are worked on in steps: each step is durable before the next one begins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.records import ReasoningRecord, ReasoningStepRecord
from orchestrator.state.tables import reasoning_runs, reasoning_steps


class Reasoning:
    """Runs and their steps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, record: ReasoningRecord) -> None:
        """Store a new run.

        Raises:
            ConflictError: a run of that id is stored already.
        """
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(reasoning_runs).values(**asdict(record)))
        except IntegrityError as error:
            raise ConflictError(f"reasoning run {record.id!r} is stored already") from error

    async def step(self, record: ReasoningStepRecord) -> None:
        """Store a step.

        Raises:
            ConflictError: a step of that number is stored already: somebody else works on the run.
        """
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(reasoning_steps).values(**asdict(record)))
        except IntegrityError as error:
            raise ConflictError(
                f"step {record.number} of reasoning run {record.run_id!r} is stored already",
                why="two processes work on it",
            ) from error

    async def end(self, id: str, at: datetime, answer: dict[str, Any]) -> None:  # noqa: A002
        """Store the answer of a run; the first one stays."""
        change = update(reasoning_runs).where(
            reasoning_runs.c.id == id, reasoning_runs.c.ended_at.is_(None)
        )
        async with self._database.write() as connection:
            await connection.execute(change.values(ended_at=at, answer=answer))

    async def get(self, id: str) -> tuple[ReasoningRecord, list[ReasoningStepRecord]]:  # noqa: A002
        """A run with its steps in order.

        Raises:
            NotFoundError: there is none.
        """
        run = select(reasoning_runs).where(reasoning_runs.c.id == id)
        steps = select(reasoning_steps).where(reasoning_steps.c.run_id == id)
        async with self._database.read() as connection:
            row = (await connection.execute(run)).mappings().first()
            if row is None:
                raise NotFoundError(f"no reasoning run {id!r}")
            found = await connection.execute(steps.order_by(reasoning_steps.c.number))
            return ReasoningRecord(**row), [ReasoningStepRecord(**s) for s in found.mappings()]

    async def delete(self, id: str, user: str) -> bool:  # noqa: A002
        """Remove a run of a user with its steps; false where there is none."""
        gone = delete(reasoning_runs).where(
            reasoning_runs.c.id == id, reasoning_runs.c.user == user
        )
        async with self._database.write() as connection:
            return bool((await connection.execute(gone)).rowcount)

    async def forget_before(self, at: datetime, keep: Collection[str] = ()) -> int:
        """Remove the runs that were begun up to ``at``, except those named; returns how many."""
        gone = delete(reasoning_runs).where(
            reasoning_runs.c.started_at <= at, reasoning_runs.c.id.notin_(list(keep))
        )
        async with self._database.write() as connection:
            return (await connection.execute(gone)).rowcount

    async def unfinished(self, since: datetime) -> list[ReasoningRecord]:
        """Runs without an answer, begun since ``since``, the oldest first."""
        query = (
            select(reasoning_runs)
            .where(reasoning_runs.c.ended_at.is_(None), reasoning_runs.c.started_at >= since)
            .order_by(reasoning_runs.c.started_at, reasoning_runs.c.id)
        )
        async with self._database.read() as connection:
            return [ReasoningRecord(**row) for row in (await connection.execute(query)).mappings()]
