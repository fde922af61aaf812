"""Alerts as they are now, and the journal of every transition of their life cycle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.paging import Page, fetch_page
from orchestrator.state.records import AlertRecord, AlertTransition
from orchestrator.state.tables import alert_transitions, alerts


class Alerts:
    """Alerts and their journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upsert(
        self, alert: AlertRecord, *, at: datetime | None = None, by: str = "", reason: str = ""
    ) -> None:
        """Store the alert as it is now; a change of state goes into the journal.

        ``at`` is when the state changed, in plant time; without it, the latest time that the
        alert itself names. ``by`` is who changed it, empty for the monitor.
        """
        try:
            await self._upsert(alert, at or _latest(alert), by, reason)
        except IntegrityError:
            # Another process stored the same new alert at the same instant: now it is an update.
            await self._upsert(alert, at or _latest(alert), by, reason)

    async def _upsert(self, alert: AlertRecord, at: datetime, by: str, reason: str) -> None:
        values = _values(alert)
        current = select(alerts.c.state).where(alerts.c.id == alert.id).with_for_update()
        async with self._database.write() as connection:
            before = (await connection.execute(current)).scalar()
            if before is None:
                await connection.execute(insert(alerts).values(**values))
            else:
                change = update(alerts).where(alerts.c.id == alert.id)
                await connection.execute(change.values(**values))
            if before != alert.state:
                steps = alert_transitions.c
                last = select(func.max(steps.sequence)).where(steps.alert_id == alert.id)
                await connection.execute(
                    insert(alert_transitions).values(
                        alert_id=alert.id,
                        sequence=((await connection.execute(last)).scalar() or 0) + 1,
                        at=at,
                        from_state=before,
                        to_state=alert.state,
                        by=by,
                        reason=reason,
                    )
                )

    async def get(self, id: str) -> AlertRecord:  # noqa: A002
        """The alert called ``id``.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.read() as connection:
            row = (
                (await connection.execute(select(alerts).where(alerts.c.id == id)))
                .mappings()
                .first()
            )
        if row is None:
            raise NotFoundError(f"no alert {id!r}", remedy="list the alerts with: dan-g alerts")
        return _alert(row)

    async def journal(self, id: str) -> tuple[AlertTransition, ...]:  # noqa: A002
        """Every transition of the alert, oldest first; empty when there is no such alert."""
        query = (
            select(alert_transitions)
            .where(alert_transitions.c.alert_id == id)
            .order_by(alert_transitions.c.sequence)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(AlertTransition(**row) for row in rows)

    async def list(
        self,
        *,
        state: str | Sequence[str] | None = None,
        severity: str | None = None,
        kind: str | None = None,
        key: str | None = None,
        is_open: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[AlertRecord]:
        """Alerts by their start, newest first; each filter narrows.

        ``since`` is included and ``until`` is not; ``is_open`` means without an end.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        columns = alerts.c
        query: Select[Any] = select(alerts)
        if state is not None:
            wanted = [state] if isinstance(state, str) else list(state)
            query = query.where(columns.state.in_(wanted))
        if severity is not None:
            query = query.where(columns.severity == severity)
        if kind is not None:
            query = query.where(columns.kind == kind)
        if key is not None:
            query = query.where(columns.key == key)
        if is_open is not None:
            ended = columns.ended_at
            query = query.where(ended.is_(None) if is_open else ended.is_not(None))
        if since is not None:
            query = query.where(columns.started_at >= since)
        if until is not None:
            query = query.where(columns.started_at < until)
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                query,
                _alert,
                kind="alerts",
                time=columns.started_at,
                identity=columns.id,
                cursor=cursor,
                limit=limit,
            )


def _latest(alert: AlertRecord) -> datetime:
    times = (alert.started_at, alert.ended_at, alert.acknowledged_at)
    return max(time for time in times if time is not None)


def _values(record: AlertRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "key": record.key,
        "kind": record.kind,
        "severity": record.severity,
        "state": record.state,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "tags": record.tags,
        "document": record.document,
        "shelved_until": record.shelved_until,
        "shelve_reason": record.shelve_reason,
        "acknowledged_by": record.acknowledged_by,
        "acknowledged_at": record.acknowledged_at,
    }


def _alert(row: RowMapping) -> AlertRecord:
    values = dict(row)
    values["tags"] = tuple(values["tags"])
    return AlertRecord(**values)
