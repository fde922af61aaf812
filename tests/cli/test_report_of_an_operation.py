"""``dan-g invoke … --report``: the page is written to the file, and not printed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def days(folder: Path) -> Path:
    rng = random.Random(4)
    lines = ["time,feed,light,heavy"]
    for day in range(1, 29):
        feed = 100 + 3 * rng.random()
        light = 0.4 * feed * (1 + 0.01 * rng.random())
        lines.append(f"2026-02-{day:02d},{feed:.3f},{light:.3f},{0.6 * feed:.3f}")
    file = folder / "days.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


BALANCE = json.dumps(
    {"balances": [{"name": "unit", "inputs": ["feed"], "outputs": ["light", "heavy"]}]}
)


def test_the_report_is_written_and_not_printed(dan_g: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = dan_g(
        "invoke", "etl", "reconcile", "--params", BALANCE, "--data", days(tmp_path),
        "--report", report, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "report" not in done.json()
    assert len(done.json()["periods"][0]["periods"]) == 28
    page = report.read_text()
    assert page.startswith("<!doctype html>")
    assert "unit, day by day" in page


def test_a_report_of_the_market_is_written_as_markdown_too(dan_g: Run, tmp_path: Path) -> None:
    rng = random.Random(5)
    lines = ["date,RWTC"]
    lines += [
        f"2025-{m:02d}-{d:02d},{70 + rng.random():.2f}" for m in (1, 2, 3) for d in range(1, 29)
    ]
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(lines) + "\n")
    for name, start in (("market.md", "# Prices, as of 2025-03-28"), ("m.html", "<!doctype html>")):
        done = dan_g(
            "invoke", "analysis", "prices", "--data", file, "--report", tmp_path / name, "--json"
        )
        assert done.code == 0, done.err
        assert (tmp_path / name).read_text().startswith(start)
        assert done.json().get("report") is None


def test_a_report_into_no_folder_is_refused_before_the_run(dan_g: Run, tmp_path: Path) -> None:
    done = dan_g(
        "invoke", "etl", "reconcile", "--params", BALANCE, "--data", days(tmp_path),
        "--report", tmp_path / "absent" / "report.html",
    )  # fmt: skip
    assert done.code == 2
    assert "make the folder" in done.err


def test_an_operation_without_a_report_says_so(dan_g: Run, tmp_path: Path) -> None:
    done = dan_g(
        "invoke", "etl", "validate", "--data", days(tmp_path), "--report", tmp_path / "r.html"
    )
    assert done.code == 2
    assert "etl.validate makes no report" in done.err
    assert "leave --report out" in done.err


def test_a_network_is_measured_by_the_columns_of_the_data_given_with_it(
    dan_g: Run, tmp_path: Path
) -> None:
    streams = [
        {"id": "feed", "from": None, "to": "unit", "measured": 1.0, "sd": 0.5},
        {"id": "light", "from": "unit", "to": None},
        {"id": "heavy", "from": "unit", "to": None},
    ]
    done = dan_g(
        "invoke", "etl", "reconcile", "--params", json.dumps({"streams": streams}),
        "--data", days(tmp_path), "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    found = {stream["id"]: stream for stream in done.json()["streams"]}
    assert 100 < found["feed"]["measured"] < 103
    assert found["feed"]["sd_source"] == "given"
    assert found["light"]["sd_source"] == "differences"
