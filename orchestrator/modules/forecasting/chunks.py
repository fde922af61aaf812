"""A few targets of one file at a time: what a process or a cluster node is sent, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError
from orchestrator.modules.forecasting.candidates import Models
from orchestrator.modules.forecasting.forecast import physical_bounds, points_of, score
from orchestrator.modules.forecasting.inputs import with_inputs
from orchestrator.modules.forecasting.models import ForecastPoint, ModelScore
from orchestrator.modules.forecasting.selection import select
from orchestrator.modules.forecasting.series import Plan, history
from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Plant

MAX_TARGETS = 16
"""Targets in a chunk, so that the progress still moves."""
CHUNKS_PER_PROCESS = 8
"""At least so many chunks a process, so that all end at about the same time."""


@dataclass(frozen=True, slots=True)
class Common:
    """What all targets share; it is sent once to each process.

    Attributes:
        times: Times of the rows, UTC, ``(rows,)``.
        grid: Period and steps ahead.
        seed: Seed of everything random.
        models: Which models compete.
        known: Columns known ahead, on the same rows, if any.
    """

    times: NDArray[np.datetime64]
    grid: Plan
    seed: int
    models: Models = "full"
    known: Frame | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some targets and only their columns, ``(rows, targets)``."""

    targets: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TargetForecast:
    """What was found for one target: a forecast, or ``error``."""

    target: str
    points: tuple[ForecastPoint, ...] = ()
    score: ModelScore | None = None
    error: DanGError | None = None


def chunks_of(frame: Frame, targets: Sequence[str], processes: int) -> Iterator[Chunk]:
    """Cut the targets into chunks, one at a time, so that the columns are never all there twice."""
    size = max(1, min(MAX_TARGETS, len(targets) // (CHUNKS_PER_PROCESS * processes)))
    for first in range(0, len(targets), size):
        names = tuple(targets[first : first + size])
        yield Chunk(names, np.column_stack([frame.column(name) for name in names]))


def forecast_chunk(common: Common, chunk: Chunk) -> list[TargetForecast]:
    """Forecast each target of a chunk; the same function on every engine."""
    frame = Frame(common.times, chunk.targets, chunk.values)
    return [_forecast(frame, target, common) for target in chunk.targets]


def _forecast(frame: Frame, target: str, common: Common) -> TargetForecast:
    """Forecast one target; an error that concerns it alone is part of the result."""
    steps = common.grid.steps
    try:
        past = history(frame, target, common.grid)
        if common.known is not None:
            past = with_inputs(past, common.known, steps, common.known.names, ())
        bounds = physical_bounds(None, past.values, target)
        found = select(past, steps, common.seed, bounds=bounds, models=common.models)
    except DanGError as error:
        return TargetForecast(target, error=error)
    return TargetForecast(target, tuple(points_of(found, steps)), score(found, Plant()))
