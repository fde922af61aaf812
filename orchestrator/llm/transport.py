"""HTTP to a model's server: bounded in size, without a client's own retries, and without a key in any text.

There is no read time-out: it would not fire while a server sends keep-alives, and would where a model thinks
for minutes. The caller's total deadline ends a request.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestrator.llm.failures import Failure
from orchestrator.llm.wire import document_of, error_of, excerpt, http_failure
from orchestrator.llm_settings import ModelSettings

CONNECT_TIMEOUT = 10.0
SHORTEST_SECRET = 6
MOST_ERROR_BYTES = 64 * 1024
PATH = "/chat/completions"


class Transport:
    """One server. Its ``repr`` and its errors name the address and never the key.

    Args:
        settings: Address and key.
        max_bytes: Largest reply that is read, with everything around it.
    """

    def __init__(self, settings: ModelSettings, max_bytes: int) -> None:
        self._key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
        self._max_bytes = max_bytes
        self.place = settings.address
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
            limits=httpx.Limits(max_connections=None),
            follow_redirects=False,
            # Proxies of the environment are for servers elsewhere.
            trust_env=not _is_loopback(settings.address),
        )

    def __repr__(self) -> str:
        return f"Transport({self.place!r})"

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def scrubbed(self, text: str) -> str:
        """The text without the key, should a server have sent it back."""
        if len(self._key) < SHORTEST_SECRET:
            return text
        return text.replace(self._key, "(key)")

    def post(self, body: dict[str, Any]) -> AbstractAsyncContextManager[httpx.Response]:
        """The head of the response to a request, once it says that a reply follows.

        Raises:
            Failure: there is no connection, it breaks, or the server answers with an error.
        """
        return self._send(
            "POST", PATH, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        )

    def get(self, path: str) -> AbstractAsyncContextManager[httpx.Response]:
        """The head of the response to a request for what is under a path; raises as :meth:`post` does."""
        return self._send("GET", path, None)

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, content: bytes | None
    ) -> AsyncIterator[httpx.Response]:
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            async with self._client.stream(
                method, self.place + path, content=content, headers=headers
            ) as response:
                if response.status_code != httpx.codes.OK:
                    raise await _refusal(response)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            why = str(error) or type(error).__name__
            raise Failure("connection", f"no connection to {self.place}: {why}") from None
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise Failure("cut-off", f"the connection to {self.place} broke: {why}") from None

    async def whole(self, response: httpx.Response) -> bytes:
        """The body.

        Raises:
            Failure: it is larger than a reply may be, or empty.
        """
        parts = [part async for part in self.parts(response)]
        data = b"".join(parts)
        if not data.strip():
            raise Failure("cut-off", "the server sent an empty body")
        return data

    async def events(self, response: httpx.Response) -> AsyncGenerator[list[bytes]]:
        """The data of the server-sent events that came together; comments (keep-alives) are passed over.

        Raises:
            Failure: they are larger than a reply may be.
        """
        rest = b""
        async for part in self.parts(response):
            *lines, rest = (rest + part).split(b"\n")
            events = [line[5:].strip() for line in lines if line.startswith(b"data:")]
            if events:
                yield events
        if rest.startswith(b"data:"):
            yield [rest[5:].strip()]

    async def parts(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        """The body as it comes, up to the largest reply."""
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > self._max_bytes:
                most = self._max_bytes / 1e6
                raise Failure("too-large", f"the reply is larger than {most:g} MB")
            yield part


def is_stream(response: httpx.Response) -> bool:
    """Whether server-sent events follow; a page of a proxy is refused.

    Raises:
        Failure: it is neither events nor JSON.
    """
    kind = response.headers.get("content-type", "").lower()
    if "html" in kind:
        raise Failure("not-json", f"a page of type {kind!r} in place of a model's reply")
    return "event-stream" in kind


async def _refusal(response: httpx.Response) -> Failure:
    data = b""
    async for part in response.aiter_bytes():
        data += part
        if len(data) > MOST_ERROR_BYTES:
            break
    wait = _retry_after(response.headers)
    try:
        document = document_of(data, "the error")
    except Failure:
        return http_failure(response.status_code, excerpt(data), retry_after=wait)
    return error_of(
        {**document, "error": document.get("error") or document}, response.status_code, wait
    )


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        seconds = (at - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if seconds == seconds else None  # not-a-number is no wait


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
