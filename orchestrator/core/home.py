"""The home: one folder with all state of one orchestrator, and the lock that gives it one owner.

state.sqlite      decisions, jobs, outcomes, alerts (unless PostgreSQL is configured)
workflows.sqlite  durable workflows (unless PostgreSQL is configured)
historian.duckdb  samples
gaps.json         stretches that a live source has not filled yet
exchange/         data on its way to worker processes
models/           trained models
jobs/             artefacts of operations, one folder a job
modules/          what modules keep between runs, one folder a module
service.json      process id and address of the owner, for other commands
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from orchestrator.errors import ConfigurationError, HomeLockedError

LOCK_NAME = "home.lock"
SERVICE_NAME = "service.json"
MONITORING_MODELS = "monitoring"
"""Folder of the monitor's models, inside ``models/``."""


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """The process that owns a home, and the address of its service (``None`` while it has none)."""

    pid: int
    url: str | None = None


class Home:
    """The folder ``path`` and everything in it. Only its owner opens the live files.

    Raises:
        ConfigurationError: the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._lock = FileLock(self.path / LOCK_NAME, timeout=0, thread_local=False)
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.exchange, self.models, self.jobs):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the home cannot be used: {error.strerror or error}",
                where=str(self.path),
                remedy="set DAN_G_HOME or state.home to a folder that you may write to",
            ) from error

    @classmethod
    def take(cls, path: Path) -> Self:
        """The home at ``path``, owned by this process from now on.

        Raises:
            ConfigurationError: the folder cannot be used.
            HomeLockedError: another process owns it.
        """
        return cls(path).acquire()

    @property
    def state(self) -> Path:
        """The embedded state database."""
        return self.path / "state.sqlite"

    @property
    def workflows(self) -> Path:
        """The embedded database of the durable workflows."""
        return self.path / "workflows.sqlite"

    @property
    def historian(self) -> Path:
        """The live historian; locked by its owner against every other process."""
        return self.path / "historian.duckdb"

    @property
    def gaps(self) -> Path:
        """Stretches of time of which samples of the live source may still be missing."""
        return self.path / "gaps.json"

    @property
    def exchange(self) -> Path:
        """Data files for worker processes."""
        return self.path / "exchange"

    @property
    def models(self) -> Path:
        """Trained models."""
        return self.path / "models"

    @property
    def jobs(self) -> Path:
        """Artefacts of operations."""
        return self.path / "jobs"

    @property
    def modules(self) -> Path:
        """What modules keep between runs."""
        return self.path / "modules"

    @property
    def owned(self) -> bool:
        """Whether this process owns the home."""
        return self._lock.is_locked

    def acquire(self) -> Self:
        """Become the owner; the lock ends with the process, however that ends.

        Raises:
            HomeLockedError: another process owns the home; the text names it and its address.
        """
        try:
            self._lock.acquire()
        except Timeout:
            raise self._locked_error() from None
        self.announce(None)
        return self

    def release(self) -> None:
        """Stop being the owner."""
        if self.owned:
            self._service_file.unlink(missing_ok=True)
            self._lock.release()

    def announce(self, url: str | None) -> None:
        """Tell other commands where the owner's service listens.

        Raises:
            HomeLockedError: this process does not own the home.
        """
        if not self.owned:
            raise self._locked_error()
        beside = self._service_file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(ServiceInfo(os.getpid(), url))), encoding="utf-8")
        beside.replace(self._service_file)

    def service(self) -> ServiceInfo | None:
        """The owner, if there is one: read by commands that talk to it instead of to the files."""
        if not self.owned:
            probe = FileLock(self.path / LOCK_NAME, timeout=0, thread_local=False)
            try:
                with probe.acquire():
                    return None  # a file left behind by a process that was killed
            except Timeout:
                pass
        try:
            return ServiceInfo(**json.loads(self._service_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def _service_file(self) -> Path:
        return self.path / SERVICE_NAME

    def _locked_error(self) -> HomeLockedError:
        try:
            owner = ServiceInfo(**json.loads(self._service_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return HomeLockedError(
                "another process owns this home",
                where=str(self.path),
                remedy="stop it, or use another home with DAN_G_HOME",
            )
        reach = f"use --url {owner.url}, stop it" if owner.url else "stop it"
        return HomeLockedError(
            f"process {owner.pid} owns this home",
            where=str(self.path),
            why="its databases have one owner at a time",
            remedy=f"{reach}, or use another home with DAN_G_HOME",
            context={"pid": owner.pid, "url": owner.url},
        )
