"""Forecasts of many targets of one file on several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError, WorkerLostError
from orchestrator.modules.forecasting.forecast import physical_bounds, points_of, score
from orchestrator.modules.forecasting.models import ForecastPoint, ModelScore
from orchestrator.modules.forecasting.selection import select
from orchestrator.modules.forecasting.series import Plan, history
from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Plant
from orchestrator.threads import ONE_THREAD

RECENT = 200


@dataclass(frozen=True, slots=True)
class TargetForecast:
    """What one process found for one target: a forecast, or ``error``.

    ``past_times`` and ``past_values`` are the newest rows of the data, for a plot.
    """

    target: str
    points: tuple[ForecastPoint, ...] = ()
    score: ModelScore | None = None
    past_times: NDArray[np.datetime64] | None = None
    past_values: NDArray[np.float64] | None = None
    error: DanGError | None = None


def forecast_all(
    frame: Frame, targets: Sequence[str], grid: Plan, *, jobs: int, seed: int = 0
) -> Iterator[TargetForecast]:
    """Forecast each target in a process of its own, ``jobs`` at a time, as they get done.

    The result of a target does not depend on ``jobs``.

    Raises:
        WorkerLostError: a process died.
    """
    parts = {target: _part(frame, target) for target in targets}
    if jobs == 1:
        for target, part in parts.items():
            yield forecast_target(part, target, grid, seed)
        return
    # numerical libraries read these when the new process imports them
    kept = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(parts)), mp_context=context) as pool:
            waiting: list[Future[TargetForecast]] = [
                pool.submit(forecast_target, part, target, grid, seed)
                for target, part in parts.items()
            ]
            for done in as_completed(waiting):
                yield done.result()
    except BrokenProcessPool as error:
        raise WorkerLostError(
            "a forecasting process died",
            why="usually for lack of memory",
            remedy="try again with fewer --jobs",
        ) from error
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def forecast_target(frame: Frame, target: str, grid: Plan, seed: int) -> TargetForecast:
    """Forecast one target; an error that concerns it alone is part of the result."""
    try:
        past = history(frame, target, grid)
        found = select(past, grid.steps, seed, bounds=physical_bounds(None, past.values))
    except DanGError as error:
        return TargetForecast(target, error=error)
    return TargetForecast(
        target=target,
        points=tuple(points_of(found, grid.steps)),
        score=score(found, Plant()),
        past_times=frame.times[-RECENT:],
        past_values=frame.column(target)[-RECENT:],
    )


def _part(frame: Frame, target: str) -> Frame:
    """Only the column that a process needs."""
    return Frame(frame.times, (target,), frame.column(target)[:, None])
