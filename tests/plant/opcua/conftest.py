"""A real OPC UA server in its own process, which a test may kill and start again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("asyncua", reason="needs asyncua")

from orchestrator.plant.opcua.history_file import HistoryFile, Stored
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.sources.opcua import OpcUaSource

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 30.0


class PlantServer:
    """``plant_server.py`` with a history file that survives its death."""

    def __init__(self, folder: Path, items: int, period: float, secure: Path | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"opc.tcp://127.0.0.1:{self._port}"
        self.history = folder / "history.sqlite"
        self._arguments = [self.url, str(self.history), str(items), str(period)]
        self._arguments += ["--secure", str(secure)] if secure else []
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        script = Path(__file__).with_name("plant_server.py")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(script), *self._arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError(self._log.read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stored(self) -> dict[tuple[str, int], Stored]:
        """Everything in the server's history, by tag and microseconds."""
        file = HistoryFile(self.history)
        try:
            return file.everything()
        finally:
            file.close()


class Taken:
    """Reads a source's blocks in a thread of its own."""

    def __init__(self, source: OpcUaSource) -> None:
        self.source = source
        self.blocks: list[SampleBlock] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for block in self.source.blocks(timedelta(minutes=1)):
                self.blocks.append(block)
        except BaseException as error:  # noqa: BLE001 a test looks at it
            self.error = error

    def wait_until(self, true: Callable[[], bool], seconds: float = 40.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come to that in time"
            time.sleep(0.05)

    @property
    def rows(self) -> int:
        return sum(len(block) for block in self.blocks)

    def close(self) -> None:
        self.source.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., PlantServer]]:
    """Starts servers; they are killed at the end."""
    servers: list[PlantServer] = []

    def start(items: int = 50, period: float = 0.25, secure: Path | None = None) -> PlantServer:
        server = PlantServer(tmp_path, items, period, secure)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlantServer]:
    """One server of six items for tests that leave it alone; four rows a second."""
    server = PlantServer(tmp_path_factory.mktemp("standing"), 6, 0.25)
    try:
        server.start()
        yield server
    finally:
        server.kill()
