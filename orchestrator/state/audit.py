"""The audit chain: who did what, each entry bound to the one before by SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import Clock
from orchestrator.errors import ParameterError
from orchestrator.state.columns import clean_text, encode_document, utc_text
from orchestrator.state.database import Database
from orchestrator.state.paging import MAX_LIMIT
from orchestrator.state.records import AuditRecord, AuditVerification
from orchestrator.state.tables import audit

GENESIS = "0" * 64
"""What the first link names as the digest before it."""

_APPEND_LOCK = 0x61756474  # any number that is ours: PostgreSQL advisory lock
_BATCH = 2000


class AuditChain:
    """An append-only log in which no entry can be changed, removed or put between unnoticed.

    The digest of a link is SHA-256 over the canonical JSON of
    ``[sequence, at, actor, action, subject, details, previous]`` with details as the stored text.
    Entries cut off at the end show only against a digest kept elsewhere: pass it to `verify`.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._appending = asyncio.Lock()

    async def append(
        self,
        actor: str,
        action: str,
        subject: str,
        details: dict[str, Any] | None = None,
        *,
        at: datetime | None = None,
    ) -> AuditRecord:
        """Add an entry, dated now unless ``at`` is given; durable on return."""
        async with self._appending, self._database.write() as connection:
            return await self.append_within(connection, actor, action, subject, details, at=at)

    async def append_within(
        self,
        connection: AsyncConnection,
        actor: str,
        action: str,
        subject: str,
        details: dict[str, Any] | None = None,
        *,
        at: datetime | None = None,
    ) -> AuditRecord:
        """Add an entry in a write transaction of the caller's, so that both are kept or neither."""
        when = utc_text(at or self._clock.now())
        actor, action, subject = clean_text(actor), clean_text(action), clean_text(subject)
        stored = _canonical(details or {})
        if self._database.dialect == "postgresql":
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPEND_LOCK}
            )
        last = await _last(connection)
        sequence, previous = (last["sequence"] + 1, last["digest"]) if last else (1, GENESIS)
        digest = _digest(sequence, when, actor, action, subject, stored, previous)
        await connection.execute(
            insert(audit).values(
                sequence=sequence,
                at=when,
                actor=actor,
                action=action,
                subject=subject,
                details=stored,
                previous=previous,
                digest=digest,
            )
        )
        return AuditRecord(
            sequence,
            datetime.fromisoformat(when),
            actor,
            action,
            subject,
            json.loads(stored),
            previous,
            digest,
        )

    async def verify(self, expected_head: str | None = None) -> AuditVerification:
        """Check every link, from the first; reports the first that is broken.

        ``expected_head`` is a digest seen before: it must still be in the chain.
        """
        links, previous, seen = 0, GENESIS, expected_head in {None, GENESIS}
        async with self._database.read() as connection:
            while True:
                query = select(audit).where(audit.c.sequence > links)
                rows = (
                    (await connection.execute(query.order_by(audit.c.sequence).limit(_BATCH)))
                    .mappings()
                    .all()
                )
                for row in rows:
                    reason = _fault(row, links + 1, previous)
                    if reason:
                        return AuditVerification(False, links, links + 1, reason)
                    links, previous = row["sequence"], row["digest"]
                    seen = seen or previous == expected_head
                if len(rows) < _BATCH:
                    break
        if not seen:
            reason = f"the chain no longer holds the digest {expected_head}"
            return AuditVerification(False, links, links + 1, reason)
        return AuditVerification(True, links)

    async def head(self) -> str:
        """Digest of the last link, to be kept elsewhere."""
        async with self._database.read() as connection:
            last = await _last(connection)
        return last["digest"] if last else GENESIS

    async def list(self, *, before: int | None = None, limit: int = 50) -> tuple[AuditRecord, ...]:
        """Entries newest first, of sequences under ``before``.

        Raises:
            ParameterError: the limit is not in 1 to 1000.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ParameterError(f"limit = {limit} is outside 1 to {MAX_LIMIT}", where="limit")
        query = select(audit).order_by(audit.c.sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.sequence < before)
        async with self._database.read() as connection:
            return tuple(_record(row) for row in (await connection.execute(query)).mappings())


async def _last(connection: AsyncConnection) -> RowMapping | None:
    query = select(audit).order_by(audit.c.sequence.desc()).limit(1)
    return (await connection.execute(query)).mappings().first()


def _canonical(details: dict[str, Any]) -> str:
    return json.dumps(
        json.loads(encode_document(details)),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )


def _digest(*parts: Any) -> str:
    text_of_parts = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text_of_parts.encode()).hexdigest()


def _fault(row: RowMapping, sequence: int, previous: str) -> str:
    if row["sequence"] != sequence:
        return f"the entry is missing; the next one is {row['sequence']}"
    if row["previous"] != previous:
        return "it does not follow the entry before it"
    if row["digest"] != _digest(*list(row.values())[:-1]):
        return "its content was changed"
    return ""


def _record(row: RowMapping) -> AuditRecord:
    values = dict(row)
    values["at"] = datetime.fromisoformat(values["at"])
    values["details"] = json.loads(values["details"])
    return AuditRecord(**values)
