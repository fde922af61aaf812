from __future__ import annotations

import gzip
import math
import tempfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import DataError, ParameterError, UnknownTagError
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


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    """A minimal workbook, written by hand: text, numbers and date cells."""

    def cell(value: object) -> str:
        if isinstance(value, datetime):
            days = (value - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
            return f'<c s="1"><v>{days!r}</v></c>'
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value!r}</v></c>"

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    names = list(sheets)
    listed = "".join(
        f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1)
    )
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r0" Target="xl/workbook.xml" Type="{office}/officeDocument"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{rels}">'
        + "".join(
            f'<Relationship Id="r{i}" Target="worksheets/s{i}.xml" Type="{office}/worksheet"/>'
            for i in range(1, len(names) + 1)
        )
        + f'<Relationship Id="r99" Target="styles.xml" Type="{office}/styles"/></Relationships>',
    }
    for i, name in enumerate(names, 1):
        rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in sheets[name])
        parts[f"xl/worksheets/s{i}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return path


@pytest.fixture
def ingest(tmp_path: Path):
    def call(plant: Plant = PLANT, **parameters: object) -> IngestResult:
        context = OperationContext(
            now=datetime(2025, 1, 1, tzinfo=UTC),
            plant=plant,
            scratch=tmp_path,
            settings={"local_access": True},
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
    with pytest.raises(DataError, match="2025-01-01T00:00:00Z comes more than once"):
        ingest(text="time,FI1\n2025-01-01,1\n2025-01-01,2\n", duplicates="refuse")


def test_bad_cells_and_rows_are_rejected_with_examples_and_the_rest_is_kept(ingest):
    text = (
        "time,FI1,TI1\n2025-01-01T00:00Z,100,350\nyesterday,1,2\n2025-01-01T01:00Z,broken,inf\n"
        ",5,5\n2025-01-01T02:00Z,1\n2025-01-01T03:00Z,102,n/a\n"
    )
    result = ingest(text=text)
    found = {
        (item.reason, item.column): (item.count, item.whole_rows, item.examples[0].row,
                                     item.examples[0].text)
        for item in result.rejected
    }  # fmt: skip
    assert found == {
        ("the row has not 3 cells", None): (1, True, 6, "2025-01-01T02:00Z,1"),
        ("the time cannot be read", None): (1, True, 3, "yesterday"),
        ("the row has no time", None): (1, True, 5, ""),
        ("not a number", "FI1"): (1, False, 4, "broken"),
        ("not a finite number", "TI1"): (1, False, 4, "inf"),
    }
    assert (result.rows_read, result.rows_kept) == (6, 3)
    assert result.columns["FI1"] == [100.0, None, 102.0]
    assert "3 rows and 2 cells rejected" in result.summary


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
        ({"text": "time,FI1\n"}, "a header and no row"),
        ({"text": "time\n2025-01-01\n"}, "a time column and nothing else"),
        ({"text": "time,FI1,FI1\n2025-01-01,1,2\n"}, "'FI1' more than once"),
        ({"text": "a,b\n1,2\n"}, "no column holds times"),
        ({"text": "time,FI1\n2025-01-01,1\n", "time_column": "when"}, "no column 'when'"),
        ({"text": "time,note\n2025-01-01,hello\n"}, "not one number"),
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


def test_the_word_for_a_failure_is_told_from_nonsense(ingest):
    text = "time,FI1\n2025-01-01T00:00Z,1\n" + "".join(
        f"2025-01-01T0{i}:00Z,{cell}\n"
        for i, cell in enumerate(("I/O Timeout", "No Data", "x7"), 1)
    )
    reasons = {item.reason for item in ingest(text=text).rejected}
    assert reasons == {
        "no good value, the source says 'I/O Timeout'", "no good value, the source says 'No Data'",
        "not a number",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("codes", "good", "uncertain", "bad"),
    [
        (("192", "0", "64", "216"), 2, 1, 1),
        (("0", "0", "1", "2"), 2, 1, 1),
        (("0", "2147483648", "1073741824", "0"), 2, 1, 1),
        (("Good", "Bad", "Uncertain", "I/O Timeout"), 1, 1, 2),
        (("0x00000000", "0x80350000", "0x40000000", ""), 2, 1, 1),
    ],
)
def test_quality_codes_of_every_kind_are_told_apart(ingest, codes, good, uncertain, bad):
    rows = (f"2025-01-01T0{i}:00Z,FI1,{i},{code}\n" for i, code in enumerate(codes))
    (column,) = ingest(text="time,tag,value,quality\n" + "".join(rows)).columns_taken
    assert (column.values, column.uncertain, column.bad) == (good + uncertain, uncertain, bad)


def test_a_zero_before_the_first_code_of_opc_is_bad_as_well(ingest):
    rows = [f"2025-01-01T00:{i // 60:02d}:{i % 60:02d}Z,FI1,1,0\n" for i in range(3000)]
    text = "time,tag,value,quality\n" + "".join(rows) + "2025-01-02T00:00Z,FI1,1,192\n"
    (column,) = ingest(text=text).columns_taken
    assert (column.values, column.bad) == (1, 3000)


def test_an_unknown_quality_is_not_trusted_and_is_reported(ingest):
    text = "time,tag,value,quality\n2025-01-01,FI1,1,good\n2025-01-02,FI1,2,perfect\n"
    result = ingest(text=text)
    assert result.columns["FI1"] == [1.0, None]
    assert {item.reason for item in result.rejected} == {
        "the quality is not known, so the value is not used", "the quality is bad"
    }  # fmt: skip


def test_the_rows_tell_which_pass_of_the_hour_that_comes_twice_is_meant(ingest):
    minutes = [*range(0, 60, 20)] * 2
    rows = "".join(f"2025-10-26 02:{m:02d},{i}\n" for i, m in enumerate(minutes))
    result = ingest(text="time,FI1\n2025-10-26 01:40,9\n" + rows, timezone="Europe/Berlin")
    assert result.columns["time"][1:] == [
        "2025-10-26T00:00:00Z", "2025-10-26T00:20:00Z", "2025-10-26T00:40:00Z",
        "2025-10-26T01:00:00Z", "2025-10-26T01:20:00Z", "2025-10-26T01:40:00Z",
    ]  # fmt: skip
    assert any("3 were read as its first pass and 3 as its second" in w for w in result.warnings)


def test_a_long_table_repeats_the_hour_tag_by_tag(ingest):
    rows = [f"2025-10-26 02:30;{tag};{i}\n" for i in range(2) for tag in ("FI1", "TI1")]
    result = ingest(text="time;tag;value\n" + "".join(rows), timezone="Europe/Rome")
    assert result.columns["FI1"] == [0.0, 1.0]
    assert result.columns["TI1"] == [0.0, 1.0]


def test_where_nothing_tells_the_pass_that_is_said_and_can_be_stated(ingest):
    text = "time,FI1\n2025-10-26 02:30,1\n2025-10-26 05:30,2\n"
    result = ingest(text=text, timezone="Europe/Rome")
    assert result.start == "2025-10-26T00:30:00Z"
    assert any("does not tell, the first is assumed" in note for note in result.warnings)
    second = ingest(text=text, timezone="Europe/Rome", ambiguous="second")
    assert second.start == "2025-10-26T01:30:00Z"


def test_a_skipped_local_time_can_be_read_an_hour_later(ingest):
    text = "time,FI1\n2025-03-30 01:30,1\n2025-03-30 02:30,2\n"
    result = ingest(text=text, timezone="Europe/Rome", nonexistent="shift")
    assert result.columns["time"][1] == "2025-03-30T01:30:00Z"
    assert any("read an hour later" in note for note in result.warnings)


@pytest.mark.parametrize("zone", ["Europe/Rome", "America/New_York", "Australia/Lord_Howe"])
def test_a_year_of_local_times_gives_back_every_instant(ingest, zone):
    instants = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * i) for i in range(17520)]
    rows = "".join(
        f"{t.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M},{i}\n" for i, t in enumerate(instants)
    )
    result = ingest(text="time,FI1\n" + rows, timezone=zone)
    assert (result.rows_kept, result.duplicates_resolved, result.reordered) == (17520, 0, 0)
    assert result.period_seconds == 1800
    assert not result.rejected


def test_rows_without_times_are_numbered_where_start_and_period_are_stated(ingest):
    text = "  u1   u2\n 1.0e-1  2\n 3  4\n"
    with pytest.raises(DataError, match="period_seconds"):
        ingest(text=text)
    result = ingest(text=text, start="2025-01-01T00:00:00Z", period_seconds=360)
    assert result.columns == {
        "time": ["2025-01-01T00:00:00Z", "2025-01-01T00:06:00Z"], "u1": [0.1, 3.0], "u2": [2.0, 4.0]
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_in_any_encoding_plain_or_packed(ingest, tmp_path, encoding, packed):
    content = "time;Ofen °C\r\n2025-01-01;1,5\r\n2025-01-02;2,5\r\n".encode(encoding)
    path = tmp_path / ("export.csv.gz" if packed else "export.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert ingest(file=str(path)).columns["Ofen °C"] == [1.5, 2.5]


def test_a_sign_that_is_no_utf8_deep_in_a_file_is_read_as_the_windows_code(ingest, tmp_path):
    rows = "".join(f"2025-01-01T00:{i // 60:02d}:{i % 60:02d},1,ok\n" for i in range(3500))
    late = "2025-01-02,2,12 °C\n"
    (tmp_path / "f.csv").write_bytes(("time,FI1,note\n" + rows * 5 + late).encode("cp1252"))
    result = ingest(file=str(tmp_path / "f.csv"))
    assert [item.column for item in result.left_out] == ["note"]
    assert result.end == "2025-01-02T00:00:00Z"


def test_most_rows_unreadable_is_a_refusal_and_not_a_long_list(ingest):
    text = "time,FI1\n2025-01-01,1\n" + "2025-01-02;2;3\n" * 10
    with pytest.raises(DataError, match=r"10 of the first 11 rows|10 of 11 rows cannot be read"):
        ingest(text=text)


def test_a_storm_of_nan_is_counted_once_a_column(ingest):
    rows = "".join(f"2025-01-01T00:{i // 60:02d}:{i % 60:02d}Z,nan,{i}\n" for i in range(3000))
    result = ingest(text="time,FI1,TI1\n" + rows + "2025-01-02T00:00Z,1,1\n")
    (rejected,) = result.rejected
    assert (rejected.reason, rejected.column, rejected.count) == (
        "not a finite number",
        "FI1",
        3000,
    )


def test_a_workbook_is_read_sheet_by_name_or_the_first_that_is_filled(ingest, tmp_path):
    path = workbook(
        tmp_path / "tanks.xlsx",
        {"Cover": [], "Level": [["time", "FI1"], [datetime(2025, 1, 1, tzinfo=UTC), 1.5], [datetime(2025, 1, 1, 6, tzinfo=UTC), "Bad"]]},
    )  # fmt: skip
    result = ingest(file=str(path))
    assert result.columns == {
        "time": ["2025-01-01T00:00:00Z", "2025-01-01T06:00:00Z"], "FI1": [1.5, None]
    }  # fmt: skip
    assert ingest(file=str(path), sheet="Level").rows_kept == 2
    with pytest.raises(DataError, match=r"no sheet 'Tank'.*'Cover', 'Level'"):
        ingest(file=str(path), sheet="Tank")
    with pytest.raises(DataError, match="holds no table"):
        ingest(file=str(path), sheet="Cover")


def test_a_column_is_known_by_an_alias_and_two_names_of_one_tag_are_refused(ingest):
    plant = Plant(tags=(Tag(name="FI1", unit="t/h", aliases=("FEED",)),))
    result = ingest(plant, text="time,FEED [kg/h]\n2025-01-01,1000\n")
    assert result.columns["FI1"] == [1.0]
    with pytest.raises(DataError, match="'FEED', 'FI1' all stand for one tag"):
        ingest(plant, text="time,FEED,FI1\n2025-01-01,1,2\n")


def test_tags_that_the_plant_does_not_know_are_left_out_or_refused_on_request(ingest):
    text = "time,FI1,FI11\n2025-01-01,1,2\n"
    left = ingest(text=text, unknown_tags="leave_out")
    assert [(item.column, item.why) for item in left.left_out] == [
        ("FI11", "the plant file does not name it")
    ]
    with pytest.raises(UnknownTagError, match=r"'FI11'.*Is 'FI1' meant"):
        ingest(text=text, unknown_tags="refuse")


def test_a_bad_sample_stays_a_bad_one_in_the_file(ingest, tmp_path):
    result = ingest(text="time,FI1\n2025-01-01,1\n2025-01-02,Bad\n2025-01-03,\n")
    cells = pq.read_table(tmp_path / result.artefact)["FI1"].to_pylist()
    assert cells[0] == 1.0
    assert math.isnan(cells[1])
    assert cells[2] is None


def test_a_file_outside_the_folders_of_the_service_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    for folder in (tmp_path, tmp_path / "in"):
        (folder / "f.csv").write_text("time,F\n2025-01-01,1\n")
    context = OperationContext(
        now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant(), settings={"folders": [str(tmp_path / "in")]}
    )  # fmt: skip
    assert run(IngestInput(file=str(tmp_path / "in" / "f.csv")), context).rows_kept == 1
    assert run(IngestInput(file="f.csv"), context).rows_kept == 1
    for file in (str(tmp_path / "f.csv"), str(tmp_path / "in" / ".." / "f.csv"), "../f.csv"):
        with pytest.raises(ParameterError, match="no folder that this service may read from"):
            run(IngestInput(file=file), context)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 20_000),
        st.tuples(st.one_of(st.none(), st.floats(-1e12, 1e12)), st.floats(-1e12, 1e12)),
        min_size=1, max_size=40,
    ),
    st.sampled_from([(",", "."), (";", ","), ("\t", "."), ("|", ",")]),
    st.randoms(),
)  # fmt: skip
def test_what_is_written_in_any_locale_and_order_is_read_back_the_same(rows, marks, random):
    separator, decimal = marks
    start = datetime(2025, 1, 1, tzinfo=UTC)
    order = list(rows)
    random.shuffle(order)

    def text(value):
        return "" if value is None else repr(value).replace(".", decimal)

    lines = [
        separator.join([f"{start + timedelta(minutes=m):%Y-%m-%dT%H:%M:%SZ}", *map(text, rows[m])])
        for m in order
    ]
    with tempfile.TemporaryDirectory() as folder:
        context = OperationContext(now=start, plant=Plant(), scratch=Path(folder))
        parameters = IngestInput(
            text="\n".join([separator.join(["time", "A", "B"]), *lines]), decimal=decimal
        )
        result = run(parameters, context)
        table = pq.read_table(Path(folder) / result.artefact)
        again = run(IngestInput(file=str(Path(folder) / result.artefact)), replace(
            context, settings={"local_access": True}, scratch=Path(folder) / "again"
        ))  # fmt: skip
    assert table["B"].to_pylist() == [rows[m][1] for m in sorted(rows)]
    if any(pair[0] is not None for pair in rows.values()):
        assert table["A"].to_pylist() == [rows[m][0] for m in sorted(rows)]
    assert not result.rejected
    assert again.columns == result.columns


def test_an_unknown_zone_is_refused():
    with pytest.raises(ValueError, match="not an IANA time zone"):
        IngestInput(text="x", timezone="Mars/Olympus")
