"""``Idempotency-Key`` on every POST: the same key and body get the same answer, and one effect."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.api.bodies import whole_body
from orchestrator.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from orchestrator.state.repositories import Store

HEADER = b"idempotency-key"
_ACCEPTED_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
STREAM = b"text/event-stream"
_KEPT_HEADERS = frozenset({b"content-type", b"location"})


class InFlightError(UnavailableError):
    """A request with the same key is being answered at this moment."""

    code = "idempotency-in-flight"
    title = "The same request is being answered"
    status = 409


class Idempotency:
    """Answers a repeated POST from the first answer, which outlives a restart.

    A refusal or a failure leaves the key free: nothing was done that a repeat could do twice.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key_of(scope) if scope["type"] == "http" and scope["method"] == "POST" else None
        if key is None:
            await self._app(scope, receive, send)
            return
        orchestrator = scope["app"].state.orchestrator
        if orchestrator is None:
            raise UnavailableError("the service is ending", remedy="try again shortly")
        await self._once(key, orchestrator.store, scope, receive, send)

    async def _once(
        self, key: str, store: Store, scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = await whole_body(receive)
        query = scope["query_string"].decode("latin-1")
        route = f"POST {scope['path']}" + (f"?{query}" if query else "")
        digest = hashlib.sha256(body).hexdigest()
        # Only this process answers, so what was claimed before it began will never be finished.
        began = scope["app"].state.service.started_at
        earlier = await store.idempotency.claim(
            key, route, digest, abandoned_after=datetime.now(UTC) - began
        )
        if earlier is not None:
            if earlier.response is None:
                raise InFlightError(
                    f"a request with the key {key!r} is being answered",
                    where="Idempotency-Key",
                    remedy="repeat it with the same key in a moment",
                )
            await _replay(earlier.response, send)
            return
        recorded = _Recording(send)
        try:
            await self._app(scope, _once_more(body, receive), recorded)
        except BaseException:
            await store.idempotency.release(key)
            raise
        if recorded.status >= 400:
            await store.idempotency.release(key)
        else:
            await store.idempotency.finish(key, recorded.document())
        if not recorded.passed_on:
            for message in recorded.messages:
                await send(message)


class _Recording:
    """Holds an answer back until it is stored; one that is streamed is passed on as it comes as well."""

    def __init__(self, send: Send) -> None:
        self.messages: list[Message] = []
        self.status = 500
        self.passed_on = False
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.passed_on = (b"content-type", STREAM) in [
                (name, value.partition(b";")[0]) for name, value in message["headers"]
            ]
        self.messages.append(message)
        if self.passed_on:
            await self._send(message)

    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        headers = [
            [name.decode("latin-1"), value.decode("latin-1")]
            for name, value in self.messages[0]["headers"]
            if name in _KEPT_HEADERS
        ]
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        return {"status": self.status, "headers": headers, "body": body.decode()}


async def _replay(answer: dict[str, Any], send: Send) -> None:
    body = answer["body"].encode()
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer["headers"]
    ]
    headers += [
        (b"content-length", str(len(body)).encode()),
        (b"idempotent-replayed", b"true"),
    ]
    await send({"type": "http.response.start", "status": answer["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _key_of(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            if not _ACCEPTED_KEY.fullmatch(value):
                raise InputError(
                    "the key must be 1 to 255 visible ASCII characters", where="Idempotency-Key"
                )
            return str(value, "ascii")
    return None


def _once_more(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
