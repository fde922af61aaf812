"""The monitor of one plant: every detector behind one call.

Rows may come in blocks of any size; what the monitor says does not depend on how they are cut.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import structlog

from orchestrator.config import MonitoringSettings
from orchestrator.errors import ConfigurationError, InsufficientDataError
from orchestrator.monitoring import trends
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.baseline import Baseline, learn, training_rows
from orchestrator.monitoring.delays import FloatArray, IntArray
from orchestrator.monitoring.drift import DriftWatch
from orchestrator.monitoring.fitted import ALERT_SHARE, Part, fit_model, parts_of
from orchestrator.monitoring.frozen import FrozenWatch
from orchestrator.monitoring.life_cycle import AlertEvent, Change
from orchestrator.monitoring.limits import LimitWatch
from orchestrator.monitoring.multivariate import AnomalyWatch
from orchestrator.monitoring.quality import QualityReport, QualityWatch
from orchestrator.monitoring.samples import RowBins, Rows, SampleTrail, moment
from orchestrator.monitoring.steady import RatioTest, Steadiness
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.tags import Plant, PlantMode

log = structlog.get_logger(__name__)

LONGEST_BLOCK = 4096
"""Longer blocks are taken in pieces, so that memory stays bounded."""
BIN_ROWS = 10
"""Rows of a bin of the trend and drift tests, at the usual distance of rows."""
KEY_KINDS = frozenset({"flow", "temperature", "pressure", "level"})


class Monitor:
    """Data quality, alerts and steadiness of one plant. Not thread-safe: one owner calls it.

    Args:
        plant: The tags with their limits.
        settings: Detectors and delays.

    Attributes:
        alerts: The alert book.
        fitted: Whether normal operation was learned. Until then limits and quality are watched, and
            the first ``settings.training_rows`` rows are collected to learn from.

    Raises:
        ConfigurationError: the plant has no tags.
    """

    def __init__(self, plant: Plant, settings: MonitoringSettings) -> None:
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
        self._limits = LimitWatch(self._tags, settings.limit_on_delay, settings.limit_off_delay)
        self._trail = SampleTrail(len(self._tags))
        self._learned: _Learned | None = None
        self._collected: list[SampleBlock] = []
        self._layout: tuple[str, ...] = ()
        self._source: IntArray = np.zeros(0, dtype=np.int64)
        self._target: IntArray = np.zeros(0, dtype=np.int64)
        self._time = np.iinfo(np.int64).min

    def fit(self, block: SampleBlock) -> None:
        """Learn normal operation from rows of it; the alert book is kept.

        Raises:
            InsufficientDataError: fewer than 20 rows.
        """
        self._learn(self._aligned(block))

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
            events.extend(self._take(block.rows(0, rows)))
            block = block.rows(rows, len(block))
        return events

    def quality(self, at: datetime | None = None) -> QualityReport:
        """Fitness of the data after the last row; with ``at``, staleness as of that time."""
        return self._quality.report(at)

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
        frozen = self._quality.step(rows)
        learned = self._learned
        if learned is None:
            changes = self._limits.step(rows, np.where(rows.present, rows.last, np.nan))
        else:
            held = rows.held(learned.baseline.hold)
            changes = [
                *self._limits.step(rows, held),
                *learned.frozen.step(rows, frozen),
                *learned.step(times, held),
            ]
        events: list[AlertEvent] = []
        if changes:
            changes.sort(key=lambda item: item[0])
            for _, change in changes:
                events.extend(self.alerts.apply(change))
        events.extend(self.alerts.tick(moment(self._time)))
        if learned is None:
            self._collect(block)
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
        self._learn(whole)

    def _learn(self, block: SampleBlock) -> None:
        rows = training_rows(block)
        baseline = learn(rows, self._tags)
        self._learned = _Learned(self.plant, self.settings, baseline, rows)
        self._quality.learn(baseline)
        self._collected = []
        self.fitted = True
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


class _Learned:
    """The detectors that need to know normal operation."""

    def __init__(
        self, plant: Plant, settings: MonitoringSettings, baseline: Baseline, rows: Rows
    ) -> None:
        self.baseline = baseline
        self.frozen = FrozenWatch(plant.tags)
        z = baseline.scaled(rows.held(baseline.hold))
        self._key = _key_columns(plant, baseline)
        self._key_names = [plant.tags[j].name for j in self._key]
        self._ratio = RatioTest(len(self._key))
        self._ratio.learn(z[:, self._key])
        width = max(1, round(BIN_ROWS * baseline.row_seconds * 1e6))
        self._bins = RowBins(width, len(plant.tags), trends.BINS)
        self._trends = trends.TrendWatch(
            plant.tags, baseline, settings.false_alarm_rate, width * 1e-6
        )
        self._parts: list[tuple[IntArray, AnomalyWatch, DriftWatch]] = []
        self.names: list[str] = []
        parts = parts_of(plant.tags, baseline)
        for part in parts:
            try:
                self._model(plant, part, z[:, part.columns], rows.times, settings, len(parts))
            except InsufficientDataError as error:
                log.warning("monitor.no_multivariate_model", part=part.name, reason=str(error))

    def _model(
        self,
        plant: Plant,
        part: Part,
        z: FloatArray,
        times: IntArray,
        settings: MonitoringSettings,
        parts: int,
    ) -> None:
        tags = [plant.tags[j] for j in part.columns]
        model = fit_model(z, times, self.baseline, settings, share=ALERT_SHARE / parts)
        watch = AnomalyWatch(
            tags,
            model,
            settings.on_delay,
            settings.off_delay,
            part=part.name,
            signatures=plant.signatures,
            also_static=True,
        )
        normal = np.where(model.components.kept[:, None], z, np.nan)
        bins = [mean for _, mean in RowBins(self._bins.width, z.shape[1], 0).step(times, normal)]
        drift = DriftWatch(
            tags,
            model.components,
            normal,
            np.array(bins).reshape(-1, z.shape[1]),
            settings.false_alarm_rate / parts,
        )
        self._parts.append((part.columns, watch, drift))
        self.names.extend(tag.name for tag in tags)

    def step(self, times: IntArray, held: FloatArray) -> list[tuple[int, Change]]:
        """Take in rows of all tags; returns (row, change), in order of detectors."""
        z = self.baseline.scaled(held)
        self._ratio.step(z[:, self._key])
        changes: list[tuple[int, Change]] = []
        opened = []
        for columns, watch, _ in self._parts:
            found, explained = watch.step(times, z[:, columns])
            changes.extend(found)
            opened.append(explained)
        anywhere = np.any(opened, axis=0) if opened else np.zeros(len(times), dtype=np.bool_)
        for row, mean in self._bins.step(times, np.clip(z, -100.0, 100.0)):
            at = int(times[row])
            trends_found = self._trends.step(at, mean, bool(anywhere[row]))
            changes.extend((row, change) for change in trends_found)
            for (columns, watch, drift), explained in zip(self._parts, opened, strict=True):
                drifts = drift.step(at, mean[columns], bool(explained[row]), watch.leader_at(row))
                changes.extend((row, change) for change in drifts)
        return changes

    def steadiness(self) -> Steadiness | None:
        """Which key tags are steady."""
        ratio = self._ratio.ratio()
        told = np.isfinite(ratio)
        if not told.any():
            return None
        steady = told & (ratio <= self._ratio.critical)
        return Steadiness(
            share=float(steady.sum() / told.sum()),
            steady=tuple(self._key_names[j] for j in np.flatnonzero(steady)),
            moving=tuple(self._key_names[j] for j in np.flatnonzero(told & ~steady)),
        )


def _key_columns(plant: Plant, baseline: Baseline) -> IntArray:
    """Key tags of the steady-state test: those named, else flows, temperatures, pressures and levels,
    else every tag that varies and is sampled with the rows."""
    if plant.mode.key_tags:
        wanted = {plant.tag(name).name for name in plant.mode.key_tags}
        return np.array([j for j, tag in enumerate(plant.tags) if tag.name in wanted], np.int64)
    usual = [
        j for j, tag in enumerate(plant.tags) if tag.kind in KEY_KINDS and not baseline.held[j]
    ]
    if usual:
        return np.array(usual, dtype=np.int64)
    return np.flatnonzero(baseline.varies & ~baseline.held)
