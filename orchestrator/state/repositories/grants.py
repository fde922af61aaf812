"""Grants: leave that named persons gave to act without approval."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import insert, select, update

from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.records import GrantRecord
from orchestrator.state.tables import grants


class Grants:
    """Autonomous grants; one that was given is never changed, only revoked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, grant: GrantRecord) -> None:
        """Store a grant."""
        async with self._database.write() as connection:
            await connection.execute(insert(grants).values(**asdict(grant)))

    async def list(self, *, at: datetime | None = None) -> tuple[GrantRecord, ...]:
        """Grants, the last given first; with ``at`` only those in force then."""
        query = select(grants).order_by(grants.c.granted_at.desc(), grants.c.id)
        if at is not None:
            query = query.where(grants.c.starts_at <= at, grants.c.ends_at > at)
            query = query.where(grants.c.revoked_at.is_(None))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(GrantRecord(**row) for row in rows)

    async def revoke(self, id: str, by: str, at: datetime) -> GrantRecord:  # noqa: A002
        """End a grant before its time.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it is revoked already.
        """
        change = update(grants).where(grants.c.id == id, grants.c.revoked_at.is_(None))
        async with self._database.write() as connection:
            changed = (
                await connection.execute(change.values(revoked_at=at, revoked_by=by))
            ).rowcount
        query = select(grants).where(grants.c.id == id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFoundError(f"no grant {id!r}", remedy="list them with: dan-g operator status")
        if not changed:
            raise ConflictError(f"grant {id!r} is revoked already")
        return GrantRecord(**row)
