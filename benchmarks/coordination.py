"""Overhead of a durable call over the plain call of the same handler in the same kind of worker.

Plain is the worker pool alone. Accepted is until the job is stored and the caller is answered.
Durable is from the request until the outcome is stored. The three are interleaved call by call, so
that all meet the same machine.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from orchestrator.clock import SystemClock
from orchestrator.config import Settings
from orchestrator.core.events import EventBus
from orchestrator.core.home import Home
from orchestrator.core.module_coordinator import ModuleCoordinator
from orchestrator.core.worker_messages import Task
from orchestrator.core.workers import WorkerPool
from orchestrator.modules.base import (
    Module,
    Operation,
    OperationContext,
    OperationInput,
    OperationResult,
)
from orchestrator.modules.registry import Registry
from orchestrator.plant.historian import Historian
from orchestrator.plant.tags import Plant
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store

CALLS = 300
WARM_UP = 20
BUDGET_MS = 25.0


def nothing(_parameters: OperationInput, _context: OperationContext) -> OperationResult:
    """Do nothing, so that only the overhead is left."""
    return OperationResult(summary="nothing was done")


OPERATION = Operation(
    module="benchmark",
    name="nothing",
    summary="Does nothing.",
    input_model=OperationInput,
    output_model=OperationResult,
    handler="benchmarks.coordination:nothing",
)
MODULE = Module(name="benchmark", summary="", operations=(OPERATION,))


def run() -> dict[str, Any]:
    """The figures, in ms."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory(prefix="dan-g-bench-") as folder:
        plain, accepted, durable = asyncio.run(_measure(Path(folder)))
    extra = [whole - bare for whole, bare in zip(durable, plain, strict=True)]
    return {
        "calls": CALLS,
        "plain call in a worker, median ms": _median(plain),
        "accepted (job stored, caller answered), median ms": _median(accepted),
        "accepted, p99 ms": _p99(accepted),
        "durable call until its outcome is stored, median ms": _median(durable),
        "durable over plain, ratio of medians": _median(durable) / _median(plain),
        "durable minus plain, median ms": _median(extra),
        "durable minus plain, p99 ms": _p99(extra),
        "budget for the median of durable minus plain, ms": BUDGET_MS,
        "within budget": _median(extra) < BUDGET_MS,
    }


async def _measure(folder: Path) -> tuple[list[float], list[float], list[float]]:
    home = Home.take(folder)
    database = await Database.open(None, home.path)
    await database.migrate()
    store = Store(database)
    historian = Historian(None)
    settings = Settings()
    coordinator = ModuleCoordinator(
        settings, Registry([MODULE]), store, historian, Plant(), SystemClock(), home, EventBus()
    )
    pool = WorkerPool(1, memory_mb=settings.coordination.worker_memory_mb)
    pool.start()
    try:
        await coordinator.start()
        plain: list[float] = []
        accepted: list[float] = []
        durable: list[float] = []
        plant = Plant()
        for number in range(WARM_UP + CALLS):
            started = time.perf_counter()
            task = Task(f"plain-{number}", OPERATION, {}, datetime.now(UTC))
            await pool.run(task, plant, timeout_s=60)
            between = time.perf_counter()
            job = await coordinator.invoke("benchmark", "nothing", {})
            answered = time.perf_counter()
            outcome = await coordinator.wait(job.id, 60)
            ended = time.perf_counter()
            if outcome.status != "succeeded":
                raise RuntimeError(f"a call ended {outcome.status}: {outcome.error}")
            if number >= WARM_UP:
                plain.append(1e3 * (between - started))
                accepted.append(1e3 * (answered - between))
                durable.append(1e3 * (ended - between))
    finally:
        await coordinator.stop()
        await pool.stop()
        await store.close()
        await database.close()
        historian.close()
        home.release()
    return plain, accepted, durable


def _median(values: list[float]) -> float:
    return statistics.median(values)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]
