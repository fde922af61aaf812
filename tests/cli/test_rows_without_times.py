"""Files whose rows hold no times: read for an operation that needs none, refused for every other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

Run = Callable[..., Any]
ROWS = 240
PARAMETERS = {"target": "y", "delay": 2, "train_rows": [0, 199], "predict_rows": [210, 239]}


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    u1, u2 = np.cumsum(rng.normal(size=(2, ROWS)), axis=1)
    return {"u1": u1, "u2": u2, "y": 3 * u1 - u2}


def spaced(path: Path, values: dict[str, np.ndarray]) -> Path:
    """As an old laboratory program writes it: a blank line, names, numbers between runs of blanks."""
    lines = ["  ", "        ".join(values)]
    lines += [
        "  " + "  ".join(f"{v:.7e}" for v in row) for row in zip(*values.values(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def comma(path: Path, values: dict[str, np.ndarray]) -> Path:
    rows = [
        ",".join(f"{v!r}" for v in map(float, row)) for row in zip(*values.values(), strict=True)
    ]
    path.write_text("\n".join([",".join(values), *rows]) + "\n")
    return path


def parquet(path: Path, values: dict[str, np.ndarray]) -> Path:
    pyarrow.parquet.write_table(pa.table(values), path)
    return path


def sensor(dan_g: Run, *more: Any, **parameters: Any) -> Any:
    stated = json.dumps({**PARAMETERS, **parameters})
    return dan_g("invoke", "forecasting", "soft_sensor", "--params", stated, "--json", *more)


@pytest.mark.parametrize("write", [spaced, comma, parquet])
def test_the_soft_sensor_reads_them_by_row(dan_g: Run, tmp_path: Path, write: Any) -> None:
    values = columns()
    done = sensor(dan_g, "--data", write(tmp_path / "unit.data", values))
    assert done.code == 0, done.err
    result = done.json()
    assert [point["row"] for point in result["predictions"]] == list(range(210, 240))
    assert {point["time"] for point in result["predictions"]} == {None}
    errors = [point["mean"] - values["y"][point["row"]] for point in result["predictions"]]
    assert np.abs(errors).max() < 0.1
    assert "in row 239" in result["summary"]


def test_rows_with_a_stated_start_have_times(dan_g: Run, tmp_path: Path) -> None:
    file = spaced(tmp_path / "unit.txt", columns())
    stated = ("--start", "2026-01-01T00:00:00Z", "--period-seconds", "360")
    result = sensor(dan_g, "--data", file, *stated).json()
    assert result["predictions"][0]["row"] == 210
    assert result["predictions"][0]["time"] == "2026-01-01T21:00:00Z"


def test_inline_rows_need_no_times_either(dan_g: Run) -> None:
    values = columns()
    rows = [
        dict(zip(values, map(float, row), strict=True))
        for row in zip(*values.values(), strict=True)
    ]
    by_row = sensor(dan_g, data={"rows": rows}).json()
    listed = {name: column.tolist() for name, column in values.items()}
    by_column = sensor(dan_g, data={"columns": listed}).json()
    for one, other in zip(by_column["predictions"], by_row["predictions"], strict=True):
        assert (one["row"], one["mean"]) == (other["row"], pytest.approx(other["mean"]))
    assert by_row["predictions"][0]["row"] == 210


@pytest.mark.parametrize(
    ("module", "operation", "parameters"),
    [("forecasting", "forecast", {"targets": ["y"], "horizon": 3}), ("etl", "validate", {})],
)
def test_an_operation_over_time_still_refuses_them(
    dan_g: Run, tmp_path: Path, module: str, operation: str, parameters: dict[str, Any]
) -> None:
    file = spaced(tmp_path / "unit.txt", columns())
    done = dan_g(
        "invoke", module, operation, "--params", json.dumps(parameters), "--data", file, "--json"
    )
    assert done.code == 2
    assert "no column holds times" in done.problem()["detail"]


def test_what_the_rows_do_not_bear_is_refused_by_field(dan_g: Run, tmp_path: Path) -> None:
    file = spaced(tmp_path / "unit.txt", columns())
    done = sensor(dan_g, "--data", file, predict_rows=[210, 240])
    assert done.code != 0
    assert "predict_rows" in done.problem()["detail"]
    assert "rows 0 to 239" in done.problem()["detail"]
    unknown = sensor(dan_g, "--data", file, inputs=["u1", "u9"])
    assert "u9" in unknown.problem()["detail"]
