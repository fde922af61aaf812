"""Files of samples: every layout that is read, and every fault that is named by its row."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.plant.csv_head import title_lines
from orchestrator.plant.pivot import joined
from orchestrator.plant.reading import Reading
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.tables import Table, read_table

GOOD, BAD, NONE = Quality.GOOD, Quality.BAD, Quality.NONE


def written(folder: Path, text: str, name: str = "file.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def whole(table: Table, *tags: str) -> SampleBlock:
    return joined(list(table.blocks(tags or None)))


def minutes(*numbers: int) -> list[np.datetime64]:
    return [np.datetime64("2024-01-01T00:00", "us") + np.timedelta64(n, "m") for n in numbers]


WIDE = "time,a,b\n2024-01-01T00:00:00Z,1,10\n2024-01-01T00:01:00Z,2,20\n"


@pytest.mark.parametrize(
    "text",
    [
        WIDE,
        WIDE.replace(",", ";"),
        WIDE.replace(",", "\t"),
        WIDE.replace("Z", ""),
        WIDE.replace("T", " ").replace("Z", " UTC"),
        WIDE.replace("T00:", "T02:").replace("Z", "+02:00"),
        WIDE.replace("2024-01-01T", "01-Jan-24 ").replace("Z", ".000"),
        WIDE.replace("2024-01-01T", "2024/01/01 ").replace("Z", ""),
        WIDE.replace("\n", "\r\n"),
        WIDE.rstrip("\n"),
        "\ufeff" + WIDE,
        WIDE.replace("1,10", '"1","10"'),
        WIDE.replace("time,a,b\n", "time,a,b\n,degC,kPa\n"),
        WIDE.replace("time,a,b\n", "time,a,b\nunits,degC,kPa\n"),
        "Unit 11, shift report\n\nprinted 2024-01-02\n" + WIDE,
        "Unit 11\x0cshift report\r\n" + WIDE.replace("\n", "\r\n"),
        "# from the historian, 2 tags\n" + WIDE.replace(",", ";"),
        "no,time,a,b\n1,2024-01-01T00:00:00Z,1,10\n2,2024-01-01T00:01:00Z,2,20\n",
    ],
)
def test_wide_csv_in_many_spellings(tmp_path: Path, text: str) -> None:
    block = whole(Table(written(tmp_path, text)), "a", "b")
    assert block.times.tolist() == [t.item() for t in minutes(0, 1)]
    assert block.values.tolist() == [[1, 10], [2, 20]]


def test_units_row_is_read_as_units(tmp_path: Path) -> None:
    table = Table(written(tmp_path, WIDE.replace("b\n", "b\n,°C,kPa\n", 1), encoding="cp1252"))
    assert table.units == {"a": "°C", "b": "kPa"}
    assert table.rows == 2


def test_lines_above_the_header_are_told_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    text = "Shift report\n\n" + WIDE + "yesterday,3,30\n"
    table = Table(written(tmp_path, WIDE.join(["Shift report\n\n", ""])))
    assert "2 line(s) above the header are left out" in table.notes
    with pytest.raises(DataError) as caught:
        Table(written(tmp_path, text))
    assert "line 6" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "time,a\n" + "2024-01-01T00:00:00Z,1,\n2024-01-01T00:01:00Z,2,\n",
        "time;a\n2024-01-01T00:00:00Z;1,5\n2024-01-01T00:01:00Z;2,5\n",
        "1;2\n3,4;5,6\n",
        "a title\n1,2\n3,4\n",
        "only words\n",
        "",
    ],
)
def test_a_row_is_never_taken_for_the_header_under_a_title(text: str) -> None:
    assert title_lines(text) == 0


def test_decimal_commas(tmp_path: Path) -> None:
    table = Table(written(tmp_path, "time;a\n2024-01-01;1,5\n2024-01-02;-2,25\n2024-01-03;Bad\n"))
    block = whole(table)
    np.testing.assert_array_equal(block.values[:, 0], [1.5, -2.25, np.nan])


def test_empty_cell_is_no_sample_and_nonsense_is_a_bad_one(tmp_path: Path) -> None:
    cells = ["1", "", "I/O Timeout", "nan", "inf", "null", "+2e0", "-.5"]
    rows = "".join(f"2024-01-01T00:0{i}:00Z,{cell},0\n" for i, cell in enumerate(cells))
    table = Table(written(tmp_path, "time,a,b\n" + rows))
    assert "3 cell(s) are no number, or of bad quality, and count as bad: a" in table.notes
    block = whole(table)
    assert block.quality[:, 0].tolist() == [GOOD, NONE, BAD, BAD, BAD, NONE, GOOD, GOOD]
    np.testing.assert_array_equal(
        block.values[:, 0], [1, np.nan, np.nan, np.nan, np.nan, np.nan, 2, -0.5]
    )


def test_text_far_below_the_sample_of_the_head_is_bad_and_not_an_error(tmp_path: Path) -> None:
    rows = [f"{t.item().isoformat()},{i},{i}\n" for i, t in enumerate(minutes(*range(40_000)))]
    rows[35_000] = rows[35_000].replace(",35000,", ",No Data,")
    block = whole(Table(written(tmp_path, "time,a,b\n" + "".join(rows))))
    assert np.flatnonzero(block.quality[:, 0]).tolist() == [35_000]
    assert block.values[:, 1].tolist() == list(range(40_000))


def test_text_and_empty_columns_are_left_out_with_a_note(tmp_path: Path) -> None:
    text = "date,month,x,empty\n2024-01-01,2024-01,1,\n2024-01-02,2024-01,2,\n"
    table = Table(written(tmp_path, text))
    assert (table.layout.time_column, table.tags) == ("date", ("x",))
    assert (table.texts, table.empty) == (("month",), ("empty",))
    assert any("month" in note for note in table.notes)
    assert any("empty" in note for note in table.notes)
    with pytest.raises(DataError, match="holds text"):
        next(table.blocks(["month"]))
    assert whole(table, "empty").quality.tolist() == [[NONE], [NONE]]


def test_unknown_column(tmp_path: Path) -> None:
    with pytest.raises(UnknownTagError, match="'z'"):
        Table(written(tmp_path, WIDE)).blocks(["z"])


@pytest.mark.parametrize("suffix", ["csv.gz", "csv"])
def test_compressed_or_plain(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file.{suffix}"
    path.write_bytes(gzip.compress(WIDE.encode()) if suffix == "csv.gz" else WIDE.encode())
    assert whole(Table(path)).values.tolist() == [[1, 10], [2, 20]]


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ns"), pa.timestamp("ms", "Europe/Berlin"), pa.date32()]
)
def test_parquet(tmp_path: Path, kind: pa.DataType) -> None:
    days = pa.array([datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)])
    times = days.cast(pa.timestamp("us")).cast(kind) if kind != pa.timestamp("ms", "Europe/Berlin") else days.cast(kind)  # fmt: skip
    table = pa.table(
        {"x": pa.array([1, None]), "on": pa.array([True, False]), "when": times,
         "y": pa.array([float("nan"), 4.0]), "text": ["a", "b"]}
    )  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "file.parquet")
    opened = Table(tmp_path / "file.parquet")
    assert opened.tags == ("x", "on", "y")
    block = whole(opened)
    assert block.start == datetime(2024, 1, 1, tzinfo=UTC)
    assert block.quality.tolist() == [[GOOD, GOOD, BAD], [NONE, GOOD, GOOD]]


LONG = (
    "time,tag,value,quality,unit\n"
    "2024-01-01T00:00:00Z,a,1,Good,degC\n"
    "2024-01-01T00:00:00Z,b,10,192,kPa\n"
    "2024-01-01T00:01:00Z,a,2,uncertain,degC\n"
    "2024-01-01T00:02:00Z,b,30,Bad,kPa\n"
    "2024-01-01T00:02:00Z,a,text,,degC\n"
)


def test_long_csv(tmp_path: Path) -> None:
    table = Table(written(tmp_path, LONG))
    assert table.tags == ("a", "b")
    assert table.units == {"a": "degC", "b": "kPa"}
    block = whole(table)
    assert block.times.tolist() == [t.item() for t in minutes(0, 1, 2)]
    np.testing.assert_array_equal(block.values, [[1, 10], [2, np.nan], [np.nan, np.nan]])
    assert block.quality.tolist() == [[GOOD, GOOD], [Quality.UNCERTAIN, NONE], [BAD, BAD]]
    np.testing.assert_array_equal(whole(table, "b").values, [[10], [np.nan]])


@pytest.mark.parametrize("header", ["time,series-id,value", "period,Series ID,Value"])
def test_long_csv_whose_header_has_a_hyphen_or_a_space(tmp_path: Path, header: str) -> None:
    rows = "2024-01-01T00:00,a,1\n2024-01-01T00:00,b,10\n2024-01-01T00:01,a,2\n"
    table = Table(written(tmp_path, f"{header}\n{rows}"))
    assert table.tags == ("a", "b")
    np.testing.assert_array_equal(whole(table).values, [[1, 10], [2, np.nan]])


def test_long_file_ordered_by_tag_is_sorted_by_time(tmp_path: Path) -> None:
    rows = [
        f"{t.item().isoformat()},{tag},{i}\n"
        for tag in ("a", "b", "c")
        for i, t in enumerate(minutes(*range(3000)))
    ]
    table = Table(written(tmp_path, "timestamp,TagName,Value\n" + "".join(rows)))
    block = whole(table)
    assert block.values.tolist() == [[i, i, i] for i in range(3000)]
    assert any("sorted" in note for note in table.notes)


def test_long_file_in_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {"time": pa.array(minutes(0, 0, 1)), "tag": ["a", "b", "a"], "value": [1, 2, 3]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "long.parquet")
    np.testing.assert_array_equal(
        whole(Table(tmp_path / "long.parquet")).values, [[1, 2], [3, np.nan]]
    )


def test_two_units_of_one_tag_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'degC' and later in 'kPa'"):
        Table(
            written(
                tmp_path,
                LONG.replace("30,Bad,kPa\n", "1,Good,kPa\n2024-01-01T00:03:00Z,a,1,,kPa\n"),
            )
        )


def test_unknown_quality_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'perfect' is not known"):
        Table(written(tmp_path, LONG.replace("uncertain", "perfect")))


@pytest.mark.parametrize("name", ["q", "OPC_Quality", "StatusCode"])
def test_a_quality_column_is_known_by_its_usual_names(tmp_path: Path, name: str) -> None:
    text = f"time,tag,value,{name},note\n" + "".join(
        f"2024-05-01T00:0{row}:00Z,A,{row},{code},x\n" for row, code in enumerate((192, 0, 192))
    )
    table = Table(written(tmp_path, text))
    assert whole(table).quality[:, 0].tolist() == [GOOD, BAD, GOOD]
    assert "column(s) not read: note" in table.notes


@pytest.mark.parametrize("rows", [5, 60_000])
def test_unordered_times_are_sorted(tmp_path: Path, rows: int) -> None:
    lines = [f"{t.item().isoformat()},{i},{-i}\n" for i, t in enumerate(minutes(*range(rows)))]
    random.Random(1).shuffle(lines)
    table = Table(written(tmp_path, "time,a,b\n" + "".join(lines)))
    block = whole(table)
    assert block.values[:, 0].tolist() == list(range(rows))
    assert block.values[:, 1].tolist() == [-i for i in range(rows)]
    assert any("sorted" in note for note in table.notes)


def test_duplicate_times_last_wins_and_are_counted(tmp_path: Path) -> None:
    text = (
        "time,a,b\n2024-01-01,1,10\n2024-01-02,2,\n2024-01-02,2,20\n2024-01-03,3,30\n"
        "2024-01-03,3,30\n2024-01-03,4,\n"
    )
    table = Table(written(tmp_path, text))
    block = whole(table)
    assert block.values.tolist() == [[1, 10], [2, 20], [4, 30]]
    assert (table.duplicates.identical, table.duplicates.conflicting) == (2, 1)


def test_duplicate_samples_of_a_long_file(tmp_path: Path) -> None:
    text = "time,tag,value\n2024-01-01,a,1\n2024-01-01,b,1\n2024-01-01,a,1\n2024-01-01,b,2\n"
    table = Table(written(tmp_path, text))
    assert whole(table).values.tolist() == [[1, 2]]
    assert (table.duplicates.identical, table.duplicates.conflicting) == (1, 1)


def test_rows_without_times_are_read_where_that_is_accepted(tmp_path: Path) -> None:
    bare = written(tmp_path, "  \n  a   b\n 2.0e-1  1\n 1.0e-1  2\n 3  4\n")
    table = Table(bare, reading=Reading(timeless=True))
    assert not table.timed
    assert table.read().to_pydict() == {"a": [0.2, 0.1, 3.0], "b": [1.0, 2.0, 4.0]}
    stated = Reading(timeless=True, start=datetime(2026, 1, 1, tzinfo=UTC), period_seconds=60.0)
    assert Table(bare, reading=stated).read().column("time")[2].as_py().minute == 2
    dated = written(tmp_path, "time,a\n2024-01-02,2\n2024-01-01,1\n", "dated.csv")
    timed = Table(dated, reading=Reading(timeless=True))
    assert timed.timed
    assert timed.read().column_names == ["time", "a"]
    with pytest.raises(DataError, match="'b' holds no times"):
        Table(bare, reading=Reading(timeless=True, time_column="b"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("time,a\n", "no row"),
        ("time,a,a\n2024-01-01,1,2\n", "'a' more than once"),
        ("a,b\n1,2\n", "no column holds times"),
        ("time\n2024-01-01\n", "nothing else"),
        ("time,a\n2024-01-01,x\n", "not one number"),
        ("time,a\n2024-01-01,\n2024-01-02,nan\n", "not one number"),
        ("time,a,b\n2024-01-01,1,2\n2024-01-02,1\n", r"line 3: Expected 3 columns, got 2"),
        ("time,a,b\n2024-01-01,1,2\n2024-01-02,1,2,3\n", r"line 3: Expected 3 columns, got 4"),
        ("time,a\n2024-01-01,1\n2024-02-30,2\n", r"line 3: '2024-02-30' is not a time"),
        ("time,a\n2024-01-01T00:00Z,1\n2024-01-01 01:00,2\n", r"line 3: '2024-01-01 01:00' is not"),
        ("time,a\n2024-01-01,1\n,2\n", r"line 3: there is no time"),
        ("time,a\n01/02/2024,1\n02/02/2024,2\n", "can be read as"),
        ("time,tag,value\n2024-01-01,a,1\n2024-01-02,,2\n", "line 3: there is no tag"),
        ("\0\1\2\3", "not a text file"),
        ("PK\3\4", "no workbook"),
    ],
)
def test_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        whole(Table(written(tmp_path, text)))


def test_malformed_row_deep_in_a_large_file_is_named_by_its_line(tmp_path: Path) -> None:
    lines = [f"{t.item().isoformat()},{i},{i}" for i, t in enumerate(minutes(*range(60_000)))]
    lines[54_321] += ",extra"
    with pytest.raises(DataError, match=r"line 54323: Expected 3 columns, got 4"):
        Table(written(tmp_path, "time,a,b\n" + "\n".join(lines)))
    lines[54_321] = "yesterday,1,2"
    with pytest.raises(DataError, match=r"line 54323: 'yesterday' is not a time"):
        Table(written(tmp_path, "time,a,b\n" + "\n".join(lines)))


def test_day_and_month_are_told_apart_by_the_whole_file(tmp_path: Path) -> None:
    days = [datetime(2024, 1, day, hour, tzinfo=UTC) for day in range(1, 14) for hour in range(24) for _ in range(8)]  # fmt: skip
    rows = [f"{day:%d/%m/%Y %H:}{i % 8:02d},{i}\n" for i, day in enumerate(days)]
    table = Table(written(tmp_path, "time,a\n" + "".join(rows)))
    assert table.span[1] == datetime(2024, 1, 13, 23, 7, tzinfo=UTC)


def test_missing_file_and_broken_archive(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Table(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="cannot be read"):
        Table(tmp_path)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(WIDE.encode() * 5000)[:100])
    with pytest.raises(DataError):
        Table(tmp_path / "cut.csv.gz")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(DataError, match="cannot be read"):
        Table(tmp_path / "cut.parquet")


def test_named_time_column(tmp_path: Path) -> None:
    path = written(tmp_path, "made,seconds,a\n2024-01-01,1704067260,1\n2024-01-01,1704067320,2\n")
    table = Table(path, time_column="seconds")
    assert table.span == (
        datetime(2024, 1, 1, 0, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 2, tzinfo=UTC),
    )
    with pytest.raises(DataError, match="no column 'minutes'"):
        Table(path, time_column="minutes")
    with pytest.raises(DataError, match="'a' holds no times"):
        Table(path, time_column="a")


def test_read_table_is_what_modules_get(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, WIDE.replace("2,20", "Bad,")))
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    assert table.to_pydict()["a"] == [1.0, None]


cells = st.one_of(st.none(), st.floats(-1e9, 1e9, allow_nan=False))


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.integers(0, 10_000), st.lists(cells, min_size=2, max_size=2), min_size=1),
    st.randoms(),
)
def test_wide_long_and_shuffled_files_say_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[int, list[float | None]],
    rng: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("same")
    rows[10_001] = [1.0, 2.0]  # both tags have a number somewhere
    at = {minute: minutes(minute)[0].item().isoformat() for minute in rows}
    order = list(rows)
    rng.shuffle(order)

    def cell(value: float | None) -> str:
        return "" if value is None else repr(value)

    wide = "time,a,b\n" + "".join(f"{at[m]},{cell(rows[m][0])},{cell(rows[m][1])}\n" for m in order)
    long_rows = [
        (m, t, rows[m][i]) for m in order for i, t in enumerate("ab") if rows[m][i] is not None
    ]
    long = "time,tag,value\n" + "".join(f"{at[m]},{t},{v!r}\n" for m, t, v in long_rows)
    expected = [rows[m] for m in sorted(rows)]
    got_wide = whole(Table(written(folder, wide, "wide.csv")), "a", "b")
    assert [[None if v != v else v for v in row] for row in got_wide.values.tolist()] == expected
    got_long = whole(Table(written(folder, long, "long.csv")), "a", "b")
    filled = [row for row in expected if row != [None, None]]
    assert [[None if v != v else v for v in row] for row in got_long.values.tolist()] == filled
