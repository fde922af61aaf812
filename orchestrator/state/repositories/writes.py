"""The journal of writes to the plant, and the stop of all writing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.state.audit import AuditChain
from orchestrator.state.database import Database
from orchestrator.state.faults import collision
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.tables import write_stops, writes
from orchestrator.write_records import (
    MOVED_STATES,
    OPEN_STATES,
    Standing,
    Stop,
    Travel,
    WriteRecord,
    WriteState,
)

ENDS: frozenset[WriteState] = frozenset({"done", "refused", "not_done", "unverified"})
SETTLED: frozenset[WriteState] = frozenset({"done", "not_done"})
SYSTEM = "dan-g"
"""Actor of audit entries that no person made."""


class Writes:
    """Implements :class:`orchestrator.plant.write_journal.WriteJournal`.

    Each change and its entry in the audit chain are one transaction.
    """

    def __init__(self, database: Database, audit: AuditChain) -> None:
        self._database = database
        self._audit = audit

    async def intend(self, record: WriteRecord) -> None:
        """Journal a write before it is sent, and lock its tag.

        Raises:
            ConflictError: its permit was used, its step was or may have been carried out, or its tag
                is locked by a write without a known end.
        """
        await self._add(record, permit_used=True)

    async def refuse(self, record: WriteRecord) -> None:
        """Journal a write that is not sent.

        Raises:
            ConflictError: a write of that id is stored already.
        """
        await self._add(record, permit_used=False)

    async def end(
        self,
        id: str,  # noqa: A002
        state: WriteState,
        at: datetime,
        *,
        read_back: float | None = None,
        reasons: Sequence[str] = (),
        text: str = "",
    ) -> WriteRecord:
        """Give an intended write its end.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: it has an end already.
            ParameterError: ``state`` is no end.
        """
        if state not in ENDS:
            raise ParameterError(f"{state!r} is no end of a write", where="state")
        changes = {
            "state": state,
            "ended_at": at,
            "read_back": read_back,
            "reasons": list(reasons),
            "text": text,
        }
        return await self._change(id, "intended", changes, SYSTEM, at)

    async def settle(
        self,
        id: str,  # noqa: A002
        state: WriteState,
        at: datetime,
        *,
        by: str,
        why: str,
    ) -> WriteRecord:
        """Give an unverified write the end that a person has seen.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: it is not unverified.
            ParameterError: no name is given, or the end is another one.
        """
        if state not in SETTLED:
            raise ParameterError(
                f"a write is settled as done or not_done, not as {state!r}", where="state"
            )
        if not by.strip():
            raise ParameterError("a write is settled by a named person", where="by")
        changes = {"state": state, "ended_at": at, "settled_by": by, "text": why}
        return await self._change(id, "unverified", changes, by, at)

    async def get(self, id: str) -> WriteRecord:  # noqa: A002
        """The write called ``id``.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.read() as connection:
            return await _get(connection, id)

    async def open_writes(self, tag: str | None = None) -> tuple[WriteRecord, ...]:
        """Writes that lock their tag, oldest first."""
        query = select(writes).where(writes.c.state.in_(sorted(OPEN_STATES)))
        return await self._several(query if tag is None else query.where(writes.c.tag == tag))

    async def moves(self, tag: str, since: datetime) -> tuple[WriteRecord, ...]:
        """Writes that have, or may have, moved a tag since an instant, oldest first."""
        query = select(writes).where(
            writes.c.tag == tag,
            writes.c.intended_at >= since,
            writes.c.state.in_(sorted(MOVED_STATES)),
        )
        return await self._several(query)

    async def standing(self, since: datetime) -> Standing:
        """What earlier writes mean for the next one.

        Args:
            since: Travel of writes from then on is told.
        """
        travel = (
            select(writes.c.id, writes.c.tag, writes.c.intended_at, writes.c.before, writes.c.value)
            .where(writes.c.intended_at >= since, writes.c.state.in_(sorted(MOVED_STATES)))
            .order_by(writes.c.intended_at, writes.c.step, writes.c.id)
        )
        locks = select(writes.c.tag).where(writes.c.state.in_(sorted(OPEN_STATES)))
        async with self._database.read() as connection:
            rows = (await connection.execute(travel)).all()
            locked = (await connection.execute(locks)).scalars().all()
            stop = await _stop_on(connection)
        return Standing(
            tuple(
                Travel(id_, tag, at, 0.0 if before is None else abs(value - before))
                for id_, tag, at, before, value in rows
            ),
            frozenset(locked),
            stop,
        )

    async def of_recommendation(self, recommendation_id: str) -> tuple[WriteRecord, ...]:
        """All writes of a recommendation, oldest first."""
        return await self._several(
            select(writes).where(writes.c.recommendation_id == recommendation_id)
        )

    async def moves_under_grant(self, grant_id: str) -> int:
        """How many writes a grant has been used for."""
        query = select(func.count()).where(
            writes.c.grant_id == grant_id, writes.c.state.in_(sorted(MOVED_STATES))
        )
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def list(
        self,
        *,
        tag: str | None = None,
        state: WriteState | None = None,
        recommendation_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[WriteRecord]:
        """Writes newest first; ``since`` is included, ``until`` not.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        query: Select[Any] = select(writes)
        for column, wanted in (
            (writes.c.tag, tag),
            (writes.c.state, state),
            (writes.c.recommendation_id, recommendation_id),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if since is not None:
            query = query.where(writes.c.intended_at >= since)
        if until is not None:
            query = query.where(writes.c.intended_at < until)
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                _write,
                kind="writes",
                time=writes.c.intended_at,
                identity=writes.c.id,
                cursor=cursor,
                limit=limit,
            )

    async def stop(self, by: str, why: str, at: datetime) -> Stop:
        """Stop all writing; while a stop is on, that one is kept and returned."""
        pressed = Stop(uuid4().hex, by, at, why)
        async with self._database.write() as connection:
            found = await _stop_on(connection)
            if found is not None:
                return found
            await connection.execute(
                insert(write_stops).values(id=pressed.id, by=by, at=at, why=why)
            )
            await self._audit.append_within(
                connection, by, "write.stop", pressed.id, {"why": why}, at=at
            )
        return pressed

    async def release(self, by: str, at: datetime) -> Stop | None:
        """Release the stop in the name of a person; None where none is on.

        Raises:
            ParameterError: no name is given.
        """
        if not by.strip():
            raise ParameterError("a stop is released by a named person", where="by")
        async with self._database.write() as connection:
            found = await _stop_on(connection)
            if found is None:
                return None
            # All that are on: two processes may have pressed it at the same instant.
            await connection.execute(
                update(write_stops)
                .where(write_stops.c.released_at.is_(None))
                .values(released_by=by, released_at=at)
            )
            await self._audit.append_within(connection, by, "write.release", found.id, at=at)
        return Stop(found.id, found.by, found.at, found.why, by, at)

    async def stopped(self) -> Stop | None:
        """The stop that is on."""
        async with self._database.read() as connection:
            return await _stop_on(connection)

    async def _add(self, record: WriteRecord, *, permit_used: bool) -> None:
        values = record.document()
        values["approvers"], values["reasons"] = list(record.approvers), list(record.reasons)
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(writes).values(permit_used=permit_used, **values))
                await self._enter(connection, record, SYSTEM, record.intended_at)
        except IntegrityError as error:
            if collision(error) != "duplicate":
                raise
            raise await self._conflict(record) from error

    async def _conflict(self, record: WriteRecord) -> ConflictError:
        """Which of the unique indexes holds the write, in words."""
        opened = await self.open_writes(record.tag)
        if opened:
            return ConflictError(
                f"{record.tag} is locked: write {opened[0].id} is {opened[0].state}",
                remedy="wait for its end, or settle it",
            )
        return ConflictError(
            f"step {record.step} of recommendation {record.recommendation_id} was written already, "
            "or its permit was used",
            remedy="look at the journal before a new permit is asked for",
        )

    async def _change(
        self,
        id: str,  # noqa: A002
        expected: WriteState,
        changes: dict[str, Any],
        actor: str,
        at: datetime,
    ) -> WriteRecord:
        change = update(writes).where(writes.c.id == id, writes.c.state == expected)
        async with self._database.write() as connection:
            changed = (await connection.execute(change.values(**changes))).rowcount
            found = await _get(connection, id)
            if not changed:
                raise ConflictError(
                    f"write {id!r} is {found.state}, not {expected}",
                    remedy="look at it again before you decide",
                )
            await self._enter(connection, found, actor, at)
        return found

    async def _enter(
        self, connection: AsyncConnection, record: WriteRecord, actor: str, at: datetime
    ) -> None:
        details = {
            "recommendation_id": record.recommendation_id,
            "digest": record.digest,
            "step": record.step,
            "tag": record.tag,
            "before": record.before,
            "value": record.value,
            "read_back": record.read_back,
            "approvers": list(record.approvers),
            "grant_id": record.grant_id,
            "reasons": list(record.reasons),
            "text": record.text,
        }
        await self._audit.append_within(
            connection, actor, f"write.{record.state}", record.id, details, at=at
        )

    async def _several(self, query: Select[Any]) -> tuple[WriteRecord, ...]:
        ordered = query.order_by(writes.c.intended_at, writes.c.step, writes.c.id)
        async with self._database.read() as connection:
            return tuple(_write(row) for row in (await connection.execute(ordered)).mappings())


async def _get(connection: AsyncConnection, id: str) -> WriteRecord:  # noqa: A002
    row = (await connection.execute(select(writes).where(writes.c.id == id))).mappings().first()
    if row is None:
        raise NotFoundError(f"no write {id!r}")
    return _write(row)


async def _stop_on(connection: AsyncConnection) -> Stop | None:
    query = (
        select(write_stops)
        .where(write_stops.c.released_at.is_(None))
        .order_by(write_stops.c.at)
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else Stop(**row)


def _write(row: RowMapping) -> WriteRecord:
    values = dict(row)
    del values["permit_used"]
    values["approvers"], values["reasons"] = tuple(values["approvers"]), tuple(values["reasons"])
    return WriteRecord(**values)
