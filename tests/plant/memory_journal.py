"""The write journal in memory, with the promises of the real one; both pass ``test_write_journal.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.write_records import (
    MOVED_STATES,
    OPEN_STATES,
    Stop,
    WriteRecord,
    WriteState,
)


class MemoryJournal:
    """Survives what its process does not: a test hands it on to the next writer."""

    def __init__(self) -> None:
        self.records: dict[str, WriteRecord] = {}
        self.used_permits: set[str] = set()
        self.stops: list[Stop] = []

    async def intend(self, record: WriteRecord) -> None:
        step = (record.recommendation_id, record.step)
        for other in self.records.values():
            if other.state in OPEN_STATES and other.tag == record.tag:
                raise ConflictError(f"{record.tag} is locked")
            if other.state in MOVED_STATES and (other.recommendation_id, other.step) == step:
                raise ConflictError(f"step {record.step} was written already")
        if record.permit_id in self.used_permits:
            raise ConflictError("its permit was used")
        self.used_permits.add(record.permit_id)
        self.records[record.id] = record

    async def refuse(self, record: WriteRecord) -> None:
        self.records[record.id] = record

    async def end(
        self,
        id: str,
        state: WriteState,
        at: datetime,
        *,
        read_back: float | None = None,
        reasons: Sequence[str] = (),
        text: str = "",
    ) -> WriteRecord:
        if state == "intended":
            raise ParameterError("'intended' is no end of a write")
        record = await self.get(id)
        if record.state != "intended":
            raise ConflictError(f"write {id!r} is {record.state}, not intended")
        self.records[id] = replace(
            record,
            state=state,
            ended_at=at,
            read_back=read_back,
            reasons=tuple(reasons),
            text=text,
        )
        return self.records[id]

    async def settle(
        self, id: str, state: WriteState, at: datetime, *, by: str, why: str
    ) -> WriteRecord:
        if state not in {"done", "not_done"}:
            raise ParameterError(f"a write is settled as done or not_done, not as {state!r}")
        if not by.strip():
            raise ParameterError("a write is settled by a named person")
        record = await self.get(id)
        if record.state != "unverified":
            raise ConflictError(f"write {id!r} is {record.state}, not unverified")
        self.records[id] = replace(record, state=state, ended_at=at, settled_by=by, text=why)
        return self.records[id]

    async def get(self, id: str) -> WriteRecord:
        if id not in self.records:
            raise NotFoundError(f"no write {id!r}")
        return self.records[id]

    async def open_writes(self, tag: str | None = None) -> tuple[WriteRecord, ...]:
        return tuple(
            r for r in self.records.values() if r.state in OPEN_STATES and tag in {None, r.tag}
        )

    async def moves(self, tag: str, since: datetime) -> tuple[WriteRecord, ...]:
        return tuple(
            r
            for r in self.records.values()
            if r.tag == tag and r.state in MOVED_STATES and r.intended_at >= since
        )

    async def of_recommendation(self, recommendation_id: str) -> tuple[WriteRecord, ...]:
        return tuple(r for r in self.records.values() if r.recommendation_id == recommendation_id)

    async def moves_under_grant(self, grant_id: str) -> int:
        return sum(
            r.grant_id == grant_id and r.state in MOVED_STATES for r in self.records.values()
        )

    async def stop(self, by: str, why: str, at: datetime) -> Stop:
        found = await self.stopped()
        if found is None:
            found = Stop(uuid4().hex, by, at, why)
            self.stops.append(found)
        return found

    async def release(self, by: str, at: datetime) -> Stop | None:
        if not by.strip():
            raise ParameterError("a stop is released by a named person")
        found = await self.stopped()
        if found is None:
            return None
        self.stops[-1] = replace(found, released_by=by, released_at=at)
        return self.stops[-1]

    async def stopped(self) -> Stop | None:
        return self.stops[-1] if self.stops and self.stops[-1].released_at is None else None
