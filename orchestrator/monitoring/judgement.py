"""One record judged against normal operation, row by row: what ``dan-g monitor`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.config import MonitoringSettings
from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.baseline import learn, training_rows
from orchestrator.monitoring.change_points import ChangePoints
from orchestrator.monitoring.constants import ConstantWatch
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.fitted import LEAST_TAGS, fit_model, modelled
from orchestrator.monitoring.frozen import FROZEN, LOST, StandstillWatch
from orchestrator.monitoring.life_cycle import Change, Contribution
from orchestrator.monitoring.multivariate import AnomalyWatch
from orchestrator.monitoring.quality import QualityWatch
from orchestrator.monitoring.samples import SampleTrail
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime
from orchestrator.plant.sources.replay import ReplaySource
from orchestrator.plant.tags import Plant

DIGITS = 6
FEW_ROWS = 200
"""Training rows under which the stated false-alarm rate does not hold."""
LISTED = 5
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
        alerts: Alarms after on-delay and off-delay, and signals that stand still, as the document has
            them.
        warnings: What limits the judgement, in words.
    """

    times: tuple[datetime, ...]
    t2: FloatArray
    t2_limit: float
    spe: FloatArray
    spe_limit: float
    alarm: BoolArray
    alerts: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()

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
            "warnings": list(self.warnings),
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
        self._rows_learned = len(rows.times)
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
        changes += self._standing(times, block)
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
            warnings=tuple(self._warnings(block, len(z) - len(judged.rows))),
        )

    def _standing(self, times: IntArray, block: SampleBlock) -> list[tuple[int, Change]]:
        """Signals that are lost, frozen, or move for the first time: what no model sees."""
        quality = QualityWatch(self._plant.tags)
        quality.learn(self._baseline)
        rows = SampleTrail(len(block.tags)).step(times, block.values, block.quality)
        still = quality.step(rows)
        return [
            *StandstillWatch(self._plant.tags, LOST).step(times, still.lost, still.lost_since),
            *StandstillWatch(self._plant.tags, FROZEN).step(times, still.frozen, rows.run_start),
            *ConstantWatch(self._plant.tags, self._baseline).step(
                times, rows.held(self._baseline.hold)
            ),
        ]

    def _warnings(self, block: SampleBlock, unjudged: int) -> Iterator[str]:
        if self._rows_learned < FEW_ROWS:
            yield (
                f"{self._rows_learned} rows are few to learn from: more rows than stated may be over "
                f"a limit; give {FEW_ROWS} or more"
            )
        if unjudged:
            yield f"{unjudged} rows miss too many tags and were not judged: they are not known to be normal"
        present = np.asarray(np.isfinite(block.values).any(axis=0))
        never = [t.name for j, t in enumerate(self._tags) if not present[self._columns[j]]]
        if never:
            yield f"the record holds nothing of {_listing(never)}, which the models know"

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
    timezone: str = "UTC",
) -> Judgement:
    """Judge a file of plant data; see :class:`Judge`.

    Raises:
        DataError: a file cannot be read as plant data.
        UnknownTagError: the plant file names none of its columns.
        InsufficientDataError: too few rows.
    """
    source = ReplaySource(train, plant=plant, time_column=time_column, timezone=timezone)
    known = source.plant

    def read(path: Path) -> tuple[SampleBlock, list[str]]:
        record = ReplaySource(path, plant=known, time_column=time_column, timezone=timezone)
        return joined(record.blocks(WHOLE), known), record.notes

    judge = Judge(
        joined(source.blocks(WHOLE), known),
        known,
        settings,
        read(calibrate)[0] if calibrate is not None else None,
    )
    block, notes = read(test)
    judgement = judge.judge(block)
    return replace(judgement, warnings=(*notes, *judgement.warnings))


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
    open_now: dict[str, dict[str, Any]] = {}
    for _, change in sorted(changes, key=lambda item: item[0]):
        if change.active:
            open_now[change.key] = {
                "start": _iso(change.since),
                "end": None,
                "severity": change.severity,
                "contributions": [
                    part.model_dump() for part in change.contributions or _equally(change.tags)
                ],
                "diagnosis": change.diagnosis or change.message,
                "levels": [level.model_dump(mode="json") for level in change.levels],
            }
            found.append(open_now[change.key])
        elif change.key in open_now:
            open_now.pop(change.key)["end"] = _iso(change.since)
    return sorted(found, key=lambda alert: str(alert["start"]))


def _equally(tags: Sequence[str]) -> tuple[Contribution, ...]:
    """The same share of an alert to each of its tags."""
    return tuple(Contribution(tag=name, share=round(1 / len(tags), 6)) for name in tags)


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (
        f" and {len(names) - LISTED} more" if names[LISTED:] else ""
    )


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
