"""Every error becomes a problem document; nobody sees a traceback but the log."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.problems import problem_of, problem_response, unexpected
from orchestrator.errors import DanGError

log = structlog.get_logger(__name__)


class ProblemErrors:
    """Answers for every exception that the inner layers let through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except DanGError as error:
            if begun:
                raise
            document = problem_of(error, scope["path"], scope.get("request_id"))
            await problem_response(document)(scope, receive, send)
        except Exception:
            log.exception("unexpected error", method=scope["method"], path=scope["path"])
            if begun:
                raise
            document = unexpected(scope["path"], scope.get("request_id"))
            await problem_response(document)(scope, receive, send)
