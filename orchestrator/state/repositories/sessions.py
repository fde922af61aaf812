"""Sessions: what the last turn of a conversation left for the next."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.errors import ConflictError
from orchestrator.state.database import Database
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import SessionRecord
from orchestrator.state.tables import sessions


class Sessions:
    """Sessions by id. A session belongs to one user and is not shown to another."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, id: str, user: str, now: datetime) -> SessionRecord | None:  # noqa: A002
        """The session; null when there is none, it has expired, or it is another user's."""
        columns = sessions.c
        query = select(sessions).where(columns.id == id, columns.user == user, _live(now))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _session(row)

    async def put(self, record: SessionRecord) -> None:
        """Keep the session as it is after a turn.

        Raises:
            ConflictError: the id is another user's.
        """
        make = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        values = {
            "user": record.user,
            "operations": record.operations,
            "turn": record.turn,
            "turns": record.turns,
            "updated_at": record.updated_at,
            "expires_at": record.expires_at,
        }
        upsert = (
            make(sessions)
            .values(id=record.id, **values)
            .on_conflict_do_update(
                index_elements=[sessions.c.id],
                set_=values,
                where=sessions.c.user == record.user,
            )
        )
        async with self._database.write() as connection:
            kept = (await connection.execute(upsert)).rowcount
        if not kept:
            raise ConflictError(
                f"session {record.id!r} cannot be used",
                where="session_id",
                remedy="start a session with an id of your own",
            )

    async def list(
        self, user: str, now: datetime, *, cursor: str | None = None, limit: int = 50
    ) -> Page[SessionRecord]:
        """Sessions of a user that have not expired, last used first.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        query: Select[Any] = select(sessions).where(sessions.c.user == user, _live(now))
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                _session,
                kind="sessions",
                time=sessions.c.updated_at,
                identity=sessions.c.id,
                cursor=cursor,
                limit=limit,
            )

    async def delete(self, id: str) -> None:  # noqa: A002
        """Forget a session."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == id))

    async def forget_expired(self, now: datetime) -> int:
        """Remove the sessions that have expired; returns how many."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            return gone.rowcount


def _live(now: datetime) -> Any:
    return or_(sessions.c.expires_at.is_(None), sessions.c.expires_at > now)


def _session(row: RowMapping) -> SessionRecord:
    values = dict(row)
    values["operations"] = tuple(values["operations"])
    return SessionRecord(**values)
