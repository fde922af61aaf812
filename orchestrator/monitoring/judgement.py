"""One record judged against normal operation, row by row: what ``dan-g monitor`` prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.config import MonitoringSettings
from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.baseline import learn, training_rows
from orchestrator.monitoring.change_points import ChangePoints
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.fitted import LEAST_TAGS, fit_model, modelled
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.multivariate import AnomalyWatch
from orchestrator.monitoring.samples import SampleTrail
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime
from orchestrator.plant.sources.replay import ReplaySource
from orchestrator.plant.tags import Plant

DIGITS = 6
WHOLE = timedelta(days=365_000)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Statistics of a record, one entry a row.

    Attributes:
        times: Times of the rows.
        t2: Moving average of T² of the states; NaN where a row misses too many tags.
        t2_limit: Its limit.
        spe: Largest statistic of the residual, each over its limit, so that the limit is 1.
        spe_limit: Its limit.
        alarm: Whether one of them is over its limit.
        alerts: Alarms after on-delay and off-delay, as the document has them.
    """

    times: tuple[datetime, ...]
    t2: FloatArray
    t2_limit: float
    spe: FloatArray
    spe_limit: float
    alarm: BoolArray
    alerts: tuple[dict[str, Any], ...]

    def document(self) -> dict[str, Any]:
        """Ready for JSON: a row that could not be scored has null for both statistics."""
        return {
            "samples": len(self.times),
            "t2": _listed(self.t2),
            "t2_limit": self.t2_limit,
            "spe": _listed(self.spe),
            "spe_limit": self.spe_limit,
            "alarm": self.alarm.tolist(),
            "alerts": list(self.alerts),
        }


class Judge:
    """Normal operation, learned from one record, and limits for a stated false-alarm rate.

    Args:
        train: Normal operation.
        plant: The tags.
        settings: False-alarm rate and delays.
        calibrate: A second normal record to set the limits from; else they come from blocks of
            ``train`` that were left out of the fit.

    Attributes:
        names: The modelled tags.

    Raises:
        InsufficientDataError: too few rows, or fewer than two tags vary in ``train``.
    """

    def __init__(
        self,
        train: SampleBlock,
        plant: Plant,
        settings: MonitoringSettings,
        calibrate: SampleBlock | None = None,
    ) -> None:
        self._plant = plant
        self._settings = settings
        rows = training_rows(aligned(train, plant))
        self._baseline = learn(rows, plant.tags)
        self._columns = modelled(plant.tags, self._baseline)
        if len(self._columns) < LEAST_TAGS:
            raise InsufficientDataError(
                f"{len(self._columns)} tags vary from row to row; two are the least",
                where="TRAIN",
                remedy="give a record of normal operation with more tags",
            )
        self._tags = [plant.tags[j] for j in self._columns]
        self.names = tuple(tag.name for tag in self._tags)
        z = self._baseline.for_models(rows)[:, self._columns]
        self._model = fit_model(z, rows.times, self._baseline, settings)
        own = self._columns
        self._levels = ChangePoints(self._tags, self._baseline.mean[own], self._baseline.sd[own], z)
        if calibrate is not None:
            self._calibrate(aligned(calibrate, plant))

    @property
    def states(self) -> int | None:
        """States of the dynamic model, null where the rows were too few for one."""
        return None if self._model.dynamic is None else self._model.dynamic.model.states

    def judge(self, block: SampleBlock) -> Judgement:
        """Judge a record; each call begins anew.

        Raises:
            InsufficientDataError: the record has no rows.
        """
        block = aligned(block, self._plant)
        if not len(block):
            raise InsufficientDataError("the record to judge has no rows", where="TEST")
        if self._model.dynamic is not None:
            self._model.dynamic.reset()
        times, z = self._rows(block)
        judged = self._model.judge(times, z)
        watch = AnomalyWatch(
            self._tags,
            self._model,
            self._settings.on_delay,
            self._settings.off_delay,
            signatures=self._plant.signatures,
            levels=self._levels,
        )
        changes, _ = watch.follow(times, z, judged)
        t2_limit, spe_limit = self._limits()
        t2, spe = np.full(len(z), np.nan), np.full(len(z), np.nan)
        t2[judged.rows], spe[judged.rows] = judged.t2 * t2_limit, judged.spe * spe_limit
        t2, spe = _rounded(t2), _rounded(spe)
        with np.errstate(invalid="ignore"):
            alarm = (t2 > t2_limit) | (spe > spe_limit)
        return Judgement(
            times=tuple(to_datetime(time) for time in block.times),
            t2=t2,
            t2_limit=t2_limit,
            spe=spe,
            spe_limit=spe_limit,
            alarm=alarm,
            alerts=tuple(_alerts(changes)),
        )

    def _calibrate(self, block: SampleBlock) -> None:
        times, z = self._rows(block)
        rate, components = self._settings.false_alarm_rate, self._model.components
        scored = np.isfinite(components.score(z).spe)
        if scored.sum() < 20:
            raise InsufficientDataError(
                f"{int(scored.sum())} complete rows are too few to set limits from",
                where="--calibrate",
                remedy="give at least 20 rows of normal operation with the tags of TRAIN",
            )
        if self._model.dynamic is not None:
            self._model.dynamic.calibrate(components.centred(z[scored]), times[scored], rate)
        else:
            components.calibrate(z[scored], rate)

    def _rows(self, block: SampleBlock) -> tuple[IntArray, FloatArray]:
        times = block.times.astype("datetime64[us]").astype(np.int64)
        rows = SampleTrail(len(block.tags)).step(times, block.values, block.quality)
        return times, self._baseline.for_models(rows)[:, self._columns]

    def _limits(self) -> tuple[float, float]:
        if self._model.dynamic is None:
            return (
                float(_rounded(np.array([self._model.components.t2_limit]))[0]),
                float(_rounded(np.array([self._model.components.spe_limit]))[0]),
            )
        return float(_rounded(self._model.dynamic.limits[:1])[0]), 1.0


def judge_files(
    train: Path,
    test: Path,
    settings: MonitoringSettings,
    *,
    calibrate: Path | None = None,
    plant: Plant | None = None,
    time_column: str | None = None,
) -> Judgement:
    """Judge a file of plant data; see :class:`Judge`.

    Raises:
        DataError: a file cannot be read as plant data.
        UnknownTagError: the plant file names none of its columns.
        InsufficientDataError: too few rows.
    """
    source = ReplaySource(train, plant=plant, time_column=time_column)
    known = source.plant

    def read(path: Path) -> SampleBlock:
        return joined(ReplaySource(path, plant=known, time_column=time_column).blocks(WHOLE), known)

    judge = Judge(
        joined(source.blocks(WHOLE), known),
        known,
        settings,
        read(calibrate) if calibrate is not None else None,
    )
    return judge.judge(read(test))


def joined(blocks: Iterable[SampleBlock], plant: Plant) -> SampleBlock:
    """Blocks one after another, in the plant's columns."""
    parts = [aligned(block, plant) for block in blocks if len(block)]
    if not parts:
        empty = np.zeros((0, len(plant.tags)))
        return SampleBlock(
            plant.tag_names, np.zeros(0, dtype="datetime64[us]"), empty, empty.astype(np.uint8)
        )
    return SampleBlock(
        plant.tag_names,
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.quality for part in parts]),
    )


def aligned(block: SampleBlock, plant: Plant) -> SampleBlock:
    """The block in the plant's columns; other columns are left out, absent ones hold nothing."""
    if block.tags == plant.tag_names:
        return block
    column = {name: j for j, name in enumerate(block.tags)}
    values = np.full((len(block), len(plant.tags)), np.nan)
    quality = np.full(values.shape, int(Quality.NONE), dtype=np.uint8)
    for j, name in enumerate(plant.tag_names):
        if name in column:
            values[:, j] = block.values[:, column[name]]
            quality[:, j] = block.quality[:, column[name]]
    return SampleBlock(plant.tag_names, block.times, values, quality)


def _listed(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _rounded(values: FloatArray) -> FloatArray:
    """To six significant digits, so that the printed figures are those that were compared."""
    return np.array([float(f"{value:.{DIGITS}g}") for value in values], dtype=np.float64)


def _alerts(changes: Iterable[tuple[int, Change]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _, change in changes:
        if change.active:
            found.append(
                {
                    "start": _iso(change.since),
                    "end": None,
                    "severity": change.severity,
                    "contributions": [part.model_dump() for part in change.contributions],
                    "diagnosis": change.diagnosis,
                    "levels": [level.model_dump(mode="json") for level in change.levels],
                }
            )
        elif found:
            found[-1]["end"] = _iso(change.since)
    return found


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
