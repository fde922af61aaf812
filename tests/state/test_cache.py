"""The cache: the same in memory and in Redis, and still there when Redis is not."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.state.cache import Cache, MemoryCache, open_cache
from orchestrator.state.redis_cache import PREFIX, RedisCache


class Seconds:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    opened = open_cache(url)
    yield opened
    await opened.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def redis_cache(redis_server: Any, seconds: Seconds) -> AsyncIterator[RedisCache]:
    """A cache on a Redis that the test may kill, whose cool-down passes when the test says so."""
    opened = RedisCache(redis_server.url, monotonic=seconds)
    yield opened
    await opened.close()


async def test_a_value_is_kept_replaced_and_deleted(cache: Cache) -> None:
    assert await cache.get("key") is None
    await cache.set("key", b"\x00\xff one")
    assert await cache.get("key") == b"\x00\xff one"
    await cache.set("key", b"two", 60)
    assert await cache.get("key") == b"two"
    await cache.delete("key")
    await cache.delete("key")
    assert await cache.get("key") is None


async def test_a_value_expires(cache: Cache) -> None:
    await cache.set("short", b"1", 0.05)
    await cache.set("long", b"1", 60)
    await cache.set("gone", b"1")
    await cache.set("gone", b"2", 0)
    end = time.monotonic() + 5
    while await cache.get("short") is not None:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    assert await cache.get("long") == b"1"
    assert await cache.get("gone") is None


async def test_a_counter_counts_every_increment_and_starts_again_after_its_time(
    cache: Cache,
) -> None:
    counts = await asyncio.gather(*(cache.increment("hits", 60) for _ in range(20)))
    assert sorted(counts) == list(range(1, 21))
    await cache.increment("brief", 0.3)
    end = time.monotonic() + 30
    while await cache.increment("brief", 0.3) != 1:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    assert [await cache.increment("forever") for _ in range(3)] == [1, 2, 3]


async def test_the_backend_answers(cache: Cache) -> None:
    assert await cache.ping()
    assert not cache.degraded


async def test_memory_is_bounded_and_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(max_entries=3, max_bytes=100)
    for key in "abc":
        await cache.set(key, key.encode())
    await cache.get("a")
    await cache.set("d", b"d")
    assert [await cache.get(key) for key in "abcd"] == [b"a", None, b"c", b"d"]
    await cache.set("large", b"x" * 99)
    assert [await cache.get(key) for key in "acd"] == [None, None, b"d"]
    await cache.set("d", b"x" * 101)
    assert await cache.get("d") is None
    assert await cache.get("large") == b"x" * 99


async def test_memory_forgets_at_the_second(seconds: Seconds) -> None:
    cache = MemoryCache(monotonic=seconds)
    await cache.set("key", b"1", 10)
    await cache.increment("count", 10)
    seconds.now += 9.99
    assert await cache.get("key") == b"1"
    assert await cache.increment("count", 10) == 2
    seconds.now += 0.01
    assert await cache.get("key") is None
    assert await cache.increment("count", 10) == 1


async def test_redis_killed_in_the_middle_raises_nothing_and_memory_serves(
    redis_server: Any, redis_cache: RedisCache
) -> None:
    await redis_cache.set("before", b"1", 60)
    redis_server.kill()
    begun = time.monotonic()
    assert await redis_cache.get("before") is None
    await redis_cache.set("during", b"2", 60)
    assert await redis_cache.get("during") == b"2"
    assert [await redis_cache.increment("hits", 60) for _ in range(3)] == [1, 2, 3]
    await redis_cache.delete("during")
    assert await redis_cache.get("during") is None
    assert redis_cache.degraded
    assert not await redis_cache.ping()
    assert time.monotonic() - begun < 2


async def test_redis_that_is_back_is_used_again_and_learns_what_changed(
    redis_server: Any, redis_cache: RedisCache, seconds: Seconds
) -> None:
    redis_server.kill()
    await redis_cache.set("set", b"1", 60)
    await redis_cache.set("expired", b"1", 1)
    await redis_cache.set("deleted", b"1")
    await redis_cache.delete("deleted")
    redis_server.start()
    assert redis_cache.degraded
    seconds.now += 1.99
    assert await redis_cache.get("set") == b"1"
    assert redis_cache.degraded
    seconds.now += 0.02
    assert await redis_cache.get("set") == b"1"
    assert not redis_cache.degraded
    other = open_cache(redis_server.url)
    assert await other.get("set") == b"1"
    assert await other.get("expired") is None
    assert await other.get("deleted") is None
    await other.close()


async def test_a_value_removed_while_redis_was_unreachable_does_not_come_back(
    redis_server: Any, redis_cache: RedisCache, seconds: Seconds
) -> None:
    await redis_cache.set("old", b"stale")
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        await redis_cache.delete("old")
        assert redis_cache.degraded
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    seconds.now += 5
    assert await redis_cache.get("old") is None
    assert not redis_cache.degraded


async def test_a_restart_between_two_calls_goes_unnoticed(
    redis_server: Any, redis_cache: RedisCache
) -> None:
    await asyncio.gather(*(redis_cache.set(f"key-{n}", b"1") for n in range(5)))
    redis_server.kill()
    redis_server.start()
    await redis_cache.set("after", b"2")
    assert await redis_cache.get("after") == b"2"
    assert not redis_cache.degraded


async def test_a_redis_that_hangs_costs_one_time_out_and_not_one_a_call(
    redis_server: Any, redis_cache: RedisCache
) -> None:
    await redis_cache.set("key", b"1")
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for _ in range(100):
            await redis_cache.get("key")
        assert time.monotonic() - begun < 2
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)


async def test_a_redis_that_was_never_there_is_no_reason_not_to_start() -> None:
    cache = open_cache("redis://:hunter2@127.0.0.1:1/0")
    await cache.set("key", b"1")
    assert await cache.get("key") == b"1"
    assert cache.degraded
    assert cache.backend == "Redis 127.0.0.1:1/0"
    await cache.close()


async def test_a_call_that_redis_refuses_is_served_from_memory(
    redis_server: Any, redis_cache: RedisCache
) -> None:
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        client.lpush(PREFIX + "key", "not a number")
    assert await redis_cache.increment("key") == 1
    assert await redis_cache.get("key") == b"1"
    assert not redis_cache.degraded


@pytest.mark.parametrize("url", ["memcached://user:hunter2@host", "", "redis://h:port", "http://["])
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://") as caught:
        open_cache(url)
    assert "hunter2" not in str(caught.value)
