"""The hottest routes, reached without the framework's own layers, which cost more than they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """What the layers read of a route."""

    path: str
    handler: Handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self.handler(Request(scope, receive))
        await response(scope, receive, send)


class LayeredApplication(FastAPI):
    """An application whose own layers stand around every route.

    Requests for an exact method and path of ``direct`` go from the layers to their handler; the
    same handlers are registered with the framework, which documents them and answers what is not an
    exact match (another method, a trailing slash).

    Args:
        layers: Outermost first.
        direct: Handlers by method and path.
        options: Of the framework's application.
    """

    def __init__(
        self,
        *,
        layers: Iterable[Middleware],
        direct: Mapping[tuple[str, str], Handler],
        **options: Any,
    ) -> None:
        layers = list(layers)
        super().__init__(middleware=layers, **options)
        self._routes = {
            (method, path): DirectRoute(path, handler) for (method, path), handler in direct.items()
        }
        innermost: ASGIApp = _answer_directly
        for layer in reversed(layers):
            innermost = layer.cls(innermost, *layer.args, **layer.kwargs)
        self._direct = innermost

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, by the shortest way that there is."""
        if scope["type"] == "http":
            route = self._routes.get((scope["method"], scope["path"]))
            if route is not None:
                scope["app"] = self
                scope["route"] = route
                await self._direct(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


async def _answer_directly(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["route"](scope, receive, send)
