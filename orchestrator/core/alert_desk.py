"""Alerts where people and the store meet them: stored, published, and changed by operators."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import structlog

from orchestrator.clock import Clock
from orchestrator.core.events import EventBus
from orchestrator.errors import UnavailableError
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.life_cycle import WITHHELD, Alert, AlertEvent
from orchestrator.state.records import AlertRecord
from orchestrator.state.repositories import Store

log = structlog.get_logger(__name__)
MOST_OPEN = 1000


class AlertDesk:
    """Keeps the alert book, the stored alerts and the listeners in step.

    Args:
        book: The alert book of the monitor.
        store: Where alerts, their journal and the audit chain are kept.
        events: Where every transition is published.
        clock: Plant time.
    """

    def __init__(self, book: AlertBook, store: Store, events: EventBus, clock: Clock) -> None:
        self.book = book
        self._store = store
        self._events = events
        self._clock = clock

    async def restore(self) -> None:
        """Alerts that were open or withheld when the process ended are so still."""
        pages = [
            await self._store.alerts.list(is_open=True, limit=MOST_OPEN),
            *[await self._store.alerts.list(state=state, limit=MOST_OPEN) for state in WITHHELD],
        ]
        found = {item.id: item for page in pages for item in page.items}
        self.book.restore(Alert.model_validate(item.document) for item in found.values())

    async def take(self, events: Iterable[AlertEvent]) -> None:
        """Store and publish what the monitor raised or cleared."""
        for event in events:
            try:
                await self._keep(event)
            except UnavailableError as error:
                log.error("alert not stored", alert=event.alert.id, error=str(error))
            self._publish(event)

    async def acknowledge(self, alert_id: str, by: str) -> AlertRecord:
        """Acknowledge an alert.

        Raises:
            NotFoundError: no such alert.
            ConflictError: its state does not allow it.
        """
        return await self._by_operator(self.book.acknowledge(alert_id, by, self._clock.now()))

    async def shelve(self, alert_id: str, reason: str, until: datetime, by: str) -> AlertRecord:
        """Shelve an alert until a time, with a reason.

        Raises:
            NotFoundError: no such alert.
            ConflictError: its state does not allow it.
            ParameterError: there is no reason, or the time is past.
        """
        event = self.book.shelve(alert_id, until, reason, by, self._clock.now())
        return await self._by_operator(event)

    async def unshelve(self, alert_id: str, by: str) -> AlertRecord:
        """Take an alert off the shelf.

        Raises:
            NotFoundError: no such alert.
            ConflictError: it is not shelved.
        """
        return await self._by_operator(self.book.unshelve(alert_id, by, self._clock.now()))

    async def withhold(
        self,
        alert_id: str,
        how: Literal["suppress", "remove_from_service"],
        reason: str,
        by: str,
        until: datetime | None = None,
    ) -> AlertRecord:
        """Suppress an alert by design, or take it out of service.

        Raises:
            NotFoundError: no such alert.
            ConflictError: its state does not allow it.
            ParameterError: there is no reason, or the time is past.
        """
        now = self._clock.now()
        return await self._by_operator(
            self.book.withhold(alert_id, how, reason, by, now, until=until)
        )

    async def give_back(
        self, alert_id: str, how: Literal["unsuppress", "return_to_service"], by: str
    ) -> AlertRecord:
        """End the suppression, or return the alert to service.

        Raises:
            NotFoundError: no such alert.
            ConflictError: it is not withheld in that way.
        """
        return await self._by_operator(self.book.give_back(alert_id, how, by, self._clock.now()))

    async def _by_operator(self, event: AlertEvent) -> AlertRecord:
        record = await self._keep(event)
        await self._store.audit.append(
            event.by, event.transition, f"alert:{record.id}", {"reason": event.reason}
        )
        self._publish(event)
        return record

    async def _keep(self, event: AlertEvent) -> AlertRecord:
        record = event.alert.record()
        await self._store.alerts.upsert(record, at=event.at, by=event.by, reason=event.reason or "")
        return record

    def _publish(self, event: AlertEvent) -> None:
        alert = event.alert.model_dump(mode="json")
        self._events.publish("alert", event.at, {"transition": event.transition, "alert": alert})
