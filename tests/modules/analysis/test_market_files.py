"""Files of any naming by a mapping file, and files as FRED gives them."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.errors import ConfigurationError, DataError
from orchestrator.modules.analysis.mapping import FileMapping, load_mapping, matching
from orchestrator.modules.analysis.market_files import FileData, read_file


def read(path: Path, **mapping) -> FileData:
    return read_file(path, FileMapping.model_validate({"path": str(path), **mapping}))


def values(data: FileData, series: str) -> dict[str, float | None]:
    return {
        f"{item.period:%Y-%m-%d}": item.value for item in data.observations if item.series == series
    }


def test_a_wide_file_of_any_naming(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("Tag;WTI $;Ben zin;Note\n31.01.2025;72,5;2,10;a\n01.02.2025;n. v.;2,11;b\n")
    data = read(
        path,
        time="Tag",
        date_format="%d.%m.%Y",
        separator=";",
        decimal=",",
        missing=["n. v."],
        columns={
            "WTI $": {"series": "wti", "product": "crude", "unit": "USD/bbl"},
            "Ben zin": {"series": "gasoline", "unit": "USD/bbl", "scale": 42},
        },
    )
    assert values(data, "wti") == {"2025-01-31": 72.5}
    assert values(data, "gasoline") == {
        "2025-01-31": pytest.approx(88.2),
        "2025-02-01": pytest.approx(88.62),
    }
    assert {item.unit for item in data.observations} == {"USD/bbl"}
    assert data.unmapped == ("Note",)


def test_a_long_file_compressed(tmp_path: Path) -> None:
    path = tmp_path / "long.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write(
            "id,when,amount,who\nS1,2025-01-03,10,x\nS2,2025-01-03,20,x\nS3,2025-01-03,1,x\n"
        )
        file.write("S1,2025-01-10,,x\n")
    mapping = {
        "layout": "long",
        "time": "when",
        "series_column": "id",
        "value_column": "amount",
    }
    data = read(path, **mapping, columns={"S1": {"series": "crude stocks"}, "S2": {}})
    assert values(data, "crude stocks") == {"2025-01-03": 10.0}
    assert values(data, "S2") == {"2025-01-03": 20.0}
    assert data.unmapped == ("S3",)
    every = read(path, **mapping)
    assert sorted(every.series) == ["S1", "S2", "S3"]


def test_parquet_keeps_its_own_types(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    table = pa.table(
        {
            "day": pa.array([date(2025, 1, 2), date(2025, 1, 3)]),
            "brent": pa.array([75.0, None]),
            "jet": pa.array([float("nan"), 2.5]),
        }
    )
    pq.write_table(table, path)
    data = read(path, time="day", columns={"brent": {}, "jet": {}})
    assert values(data, "brent") == {"2025-01-02": 75.0}
    assert values(data, "jet") == {"2025-01-03": 2.5}


def test_a_file_of_fred_needs_no_more_than_its_path(tmp_path: Path) -> None:
    path = tmp_path / "fred.csv"
    path.write_text(
        "observation_date,DCOILWTICO,DCOILBRENTEU\n2025-01-01,,.\n2025-01-02,73.79,76\n"
    )
    data = read(path)
    assert values(data, "DCOILWTICO") == {"2025-01-02": 73.79}
    assert values(data, "DCOILBRENTEU") == {"2025-01-02": 76.0}
    old = tmp_path / "DCOILWTICO.csv"
    old.write_text("DATE,VALUE\n1986-01-02,25.56\n1986-01-03,.\n")
    assert values(read(old), "DCOILWTICO") == {"1986-01-02": 25.56}


def test_times_of_knowledge_are_now_the_file_s_or_stated(tmp_path: Path) -> None:
    path = tmp_path / "fred.csv"
    path.write_text("DATE,X\n2025-01-02,73.79\n")
    os.utime(path, (1.75e9, 1.75e9))
    assert read(path).known_at is None
    assert read(path, known_at="file").known_at == datetime.fromtimestamp(1.75e9, tz=UTC)
    stated = read(path, known_at="2025-01-08T10:30:00-05:00").known_at
    assert stated == datetime(2025, 1, 8, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "mapping", "told"),
    [
        ("when,WTI\n2025-01-02,1\n", {}, "not one of FRED"),
        ("DATE,WTI\n2025-01-02,1\n2025-13-02,1\n", {}, r"row 2 of values, column DATE.*2025-13-02"),
        ("DATE,WTI\n2025-01-02,1\n2025-01-03,n/v\n", {}, "row 2 of values, column WTI: 'n/v'"),
        ("DATE,WTI\n2025-01-02,inf\n", {}, "'inf' is no number"),
        ("DATE,WTI\n2025-01-02,1,2\n", {}, "cannot be read"),
        ("DATE,A,A\n2025-01-02,1,2\n", {}, "names A more than once"),
        ("", {}, "cannot be read"),
        (
            "day,WTI\n2025-01-02,1\n",
            {"time": "day", "columns": {"Brent": {}}},
            "no column 'Brent'.*day, WTI",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, mapping: dict, told: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=told) as error:
        read(path, **mapping)
    assert str(path) in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize("cell", ["1.234", "1.5", "1_000", "1.234,5", "1e5_0"])
def test_only_the_decimal_mark_of_the_mapping_is_one(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"day;X\n2025-01-02;{cell}\n")
    comma = {"time": "day", "separator": ";", "decimal": ",", "columns": {"X": {}}}
    with pytest.raises(DataError, match=f"row 1 of values, column X: '{cell}' is no number"):
        read(path, **comma)
    path.write_text("day;X\n2025-01-02;-1,5\n2025-01-03;+2\n2025-01-04;1,5e3\n2025-01-05;,5\n")
    assert list(values(read(path, **comma), "X").values()) == [-1.5, 2.0, 1500.0, 0.5]
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.table({"day": ["2025-01-02"], "X": [1.5]}), parquet)
    assert values(read(parquet, **comma), "X") == {"2025-01-02": 1.5}


def test_a_mapping_file_finds_its_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.csv", "a.csv"):
        (tmp_path / "in" / name).write_text("DATE,X\n2025-01-02,1\n")
    mapping = tmp_path / "market.yaml"
    mapping.write_text("files: [{path: in/*.csv}]")
    (file,) = load_mapping(mapping).files
    assert [path.name for path in matching(file, mapping)] == ["a.csv", "b.csv"]
    absolute = file.model_copy(update={"path": str(tmp_path / "in" / "*.csv")})
    assert len(matching(absolute, mapping)) == 2
    with pytest.raises(ConfigurationError, match="no file is there for path 'x"):
        matching(file.model_copy(update={"path": "x*.csv"}), mapping)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("files: []", "files: must have at least 1 item"),
        ("files: [{path: a, colums: {}}]", "files.0.colums: unknown field"),
        ("files: [{path: a, time: d, columns: {x: {role: cost}}}]", "columns.x.role.*cost"),
        ("files: [{path: a, layout: long}]", "time, series_column and value_column"),
        ("files: [{path: a, columns: {x: {}}}]", "time must name the column"),
        ("files: [{path: a, time: d}]", "columns must name at least one"),
        ("files: [{path: a, separator: ',', decimal: ','}]", "are both ','"),
        ("files: [{path: a, time: d, columns: {x: {series: s}, y: {series: s}}}]", "more than one"),
        ("files: [{path: a, path: b}]", "given twice"),
        ("- a", "must be an object"),
    ],
)
def test_a_mapping_file_that_does_not_fit_is_named_with_key_and_remedy(
    tmp_path: Path, text: str, told: str
) -> None:
    mapping = tmp_path / "market.yaml"
    mapping.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as error:
        load_mapping(mapping)
    assert str(mapping) in str(error.value)
    assert error.value.remedy


def test_real_spot_prices_are_read(shared: Path) -> None:
    path = shared / "data" / "market" / "spot_prices_daily.csv.gz"
    if not path.exists():
        pytest.skip(f"reference data is absent: {path}")
    data = read(path)
    assert len(data.series) == 11
    assert values(data, "RWTC")["1986-01-02"] == 25.56
    assert values(data, "RWTC")["2020-04-20"] < 0
