"""Forecasts of many targets as Ray tasks: a cluster, or a Ray started on this machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from orchestrator.errors import (
    ConfigurationError,
    OperationTimedOutError,
    ParameterError,
    UnavailableError,
    WorkerLostError,
)
from orchestrator.modules.forecasting.chunks import Chunk, Common, TargetForecast, forecast_chunk
from orchestrator.threads import ONE_THREAD

CONNECT_SECONDS = 5.0
CHUNK_SECONDS = 1800.0
FETCH_SECONDS = 60.0
RETRIES = 2
AHEAD = 2
"""Chunks handed out a core: one at work and one waiting, so that memory stays bounded."""


def run_on_ray(
    common: Common,
    chunks: Callable[[int], Iterator[Chunk]],
    *,
    jobs: int | None,
    address: str | None,
) -> Iterator[TargetForecast]:
    """Forecast chunk after chunk as Ray tasks of one core each, as they get done.

    What all targets share is put into Ray's object store once; a chunk carries only its own columns.

    Args:
        common: What all targets share.
        chunks: Gives the chunks for a number of processes.
        jobs: Tasks at a time; all cores of the cluster when ``None``.
        address: ``host:port`` or ``ray://host:port`` of a cluster; ``None`` starts Ray here.

    Raises:
        ConfigurationError: Ray is not installed.
        ParameterError: the address is none.
        UnavailableError: the cluster does not answer.
        WorkerLostError: a task died more often than it is tried again.
        OperationTimedOutError: no chunk got done in half an hour.
    """
    ray = _library()
    with _connected(ray, jobs, address):
        cores = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
        shared = ray.put(common)
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(forecast_chunk)
        left = chunks(cores)
        waiting: list[Any] = []
        try:
            while True:
                free = AHEAD * cores - len(waiting)
                waiting += [task.remote(shared, chunk) for chunk in islice(left, free)]
                if not waiting:
                    return
                done, waiting = ray.wait(waiting, num_returns=1, timeout=CHUNK_SECONDS)
                if not done:
                    raise OperationTimedOutError(
                        f"no forecast got done in {CHUNK_SECONDS:g} s",
                        where="Ray",
                        remedy="look for free cores with: ray status",
                    )
                yield from ray.get(done[0], timeout=FETCH_SECONDS)
        except ray.exceptions.RayError as error:
            raise WorkerLostError(
                f"a Ray task failed ({type(error).__name__})",
                why="a node died, ran out of memory, or lacks this program",
                remedy="install the same version of dan-g on every node, or give fewer --jobs",
            ) from error
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)


def _library() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported outside
    # Ray means to hide accelerators from tasks without one only in later versions, and says so
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError(
            "Ray is not installed",
            where="--engine ray",
            remedy="install it with: pip install 'dan-g-orchestrator[ray]', or use --engine local",
        ) from error
    return ray


@contextmanager
def _connected(ray: Any, jobs: int | None, address: str | None) -> Iterator[None]:
    if ray.is_initialized():  # by the program that calls us; it stays so
        yield
        return
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": ONE_THREAD},
    }
    if address is None:
        options |= {"num_cpus": jobs, "include_dashboard": False}
    else:
        _reach(address)
        options["address"] = address
    try:
        ray.init(**options)
    except (OSError, RuntimeError, ValueError) as error:
        raise UnavailableError(
            f"Ray cannot be started or reached ({type(error).__name__}: {error})",
            where=address or "this machine",
            remedy="look at the cluster with: ray status; where it asks for a token, set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here too",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Ray itself waits for a minute, and ends the process where nothing answers."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ParameterError(
            f"{address!r} is no address",
            where="--ray-address",
            remedy="give host:port of the head node, or ray://host:10001 from outside the cluster",
        )
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UnavailableError(
            f"no Ray cluster answers ({error})",
            where=address,
            remedy="start one with: ray start --head, or leave --ray-address out to run it here",
        ) from error
