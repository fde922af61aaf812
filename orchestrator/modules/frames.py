"""Input data of an operation as arrays: the seam between Arrow tables and numerical code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.errors import DataError, UnknownTagError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

TIME_COLUMN = "time"


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns at common times, in the order in which they were given.

    Attributes:
        times: UTC, ``datetime64[us]``, shape ``(n_rows,)``; not necessarily ordered or unique. All
            not-a-time where the data holds none and may do without.
        names: Names of the numeric columns, length ``n_tags``.
        values: ``float64`` of shape ``(n_rows, n_tags)``, NaN where missing, each in its tag's unit.
        skipped: Columns that hold no numbers.
    """

    times: NDArray[np.datetime64]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    skipped: tuple[str, ...] = ()

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of one column.

        Raises:
            UnknownTagError: the data has no numeric column of that name.
        """
        if name in self.names:
            return self.values[:, self.names.index(name)]
        if name in self.skipped:
            raise UnknownTagError(
                f"column {name!r} holds no numbers",
                remedy="name a numeric column, or load the file with etl.ingest first",
            )
        raise _no_tag(name, self.names)

    def in_order(self) -> Frame:
        """The rows by ascending time; equal times stay in the order given."""
        import numpy as np

        if len(self.times) < 2 or bool(np.all(self.times[1:] >= self.times[:-1])):
            return self
        if np.isnat(self.times).all():
            return self
        order = np.argsort(self.times, kind="stable")
        return Frame(self.times[order], self.names, self.values[order], self.skipped)


def read_frame(table: pa.Table, tags: Sequence[str] = (), *, needs_time: bool = True) -> Frame:
    """The numeric columns of a table that has a column ``time``.

    Args:
        table: Column ``time`` (time stamps, or text in ISO 8601; without a zone they are UTC), then
            one column a tag.
        tags: Columns to read, all numeric ones when empty.
        needs_time: Whether to refuse a table without times.

    Raises:
        DataError: there are no rows, no time column, or a time that cannot be read.
        UnknownTagError: a named column is not there.
    """
    import numpy as np
    import pyarrow as pa

    timed = TIME_COLUMN in table.column_names
    if needs_time and not timed:
        raise DataError(
            f"there is no column {TIME_COLUMN!r}",
            where="input data",
            remedy=f"the columns are: {', '.join(table.column_names[:12]) or '(none)'}",
        )
    if table.num_rows == 0:
        raise DataError(
            "there are no rows", where="input data", remedy="give data, or a range that holds some"
        )
    for tag in tags:
        if tag not in table.column_names or tag == TIME_COLUMN:
            raise _no_tag(tag, [name for name in table.column_names if name != TIME_COLUMN])
    names: list[str] = []
    skipped: list[str] = []
    columns: list[NDArray[np.float64]] = []
    for name in table.column_names:
        if name == TIME_COLUMN or (tags and name not in tags):
            continue
        column = table.column(name)
        if pa.types.is_null(column.type):
            column = column.cast(pa.float64())
        if pa.types.is_string(column.type):
            column = _numbers_in(column)
        kind = column.type
        if not (
            pa.types.is_floating(kind)
            or pa.types.is_integer(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
        ):
            skipped.append(name)
            continue
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        names.append(name)
        columns.append(column.cast(pa.float64()).to_numpy())
    values = np.column_stack(columns) if columns else np.empty((table.num_rows, 0))
    nothing = np.full(table.num_rows, np.datetime64("NaT"), "datetime64[us]")
    times = _times(table.column(TIME_COLUMN)) if timed else nothing
    return Frame(times, tuple(names), values, tuple(skipped))


def _numbers_in(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as numbers, null where a cell is none; the text itself where no cell is a number."""
    import pandas as pd
    import pyarrow as pa

    numbers = pd.to_numeric(column.to_pandas(), errors="coerce")
    if not numbers.notna().any():
        return column
    return pa.chunked_array([pa.array(numbers, type=pa.float64(), from_pandas=True)])


def _times(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    import numpy as np
    import pyarrow as pa

    if column.null_count:
        raise DataError(
            f"{column.null_count} of {len(column)} rows have no time",
            where="input data",
            remedy="load the file with etl.ingest, which leaves such rows out and says so",
        )
    if pa.types.is_timestamp(column.type):
        zone = column.type.tz
        naive = column.cast(pa.timestamp("us", tz=zone), safe=False)
        stamps: NDArray[np.datetime64] = naive.to_numpy().astype("datetime64[us]")
        return stamps
    if pa.types.is_date(column.type):
        return np.asarray(column.to_numpy(), dtype="datetime64[us]")
    return np.array([_parse(text) for text in column.to_pylist()], dtype="datetime64[us]")


def _parse(value: Any) -> datetime:
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise DataError(
            f"{value!r} is not a time",
            where="input data, column time",
            remedy="give ISO 8601 times such as 2025-03-01T06:00:00Z, or load with etl.ingest",
        ) from None
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def _no_tag(name: str, names: Sequence[str]) -> UnknownTagError:
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return UnknownTagError(f"no tag {name!r} in the data", remedy=f"the data has: {listed}")


def iso(time: np.datetime64) -> str:
    """A UTC time as ISO 8601 with ``Z``, to the second."""
    import numpy as np

    return f"{np.datetime_as_string(time, unit='s')}Z"
