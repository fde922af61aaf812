"""The worker pool: runs tasks elsewhere, stops those that hang, and outlives those that die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import counting
import psutil
import pytest

from orchestrator.core.worker_messages import Task
from orchestrator.core.workers import WorkerPool
from orchestrator.errors import (
    DanGError,
    DataError,
    OperationError,
    OperationTimedOutError,
    WorkerLostError,
)
from orchestrator.modules.registry import Registry
from orchestrator.plant.tags import Plant

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
REGISTRY = Registry([counting.MODULE])


def task(name: str, parameters: dict[str, Any] | None = None, **more: Any) -> Task:
    operation = REGISTRY.operation("counting", name)
    return Task("job", operation, parameters or {}, NOW, **more)


async def run(pool: WorkerPool, name: str, timeout_s: float = 30, **parameters: Any) -> Any:
    completion = await pool.run(task(name, parameters), Plant(), timeout_s=timeout_s)
    return json.loads(completion.result)


async def gone(pid: int) -> bool:
    for _ in range(200):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(1, memory_mb=1000)
    made.start()
    yield made
    await made.stop()


async def test_a_task_runs_in_another_process_which_is_used_again(pool: WorkerPool) -> None:
    first, second = await run(pool, "count", amount=3), await run(pool, "count", amount=4)
    assert (first["counted"], second["counted"]) == (3, 4)
    assert first["pid"] == second["pid"] != os.getpid()


async def test_a_worker_is_niced_and_has_one_thread_and_knows_its_task(pool: WorkerPool) -> None:
    given = task("surroundings", seed=7, settings={"depth": 2})
    completion = await pool.run(given, Plant(name="north"), timeout_s=30)
    details = json.loads(completion.result)["details"]
    assert details["threads"] == "1"
    assert details["nice"] >= os.nice(0) + 10
    assert details["seed"] == 7
    assert details["now"] == NOW.isoformat()
    assert details["options"] == {"depth": 2}
    assert details["plant"] == "north"


async def test_a_changed_plant_reaches_a_warm_worker(pool: WorkerPool) -> None:
    for name in ("north", "south"):
        completion = await pool.run(task("surroundings"), Plant(name=name), timeout_s=30)
        assert json.loads(completion.result)["details"]["plant"] == name


async def test_an_operations_words_stay_off_our_standard_output() -> None:
    code = """
        import asyncio, sys
        sys.path.insert(0, sys.argv[1])
        import counting
        from datetime import UTC, datetime
        from orchestrator.core.worker_messages import Task
        from orchestrator.core.workers import WorkerPool
        from orchestrator.plant.tags import Plant
        operation = next(o for o in counting.OPERATIONS if o.name == "surroundings")
        async def main():
            pool = WorkerPool(1, memory_mb=1000)
            pool.start()
            await pool.run(Task("j", operation, {}, datetime.now(UTC)), Plant(), timeout_s=30)
            await pool.stop()
        asyncio.run(main())
    """
    folder = str(Path(counting.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), folder],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    assert "words on standard output" in done.stderr


async def test_a_hung_task_is_stopped_at_its_time_out_and_the_next_one_runs(
    pool: WorkerPool, tmp_path: Path
) -> None:
    await pool.ready()
    mark = tmp_path / "mark"
    started = time.monotonic()
    with pytest.raises(OperationTimedOutError, match=r"counting\.hang: stopped after 1 s"):
        await run(pool, "hang", 1, mark=str(mark), deaf=True)
    assert 1 <= time.monotonic() - started < 3
    assert await gone(int(mark.read_text()))
    assert (await run(pool, "count"))["counted"] == 1


async def test_cancelling_the_call_kills_the_process_at_once(
    pool: WorkerPool, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    call = asyncio.create_task(run(pool, "hang", mark=str(mark)))
    while not (mark.exists() and mark.read_text()):
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await gone(int(mark.read_text()))
    assert (await run(pool, "count"))["counted"] == 1


async def test_a_process_that_dies_is_a_lost_worker_and_is_replaced(
    pool: WorkerPool, tmp_path: Path
) -> None:
    with pytest.raises(WorkerLostError, match="ended with code 3") as raised:
        await run(pool, "die", file=str(tmp_path / "runs"), fail_times=9)
    assert raised.value.retryable
    assert (await run(pool, "count"))["counted"] == 1


async def test_a_killed_process_is_a_lost_worker(pool: WorkerPool, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    call = asyncio.create_task(run(pool, "hang", mark=str(mark)))
    while not (mark.exists() and mark.read_text()):
        await asyncio.sleep(0.01)
    os.kill(int(mark.read_text()), signal.SIGKILL)
    with pytest.raises(WorkerLostError, match="by signal 9"):
        await call


async def test_memory_that_runs_out_is_a_lost_worker(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(WorkerLostError, match="memory ran out"):
        await run(pool, "exhaust", file=str(tmp_path / "runs"))
    assert (await run(pool, "count"))["counted"] == 1


async def test_a_process_killed_while_idle_is_replaced_unnoticed(pool: WorkerPool) -> None:
    pid = (await run(pool, "count"))["pid"]
    os.kill(pid, signal.SIGKILL)
    assert await gone(pid)
    assert (await run(pool, "count"))["pid"] != pid


async def test_an_error_of_ours_comes_back_whole(pool: WorkerPool) -> None:
    with pytest.raises(DataError) as raised:
        await run(pool, "refuse")
    assert (raised.value.what, raised.value.where) == ("the column is empty", "data")
    assert raised.value.remedy == "fill it"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("crash", "ZeroDivisionError: nothing to divide by"),
        ("leave", "SystemExit: 7"),
        ("wrong", 'does not fit CountResult: counted: .*"many"'),
        ("unwritable", "cannot be written as JSON"),
    ],
)
async def test_what_goes_wrong_in_a_handler_is_an_error_that_names_it(
    pool: WorkerPool, name: str, says: str
) -> None:
    with pytest.raises(OperationError, match=says) as raised:
        await run(pool, name)
    assert str(raised.value).startswith(f"counting.{name}")
    assert (await run(pool, "count"))["counted"] == 1


async def test_a_handler_that_is_not_there_is_an_error_that_names_it(pool: WorkerPool) -> None:
    from dataclasses import replace

    missing = replace(REGISTRY.operation("counting", "count"), handler="counting:nowhere")
    with pytest.raises(OperationError, match="'counting:nowhere' cannot be imported"):
        await pool.run(Task("job", missing, {}, NOW), Plant(), timeout_s=30)


async def test_a_worker_over_its_memory_is_replaced_after_the_task() -> None:
    pool = WorkerPool(1, memory_mb=300)
    pool.start()
    try:
        small = await run(pool, "count")
        large = await run(pool, "hoard", amount=300)
        assert large["pid"] == small["pid"]
        assert (await run(pool, "count"))["pid"] != large["pid"]
    finally:
        await pool.stop()


async def test_a_worker_is_replaced_after_its_number_of_tasks() -> None:
    pool = WorkerPool(1, memory_mb=1000, tasks_per_worker=2)
    pool.start()
    try:
        pids = [(await run(pool, "count"))["pid"] for _ in range(3)]
    finally:
        await pool.stop()
    assert pids[0] == pids[1] != pids[2]


async def test_progress_arrives_while_the_task_runs(pool: WorkerPool) -> None:
    seen: list[tuple[float, str]] = []
    await pool.run(
        task("report", {"seconds": 0.6}), Plant(), timeout_s=30,
        on_progress=lambda share, what: seen.append((share, what)),
    )  # fmt: skip
    assert seen[-1] == (1.0, "step 10")
    assert 3 <= len(seen) <= 10
    assert seen == sorted(seen)


async def test_a_worker_starts_when_a_task_first_needs_it_and_the_next_one_uses_it() -> None:
    pool = WorkerPool(2, memory_mb=1000)
    try:
        assert pool.process_ids == []
        pids = [(await run(pool, "count"))["pid"] for _ in range(3)]
        assert pool.process_ids == pids[:1]
        assert len(set(pids)) == 1
    finally:
        await pool.stop()


async def test_tasks_run_side_by_side(tmp_path: Path) -> None:
    pool = WorkerPool(2, memory_mb=1000)
    pool.start()
    try:
        await pool.ready()
        started = time.monotonic()
        both = await asyncio.gather(*(run(pool, "count", seconds=1.0) for _ in range(2)))
        assert time.monotonic() - started < 1.9
    finally:
        await pool.stop()
    assert both[0]["pid"] != both[1]["pid"]


async def test_stop_is_quick_and_leaves_no_process(tmp_path: Path) -> None:
    pool = WorkerPool(2, memory_mb=1000)
    pool.start()
    await pool.ready()
    pids = pool.process_ids
    call = asyncio.create_task(run(pool, "hang", mark=str(tmp_path / "mark")))
    while not (tmp_path / "mark").exists():
        await asyncio.sleep(0.01)
    started = time.monotonic()
    await pool.stop()
    assert time.monotonic() - started < 2
    with pytest.raises(DanGError):
        await call
    assert len(pids) == 2
    assert all([await gone(pid) for pid in pids])


def test_workers_do_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    code = """
        import asyncio, sys
        from orchestrator.core.workers import WorkerPool
        async def main():
            pool = WorkerPool(2, memory_mb=1000)
            pool.start()
            await pool.ready()
            print(*pool.process_ids, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    with owner, owner.stdout:
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        owner.kill()
    assert len(pids) == 2
    _, alive = psutil.wait_procs([psutil.Process(p) for p in pids if psutil.pid_exists(p)], 5)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
