"""The cache: bytes by key with a time to live, in memory or in Redis."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from orchestrator.errors import ConfigurationError

MAX_ENTRIES = 10_000
MAX_BYTES = 64 * 1024 * 1024
_REDIS_SCHEMES = ("redis", "rediss", "unix")


class Cache(Protocol):
    """Short-lived bytes by key. No method raises for a server that is gone: it may only forget.

    A ``ttl`` is in seconds; null keeps the value until it is displaced, and 0 or less removes it.
    """

    @property
    def backend(self) -> str:
        """Where values are kept, without user and password."""
        ...

    @property
    def degraded(self) -> bool:
        """Whether the server is gone and memory stands in for it."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value; null when it is absent or has expired."""
        ...

    async def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep a value in place of the one before."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a value."""
        ...

    async def increment(self, key: str, ttl: float | None = None) -> int:
        """Add one to a counter and return it; ``ttl`` runs from the first increment."""
        ...

    async def ping(self) -> bool:
        """Whether the backend itself answers now."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


def open_cache(url: str | None) -> Cache:
    """The cache at ``url`` (``redis://``, ``rediss://`` or ``unix://``); null is memory.

    Nothing is connected yet, so a Redis that is down does not stop the start.

    Raises:
        ConfigurationError: the URL is of another kind, or the Redis client is not installed.
    """
    if url is None:
        return MemoryCache()
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        scheme = ""
    if scheme not in _REDIS_SCHEMES:
        raise ConfigurationError(
            f"caches of kind {scheme or '(none)'!r} are not supported",
            where="state.cache_url",
            remedy="accepted are redis://:password@host:6379/0, rediss://…, unix:///path/to/socket, "
            "and null for memory",
        )
    from orchestrator.state.redis_cache import RedisCache

    return RedisCache(url)


@dataclass(slots=True)
class _Entry:
    value: bytes
    expires: float | None


class MemoryCache:
    """A cache in this process: bounded, and the least recently used goes first.

    ``monotonic`` tells seconds that never go back.
    """

    backend = "memory"
    degraded = False

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._monotonic = monotonic

    async def get(self, key: str) -> bytes | None:
        """See `Cache.get`."""
        entry = self._live(key)
        return None if entry is None else entry.value

    async def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `Cache.set`. A value larger than the whole cache is not kept."""
        self._remove(key)
        if (ttl is not None and ttl <= 0) or len(value) > self._max_bytes:
            return
        expires = None if ttl is None else self._monotonic() + ttl
        self._entries[key] = _Entry(value, expires)
        self._bytes += len(value)
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""
        self._remove(key)

    async def increment(self, key: str, ttl: float | None = None) -> int:
        """See `Cache.increment`. What is no whole number counts as none."""
        entry = self._live(key)
        if entry is None or not entry.value.isdigit():
            await self.set(key, b"1", ttl)
            return 1
        count = int(entry.value) + 1
        self._bytes -= len(entry.value)
        entry.value = str(count).encode()
        self._bytes += len(entry.value)
        return count

    async def ping(self) -> bool:
        """Memory is always there."""
        return True

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0

    def remaining(self, key: str) -> tuple[bytes, float | None] | None:
        """The value and the seconds that it has left (null: no end); null when it is absent."""
        entry = self._live(key)
        if entry is None:
            return None
        left = None if entry.expires is None else entry.expires - self._monotonic()
        return entry.value, left

    def _live(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires is not None and entry.expires <= self._monotonic():
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.value)
