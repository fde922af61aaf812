"""The rows of a file with their times: what stands between its layout and its values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError
from orchestrator.plant.layout import ColumnKind, Layout
from orchestrator.plant.reading import Reading
from orchestrator.plant.samples import to_datetime64
from orchestrator.plant.scan import Pass, Rows
from orchestrator.plant.times import TimeFormat
from orchestrator.plant.unreadable import keys_of, read_times

_BAD_COLUMN = re.compile(r"In CSV column #(\d+): .*conversion error", re.DOTALL)
_BAD_ROW = re.compile(r"Row #(\d+): (.*)", re.DOTALL)


class AgainError(Exception):
    """The pass is made again: with a column that was taken for numbers as text, or as cp1252."""

    def __init__(self, column: str | None = None, *, encoding: bool = False) -> None:
        super().__init__(column)
        self.column = column
        self.encoding = encoding


class RowReader:
    """Reads the rows of one file, as its layout and what is stated about it say.

    Args:
        layout: How the file is written.
        stated: What the reader of the file states.
        name: The file's name in errors.
    """

    def __init__(self, layout: Layout, stated: Reading, name: str) -> None:
        self._layout = layout
        self._stated = stated
        self._name = name

    def rows(
        self, time_format: TimeFormat, kinds: dict[str, ColumnKind], reading: Pass
    ) -> Iterator[Rows]:
        """The usable rows of all ``kinds``, with their times."""
        import pyarrow as pa

        time = self._layout.time_column
        wanted: dict[str, ColumnKind] = {time: "text", **kinds} if time else kinds
        on_bad_row = reading.on_bad_row if self._stated.lenient else None
        try:
            for batch in self._layout.batches(wanted, on_bad_row):
                if batch.num_rows:
                    yield self._timed(time_format, batch, list(kinds), reading)
        except (pa.ArrowException, OSError, EOFError) as error:
            raise self._explained(error, wanted) from error

    def _timed(self, time_format: TimeFormat, batch: Any, names: list[str], reading: Pass) -> Rows:
        done = reading.given
        reading.given += batch.num_rows
        header_rows = self._layout.header_rows if self._layout.format == "csv" else 0
        if not self._layout.time_column:
            return Rows(
                self._numbered(done, batch.num_rows),
                batch.select(names),
                lambda row: reading.line(done + row, header_rows),
            )
        column = batch.column(self._layout.time_column)
        times, readable = read_times(
            time_format,
            column,
            reading,
            self._name,
            lambda row: reading.line(done + row, header_rows),
        )
        kept = np.flatnonzero(readable)
        batch = batch.select(names)
        if len(kept) < len(column):
            times, batch = times[kept], batch.take(kept)
        if reading.clock is not None and not time_format.absolute(column):
            local = times
            times, exists = reading.clock.utc(local, keys_of(batch, self._layout.long))
            if not exists.all():
                self._reject_skipped(column, kept[~exists], reading, done + header_rows + 1)
                kept, times, batch = kept[exists], times[exists], batch.take(np.flatnonzero(exists))
        return Rows(times, batch, lambda row: reading.line(done + int(kept[row]), header_rows))

    def _reject_skipped(
        self, column: Any, rows: NDArray[np.intp], reading: Pass, first_line: int
    ) -> None:
        zone = self._stated.timezone
        reason = f"the local time does not exist in {zone} (clocks go forward)"
        examples = [(first_line + int(row), column[int(row)].as_py()) for row in rows[:3]]
        if reading.rejects is not None:
            reading.rejects.add(reason, examples, count=len(rows), whole_rows=True)
            return
        raise DataError(
            f"{examples[0][1]!r}: {reason}", where=f"{self._name}, line {examples[0][0]}",
            remedy="correct the time or the zone, or load the file with etl.ingest",
        )  # fmt: skip

    def _numbered(self, done: int, count: int) -> NDArray[np.int64]:
        """Times of rows that have none, from the stated start and period."""
        start, period = self._stated.start, self._stated.period_seconds
        if start is None and self._stated.timeless:
            return np.arange(done, done + count, dtype=np.int64)  # only keeps the rows in order
        if start is None or period is None:
            raise DataError(
                "no column holds times, and start is given without period_seconds",
                where=self._name, remedy="give both, or the column of the time",
            )  # fmt: skip
        first = int(to_datetime64(start).astype(np.int64))
        steps = np.arange(done, done + count, dtype=np.float64) * period * 1e6
        times: NDArray[np.int64] = first + np.rint(steps).astype(np.int64)
        return times

    def _explained(self, error: Exception, kinds: dict[str, ColumnKind]) -> Exception:
        text = str(error)
        if column := _BAD_COLUMN.search(text):
            name = self._layout.columns[int(column[1])]
            if kinds.get(name) == "number":
                return AgainError(name)
            if "UTF8" in text and self._layout.encoding == "utf-8":
                return AgainError(encoding=True)
            return AgainError()
        row = _BAD_ROW.search(text)
        if row:
            shown = row[2] if len(row[2]) <= 200 else row[2][:200] + "..."
            return DataError(
                shown, where=f"{self._name}, line {row[1]}",
                remedy="correct the line; a value that holds the separator must stand in quotes",
            )  # fmt: skip
        return DataError(f"the file cannot be read to its end ({text})", where=self._name)
