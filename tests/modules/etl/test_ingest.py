from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestrator.errors import DataError
from orchestrator.modules.base import InlineData, OperationContext
from orchestrator.modules.etl.ingest import run
from orchestrator.modules.etl.models import IngestInput, IngestResult
from orchestrator.plant.tags import Plant, Tag

PLANT = Plant(
    tags=(
        Tag(name="FI1", kind="flow", unit="metric_ton/h"),
        Tag(name="TI1", kind="temperature", unit="degC"),
    )
)


@pytest.fixture
def ingest(tmp_path: Path):
    def call(plant: Plant = PLANT, **parameters: object) -> IngestResult:
        context = OperationContext(
            now=datetime(2025, 1, 1, tzinfo=UTC), plant=plant, scratch=tmp_path
        )
        return run(IngestInput.model_validate(parameters), context)

    return call


def test_plain_text_is_read_and_written(ingest, tmp_path):
    result = ingest(text="time,FI1,TI1\n2025-01-01T00:00Z,100,350\n2025-01-01T01:00Z,101,\n")
    assert (result.rows_read, result.rows_kept, result.rejected) == (2, 2, ())
    assert result.columns == {
        "time": ["2025-01-01T00:00:00Z", "2025-01-01T01:00:00Z"],
        "FI1": [100.0, 101.0],
        "TI1": [350.0, None],
    }
    assert pq.read_table(tmp_path / result.artefact)["TI1"].to_pylist() == [350.0, None]


def test_decimal_commas_and_semicolons_are_found(ingest):
    result = ingest(
        text="Zeit;FI1;TI1\n31.12.2024 13:00;1.234,5;350,25\n31.12.2024 14:00;99;-0,5\n"
    )
    assert result.columns["FI1"] == [1234.5, 99.0]
    assert result.columns["TI1"] == [350.25, -0.5]
    assert result.columns["time"][0] == "2024-12-31T13:00:00Z"


def test_thousands_with_commas_are_not_decimals(ingest):
    result = ingest(text="time;FI1\n2025-01-01T00:00Z;1,234.5\n2025-01-01T01:00Z;12.5\n")
    assert result.columns["FI1"] == [1234.5, 12.5]


def test_units_are_converted_to_those_of_the_plant(ingest):
    result = ingest(
        text="time,FI1 [kg/h],TI1\n2025-01-01T00:00Z,250000,662\n", units={"TI1": "degF"}
    )
    assert result.columns["FI1"] == [pytest.approx(250.0)]
    assert result.columns["TI1"] == [pytest.approx(350.0)]
    assert {item.tag: item.converted for item in result.columns_taken} == {
        "FI1": "kg/h to metric_ton/h",
        "TI1": "degF to degC",
    }


def test_a_unit_of_another_quantity_is_refused(ingest):
    with pytest.raises(DataError, match=r"FI1: m\*\*3/h cannot be converted to metric_ton/h"):
        ingest(text="time,FI1\n2025-01-01T00:00Z,1\n", units={"FI1": "m**3/h"})


def test_local_times_are_converted_and_the_hour_that_comes_twice_is_kept_twice(ingest):
    rows = ["2025-10-26 01:30", "2025-10-26 02:30", "2025-10-26 02:30", "2025-10-26 03:30"]
    text = "time,FI1\n" + "\n".join(f"{time},{i}" for i, time in enumerate(rows))
    result = ingest(text=text, timezone="Europe/Rome")
    assert result.columns["time"] == [
        "2025-10-25T23:30:00Z", "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-26T02:30:00Z"
    ]  # fmt: skip
    assert result.columns["FI1"] == [0, 1, 2, 3]


def test_a_local_time_that_clocks_skip_is_rejected(ingest):
    text = "time,FI1\n2025-03-30 01:30,1\n2025-03-30 02:30,2\n2025-03-30 03:30,3\n"
    result = ingest(text=text, timezone="Europe/Rome")
    assert result.rows_kept == 2
    assert "does not exist in Europe/Rome" in result.rejected[0].reason


def test_times_with_an_offset_ignore_the_zone(ingest):
    text = "time,FI1\n2025-01-01T01:00:00+01:00,1\n2025-01-01T02:00:00+01:00,2\n"
    result = ingest(text=text, timezone="Asia/Tokyo")
    assert result.start == "2025-01-01T00:00:00Z"


def test_day_and_month_are_told_from_the_data_or_asked_for(ingest):
    plain = "time,FI1\n03/04/2025 00:00,1\n25/04/2025 00:00,2\n"
    assert ingest(text=plain).start == "2025-04-03T00:00:00Z"
    unclear = "time,FI1\n03/04/2025 00:00,1\n04/04/2025 00:00,2\n"
    with pytest.raises(DataError, match="day_first"):
        ingest(text=unclear)
    assert ingest(text=unclear, day_first=False).start == "2025-03-04T00:00:00Z"


@pytest.mark.parametrize(("keep", "value"), [("last", 3.0), ("first", 1.0), ("mean", 2.0)])
def test_duplicates_are_resolved_as_asked_and_counted(ingest, keep, value):
    text = "time,FI1\n2025-01-01T01:00Z,5\n2025-01-01T00:00Z,1\n2025-01-01T00:00Z,3\n"
    result = ingest(text=text, duplicates=keep)
    assert result.columns["FI1"] == [value, 5.0]
    assert (result.duplicates_resolved, result.reordered) == (1, 1)


def test_duplicates_can_be_refused(ingest):
    with pytest.raises(DataError, match="1 values repeat a time"):
        ingest(text="time,FI1\n2025-01-01,1\n2025-01-01,2\n", duplicates="refuse")


def test_bad_cells_and_rows_are_rejected_with_examples_and_the_rest_is_kept(ingest):
    text = (
        "time,FI1,TI1\n2025-01-01T00:00Z,100,350\nyesterday,1,2\n2025-01-01T01:00Z,broken,inf\n"
        ",5,5\n2025-01-01T02:00Z,1\n2025-01-01T03:00Z,102,n/a\n"
    )
    result = ingest(text=text)
    counts = {item.reason: (item.count, item.examples) for item in result.rejected}
    assert counts == {
        "the row has not 3 cells": (1, ("2025-01-01T02:00Z,1",)),
        "the time cannot be read": (1, ("yesterday",)),
        "the row has no time": (1, ("",)),
        "FI1: not a finite number": (1, ("broken",)),
        "TI1: not a finite number": (1, ("inf",)),
    }
    assert result.columns["FI1"] == [100.0, None, 102.0]
    assert "5 rows or cells rejected" in result.summary


def test_a_long_table_with_units_and_quality_becomes_wide(ingest):
    text = (
        "timestamp;tag;value;unit;quality\n"
        "2025-01-01T00:00Z;FI1;100000;kg/h;good\n2025-01-01T00:00Z;TI1;350;degC;good\n"
        "2025-01-01T01:00Z;FI1;101000;kg/h;bad\n2025-01-01T01:00Z;TI1;351;degC;good\n"
    )
    result = ingest(text=text)
    assert result.layout == "long"
    assert result.columns["FI1"] == [pytest.approx(100.0), None]
    assert result.columns["TI1"] == [350.0, 351.0]
    assert result.duplicates_resolved == 0
    assert result.rejected[0].reason == "the quality is bad"


def test_rows_and_columns_are_taken_as_well(ingest):
    rows = [{"time": "2025-01-01T00:00Z", "FI1": 1}, {"time": "2025-01-01T01:00Z", "X": 2.5}]
    result = ingest(data=InlineData(rows=tuple(rows)))
    assert result.columns["FI1"] == [1.0, None]
    assert result.columns["X"] == [None, 2.5]
    assert any("X is not in the plant file" in note for note in result.warnings)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"text": "  \n"}, "the text is empty"),
        ({"text": "time,FI1\n"}, "there are no rows"),
        ({"text": "time\n2025-01-01\n"}, "one column only"),
        ({"text": "time,FI1,FI1\n2025-01-01,1,2\n"}, "two have one name"),
        ({"text": "a,b\n1,2\n"}, "no column holds times"),
        ({"text": "time,FI1\n2025-01-01,1\n", "time_column": "when"}, "no column 'when'"),
        ({"text": "time,note\n2025-01-01,hello\n"}, "no column holds numbers"),
        ({"text": "time,FI1\n2025-01-01,1\n", "layout": "long"}, "a long table needs"),
        (
            {"text": "time,FI1\n2025-01-01,1\n", "units": {"X": "kg"}},
            "which the data does not hold",
        ),
        ({"data": InlineData(columns={"time": ["2025-01-01"], "F": []})}, "different lengths"),
        ({}, "no data was given"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(ingest, parameters, text):
    with pytest.raises(DataError, match=text):
        ingest(**parameters)


def test_an_unknown_zone_is_refused():
    with pytest.raises(ValueError, match="not an IANA time zone"):
        IngestInput(text="x", timezone="Mars/Olympus")
