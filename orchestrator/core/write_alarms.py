"""Alerts of the operator agent itself: a write that was not made, one of unknown end, moves that are held.

They go through the same life cycle as those of the plant (ISA-18.2), so that somebody has to see them. They
say nothing about the plant and hold no moves: facts and situations leave them out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager

from orchestrator.clock import Clock
from orchestrator.core.alert_desk import AlertDesk
from orchestrator.monitoring.life_cycle import Change
from orchestrator.state.records import RecommendationRecord
from orchestrator.write_records import WriteRecord


class WriteAlarms:
    """Raises them, and returns them when what they tell of is over.

    Args:
        alerts: Keeps alerts.
        clock: Dates them.
        still: Gives what keeps the monitor from using the alert book meanwhile.
    """

    def __init__(
        self,
        alerts: AlertDesk,
        clock: Clock,
        still: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        self._alerts = alerts
        self._clock = clock
        self._still = still

    async def not_as_wanted(self, record: WriteRecord) -> None:
        """A write that did not end ``done``; the alert lasts as long as its end is unknown."""
        text = f"{record.tag} was not set to {record.value:g} ({record.state}): {record.text}"
        await self._tell(_of_tag(record.tag), active=True, tags=(record.tag,), message=text)
        if record.state != "unverified":
            await self._tell(_of_tag(record.tag), active=False)

    async def settled(self, record: WriteRecord) -> None:
        """A person has said how it ended."""
        await self._tell(_of_tag(record.tag), active=False)

    async def held(self, record: RecommendationRecord, reason: str) -> None:
        """Moves were paused, and a person is asked."""
        tags = tuple(move["tag"] for move in record.document.get("moves", ()))
        text = f"the moves of recommendation {record.id} are held and await a person: {reason}"
        await self._tell(_of_recommendation(record.id), active=True, tags=tags, message=text)

    async def left(self, record: RecommendationRecord) -> None:
        """Moves that were held are so no longer."""
        await self._tell(_of_recommendation(record.id), active=False)

    async def restore(self, locked: Collection[str], held: Collection[str]) -> None:
        """Return those whose cause ended while this process did not run.

        Args:
            locked: Tags with a write of unknown end.
            held: Ids of recommendations that are held.
        """
        lasting = {*map(_of_tag, locked), *map(_of_recommendation, held)}
        for alert in self._alerts.book.all():
            if alert.kind == "write" and alert.active and alert.key not in lasting:
                await self._tell(alert.key, active=False)

    async def _tell(
        self, key: str, *, active: bool, tags: tuple[str, ...] = (), message: str = ""
    ) -> None:
        now = self._clock.now()
        async with self._still():
            change = Change(now, now, key, "write", active, "high", tags, message)
            events = self._alerts.book.apply(change)
        await self._alerts.take(events)


def _of_tag(tag: str) -> str:
    return f"write:{tag}"


def _of_recommendation(id_: str) -> str:
    return f"held:{id_}"
