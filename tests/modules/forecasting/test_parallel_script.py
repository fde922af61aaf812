from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from orchestrator.simple_forecasting_script_parallel import main

ROOT = Path(__file__).parents[3]
ROWS = 120


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path / "plant.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "A", "B", "stuck"])
        for i in range(ROWS):
            at = np.datetime64("2025-01-01T00:00") + np.timedelta64(i, "h")
            writer.writerow([at, 50 + rng.normal(), 5 * i + rng.normal(), 7])
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "forecast.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_run_by_its_path_it_writes_a_table_and_a_plot_with_two_processes(
    data: Path, tmp_path: Path
):
    out = tmp_path / "out"
    command = [sys.executable, "-W", "error", "orchestrator/simple_forecasting_script_parallel.py",
               "--data", str(data), "--targets", "A,B", "--horizon", "6", "--jobs", "2",
               "--out", str(out)]  # fmt: skip
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 targets forecast 6 steps ahead" in done.stderr
    assert "2/2" in done.stderr
    assert (out / "forecast.png").read_bytes().startswith(b"\x89PNG")
    table = rows(out)
    assert [row["target"] for row in table] == ["A"] * 6 + ["B"] * 6
    assert table[0]["time"] == "2025-01-06T00:00:00Z"
    for row in table:
        assert (
            float(row["lo_95"]) <= float(row["lo_80"]) <= float(row["hi_80"]) <= float(row["hi_95"])
        )
    assert abs(float(table[-1]["mean"]) - 5 * (ROWS + 5)) < 6

    alone = tmp_path / "alone"
    assert main(["--data", str(data), "--targets", "A,B", "--horizon", "6", "--jobs", "1",
                 "--out", str(alone)]) == 0  # fmt: skip
    assert rows(alone) == table


def test_a_planned_input_is_used_on_every_process(tmp_path: Path):
    rng = np.random.default_rng(4)
    feed = np.repeat(rng.uniform(800, 1200, 40), 4)[: ROWS + 5]
    path = tmp_path / "planned.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "P", "Q", "feed"])
        for i in range(ROWS + 5):
            made = [0.3 * feed[i] + rng.normal(), 0.5 * feed[i] + rng.normal()]
            at = np.datetime64("2025-01-01") + np.timedelta64(i, "D")
            writer.writerow([at, *(made if i < ROWS else ["", ""]), feed[i]])
    arguments = ["--data", str(path), "--targets", "P,Q", "--horizon", "5", "--models", "fast",
                 "--known-future", "feed", "--jobs", "2", "--out", str(tmp_path)]  # fmt: skip
    assert main(arguments) == 0
    found = {
        name: [float(r["mean"]) for r in rows(tmp_path) if r["target"] == name] for name in "PQ"
    }
    assert found["P"] == pytest.approx(0.3 * feed[ROWS:], rel=0.03)
    assert found["Q"] == pytest.approx(0.5 * feed[ROWS:], rel=0.03)


def test_a_target_that_cannot_be_forecast_is_said_and_the_others_are_done(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["--data", str(data), "--horizon", "3", "--jobs", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--targets", "A,stuck"]) == 0
    assert "never changes" in capsys.readouterr().err
    assert {row["target"] for row in rows(tmp_path)} == {"A"}
    assert main([*arguments, "--targets", "stuck"]) == 2


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"--targets": "A,X"}, 2, "no column or tag 'X'"),
        ({"--targets": " , "}, 2, "no targets are given"),
        ({"--horizon": "0"}, 2, "horizon is 0"),
        ({"--horizon": "500"}, 2, "need at least 1500 values"),
        ({"--jobs": "0"}, 2, "Give 1 or more"),
        ({"--data": "nowhere.csv"}, 3, "there is no such file"),
        ({"--out": "{data}"}, 5, "cannot write"),
    ],
)
def test_wrong_usage_has_a_clear_error_and_its_exit_code(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change, code, text
):
    options = {"--data": str(data), "--targets": "A", "--horizon": "2", "--jobs": "1",
               "--out": str(tmp_path / "out")}  # fmt: skip
    options |= {name: value.format(data=data) for name, value in change.items()}
    assert main([part for pair in options.items() for part in pair]) == code
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_conflicting_values_at_one_time_are_refused(data: Path, capsys: pytest.CaptureFixture[str]):
    lines = data.read_text().splitlines()
    twice = lines[50].split(",")
    data.write_text("\n".join([*lines, ",".join([twice[0], "99", *twice[2:]])]))
    assert main(["--data", str(data), "--targets", "A", "--horizon", "2"]) == 2
    assert "contradict one another stand at the same time (1)" in capsys.readouterr().err


def test_infinite_values_are_refused_where_they_are_used(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lines = data.read_text().splitlines()
    cells = lines[50].split(",")
    lines[50] = ",".join([*cells[:2], "inf", cells[3]])
    data.write_text("\n".join(lines))
    arguments = ["--data", str(data), "--horizon", "2", "--jobs", "1", "--out", str(tmp_path)]
    for given in (["--targets", "B"], ["--targets", "all"],
                  ["--targets", "A", "--known-future", "B"]):  # fmt: skip
        assert main([*arguments, *given]) == 2
        assert "plant.csv, B: 1 values are infinite" in capsys.readouterr().err
    assert main([*arguments, "--targets", "A"]) == 0


def test_a_column_whose_name_holds_a_comma_can_be_named(data: Path, tmp_path: Path):
    data.write_text(data.read_text().replace("time,A,B", 'time,"A, hot",B', 1))
    arguments = ["--data", str(data), "--horizon", "2", "--jobs", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--targets", "A, hot"]) == 0
    assert {row["target"] for row in rows(tmp_path)} == {"A, hot"}


def test_a_missing_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["--data", "x.csv"])
    assert stopped.value.code == 2
    assert "--targets" in capsys.readouterr().err
