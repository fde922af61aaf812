"""Each request gets an id, a line in the log and a place in the metrics."""

from __future__ import annotations

import re
import time
from itertools import count
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.logs import log_access
from orchestrator.api.metrics import Metrics

HEADER = b"x-request-id"
_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestContext:
    """Outermost layer: request id in, request id out, access log, metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._prefix = uuid4().hex[:16]
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"{self._prefix}-{next(self._numbers):x}"
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
            if path not in _PROBES or status >= 400:
                log_access(request_id, method, path, status, seconds)
            structlog.contextvars.reset_contextvars(**tokens)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED_ID.fullmatch(value):
            return str(value, "ascii")
    return None
