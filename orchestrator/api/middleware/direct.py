"""The hottest routes, reached without the framework's routing, which costs more than they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """What the outer layers read of a route."""

    path: str
    handler: Handler


class DirectRoutes:
    """Innermost layer: answers an exact method and path by its handler.

    The same handlers are registered with the framework, which documents them and answers what is
    not an exact match (another method, a trailing slash).
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[tuple[str, str], Handler]) -> None:
        self._app = app
        self._routes = {
            (method, path): DirectRoute(path, handler)
            for (method, path), handler in handlers.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = (
            self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        )
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        response = await route.handler(Request(scope, receive))
        await response(scope, receive, send)
