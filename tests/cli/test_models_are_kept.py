"""A fitted model is used again by the next command, for the same series with newer values."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[..., Any]


def write(path: Path, values: np.ndarray) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "F"])
        for i, value in enumerate(values):
            rows.writerow([np.datetime64("2025-01-01") + np.timedelta64(i, "D"), value])
    return path


def test_the_next_command_carries_the_model_on(dan_g: Run, tmp_path: Path):
    values = 100 + np.cumsum(np.random.default_rng(3).normal(size=123))
    asked = json.dumps({"targets": ["F"], "horizon": 3, "models": "fast"})

    def fitted(count: int) -> dict[str, Any]:
        path = write(tmp_path / f"{count}.csv", values[:count])
        done = dan_g(
            "invoke", "forecasting", "forecast", "--data", path, "--params", asked, "--json"
        )
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)["models"]["F"]["fitted"]
        return found

    first, second = fitted(120), fitted(123)
    assert (first["reused"], second["reused"]) == (False, True)
    assert second["fingerprint"] == first["fingerprint"]
    assert second["live"]["values"] == 6
