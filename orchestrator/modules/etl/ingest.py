"""``etl.ingest``: rows or CSV text to a clean table, saying what was converted and rejected."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError
from orchestrator.modules.base import InlineData, OperationContext
from orchestrator.modules.etl import quality
from orchestrator.modules.etl.cells import Tally, decimal_of, find_time, is_empty, number, times_of
from orchestrator.modules.etl.models import IngestedColumn, IngestInput, IngestResult, Rejected
from orchestrator.modules.etl.tables import inline, write_parquet
from orchestrator.modules.frames import iso
from orchestrator.plant.tags import Plant
from orchestrator.plant.units import conversion

Array = NDArray[np.float64]
TAG_COLUMNS = ("tag", "tagname", "tag_name", "point", "series", "variable", "name")
VALUE_COLUMNS = ("value", "val", "reading")
UNIT_COLUMNS = ("unit", "units", "uom")
QUALITY_COLUMNS = ("quality", "status")
BAD = frozenset({"bad", "b", "invalid", "false"})
UNIT_IN_HEADER = re.compile(r"^(?P<name>.+?)\s*[\[(](?P<unit>[^\])]+)[\])]$")
MAX_ROWS = 2_000_000


@dataclass
class _Raw:
    """Cells by column."""

    names: list[str]
    columns: list[list[Any]]
    commas: bool = True


@dataclass
class _Wide:
    """Numbers by tag at times in the order given, with the unit stated for each tag, if any."""

    times: list[datetime]
    values: dict[str, Array]
    units: dict[str, str]


def run(parameters: IngestInput, context: OperationContext) -> IngestResult:
    """Read, convert to the units of the plant file, put in order, and resolve duplicates.

    Raises:
        DataError: there is nothing to read, no time column, no usable row, or a unit that cannot be
            converted to the tag's.
    """
    context.progress(0.0, "reading")
    rejected = Tally()
    raw = _raw(parameters, context, rejected)
    rows_read = len(raw.columns[0]) if raw.columns else 0
    if rows_read == 0:
        raise DataError("there are no rows", remedy="give text with a header line, or rows")
    if rows_read > MAX_ROWS:
        raise DataError(
            f"{rows_read} rows are too many for one call",
            remedy=f"give at most {MAX_ROWS} rows, or use dan-g replay with a file",
        )
    position = find_time(raw.names, raw.columns, parameters.time_column)
    context.progress(0.2, "reading times")
    times = times_of(raw.columns.pop(position), parameters.timezone, parameters.day_first, rejected)
    raw.names.pop(position)
    keep = [i for i, time in enumerate(times) if time is not None]
    if not keep:
        raise DataError(
            "no row has a time that can be read",
            remedy="write times as 2025-03-01T06:00:00Z",
            context={"rejected": dict(rejected.counts)},
        )
    kept = [time for time in times if time is not None]
    columns = [[column[i] for i in keep] for column in raw.columns]
    names = [name.casefold().strip() for name in raw.names]
    layout = _layout(parameters, names)
    decimal: str = parameters.decimal
    if decimal == "auto":
        decimal = decimal_of(columns) if raw.commas else "."
    context.progress(0.5, "reading values")
    if layout == "long":
        wide = _from_long(kept, names, columns, decimal, rejected)
    else:
        wide = _from_wide(kept, raw.names, columns, decimal, rejected, context.plant)
    taken, converted = _converted(wide, parameters.units, context.plant)
    ordered, reordered, resolved = _in_order(converted, parameters.duplicates)
    stamps = np.array([_naive(time) for time in ordered.times], dtype="datetime64[us]")
    context.progress(0.9, "writing")
    rejections = tuple(
        Rejected(reason=reason, count=count, examples=tuple(rejected.examples[reason]))
        for reason, count in rejected.counts.most_common()
    )
    return IngestResult(
        summary=_summary(rows_read, len(stamps), taken, sum(rejected.counts.values())),
        warnings=tuple(
            f"{item.tag} is not in the plant file: its unit was taken as it is"
            for item in taken
            if not item.known and context.plant.tags
        ),
        rows_read=rows_read,
        rows_kept=len(stamps),
        start=iso(stamps[0]),
        end=iso(stamps[-1]),
        period_seconds=quality.period_seconds(stamps),
        layout=layout,
        columns_taken=tuple(taken),
        duplicates_resolved=resolved,
        reordered=reordered,
        rejected=rejections,
        columns=inline(stamps, ordered.values),
        artefact=write_parquet(context.scratch, "ingested.parquet", stamps, ordered.values),
    )


def _raw(parameters: IngestInput, context: OperationContext, rejected: Tally) -> _Raw:
    if parameters.text is not None:
        return _from_text(parameters.text, parameters.separator, rejected)
    data = parameters.data
    if isinstance(data, InlineData):
        if data.columns is not None:
            lengths = {len(column) for column in data.columns.values()}
            if len(lengths) > 1:
                raise DataError(f"the columns have different lengths: {sorted(lengths)}")
            return _Raw(list(data.columns), list(data.columns.values()))
        rows = data.rows or ()
        names = list(dict.fromkeys(name for row in rows for name in row))
        return _Raw(names, [[row.get(name) for row in rows] for name in names])
    table = context.table()
    return _Raw(list(table.column_names), [column.to_pylist() for column in table.columns])


def _from_text(text: str, separator: str, rejected: Tally) -> _Raw:
    lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise DataError("the text is empty", remedy="give CSV text with a header line")
    if separator == "auto":
        separator = max(";\t|,", key=lambda mark: (lines[0].count(mark), mark != ","))
    if separator not in lines[0]:
        raise DataError(
            f"the header has one column only: {lines[0][:80]!r}", remedy="state the separator"
        )
    table = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
    names = [name.strip() for name in next(table)]
    if len(set(names)) != len(names) or "" in names:
        raise DataError(
            "a column has no name, or two have one name",
            where="header",
            remedy="give every column a name of its own",
        )
    columns: list[list[Any]] = [[] for _ in names]
    for row in table:
        if len(row) != len(names):
            rejected.add(f"the row has not {len(names)} cells", separator.join(row))
            continue
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    return _Raw(names, columns, commas=separator != ",")


def _layout(parameters: IngestInput, names: Sequence[str]) -> Literal["wide", "long"]:
    is_long = any(n in TAG_COLUMNS for n in names) and any(n in VALUE_COLUMNS for n in names)
    if parameters.layout == "long" and not is_long:
        raise DataError(
            "a long table needs a column tag and a column value",
            remedy=f"the columns are: {', '.join(names[:12])}",
        )
    if parameters.layout == "auto":
        return "long" if is_long else "wide"
    return parameters.layout


def _from_wide(
    times: list[datetime],
    names: Sequence[str],
    columns: Sequence[list[Any]],
    decimal: str,
    rejected: Tally,
    plant: Plant,
) -> _Wide:
    wide = _Wide(times, {}, {})
    for name, column in zip(names, columns, strict=True):
        tag = name
        match = UNIT_IN_HEADER.match(name)
        if match and name not in plant.by_name and match["name"] in plant.by_name:
            tag = match["name"]
            wide.units[tag] = match["unit"]
        numbers = np.array([_cell(cell, decimal, tag, rejected) for cell in column])
        wide.values[tag] = numbers
    return wide


def _from_long(
    times: list[datetime],
    names: Sequence[str],
    columns: Sequence[list[Any]],
    decimal: str,
    rejected: Tally,
) -> _Wide:
    def column(accepted: Sequence[str]) -> list[Any] | None:
        found = [columns[names.index(name)] for name in accepted if name in names]
        return found[0] if found else None

    tags, values = column(TAG_COLUMNS) or [], column(VALUE_COLUMNS) or []
    units, states = column(UNIT_COLUMNS), column(QUALITY_COLUMNS)
    wide = _Wide([], {}, {})
    samples: list[tuple[datetime, str, float]] = []
    for i, (time, name, value) in enumerate(zip(times, tags, values, strict=True)):
        if is_empty(name):
            rejected.add("the row names no tag", str(value))
            continue
        tag = str(name).strip()
        if states is not None and str(states[i]).strip().casefold() in BAD:
            rejected.add("the quality is bad", f"{tag} {value}")
            value = None
        if units is not None and not is_empty(units[i]):
            unit = str(units[i]).strip()
            if wide.units.setdefault(tag, unit) != unit:
                raise DataError(
                    f"{tag} comes in two units, {wide.units[tag]} and {unit}",
                    remedy="convert it to one unit before",
                )
        samples.append((time, tag, _cell(value, decimal, tag, rejected)))
    # one row a sample: rows of one time are merged when duplicates are resolved
    wide.times = [time for time, _, _ in samples]
    for tag in dict.fromkeys(tag for _, tag, _ in samples):
        wide.values[tag] = np.array([v if name == tag else np.nan for _, name, v in samples])
    return wide


def _cell(cell: Any, decimal: str, tag: str, rejected: Tally) -> float:
    try:
        return number(cell, decimal)
    except ValueError:
        rejected.add(f"{tag}: not a finite number", str(cell))
        return float("nan")


def _converted(
    wide: _Wide, stated: dict[str, str], plant: Plant
) -> tuple[list[IngestedColumn], _Wide]:
    unknown = sorted(set(stated) - wide.values.keys())
    if unknown:
        raise DataError(f"a unit is stated for {unknown[0]!r}, which the data does not hold")
    taken: list[IngestedColumn] = []
    values: dict[str, Array] = {}
    for name, numbers in wide.values.items():
        tag = plant.by_name.get(name)
        given = stated.get(name) or wide.units.get(name)
        text = None
        if given and tag is not None and tag.unit:
            factors = conversion(given, tag.unit)
            if factors is None:
                raise DataError(
                    f"{given} cannot be converted to {tag.unit}",
                    where=name,
                    why="the quantities differ, or the unit is not known",
                    remedy="correct the unit in the data or in the plant file",
                )
            if factors != (1.0, 0.0):
                numbers = numbers * factors[0] + factors[1]
                text = f"{given} to {tag.unit}"
        present = int(np.isfinite(numbers).sum())
        if present == 0 and name not in plant.by_name:
            continue
        values[name] = numbers
        taken.append(
            IngestedColumn(
                tag=name,
                values=present,
                missing=len(numbers) - present,
                converted=text,
                known=tag is not None,
            )
        )
    if not any(item.values for item in taken):
        raise DataError(
            "no column holds numbers", remedy="check the decimal separator and the layout"
        )
    return taken, _Wide(wide.times, values, wide.units)


def _in_order(wide: _Wide, duplicates: str) -> tuple[_Wide, int, int]:
    """Rows by time, one a time; how many were out of order, and how many values were superseded."""
    micros = np.array([_naive(t) for t in wide.times], dtype="datetime64[us]").astype(np.int64)
    reordered = int((np.diff(micros) < 0).sum())
    order = np.argsort(micros, kind="stable")
    unique, group = np.unique(micros[order], return_inverse=True)
    resolved = 0
    values: dict[str, Array] = {}
    for name, column in wide.values.items():
        ordered = column[order]
        present = np.isfinite(ordered)
        counts = np.bincount(group[present], minlength=len(unique))
        twice = int(np.maximum(counts - 1, 0).sum())
        if twice and duplicates == "refuse":
            raise DataError(
                f"{twice} values repeat a time",
                where=name,
                remedy="choose which to keep with duplicates: last, first or mean",
            )
        resolved += twice
        found = np.full(len(unique), np.nan)
        if duplicates == "mean":
            sums = np.bincount(group[present], weights=ordered[present], minlength=len(unique))
            found[counts > 0] = sums[counts > 0] / counts[counts > 0]
        elif duplicates == "first":
            found[group[present][::-1]] = ordered[present][::-1]
        else:
            found[group[present]] = ordered[present]
        values[name] = found
    stamps = [datetime.fromtimestamp(int(m) / 1e6, UTC) for m in unique]
    return _Wide(stamps, values, wide.units), reordered, resolved


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)


def _summary(read: int, kept: int, taken: Sequence[IngestedColumn], rejected: int) -> str:
    converted = sum(item.converted is not None for item in taken)
    text = f"{read} rows read, {kept} times of {len(taken)} tags kept"
    if converted:
        text += f", {converted} tags converted to the plant's units"
    return f"{text}; {rejected} rows or cells rejected." if rejected else f"{text}; none rejected."
