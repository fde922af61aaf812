"""What the operator agent may do: its mode, and the grants that named persons gave it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import uuid4

from orchestrator.clock import Clock, iso
from orchestrator.core.events import EventBus
from orchestrator.errors import ParameterError, RefusedError
from orchestrator.plant.envelope import Envelope, Grant, GrantedTag
from orchestrator.state.records import GrantRecord
from orchestrator.state.repositories import Store

OperatorMode = Literal["advisory", "supervised", "autonomous"]
MODE_KEY = "operator_mode"


class OperatorModes:
    """The mode in force and the grants, both stored and audited.

    Args:
        configured: The mode of the configuration, in force until a person sets another one.
        write_enabled: ``plant.write_enabled``; without it the mode is advisory whatever is set.
        envelope: What grants must lie inside.
    """

    def __init__(
        self,
        store: Store,
        events: EventBus,
        clock: Clock,
        *,
        configured: OperatorMode,
        write_enabled: bool,
        envelope: Envelope,
    ) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._configured = configured
        self._write_enabled = write_enabled
        self._envelope = envelope
        self._set: OperatorMode | None = None
        self.set_by: str | None = None

    async def restore(self) -> None:
        """Take up the mode that a person has set before."""
        saved = await self._store.settings.get(MODE_KEY)
        if isinstance(saved, dict) and saved.get("mode") in get_args(OperatorMode):
            self._set, self.set_by = saved["mode"], saved.get("by")

    @property
    def mode(self) -> OperatorMode:
        """The mode in force."""
        return (self._set or self._configured) if self._write_enabled else "advisory"

    async def set(self, mode: OperatorMode, by: str, reason: str = "") -> None:
        """Set the mode, by name.

        Raises:
            ParameterError: no such mode.
            RefusedError: it would write, and writing is switched off in the configuration.
        """
        if mode not in get_args(OperatorMode):
            raise ParameterError.of_field(
                "mode", f"must be one of {', '.join(get_args(OperatorMode))}, got {mode!r}"
            )
        if mode != "advisory" and not self._write_enabled:
            raise RefusedError(
                f"the mode cannot be {mode}: writing to the plant is switched off",
                where="plant.write_enabled",
                remedy="the site sets plant.write_enabled: true, and plant.write.tags, first",
            )
        await self._store.settings.put(MODE_KEY, {"mode": mode, "by": by, "reason": reason})
        await self._store.audit.append(
            by, "set_operator_mode", "operator", {"mode": mode, "reason": reason}
        )
        self._set, self.set_by = mode, by
        text = f"the operator agent is {mode} now (set by {by})"
        self._events.publish("notice", self._clock.now(), {"message": text, "operator_mode": mode})

    async def grant(
        self,
        tags: Mapping[str, GrantedTag],
        *,
        by: str,
        starts_at: datetime | None,
        ends_at: datetime,
        max_moves: int,
        reason: str = "",
    ) -> GrantRecord:
        """Give leave to act without approval, inside an envelope and for a time.

        Raises:
            ParameterError: the grant is wider than the plant's envelope, or its time is over.
        """
        now = self._clock.now()
        if ends_at <= now:
            raise ParameterError.of_field("until", f"{iso(ends_at)} is not after {iso(now)}")
        starts = starts_at or now
        made = Grant(uuid4().hex, by, starts, ends_at, dict(tags), max_moves)
        self._envelope.check_grant(made)
        envelope: dict[str, Any] = {
            name: {
                "low": tag.low,
                "high": tag.high,
                "max_rate": tag.max_rate,
                "max_move": tag.max_move,
            }
            for name, tag in tags.items()
        }
        record = GrantRecord(made.id, by, now, starts, ends_at, envelope, max_moves, reason)
        await self._store.grants.add(record)
        details = {"until": iso(ends_at), "tags": envelope, "max_moves": max_moves}
        await self._store.audit.append(by, "grant", f"grant:{made.id}", details)
        return record

    async def revoke(self, grant_id: str, by: str) -> GrantRecord:
        """Take a grant back.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: it is revoked already.
        """
        record = await self._store.grants.revoke(grant_id, by, self._clock.now())
        await self._store.audit.append(by, "revoke", f"grant:{grant_id}")
        return record

    async def grants(self) -> tuple[GrantRecord, ...]:
        """Grants in force."""
        return await self._store.grants.list(at=self._clock.now())

    async def grant_called(self, grant_id: str) -> Grant | None:
        """A grant as the writer looks at it, in force or not."""
        found = [g for g in await self._store.grants.list() if g.id == grant_id]
        return as_grant(found[0]) if found else None

    async def covering(self, moves: list[dict[str, Any]]) -> GrantRecord | None:
        """A grant in force that covers every move: tag, value and size."""
        for record in await self.grants():
            tags = as_grant(record).tags
            if all(
                (own := tags.get(move["tag"])) is not None
                and own.low <= move["to"] <= own.high
                and abs(move["to"] - move["from"]) <= own.max_move
                for move in moves
            ):
                return record
        return None


def as_grant(record: GrantRecord) -> Grant:
    """The stored grant as the writer's rules take it."""
    tags = {name: GrantedTag(**limits) for name, limits in record.envelope.items()}
    return Grant(
        record.id,
        record.granted_by,
        record.starts_at,
        record.ends_at,
        tags,
        record.max_moves,
        record.revoked_at,
    )
