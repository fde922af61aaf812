"""Questions under way in this process: begun, followed, resumed after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from orchestrator.errors import ConflictError, DanGError, NotFoundError, UnavailableError
from orchestrator.llm.reasoning import ReasoningLoop, answered
from orchestrator.llm.reasoning_run import ReasonedAnswer, ReasoningBudget, ReasoningEvent
from orchestrator.state.records import ReasoningRecord, ReasoningStepRecord

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

log = structlog.get_logger(__name__)
RESUMED_WITHIN = timedelta(days=1)
"""Age up to which a run that a crash interrupted is gone on with."""
MOST_AT_ONCE = 4


class ReasoningDesk:
    """Runs the loop for whoever asks; what is begun goes on when they leave.

    Args:
        orchestrator: Its events carry the progress.
        loop: Works on questions.
    """

    def __init__(self, orchestrator: Orchestrator, loop: ReasoningLoop) -> None:
        self._orchestrator = orchestrator
        self._loop = loop
        self._tasks: dict[str, asyncio.Task[ReasonedAnswer]] = {}
        self._beginning = 0
        self._life = timedelta(days=orchestrator.settings.chat.session_days)

    async def begin(
        self, question: str, *, user: str = "", budget: ReasoningBudget | None = None
    ) -> str:
        """Begin to work on a question; returns the id of the run.

        Raises:
            UnavailableError: too many questions are worked on.
        """
        if len(self._tasks) + self._beginning >= MOST_AT_ONCE:
            raise UnavailableError(
                f"{MOST_AT_ONCE} questions are worked on at the moment", remedy="try again later"
            )
        run_id = uuid4().hex
        self._beginning += 1
        try:
            await self._forget_expired()
            situation = await self._orchestrator.situation()
            events = self._loop.answer(question, situation, budget=budget, run_id=run_id, user=user)
            # The run is stored before its id is given out.
            self._publish(await anext(events))
            self._follow(run_id, events)
        finally:
            self._beginning -= 1
        return run_id

    async def show(
        self, run_id: str, user: str
    ) -> tuple[ReasoningRecord, list[ReasoningStepRecord]]:
        """A run of a user, with its steps.

        Raises:
            NotFoundError: there is none, it is another user's, or it has expired.
        """
        record, steps = await self._orchestrator.store.reasoning.get(run_id)
        expired = run_id not in self._tasks and record.started_at <= self._oldest()
        if record.user != user or expired:
            raise NotFoundError(f"no reasoning run {run_id!r}")
        return record, steps

    async def delete(self, run_id: str, user: str) -> None:
        """Forget a run of a user with its steps; one under way ends. Jobs that it started stay.

        Raises:
            NotFoundError: there is none, it is another user's, or it has expired.
        """
        await self.show(run_id, user)
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._orchestrator.store.reasoning.delete(run_id, user)

    async def resume_unfinished(self) -> int:
        """Go on with what a crash interrupted; returns how many runs."""
        await self._forget_expired()
        since = self._orchestrator.clock.now() - RESUMED_WITHIN
        runs = await self._orchestrator.store.reasoning.unfinished(since)
        for record in runs:
            if record.id not in self._tasks:
                self._follow(record.id, self._loop.resume(record.id))
        return len(runs)

    async def wait(self, run_id: str) -> ReasonedAnswer:
        """The answer of a run that is under way here, or has ended.

        Raises:
            NotFoundError: there is no such run.
            UnavailableError: it is not under way in this process, or ends here without an answer.
        """
        task = self._tasks.get(run_id)
        if task is not None:
            await asyncio.wait([task])
            if task.cancelled():
                raise UnavailableError("the run was interrupted", remedy="look at it again later")
            return task.result()
        record, _ = await self._orchestrator.store.reasoning.get(run_id)
        if record.answer is None:
            raise UnavailableError("the run is interrupted", remedy="it goes on at the next start")
        return await answered(self._loop.resume(run_id))

    async def close(self) -> None:
        """Interrupt what is under way; it goes on at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _oldest(self) -> datetime:
        """Plant time up to which runs have expired."""
        return self._orchestrator.clock.now() - self._life

    async def _forget_expired(self) -> None:
        await self._orchestrator.store.reasoning.forget_before(self._oldest(), tuple(self._tasks))

    def _follow(self, run_id: str, events: AsyncIterator[ReasoningEvent]) -> None:
        task = asyncio.create_task(answered(self._published(events)))
        self._tasks[run_id] = task
        task.add_done_callback(lambda done: self._ended(run_id, done))

    def _ended(self, run_id: str, task: asyncio.Task[ReasonedAnswer]) -> None:
        self._tasks.pop(run_id, None)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ConflictError):
            log.info("another process works on the run", run=run_id)
        elif isinstance(error, DanGError):
            log.error("a question could not be worked on", run=run_id, error=str(error))
        elif error is not None:
            log.error("unexpected error", run=run_id, exc_info=error)

    async def _published(
        self, events: AsyncIterator[ReasoningEvent]
    ) -> AsyncIterator[ReasoningEvent]:
        async for event in events:
            self._publish(event)
            yield event

    def _publish(self, event: ReasoningEvent) -> None:
        # Everybody may listen: question, thoughts and answer are for whoever asked alone.
        payload = {"run_id": event.run_id, "step": event.kind}
        operation = event.data.get("operation") if event.kind in ("run", "observe") else None
        if operation in self._orchestrator.registry.operations:
            payload["operation"] = operation
        self._orchestrator.events.publish("reasoning", self._orchestrator.clock.now(), payload)
