"""Bodies over the limit are refused without being kept."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.errors import InputError, PayloadTooLargeError

MEGABYTE = 1_000_000
MOST_DRAINED = 256 * MEGABYTE
DRAIN_S = 2.0


class BodyLimit:
    """Refuses a body whose length is announced, or turns out, to be above ``max_bytes``."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        announced = _announced_length(scope)
        if announced is not None:
            if announced > self._max_bytes:
                await _drain(receive, announced)
                raise self._too_large(f"a body of {announced / MEGABYTE:.1f} MB")
            # The server delivers exactly the announced length, so nothing need be counted.
            await self._app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._too_large("a body sent in chunks, still growing,")
            return message

        await self._app(scope, counted, send)

    def _too_large(self, what: str) -> PayloadTooLargeError:
        limit = self._max_bytes / MEGABYTE
        return PayloadTooLargeError(
            f"{what} is above the limit of {limit:g} MB",
            remedy="send fewer rows, name a range of the historian instead of inline data, "
            "or raise service.max_body_mb",
            context={"max_bytes": self._max_bytes},
        )


async def _drain(receive: Receive, announced: int) -> None:
    """Take the body in and drop it: many clients read the answer only once they have sent all."""
    if announced > MOST_DRAINED:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while (message := await receive())["type"] == "http.request":
                if not message.get("more_body"):
                    return


def _announced_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            try:
                return int(value)
            except ValueError:
                raise InputError(
                    f"Content-Length {value!r} is not a number", remedy="send a whole number"
                ) from None
    return None
