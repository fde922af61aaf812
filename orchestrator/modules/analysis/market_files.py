"""Market data from CSV and Parquet files, read as a mapping file says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import DataError
from orchestrator.modules.analysis.mapping import FileMapping, MappedSeries
from orchestrator.plant.vintages import Observation

if TYPE_CHECKING:
    import pyarrow as pa

FRED_DATES = ("observation_date", "date")
"""Names of the column of dates in a file of FRED, today and before 2024, without regard to case."""

_NUMBER = {
    mark: re.compile(rf"[+-]?([0-9]+({shown}[0-9]*)?|{shown}[0-9]+)([eE][+-]?[0-9]+)?")
    for mark, shown in ((".", r"\."), (",", ","))
}
"""Numbers by decimal mark. Digits in groups are none: with a decimal comma 1.234 may be either."""


@dataclass(frozen=True, slots=True)
class FileData:
    """What one file holds.

    Attributes:
        observations: Values, rows in order of the file.
        series: Series by name, as the mapping describes them.
        unmapped: Columns or identifiers that the mapping does not name.
        known_at: When the values became known; ``None`` for now.
    """

    observations: tuple[Observation, ...]
    series: dict[str, MappedSeries]
    unmapped: tuple[str, ...]
    known_at: datetime | None


def read_file(path: Path, mapping: FileMapping) -> FileData:
    """The values of one file.

    Raises:
        DataError: it cannot be read, lacks a column, or a cell is no date or no number; names file,
            row, column and value.
    """
    table = _table(path, mapping)
    time, columns, unmapped = _layout(table.column_names, mapping, path)
    periods = _periods(table.column(time), mapping, path, time)
    series: dict[str, MappedSeries] = {}
    if mapping.layout == "long":
        found, unmapped = _long(table, periods, mapping, path, series)
    else:
        found = list(_wide(table, periods, columns, mapping, path, series))
    return FileData(tuple(found), series, tuple(unmapped), _known_at(path, mapping))


def _table(path: Path, mapping: FileMapping) -> pa.Table:
    """The file with all cells of a CSV as text, so that what is wrong can be quoted."""
    import pyarrow as pa
    import pyarrow.parquet
    from pyarrow import csv

    try:
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
        if parquet:
            return pyarrow.parquet.read_table(path)
        with pa.input_stream(str(path), compression="detect") as stream:
            names = csv.open_csv(
                stream, parse_options=csv.ParseOptions(delimiter=mapping.separator)
            ).schema.names
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DataError(
                f"the header names {', '.join(twice)} more than once",
                where=str(path),
                remedy="give every column its own name",
            )
        return csv.read_csv(
            str(path),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(delimiter=mapping.separator),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"the file cannot be read ({error})",
            where=str(path),
            remedy="give a CSV file with a header (also .gz), or a Parquet file; is the separator "
            f"{mapping.separator!r}?",
        ) from error


def _layout(
    names: Sequence[str], mapping: FileMapping, path: Path
) -> tuple[str, list[str], list[str]]:
    """The column of dates, those of values, and those that nothing is said of."""
    if mapping.time is None:
        dates = [name for name in names if name.strip().casefold() in FRED_DATES]
        if len(dates) != 1 or dates[0] != names[0] or len(names) < 2:
            raise DataError(
                f"the file is not one of FRED, whose first column is {FRED_DATES[0]} or DATE",
                where=str(path),
                remedy=f"name time and columns in the mapping file; its columns are {_some(names)}",
            )
        return dates[0], list(names[1:]), []
    wanted = [mapping.time]
    if mapping.layout == "long":
        wanted += [str(mapping.series_column), str(mapping.value_column)]
    else:
        wanted += list(mapping.columns)
    absent = [name for name in wanted if name not in names]
    if absent:
        raise DataError(
            f"there is no column {', '.join(map(repr, absent))}",
            where=str(path),
            remedy=f"correct the mapping file; the columns are {_some(names)}",
        )
    unmapped = [] if mapping.layout == "long" else [n for n in names if n not in wanted]
    return mapping.time, list(mapping.columns), unmapped


def _wide(
    table: pa.Table,
    periods: Sequence[datetime],
    columns: Sequence[str],
    mapping: FileMapping,
    path: Path,
    series: dict[str, MappedSeries],
) -> Iterator[Observation]:
    for column in columns:
        item = mapping.named(column)
        # FRED once called every value VALUE: the file is then named by its series.
        if mapping.time is None and column.strip().casefold() == "value":
            item = item.model_copy(update={"series": path.name.partition(".")[0]})
        name = str(item.series)
        series[name] = item
        cells = table.column(column).to_pylist()
        for row, (period, cell) in enumerate(zip(periods, cells, strict=True)):
            value = _number(cell, mapping, path, row, column)
            if value is not None:
                yield _observation(item, period, value)


def _long(
    table: pa.Table,
    periods: Sequence[datetime],
    mapping: FileMapping,
    path: Path,
    series: dict[str, MappedSeries],
) -> tuple[list[Observation], list[str]]:
    column = str(mapping.value_column)
    identifiers = [str(name).strip() for name in table.column(mapping.series_column).to_pylist()]
    cells = table.column(column).to_pylist()
    unmapped: dict[str, None] = {}
    found: list[Observation] = []
    for row, (identifier, period, cell) in enumerate(zip(identifiers, periods, cells, strict=True)):
        if mapping.columns and identifier not in mapping.columns:
            unmapped.setdefault(identifier)
            continue
        item = series.get(identifier) or mapping.named(identifier)
        series[identifier] = item
        value = _number(cell, mapping, path, row, column)
        if value is not None:
            found.append(_observation(item, period, value))
    named = {str(item.series): item for item in series.values()}
    series.clear()
    series.update(named)
    return found, list(unmapped)


def _observation(item: MappedSeries, period: datetime, value: float) -> Observation:
    return Observation(str(item.series), period, value * item.scale, item.unit)


def _periods(
    column: pa.ChunkedArray, mapping: FileMapping, path: Path, name: str
) -> list[datetime]:
    return [_period(cell, mapping, path, row, name) for row, cell in enumerate(column.to_pylist())]


def _period(cell: Any, mapping: FileMapping, path: Path, row: int, column: str) -> datetime:
    try:
        if isinstance(cell, datetime):
            at = cell
        elif isinstance(cell, date):
            at = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001  made aware below
        elif mapping.date_format is None:
            at = datetime.fromisoformat(str(cell).strip())
        else:
            at = datetime.strptime(str(cell).strip(), mapping.date_format)  # noqa: DTZ007
    except ValueError:
        form = mapping.date_format or "ISO 8601, such as 2024-12-31"
        raise DataError(
            f"{cell!r} is no date of the form {form}",
            where=_place(path, row, column),
            remedy="correct the cell, or date_format in the mapping file",
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _number(cell: Any, mapping: FileMapping, path: Path, row: int, column: str) -> float | None:
    if cell is None:
        return None
    text = str(cell).strip()
    if text in mapping.missing:
        return None
    value = float("nan")
    if isinstance(cell, float | int | Decimal) and not isinstance(cell, bool):
        value = float(cell)
    elif _NUMBER[mapping.decimal].fullmatch(text):
        value = float(text.replace(mapping.decimal, "."))
    if not isfinite(value):
        raise DataError(
            f"{text!r} is no number",
            where=_place(path, row, column),
            remedy=f"correct the cell (the decimal mark is {mapping.decimal!r}, and digits are not "
            "grouped), or decimal in the mapping file, or add the text to missing there",
        )
    return value


def _known_at(path: Path, mapping: FileMapping) -> datetime | None:
    if mapping.known_at == "now":
        return None
    if mapping.known_at == "file":
        return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    assert isinstance(mapping.known_at, datetime)
    return mapping.known_at.astimezone(UTC)


def _place(path: Path, row: int, column: str) -> str:
    return f"{path}, row {row + 1} of values, column {column}"


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
