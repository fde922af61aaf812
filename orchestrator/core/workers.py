"""A pool of worker processes in which a hung, cancelled or oversized task can be stopped at once.

Each worker has a socket of its own, so that killing one at any instant cannot leave a shared lock
or a half-written message behind for the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog

import orchestrator
from orchestrator.core.worker_messages import HEADER, Begun, Hello, Reply, Report, Task, frame
from orchestrator.errors import DanGError, OperationTimedOutError, WorkerLostError
from orchestrator.plant.tags import Plant
from orchestrator.threads import ONE_THREAD

log = structlog.get_logger(__name__)

START_TIMEOUT_S = 60.0
TASKS_PER_WORKER = 500

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Completion:
    """The result of a task as JSON text, and how long the operation itself took, s."""

    result: str
    seconds: float


class WorkerPool:
    """``size`` worker processes, each running one task at a time.

    Args:
        size: Number of processes.
        memory_mb: Resident memory after which a worker is replaced once its task has ended.
        tasks_per_worker: Tasks after which a worker is replaced.
    """

    def __init__(
        self, size: int, *, memory_mb: float, tasks_per_worker: int = TASKS_PER_WORKER
    ) -> None:
        self._memory_mb = memory_mb
        self._tasks_per_worker = tasks_per_worker
        self._slots = [_Slot() for _ in range(size)]
        self._idle = list(self._slots)
        self._free = asyncio.Semaphore(size)
        self._stopped = False

    @property
    def size(self) -> int:
        """Number of worker processes."""
        return len(self._slots)

    @property
    def process_ids(self) -> list[int]:
        """Ids of the live worker processes."""
        return [slot.worker.pid for slot in self._slots if slot.worker and slot.worker.alive]

    def start(self) -> None:
        """Start the processes ahead of tasks; does not wait for them.

        Without it each starts when a task first needs it.
        """
        for slot in self._slots:
            slot.renew()

    async def ready(self) -> None:
        """Wait until every worker takes tasks.

        Raises:
            WorkerLostError: one cannot be started.
        """
        for slot in self._slots:
            await slot.take()

    async def run(
        self, task: Task, plant: Plant, *, timeout_s: float, on_progress: OnProgress | None = None
    ) -> Completion:
        """Run a task; cancelling this call, like its time-out, kills the worker that runs it.

        Raises:
            OperationTimedOutError: it ran longer than ``timeout_s``.
            WorkerLostError: the process died, ran out of memory or cannot be started.
            DanGError: what the operation raised.
        """
        async with self._free:
            slot = self._best_slot(task.operation.module)
            self._idle.remove(slot)
            finished = False
            try:
                worker = await slot.take()
                try:
                    if not await worker.begins(task, plant):
                        await slot.discard()  # it died while idle
                        worker = await slot.take()
                        await worker.begins(task, plant)
                    async with asyncio.timeout(timeout_s):
                        reply = await worker.answer(on_progress)
                except TimeoutError:
                    raise OperationTimedOutError(
                        f"stopped after {timeout_s:g} s",
                        where=task.operation.full_name,
                        remedy=f"raise modules.{task.operation.module}.timeout or ask for less",
                    ) from None
                finished = not isinstance(reply.error, WorkerLostError)
            finally:
                if not finished or self._worn(slot):
                    await slot.discard()
                    if not self._stopped:
                        slot.renew()
                self._idle.append(slot)
        return self._completed(task, reply)

    async def stop(self) -> None:
        """Kill every worker, whatever it runs."""
        self._stopped = True
        await asyncio.gather(*(slot.discard() for slot in self._slots))

    def _best_slot(self, module: str) -> _Slot:
        """An idle worker that ran this module before has its libraries imported already."""
        return next(
            (slot for slot in reversed(self._idle) if module in slot.modules), self._idle[-1]
        )

    def _worn(self, slot: _Slot) -> bool:
        worker = slot.worker
        return worker is not None and (
            worker.tasks_done >= self._tasks_per_worker
            or (worker.memory_mb or 0.0) > self._memory_mb
        )

    def _completed(self, task: Task, reply: Reply) -> Completion:
        if reply.error is not None:
            if reply.traceback:
                log.error(
                    "operation raised",
                    operation=task.operation.full_name,
                    job_id=task.job_id,
                    trace=reply.traceback,
                )
            raise reply.error
        return Completion(reply.result or "null", reply.seconds)


class _Slot:
    """A place in the pool: a worker, or one that is being started."""

    def __init__(self) -> None:
        self.worker: _Worker | None = None
        self._starting: asyncio.Task[_Worker] | None = None

    @property
    def modules(self) -> set[str]:
        return self.worker.modules if self.worker else set()

    def renew(self) -> None:
        """Start a worker in the background."""
        self._starting = asyncio.create_task(self._start())
        self._starting.add_done_callback(_retrieve)

    async def take(self) -> _Worker:
        """The live worker of this slot, started anew where it died while idle."""
        if self.worker is None or not self.worker.alive:
            if self.worker is not None:
                await self.discard()
            if self._starting is None or self._starting.done():
                self.renew()
            assert self._starting is not None
            return await asyncio.shield(self._starting)
        return self.worker

    async def discard(self) -> None:
        """End the worker, also one that is being started."""
        starting, self._starting = self._starting, None
        if starting is not None and not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, DanGError):
                await starting
        worker, self.worker = self.worker, None
        if worker is not None:
            await worker.kill()

    async def _start(self) -> _Worker:
        self.worker = await _Worker.start()
        return self.worker


class _Worker:
    """One process and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._plant: Plant | None = None
        self.pid = process.pid
        self.modules: set[str] = set()
        self.tasks_done = 0
        self.memory_mb: float | None = None

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._reader.at_eof()

    @classmethod
    async def start(cls) -> Self:
        """Start a process and wait until it answers.

        Raises:
            WorkerLostError: it does not answer.
        """
        # Not to be interrupted half-way, or a process would be left that nobody knows of.
        creating = asyncio.create_task(cls._create())
        try:
            worker = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await (await creating).kill()
            raise
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await worker.greet()
        except BaseException as error:
            await worker.kill()
            if isinstance(error, TimeoutError | WorkerLostError):
                raise WorkerLostError(
                    "a worker process does not start",
                    remedy="the log of the service has its messages; dan-g doctor checks the rest",
                ) from error
            raise
        return worker

    @classmethod
    async def _create(cls) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    "orchestrator.core.worker_process",
                    str(theirs.fileno()),
                    str(os.getpid()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=2,
                    pass_fds=(theirs.fileno(),),
                    env=_environment(),
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise WorkerLostError(f"a worker process cannot be started: {error}") from error
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def greet(self) -> None:
        """Tell the process where to import from, and wait until it answers."""
        await self._send(Hello(tuple(sys.path)))
        await self._receive()

    async def begins(self, task: Task, plant: Plant) -> bool:
        """Hand over a task; false where the process died, or hung, before it began."""
        self.modules.add(task.operation.module)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                if self._plant is not plant:
                    await self._send(plant)
                    self._plant = plant
                await self._send(task)
                return isinstance(await self._receive(), Begun)
        except (WorkerLostError, TimeoutError):
            return False

    async def answer(self, on_progress: OnProgress | None) -> Reply:
        """Wait for the end of the task."""
        while True:
            message = await self._receive()
            if isinstance(message, Report):
                if on_progress is not None:
                    on_progress(message.share, message.message)
            elif isinstance(message, Reply):
                self.tasks_done += 1
                self.memory_mb = message.memory_mb
                return message

    async def kill(self) -> None:
        """End the process and all that it started; safe to call twice."""
        self._writer.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await asyncio.shield(self._process.wait())
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _send(self, message: object) -> None:
        try:
            self._writer.write(frame(message))
            await self._writer.drain()
        except OSError as error:
            raise await self._lost() from error

    async def _receive(self) -> Any:
        ended = asyncio.ensure_future(self._process.wait())
        reading = asyncio.ensure_future(self._read())
        try:
            # The process may end while something that it started keeps the socket open.
            await asyncio.wait({ended, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait({reading}, timeout=0.1)
            if not reading.done():
                raise await self._lost()
            return reading.result()
        except (asyncio.IncompleteReadError, OSError) as error:
            raise await self._lost() from error
        finally:
            for waiting in (ended, reading):
                waiting.cancel()
            await asyncio.gather(ended, reading, return_exceptions=True)

    async def _read(self) -> Any:
        length = HEADER.unpack(await self._reader.readexactly(HEADER.size))[0]
        return pickle.loads(await self._reader.readexactly(length))  # noqa: S301  our own process

    async def _lost(self) -> WorkerLostError:
        await self.kill()
        code = self._process.returncode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        return WorkerLostError(
            f"the worker process {self.pid} ended {how}",
            why="the operation did not finish",
            remedy="it may have run out of memory: see coordination.worker_memory_mb",
        )


def _environment() -> dict[str, str]:
    # Parallelism comes from the number of workers; libraries that start threads beside it slow all.
    package = str(Path(orchestrator.__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    paths = os.pathsep.join([package, inherited] if inherited else [package])
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": paths}


def _retrieve(task: asyncio.Task[_Worker]) -> None:
    """An error that nobody awaits is met again by whoever takes the slot."""
    if not task.cancelled():
        task.exception()
