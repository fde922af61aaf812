"""Keeps pages of other sites from driving or reading the service through a person's browser."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.errors import RefusedError

MOST_KNOWN = 1000
"""Host headers kept as known good; a client can make up no more than this."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForeignOriginError(RefusedError):
    """A page of another site sent the request."""

    code = "foreign-origin"
    title = "The request comes from another site"
    status = 403


class ForeignHostError(RefusedError):
    """The request names this service by a name that is not its own."""

    code = "foreign-host"
    title = "The request is meant for another host"
    status = 403


class SameOrigin:
    """Refuses what changes state when the browser says that another site's page asked for it.

    Browsers send ``Origin`` (and ``Sec-Fetch-Site``) with every such request; other clients send
    neither and are let through.

    It also refuses every request whose Host is neither an address, nor localhost, nor a name of this
    service: a page can point a name of its own at this machine (DNS rebinding), and would then be of
    the same origin as the service.

    Args:
        app: The inner layer.
        names: Names under which the service is reached, besides localhost and this machine's own.
        guarded: Paths at which reading, too, is refused to pages of other sites.
    """

    def __init__(
        self, app: ASGIApp, names: Iterable[str] = (), guarded: Iterable[str] = ()
    ) -> None:
        self._app = app
        self._guarded = frozenset(guarded)
        own = ("localhost", socket.gethostname(), *names)
        self._names = frozenset(name.lower().rstrip(".") for name in own if name)
        self._known: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            host = headers.get(b"host")
            if host is not None and host not in self._known:
                self._admit(host)
            if scope["method"] not in SAFE_METHODS or scope["path"] in self._guarded:
                self._check(headers)
        await self._app(scope, receive, send)

    def _admit(self, host: bytes) -> None:
        name = _name(host)
        if name not in self._names and not _is_address(name):
            raise ForeignHostError(
                f'"{host.decode("latin-1")[:100]}" is no name of this service',
                where="Host",
                why="a page of another site could reach the service under a name of its own",
                remedy="call it by its address, or add the name to service.allowed_hosts",
            )
        if len(self._known) < MOST_KNOWN:
            self._known.add(host)

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


def _name(host: bytes) -> str:
    """The name in a Host header, without its port."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _host(origin: bytes) -> str:
    return urlsplit(origin.decode("latin-1")).netloc
