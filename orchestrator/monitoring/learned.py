"""The detectors that need to know normal operation, as one object that is replaced when it is learned anew."""

from __future__ import annotations

import numpy as np
import structlog

from orchestrator.config import MonitoringSettings
from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring import trends
from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.change_points import ChangePoints
from orchestrator.monitoring.constants import ConstantWatch
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.drift import DriftWatch
from orchestrator.monitoring.fitted import ALERT_SHARE, Part, fit_model, parts_of
from orchestrator.monitoring.frozen import FROZEN, StandstillWatch
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.moves import Move, MoveWatch
from orchestrator.monitoring.multivariate import AnomalyWatch
from orchestrator.monitoring.samples import RowBins, Rows
from orchestrator.monitoring.shifts import ShiftWatch
from orchestrator.monitoring.steady import RatioTest, Steadiness
from orchestrator.plant.tags import Plant

log = structlog.get_logger(__name__)

BIN_ROWS = 10
"""Rows of a bin of the trend and drift tests, at the usual distance of rows."""
KEY_KINDS = frozenset({"flow", "temperature", "pressure", "level"})


class Learned:
    """The detectors that need to know normal operation."""

    def __init__(
        self, plant: Plant, settings: MonitoringSettings, baseline: Baseline, rows: Rows
    ) -> None:
        self.baseline = baseline
        self.last_time = int(rows.times[-1])
        self.frozen = StandstillWatch(plant.tags, FROZEN)
        self._moves = MoveWatch(plant.tags, baseline)
        self._constants = ConstantWatch(plant.tags, baseline)
        z = baseline.for_models(rows)
        self._key = _key_columns(plant, baseline)
        self._key_names = [plant.tags[j].name for j in self._key]
        self._ratio = RatioTest(len(self._key))
        self._ratio.learn(z[:, self._key])
        self._key_known: BoolArray = np.zeros(len(self._key), dtype=np.bool_)
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
        covered = [int(j) for columns, _, _ in self._parts for j in columns]
        values = np.where(rows.present, rows.last, np.nan)
        self._shifts = ShiftWatch(plant.tags, baseline, covered, values)

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
            levels=ChangePoints(
                tags, self.baseline.mean[part.columns], self.baseline.sd[part.columns], z
            ),
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

    def step(self, rows: Rows, held: FloatArray) -> list[tuple[int, Change]]:
        """Take in rows of all tags, with their values that still count.

        Returns:
            (row, change), in order of detectors.
        """
        times = rows.times
        z = self.baseline.scaled(held)
        self._ratio.step(z[:, self._key])
        self._key_known = np.isfinite(z[-1, self._key])
        of_models = z if rows.present.all() else self.baseline.for_models(rows)
        changes: list[tuple[int, Change]] = []
        opened = []
        for columns, watch, _ in self._parts:
            found, explained = watch.step(times, of_models[:, columns])
            changes.extend(found)
            opened.append(explained)
        anywhere = np.any(opened, axis=0) if opened else np.zeros(len(times), dtype=np.bool_)
        fresh = rows.present & (rows.run == 1)
        changes.extend(self._shifts.step(times, z, fresh, anywhere))
        changes.extend(self._constants.step(times, held))
        for row, mean in self._bins.step(times, np.clip(z, -100.0, 100.0)):
            at = int(times[row])
            trends_found = self._trends.step(at, mean, bool(anywhere[row]))
            changes.extend((row, change) for change in trends_found)
            for (columns, watch, drift), explained in zip(self._parts, opened, strict=True):
                drifts = drift.step(at, mean[columns], bool(explained[row]), watch.leader_at(row))
                changes.extend((row, change) for change in drifts)
        return changes

    def moves(self, times: IntArray, held: FloatArray) -> list[Move]:
        """Handles that were set anew in these rows."""
        return self._moves.step(times, held)

    def steadiness(self) -> Steadiness | None:
        """Which key tags are steady."""
        ratio = self._ratio.ratio()
        told = np.isfinite(ratio) & self._key_known
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
