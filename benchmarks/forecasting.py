"""Forecasts of 11 targets, 400 days, 7 days ahead: first time and again, beside plain AutoETS.

The series are simulated with a stated seed: level, weekly season, slow drift and noise. *Cold* fits and
compares all models of every target; *warm* asks again with the same data; *a day later* with one more day,
for which the stored models are carried on. The reference is a plain statsforecast AutoETS with weekly
season, fitted and forecast for the same series in the same run.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.forecast import run as forecast
from orchestrator.modules.forecasting.models import ForecastInput
from orchestrator.plant.tags import Plant

TARGETS, DAYS, STEPS = 11, 400, 7
SEED = 11
WARM_SECONDS = 0.2


def run() -> dict[str, Any]:
    """Seconds of each way, and ratios to AutoETS."""
    values = _series()
    reference = min(_auto_ets(values[:DAYS]) for _ in range(2))
    with tempfile.TemporaryDirectory(prefix="dan-g-bench-") as name:
        folder = Path(name)
        cold = _ours(values[:DAYS], folder)
        warm = min(_ours(values[:DAYS], folder) for _ in range(5))
        later = _ours(values[: DAYS + 1], folder)
        size = sum(path.stat().st_size for path in (folder / "models").iterdir())
    return {
        "seconds, AutoETS": reference,
        "seconds, cold": cold,
        "seconds, warm": warm,
        "seconds, a day later": later,
        "cold / AutoETS": cold / reference,
        "warm / AutoETS": warm / reference,
        "stored models, MB": size / 1e6,
        "within budget": warm < WARM_SECONDS,
    }


def _series() -> np.ndarray:
    rng = np.random.default_rng(SEED)
    days = np.arange(DAYS + 1)
    season = np.sin(2 * np.pi * days / 7)[:, None] * rng.uniform(0, 4, TARGETS)
    drift = np.cumsum(rng.normal(scale=0.4, size=(DAYS + 1, TARGETS)), axis=0)
    return 100 + season + drift + rng.normal(size=(DAYS + 1, TARGETS))


def _ours(values: np.ndarray, folder: Path) -> float:
    times = np.datetime64("2024-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
    table = pa.table({"time": times} | {f"F{i}": values[:, i] for i in range(TARGETS)})
    path = folder / "data.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    context = OperationContext(
        now=datetime(2025, 2, 5, tzinfo=UTC),
        plant=Plant(),
        data_file=path,
        folder=folder,
    )
    asked = ForecastInput(targets=tuple(f"F{i}" for i in range(TARGETS)), horizon=STEPS)
    started = time.perf_counter()
    result = forecast(asked, context)
    elapsed = time.perf_counter() - started
    assert len(result.forecasts) == TARGETS * STEPS
    return elapsed


def _auto_ets(values: np.ndarray) -> float:
    from statsforecast.models import AutoETS

    started = time.perf_counter()
    for i in range(TARGETS):
        AutoETS(season_length=7).forecast(values[:, i], h=STEPS, level=[80, 95])
    return time.perf_counter() - started
