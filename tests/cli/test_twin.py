"""``dan-g twin``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Run = Callable[..., Any]

SCENARIO = """
name: trial
hours: 2
warm_up_hours: 0
faults:
  - {name: tank bottom, kind: water_slug, target: D-101, magnitude: 4, onset_minutes: 30}
"""


def test_a_scenario_file_becomes_parquet_with_the_truth(dan_g: Run, tmp_path: Path) -> None:
    scenario, out = tmp_path / "trial.yaml", tmp_path / "run.parquet"
    scenario.write_text(SCENARIO)
    done = dan_g("twin", "run", "--scenario", scenario, "--out", out, "--seed", "7", "--json")
    assert done.code == 0
    document = done.json()
    assert document["simulated"] is True
    assert document["rows"] == 120
    table = pq.read_table(out)
    assert {"time", "FI101", "FI101.truth", "faults"} <= set(table.column_names)
    assert table["faults"].to_pylist()[-1] == "tank bottom"


def test_a_wrong_scenario_is_refused_with_its_key(dan_g: Run, tmp_path: Path) -> None:
    scenario = tmp_path / "trial.yaml"
    scenario.write_text(SCENARIO.replace("water_slug", "earthquake"))
    done = dan_g("twin", "run", "--scenario", scenario, "--out", tmp_path / "x.parquet", "--json")
    assert done.code == 2
    detail = done.problem()["detail"]
    assert "faults.0.kind" in detail
    assert not (tmp_path / "x.parquet").exists()


def test_the_shipped_scenarios_are_listed(dan_g: Run) -> None:
    listed = dan_g("twin", "scenarios", "--json")
    assert {"demo", "normal", "fouling"} <= {item["name"] for item in listed.json()}
