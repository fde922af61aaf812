"""Files as a person loads them: streamed where they lie, sent to a service as text, kept in the historian."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Run = Callable[..., Any]
RAGGED = "time;F;T\n" + "".join(
    f"2026-02-01 {h:02d}:{m:02d};{100 + m / 7:.3f};{'I/O Timeout' if m == 7 else 350}\n"
    for h in range(4)
    for m in range(60)
).replace("2026-02-01 02:05;", "2026-02-01 02:05;1;2;", 1).replace(".", ",")


def file(folder: Path) -> Path:
    path = folder / "export.csv.gz"
    path.write_bytes(gzip.compress(RAGGED.encode("utf-16")))
    return path


def test_a_file_with_faults_is_loaded_says_what_it_left_out_and_is_kept(
    dan_g: Run, tmp_path: Path
) -> None:
    keep = ("--params", json.dumps({"to_historian": True}))
    done = dan_g(
        "invoke", "etl", "ingest", "--data", file(tmp_path), "--timezone", "Europe/Rome", *keep, "--json"
    )  # fmt: skip
    assert done.code == 0, done.err
    result = done.json()
    assert (result["rows_read"], result["rows_kept"]) == (240, 239)
    assert result["start"] == "2026-01-31T23:00:00Z"
    found = {
        item["reason"]: (item["count"], item["examples"][0]["row"]) for item in result["rejected"]
    }
    assert found == {
        "the row has not 3 cells": (1, 127),
        "no good value, the source says 'I/O Timeout'": (4, 9),
    }
    assert "appended to the historian" in result["summary"]
    span = {"start": "2026-01-31T23:00:00Z", "end": "2026-02-01T03:00:00Z"}
    checked = dan_g("invoke", "etl", "validate", "--params", json.dumps({"data": span}), "--json")
    assert checked.code == 0, checked.err
    samples = {tag["tag"]: tag["samples"] for tag in checked.json()["tags"]}
    assert samples == {"F": 239, "T": 235}


def test_local_times_given_inline_are_read_in_the_zone_that_is_stated(dan_g: Run) -> None:
    rows = [{"when": "2026-07-01 12:00", "F": 1.0}, {"when": "2026-07-01 13:00", "F": "1,5"}]
    given = json.dumps({"data": {"rows": rows}, "timezone": "Europe/Rome", "decimal": ","})
    done = dan_g("invoke", "etl", "ingest", "--params", given, "--json")
    assert done.code == 0, done.err
    assert done.json()["columns"]["time"][0] == "2026-07-01T10:00:00Z"
    assert done.json()["columns"]["F"][1] == 1.5


def test_a_file_without_times_is_numbered_where_that_is_stated(dan_g: Run, tmp_path: Path) -> None:
    path = tmp_path / "lab.txt"
    path.write_text("  u1   u2\n" + "".join(f" {i}.5e-1   {i}\n" for i in range(20)))
    refused = dan_g("invoke", "etl", "validate", "--data", path, "--json")
    assert refused.code == 2
    assert "--period-seconds" in refused.problem()["remedy"]
    stated = ("--start", "2026-01-01T00:00:00Z", "--period-seconds", "360")
    done = dan_g("invoke", "etl", "validate", "--data", path, *stated, "--json")
    assert done.code == 0, done.err
    assert done.json()["time"]["period_seconds"] == 360


def test_a_running_service_gets_the_content_and_reads_no_path(
    dan_g: Run, start: Run, tmp_path: Path
) -> None:
    wide = tmp_path / "f.parquet"
    times = pa.array([datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)])
    pq.write_table(pa.table({"when": times, "F": [1.0, None, 3.0]}), wide)
    with start("serve", "--port", "0") as running:
        for path, rows in ((file(tmp_path), 239), (wide, 3)):
            done = dan_g("invoke", "etl", "ingest", "--data", path, "--url", running.url, "--json")
            assert done.code == 0, done.err
            assert done.json()["rows_kept"] == rows
        given = json.dumps({"file": str(wide)})
        refused = dan_g(
            "invoke", "etl", "ingest", "--params", given, "--url", running.url, "--json"
        )
        assert refused.code == 2
        assert "no folder that this service may read from" in refused.problem()["detail"]
