"""Sorting more rows than memory holds, by DuckDB with a memory limit and a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

from orchestrator.errors import DataError

MEMORY_LIMIT_MB = 256
THREADS = 2


def sorted_batches(
    batches: Iterator[Any], schema: Any, *, by: str, rows: int, where: str
) -> Iterator[Any]:
    """The rows of ``batches`` ordered by ``by``, as pyarrow record batches of about ``rows`` rows.

    Args:
        batches: pyarrow record batches, all of ``schema``.
        schema: Their pyarrow schema.
        by: Columns of the SQL ``ORDER BY``; name enough of them for a definite order.
        rows: Rows of each batch handed on.
        where: The file, for errors.

    Raises:
        DataError: the temporary folder cannot hold the rows.
    """
    import duckdb
    import pyarrow as pa

    with tempfile.TemporaryDirectory(prefix="dan-g-sort-") as folder:
        settings = {
            "threads": THREADS,
            "memory_limit": f"{MEMORY_LIMIT_MB}MB",
            "temp_directory": folder,
        }
        connection = duckdb.connect(config=settings)
        try:
            reader = pa.RecordBatchReader.from_batches(schema, batches)
            yield from connection.from_arrow(reader).order(by).to_arrow_reader(rows)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise DataError(
                "the rows are not in order of time, and there is no room to sort them",
                where=where,
                why=str(error).splitlines()[0],
                remedy=f"sort the file by time, or free space in {tempfile.gettempdir()}",
            ) from error
        finally:
            connection.close()
