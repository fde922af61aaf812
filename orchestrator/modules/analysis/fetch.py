"""JSON over HTTP with one layer of repeats inside a deadline, and without a word of the key.

Repeated are: no connection, a broken or silent answer, 408, 425, 429, 5xx, and what ought to be JSON and is
not (a page of a proxy, a body that was cut). The wait doubles with jitter; where the server says how long to
wait (``Retry-After``), it is no shorter. What would outlast the deadline is not waited for.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator.errors import DanGError, UnavailableError

if TYPE_CHECKING:
    import httpx

REPEATED = frozenset({408, 425, 429, 500, 502, 503, 504})
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
MOST_BYTES = 64 * 2**20
NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: any status that is not repeated, with its JSON document.

    ``document`` is ``None`` where nothing was modified, and where an error came without JSON.
    """

    status: int
    document: Any
    etag: str | None = None
    last_modified: str | None = None


class _RepeatError(Exception):
    """An attempt that may succeed later."""

    def __init__(self, what: str, after_s: float = 0.0) -> None:
        super().__init__(what)
        self.after_s = after_s


class Fetcher:
    """Asks one server.

    Args:
        secret: A key that no text may show.
        timeout_s: Longest silence of the server.
        per_second: Most requests a second.
        told: Called with words for people when something is asked for again.
    """

    def __init__(
        self,
        *,
        secret: str | None,
        timeout_s: float,
        per_second: float,
        told: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        import httpx

        logger = logging.getLogger("httpx")
        if not any(isinstance(item, _WithoutQuery) for item in logger.filters):
            logger.addFilter(_WithoutQuery())
        self._secret = secret
        self._timeout_s = timeout_s
        self._told = told
        self._pause_s = 1.0 / per_second
        self._last = float("-inf")
        # Proxies of the environment are used, redirects are not followed, nothing is repeated.
        self._client = httpx.Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(
        self,
        url: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        deadline: float,
    ) -> Answer:
        """Ask until there is an answer or the deadline (``time.monotonic``) would pass.

        Raises:
            UnavailableError: there is no usable answer in time; names the address without its query.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attempt(url, parameters, headers, deadline)
            except _RepeatError as failed:
                wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1))
                wait *= random.uniform(0.5, 1.0)  # noqa: S311  not for secrets
                wait = max(failed.after_s, self._pause_s, wait)
                what = self.hidden(str(failed))
                if time.monotonic() + wait >= deadline:
                    raise _unavailable(url, what, attempt, failed.after_s) from None
                self._told(f"{what}; asked again in {wait:.1f} s (attempt {attempt + 1})")
                time.sleep(wait)

    def hidden(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._secret, "(hidden)") if self._secret else text

    def _attempt(
        self, url: str, parameters: Mapping[str, str], headers: Mapping[str, str], deadline: float
    ) -> Answer:
        import httpx

        time.sleep(max(0.0, self._last + self._pause_s - time.monotonic()))
        self._last = time.monotonic()
        # A silence may not outlast the deadline; a server that drips is stopped between its drops.
        silence = max(0.001, min(self._timeout_s, deadline - time.monotonic()))
        try:
            with self._client.stream(
                "GET", url, params=dict(parameters), headers=dict(headers), timeout=silence
            ) as response:
                body = _read(response, deadline)
        except httpx.TimeoutException:
            raise _RepeatError(f"no answer within {silence:.3g} s") from None
        except httpx.HTTPError as error:
            raise _RepeatError(f"{type(error).__name__}: {error}") from None
        return _answer(response, body)


def _read(response: httpx.Response, deadline: float) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if time.monotonic() > deadline:
            raise _RepeatError(f"the answer was not whole in time ({len(body)} bytes came)")
        if len(body) > MOST_BYTES:
            raise UnavailableError(
                f"the answer has more than {MOST_BYTES // 2**20} MB",
                where=str(response.request.url.copy_with(query=None)),
                remedy="is this the address of the API?",
            )
    return bytes(body)


def _answer(response: httpx.Response, body: bytes) -> Answer:
    status = response.status_code
    etag, modified = response.headers.get("etag"), response.headers.get("last-modified")
    if status == NOT_MODIFIED:
        return Answer(status, None, etag, modified)
    if status in REPEATED:
        raise _RepeatError(f"the server answers {status}", _retry_after(response))
    try:
        return Answer(status, json.loads(body), etag, modified)
    except ValueError:
        if status >= 300:
            return Answer(status, None)
    kind = response.headers.get("content-type", "no content type")
    raise _RepeatError(f"the server answers {status} with {kind} that is not whole JSON")


def _retry_after(response: httpx.Response) -> float:
    """Seconds to wait by the header, which gives seconds or a date (RFC 9110, 10.2.3)."""
    given = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return 0.0
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _unavailable(url: str, what: str, attempts: int, after_s: float) -> DanGError:
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    later = f"; the server asks to wait {after_s:.0f} s" if after_s else ""
    return UnavailableError(
        f"{what} ({tries}{later})",
        where=url,
        remedy="try again later; is the address reachable from this machine?",
        context={"retry_after_s": after_s} if after_s else None,
    )


class _WithoutQuery(logging.Filter):
    """Takes the query off every address that the HTTP client logs: the key is in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        import httpx

        if isinstance(record.args, tuple):
            record.args = tuple(
                item.copy_with(query=None) if isinstance(item, httpx.URL) else item
                for item in record.args
            )
        return True
