"""Each request gets an id, a line in the log and a place in the metrics."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.metrics import Metrics

log = structlog.get_logger("orchestrator.api.access")

HEADER = b"x-request-id"
_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestContext:
    """Outermost layer: request id in, request id out, access log, metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or uuid4().hex
        scope["request_id"] = request_id
        id_header = (HEADER, request_id.encode())
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), id_header]
            await send(message)

        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "(none)")
            method, path = scope["method"], scope["path"]
            self._metrics.request(method, route, status, seconds)
            write = log.debug if path in _PROBES and status < 400 else log.info
            write(
                "request",
                method=method,
                path=path,
                status=status,
                milliseconds=round(seconds * 1000, 2),
            )
            structlog.contextvars.reset_contextvars(**tokens)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED_ID.fullmatch(value):
            return str(value, "ascii")
    return None
