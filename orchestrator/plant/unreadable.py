"""Times of a batch of rows, and what becomes of the cells that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError
from orchestrator.plant.layout import LongColumns
from orchestrator.plant.scan import Pass
from orchestrator.plant.times import TimeFormat


def read_times(
    time_format: TimeFormat,
    column: Any,
    reading: Pass,
    where: str,
    line: Callable[[int], int],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Microseconds since 1970 of each cell (0 where it is no time), and which cells are times.

    Raises:
        DataError: a cell is no time, and such rows are not left out.
    """
    times, readable = _parsed(time_format, column, stop=reading.rejects is None)
    if readable.all():
        return times, readable
    bad = np.flatnonzero(~readable)
    cells = [(int(row), column[int(row)].as_py()) for row in bad[:1]]
    if reading.rejects is None:
        row, value = cells[0]
        raise DataError(
            "there is no time"
            if value is None
            else f"{value!r} is not a time like those before it",
            where=f"{where}, line {line(row)}",
            remedy="correct or remove the line",
        )
    absent = column.is_null().to_numpy(zero_copy_only=False)
    for reason, rows in (
        ("the row has no time", np.flatnonzero(~readable & absent)),
        ("the time cannot be read", np.flatnonzero(~readable & ~absent)),
    ):
        if len(rows):
            examples = [(line(int(row)), column[int(row)].as_py()) for row in rows[:3]]
            reading.rejects.add(reason, examples, count=len(rows), whole_rows=True)
    return times, readable


def _parsed(
    time_format: TimeFormat, column: Any, *, stop: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """By halves, so that a few bad cells among many cost little; ``stop`` ends at the first."""
    import pyarrow as pa

    count = len(column)
    times = np.zeros(count, dtype=np.int64)
    readable = np.zeros(count, dtype=np.bool_)
    parts = [(0, count)]
    while parts:
        low, high = parts.pop()
        part = column.slice(low, high - low)
        try:
            if not part.null_count:
                times[low:high] = time_format.parse(part)
                readable[low:high] = True
                continue
        except (ValueError, pa.ArrowException):
            pass
        if high - low > 1:
            middle = (low + high) // 2
            parts += [(middle, high), (low, middle)]
        elif stop:
            readable[high:] = True
            break
    return times, readable


def keys_of(batch: Any, long: LongColumns | None) -> NDArray[np.int64] | None:
    """What comes only once at one time: the tag of each row of a long file."""
    import pyarrow as pa

    if long is None:
        return None
    column = batch.column(long.tag)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    keys: NDArray[np.int64] = (
        column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    )
    return keys
