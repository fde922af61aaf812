"""The cache in Redis, which goes on in memory while Redis is gone."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog

from orchestrator.errors import CacheUnavailableError, ConfigurationError
from orchestrator.state.cache import MemoryCache

log = structlog.get_logger(__name__)

PREFIX = "dan-g:"
CALL_TIMEOUT_S = 0.3
COOL_DOWN_S = 2.0
MAX_OWED = 4096
"""Keys changed while Redis is gone that are brought to it on its return; the oldest are dropped."""

Answer = TypeVar("Answer")


class RedisCache:
    """Values in Redis under the prefix ``dan-g:``.

    A call that fails, or takes longer than ``timeout`` seconds, opens the circuit: memory serves,
    at once, and after ``cool_down`` seconds one call tries Redis again. When it answers, the values
    set and removed meanwhile are brought to it, then the circuit closes. Counters of the meantime
    are not, for what they limit is over soon.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = CALL_TIMEOUT_S,
        cool_down: float = COOL_DOWN_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            import redis.asyncio
            from redis import exceptions
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError as error:
            raise ConfigurationError(
                "the Redis client is not installed",
                where="state.cache_url",
                remedy="install it: pip install 'dan-g-orchestrator[redis]'",
            ) from error
        try:
            self._client: Any = redis.asyncio.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 0),  # the one retry is in _ask
            )
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
            self.backend = f"Redis {parts.hostname or ''}{port}{parts.path}"
        except ValueError:
            raise ConfigurationError(
                "the URL is malformed",
                where="state.cache_url",
                remedy="for example redis://:password@host:6379/0",
            ) from None
        self._disconnected = (exceptions.ConnectionError, OSError)
        self._lost = (*self._disconnected, exceptions.TimeoutError, TimeoutError)
        self._refused = exceptions.RedisError
        self._timeout = timeout
        self._cool_down = cool_down
        self._monotonic = monotonic
        self._memory = MemoryCache(monotonic=monotonic)
        self._owed: dict[str, None] = {}
        self._retry_at: float | None = None

    @property
    def degraded(self) -> bool:
        """Whether memory stands in for Redis."""
        return self._retry_at is not None

    async def get(self, key: str) -> bytes | None:
        """See `Cache.get`."""

        async def ask() -> bytes | None:
            found: bytes | None = await self._client.get(PREFIX + key)
            return found

        return await self._serve(ask, lambda: self._memory.get(key))

    async def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `Cache.set`."""

        async def instead() -> None:
            self._owe(key)
            await self._memory.set(key, value, ttl)

        await self._serve(lambda: self._store(key, value, ttl), instead)

    async def delete(self, key: str) -> None:
        """See `Cache.delete`."""

        async def instead() -> None:
            self._owe(key)
            await self._memory.delete(key)

        await self._serve(lambda: self._client.delete(PREFIX + key), instead)

    async def increment(self, key: str, ttl: float | None = None) -> int:
        """See `Cache.increment`."""

        async def ask() -> int:
            async with self._client.pipeline(transaction=True) as pipeline:
                if ttl is not None:
                    pipeline.set(PREFIX + key, 0, px=max(1, round(ttl * 1000)), nx=True)
                pipeline.incr(PREFIX + key)
                return int((await pipeline.execute())[-1])

        return await self._serve(ask, lambda: self._memory.increment(key, ttl))

    async def ping(self) -> bool:
        """Whether Redis answers now, whatever the circuit."""
        try:
            await self._ask(self._client.ping)
        except CacheUnavailableError:
            return False
        return True

    async def close(self) -> None:
        """Let go of all connections."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._client.aclose()
        except (*self._lost, self._refused):
            log.debug("cache closed with an error", cache=self.backend)
        await self._memory.close()

    async def _store(self, key: str, value: bytes, ttl: float | None) -> None:
        if ttl is not None and ttl <= 0:
            await self._client.delete(PREFIX + key)
        else:
            lifetime = None if ttl is None else max(1, round(ttl * 1000))
            await self._client.set(PREFIX + key, value, px=lifetime)

    async def _serve(
        self, ask: Callable[[], Awaitable[Answer]], instead: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        if self._retry_at is not None and not await self._recovered():
            return await instead()
        try:
            return await self._ask(ask)
        except CacheUnavailableError as error:
            self._open(error)
        except self._refused as error:
            log.warning("cache refused a call", cache=self.backend, error=str(error))
        return await instead()

    async def _ask(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """One call, and a second one where the first met a connection that a restart had closed."""
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await ask()
                except self._disconnected:
                    await self._client.connection_pool.disconnect(inuse_connections=False)
                    return await ask()
        except self._lost as error:
            reason = str(error) or f"no answer within {self._timeout:g} s"
            raise CacheUnavailableError(reason, where=self.backend) from error

    def _open(self, error: CacheUnavailableError) -> None:
        if self._retry_at is None:
            log.warning("cache lost, memory stands in", cache=self.backend, error=error.what)
        self._retry_at = self._monotonic() + self._cool_down

    async def _recovered(self) -> bool:
        """Try Redis again when it is time: one caller does, the others go on in memory."""
        if self._retry_at is None:
            return True
        now = self._monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + self._cool_down
        try:
            await self._ask(self._client.ping)
            while self._owed:
                key = next(iter(self._owed))
                await self._ask(functools.partial(self._repay, key))
        except (CacheUnavailableError, self._refused):
            return False
        await self._memory.close()
        self._retry_at = None
        log.info("cache is back", cache=self.backend)
        return True

    async def _repay(self, key: str) -> None:
        del self._owed[key]  # a change that comes meanwhile is owed anew
        owed = self._memory.remaining(key)
        try:
            if owed is None:
                await self._client.delete(PREFIX + key)
            else:
                await self._store(key, *owed)
        except BaseException:
            self._owe(key)
            raise

    def _owe(self, key: str) -> None:
        self._owed.pop(key, None)
        self._owed[key] = None
        if len(self._owed) > MAX_OWED:
            del self._owed[next(iter(self._owed))]
