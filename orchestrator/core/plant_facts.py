"""The plant as it is known now, for the safety agent, the writer and the operator agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.clock import Clock
from orchestrator.core.assessment import Assessor
from orchestrator.core.explained_alerts import VerifiedMoves, explanation
from orchestrator.modules.optimization.operator.content import (
    RelevantSituation,
    relevant_situation,
)
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import Quality
from orchestrator.plant.tags import Plant
from orchestrator.plant.write_facts import ActiveAlert, Facts, PastMove, TagValue, moves_seen
from orchestrator.state.repositories import Store
from orchestrator.write_records import Travel

NOT_COUNTED = frozenset({"suppressed_by_design", "out_of_service"})
"""States in which an alert says nothing about the plant: expected, or of an instrument in repair."""
MINUTE = timedelta(minutes=1)
MOST_VERIFIED = 100
"""Verified moves that are kept in mind."""
OWN_MOVE = timedelta(minutes=10)
"""How long after a write of ours its move may show in the data."""


class PlantFacts:
    """Gathers facts from historian, monitor and journal.

    Args:
        plant: Tags and limits.
        historian: Samples.
        assessor: Plant mode and data quality.
        book: Alerts.
        store: The write journal.
        clock: Plant time.
        envelope: The write list, whose tags' past moves are looked up.
        write_enabled: ``plant.write_enabled``.
        blind: Whether no monitor runs, so that alerts are unknown.
        still: Gives what keeps the monitor from being used meanwhile.
    """

    def __init__(
        self,
        plant: Plant,
        historian: Historian,
        assessor: Assessor,
        book: AlertBook,
        store: Store,
        clock: Clock,
        *,
        envelope: Envelope,
        write_enabled: bool,
        blind: bool,
        still: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        self.plant = plant
        self.historian = historian
        self._assessor = assessor
        self._book = book
        self._store = store
        self._clock = clock
        self._envelope = envelope
        self._write_enabled = write_enabled
        self._blind = blind
        self._still = still
        self._verified: list[VerifiedMoves] = []
        self._looked_up: tuple[datetime | None, Mapping[str, tuple[PastMove, ...]]] | None = None

    async def now(self, *, moves: bool = True) -> Facts:
        """All that is known at this instant.

        Args:
            moves: Whether past moves are looked up; without them nothing may be written on these facts.
        """
        async with self._still():
            at = self._clock.now()
            plant_mode = self._assessor.plant_mode()
            data_quality = self._assessor.data_quality(at)
            alerts = [
                alert
                for alert in self._book.all()
                if alert.active and alert.state not in NOT_COUNTED and alert.kind != "write"
            ]
            samples = self.historian.last_values()
            learned = self._assessor.learned_until
        minutes = max(
            (own.cumulative_minutes for own in self._envelope.settings.tags.values()), default=0.0
        )
        written = await self._store.writes.standing(at - timedelta(minutes=minutes) - OWN_MOVE)
        return Facts(
            at=at,
            values={
                tag: TagValue(sample.value, sample.quality, sample.source_time)
                for tag, sample in samples.items()
            },
            plant_mode=plant_mode,
            data_quality=data_quality,
            alerts=None
            if self._blind
            else tuple(
                _active(alert, explanation(alert, self._verified, learned)) for alert in alerts
            ),
            moves=await self._moves(at, written.travels) if moves else (),
            stop=written.stop,
            locked=written.locked,
            write_enabled=self._write_enabled,
        )

    def note_verified(self, moves: VerifiedMoves) -> None:
        """Note that the plant has answered to moves as expected."""
        self._verified = [*self._verified[-(MOST_VERIFIED - 1) :], moves]

    async def _moves(self, at: datetime, travels: Sequence[Travel]) -> tuple[PastMove, ...]:
        """Past moves of the tags of the write list: our writes, and what else the data shows."""
        limits = self._envelope.settings.tags
        if not limits:
            return ()
        seen = await self._seen(at)
        by_tag: dict[str, list[Travel]] = {}
        for travel in travels:
            by_tag.setdefault(travel.tag, []).append(travel)
        found: list[PastMove] = []
        for name, own in limits.items():
            since = at - timedelta(minutes=own.cumulative_minutes) - OWN_MOVE
            writes = [item for item in by_tag.get(name, ()) if item.intended_at >= since]
            found += [PastMove(name, write.intended_at, write.travel, write.id) for write in writes]
            found += _of_others(seen.get(name, ()), writes, own.tolerance)
        return tuple(found)

    async def _seen(self, at: datetime) -> Mapping[str, tuple[PastMove, ...]]:
        """Moves that the data shows, by tag; looked up anew when new samples have come."""
        span = self.historian.span()
        newest = span[1] if span else None
        if self._looked_up is None or self._looked_up[0] != newest:
            self._looked_up = (newest, await asyncio.to_thread(self._look_up, at))
        return self._looked_up[1]

    def _look_up(self, at: datetime) -> dict[str, tuple[PastMove, ...]]:
        import numpy as np

        limits = self._envelope.settings.tags
        held = set(self.historian.tags())
        names = [name for name in limits if name in held]
        if not names:
            return {}
        longest = max(limits[name].cumulative_minutes for name in names)
        table = self.historian.read(names, at - timedelta(minutes=longest), at)
        times = table.column("time").to_pylist()
        found = {}
        for name in names:
            values = table.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
            found[name] = moves_seen(name, times, values, tolerance=limits[name].tolerance)
        return found

    def relevant(self, content: Mapping[str, Any], facts: Facts) -> RelevantSituation:
        """The part of the facts that a recommendation's approval stands on."""
        score, least_quality = facts.data_quality, self._envelope.settings.min_data_quality
        return relevant_situation(
            content,
            self.plant,
            plant_mode=facts.plant_mode,
            data_fit=None if score is None else score >= least_quality,
            alerts=[(alert.tags[0], alert.kind) for alert in facts.alerts or () if alert.tags],
            values=good_values(facts),
        )


def good_values(facts: Facts) -> dict[str, float | None]:
    """Present values by tag; null where the value is not good."""
    return {
        tag: found.value if found.quality is Quality.GOOD else None
        for tag, found in facts.values.items()
    }


def _of_others(
    seen: Sequence[PastMove], writes: Sequence[Travel], tolerance: float
) -> list[PastMove]:
    """Moves that our writes do not account for: of each write no more than its own travel is left out."""
    left = {write.id: write.travel for write in writes}
    found = []
    for move in seen:
        rest = move.travel
        for write in writes:
            if -MINUTE <= move.at - write.intended_at <= OWN_MOVE:
                taken = min(rest, left[write.id])
                left[write.id] -= taken
                rest -= taken
        if rest > tolerance:
            found.append(replace(move, travel=rest))
    return found


def _active(alert: Alert, explained: str) -> ActiveAlert:
    side = alert.key.rpartition(":")[2] if alert.kind == "limit" else ""
    return ActiveAlert(
        tags=alert.tags or ((alert.tag,) if alert.tag else ()),
        kind=alert.kind,
        severity=alert.severity,
        side="high" if side == "high" else "low" if side == "low" else None,
        id=alert.id,
        since=alert.start,
        explained=explained,
    )
