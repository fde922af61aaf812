"""A worker process: takes operations from its owner one by one, runs them, answers.

Started as ``python -m orchestrator.core.worker_process FD`` on one end of a socket pair, so that
nothing of the owner (threads, locks, event loop, open databases) leaks into it. The messages are
those of :mod:`orchestrator.core.worker_messages`. The end of the socket is the end of the worker.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.core.resources import resident_mb
from orchestrator.core.worker_messages import HEADER, Begun, Hello, Reply, Report, Task, frame
from orchestrator.errors import DanGError, OperationError, ParameterError, WorkerLostError
from orchestrator.field_errors import field_errors, in_words
from orchestrator.lean_arrow import keep_pandas_out
from orchestrator.modules.base import Operation, OperationContext, OperationResult
from orchestrator.plant.tags import Plant

NICENESS = 10
PROGRESS_EVERY_S = 0.1
COLLECT_AFTER_S = 0.5
"""A run this long may leave much behind; collecting after each short one would cost more than it."""
RESULT_LIMIT_BYTES = 32 * 1024 * 1024
OWNER_CHECK_S = 1.0
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> None:
    """Serve until the owner closes the socket or is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_owner(int(sys.argv[2]))
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with channel, channel.makefile("rb") as stream:
        _serve(channel, stream)


def _serve(channel: socket.socket, stream: io.BufferedReader) -> None:
    sending = threading.Lock()

    def send(message: object) -> None:
        with sending:
            channel.sendall(frame(message))

    plant = Plant()
    while (message := _receive(stream)) is not None:
        if isinstance(message, Hello):
            sys.path[:] = message.sys_path
            send(message)
            _warm_up()
        elif isinstance(message, Plant):
            plant = message
        elif isinstance(message, Task):
            send(Begun())
            reply = _run(message, plant, send)
            send(reply)
            if isinstance(reply.error, WorkerLostError):
                return
            if reply.seconds > COLLECT_AFTER_S:
                del message, reply
                gc.collect()  # while nobody waits, most likely


def _receive(stream: io.BufferedReader) -> Any:
    try:
        header = stream.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        return pickle.loads(stream.read(*HEADER.unpack(header)))  # noqa: S301  from the owner
    except (EOFError, ConnectionError):
        return None


def _warm_up() -> None:
    """Import what nearly every operation needs, while nobody waits."""
    with contextlib.suppress(ImportError):
        import numpy  # noqa: F401, ICN001
        import pyarrow as pa

        keep_pandas_out()
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
    gc.freeze()  # what was imported so far stays: leave it out of every collection


def _run(task: Task, plant: Plant, send: Callable[[object], None]) -> Reply:
    started = time.perf_counter()
    result, error, trace = None, None, None
    try:
        result = _call(task, plant, send)
    except DanGError as raised:
        error = raised
        error.where = error.where or task.operation.full_name
    except MemoryError:
        error = WorkerLostError("memory ran out", where=task.operation.full_name)
    except BaseException as raised:  # noqa: BLE001  whatever a handler raises ends in an outcome
        error = OperationError(
            f"{type(raised).__name__}: {raised}",
            where=task.operation.full_name,
            remedy="the log of the service has the trace",
        )
        trace = traceback.format_exc()
    return Reply(result, error, time.perf_counter() - started, resident_mb(), trace)


def _call(task: Task, plant: Plant, send: Callable[[object], None]) -> str:
    operation = task.operation
    try:
        parameters = operation.input_model.model_validate(task.parameters)
    except ValidationError as invalid:
        found = field_errors(invalid.errors(), task.parameters)
        raise ParameterError.of_fields(found, where=operation.full_name) from invalid
    handler = operation.load_handler()
    if task.scratch is not None:
        task.scratch.mkdir(parents=True, exist_ok=True)
    context = OperationContext(
        now=task.now,
        plant=plant,
        data_file=task.data_file,
        data_given=task.data_given,
        settings=task.settings,
        write_list=task.write_list,
        scratch=task.scratch,
        folder=task.folder,
        seed=task.seed,
        progress=_throttled(send),
    )
    try:
        text = _as_json(operation, handler(parameters, context))
    finally:
        if task.scratch is not None:
            with contextlib.suppress(OSError):
                task.scratch.rmdir()  # stays where an artefact was left in it
    return text


def _as_json(operation: Operation, result: object) -> str:
    """The result as JSON text, after it was held against the operation's output model."""
    expected: type[OperationResult] = operation.output_model
    if not isinstance(result, expected):
        if not isinstance(result, BaseModel | dict):
            raise OperationError(
                f"the handler returned {type(result).__name__}, not {expected.__name__}",
                where=operation.full_name,
                remedy="return the operation's output model",
            )
        values = result.model_dump() if isinstance(result, BaseModel) else result
        try:
            result = expected.model_validate(values)
        except ValidationError as invalid:
            found = in_words(field_errors(invalid.errors(), values))
            raise OperationError(
                f"the result does not fit {expected.__name__}: {found}",
                where=operation.full_name,
            ) from invalid
    try:
        text = result.model_dump_json()
    except (ValueError, TypeError) as unfit:  # PydanticSerializationError is a ValueError
        raise OperationError(
            f"the result cannot be written as JSON: {unfit}", where=operation.full_name
        ) from unfit
    if len(text) > RESULT_LIMIT_BYTES:
        raise OperationError(
            f"the result has {len(text) / 1e6:.0f} MB, more than {RESULT_LIMIT_BYTES / 1e6:.0f}",
            where=operation.full_name,
            remedy="leave bulk data in the scratch folder and return what it says",
        )
    return text


def _throttled(send: Callable[[object], None]) -> Callable[[float, str], None]:
    last = -1.0

    def progress(share: float, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_EVERY_S or share >= 1:
            last = now
            send(Report(min(1.0, max(0.0, float(share))), str(message)[:500]))

    return progress


def _end_with_owner(owner: int) -> None:
    """Make sure that this process does not outlive its owner, even one that was killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(OWNER_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
