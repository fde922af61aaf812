"""Resident memory: of a replay of ten million values, and of the live loop over an hour.

``python -m benchmarks.memory`` replays generated data through the whole loop with the command and takes
the peak. ``python -m benchmarks.memory --run-seconds 3600`` runs the simulated crude unit at 60 times real
time and compares ten-minute means from the tenth minute on. Both take the process of the command by itself,
and together with its workers; pages that they share count once for each.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
from pyarrow import csv

ROWS = int(os.environ.get("DAN_G_MEMORY_ROWS", "192_400"))
TAGS = 52
CHUNK = 10_000
SPEED = 60
MEGABYTE = 1e6
MOST_MAIN_MB = 1000.0
MOST_ALL_MB = 2500.0
MOST_GROWTH_PCT = 10.0
PERIOD_S = 600.0
SAMPLING_S = 1.0
Reading = tuple[float, float, float]
"""Seconds since the start, MB of the main process, MB of all."""


def run(rows: int = ROWS) -> dict[str, Any]:
    """Peaks of a replay, MB, and how many of its samples were read."""
    with tempfile.TemporaryDirectory(prefix="dan-g-memory-") as folder:
        data, report = Path(folder) / "generated.csv", Path(folder) / "report.json"
        _write(data, rows)
        command = ["replay", str(data), "--json", "--output", str(report)]
        started = time.perf_counter()
        readings = list(_readings(command, Path(folder)))
        seconds = time.perf_counter() - started
        samples = json.loads(report.read_text())["samples"]
    main, everything = (max(reading[i] for reading in readings) for i in (1, 2))
    return {
        "values replayed (generated)": rows * TAGS,
        "rows that the report counts": samples,
        "s": seconds,
        "main process, peak MB": main,
        "all processes together, peak MB": everything,
        "within budget": samples == rows and main < MOST_MAIN_MB and everything < MOST_ALL_MB,
    }


def run_live(seconds: float) -> dict[str, Any]:
    """Ten-minute means of the live loop, MB, and their growth from the tenth minute on, %."""
    with tempfile.TemporaryDirectory(prefix="dan-g-memory-") as folder:
        command = ["run", "--speed", str(SPEED), "--port", "0"]
        readings = list(_readings(command, Path(folder), seconds))
    report: dict[str, Any] = {"s": readings[-1][0]}
    growths = []
    for index, who in ((1, "main process"), (2, "all processes together")):
        periods: dict[int, list[float]] = {}
        for reading in readings:
            periods.setdefault(int(reading[0] // PERIOD_S), []).append(reading[index])
        means = [statistics.mean(values) for number, values in sorted(periods.items()) if number]
        growths.append(max(100 * (mean / means[0] - 1) for mean in means) if means else np.nan)
        report[f"{who}, ten-minute means from minute 10, MB"] = [round(mean) for mean in means]
        report[f"{who}, growth, %"] = growths[-1]
    return report | {"within budget": max(growths) <= MOST_GROWTH_PCT}


def _write(path: Path, rows: int) -> None:
    """Closed-loop-like noise: each tag remembers 0.9 of its last deviation."""
    random = np.random.default_rng(0)
    level = random.uniform(20, 400, TAGS)
    deviation = np.zeros(TAGS)
    start = np.datetime64("2025-01-01T00:00:00", "s")
    names = ["time", *(f"T{number:02}" for number in range(TAGS))]
    schema = pa.schema(
        [("time", pa.timestamp("s", "UTC"))] + [(n, pa.float64()) for n in names[1:]]
    )
    with csv.CSVWriter(str(path), schema) as writer:
        for first in range(0, rows, CHUNK):
            count = min(CHUNK, rows - first)
            values = np.empty((count, TAGS))
            for row, shock in enumerate(random.normal(size=(count, TAGS))):
                deviation = 0.9 * deviation + shock
                values[row] = level + deviation
            times = start + 60 * np.arange(first, first + count)
            columns = [
                pa.array(times, schema.field("time").type),
                *map(pa.array, values.T.round(3)),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def _readings(command: list[str], folder: Path, seconds: float | None = None) -> Iterator[Reading]:
    """Memory of ``dan-g`` and its workers while it runs, for ``seconds`` at most, in a home of its own."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *command, "--home", str(folder / "home")],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        watched = psutil.Process(process.pid)
        started = time.perf_counter()
        while process.poll() is None:
            passed = time.perf_counter() - started
            if seconds is not None and passed > seconds:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
                break
            try:
                main = watched.memory_info().rss
                workers = watched.children(recursive=True)
                yield passed, main / MEGABYTE, (main + sum(map(_resident, workers))) / MEGABYTE
            except psutil.NoSuchProcess:
                break
            time.sleep(SAMPLING_S)
        if process.wait(60) != 0:
            raise RuntimeError(
                f"{command[0]} ended with {process.returncode}: {log.read_text()[-2000:]}"
            )


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-seconds", type=float, help="run the live loop for so long instead")
    given = parser.parse_args()
    figures = run() if given.run_seconds is None else run_live(given.run_seconds)
    print(json.dumps(figures, indent=2))
    sys.exit(not figures["within budget"])
