"""What the monitor has learned, where people meet it: learned anew on request, while the loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from orchestrator.core.alert_desk import AlertDesk
from orchestrator.errors import NotFoundError, UnavailableError
from orchestrator.monitoring.life_cycle import AlertEvent
from orchestrator.monitoring.model_store import MOST_ROWS, ModelRecord, ModelStore
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.arrow import to_block
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import SampleBlock
from orchestrator.state.repositories import Store


class ModelDesk:
    """Keeps the monitor, its models' store, the alerts and the audit chain in step.

    Args:
        monitor: The monitor of the plant; null where no plant is known.
        kept: Where its models are kept.
        historian: Where normal operation is read from.
        alerts: Takes the alerts that end because normal is something else now.
        store: The audit chain.
        still: Gives what keeps the monitor from being used meanwhile.
    """

    def __init__(
        self,
        monitor: Monitor | None,
        kept: ModelStore,
        historian: Historian,
        alerts: AlertDesk,
        store: Store,
        still: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        self._monitor = monitor
        self._kept = kept
        self._historian = historian
        self._alerts = alerts
        self._store = store
        self._still = still

    async def records(self) -> list[ModelRecord]:
        """The journal, oldest first."""
        return await asyncio.to_thread(self._kept.records)

    async def fit(
        self, start: datetime | None, end: datetime | None, reason: str, by: str
    ) -> ModelRecord:
        """Learn normal operation from the historian, keep it and judge by it from now on.

        Args:
            start: First time; null is the oldest.
            end: Last time; null is the newest.
            reason: Why, for the journal.
            by: Who.

        Raises:
            UnavailableError: no plant is known.
            NotFoundError: the historian holds nothing in the range.
            InsufficientDataError: fewer than 20 rows.
        """
        monitor = self._required()
        block = await asyncio.to_thread(self._normal, monitor, start, end)
        async with self._still():
            record, ended = await asyncio.to_thread(monitor.relearn, block, reason, "historian")
        return await self._taken(record, ended, by)

    async def take_up(self, by: str) -> ModelRecord:
        """Judge from now on by the newest model that is kept.

        Raises:
            UnavailableError: no plant is known.
            NotFoundError: no model is kept that fits the plant.
        """
        monitor = self._required()
        async with self._still():
            found = await asyncio.to_thread(monitor.take_up)
        if found is None:
            raise NotFoundError(
                "no model is kept that fits this plant",
                remedy="learn one with: dan-g models fit monitoring",
            )
        return await self._taken(*found, by)

    def _required(self) -> Monitor:
        if self._monitor is None:
            raise UnavailableError(
                "no plant is configured, so that no tags are known",
                where="plant.file",
                remedy="set plant.file, or run the service over a source",
            )
        return self._monitor

    def _normal(
        self, monitor: Monitor, start: datetime | None, end: datetime | None
    ) -> SampleBlock:
        held = set(self._historian.tags())
        tags = [name for name in monitor.plant.tag_names if name in held]
        found = self._historian.read(tags, start, end) if tags else None
        if found is None or not found.num_rows:
            raise NotFoundError(
                "the historian holds no samples of the plant's tags in this range",
                remedy="give another start and end",
            )
        return to_block(found.slice(max(found.num_rows - MOST_ROWS, 0)))

    async def _taken(self, record: ModelRecord, ended: list[AlertEvent], by: str) -> ModelRecord:
        await self._alerts.take(ended)
        details = {"version": record.version, "reason": record.reason}
        await self._store.audit.append(by, "learn", "model:monitoring", details)
        return record
