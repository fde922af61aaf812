"""A module of small operations, each of which misbehaves in its own way."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import Field

from orchestrator.errors import DataError, UnavailableError
from orchestrator.modules.base import (
    DataInput,
    Module,
    Needs,
    Operation,
    OperationContext,
    OperationInput,
    OperationResult,
)

HANDLERS = __name__


class CountInput(OperationInput):
    """``file`` collects one line a run, ``seconds`` is how long a run takes."""

    file: Path | None = None
    seconds: float = 0.0
    amount: int = 1


class CountResult(OperationResult):
    """The sum so far."""

    counted: int
    pid: int = 0
    details: dict[str, Any] = Field(default_factory=dict)


class HungInput(OperationInput):
    """``mark`` is made when the run starts."""

    mark: Path | None = None
    deaf: bool = False


class FileInput(OperationInput):
    """A file in which runs leave their trace."""

    file: Path
    fail_times: int = 0


def count(parameters: CountInput, context: OperationContext) -> CountResult:
    """Count once a job: a run of the same job again leaves the count as it is."""
    if parameters.file is not None:
        with parameters.file.open("a") as file:
            file.write(f"{context.scratch.name if context.scratch else ''} {os.getpid()}\n")
    time.sleep(parameters.seconds)
    return CountResult(
        summary=f"counted {parameters.amount}", counted=parameters.amount, pid=os.getpid()
    )


def hang(parameters: HungInput, context: OperationContext) -> CountResult:
    """Never end, and ignore polite requests to."""
    if parameters.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if parameters.mark is not None:
        parameters.mark.write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def die(parameters: FileInput, context: OperationContext) -> CountResult:
    """Take the process down ``fail_times`` times, then succeed."""
    with parameters.file.open("a") as file:
        file.write("run\n")
    if len(parameters.file.read_text().splitlines()) <= parameters.fail_times:
        os._exit(3)
    return CountResult(summary="survived", counted=1, pid=os.getpid())


def exhaust(parameters: FileInput, context: OperationContext) -> CountResult:
    """Run out of memory, each time."""
    with parameters.file.open("a") as file:
        file.write("run\n")
    raise MemoryError


def refuse(parameters: OperationInput, context: OperationContext) -> CountResult:
    """Raise an error of ours that is not worth repeating."""
    raise DataError("the column is empty", where="data", remedy="fill it")


def unavailable(parameters: FileInput, context: OperationContext) -> CountResult:
    """Raise an error that is worth repeating, ``fail_times`` times."""
    with parameters.file.open("a") as file:
        file.write("run\n")
    if len(parameters.file.read_text().splitlines()) <= parameters.fail_times:
        raise UnavailableError("not now")
    return CountResult(summary="at last", counted=1)


def crash(parameters: OperationInput, context: OperationContext) -> CountResult:
    """Raise something foreign."""
    raise ZeroDivisionError("nothing to divide by")


def leave(parameters: OperationInput, context: OperationContext) -> CountResult:
    """Ask the interpreter to end."""
    sys.exit(7)


def wrong(parameters: OperationInput, context: OperationContext) -> Any:
    """Return what does not fit the output model."""
    return {"summary": "wrong", "counted": "many"}


def unwritable(parameters: OperationInput, context: OperationContext) -> CountResult:
    """Return what cannot be written as JSON."""
    return CountResult(summary="odd", counted=1, details={"lock": object()})


def report(parameters: CountInput, context: OperationContext) -> CountResult:
    """Tell how far it is, in ten steps."""
    for step in range(10):
        context.progress((step + 1) / 10, f"step {step + 1}")
        time.sleep(parameters.seconds / 10)
    return CountResult(summary="done", counted=10)


def read(parameters: DataInput, context: OperationContext) -> CountResult:
    """Tell what data came."""
    if context.data_file is None:
        return CountResult(summary="no data", counted=0)
    table = context.table()
    return CountResult(
        summary="read", counted=table.num_rows, details={"columns": table.column_names}
    )


def surroundings(parameters: OperationInput, context: OperationContext) -> CountResult:
    """Tell where it runs."""
    print("words on standard output")
    details = {
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "nice": os.nice(0),
        "seed": context.seed,
        "now": context.now.isoformat(),
        "options": dict(context.settings),
        "plant": context.plant.name,
    }
    return CountResult(summary="here", counted=1, pid=os.getpid(), details=details)


def hoard(parameters: CountInput, context: OperationContext) -> CountResult:
    """Keep memory after the run, ``amount`` MB of it."""
    _KEPT.append(bytearray(os.urandom(1024)) * (1024 * parameters.amount))
    return CountResult(summary="kept", counted=parameters.amount, pid=os.getpid())


_KEPT: list[bytearray] = []


def _operation(name: str, parameters: type[OperationInput], **needs: Any) -> Operation:
    return Operation(
        module="counting",
        name=name,
        summary=f"{name} for tests",
        input_model=parameters,
        output_model=CountResult,
        handler=f"{HANDLERS}:{name}",
        needs=Needs(**needs),
    )


OPERATIONS = (
    _operation("count", CountInput),
    _operation("hang", HungInput),
    _operation("die", FileInput),
    _operation("exhaust", FileInput),
    _operation("refuse", OperationInput),
    _operation("unavailable", FileInput),
    _operation("crash", OperationInput),
    _operation("leave", OperationInput),
    _operation("wrong", OperationInput),
    _operation("unwritable", OperationInput),
    _operation("report", CountInput),
    _operation("read", DataInput),
    _operation("surroundings", OperationInput),
    _operation("hoard", CountInput),
)
MODULE = Module(name="counting", summary="Operations for tests.", operations=OPERATIONS)


def like(name: str, operations: dict[str, str]) -> Module:
    """A module called ``name`` with operations of its own that do what those of ``counting`` do."""
    by_name = {operation.name: operation for operation in OPERATIONS}
    return Module(
        name=name,
        summary="",
        operations=tuple(
            Operation(
                module=name,
                name=own,
                summary="",
                input_model=by_name[as_in].input_model,
                output_model=CountResult,
                handler=by_name[as_in].handler,
                needs=by_name[as_in].needs,
            )
            for own, as_in in operations.items()
        ),
    )
