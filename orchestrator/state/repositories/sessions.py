"""Sessions: the turns of a conversation, and what the last one left for the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.errors import ConflictError
from orchestrator.state.database import Database
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import SessionRecord, TurnRecord, TurnState
from orchestrator.state.tables import session_turns, sessions


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

    async def check_owner(self, id: str, user: str, now: datetime) -> None:  # noqa: A002
        """See that an id is free for a user, before anything is done for its next turn.

        Raises:
            ConflictError: the id is another user's.
        """
        columns = sessions.c
        query = select(columns.user).where(columns.id == id, _live(now))
        async with self._database.read() as connection:
            owner = await connection.scalar(query)
        _refuse_another(id, owner, user)

    async def append(
        self, record: SessionRecord, turn: TurnRecord, before: SessionRecord | None
    ) -> bool:
        """Add a turn and keep the session as it is after it, in one transaction.

        Args:
            record: The session after the turn.
            turn: The turn; its number is ``record.turns``.
            before: The session on which the turn was read; null where there was none, or one that has
                expired, which is then removed with its turns.

        Returns:
            Whether it was kept; false, with nothing changed, where the session is no longer as it was
            before: another request has added a turn, or it was deleted.

        Raises:
            ConflictError: the id is another user's.
        """
        columns = sessions.c
        values = asdict(record)
        async with self._database.write() as connection:
            if before is None:
                await connection.execute(
                    delete(sessions).where(
                        columns.id == record.id, columns.expires_at <= record.updated_at
                    )
                )
                make = (
                    postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
                )
                change: Any = make(sessions).values(**values).on_conflict_do_nothing()
            else:
                # The summary is not of this turn, and may be longer by now than the one that was read.
                kept = {k: v for k, v in values.items() if k not in ("summary", "summarised")}
                change = (
                    update(sessions)
                    .where(
                        columns.id == record.id,
                        columns.user == record.user,
                        columns.turns == before.turns,
                        columns.origin == before.origin,
                    )
                    .values(**kept)
                )
            if (await connection.execute(change)).rowcount:
                await connection.execute(insert(session_turns).values(**asdict(turn)))
                return True
            owner = await connection.scalar(select(columns.user).where(columns.id == record.id))
        _refuse_another(record.id, owner, record.user)
        return False

    async def finish(
        self,
        session: SessionRecord,
        number: int,
        state: TurnState,
        *,
        answer: str = "",
        answered_by: str = "",
        jobs: Sequence[dict[str, Any]] = (),
        items: Sequence[dict[str, Any]] = (),
        evidence: Sequence[dict[str, Any]] = (),
    ) -> bool:
        """Keep what came of a turn; false where the session was deleted meanwhile."""
        turns = session_turns.c
        same = (
            select(sessions.c.id)
            .where(sessions.c.id == session.id, sessions.c.origin == session.origin)
            .scalar_subquery()
        )
        change = (
            update(session_turns)
            .where(turns.session_id == same, turns.number == number)
            .values(
                state=state,
                answer=answer,
                answered_by=answered_by,
                jobs=tuple(jobs),
                items=tuple(items),
                evidence=tuple(evidence),
            )
        )
        async with self._database.write() as connection:
            return bool((await connection.execute(change)).rowcount)

    async def summarise(self, session: SessionRecord, summary: str, summarised: int) -> None:
        """Keep the summary of the first ``summarised`` turns, unless a longer one is kept already."""
        columns = sessions.c
        change = (
            update(sessions)
            .where(
                columns.id == session.id,
                columns.origin == session.origin,
                columns.summarised < summarised,
            )
            .values(summary=summary, summarised=summarised)
        )
        async with self._database.write() as connection:
            await connection.execute(change)

    async def turns(self, id: str, *, after: int = 0, last: int = 1000) -> list[TurnRecord]:  # noqa: A002
        """The ``last`` turns whose number is above ``after``, in their order."""
        columns = session_turns.c
        query = (
            select(session_turns)
            .where(columns.session_id == id, columns.number > after)
            .order_by(columns.number.desc())
            .limit(last)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_turn(row) for row in reversed(rows)]

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

    async def delete(self, id: str, user: str) -> bool:  # noqa: A002
        """Forget a session of a user with its turns; false where there is none."""
        columns = sessions.c
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(sessions).where(columns.id == id, columns.user == user)
            )
            return bool(gone.rowcount)

    async def forget_expired(self, now: datetime) -> int:
        """Remove the sessions that have expired, with their turns; returns how many."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            return gone.rowcount


def _live(now: datetime) -> Any:
    return or_(sessions.c.expires_at.is_(None), sessions.c.expires_at > now)


def _session(row: RowMapping) -> SessionRecord:
    values = dict(row)
    values["operations"] = tuple(values["operations"])
    return SessionRecord(**values)


def _turn(row: RowMapping) -> TurnRecord:
    values = dict(row)
    for name in ("jobs", "items", "evidence"):
        values[name] = tuple(values[name])
    return TurnRecord(**values)


def _refuse_another(id: str, owner: str | None, user: str) -> None:  # noqa: A002
    if owner is not None and owner != user:
        raise ConflictError(
            f"session {id!r} cannot be used",
            where="session_id",
            remedy="start a session with an id of your own",
        )
