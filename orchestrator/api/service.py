"""What belongs to one running service: its identity, its live loop, its address."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import structlog

from orchestrator import __version__
from orchestrator.clock import iso
from orchestrator.config import Settings
from orchestrator.core.sources import configured_sources
from orchestrator.lean_arrow import keep_pandas_out

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

log = structlog.get_logger(__name__)

OrchestratorFactory = Callable[[Settings], Awaitable["Orchestrator"]]
LoopState = Literal["none", "running", "ended", "failed"]


class Service:
    """One process's service.

    Args:
        url: Address that others reach it at; null where it does not listen (commands in process).
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url
        self.instance = uuid4().hex
        self.started_at = datetime.now(UTC)
        self.loop_state: LoopState = "none"
        self.loop_problem: str | None = None
        self._loop_task: asyncio.Task[None] | None = None

    def identity(self) -> dict[str, Any]:
        """Names this process, so that a client knows whom it has reached."""
        return {"instance": self.instance, "pid": os.getpid(), "version": __version__}

    def describe(self) -> dict[str, Any]:
        """The service's part of ``GET /status``."""
        return {
            **self.identity(),
            "url": self.url,
            "started_at": iso(self.started_at),
            "loop": self.loop_state,
            "loop_problem": self.loop_problem,
        }

    def start_loop(self, orchestrator: Orchestrator) -> None:
        """Run the live loop beside the service; its failure never ends the service."""
        keep_pandas_out()
        self.loop_state = "running"
        self._loop_task = asyncio.create_task(self._run_loop(orchestrator))

    async def stop_loop(self) -> None:
        """End the live loop."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop_task

    async def _run_loop(self, orchestrator: Orchestrator) -> None:
        try:
            await orchestrator.run()
        except asyncio.CancelledError:
            self.loop_state = "ended"
            raise
        except Exception as error:
            self.loop_state, self.loop_problem = "failed", str(error)
            log.exception("the live loop failed; the service goes on without it")
            orchestrator.events.publish(
                "notice", orchestrator.clock.now(), {"message": f"the live loop failed: {error}"}
            )
        else:
            self.loop_state = "ended"
            log.info("the source has ended; the service goes on")


async def open_configured(settings: Settings) -> Orchestrator:
    """An orchestrator on the configured home, over the configured source."""
    from orchestrator.core.orchestrator import Orchestrator

    source, train = await asyncio.to_thread(configured_sources, settings)
    return await Orchestrator.open(settings, source=source, train=train)


async def open_without_source(settings: Settings) -> Orchestrator:
    """An orchestrator on the configured home that serves requests only."""
    from orchestrator.core.orchestrator import Orchestrator

    return await Orchestrator.open(settings)
