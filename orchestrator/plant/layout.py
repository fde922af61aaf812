"""How a tabular file is laid out: separator, header, units row, time column, wide or long.

Only the head of the file is read here; :mod:`orchestrator.plant.tables` then checks every row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import DataError
from orchestrator.plant.csv_head import (
    NULLS,
    NUMBER,
    SAMPLE_ROWS,
    SEPARATORS,
    WHITE_SPACE,
    Respaced,
    decimal_of,
    delimiter_of,
    empty,
    first_bytes,
    head_rows,
    physical_lines,
    read_head,
    title_lines,
)
from orchestrator.plant.reading import Reading
from orchestrator.plant.times import ROW_NUMBER, TimeFormat, detect_formats

CSV_BLOCK_BYTES = 1 << 20
BATCH_CELLS = 500_000

ColumnKind = Literal["number", "text", "category"]
OnBadRow = Callable[[Any], str]

_TAG_NAMES = {"tag", "tagname", "tag_name", "tagid", "tag_id", "point", "point_name", "series",
              "series_id", "sensor", "signal", "variable", "name"}  # fmt: skip
_VALUE_NAMES = {"value", "val", "reading", "measurement"}
_QUALITY_NAMES = {"quality", "status", "quality_code", "qualitycode", "status_code", "statuscode",
                  "opc_quality", "opcquality", "qual", "q", "confidence"}  # fmt: skip
_UNIT_NAMES = {"unit", "units", "uom", "eu", "engunits", "engineering_unit"}
_TIME_NAME = re.compile(r"time|date|stamp|zeit|datum|fecha|heure|^t$|^ts$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LongColumns:
    """Which columns of a long file hold what; ``quality`` and ``unit`` may be absent, others are not read."""

    tag: str
    value: str
    quality: str | None = None
    unit: str | None = None
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How to read one file.

    Attributes:
        path: The file.
        format: ``csv`` (any separator, also compressed) or ``parquet``.
        columns: Header, in file order; a column without a name is an empty string.
        time_column: The column that holds the time; empty where rows are numbered instead.
        time_formats: Ways in which its texts can be read, at least one.
        long: Columns of a long file; None for a wide one.
        units: Unit of each column where a units row stands under the header.
        kinds: First idea of each column's type, from the sample.
        delimiter, decimal, encoding, header_rows: How a CSV file is written.
        titles: Lines above the header that belong to no table.
        unsure: A number that could be read with either decimal mark, where no other tells.
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
    titles: int = 0
    unsure: str | None = None

    def batches(
        self, kinds: Mapping[str, ColumnKind], on_bad_row: OnBadRow | None = None
    ) -> Iterator[Any]:
        """The rows of the columns in ``kinds``, streamed as pyarrow record batches.

        Args:
            kinds: Columns and their types.
            on_bad_row: Told of each row with too few or too many cells; says ``skip`` or ``error``.
        """
        if self.format == "csv":
            return self._csv_batches(kinds, on_bad_row)
        return self._parquet_batches(kinds)

    def _csv_batches(
        self, kinds: Mapping[str, ColumnKind], on_bad_row: OnBadRow | None
    ) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.csv

        arrow = {
            "number": pa.float64(),
            "text": pa.string(),
            "category": pa.dictionary(pa.int32(), pa.string()),
        }
        # One thread: errors then name their row, and parsing is not what limits a replay.
        names = [name or f"column {i + 1} (unnamed)" for i, name in enumerate(self.columns)]
        spaced = self.delimiter == WHITE_SPACE
        with pa.input_stream(str(self.path), compression="detect") as stream:
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(Respaced(stream), mode="r") if spaced else stream,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=max(CSV_BLOCK_BYTES, 512 * len(names)),
                    column_names=names,
                    skip_rows=self.header_rows,
                    encoding=self.encoding,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter="\t" if spaced else self.delimiter,
                    newlines_in_values=False,
                    invalid_row_handler=on_bad_row,
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


def read_layout(path: Path, reading: Reading, shown: str) -> Layout:
    """Find out how the file at ``path``, called ``shown`` in errors, is laid out.

    Raises:
        DataError: no such file, empty, no header, duplicate columns, no time column.
    """
    if first_bytes(path, shown).startswith(b"PAR1"):
        return _parquet_layout(path, reading, shown)
    return _csv_layout(path, reading, shown)


def _csv_layout(path: Path, reading: Reading, shown: str) -> Layout:
    head, encoding = read_head(path, shown)
    chosen = SEPARATORS if reading.separator == "auto" else reading.separator
    titles = 0 if chosen == WHITE_SPACE else title_lines(head, chosen)
    head = "".join(physical_lines(head)[titles:])
    delimiter = delimiter_of(head) if reading.separator == "auto" else reading.separator
    rows = head_rows(head, delimiter)
    if not rows:
        raise empty(shown)
    columns = tuple(cell.strip() for cell in rows[0])
    _check_header(shown, columns)
    if len(rows) == 1:
        raise DataError(
            "there is a header and no row", where=shown, remedy="give at least one row of values"
        )
    units: dict[str, str] = {}
    # What is skipped is counted in lines, and blank ones above the header are lines too.
    above = 0 if delimiter == WHITE_SPACE else len(head) - len(head.lstrip("\r\n"))
    above = titles + head[:above].count("\n")
    header_rows, body = above + 1, rows[1:]
    time, formats = _find_time(shown, columns, body, reading.time_column)
    if (not formats or _looks_like_units(columns, time, rows)) and len(rows) > 2:
        later, later_formats = _find_time(shown, columns, rows[2:], reading.time_column)
        if later_formats and _looks_like_units(columns, later, rows):
            time, formats, header_rows, body = later, later_formats, above + 2, rows[2:]
            units = {
                name: cell.strip()
                for name, cell in zip(columns, rows[1], strict=False)
                if cell.strip() and name != time
            }
    decimal: str = reading.decimal
    unsure: str | None = None
    if reading.decimal == "auto":
        at = columns.index(time) if time in columns else None
        decimal, unsure = decimal_of([_without(row, at) for row in body])
        if unsure and delimiter == ",":
            decimal = "."  # a comma-separated file is written where commas group digits
    return Layout(
        path=path,
        format="csv",
        columns=columns,
        time_column=time if formats else "",
        time_formats=_wanted_formats(formats, reading, columns, shown, _uneven(rows)),
        long=_long_columns(columns, time, reading, shown),
        units=units,
        kinds=_kinds(columns, body, decimal),
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
        header_rows=header_rows,
        titles=titles,
        unsure=unsure,
    )


def _uneven(rows: Sequence[Sequence[str]]) -> str | None:
    """That the rows have not as many cells as the header, where that holds of most."""
    wrong = [row for row in rows[1:] if len(row) != len(rows[0])]
    if 2 * len(wrong) <= len(rows) - 1:
        return None
    return (
        f"{len(wrong)} of the first {len(rows) - 1} rows have not {len(rows[0])} cells as the header has, "
        f"such as {' '.join(wrong[0])[:60]!r}: are separators mixed?"
    )


def _without(row: Sequence[str], position: int | None) -> Sequence[str]:
    return row if position is None else [*row[:position], *row[position + 1 :]]


def _wanted_formats(
    formats: Sequence[TimeFormat],
    reading: Reading,
    columns: Sequence[str],
    shown: str,
    uneven: str | None = None,
) -> tuple[TimeFormat, ...]:
    """The formats that fit the file and what the reader states of it."""
    if not formats:
        if (reading.start is not None or reading.timeless) and reading.time_column is None:
            return (TimeFormat(ROW_NUMBER),)
        raise _no_time(shown, columns, reading.time_column, uneven)
    if reading.day_first is not None:
        formats = [f for f in formats if f.day_first in (None, reading.day_first)] or formats
    return tuple(formats)


def _check_header(shown: str, columns: Sequence[str]) -> None:
    seen: set[str] = set()
    twice = [name for name in columns if name and (name in seen or seen.add(name))]  # type: ignore[func-returns-value]
    if twice:
        raise DataError(
            f"the header names {', '.join(repr(name) for name in sorted(set(twice)))} more than once",
            where=shown,
            remedy="give every column its own name",
        )


def _find_time(
    shown: str, columns: Sequence[str], body: Sequence[Sequence[str]], named: str | None
) -> tuple[str, list[TimeFormat]]:
    if named is not None:
        if named not in columns:
            raise DataError(
                f"there is no column {named!r} to take the time from",
                where=shown,
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


def _parquet_layout(path: Path, reading: Reading, shown: str) -> Layout:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_header(shown, schema.names)
            if file.metadata.num_rows == 0:
                raise empty(shown)
            head = next(file.iter_batches(SAMPLE_ROWS))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"the file cannot be read ({error})", where=shown) from error
    named = reading.time_column
    if named is not None and named not in schema.names:
        _find_time(shown, schema.names, [], named)
    found = next(
        (
            (name, formats)
            for name in ([named] if named else schema.names)
            if (formats := detect_formats(head.column(name), named=named is not None))
        ),
        ("", []),
    )
    return Layout(
        path,
        "parquet",
        tuple(schema.names),
        found[0],
        _wanted_formats(found[1], reading, schema.names, shown),
        long=_long_columns(schema.names, found[0], reading, shown),
        kinds=dict.fromkeys(schema.names, "number"),
        decimal="." if reading.decimal == "auto" else reading.decimal,
    )


def _long_columns(
    columns: Sequence[str], time: str, reading: Reading, shown: str
) -> LongColumns | None:
    """The columns of a long file, recognised by their names and by there being few others."""

    def one_of(names: set[str]) -> str | None:
        return next((c for c in columns if c != time and folded(c) in names), None)

    def folded(column: str) -> str:
        return column.strip().casefold().replace("-", "_").replace(" ", "_")

    tag, value = one_of(_TAG_NAMES), one_of(_VALUE_NAMES)
    if reading.layout == "wide":
        return None
    if tag is None or value is None:
        if reading.layout == "long":
            raise DataError(
                "a long table needs a column tag and a column value",
                where=shown,
                remedy=f"rename them; the columns are {_listed(columns)}",
            )
        return None
    quality, unit = one_of(_QUALITY_NAMES), one_of(_UNIT_NAMES)
    used = {time, tag, value, quality, unit}
    unused = tuple(name for name in columns if name and name not in used)
    return LongColumns(tag, value, quality, unit, unused)


def _no_time(
    shown: str, columns: Sequence[str], named: str | None, uneven: str | None
) -> DataError:
    return DataError(
        f"column {named!r} holds no times" if named else "no column holds times",
        where=shown,
        why=uneven or "every sample needs the time at which it was taken",
        remedy="write times as ISO 8601 (2024-12-31T13:05:00Z), name the column with --time-column, or, "
        "where rows hold no time and come at a fixed period, say so with --start and --period-seconds "
        f"(start and period_seconds of etl.ingest); the columns are {_listed(columns)}",
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
