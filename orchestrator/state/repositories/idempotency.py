"""Idempotency keys: a request that is sent twice is done once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.clock import Clock
from orchestrator.errors import ConflictError
from orchestrator.state.database import Database
from orchestrator.state.records import IdempotencyRecord
from orchestrator.state.tables import idempotency


class Idempotency:
    """Keys that callers gave, with the responses that they were answered."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(
        self, key: str, route: str, digest: str, *, abandoned_after: timedelta | None = None
    ) -> IdempotencyRecord | None:
        """Take the key for a request; null means that it is the caller's, who now does the work.

        Otherwise the record of the same request made before: with its response, or without one
        while the work is under way. A claim without a response that is older than
        ``abandoned_after`` is taken over, since its process is gone.

        Raises:
            ConflictError: the key was used for another route or another body.
        """
        now = self._clock.now()
        make = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        claimed = {"key": key, "route": route, "digest": digest, "claimed_at": now}
        insertion = make(idempotency).values(**claimed).on_conflict_do_nothing()
        async with self._database.write() as connection:
            if (await connection.execute(insertion)).rowcount:
                return None
            found = await _find(connection, key)
            if found is None:  # released between the two statements
                return await self._retry(connection, insertion, key)
            if (found.route, found.digest) != (route, digest):
                raise ConflictError(
                    f"the idempotency key {key!r} was used for another request",
                    where="Idempotency-Key",
                    remedy="use a new key for a new request",
                )
            if (
                found.finished_at is None
                and abandoned_after is not None
                and found.claimed_at < now - abandoned_after
            ):
                takeover = update(idempotency).where(
                    idempotency.c.key == key,
                    idempotency.c.finished_at.is_(None),
                    idempotency.c.claimed_at == found.claimed_at,
                )
                if (await connection.execute(takeover.values(claimed_at=now))).rowcount:
                    return None
            return found

    async def _retry(self, connection: Any, insertion: Any, key: str) -> IdempotencyRecord | None:
        if (await connection.execute(insertion)).rowcount:
            return None
        return await _find(connection, key)

    async def finish(self, key: str, response: dict[str, Any]) -> None:
        """Keep the response for those who ask again with the same key."""
        change = update(idempotency).where(idempotency.c.key == key)
        async with self._database.write() as connection:
            await connection.execute(
                change.values(response=response, finished_at=self._clock.now())
            )

    async def release(self, key: str) -> None:
        """Give a key back whose work failed, so that the request can be repeated."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(idempotency).where(
                    idempotency.c.key == key, idempotency.c.finished_at.is_(None)
                )
            )

    async def get(self, key: str) -> IdempotencyRecord | None:
        """What is known of the key; null when it was never claimed."""
        async with self._database.read() as connection:
            return await _find(connection, key)

    async def forget(self, before: datetime) -> int:
        """Remove keys claimed before that time; returns how many."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(idempotency).where(idempotency.c.claimed_at < before)
            )
            return gone.rowcount


async def _find(connection: Any, key: str) -> IdempotencyRecord | None:
    row = (
        (await connection.execute(select(idempotency).where(idempotency.c.key == key)))
        .mappings()
        .first()
    )
    return None if row is None else IdempotencyRecord(**row)
