"""Recorded data through the whole loop: samples in, alerts, decisions and results out."""

import asyncio
import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.config_file import load_settings
from orchestrator.core.replay import replay
from orchestrator.errors import DataError, UnknownTagError
from orchestrator.plant.tags import Plant

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
START = datetime(2026, 1, 5, tzinfo=UTC)
NORMAL_ROWS = 300
FAULT_ROW = 200


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"reference data is absent: {path}")
    return path


def write(path: Path, rows: int, *, seed: int, fault_at: int | None = None) -> Path:
    """Six correlated tags a minute; from ``fault_at`` on, one leaves the pattern."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 2))
    mixing = np.random.default_rng(1).normal(size=(2, 6))
    values = 100 + 5 * hidden @ mixing + 0.5 * rng.normal(size=(rows, 6))
    if fault_at is not None:
        values[fault_at:, 3] += 12
    lines = ["time," + ",".join(f"FI{j}" for j in range(6))]
    for i, row in enumerate(values):
        time = (START + timedelta(minutes=i)).isoformat()
        lines.append(time + "," + ",".join(f"{value:.4f}" for value in row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(path: Path, **options: Any) -> dict[str, Any]:
    return asyncio.run(replay(load_settings(), path, **options))


def without_ids_and_seconds(document: dict[str, Any]) -> dict[str, Any]:
    cleaned = copy.deepcopy(document)
    for decision in cleaned["decisions"]:
        del decision["id"]
    for result in cleaned["results"]:
        for name in ("decision_id", "job_id", "seconds"):
            del result[name]
    return cleaned


def test_a_fault_is_found_decided_on_and_acted_upon(tmp_path: Path) -> None:
    train = write(tmp_path / "normal.csv", NORMAL_ROWS, seed=2)
    document = run(write(tmp_path / "day.csv", 320, seed=3, fault_at=FAULT_ROW), train=train)
    assert document["samples"] == 320
    assert document["tag_samples"] == 320 * 6
    fault = START + timedelta(minutes=FAULT_ROW)
    found = [a for a in document["alerts"] if a["start"] >= fault.isoformat()[:19]]
    assert found[0]["contributions"][0]["tag"] == "FI3"
    assert datetime.fromisoformat(found[0]["start"]) - fault < timedelta(minutes=10)
    assert found[0]["end"] is None
    after = [d for d in document["decisions"] if d["time"] >= found[0]["start"]]
    acted = next(d for d in after if d["actions"])
    assert acted["actions"][0]["module"] == "forecasting"
    assert "FI3" in acted["rationale"]
    assert {result["status"] for result in document["results"]} == {"succeeded"}
    assert all(result["summary"] for result in document["results"])


def test_two_replays_print_the_same_but_for_ids_and_seconds(tmp_path: Path) -> None:
    path = write(tmp_path / "day.csv", 260, seed=4, fault_at=FAULT_ROW)
    first, second = run(path), run(path)
    assert without_ids_and_seconds(first) == without_ids_and_seconds(second)
    assert first["results"]


def test_a_file_of_another_plant_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "day.csv", 30, seed=5)
    plant = Plant.model_validate({"name": "other", "tags": [{"name": "XX1"}]})
    with pytest.raises(UnknownTagError, match="other"):
        run(path, plant=plant)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("time,A\n", "no row"),
        ("A,B\n1,2\n3,4\n", "time"),
        ("time,A\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,1,2\n", "line 3"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_runs(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        run(path)
    assert said in str(caught.value)
    assert "bad.csv" in str(caught.value)


def test_a_storm_of_missing_values_ends_in_honest_data_quality(tmp_path: Path) -> None:
    path = write(tmp_path / "day.csv", 260, seed=6)
    lines = path.read_text().splitlines()
    stormy = [line.split(",")[0] + ",,nan,,NaN,," for line in lines[150:]]
    path.write_text("\n".join(lines[:150] + stormy) + "\n")
    document = run(path)
    assert document["samples"] == 260
    late = [d for d in document["decisions"] if d["time"] > "2026-01-05T02:40"]
    assert not any(a["module"] == "optimization" for d in late for a in d["actions"])


@pytest.mark.parametrize(
    ("name", "leading"), [("d05_te", {"XMEAS_11", "XMEAS_22"}), ("d04_te", {"XMV_10"})]
)
def test_tennessee_eastman_faults_are_found_where_they_begin(name: str, leading: set[str]) -> None:
    path = needs(SHARED / "tep" / f"{name}.csv.gz")
    document = run(path, train=needs(SHARED / "tep" / "d00.csv.gz"))
    first = datetime(2000, 1, 1, tzinfo=UTC)
    rows = [
        (datetime.fromisoformat(alert["start"]) - first) / timedelta(minutes=3)
        for alert in document["alerts"]
    ]
    assert sum(row < 160 for row in rows) <= 2
    (position,) = [i for i, row in enumerate(rows) if 160 <= row < 180][:1]
    top = [share["tag"] for share in document["alerts"][position]["contributions"]]
    assert leading & set(top[: 1 if len(leading) == 1 else 3])
    assert document["results"]
    assert {result["status"] for result in document["results"]} == {"succeeded"}


def test_the_real_crude_unit_runs_through_the_whole_loop() -> None:
    document = run(needs(SHARED / "cdu" / "cdu_daily.csv"))
    assert document["samples"] == 365
    assert document["start"] == "2024-06-01T00:00:00Z"
    trip = [a for a in document["alerts"] if "2024-09-06" <= a["start"] < "2024-09-14"]
    assert trip, "the trip of September is not among the alerts"
    done = [result for result in document["results"] if result["status"] == "succeeded"]
    assert len(done) >= len(document["results"]) * 0.9
