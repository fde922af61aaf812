"""What the owner of a worker process and the worker say to each other.

A message goes over the socket as a length (8 bytes, big-endian) and a pickle.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import DanGError
from orchestrator.modules.base import Operation
from orchestrator.write_settings import TagEnvelope

HEADER = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Hello:
    """First message to a worker: where to import from."""

    sys_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One run of an operation; ``parameters`` is JSON that was already accepted."""

    job_id: str
    operation: Operation
    parameters: dict[str, Any]
    now: datetime
    data_file: Path | None = None
    data_given: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    write_list: dict[str, TagEnvelope] = field(default_factory=dict)
    scratch: Path | None = None
    folder: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """The worker has a task and runs it from now on: before this, nothing of it has happened."""


@dataclass(frozen=True, slots=True)
class Report:
    """Progress of the running operation."""

    share: float
    message: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer to a task: the result as JSON text, or the error; resident memory in MB afterwards."""

    result: str | None
    error: DanGError | None
    seconds: float
    memory_mb: float | None
    traceback: str | None = None


def frame(message: object) -> bytes:
    """A message as it goes over the socket."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body
