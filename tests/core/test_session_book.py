"""Sessions between the cache and the database: no turn is lost, whoever else takes one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.decision import Decision, Interpretation
from orchestrator.core.query_parser import Turn
from orchestrator.core.sessions import SessionBook
from orchestrator.errors import ConflictError
from orchestrator.state.cache import MemoryCache
from orchestrator.state.database import Database
from orchestrator.state.redis_cache import RedisCache
from orchestrator.state.repositories.sessions import Sessions

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    database = await Database.open(None, tmp_path)
    await database.migrate()
    yield Sessions(database)
    await database.close()


def adding(word: str, seen: list[Any] | None = None, pause: float = 0.0) -> Any:
    """Reads a turn as one more word after those that are carried."""

    async def read(previous: Turn | None) -> Decision:
        words = [*(previous.slots.get("words", ()) if previous else ()), word]
        if seen is not None:
            seen.append(words)
        await asyncio.sleep(pause)
        return Decision(
            id=f"d-{word}-{len(words)}",
            created_at=NOW,
            situation_digest="",
            confidence=0.9,
            rationale="",
            policy_version="1",
            latency_ms=0.0,
            interpretation=Interpretation(slots={"words": words}),
        )

    return read


async def said(book: SessionBook, word: str, **options: Any) -> list[str]:
    decision, _ = await book.take_turn("s", "", word, NOW, adding(word, **options))
    assert decision.interpretation is not None
    words: list[str] = decision.interpretation.slots["words"]
    return words


async def test_turns_at_once_in_one_process_follow_one_another(sessions: Sessions) -> None:
    book = SessionBook(sessions, MemoryCache())
    kept = await asyncio.gather(*(said(book, f"w{n}", pause=0.001) for n in range(12)))
    assert sorted(map(len, kept)) == list(range(1, 13))
    session = await book.find("s", "")
    assert session is not None
    assert session.turns == 12
    assert sorted(session.turn["slots"]["words"]) == sorted(f"w{n}" for n in range(12))
    turns = await book.turns(session, last=100)
    assert [turn.number for turn in turns] == list(range(1, 13))


async def test_turns_at_once_on_workers_with_caches_of_their_own(sessions: Sessions) -> None:
    books = [SessionBook(sessions, MemoryCache()) for _ in range(3)]
    for book in books:
        await said(book, "first")
    for _ in range(4):
        await asyncio.gather(*(said(book, "next", pause=0.002) for book in books))
    session = await books[0].find("s", "")
    assert session is not None
    assert session.turns == len(session.turn["slots"]["words"]) == 3 + 12


async def test_a_stale_cache_is_found_out_and_the_turn_is_read_again(sessions: Sessions) -> None:
    one, other = (SessionBook(sessions, MemoryCache()) for _ in range(2))
    await said(one, "a")
    await said(other, "b")
    seen: list[Any] = []
    assert await said(one, "c", seen=seen) == ["a", "b", "c"]
    assert seen == [["a", "c"], ["a", "b", "c"]]


async def test_a_session_that_was_deleted_elsewhere_begins_anew(sessions: Sessions) -> None:
    one, other = (SessionBook(sessions, MemoryCache()) for _ in range(2))
    await said(one, "a")
    assert await other.delete("s", "")
    assert not await other.delete("s", "")
    assert await said(one, "b") == ["b"]
    await other.delete("s", "")
    await said(other, "c")  # as many turns as the one that the first book remembers
    assert await said(one, "d") == ["c", "d"]


async def test_it_expires_in_wall_time_and_is_its_users_alone(sessions: Sessions) -> None:
    clock = Clock()
    book = SessionBook(sessions, MemoryCache(), clock, timedelta(days=2))
    await said(book, "a")
    with pytest.raises(ConflictError, match="id of your own"):
        await book.take_turn("s", "somebody else", "b", NOW, adding("b"))
    clock.at += timedelta(days=1)
    assert await said(book, "c") == ["a", "c"]
    clock.at += timedelta(days=2)
    assert await book.find("s", "") is None
    assert await said(book, "d") == ["d"]


async def test_redis_that_goes_and_comes_back_loses_nothing(
    sessions: Sessions, redis_server: Any
) -> None:
    caches = [RedisCache(redis_server.url, cool_down=0.05) for _ in range(2)]
    one, other = (SessionBook(sessions, cache) for cache in caches)
    await said(one, "a")
    seen: list[Any] = []
    assert await said(other, "b", seen=seen) == ["a", "b"]
    assert len(seen) == 1  # the other worker had it from Redis, as new as it was
    redis_server.kill()
    assert await said(one, "c") == ["a", "b", "c"]
    assert await said(other, "d") == ["a", "b", "c", "d"]
    redis_server.start()
    await asyncio.sleep(0.1)
    assert await said(one, "e") == ["a", "b", "c", "d", "e"]
    for cache in caches:
        await cache.close()


async def test_a_damaged_cache_entry_is_not_believed(sessions: Sessions) -> None:
    cache = MemoryCache()
    book = SessionBook(sessions, cache)
    await said(book, "a")
    (key,) = cache._entries
    await cache.set(key, b'{"id": 5}')
    assert await said(book, "b") == ["a", "b"]
