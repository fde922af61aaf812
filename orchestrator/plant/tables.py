"""Tables of samples in files: CSV (plain or compressed) and Parquet, wide or long.

A wide file has a time column and one column a tag; a long one has one sample a row: time, tag, value
and perhaps quality and unit. Opening a table reads the whole file once and checks every row, so that
reading it later cannot fail half-way. Both passes stream: memory does not grow with the file.

Quality: an empty cell is no sample, a cell that is not a finite number is a bad one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.plant.arrow import to_batch, wide_schema
from orchestrator.plant.cells import (
    Cells,
    OpcCodesError,
    column_values,
    infinite_in,
    long_rows,
    reject_cells,
    words_in,
)
from orchestrator.plant.csv_head import first_bytes
from orchestrator.plant.layout import ColumnKind, Layout, read_layout
from orchestrator.plant.local_times import LocalTimes
from orchestrator.plant.ordering import sorted_blocks, sorted_rows
from orchestrator.plant.pivot import Duplicates, LongRows, one_row_a_time, pivot
from orchestrator.plant.reading import Reading
from orchestrator.plant.rejects import Rejects
from orchestrator.plant.row_reader import AgainError, RowReader
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime
from orchestrator.plant.scan import ColumnFacts, Pass, Scan
from orchestrator.plant.spreadsheets import as_csv, is_spreadsheet
from orchestrator.plant.times import TimeFormat, ambiguous

if TYPE_CHECKING:
    import pyarrow as pa

TIME_COLUMN = "time"
TEXT_SHARE = 0.9
"""A column whose filled cells are texts to a greater share than this is not a tag."""
MOST_LOST = 0.5
"""A file of which more rows than this are not readable is refused, however lenient the reader."""


class Table:
    """A checked file of samples.

    Attributes:
        path: The file.
        layout: How it is written.
        tags: Columns (or, in a long file, tags) that hold numbers, in file order.
        empty: Columns without any value.
        texts: Columns of text, left out.
        facts: Counts by column.
        units: Unit of each tag where the file states one.
        rows: Rows of the file that can be used.
        timed: Whether the rows have times; without, :attr:`span` and the times of :meth:`blocks` only say
            in which order they stand.
        span: First and last time.
        unordered: Rows that are older than the row before.
        infinite: Infinite cells by column of a wide file; they count as bad.
        rejects: What a lenient reader left out.
        clock: How local times were read; None where they were UTC.
        notes: What a reader should know: columns left out, rows out of order.
        duplicates: Filled while :meth:`blocks` is read.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        time_column: str | None = None,
        reading: Reading | None = None,
        name: str | None = None,
    ) -> None:
        """Open and check the file, called ``name`` in errors (by default its path).

        Raises:
            DataError: it cannot be used; the text names the row where one row is at fault.
        """
        self.reading = reading or Reading(time_column=time_column)
        self.path = Path(path)
        self.name = name or str(path)
        if is_spreadsheet(first_bytes(self.path, self.name)):
            self._staged = as_csv(self.path, self.reading.sheet, self.name)
            self.path = self._staged.path
        self.layout: Layout = read_layout(self.path, self.reading, self.name)
        self.timed = bool(self.layout.time_column) or self.reading.start is not None
        self.duplicates = Duplicates(keep=self.reading.duplicates)
        self.notes: list[str] = []
        self._cells = Cells(self.name, self.layout.long, self.layout.decimal)
        self._kinds = self._first_kinds()
        self._time_format, scan = self._checked()
        self.rows = scan.rows
        self.span: tuple[datetime, datetime] = (_moment(scan.first), _moment(scan.last))
        self.unordered = scan.unordered
        self.clock = scan.reading.clock
        self._ordered, self._repeated = scan.ordered, scan.repeated
        self.infinite = dict(scan.infinite)
        self._classify(scan)
        self.rejects = (scan.reading.rejects or Rejects()).without((*self.texts, *self.empty))
        self._cells.rejects = None

    def blocks(self, tags: Sequence[str] | None = None) -> Iterator[SampleBlock]:
        """All rows as blocks of many rows, with strictly ascending times.

        Args:
            tags: Columns wanted, in this order; by default all of :attr:`tags`.

        Raises:
            UnknownTagError: the file has no such column.
            DataError: a wanted column holds text.
        """
        names = tuple(self.tags if tags is None else tags)
        self._check_known(names)
        self.duplicates = Duplicates(keep=self.reading.duplicates)
        if self.layout.long:
            return pivot(self._long(names), names, self.duplicates)
        wide = self._wide(names)
        if self._ordered and not self._repeated:
            return wide
        return one_row_a_time(wide, self.duplicates)

    def read(self, tags: Sequence[str] | None = None) -> pa.Table:
        """All rows in memory: ``time`` (timestamp[us, UTC]) where rows have one, and a float64 column a tag.

        A cell is null where there is no usable number.
        """
        import pyarrow as pa

        names = tuple(self.tags if tags is None else tags)
        table = pa.Table.from_batches(
            [to_batch(block) for block in self.blocks(names)], schema=wide_schema(names)
        )
        return table if self.timed else table.drop_columns([TIME_COLUMN])

    def _first_kinds(self) -> dict[str, ColumnKind]:
        """Columns to read beside that of the time, and what they hold."""
        layout = self.layout
        if layout.long:
            long = layout.long
            kinds: dict[str, ColumnKind] = {long.tag: "category"}
            kinds[long.value] = layout.kinds[long.value]
            kinds |= {name: "category" for name in (long.quality, long.unit) if name}
            return kinds
        named = [name for name in layout.columns if name and name != layout.time_column]
        if len(named) + bool(layout.time_column) < len(layout.columns):
            self.notes.append("columns without a name are left out")
        if not named:
            raise DataError(
                "there is a time column and nothing else", where=self.name,
                remedy="give one column a tag beside the time, or state the separator",
            )  # fmt: skip
        return {name: layout.kinds[name] for name in named}

    def _checked(self) -> tuple[TimeFormat, Scan]:
        """Pass over the file with each possible time format; exactly one must make sense."""
        fits: list[tuple[TimeFormat, Scan]] = []
        failure: DataError | None = None
        for time_format in self.layout.time_formats:
            try:
                fits.append((time_format, self._scan(time_format)))
            except DataError as error:
                failure = failure or error
        if not fits:
            raise failure or DataError("the times cannot be read", where=self.name)
        if len(fits) > 1:
            most = max(fit[1].rows for fit in fits)
            fits = [fit for fit in fits if fit[1].rows == most]
            fits = [fit for fit in fits if fit[1].ordered] or fits
        if len({(fit[1].first, fit[1].last) for fit in fits}) > 1:
            raise ambiguous(self.name, self.layout.time_column, [fit[0] for fit in fits])
        return fits[0]

    def _scan(self, time_format: TimeFormat) -> Scan:
        while True:
            try:
                return self._scan_once(time_format)
            except OpcCodesError:
                continue
            except AgainError as error:
                if error.encoding:
                    self.layout = replace(self.layout, encoding="cp1252")
                    continue
                wrong = [error.column] if error.column else list(self._kinds)
                changed = [name for name in wrong if self._kinds.get(name) == "number"]
                self._kinds |= dict.fromkeys(changed, "text")

    def _scan_once(self, time_format: TimeFormat) -> Scan:
        scan = Scan(reading=self._new_pass())
        rejects = scan.reading.rejects
        self._cells.clear()
        self._cells.rejects = rejects
        for rows in self._reader().rows(time_format, self._kinds, scan.reading):
            if self.layout.long:
                found = long_rows(self._cells, rows.times, rows.batch, line=rows.line)
                bad = np.bincount(
                    found.codes[found.quality == Quality.BAD], minlength=len(self._cells.tags)
                )
                scan.count(self._cells.numbers, bad, self._cells.words)
                scan.add(found.times)
                continue
            names = list(self._kinds)
            numbers, others, words = np.zeros((3, len(names)), np.int64)
            for i, column in enumerate(rows.batch.columns):
                _, quality = column_values(column, self._cells.decimal)
                bad = quality == Quality.BAD
                numbers[i] = np.count_nonzero(quality == Quality.GOOD)
                others[i] = np.count_nonzero(bad)
                words[i] = np.count_nonzero(words_in(column, bad))
                if others[i] and (infinite := infinite_in(column, bad)):
                    scan.infinite[names[i]] += infinite
                if rejects is not None and others[i]:
                    reject_cells(
                        rejects, column, bad, names, np.full(len(bad), i, np.int32), rows.line
                    )
            scan.count(numbers, others, words)
            scan.add(rows.times)
        self._check_enough(scan)
        return scan

    def _check_enough(self, scan: Scan) -> None:
        rejects = scan.reading.rejects
        lost = rejects.rows if rejects is not None else 0
        most = next((item for item in rejects if item.whole_rows), None) if rejects else None
        if lost > MOST_LOST * (scan.rows + lost) and most is not None:
            example = most.examples[0]
            raise DataError(
                f"{lost} of {scan.rows + lost} rows cannot be read; {most.count}: {most.reason}, the "
                f"first is line {example.row}: {example.text!r}",
                where=self.name,
                remedy="state how the file is written (separator, time_column, layout, day_first), or "
                "write all rows with one separator and as many cells as the header",
            )
        if scan.rows == 0:
            raise DataError("there is a header and no row", where=self.name,
                            remedy="give at least one row of values")  # fmt: skip

    def _classify(self, scan: Scan) -> None:
        names = self._cells.tags if self.layout.long else list(self._kinds)
        counts = np.stack([scan.numbers, scan.others, scan.words], axis=1).tolist()
        self.facts = {n: ColumnFacts(*row) for n, row in zip(names, counts, strict=True)}
        self.tags: tuple[str, ...] = tuple(
            name
            for name, fact in self.facts.items()
            if fact.numbers > (1 - TEXT_SHARE) / TEXT_SHARE * fact.words
            or (fact.numbers and self._kinds.get(name) == "number")
        )
        left = [name for name in self.facts if name not in set(self.tags)]
        self.empty = tuple(n for n in left if self._is_empty(n))
        self.texts = tuple(n for n in left if n not in set(self.empty))
        self.units = dict(self.layout.units) or dict(self._cells.units)
        if not self.tags:
            raise DataError(
                "there is not one number beside the time", where=self.name,
                why=f"{len(self.empty)} columns are empty and {len(self.texts)} hold text",
                remedy="check the decimal mark, the separator and whether the layout is wide or long",
            )  # fmt: skip
        for what, which in (("text", self.texts), ("no value", self.empty)):
            if which:
                shown = ", ".join(which[:5]) + (", ..." if len(which) > 5 else "")
                self.notes.append(f"{len(which)} column(s) with {what} left out: {shown}")
        if self.layout.long is not None and self.layout.long.unused:
            self.notes.append(f"column(s) not read: {', '.join(self.layout.long.unused)}")
        bad = {name: self.facts[name].others for name in self.tags if self.facts[name].others}
        if bad:
            shown = ", ".join(list(bad)[:5]) + (", ..." if len(bad) > 5 else "")
            self.notes.append(
                f"{sum(bad.values())} cell(s) are no number, or of bad quality, and count as bad: {shown}"
            )
        if self.layout.titles:
            self.notes.append(f"{self.layout.titles} line(s) above the header are left out")
        if self.layout.unsure and self.layout.decimal == ",":
            self.notes.append(
                f"numbers such as {self.layout.unsure!r} are read with a decimal comma; state decimal "
                "if the comma groups thousands"
            )
        self.notes += self.clock.notes() if self.clock else []
        if not self._ordered:
            self.notes.append("the rows were not in order of time and are sorted")

    def _is_empty(self, name: str) -> bool:
        fact = self.facts[name]
        return not fact.words or (not self.layout.long and self._kinds[name] == "number")

    def _check_known(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self.facts]
        if unknown:
            raise UnknownTagError(
                f"no column or tag {', '.join(repr(name) for name in unknown)}",
                where=self.name,
                remedy=f"the file holds {', '.join(self.tags[:12])}",
            )
        for name in names:
            if name in self.texts:
                raise DataError(
                    "the column holds text, not numbers", where=f"{self.name}, {name!r}"
                )

    def _wide(self, names: tuple[str, ...]) -> Iterator[SampleBlock]:
        kinds = {name: self._kinds[name] for name in names}
        blocks = self._wide_as_written(kinds, names)
        return blocks if self._ordered else sorted_blocks(blocks, names, where=self.name)

    def _wide_as_written(
        self, kinds: dict[str, ColumnKind], names: tuple[str, ...]
    ) -> Iterator[SampleBlock]:
        for rows in self._reader().rows(self._time_format, kinds, self._new_pass()):
            count = len(rows.times)
            values = np.empty((count, len(names)))
            quality = np.empty((count, len(names)), dtype=np.uint8)
            for i, column in enumerate(rows.batch.columns):
                values[:, i], quality[:, i] = column_values(column, self._cells.decimal)
            yield SampleBlock(names, rows.times.view("datetime64[us]"), values, quality)

    def _long(self, names: tuple[str, ...]) -> Iterator[LongRows]:
        wanted = np.full(len(self._cells.tags), -1, dtype=np.int32)
        for i, name in enumerate(names):
            wanted[self._cells.codes[name]] = i
        rows = self._long_as_written(wanted)
        return rows if self._ordered else sorted_rows(rows, where=self.name)

    def _long_as_written(self, wanted: NDArray[np.int32]) -> Iterator[LongRows]:
        reading = self._new_pass()
        self._cells.rejects = reading.rejects
        for part in self._reader().rows(self._time_format, self._kinds, reading):
            rows = long_rows(self._cells, part.times, part.batch, line=part.line)
            codes = wanted[rows.codes]
            keep = codes >= 0
            rows = rows._replace(codes=codes)
            yield rows if keep.all() else rows.taken(keep)

    def _reader(self) -> RowReader:
        return RowReader(self.layout, self.reading, self.name)

    def _new_pass(self) -> Pass:
        """A reading from the first row; what it leaves out is the same each time."""
        reading = self.reading
        clock = None
        if reading.timezone != "UTC":
            clock = LocalTimes(reading.timezone, reading.ambiguous, reading.nonexistent)
        return Pass(Rejects() if reading.lenient else None, clock)


def read_table(path: Path | str, *, time_column: str | None = None) -> pa.Table:
    """A file in memory: ``time`` (timestamp[us, UTC]) and one float64 column a tag."""
    return Table(path, time_column=time_column).read()


def _moment(microseconds: int) -> datetime:
    return to_datetime(np.datetime64(microseconds, "us"))
