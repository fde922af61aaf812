"""Keeps pages of other sites from driving the service through a person's browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.errors import RefusedError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOriginError(RefusedError):
    """A page of another site sent the request."""

    code = "foreign-origin"
    title = "The request comes from another site"
    status = 403


class SameOrigin:
    """Refuses what changes state when the browser says that another site's page asked for it.

    Browsers send ``Origin`` (and ``Sec-Fetch-Site``) with every such request; other clients send
    neither and are let through.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            self._check(dict(scope["headers"]))
        await self._app(scope, receive, send)

    def _check(self, headers: dict[bytes, bytes]) -> None:
        origin = headers.get(b"origin")
        foreign = origin is not None and _host(origin) != headers.get(b"host", b"").decode(
            "latin-1"
        )
        if foreign or headers.get(b"sec-fetch-site") == b"cross-site":
            raise ForeignOriginError(
                f"a page of {origin.decode('latin-1') if origin else 'another site'} sent it",
                where="Origin",
                remedy="call the service from its own pages or from outside a browser",
            )


def _host(origin: bytes) -> str:
    return urlsplit(origin.decode("latin-1")).netloc
