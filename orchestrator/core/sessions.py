"""Sessions as requests meet them: found in the cache or the database, and moved on one turn at a time.

The database holds the truth; the cache saves a read. A turn is kept before anything of it runs, and only
if the session is still as it was read: else it is read anew, in the light of the turn that came between.
So of two requests at once, in one process or in two, neither loses its turn, and the slots that are
carried on are those of the later one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from pydantic import TypeAdapter, ValidationError

from orchestrator.clock import Clock, SystemClock
from orchestrator.core.decision import Decision
from orchestrator.core.query_parser import Turn
from orchestrator.errors import ConflictError
from orchestrator.state.cache import Cache
from orchestrator.state.records import SessionRecord, TurnRecord
from orchestrator.state.repositories.sessions import Sessions

log = structlog.get_logger(__name__)

LIFE = timedelta(days=30)
"""How long a session is kept after its last turn, in wall time: plant time may run fast or stand still."""
CACHED_S = 3600.0
MOST_TRIES = 20
Read = Callable[[Turn | None], Awaitable[Decision]]
_RECORD = TypeAdapter(SessionRecord)


class SessionBook:
    """The sessions of one service.

    Args:
        sessions: Where they are kept.
        cache: Saves the read of a session that was used shortly before.
        clock: Wall time.
        life: How long a session is kept after its last turn.
    """

    def __init__(
        self,
        sessions: Sessions,
        cache: Cache,
        clock: Clock | None = None,
        life: timedelta = LIFE,
    ) -> None:
        self._sessions = sessions
        self._cache = cache
        self._clock = clock or SystemClock()
        self._life = life
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, id: str, user: str) -> SessionRecord | None:  # noqa: A002
        """The session as the database has it; null where there is none, it has expired, or it is another's."""
        return await self._sessions.get(id, user, self._clock.now())

    async def check_owner(self, id: str, user: str) -> None:  # noqa: A002
        """See that an id is free for a user.

        Raises:
            ConflictError: the id is another user's.
        """
        await self._sessions.check_owner(id, user, self._clock.now())

    async def turns(self, session: SessionRecord, *, after: int = 0, last: int) -> list[TurnRecord]:
        """Turns of a session, the ``last`` of those whose number is above ``after``."""
        return await self._sessions.turns(session.id, after=after, last=last)

    async def delete(self, id: str, user: str) -> bool:  # noqa: A002
        """Forget a session with its turns; false where there is none."""
        await self._cache.delete(_key(id, user))
        return await self._sessions.delete(id, user)

    async def take_turn(
        self,
        id: str,  # noqa: A002
        user: str,
        text: str,
        plant_time: datetime,
        read: Read,
    ) -> tuple[Decision, SessionRecord]:
        """Read one more turn of a session and keep it.

        Args:
            id: The session; begun where there is none.
            user: Whose it is.
            text: What was said.
            plant_time: When, in plant time.
            read: Decides in the light of the turn before; called again where another came between.

        Returns:
            The decision, and the session after the turn, whose number is ``session.turns``.

        Raises:
            ConflictError: the id is another user's, or the session was changed at each of many tries.
            DatabaseUnavailableError: the turn cannot be kept; nothing of it may run.
        """
        key = _key(id, user)
        async with self._alone(key):
            before = await self._cached(key, id, user)
            for _ in range(MOST_TRIES):
                decision = await read(Turn.model_validate(before.turn) if before else None)
                session, turn = self._after(before, id, user, text, plant_time, decision)
                if await self._sessions.append(session, turn, before):
                    await self._cache.set(key, _RECORD.dump_json(session), CACHED_S)
                    return decision, session
                await self._cache.delete(key)
                before = await self.find(id, user)
        raise ConflictError(
            f"session {id!r} is changed by others all the time",
            where="session_id",
            remedy="wait for the answer to one turn before the next, or use a session of your own",
        )

    def _after(
        self,
        before: SessionRecord | None,
        id: str,  # noqa: A002
        user: str,
        text: str,
        plant_time: datetime,
        decision: Decision,
    ) -> tuple[SessionRecord, TurnRecord]:
        now = self._clock.now()
        reading = decision.interpretation
        carried = reading.model_dump(mode="json", exclude={"values"}) if reading else {}
        session = SessionRecord(
            id=id,
            user=user,
            operations=reading.operations if reading else (),
            turn=carried,
            updated_at=now,
            expires_at=now + self._life,
            turns=1,
            origin=uuid4().hex,
        )
        if before is not None:
            session = replace(
                session,
                turns=before.turns + 1,
                origin=before.origin,
                summary=before.summary,
                summarised=before.summarised,
            )
        turn = TurnRecord(
            session_id=id,
            number=session.turns,
            at=now,
            plant_time=plant_time,
            text=text,
            reading=carried,
            decision_id=decision.id,
        )
        return session, turn

    async def _cached(self, key: str, id: str, user: str) -> SessionRecord | None:  # noqa: A002
        kept = await self._cache.get(key)
        if kept is not None:
            try:
                session = _RECORD.validate_json(kept)
            except ValidationError:
                log.warning("a cached session cannot be read", session=id)
            else:
                if session.expires_at is None or session.expires_at > self._clock.now():
                    return session
        return await self.find(id, user)

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """One turn of a session at a time in this process: between processes the database decides."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and self._locks.get(key) is lock:
                del self._locks[key]


def _key(id: str, user: str) -> str:  # noqa: A002
    """Of any text a key without odd characters; the length keeps user and id apart."""
    return "session:" + hashlib.sha256(f"{len(user)}:{user}:{id}".encode()).hexdigest()
