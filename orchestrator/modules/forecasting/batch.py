"""Forecasts of many targets of one file: on the cores of this machine, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Literal

import numpy as np

from orchestrator.errors import WorkerLostError
from orchestrator.modules.forecasting.candidates import Models
from orchestrator.modules.forecasting.chunks import (
    Chunk,
    Common,
    TargetForecast,
    chunks_of,
    forecast_chunk,
)
from orchestrator.modules.forecasting.series import Plan
from orchestrator.modules.frames import Frame
from orchestrator.threads import ONE_THREAD

Engine = Literal["local", "ray"]
AHEAD = 2
"""Chunks handed out a process: one at work and one waiting, so that memory stays bounded."""


def forecast_all(
    frame: Frame,
    targets: Sequence[str],
    grid: Plan,
    *,
    jobs: int | None,
    seed: int = 0,
    models: Models = "full",
    known_future: Sequence[str] = (),
    engine: Engine = "local",
    ray_address: str | None = None,
) -> Iterator[TargetForecast]:
    """Forecast each target, as they get done, in processes that live for the whole run.

    The result of a target depends neither on ``jobs`` nor on ``engine``.

    Args:
        frame: Rows by ascending time.
        targets: Columns to forecast, each once.
        grid: Period and steps ahead.
        jobs: Processes at a time; all cores (of the cluster) when ``None``.
        seed: Seed of everything random.
        models: Which models compete; ``fast`` for thousands of targets.
        known_future: Columns known ahead, with rows after the last value of the targets.
        engine: ``local``, or ``ray``.
        ray_address: ``host:port`` of a Ray cluster; one is started on this machine when ``None``.

    Raises:
        UnknownTagError: a target is not in the data.
        WorkerLostError: a process died.
        ConfigurationError: Ray is not installed.
        UnavailableError: the Ray cluster does not answer.
    """
    for target in targets:
        frame.column(target)
    names = tuple(known_future)
    known = (
        Frame(frame.times, names, np.column_stack([frame.column(name) for name in names]))
        if names
        else None
    )
    common = Common(frame.times, grid, seed, models, known)
    if engine == "ray":
        from orchestrator.modules.forecasting.ray_engine import run_on_ray

        yield from run_on_ray(
            common, lambda count: chunks_of(frame, targets, count), jobs=jobs, address=ray_address
        )
        return
    jobs = min(jobs or os.cpu_count() or 1, len(targets))
    if jobs == 1:
        for target in targets:
            yield from forecast_chunk(common, Chunk((target,), frame.column(target)[:, None]))
        return
    yield from _on_processes(common, chunks_of(frame, targets, jobs), jobs)


def _on_processes(common: Common, chunks: Iterator[Chunk], jobs: int) -> Iterator[TargetForecast]:
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_keep, initargs=(common,)
        ) as pool,
    ):
        waiting: set[Future[list[TargetForecast]]] = set()
        try:
            while True:
                free = AHEAD * jobs - len(waiting)
                waiting |= {pool.submit(_forecast_kept, chunk) for chunk in islice(chunks, free)}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        except BrokenProcessPool as error:
            raise WorkerLostError(
                "a forecasting process died",
                why="usually for lack of memory",
                remedy="try again with fewer --jobs",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Numerical libraries read these when a new process imports them."""
    kept = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_common: Common | None = None
"""In a process of the pool: what its targets share."""


def _keep(common: Common) -> None:
    global _common  # noqa: PLW0603  sent once a process instead of once a chunk
    _common = common


def _forecast_kept(chunk: Chunk) -> list[TargetForecast]:
    if _common is None:
        raise RuntimeError("the process was started without what the targets share")
    return forecast_chunk(_common, chunk)
