"""The historian with 100 million simulated samples on disk: the last hour, means, and appending beside.

``python -m benchmarks.historian --rows 100000000`` writes one value a tag and minute with SQL into a file
of the historian's own layout, in a temporary folder (about 0.6 GB for each 100 million rows), and
removes it afterwards.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.plant.historian import Historian
from orchestrator.plant.sample_store import THREADS
from orchestrator.plant.samples import SampleBlock

ROWS = int(os.environ.get("DAN_G_HISTORIAN_ROWS", "100_000_000"))
TAGS = 2000
MEMORY_MB = 256
MOST_MS = 100.0
FEW = 10
START = datetime(2024, 1, 1, tzinfo=UTC)


def run(rows: int = ROWS, tags: int = TAGS) -> dict[str, Any]:
    """Times in milliseconds, medians and worst of repeated reads."""
    minutes = rows // tags
    with tempfile.TemporaryDirectory(prefix="dan-g-historian-") as folder:
        path = Path(folder) / "samples.duckdb"
        names = tuple(f"T{i:04}" for i in range(tags))
        started = time.perf_counter()
        _filled(path, names, minutes)
        filled = time.perf_counter() - started
        started = time.perf_counter()
        with Historian(path, retention_days=None, memory_limit_mb=MEMORY_MB) as historian:
            opened = time.perf_counter() - started
            last_hour = START + timedelta(minutes=minutes - 60)
            few = names[:: tags // FEW][:FEW]
            return {
                "samples on disk": historian.count(),
                "tags": tags,
                "megabytes on disk": path.stat().st_size / 2**20,
                "bytes a sample": path.stat().st_size / rows,
                "s to make": filled,
                "s to open": opened,
                **_times(f"last hour of {FEW} tags", lambda: historian.read(few, last_hour, None)),
                **_times("last hour of 1 tag", lambda: historian.read(names[:1], last_hour, None)),
                **_times("last hour of all tags", lambda: historian.read(names, last_hour, None)),
                **_times(
                    f"last hour of {FEW} tags, means of 5 min",
                    lambda: historian.read(few, last_hour, None, 300),
                ),
                **_times(
                    "an hour in the middle, all tags",
                    lambda: historian.read(
                        names,
                        START + timedelta(minutes=minutes // 2),
                        START + timedelta(minutes=minutes // 2 + 59),
                    ),
                ),
                **_times(
                    f"all of {FEW} tags, means of a day",
                    lambda: historian.read(few, None, None, 86_400),
                    repeats=3,
                ),
                **_beside(historian, names, minutes, few),
                "memory limit of DuckDB MB": MEMORY_MB,
                "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "within budget": _WORST[f"last hour of {FEW} tags"] < MOST_MS
                and _WORST[f"last hour of {FEW} tags while appending"] < MOST_MS,
            }


_WORST: dict[str, float] = {}


def _filled(path: Path, names: tuple[str, ...], minutes: int) -> None:
    """Simulated random values, in order of time, through SQL."""
    import duckdb

    first = np.array([np.datetime64(START.replace(tzinfo=None), "us")])
    with Historian(path, retention_days=None, memory_limit_mb=MEMORY_MB) as historian:
        zero = np.zeros((1, len(names)))
        historian.append(SampleBlock(names, first, zero, zero.astype(np.uint8)))
    connection = duckdb.connect(
        str(path),
        config={
            "threads": THREADS,
            "memory_limit": f"{MEMORY_MB}MB",
            "temp_directory": f"{path}.tmp",
        },
    )
    connection.execute("SELECT setseed(0.5)")
    for begin in range(1, minutes, 720):
        end = min(begin + 720, minutes)
        connection.execute(
            "INSERT INTO samples SELECT TIMESTAMP '2024-01-01' + to_minutes(minute) AS time, tag,"
            " round(100 + tag + 10 * random(), 3), 0, TIMESTAMP '2024-01-01' + to_minutes(minute)"
            " FROM (SELECT range::INTEGER AS tag FROM range(?)),"
            " (SELECT range AS minute FROM range(?, ?)) ORDER BY time, tag",
            [len(names), begin, end],
        )
    # The newest sample of each tag as a running historian keeps it.
    connection.execute("DELETE FROM latest")
    connection.execute(
        "INSERT INTO latest SELECT tag, time, value, quality, received FROM samples WHERE time ="
        " (SELECT max(time) FROM samples)"
    )
    connection.close()


def _times(what: str, read: Callable[[], Any], repeats: int = 20) -> dict[str, Any]:
    read()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        read()
        taken.append(1e3 * (time.perf_counter() - started))
    _WORST[what] = max(taken)
    return {f"{what}, median ms": float(np.median(taken)), f"{what}, worst ms": max(taken)}


def _beside(
    historian: Historian, names: tuple[str, ...], minutes: int, few: tuple[str, ...]
) -> dict[str, Any]:
    """The same read while one row of all tags comes every 50 ms."""
    stop = threading.Event()
    appended = 0

    def append() -> None:
        nonlocal appended
        generator = np.random.default_rng(0)
        begin = np.datetime64((START + timedelta(minutes=minutes)).replace(tzinfo=None), "us")
        quality = np.zeros((1, len(names)), dtype=np.uint8)
        while not stop.is_set():
            at = begin + np.array([appended]) * np.timedelta64(1, "s")
            values = generator.normal(size=(1, len(names)))
            historian.append(SampleBlock(names, at, values, quality))
            appended += 1
            stop.wait(0.05)

    writer = threading.Thread(target=append)
    writer.start()
    try:
        since = START + timedelta(minutes=minutes - 60)
        what = f"last hour of {FEW} tags while appending"
        found = _times(what, lambda: historian.read(few, since, None), repeats=100)
    finally:
        stop.set()
        writer.join()
    return {**found, "samples appended meanwhile": appended * len(names)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.historian")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--tags", type=int, default=TAGS)
    given = parser.parse_args()
    result = run(given.rows, given.tags)
    for name, figure in result.items():
        print(f"{name:<52} {figure:,.4g}" if isinstance(figure, float) else f"{name:<52} {figure}")
    sys.exit(0 if result["within budget"] else 1)
