"""Vectors of texts from a server with OpenAI's ``/embeddings``."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import structlog
from numpy.typing import NDArray

from orchestrator.errors import UnavailableError
from orchestrator.knowledge_settings import EmbeddingSettings

log = structlog.get_logger(__name__)

Vectors = NDArray[np.float32]
LONGEST_INPUT = 8_000
"""Characters of a text that are sent; servers refuse what is longer than their model's window."""
CONNECT_TIMEOUT_S = 3.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
REST_S = 30.0
"""How long a server that failed is left alone."""
MOST_REPLY_BYTES = 64_000_000
_WORTH_REPEATING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class EmbeddingsUnavailableError(UnavailableError):
    """The server of embeddings gave no usable answer; passages are found by words alone."""

    code = "embeddings-unavailable"
    title = "The server of embeddings gave no usable answer"


class Embeddings:
    """Asks one server. A failure lets it rest for a while, so that searches do not wait for it."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        self._settings = settings
        self._rests_until = 0.0
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._http = httpx.AsyncClient(
            headers={"authorization": f"Bearer {key}"} if key else None,
            timeout=httpx.Timeout(settings.timeout, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )

    @property
    def model(self) -> str:
        """What tells vectors of one model from those of another."""
        return str(self._settings.model)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def of(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1, one a row, in the order of ``texts`` (as many as one request may hold).

        Raises:
            EmbeddingsUnavailableError: the server cannot be reached, is late, refuses, or rests.
        """
        if time.monotonic() < self._rests_until:
            raise self._unusable("it failed a moment ago and is left alone")
        try:
            async with asyncio.timeout(self._settings.timeout):
                reply = await self._asked(list(texts))
        except TimeoutError as late:
            raise self._failed(f"no answer within {self._settings.timeout:g} s") from late
        return self._read(reply, len(texts))

    async def _asked(self, texts: list[str]) -> Any:
        body = {
            "model": self._settings.model,
            "input": [text[:LONGEST_INPUT] for text in texts],
            "encoding_format": "float",
        }
        wait = FIRST_WAIT_S
        while True:
            try:
                answer = await self._http.post(f"{self._settings.base_url}/embeddings", json=body)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.is_success:
                    return self._decoded(answer)
                said = f"status {answer.status_code}"
                if answer.status_code not in _WORTH_REPEATING:
                    raise self._failed(said)
                wait = max(wait, _retry_after(answer))
            if wait > LONGEST_WAIT_S:
                raise self._failed(said)
            log.warning("embeddings are asked for again", said=said, wait_s=wait)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait *= 2

    def _decoded(self, answer: httpx.Response) -> Any:
        if len(answer.content) > MOST_REPLY_BYTES:
            raise self._failed("the answer is too large")
        try:
            return answer.json()
        except ValueError as error:
            raise self._failed("the answer is no JSON") from error

    def _read(self, reply: Any, count: int) -> Vectors:
        try:
            rows = sorted(reply["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise self._failed("the answer holds no vectors") from error
        if vectors.ndim != 2 or vectors.shape[0] != count or not np.isfinite(vectors).all():
            raise self._failed(f"the answer does not hold {count} vectors of one length")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    def _failed(self, said: str) -> EmbeddingsUnavailableError:
        self._rests_until = time.monotonic() + REST_S
        return self._unusable(said)

    def _unusable(self, said: str) -> EmbeddingsUnavailableError:
        return EmbeddingsUnavailableError(
            said,
            where=f"{self._settings.base_url}/embeddings",
            why="passages are found by words alone",
            remedy="see knowledge.embeddings in the configuration, and the server's log",
        )


def _retry_after(answer: httpx.Response) -> float:
    try:
        return max(0.0, float(answer.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
