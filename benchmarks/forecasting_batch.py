"""The parallel forecasting script over many tags, on this machine's processes and through Ray.

``python -m benchmarks.forecasting_batch --tags 2000`` writes simulated daily series (400 days; a quarter each
random walks, weekly seasons, slow trends and noise; seed 0) to a CSV file, and runs the script on it for 7 steps
with two processes: once by itself, once with ``--engine ray`` on this machine where Ray is installed. Memory is
the peak over the script and all its child processes; pages that they share count once for each. Processor time is
theirs together, and tells what other load on the machine does to the seconds. The two tables have to be equal. A
tag takes the same time whatever their number: 200 are the default. ``--models fast`` as in the script.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
from pyarrow import csv

TAGS = 200
DAYS = 400
STEPS = 7
PROCESSES = 2
SEED = 0
SAMPLING_S = 0.5
MEGABYTE = 1e6
SCRIPT = Path(__file__).parents[1] / "orchestrator" / "simple_forecasting_script_parallel.py"


def run(tags: int = TAGS, models: str = "full") -> dict[str, Any]:
    """Seconds and peak memory, MB, of each engine."""
    report: dict[str, Any] = {"tags (simulated)": tags, "days": DAYS, "steps": STEPS}
    report["models"] = models
    tables = []
    engines = ["local"] + ["ray"] * (importlib.util.find_spec("ray") is not None)
    with tempfile.TemporaryDirectory(prefix="dan-g-batch-") as name:
        data = Path(name) / "simulated.csv"
        _write(data, tags)
        for engine in engines:
            folder = Path(name) / engine
            seconds, busy, peak = _forecast(data, folder, engine, models)
            report[f"{engine}, s"] = seconds
            report[f"{engine}, processor s a tag"] = busy / tags
            report[f"{engine}, peak MB of all processes"] = peak
            tables.append((folder / "forecast.csv").read_bytes())
    if len(tables) == 1:
        report["ray"] = "not installed"
    equal = all(table == tables[0] for table in tables)
    complete = tables[0].count(b"\n") == 1 + tags * STEPS
    return report | {"equal tables": equal, "within budget": equal and complete}


def simulated(tags: int) -> np.ndarray:
    """The series, ``(DAYS, tags)``."""
    random = np.random.default_rng(SEED)
    day = np.arange(DAYS)[:, None]
    noise = random.normal(size=(DAYS, tags))
    kind = np.arange(tags) % 4
    shapes = np.stack(
        [
            np.cumsum(noise, axis=0),
            3 * np.sin(2 * np.pi * day / 7) + noise,
            0.05 * day + noise,
            noise,
        ]
    )
    return 100 + shapes[kind, :, np.arange(tags)].T


def _write(path: Path, tags: int) -> None:
    times = np.datetime64("2025-01-01", "s") + np.arange(DAYS) * np.timedelta64(1, "D")
    values = simulated(tags)
    columns = {f"T{number:05}": values[:, number] for number in range(tags)}
    csv.write_csv(pa.table({"time": pa.array(times, pa.timestamp("s", "UTC")), **columns}), path)


def _forecast(data: Path, folder: Path, engine: str, models: str) -> tuple[float, float, float]:
    """Seconds, processor seconds, and peak memory in MB of one run of the script."""
    command = [sys.executable, str(SCRIPT), "--data", str(data), "--targets", "all"]
    command += ["--horizon", str(STEPS), "--jobs", str(PROCESSES), "--engine", engine]
    command += ["--models", models]
    log = data.with_suffix(".log")
    started, peak = time.perf_counter(), 0.0
    busy: dict[int, float] = {}
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--out", str(folder)], stdout=output, stderr=output)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _look(watched, busy))
            time.sleep(SAMPLING_S)
    if process.returncode != 0:
        raise RuntimeError(f"the script ended with {process.returncode}: {log.read_text()[-2000:]}")
    return time.perf_counter() - started, sum(busy.values()), peak


def _look(process: psutil.Process, busy: dict[int, float]) -> float:
    """Memory of a process and its children now, MB; their processor seconds are kept by process."""
    total = 0
    try:
        everyone = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for one in everyone:
        try:
            total += int(one.memory_info().rss)
            times = one.cpu_times()
            busy[one.pid] = times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total / MEGABYTE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=TAGS)
    parser.add_argument("--models", choices=("full", "fast"), default="full")
    given = parser.parse_args()
    figures = run(given.tags, given.models)
    print(json.dumps(figures, indent=2))
    sys.exit(not figures["within budget"])
