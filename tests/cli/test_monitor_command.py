"""``dan-g monitor`` and ``dan-g models`` as programs: what they print is what is promised."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.cli import run

TAGS = ("FI-1", "FI-2", "TI-1", "TI-2", "PI-1", "AI-1")


def write(path: Path, rows: int, seed: int, *, shift_from: int | None = None) -> Path:
    """Six tags of two movements, one a sampled analyser; from a row on TI-1 reads high."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((rows, 2)) @ np.array([[3, 2, 0, 0, 0.2], [0, 0, 2, 1.5, 0.4]])
    values += random.standard_normal((rows, 5)) * [0.8, 0.8, 0.5, 0.5, 0.1]
    if shift_from is not None:
        values[shift_from:, 2] += 8.0
    analyser = np.repeat(random.standard_normal(rows // 5 + 1), 5)[:rows]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *TAGS])
        for row in range(rows):
            stamp = np.datetime64("2026-01-01T00:00:00") + np.timedelta64(row, "m")
            writer.writerow([f"{stamp}Z", *values[row], analyser[row]])
    return path


def test_the_document_has_one_entry_a_row_and_the_alarm_is_what_the_limits_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.csv", 500, 1)
    test = write(tmp_path / "test.csv", 300, 2, shift_from=200)
    assert run(["monitor", str(train), str(test), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    promised = {"samples", "t2", "t2_limit", "spe", "spe_limit", "alarm", "alerts"}
    assert set(document) == promised | {"warnings"}
    assert document["samples"] == 300
    assert len(document["t2"]) == len(document["spe"]) == len(document["alarm"]) == 300
    for t2, spe, alarm in zip(document["t2"], document["spe"], document["alarm"], strict=True):
        assert alarm is (t2 > document["t2_limit"] or spe > document["spe_limit"])
    assert all(document["alarm"][200:])
    assert np.mean(document["alarm"][:200]) < 0.1
    last = document["alerts"][-1]
    assert set(last) == {"start", "end", "severity", "contributions", "diagnosis", "levels"}
    assert datetime.fromisoformat(last["start"]) == datetime.fromisoformat("2026-01-01T03:20:00Z")
    assert last["end"] is None
    assert last["contributions"][0]["tag"] == "TI-1"
    assert sum(part["share"] for part in last["contributions"]) == pytest.approx(1.0, abs=1e-5)
    assert "TI-1" in last["diagnosis"]


def test_calibration_meets_the_stated_rate_on_the_record_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, normal = write(tmp_path / "train.csv", 500, 1), write(tmp_path / "normal.csv", 900, 3)
    command = ["monitor", str(train), str(normal), "--calibrate", str(normal)]
    assert run([*command, "--false-alarm-rate", "0.05", "--json"]) == 0
    alarm = json.loads(capsys.readouterr().out)["alarm"]
    assert np.mean(alarm) == pytest.approx(0.05, abs=0.01)


def test_a_rate_that_is_no_share_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.csv", 300, 1)
    code = run(["monitor", str(train), str(train), "--false-alarm-rate", "5", "--json"])
    assert code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "--false-alarm-rate" in said.err


def test_a_record_of_few_rows_is_judged_by_principal_components(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.csv", 100, 1)
    test = write(tmp_path / "test.csv", 60, 2, shift_from=30)
    assert run(["monitor", str(train), str(test), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert all(document["alarm"][30:])
    assert not all(document["alarm"][:30])


def test_a_fitted_model_is_in_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, home = write(tmp_path / "train.csv", 300, 1), str(tmp_path / "home")
    command = ["models", "fit", "monitoring", str(train), "--home", home, "--json"]
    assert run([*command, "--reason", "after the turnaround"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["version"], record["rows"], record["source"]) == (1, 300, "train.csv")
    assert run(["models", "list", "monitoring", "--home", home, "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed == record
    assert listed["reason"] == "after the turnaround"


def judged(
    train: Path, test: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> dict[str, Any]:
    assert run(["monitor", str(train), str(test), "--json", *options]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def changed(path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> Path:
    """The file with its data rows, as cells, changed."""
    head, *rows = path.read_text().splitlines()
    cells = change([row.split(",") for row in rows])
    path.write_text("\n".join([head, *(",".join(row) for row in cells)]) + "\n")
    return path


def test_a_record_whose_signals_are_lost_is_not_called_normal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.csv", 300, 1)
    test = changed(
        write(tmp_path / "test.csv", 100, 2),
        lambda rows: [
            row if n < 40 else [row[0], *([""] * (len(row) - 1))] for n, row in enumerate(rows)
        ],
    )
    document = judged(train, test, capsys)
    (alert,) = [alert for alert in document["alerts"] if "no usable value" in alert["diagnosis"]]
    assert (alert["start"], alert["end"]) == ("2026-01-01T00:40:00Z", None)
    assert sum(part["share"] for part in alert["contributions"]) == pytest.approx(1, abs=1e-4)
    assert document["t2"][60:] == [None] * 40
    assert any("were not judged" in warning for warning in document["warnings"])


def test_what_limits_the_judgement_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.csv", 60, 1)
    test = changed(write(tmp_path / "test.csv", 60, 2), lambda rows: [*rows, rows[-1]])
    warnings = " ".join(judged(train, test, capsys)["warnings"])
    assert "60 rows are few to learn from" in warnings
    assert "1 repeats dropped" in warnings


def test_local_times_are_read_in_their_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = write(tmp_path / "train.csv", 300, 1)
    test = changed(
        write(tmp_path / "test.csv", 60, 2, shift_from=30),
        lambda rows: [[row[0].removesuffix("Z"), *row[1:]] for row in rows],
    )
    document = judged(train, test, capsys, "--timezone", "Europe/Rome")
    assert document["alerts"][0]["start"] == "2025-12-31T23:30:00Z"
