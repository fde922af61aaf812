"""OPC UA: thousands of items live, the server killed and started again, nothing lost, nothing twice.

``python -m benchmarks.opcua --seconds 600 --items 2000 --kills 3`` runs a real server in its own process
with one value an item and second (simulated ramps). What the server measured while it was dead is in its
history when it comes back. At the end each sample in the server's history is looked for among those
that the source handed on.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.config import OpcUaSettings
from orchestrator.plant.historian import Historian
from orchestrator.plant.opcua.history_file import HistoryFile
from orchestrator.plant.opcua.values import microseconds
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.sources.opcua import OpcUaSource

ROOT = Path(__file__).resolve().parents[1]
SERVER = ROOT / "tests" / "plant" / "opcua" / "plant_server.py"
DEAD_SECONDS = 5.0
START_SECONDS = 60.0


def run(seconds: float = 60.0, items: int = 2000, kills: int = 3) -> dict[str, Any]:
    """Figures of one run of ``seconds`` with ``kills`` kills evenly spread."""
    with tempfile.TemporaryDirectory(prefix="dan-g-opcua-") as folder:
        server = _Server(Path(folder) / "history.sqlite", items)
        try:
            server.start()
            return _measured(server, seconds, kills, Path(folder))
        finally:
            server.kill()


class _Server:
    def __init__(self, history: Path, items: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self.history = history
        self._items = items
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, str(SERVER), self.url, str(self.history), str(self._items), "1"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError("the server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


class _Taken:
    """What the source handed on, kept and stored as the service would."""

    def __init__(self, source: OpcUaSource, historian: Historian) -> None:
        self.blocks: list[SampleBlock] = []
        self.lags: list[float] = []
        self._source = source
        self._historian = historian
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        newest = None
        for block in self._source.blocks(timedelta(minutes=1)):
            self.blocks.append(block)
            self._historian.append(block)
            if newest is None or block.end > newest:
                newest = block.end
                if (block.quality == Quality.GOOD).any():
                    self.lags.append(time.time() - newest.timestamp())


def _measured(server: _Server, seconds: float, kills: int, folder: Path) -> dict[str, Any]:
    settings = OpcUaSettings(reconnect_base=0.5, reconnect_cap=5)
    source = OpcUaSource(server.url, settings)
    busy = time.process_time()
    with Historian(folder / "samples.duckdb") as historian:
        taken = _Taken(source, historian)
        started = time.monotonic()
        down = []
        for turn in range(kills):
            due = started + seconds * (turn + 1) / (kills + 1)
            time.sleep(max(0.0, due - time.monotonic()))
            server.kill()
            killed = time.time()
            time.sleep(DEAD_SECONDS)
            server.start()
            down.append((killed, time.time()))
        time.sleep(max(0.0, started + seconds - time.monotonic()))
        busy = time.process_time() - busy
        # What is stored is on its way for a publication and the time to settle.
        horizon = int((time.time() - 10) * 1e6)
        source.close()
        taken.thread.join(30)
        stored = historian.count()
    server.kill()
    figures = _compared(taken, server.history, horizon, down)
    handed_on = figures.pop("samples")
    return {
        "items": len(source.plant.tags),
        "seconds": seconds,
        "kills": kills,
        "connections": source.connections,
        **figures,
        "rows in the historian less those handed on": stored - handed_on,
        "lag behind the plant, median s": float(np.median(taken.lags)),
        "lag behind the plant, 99 % s": float(np.percentile(taken.lags, 99)),
        "processor share of one core, client": busy / seconds,
        "peak memory MB, client": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _compared(
    taken: _Taken, history: Path, horizon: int, down: list[tuple[float, float]]
) -> dict[str, Any]:
    got: Counter[tuple[str, int]] = Counter()
    values: dict[tuple[str, int], tuple[float, int]] = {}
    marked: Counter[str] = Counter()
    for block in taken.blocks:
        for sample in block.samples():
            key = sample.tag, microseconds(sample.source_time)
            got[key] += 1
            value = float("nan") if sample.value is None else sample.value
            values[key] = value, int(sample.quality)
    file = HistoryFile(history)
    held = file.everything()
    file.close()
    # The items of one call are watched from about the same time on, those of the next a little later.
    since: dict[str, int] = {}
    for tag, time_ in got:
        since[tag] = min(time_, since.get(tag, time_))
    expected = {
        (tag, time_) for tag, time_ in held if tag in since and since[tag] <= time_ <= horizon
    }
    wrong = sum(
        1
        for key in expected & set(got)
        if not (held[key].status >> 31 or values[key][0] == held[key].value)
    )
    for (tag, time_), (_, quality) in values.items():
        if (tag, time_) not in held and quality == Quality.BAD:
            marked[tag] += 1
    lost = expected - set(got)
    dead = [key for key in expected if any(a * 1e6 <= key[1] <= b * 1e6 for a, b in down)]
    twice = sum(count - 1 for count in got.values())
    # The end of the run is marked too, as a loss of the connection.
    unmarked = sum(marked[tag] < len(down) for tag in {tag for tag, _ in expected})
    return {
        "samples": len(got),
        "samples that the server stored": len(expected),
        "of these while it was dead": len(dead),
        "lost": len(lost),
        "twice": twice,
        "with another value": wrong,
        "tags without a bad mark in each gap": unmarked,
        "within budget": not (lost or twice or wrong or unmarked),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.opcua")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=3)
    given = parser.parse_args()
    result = run(given.seconds, given.items, given.kills)
    for name, figure in result.items():
        print(f"{name:<48} {figure:,.4g}" if isinstance(figure, float) else f"{name:<48} {figure}")
    sys.exit(0 if result["within budget"] else 1)
