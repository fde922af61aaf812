"""A server process for tests: python plant_server.py URL HISTORY ITEMS PERIOD [--secure FOLDER].

While a file HISTORY.down is there, history cannot be read. Its plant never stops: on a new start, what was measured while the server was dead goes into the history
only, as from a logger that went on. ``value = item + row / 1000``; item 0 is bad in each tenth row.
"""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from orchestrator.plant.opcua.history_file import HistoryFile, Stored
from orchestrator.plant.opcua.server import SourceServer
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.tags import Plant, Tag


class Ramps:
    """Rows at every multiple of the period since 1970, from now on."""

    name = "ramps"
    simulated = True

    def __init__(self, items: int, period: float) -> None:
        self.plant = Plant(
            name="ramps",
            simulated=True,
            tags=tuple(
                Tag(name=f"T{i:04}", unit="degC", area=f"area {i % 4}", description=f"Ramp {i}")
                for i in range(items)
            ),
        )
        self._period = round(period * 1e6)
        self._next = math.ceil(time.time() * 1e6 / self._period)
        self._closed = threading.Event()

    def resume_after(self, at: datetime) -> None:
        since = at - datetime(1970, 1, 1, tzinfo=UTC)
        self._next = min(self._next, since // timedelta(microseconds=1) // self._period + 1)

    def history(self) -> Iterator[SampleBlock]:
        while self._next * self._period <= time.time() * 1e6:
            yield self._row()

    def blocks(self, max_span: timedelta) -> Iterator[SampleBlock]:
        while not self._closed.is_set():
            wait = self._next * self._period / 1e6 - time.time()
            if wait > 0:
                self._closed.wait(wait)
            yield self._row()

    def close(self) -> None:
        self._closed.set()

    def _row(self) -> SampleBlock:
        number, self._next = self._next, self._next + 1
        tags = self.plant.tag_names
        values = np.arange(len(tags), dtype=np.float64)[None, :] + number % 100_000 / 1000
        quality = np.zeros(values.shape, dtype=np.uint8)
        if number % 10 == 0:
            values[0, 0], quality[0, 0] = np.nan, Quality.BAD
        times = np.array([number * self._period]).view("datetime64[us]")
        return SampleBlock(tags, times, values, quality)


class FailingHistory(HistoryFile):
    """Fails to read a stretch while a file lies beside it; samples are stored all the same."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._down = path.with_suffix(".down")

    def read(self, item: int, start: int | None, end: int | None, most: int) -> list[Stored]:
        if start is not None and self._down.exists():
            raise OSError("the history is down")
        return super().read(item, start, end, most)


if __name__ == "__main__":
    url, history, items, period = sys.argv[1:5]
    secure = {}
    if len(sys.argv) > 6:
        folder = Path(sys.argv[6])
        secure = {
            "certificate": folder / "server.der",
            "private_key": folder / "server.pem",
            "users": {"operator": "s3cret-word"},
        }
    source = Ramps(int(items), float(period))
    asyncio.run(SourceServer(source, url, FailingHistory(Path(history)), speed=0, **secure).run())
