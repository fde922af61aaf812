"""``etl.ingest``: any table of samples to a clean one, saying what was converted and rejected.

The rows are streamed twice, once to check them all and once to write them, so that memory does not
grow with the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl.models import (
    IngestedColumn,
    IngestInput,
    IngestResult,
    LeftOut,
    Rejected,
    RejectedExample,
)
from orchestrator.modules.etl.staging import opened
from orchestrator.modules.etl.tables import MAX_INLINE_CELLS, inline
from orchestrator.modules.frames import iso
from orchestrator.plant.arrow import wide_schema
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime64
from orchestrator.plant.tables import Table
from orchestrator.plant.tags import Plant, Tag
from orchestrator.plant.units import conversion

if TYPE_CHECKING:
    import pyarrow.parquet as pq

UNIT_IN_HEADER = re.compile(r"^(?P<name>.+?)\s*[\[(](?P<unit>[^\])]+)[\])]$")
FILE = "ingested.parquet"
STEPS_KEPT = 200_000
ROW_GROUP_CELLS = 1_000_000


@dataclass
class _Column:
    """A column of the source, the tag it belongs to, and how to convert it."""

    name: str
    tag: str
    known: bool
    scale: float = 1.0
    offset: float = 0.0
    converted: str | None = None
    values: int = 0
    uncertain: int = 0
    bad: int = 0
    missing: int = 0


@dataclass
class _Written:
    """What was learnt while the rows were written."""

    rows: int = 0
    steps: list[NDArray[np.int64]] = field(default_factory=list)
    steps_kept: int = 0
    last: int | None = None
    kept: list[SampleBlock] = field(default_factory=list)
    cells: int = 0


def run(parameters: IngestInput, context: OperationContext) -> IngestResult:
    """Read, convert to the units of the plant file, put in order, and resolve duplicates.

    Raises:
        DataError: there is nothing to read, no time column, no usable row, or a unit that cannot be
            converted to the tag's.
        ParameterError: the file or database is not one that this service may read.
        UnknownTagError: the plant file does not name a column, and such are to be refused.
    """
    context.progress(0.0, "checking every row")
    with opened(parameters, context) as table:
        columns, left_out = _columns(table, parameters, context.plant)
        context.progress(0.5, "writing")
        written = _write(table, columns, context)
        return _result(table, columns, left_out, written, parameters, context)


def _columns(
    table: Table, parameters: IngestInput, plant: Plant
) -> tuple[list[_Column], list[LeftOut]]:
    aliases = {alias: tag for tag in plant for alias in tag.aliases}
    left_out = [LeftOut(column=name, why="it holds text") for name in table.texts]
    left_out += [LeftOut(column=name, why="it holds no value") for name in table.empty]
    stated = dict(parameters.units)
    found: list[_Column] = []
    for name in table.tags:
        tag, unit = _tag_of(name, plant, aliases)
        if tag is None and plant.tags and parameters.unknown_tags != "keep":
            if parameters.unknown_tags == "refuse":
                raise _unknown(name, table, plant)
            left_out.append(LeftOut(column=name, why="the plant file does not name it"))
            continue
        own = tag.name if tag else name
        given = stated.pop(name, None) or stated.pop(own, None) or unit or table.units.get(name)
        column = _Column(name, own, known=tag is not None)
        if given and tag is not None and tag.unit:
            _convert(column, given, tag)
        found.append(column)
    if stated:
        name = min(stated)
        raise UnknownTagError.of_field(
            f"units.{name}",
            f"a unit is stated for {name!r}, which the data does not hold",
            remedy=f"the columns are {', '.join(table.tags[:12])}",
        )
    if not found:
        raise UnknownTagError(
            "the plant file names none of the columns",
            where=table.name,
            remedy=f"the columns are {', '.join(table.tags[:12])}; add them to the plant file, or "
            "give unknown_tags: keep",
        )
    twice = {c.tag for c in found if sum(other.tag == c.tag for other in found) > 1}
    if twice:
        names = [column.name for column in found if column.tag in twice]
        raise DataError(
            f"{', '.join(map(repr, names))} all stand for one tag",
            where=table.name,
            remedy="leave one of the columns, or correct the aliases in the plant file",
        )
    return found, left_out


def _tag_of(name: str, plant: Plant, aliases: dict[str, Tag]) -> tuple[Tag | None, str | None]:
    """The tag that a column name means, also by alias or with its unit in brackets, and that unit."""
    match = UNIT_IN_HEADER.match(name)
    for candidate, unit in (
        ((name, None), (match["name"], match["unit"])) if match else ((name, None),)
    ):
        tag = plant.by_name.get(candidate) or aliases.get(candidate)
        if tag is not None:
            return tag, unit
    return None, None


def _unknown(name: str, table: Table, plant: Plant) -> UnknownTagError:
    from difflib import get_close_matches

    near = get_close_matches(name, plant.tag_names, n=3, cutoff=0.6)
    hint = f"is {' or '.join(map(repr, near))} meant? " if near else ""
    return UnknownTagError(
        f"the plant file does not name {name!r}",
        where=table.name,
        remedy=f"{hint}Correct the column, add the tag or an alias to the plant file, or give "
        "unknown_tags: leave_out",
    )


def _convert(column: _Column, given: str, tag: Tag) -> None:
    factors = conversion(given, tag.unit)
    if factors is None:
        raise DataError(
            f"{given} cannot be converted to {tag.unit}",
            where=tag.name,
            why="the quantities differ, or the unit is not known",
            remedy="correct the unit in the data or in the plant file",
        )
    if factors != (1.0, 0.0):
        column.scale, column.offset = factors
        column.converted = f"{given} to {tag.unit}"


def _write(table: Table, columns: Sequence[_Column], context: OperationContext) -> _Written:
    """Convert and write every block, and count what it holds."""
    written = _Written()
    writer: pq.ParquetWriter | None = None
    try:
        for block in _joined(_converted(table, columns), len(columns)):
            _count(block, columns, written)
            if context.scratch is not None:
                batch = _batch(block)
                writer = writer or _writer(context.scratch / FILE, batch.schema)
                writer.write_batch(batch)
            context.progress(
                0.5 + 0.5 * min(1.0, written.rows / max(1, table.rows)),
                f"{written.rows} rows written",
            )
    finally:
        if writer is not None:
            writer.close()
    return written


def _converted(table: Table, columns: Sequence[_Column]) -> Iterator[SampleBlock]:
    tags = tuple(column.tag for column in columns)
    for block in table.blocks([column.name for column in columns]):
        for i, column in enumerate(columns):
            if column.converted:
                block.values[:, i] = block.values[:, i] * column.scale + column.offset
        yield SampleBlock(tags, block.times, block.values, block.quality)


def _joined(blocks: Iterator[SampleBlock], width: int) -> Iterator[SampleBlock]:
    """Blocks large enough that a row group of the file is worth its overhead."""
    from orchestrator.plant.pivot import joined

    held: list[SampleBlock] = []
    cells = 0
    for block in blocks:
        held.append(block)
        cells += len(block) * width
        if cells >= ROW_GROUP_CELLS:
            yield joined(held)
            held, cells = [], 0
    if held:
        yield joined(held)


def _writer(path: Path, schema: Any) -> pq.ParquetWriter:
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    return pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")


def _batch(block: SampleBlock) -> Any:
    """Null where there is no sample, NaN where there is a bad one."""
    import pyarrow as pa

    arrays = [pa.array(block.times).cast(pa.timestamp("us", "UTC"))]
    for i in range(len(block.tags)):
        values = np.where(block.quality[:, i] >= Quality.BAD, np.nan, block.values[:, i])
        arrays.append(pa.array(values, mask=block.quality[:, i] == Quality.NONE))
    return pa.record_batch(arrays, schema=wide_schema(block.tags))


def _count(block: SampleBlock, columns: Sequence[_Column], written: _Written) -> None:
    written.rows += len(block)
    for i, column in enumerate(columns):
        counts = np.bincount(block.quality[:, i], minlength=4)
        column.values += int(counts[Quality.GOOD] + counts[Quality.UNCERTAIN])
        column.uncertain += int(counts[Quality.UNCERTAIN])
        column.bad += int(counts[Quality.BAD])
        column.missing += int(counts[Quality.NONE])
    micros = block.times.astype("datetime64[us]").astype(np.int64)
    if written.steps_kept < STEPS_KEPT:
        first = micros[:1] if written.last is None else np.array([written.last])
        steps = np.diff(np.concatenate([first, micros]))
        written.steps.append(steps[steps > 0])
        written.steps_kept += len(steps)
    written.last = int(micros[-1])
    if written.cells <= MAX_INLINE_CELLS:
        written.cells += len(block) * (len(columns) + 1)
        written.kept.append(block)
        if written.cells > MAX_INLINE_CELLS:
            written.kept.clear()


def _result(
    table: Table,
    columns: Sequence[_Column],
    left_out: Sequence[LeftOut],
    written: _Written,
    parameters: IngestInput,
    context: OperationContext,
) -> IngestResult:
    twice = table.duplicates
    rejected = tuple(
        Rejected(
            reason=item.reason,
            column=item.column,
            whole_rows=item.whole_rows,
            count=item.count,
            examples=tuple(RejectedExample(row=e.row, text=e.text) for e in item.examples),
        )
        for item in table.rejects
    )
    taken = tuple(
        IngestedColumn(
            tag=column.tag,
            column=column.name if column.name != column.tag else None,
            values=column.values,
            uncertain=column.uncertain,
            bad=column.bad,
            missing=column.missing,
            converted=column.converted,
            known=column.known,
        )
        for column in columns
    )
    steps = np.concatenate(written.steps) if written.steps else np.zeros(0, np.int64)
    file = FILE if context.scratch is not None else None
    return IngestResult(
        summary=_summary(table, taken, written.rows, parameters.to_historian),
        warnings=_warnings(table, taken, twice.note, context.plant),
        rows_read=table.rows + table.rejects.rows,
        rows_kept=written.rows,
        start=iso(to_datetime64(table.span[0])),
        end=iso(to_datetime64(table.span[1])),
        period_seconds=float(np.median(steps)) / 1e6 if len(steps) else None,
        layout="long" if table.layout.long else "wide",
        columns_taken=taken,
        left_out=tuple(left_out),
        duplicates_resolved=twice.identical + twice.conflicting,
        reordered=table.unordered,
        rejected=rejected,
        columns=_inline(written),
        artefact=file,
        append=file if parameters.to_historian else None,
    )


def _inline(written: _Written) -> dict[str, list[Any]] | None:
    if not written.kept:
        return None
    from orchestrator.plant.pivot import joined

    block = joined(written.kept)
    usable = np.where(block.quality >= Quality.BAD, np.nan, block.values)
    return inline(block.times, {tag: usable[:, i] for i, tag in enumerate(block.tags)})


def _warnings(
    table: Table, taken: Sequence[IngestedColumn], duplicates: str | None, plant: Plant
) -> tuple[str, ...]:
    said = [*table.notes, *([duplicates] if duplicates else [])]
    unknown = [item.tag for item in taken if not item.known]
    if unknown and plant.tags:
        shown = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
        verb = "is" if len(unknown) == 1 else "are"
        said.append(f"{shown} {verb} not in the plant file: units were taken as they are")
    uncertain = sum(item.uncertain for item in taken)
    if uncertain:
        said.append(f"{uncertain} values are uncertain by the source's own quality")
    return tuple(said)


def _summary(table: Table, taken: Sequence[IngestedColumn], kept: int, to_historian: bool) -> str:
    converted = sum(item.converted is not None for item in taken)
    text = f"{table.rows + table.rejects.rows} rows read, {kept} times of {len(taken)} tags kept"
    if converted:
        text += f", {converted} tags converted to the plant's units"
    if to_historian:
        text += ", appended to the historian"
    rows = table.rejects.rows
    cells = table.rejects.total - rows
    if not rows + cells:
        return f"{text}; none rejected."
    return f"{text}; {rows} rows and {cells} cells rejected."
