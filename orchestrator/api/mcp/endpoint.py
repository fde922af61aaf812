"""``/mcp``: the protocol over streamable HTTP. The SDK is loaded with the first request."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from importlib.util import find_spec
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from orchestrator.api.dependencies import knowledge_of, orchestrator_of
from orchestrator.api.middleware.body_limit import MEGABYTE
from orchestrator.config import Settings
from orchestrator.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from orchestrator.core.orchestrator import Orchestrator
    from orchestrator.llm.knowledge.base import KnowledgeBase

PATH = "/mcp"
IDLE_S = 1800.0
MOST_SESSIONS = 200
LAST_ANSWERS_S = 0.3
"""How long calls that waited may take to be answered at the end."""


class NotInstalledError(UnavailableError):
    """An optional part of the program is not installed."""

    code = "not-installed"
    title = "An optional part is not installed"
    retryable = False


class McpEndpoint:
    """The application behind ``/mcp``. Origin, host and size of a request were checked before it."""

    path = PATH

    def __init__(self, settings: Settings, closing: asyncio.Event) -> None:
        self._settings = settings
        self._closing = closing
        self._starting = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            NotFoundError: it is switched off.
            NotInstalledError: the SDK is not there.
            UnavailableError: the service is starting or ending.
        """
        scope["route"] = self
        request = Request(scope)
        manager = await self._ready(orchestrator_of(request), knowledge_of(request))
        await manager.handle_request(scope, receive, send)

    async def close(self) -> None:
        """End all sessions."""
        if self._serving is not None:
            with suppress(asyncio.CancelledError):
                await self._serving

    async def _ready(
        self, orchestrator: Orchestrator, knowledge: KnowledgeBase
    ) -> StreamableHTTPSessionManager:
        if not self._settings.mcp.enabled:
            raise NotFoundError(f"{PATH} is switched off", remedy="set mcp.enabled to true")
        require_sdk()
        async with self._starting:
            if self._closing.is_set():
                raise UnavailableError("the service is ending", remedy="try again shortly")
            if self._manager is None:
                # A second of imports, which must not hold up the event loop.
                await asyncio.to_thread(_load)
                self._manager = await self._start(orchestrator, knowledge)
            return self._manager

    async def _start(
        self, orchestrator: Orchestrator, knowledge: KnowledgeBase
    ) -> StreamableHTTPSessionManager:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from orchestrator.api.mcp.server import make_server

        manager = StreamableHTTPSessionManager(
            make_server(orchestrator, knowledge, self._closing),
            session_idle_timeout=IDLE_S,
            max_sessions=MOST_SESSIONS,
            max_request_body_size=int(self._settings.service.max_body_mb * MEGABYTE),
        )
        started = asyncio.Event()

        async def serve() -> None:
            async with manager.run():
                started.set()
                await self._closing.wait()
                await asyncio.sleep(LAST_ANSWERS_S)

        # Its context is its own: it outlives the request that happened to be the first.
        self._serving = asyncio.get_running_loop().create_task(serve(), context=Context())
        await started.wait()
        return manager


def require_sdk() -> None:
    """Say what to install where the protocol's SDK is missing.

    Raises:
        NotInstalledError: it is.
    """
    if find_spec("mcp") is None:
        raise NotInstalledError(
            "the Model Context Protocol's SDK is not installed",
            where=PATH,
            remedy="install it: pip install 'dan-g-orchestrator[mcp]'",
        )


def _load() -> None:

    import orchestrator.api.mcp.server  # noqa: F401
