"""The monitor of one plant: every detector behind one call.

Rows may come in blocks of any size; what the monitor says does not depend on how they are cut.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import structlog

from orchestrator.config import MonitoringSettings
from orchestrator.errors import ConfigurationError, InsufficientDataError
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.baseline import learn, training_rows
from orchestrator.monitoring.delays import IntArray
from orchestrator.monitoring.frozen import LOST, StandstillWatch
from orchestrator.monitoring.learned import Learned
from orchestrator.monitoring.life_cycle import AlertEvent, AlertKind, Change
from orchestrator.monitoring.limits import LimitWatch
from orchestrator.monitoring.model_store import ModelRecord, ModelStore
from orchestrator.monitoring.moves import Move
from orchestrator.monitoring.quality import QualityReport, QualityWatch
from orchestrator.monitoring.renewal import RenewalWatch
from orchestrator.monitoring.samples import SampleTrail, moment
from orchestrator.monitoring.steady import Steadiness
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.tags import Plant, PlantMode

log = structlog.get_logger(__name__)

EXPECTED_AFTER_MOVE = frozenset({"anomaly", "trend", "drift"})
"""Kinds of alerts that a planned move explains for a while. Limits hold whatever is planned."""
UNTOUCHED_BY_RENEWAL = frozenset({"limit", "frozen", "predicted_limit"})
RESTORED_ROWS: dict[AlertKind, int] = {
    "limit": 10,
    "anomaly": 240,
    "trend": 240,
    "drift": 240,
    "frozen": 240,
}
"""Rows after a restart by which what still holds is told again; 240 fill the window of the trend test."""
NEVER = int(np.iinfo(np.int64).min)
LONGEST_BLOCK = 4096
"""Longer blocks are taken in pieces, so that memory stays bounded."""


class Monitor:
    """Data quality, alerts and steadiness of one plant. Not thread-safe: one owner calls it.

    Args:
        plant: The tags with their limits.
        settings: Detectors and delays.
        store: Where what was learned is kept from run to run; null keeps nothing.

    Attributes:
        alerts: The alert book.
        fitted: Whether normal operation was learned. Until then limits and quality are watched, and
            the first ``settings.training_rows`` rows are collected to learn from.

    Raises:
        ConfigurationError: the plant has no tags.
    """

    def __init__(
        self, plant: Plant, settings: MonitoringSettings, store: ModelStore | None = None
    ) -> None:
        if not plant.tags:
            raise ConfigurationError(
                "a plant without tags cannot be monitored",
                where=plant.name,
                remedy="draft a plant file with: dan-g tags infer FILE",
            )
        self.plant = plant
        self.settings = settings
        self.alerts = AlertBook()
        self.fitted = False
        self._tags = plant.tags
        self._names = plant.tag_names
        self._column = {tag.name: j for j, tag in enumerate(plant.tags)}
        self._quality = QualityWatch(self._tags)
        self._lost = StandstillWatch(self._tags, LOST)
        self._limits = LimitWatch(self._tags, settings.limit_on_delay, settings.limit_off_delay)
        self._trail = SampleTrail(len(self._tags))
        self._learned: Learned | None = None
        self._collected: list[SampleBlock] = []
        self._layout: tuple[str, ...] = ()
        self._source: IntArray = np.zeros(0, dtype=np.int64)
        self._target: IntArray = np.zeros(0, dtype=np.int64)
        self._time: int = NEVER
        self._store = store
        self._renewal: RenewalWatch | None = None
        self._moved: Move | None = None
        self._rows = 0

    def fit(self, block: SampleBlock, *, reason: str = "trained on normal operation") -> None:
        """Learn normal operation from rows of it; the alert book is kept.

        Args:
            block: Normal operation.
            reason: Why, for the journal of the models.

        Raises:
            InsufficientDataError: fewer than 20 rows.
        """
        self._learn(self._aligned(block), reason)

    def restore(self) -> ModelRecord | None:
        """Learn again what an earlier run had learned; null where nothing fits this plant."""
        found = self._store.load() if self._store is not None else None
        if found is None:
            return None
        record, block = found
        if not set(record.tags) <= set(self._names):
            log.warning("monitor.model_of_another_plant", version=record.version)
            return None
        try:
            self._learn(self._aligned(block), None)
        except InsufficientDataError as error:
            log.warning("monitor.model_unusable", version=record.version, reason=str(error))
            return None
        log.info("monitor.model_restored", version=record.version, rows=record.rows)
        return record

    def relearn(
        self, block: SampleBlock, reason: str, source: str
    ) -> tuple[ModelRecord, list[AlertEvent]]:
        """Learn normal operation anew, keep it, and end what was judged by the old.

        Args:
            block: Normal operation.
            reason: Why, for the journal.
            source: Where the rows come from.

        Raises:
            ConfigurationError: nothing can be kept: the monitor was made without a store.
            InsufficientDataError: fewer than 20 rows; nothing is changed.
        """
        if self._store is None:
            raise ConfigurationError("this monitor keeps no models", where=self.plant.name)
        block = self._aligned(block)
        self._learn(block, None)
        return self._store.save(block, reason=reason, source=source), self._end_judgements()

    def take_up(self) -> tuple[ModelRecord, list[AlertEvent]] | None:
        """Learn from the newest rows that are kept, and end what was judged before; null where none fit."""
        record = self.restore()
        return None if record is None else (record, self._end_judgements())

    def update(self, block: SampleBlock) -> list[AlertEvent]:
        """Take in rows; returns the alert events they cause, in order of time.

        Rows that are not later than the last one seen are left out.
        """
        if not len(block):
            return []
        events: list[AlertEvent] = []
        block = self._in_order(self._aligned(block))
        while len(block):
            rows = min(len(block), LONGEST_BLOCK)
            if not self.fitted:
                collected = sum(len(part) for part in self._collected)
                rows = min(rows, self.settings.training_rows - collected)
            elif self._renewal is not None:
                rows = min(rows, self._renewal.rows_to_look)
            if self.alerts.has_unseen:
                ahead = (least - self._rows for least in RESTORED_ROWS.values())
                rows = min([rows, *(left for left in ahead if left > 0)])
            events.extend(self._take(block.rows(0, rows)))
            block = block.rows(rows, len(block))
        return events

    def quality(self, at: datetime | None = None) -> QualityReport:
        """Fitness of the data after the last row; with ``at``, staleness as of that time."""
        return self._quality.report(at)

    @property
    def learned_until(self) -> datetime | None:
        """The newest row that normal operation was learned from; null until it is learned."""
        return None if self._learned is None else moment(self._learned.last_time)

    def steady(self) -> Steadiness | None:
        """Steady-state test of the key tags; null until normal operation is learned and 30 rows seen."""
        return None if self._learned is None else self._learned.steadiness()

    def mode(self) -> PlantMode | None:
        """``steady`` or ``transient`` as the steady-state test tells, null where it cannot."""
        found = self.steady()
        if found is None:
            return None
        return "steady" if found.share >= self.plant.mode.steady_share else "transient"

    def _take(self, block: SampleBlock) -> list[AlertEvent]:
        times = block.times.astype("datetime64[us]").astype(np.int64)
        self._time = int(times[-1])
        rows = self._trail.step(times, block.values, block.quality)
        still = self._quality.step(rows)
        lost = self._lost.step(times, still.lost, still.lost_since)
        learned = self._learned
        if learned is None:
            changes = [
                *self._limits.step(rows, np.where(rows.present, rows.last, np.nan)),
                *lost,
            ]
        else:
            held = rows.held(learned.baseline.hold)
            changes = [
                *self._limits.step(rows, held),
                *lost,
                *learned.frozen.step(times, still.frozen, rows.run_start),
                *learned.step(rows, held),
            ]
        moves = learned.moves(times, held) if learned is not None else []
        events = self._apply(changes, moves)
        events.extend(self.alerts.tick(moment(self._time)))
        self._rows += len(block)
        if self.alerts.has_unseen:
            for kind, least in RESTORED_ROWS.items():
                if self._rows >= least:
                    events.extend(self.alerts.end_unseen(kind, moment(self._time)))
        if learned is None:
            self._collect(block)
        elif self._renewal is not None and self._renewal.add(block):
            events.extend(self._renew_if_moved())
        return events

    def _apply(self, changes: list[tuple[int, Change]], moves: list[Move]) -> list[AlertEvent]:
        events: list[AlertEvent] = []
        changes.sort(key=lambda item: item[0])
        due = iter([*moves, None])
        move = next(due)
        for row, change in changes:
            while move is not None and move.row <= row:
                self._moved, move = move, next(due)
            if change.active and change.kind in EXPECTED_AFTER_MOVE:
                events.extend(self._expect(change))
            events.extend(self.alerts.apply(change))
        self._moved = moves[-1] if moves else self._moved
        return events

    def _expect(self, change: Change) -> list[AlertEvent]:
        """Withhold by design what begins while the plant settles after a planned move."""
        if self._moved is None or self._learned is None:
            return []
        settles = self.settings.planned_move_rows * self._learned.baseline.row_seconds
        until = moment(self._moved.time + round(settles * 1e6))
        if change.since < moment(self._moved.began) or change.at >= until:
            return []
        return self.alerts.suppress(change.key, self._moved.words, change.at, until=until)

    def _renew_if_moved(self) -> list[AlertEvent]:
        """Learn anew where the plant has moved for good, on purpose, and nothing else is wrong."""
        learned, renewal, move = self._learned, self._renewal, self._moved
        if learned is None or renewal is None or move is None or move.time <= learned.last_time:
            return []
        window = renewal.window()
        if window.start < moment(move.time) or not renewal.moved_and_settled():
            return []
        active = [alert for alert in self.alerts.all() if alert.active]
        began_before = [alert for alert in active if alert.start < moment(move.began)]
        if began_before or any(alert.kind in UNTOUCHED_BY_RENEWAL for alert in active):
            return []
        self._learn(window, f"the plant has moved for good after a {move.words}")
        return self._end_judgements()

    def _end_judgements(self) -> list[AlertEvent]:
        """End the alerts that say that normal operation, as it was known, was left."""
        if self._time == NEVER:
            return []
        at = moment(self._time)
        events: list[AlertEvent] = []
        for alert in self.alerts.all():
            if alert.active and alert.kind not in UNTOUCHED_BY_RENEWAL:
                over = Change(at=at, since=at, key=alert.key, kind=alert.kind, active=False)
                events.extend(self.alerts.apply(over))
        return events

    def _collect(self, block: SampleBlock) -> None:
        self._collected.append(block)
        if sum(len(part) for part in self._collected) < self.settings.training_rows:
            return
        whole = SampleBlock(
            block.tags,
            np.concatenate([part.times for part in self._collected]),
            np.concatenate([part.values for part in self._collected]),
            np.concatenate([part.quality for part in self._collected]),
        )
        self._learn(whole, "learned from the first rows of the run")

    def _learn(self, block: SampleBlock, reason: str | None) -> None:
        rows = training_rows(block)
        baseline = learn(rows, self._tags)
        self._learned = Learned(self.plant, self.settings, baseline, rows)
        self._quality.learn(baseline)
        self._collected = []
        self.fitted = True
        self._renewal = (
            RenewalWatch(baseline, self.settings.training_rows) if self.settings.renew else None
        )
        if self._store is not None and reason is not None:
            self._store.save(block, reason=reason, source=self.plant.name)
        log.info(
            "monitor.fitted",
            rows=len(block),
            tags=len(self._tags),
            modelled_tags=len(self._learned.names),
        )

    def _aligned(self, block: SampleBlock) -> SampleBlock:
        """The block in the plant's columns; other columns are left out, absent ones hold nothing."""
        if block.tags == self._names:
            return block
        if block.tags != self._layout:
            pairs = [(i, self._column[t]) for i, t in enumerate(block.tags) if t in self._column]
            self._source = np.array([i for i, _ in pairs], dtype=np.int64)
            self._target = np.array([j for _, j in pairs], dtype=np.int64)
            self._layout = block.tags
            unknown = [tag for tag in block.tags if tag not in self._column]
            if unknown:
                log.warning("monitor.unknown_tags", tags=unknown[:10], count=len(unknown))
        shape = (len(block), len(self._tags))
        values = np.full(shape, np.nan)
        quality = np.full(shape, int(Quality.NONE), dtype=np.uint8)
        values[:, self._target] = block.values[:, self._source]
        quality[:, self._target] = block.quality[:, self._source]
        return SampleBlock(self._names, block.times, values, quality)

    def _in_order(self, block: SampleBlock) -> SampleBlock:
        times = block.times.astype("datetime64[us]").astype(np.int64)
        latest = np.maximum.accumulate(np.concatenate([[self._time], times[:-1]]))
        fresh = times > latest
        if fresh.all():
            return block
        log.warning("monitor.rows_out_of_order", count=int((~fresh).sum()), first=block.start)
        return SampleBlock(
            block.tags, block.times[fresh], block.values[fresh], block.quality[fresh]
        )
