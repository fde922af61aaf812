"""The plant as it is known now, for the safety agent, the writer and the operator agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.clock import Clock
from orchestrator.core.assessment import Assessor
from orchestrator.modules.optimization.operator.content import (
    RelevantSituation,
    relevant_situation,
)
from orchestrator.modules.optimization.operator.response import Measured
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import Quality
from orchestrator.plant.tags import Plant
from orchestrator.plant.write_facts import ActiveAlert, Facts, PastMove, TagValue, moves_seen
from orchestrator.state.repositories import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOT_COUNTED = frozenset({"suppressed_by_design", "out_of_service"})
"""States in which an alert says nothing about the plant: expected, or of an instrument in repair."""
OWN_MOVE = timedelta(minutes=10)
"""How far from a write of ours in time its move may show in the data."""
LEAST_CHANGES = 30


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
        self._historian = historian
        self._assessor = assessor
        self._book = book
        self._store = store
        self._clock = clock
        self._envelope = envelope
        self._write_enabled = write_enabled
        self._blind = blind
        self._still = still

    async def now(self) -> Facts:
        """All that is known at this instant."""
        async with self._still():
            at = self._clock.now()
            situation = self._assessor.situation(at)
            alerts = [
                alert
                for alert in self._book.all()
                if alert.active and alert.state not in NOT_COUNTED
            ]
            samples = self._historian.last_values()
        quality = situation.data_quality
        open_writes = await self._store.writes.open_writes()
        return Facts(
            at=at,
            values={
                tag: TagValue(sample.value, sample.quality, sample.source_time)
                for tag, sample in samples.items()
            },
            plant_mode=situation.plant_mode,
            data_quality=quality.score if quality is not None else None,
            alerts=None if self._blind else tuple(_active(alert) for alert in alerts),
            moves=await self._moves(at),
            stop=await self._store.writes.stopped(),
            locked=frozenset(write.tag for write in open_writes),
            write_enabled=self._write_enabled,
        )

    async def _moves(self, at: datetime) -> tuple[PastMove, ...]:
        """Past moves of the tags of the write list: our writes, and what else the data shows."""
        found: list[PastMove] = []
        held = set(self._historian.tags())
        for name, own in self._envelope.settings.tags.items():
            since = at - timedelta(minutes=own.cumulative_minutes)
            writes = await self._store.writes.moves(name, since)
            found += [PastMove(name, write.intended_at, write.travel, write.id) for write in writes]
            if name not in held:
                continue
            times, values = await asyncio.to_thread(self._series, name, since, at)
            seen = moves_seen(name, times, values, tolerance=own.tolerance)
            found += [
                move
                for move in seen
                if not any(abs(move.at - write.intended_at) <= OWN_MOVE for write in writes)
            ]
        return tuple(found)

    def _series(
        self, tag: str, start: datetime, end: datetime
    ) -> tuple[Sequence[datetime], NDArray[np.float64]]:
        import numpy as np

        table = self._historian.read([tag], start, end)
        column = table.column(tag).to_numpy(zero_copy_only=False).astype(np.float64)
        return table.column("time").to_pylist(), column

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

    async def measured(
        self,
        tags: Sequence[str],
        begin: datetime,
        end: datetime,
        *,
        window: timedelta,
        past: timedelta,
    ) -> dict[str, Measured]:
        """What tags did from the window before ``begin`` to the one before ``end``.

        The spread is that of the changes between two windows as far apart in the time ``past`` before
        ``begin``: 1.4826 times the median absolute deviation, which a few planned moves do not widen.
        """
        return await asyncio.to_thread(self._measured, tags, begin, end, window, past)

    def _measured(
        self,
        tags: Sequence[str],
        begin: datetime,
        end: datetime,
        window: timedelta,
        past: timedelta,
    ) -> dict[str, Measured]:
        import numpy as np

        held = set(self._historian.tags())
        found: dict[str, Measured] = {}
        # Whole minutes: samples of any period become means on one grid.
        rows = max(1, round(window.total_seconds() / 60))
        lag = max(1, round((end - begin).total_seconds() / 60))
        for tag in tags:
            if tag not in held:
                continue
            table = self._historian.read([tag], begin - past, end, 60.0)
            times = table.column("time").to_numpy().astype("datetime64[us]")
            values = table.column(tag).to_numpy(zero_copy_only=False).astype(np.float64)
            known = np.isfinite(values)
            times, values = times[known], values[known]
            edge = np.datetime64(begin.replace(tzinfo=None), "us")
            width = np.timedelta64(rows * 60, "s")
            last = np.datetime64(end.replace(tzinfo=None), "us")
            before = values[(times >= edge - width) & (times < edge)]
            after = values[(times > last - width) & (times <= last)]
            earlier = values[times < edge]
            if not len(before) or not len(after):
                continue
            found[tag] = Measured(
                float(before.mean()), float(after.mean()), _spread(earlier, rows, lag)
            )
        return found


def good_values(facts: Facts) -> dict[str, float | None]:
    """Present values by tag; null where the value is not good."""
    return {
        tag: found.value if found.quality is Quality.GOOD else None
        for tag, found in facts.values.items()
    }


def _spread(values: NDArray[np.float64], rows: int, lag: int) -> float:
    """Standard deviation of the change between means of ``rows`` values that are ``lag`` rows apart."""
    import numpy as np

    if len(values) < 2:
        return 0.0
    if len(values) < rows + lag + LEAST_CHANGES:
        # Too short to look so far apart: what single values do is the wider of the two.
        return float(np.std(values) * np.sqrt(2.0))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[rows:] - sums[:-rows]) / rows
    changes = means[lag:] - means[:-lag]
    return float(1.4826 * np.median(np.abs(changes)))


def _active(alert: Alert) -> ActiveAlert:
    side = alert.key.rpartition(":")[2] if alert.kind == "limit" else ""
    return ActiveAlert(
        tags=alert.tags or ((alert.tag,) if alert.tag else ()),
        kind=alert.kind,
        severity=alert.severity,
        side="high" if side == "high" else "low" if side == "low" else None,
        id=alert.id,
    )
