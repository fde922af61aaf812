"""How a tabular file is laid out: separator, header, units row, time column, wide or long.

Only the head of the file is read here; :mod:`orchestrator.plant.tables` then checks every row.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import DataError
from orchestrator.plant.times import TimeFormat, detect_formats

HEAD_BYTES = 1 << 18
SAMPLE_ROWS = 1000
CSV_BLOCK_BYTES = 1 << 20
BATCH_CELLS = 500_000
NULLS = ("", "null", "NULL", "None", "NA", "N/A", "n/a", "#N/A", "<NA>")
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

ColumnKind = Literal["number", "text", "category"]

_TAG_NAMES = {"tag", "tagname", "tag_name", "tagid", "tag_id", "point", "point_name", "series",
              "series_id", "sensor", "signal", "variable", "name"}  # fmt: skip
_VALUE_NAMES = {"value", "val", "reading", "measurement"}
_QUALITY_NAMES = {"quality", "status", "quality_code", "confidence"}
_UNIT_NAMES = {"unit", "units", "uom", "eu", "engunits", "engineering_unit"}
_TIME_NAME = re.compile(r"time|date|stamp|^t$|^ts$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LongColumns:
    """Which columns of a long file hold what; ``quality`` and ``unit`` may be absent."""

    tag: str
    value: str
    quality: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Layout:
    """How to read one file.

    Attributes:
        path: The file.
        format: ``csv`` (any separator, also compressed) or ``parquet``.
        columns: Header, in file order; a column without a name is an empty string.
        time_column: The column that holds the time.
        time_formats: Ways in which its texts can be read, at least one.
        long: Columns of a long file; None for a wide one.
        units: Unit of each column where a units row stands under the header.
        kinds: First idea of each column's type, from the sample.
        delimiter, decimal, encoding, header_rows: How a CSV file is written.
    """

    path: Path
    format: Literal["csv", "parquet"]
    columns: tuple[str, ...]
    time_column: str
    time_formats: tuple[TimeFormat, ...]
    long: LongColumns | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    header_rows: int = 1

    def batches(self, kinds: Mapping[str, ColumnKind]) -> Iterator[Any]:
        """The rows of the columns in ``kinds``, streamed as pyarrow record batches."""
        return self._csv_batches(kinds) if self.format == "csv" else self._parquet_batches(kinds)

    def _csv_batches(self, kinds: Mapping[str, ColumnKind]) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.csv

        arrow = {
            "number": pa.float64(),
            "text": pa.string(),
            "category": pa.dictionary(pa.int32(), pa.string()),
        }
        # One thread: errors then name their row, and parsing is not what limits a replay.
        names = [name or f"column {i + 1} (unnamed)" for i, name in enumerate(self.columns)]
        with pa.input_stream(str(self.path), compression="detect") as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=max(CSV_BLOCK_BYTES, 512 * len(names)),
                    column_names=names,
                    skip_rows=self.header_rows,
                    encoding=self.encoding,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=False
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(kinds),
                    column_types={name: arrow[kind] for name, kind in kinds.items()},
                    null_values=list(NULLS),
                    strings_can_be_null=True,
                    decimal_point=self.decimal,
                ),
            )
            yield from reader

    def _parquet_batches(self, kinds: Mapping[str, ColumnKind]) -> Iterator[Any]:
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(self.path) as file:
            rows = max(64, BATCH_CELLS // max(1, len(kinds)))
            yield from file.iter_batches(rows, columns=list(kinds), use_threads=False)


def read_layout(path: Path, time_column: str | None = None) -> Layout:
    """Find out how the file at ``path`` is laid out.

    Raises:
        DataError: no such file, empty, no header, duplicate columns, no time column.
    """
    magic = _first_bytes(path)
    if magic.startswith(b"PAR1"):
        return _parquet_layout(path, time_column)
    if magic.startswith(b"PK"):
        raise DataError(
            "this is a spreadsheet or archive", where=str(path), remedy="save it as CSV or Parquet"
        )
    return _csv_layout(path, time_column)


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise DataError(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            remedy="give the path of a CSV or Parquet file",
        ) from error
    if not magic:
        raise _empty(path)
    return magic


def _empty(path: Path) -> DataError:
    return DataError(
        "the file is empty",
        where=str(path),
        remedy="give a file with a header, a time column and at least one row",
    )


def _csv_layout(path: Path, time_column: str | None) -> Layout:
    head, encoding = _head(path)
    delimiter = _delimiter(head)
    rows = [
        row
        for row in itertools.islice(
            csv.reader(io.StringIO(head), delimiter=delimiter), SAMPLE_ROWS + 2
        )
        if row
    ]
    if not rows:
        raise _empty(path)
    columns = tuple(cell.strip() for cell in rows[0])
    _check_header(path, columns)
    if len(rows) == 1:
        raise DataError("there is a header and no row", where=str(path))
    units: dict[str, str] = {}
    header_rows, body = 1, rows[1:]
    time, formats = _find_time(path, columns, body, time_column)
    if (not formats or _looks_like_units(columns, time, rows)) and len(rows) > 2:
        later, later_formats = _find_time(path, columns, rows[2:], time_column)
        if later_formats and _looks_like_units(columns, later, rows):
            time, formats, header_rows, body = later, later_formats, 2, rows[2:]
            units = {
                name: cell.strip()
                for name, cell in zip(columns, rows[1], strict=False)
                if cell.strip() and name != time
            }
    if not formats:
        raise _no_time(path, columns, time_column)
    decimal = "," if delimiter != "," and _has_decimal_commas(body) else "."
    return Layout(
        path=path,
        format="csv",
        columns=columns,
        time_column=time,
        time_formats=tuple(formats),
        long=_long_columns(columns, time),
        units=units,
        kinds=_kinds(columns, body, decimal),
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
        header_rows=header_rows,
    )


def _head(path: Path) -> tuple[str, str]:
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            data = stream.read(HEAD_BYTES)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"the file cannot be read ({error})", where=str(path)) from error
    if len(data) == HEAD_BYTES:  # the last line may be cut, in the middle of a character even
        data = data[: data.rfind(b"\n") + 1] or data
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        # pyarrow skips a byte order mark itself.
        return text, "utf-8" if encoding == "utf-8-sig" else encoding
    raise DataError("this is not a text file", where=str(path), remedy="give CSV or Parquet")


def _delimiter(head: str) -> str:
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    best, most = ",", 0
    for candidate in ",;\t|":
        counts = [len(row) for row in csv.reader(lines, delimiter=candidate) if row]
        if counts and counts[0] > 1:
            score = counts[0] * sum(count == counts[0] for count in counts)
            if score > most:
                best, most = candidate, score
    return best


def _check_header(path: Path, columns: Sequence[str]) -> None:
    seen: set[str] = set()
    twice = [name for name in columns if name and (name in seen or seen.add(name))]  # type: ignore[func-returns-value]
    if twice:
        raise DataError(
            f"the header names {', '.join(repr(name) for name in sorted(set(twice)))} more than once",
            where=str(path),
            remedy="give every column its own name",
        )


def _find_time(
    path: Path, columns: Sequence[str], body: Sequence[Sequence[str]], named: str | None
) -> tuple[str, list[TimeFormat]]:
    if named is not None:
        if named not in columns:
            raise DataError(
                f"there is no column {named!r} to take the time from",
                where=str(path),
                remedy=f"the columns are {_listed(columns)}",
            )
        return named, _formats_of(body, columns.index(named), named)
    for position, name in enumerate(columns):
        if name and (formats := _formats_of(body, position, None, name)):
            return name, formats
    return "", []


def _formats_of(
    body: Sequence[Sequence[str]], position: int, named: str | None, name: str = ""
) -> list[TimeFormat]:
    import pyarrow as pa

    cells = [row[position].strip() for row in body if position < len(row)]
    cells = [cell for cell in cells if cell not in NULLS]
    first, rest = cells[:20], cells[20:]
    formats = detect_formats(pa.array(first, pa.string()), named=named is not None)
    if not formats and (named or _TIME_NAME.search(name)):
        # A few broken times must not hide the time column; the scan names them by row.
        readable = [
            cell for cell in first if detect_formats(pa.array([cell]), named=named is not None)
        ]
        if 2 * len(readable) >= max(1, len(first)):
            for sample in (readable, readable[:1]):
                formats = formats or detect_formats(
                    pa.array(sample, pa.string()), named=named is not None
                )
    if len(formats) > 1 and rest:
        column = pa.array(rest, pa.string())
        formats = [item for item in formats if _reads(item, column)] or formats
    return formats


def _reads(time_format: TimeFormat, column: Any) -> bool:
    import pyarrow as pa

    try:
        time_format.parse(column)
    except (ValueError, pa.ArrowException):
        return False
    return True


def _looks_like_units(columns: Sequence[str], time: str, rows: Sequence[Sequence[str]]) -> bool:
    """Whether the row under the header holds units: no time, no number, and some text."""
    import pyarrow as pa

    row = rows[1]
    if time not in columns or len(row) != len(columns):
        return False
    at = columns.index(time)
    others = [cell.strip() for i, cell in enumerate(row) if i != at and cell.strip()]
    no_time = not detect_formats(pa.array([row[at].strip()]), named=False)
    return no_time and bool(others) and not any(re.match(NUMBER, cell) for cell in others)


def _has_decimal_commas(body: Sequence[Sequence[str]]) -> bool:
    cells = [cell.strip() for row in body[:50] for cell in row]
    commas = sum(bool(re.match(r"^[+-]?\d*,\d+([eE][+-]?\d+)?$", cell)) for cell in cells)
    points = sum(bool(re.match(r"^[+-]?\d*\.\d+$", cell)) for cell in cells)
    return commas > points


def _kinds(
    columns: Sequence[str], body: Sequence[Sequence[str]], decimal: str
) -> dict[str, ColumnKind]:
    kinds: dict[str, ColumnKind] = {}
    for position, name in enumerate(columns):
        cells = (row[position].strip() for row in body if position < len(row))
        texts = any(
            cell not in NULLS
            and cell.casefold() not in ("nan", "-nan", "inf", "-inf")
            and not re.match(NUMBER, cell.replace(decimal, "."))
            for cell in cells
        )
        kinds[name] = "text" if texts else "number"
    return kinds


def _parquet_layout(path: Path, time_column: str | None) -> Layout:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_header(path, schema.names)
            if file.metadata.num_rows == 0:
                raise _empty(path)
            head = next(file.iter_batches(SAMPLE_ROWS))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"the file cannot be read ({error})", where=str(path)) from error
    if time_column is not None and time_column not in schema.names:
        _find_time(path, schema.names, [], time_column)
    for name in [time_column] if time_column else schema.names:
        column = head.column(name)
        formats = detect_formats(column, named=time_column is not None)
        if formats:
            return Layout(
                path, "parquet", tuple(schema.names), name, tuple(formats),
                long=_long_columns(schema.names, name),
                kinds=dict.fromkeys(schema.names, "number"),
            )  # fmt: skip
    raise _no_time(path, schema.names, time_column)


def _long_columns(columns: Sequence[str], time: str) -> LongColumns | None:
    """The columns of a long file, recognised by their names and by there being few others."""

    def one_of(names: set[str]) -> str | None:
        return next((c for c in columns if c != time and c.casefold() in names), None)

    tag, value = one_of(_TAG_NAMES), one_of(_VALUE_NAMES)
    if tag is None or value is None:
        return None
    return LongColumns(tag, value, one_of(_QUALITY_NAMES), one_of(_UNIT_NAMES))


def _no_time(path: Path, columns: Sequence[str], named: str | None) -> DataError:
    return DataError(
        f"column {named!r} holds no times" if named else "no column holds times",
        where=str(path),
        why="every sample needs the time at which it was taken",
        remedy="write times as ISO 8601 (2024-12-31T13:05:00Z), or name the column with "
        f"--time-column; the columns are {_listed(columns)}",
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
