"""Runs ``dan-g`` as a person does: a process of its own, a home of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "orchestrator.cli"]
NOT_INHERITED = ("DEEPSEEK_API_KEY", "DAN_G_TRACEBACK")


@dataclass
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    def problem(self) -> dict[str, Any]:
        """The problem document on standard error; standard output must be empty."""
        assert self.out == ""
        document: dict[str, Any] = json.loads(self.err)
        return document


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED and "DAN_G" not in k}
    return {**kept, "DAN_G_HOME": str(home), **more}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def dan_g(home: Path) -> Callable[..., Result]:
    """Run one command on the test's home and wait for its end."""

    def run(*arguments: str | Path, stdin: str | None = None, **variables: str) -> Result:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env=environment(home, **variables),
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@dataclass
class Started:
    """A service process that answers."""

    process: subprocess.Popen[str]
    url: str

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; the exit code and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(30)
        return code, time.monotonic() - started


@pytest.fixture
def start(home: Path) -> Callable[..., Any]:
    """Start a service process; it is killed at the end of the block if it still runs."""

    @contextmanager
    def starting(*arguments: str | Path, command: list[str] | None = None) -> Iterator[Started]:
        with subprocess.Popen(
            [*(command or COMMAND), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(home),
        ) as process:
            try:
                yield Started(process, address(process))
            finally:
                if process.poll() is None:
                    process.kill()

    return starting


def address(process: subprocess.Popen[str]) -> str:
    """The address that a service prints once it answers."""
    assert process.stdout is not None
    give_up = threading.Timer(60, process.kill)
    give_up.start()
    try:
        for line in process.stdout:
            found = re.search(r"http://\S+", line)
            if found:
                return found[0]
    finally:
        give_up.cancel()
    raise AssertionError(f"the service did not start (exit code {process.poll()})")
