"""Rows on their way into PostgreSQL and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.plant.pivot import LongRows

if TYPE_CHECKING:
    import psycopg


def copy_into_batch(cursor: psycopg.Cursor[Any], rows: LongRows) -> None:
    """Rows into the table ``batch``, as PostgreSQL's binary copy format."""
    count = len(rows.times)
    fields = np.dtype(
        [
            ("n", ">i2"), ("l0", ">i4"), ("time", ">i8"), ("l1", ">i4"), ("tag", ">i4"),
            ("l2", ">i4"), ("value", ">f8"), ("l3", ">i4"), ("quality", ">i2"),
        ]
    )  # fmt: skip
    table = np.zeros(count, dtype=fields)
    table["n"], table["l0"], table["l1"], table["l2"], table["l3"] = 4, 8, 4, 8, 2
    # PostgreSQL counts microseconds since 2000.
    table["time"] = rows.times - 946_684_800_000_000
    table["tag"], table["value"], table["quality"] = rows.codes, rows.values, rows.quality
    header = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
    with cursor.copy("COPY batch FROM STDIN (FORMAT binary)") as copy:
        copy.write(header + table.tobytes() + b"\xff\xff")
    # A null has another length in that format; NaN stands for it on the way.
    cursor.execute("UPDATE batch SET value = NULL WHERE value = 'NaN' OR abs(value) = 'Infinity'")


def record_batch(rows: Sequence[tuple[int, int, float | None]]) -> Any:
    """Microseconds, tag code and value of each row as an Arrow batch."""
    import pyarrow as pa

    times, codes, values = zip(*rows, strict=True)
    return pa.record_batch(
        [
            pa.array(times, pa.int64()),
            pa.array(codes, pa.int32()),
            pa.array(values, pa.float64()),
        ],
        names=["time", "tag", "value"],
    )
