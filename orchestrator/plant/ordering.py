"""Sorting more rows than memory holds, by DuckDB with a memory limit and a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from orchestrator.errors import DataError
from orchestrator.plant.cells import column_values
from orchestrator.plant.pivot import LongRows
from orchestrator.plant.samples import Quality, SampleBlock

MEMORY_LIMIT_MB = 256
THREADS = 2
BATCH_CELLS = 500_000


def sorted_blocks(
    blocks: Iterable[SampleBlock], tags: tuple[str, ...], *, where: str
) -> Iterator[SampleBlock]:
    """Blocks of ``tags`` with ascending times, rows of one time in the order in which they came."""
    import pyarrow as pa

    fields = [f"c{i}" for i in range(len(tags))]
    schema = pa.schema(
        [("time", pa.int64()), ("position", pa.int64()), *((f, pa.float64()) for f in fields)]
    )

    def numbered() -> Iterator[Any]:
        done = 0
        for block in blocks:
            absent = block.quality == Quality.NONE
            # Null stands for no sample and NaN for a bad one.
            columns = [pa.array(block.values[:, i], mask=absent[:, i]) for i in range(len(tags))]
            position = pa.array(np.arange(done, done + len(block)))
            times = pa.array(block.times.view(np.int64))
            yield pa.record_batch([times, position, *columns], schema=schema)
            done += len(block)

    rows = max(64, BATCH_CELLS // len(schema))
    for batch in _sorted_batches(numbered(), schema, rows=rows, where=where):
        columns = [column_values(batch.column(f)) for f in fields]
        yield SampleBlock(
            tags,
            batch.column("time").to_numpy().view("datetime64[us]"),
            np.column_stack([values for values, _ in columns]),
            np.column_stack([quality for _, quality in columns]),
        )


def sorted_rows(parts: Iterable[LongRows], *, where: str) -> Iterator[LongRows]:
    """Long rows with ascending times, rows of one time in the order in which they came."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("time", pa.int64()),
            ("code", pa.int32()),
            ("value", pa.float64()),
            ("quality", pa.uint8()),
            ("position", pa.int64()),
        ]
    )

    def numbered() -> Iterator[Any]:
        done = 0
        for part in parts:
            position = np.arange(done, done + len(part.times))
            yield pa.record_batch([pa.array(c) for c in (*part, position)], schema=schema)
            done += len(part.times)

    for batch in _sorted_batches(numbered(), schema, rows=BATCH_CELLS // len(schema), where=where):
        times, codes, values, quality = (batch.column(i).to_numpy() for i in range(4))
        yield LongRows(times, codes, values, quality)


def _sorted_batches(batches: Iterator[Any], schema: Any, *, rows: int, where: str) -> Iterator[Any]:
    """Record batches of about ``rows`` rows, ordered by ``time`` and then ``position``.

    Raises:
        DataError: the temporary folder cannot hold the rows.
    """
    import duckdb
    import pyarrow as pa

    with tempfile.TemporaryDirectory(prefix="dan-g-sort-") as folder:
        connection = duckdb.connect(
            config={
                "threads": THREADS,
                "memory_limit": f"{MEMORY_LIMIT_MB}MB",
                "temp_directory": folder,
            }
        )
        try:
            reader = pa.RecordBatchReader.from_batches(schema, batches)
            relation = connection.from_arrow(reader).order("time, position")
            yield from relation.to_arrow_reader(rows)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise DataError(
                "the rows are not in order of time, and there is no room to sort them",
                where=where,
                why=str(error).splitlines()[0],
                remedy=f"sort the file by time, or free space in {tempfile.gettempdir()}",
            ) from error
        finally:
            connection.close()
