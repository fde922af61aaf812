"""Tables of samples in files: CSV (plain or compressed) and Parquet, wide or long.

A wide file has a time column and one column a tag; a long one has one sample a row: time, tag, value
and perhaps quality and unit. Opening a table reads the whole file once and checks every row, so that
reading it later cannot fail half-way. Both passes stream: memory does not grow with the file.

Quality: an empty cell is no sample, a cell that is not a finite number is a bad one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.plant.arrow import to_batch, wide_schema
from orchestrator.plant.cells import Cells, column_values, long_rows
from orchestrator.plant.layout import ColumnKind, Layout, read_layout
from orchestrator.plant.ordering import sorted_blocks, sorted_rows
from orchestrator.plant.pivot import Duplicates, LongRows, one_row_a_time, pivot
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime
from orchestrator.plant.times import TimeFormat, ambiguous

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_SHARE = 0.9
"""A column whose filled cells are texts to a greater share than this is not a tag."""

_BAD_COLUMN = re.compile(r"In CSV column #(\d+): .*conversion error", re.DOTALL)
_BAD_ROW = re.compile(r"Row #(\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a scan found in one column or tag: cells that are numbers, and others that are filled."""

    numbers: int
    others: int


@dataclass
class _Scan:
    """What one pass over the whole file finds."""

    rows: int = 0
    first: int = 0
    last: int = 0
    ordered: bool = True
    repeated: bool = False
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    others: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, times: NDArray[np.int64]) -> None:
        """Take the times of the next rows into account."""
        steps = np.diff(times, prepend=self.last if self.rows else times[0] - 1)
        self.ordered = self.ordered and bool((steps >= 0).all())
        self.repeated = self.repeated or bool((steps == 0).any())
        low, high = int(times.min()), int(times.max())
        self.first = min(self.first, low) if self.rows else low
        # While rows ascend the last time is the highest; after that only the span matters.
        self.last = max(self.last, high) if self.rows else high
        self.rows += len(times)

    def count(self, numbers: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        """Add counts by column; later ones may know more columns."""
        grow = len(numbers) - len(self.numbers)
        self.numbers = np.pad(self.numbers, (0, grow)) + numbers
        self.others = np.pad(self.others, (0, grow)) + others


class _NotNumericError(Exception):
    """A column taken for numbers holds a text; the pass is made again with it as text."""

    def __init__(self, column: str | None) -> None:
        super().__init__(column)
        self.column = column


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
        rows: Rows of the file.
        span: First and last time.
        notes: What a reader should know: columns left out, rows out of order.
        duplicates: Filled while :meth:`blocks` is read.
    """

    def __init__(self, path: Path | str, *, time_column: str | None = None) -> None:
        """Open and check the file.

        Raises:
            DataError: it cannot be used; the text names the row where one row is at fault.
        """
        self.path = Path(path)
        self.layout: Layout = read_layout(self.path, time_column)
        self.duplicates = Duplicates()
        self.notes: list[str] = []
        self._cells = Cells(str(self.path), self.layout.long, self.layout.decimal)
        self._kinds = self._first_kinds()
        self._time_format, scan = self._checked()
        self.rows = scan.rows
        self.span: tuple[datetime, datetime] = (_moment(scan.first), _moment(scan.last))
        self._ordered, self._repeated = scan.ordered, scan.repeated
        self._classify(scan)

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
        self.duplicates = Duplicates()
        if self.layout.long:
            return pivot(self._long(names), names, self.duplicates)
        wide = self._wide(names)
        if self._ordered and not self._repeated:
            return wide
        return one_row_a_time(wide, self.duplicates)

    def read(self, tags: Sequence[str] | None = None) -> pa.Table:
        """All rows in memory: ``time`` (timestamp[us, UTC]) and one float64 column a tag.

        A cell is null where there is no usable number.
        """
        import pyarrow as pa

        names = tuple(self.tags if tags is None else tags)
        return pa.Table.from_batches(
            [to_batch(block) for block in self.blocks(names)], schema=wide_schema(names)
        )

    def _first_kinds(self) -> dict[str, ColumnKind]:
        layout = self.layout
        kinds: dict[str, ColumnKind] = {layout.time_column: "text"}
        if layout.long:
            long = layout.long
            kinds[long.tag] = "category"
            kinds[long.value] = layout.kinds[long.value]
            kinds |= {name: "category" for name in (long.quality, long.unit) if name}
            return kinds
        named = [name for name in layout.columns if name and name != layout.time_column]
        if len(named) + 1 < len(layout.columns):
            self.notes.append("columns without a name are left out")
        if not named:
            raise DataError(
                "there is a time column and nothing else", where=str(self.path),
                remedy="give one column a tag beside the time",
            )  # fmt: skip
        return kinds | {name: layout.kinds[name] for name in named}

    def _checked(self) -> tuple[TimeFormat, _Scan]:
        """Pass over the file with each possible time format; exactly one must make sense."""
        fits: list[tuple[TimeFormat, _Scan]] = []
        failure: DataError | None = None
        for time_format in self.layout.time_formats:
            try:
                fits.append((time_format, self._scan(time_format)))
            except DataError as error:
                failure = failure or error
        if not fits:
            raise failure or DataError("the times cannot be read", where=str(self.path))
        if len(fits) > 1:
            fits = [fit for fit in fits if fit[1].ordered] or fits
        if len({(fit[1].first, fit[1].last) for fit in fits}) > 1:
            raise ambiguous(str(self.path), self.layout.time_column, [fit[0] for fit in fits])
        return fits[0]

    def _scan(self, time_format: TimeFormat) -> _Scan:
        while True:
            try:
                return self._scan_once(time_format)
            except _NotNumericError as error:
                wrong = [error.column] if error.column else list(self._kinds)
                changed = [name for name in wrong if self._kinds.get(name) == "number"]
                self._kinds |= dict.fromkeys(changed, "text")

    def _scan_once(self, time_format: TimeFormat) -> _Scan:
        scan = _Scan()
        self._cells.clear()
        for times, batch in self._frames(time_format, self._kinds):
            if self.layout.long:
                rows = long_rows(self._cells, times, batch, first_row=self._row_number(scan.rows))
                good = rows.quality != Quality.BAD
                known = len(self._cells.tags)
                scan.count(
                    np.bincount(rows.codes[good], minlength=known),
                    np.bincount(rows.codes[~good], minlength=known),
                )
            else:
                columns = [
                    column_values(column, self._cells.decimal) for column in batch.columns[1:]
                ]
                scan.count(
                    np.array([np.count_nonzero(q == Quality.GOOD) for _, q in columns], np.int64),
                    np.array([np.count_nonzero(q == Quality.BAD) for _, q in columns], np.int64),
                )
            scan.add(times)
        if scan.rows == 0:
            raise DataError("there is a header and no row", where=str(self.path))
        return scan

    def _frames(
        self, time_format: TimeFormat, kinds: dict[str, ColumnKind]
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Times in microseconds and the batch of all ``kinds``, the time column first."""
        import pyarrow as pa

        done = 0
        try:
            for batch in self.layout.batches(kinds):
                if batch.num_rows:
                    times = self._times(time_format, batch.column(self.layout.time_column), done)
                    yield times, batch.select(list(kinds))
                    done += batch.num_rows
        except (pa.ArrowException, OSError, EOFError) as error:
            raise self._explained(error, kinds) from error

    def _explained(self, error: Exception, kinds: dict[str, ColumnKind]) -> Exception:
        text = str(error)
        if column := _BAD_COLUMN.search(text):
            name = self.layout.columns[int(column[1])]
            return _NotNumericError(name if kinds.get(name) == "number" else None)
        row = _BAD_ROW.search(text)
        if row:
            shown = row[2] if len(row[2]) <= 200 else row[2][:200] + "..."
            return DataError(
                shown, where=f"{self.path}, line {row[1]}",
                remedy="correct the line; a value that holds the separator must stand in quotes",
            )  # fmt: skip
        return DataError(f"the file cannot be read to its end ({text})", where=str(self.path))

    def _times(self, time_format: TimeFormat, column: Any, done: int) -> NDArray[np.int64]:
        import pyarrow as pa

        try:
            if not column.null_count:
                return time_format.parse(column)
        except (ValueError, pa.ArrowException):
            pass
        at = _first_unreadable(time_format, column)
        value = column[at].as_py()
        raise DataError(
            "there is no time"
            if value is None
            else f"{value!r} is not a time like those before it",
            where=f"{self.path}, line {self._row_number(done + at)}",
            remedy="correct or remove the line",
        )

    def _row_number(self, index: int) -> int:
        return index + 1 + (self.layout.header_rows if self.layout.format == "csv" else 0)

    def _classify(self, scan: _Scan) -> None:
        names = self._cells.tags if self.layout.long else list(self._kinds)[1:]
        counts = zip(names, scan.numbers.tolist(), scan.others.tolist(), strict=True)
        self.facts = {name: ColumnFacts(numbers, others) for name, numbers, others in counts}
        self.tags: tuple[str, ...] = tuple(
            name
            for name, fact in self.facts.items()
            if fact.numbers > (1 - TEXT_SHARE) / TEXT_SHARE * fact.others
            or (fact.numbers and self._kinds.get(name) == "number")
        )
        left = [name for name in self.facts if name not in set(self.tags)]
        self.empty = tuple(n for n in left if self._is_empty(n))
        self.texts = tuple(n for n in left if n not in set(self.empty))
        self.units = dict(self.layout.units) or dict(self._cells.units)
        if not self.tags:
            raise DataError(
                "there is not one number beside the time", where=str(self.path),
                why=f"{len(self.empty)} columns are empty and {len(self.texts)} hold text",
            )  # fmt: skip
        for what, which in (("text", self.texts), ("no value", self.empty)):
            if which:
                shown = ", ".join(which[:5]) + (", ..." if len(which) > 5 else "")
                self.notes.append(f"{len(which)} column(s) with {what} left out: {shown}")
        bad = {name: self.facts[name].others for name in self.tags if self.facts[name].others}
        if bad:
            shown = ", ".join(list(bad)[:5]) + (", ..." if len(bad) > 5 else "")
            self.notes.append(
                f"{sum(bad.values())} cell(s) are no number and count as bad: {shown}"
            )
        if not self._ordered:
            self.notes.append("the rows were not in order of time and are sorted")

    def _is_empty(self, name: str) -> bool:
        fact = self.facts[name]
        return not fact.others or (not self.layout.long and self._kinds[name] == "number")

    def _check_known(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self.facts]
        if unknown:
            raise UnknownTagError(
                f"no column or tag {', '.join(repr(name) for name in unknown)}",
                where=str(self.path),
                remedy=f"the file holds {', '.join(self.tags[:12])}",
            )
        for name in names:
            if name in self.texts:
                raise DataError(
                    "the column holds text, not numbers", where=f"{self.path}, {name!r}"
                )

    def _wide(self, names: tuple[str, ...]) -> Iterator[SampleBlock]:
        kinds = {name: self._kinds[name] for name in (self.layout.time_column, *names)}
        blocks = self._wide_as_written(kinds, names)
        return blocks if self._ordered else sorted_blocks(blocks, names, where=str(self.path))

    def _wide_as_written(
        self, kinds: dict[str, ColumnKind], names: tuple[str, ...]
    ) -> Iterator[SampleBlock]:
        for times, batch in self._frames(self._time_format, kinds):
            values = np.empty((batch.num_rows, len(names)))
            quality = np.empty((batch.num_rows, len(names)), dtype=np.uint8)
            for i, column in enumerate(batch.columns[1:]):
                values[:, i], quality[:, i] = column_values(column, self._cells.decimal)
            yield SampleBlock(names, times.view("datetime64[us]"), values, quality)

    def _long(self, names: tuple[str, ...]) -> Iterator[LongRows]:
        wanted = np.full(len(self._cells.tags), -1, dtype=np.int32)
        for i, name in enumerate(names):
            wanted[self._cells.codes[name]] = i
        rows = self._long_as_written(wanted)
        return rows if self._ordered else sorted_rows(rows, where=str(self.path))

    def _long_as_written(self, wanted: NDArray[np.int32]) -> Iterator[LongRows]:
        done = 0
        for times, batch in self._frames(self._time_format, self._kinds):
            rows = long_rows(self._cells, times, batch, first_row=self._row_number(done))
            done += len(times)
            codes = wanted[rows.codes]
            keep = codes >= 0
            rows = rows._replace(codes=codes)
            yield rows if keep.all() else rows.taken(keep)


def read_table(path: Path | str, *, time_column: str | None = None) -> pa.Table:
    """A file in memory: ``time`` (timestamp[us, UTC]) and one float64 column a tag."""
    return Table(path, time_column=time_column).read()


def _first_unreadable(time_format: TimeFormat, column: Any) -> int:
    """Position of the first cell that is no time, by bisection."""
    import pyarrow as pa

    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        part = column.slice(low, middle - low)
        try:
            readable = not part.null_count and len(time_format.parse(part)) > 0
        except (ValueError, pa.ArrowException):
            readable = False
        low, high = (middle, high) if readable else (low, middle)
    return low


def _moment(microseconds: int) -> datetime:
    return to_datetime(np.datetime64(microseconds, "us"))
