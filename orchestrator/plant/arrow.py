"""Blocks as Arrow tables, the form in which modules and worker processes read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.samples import Quality, SampleBlock

if TYPE_CHECKING:
    import pyarrow as pa


def wide_schema(tags: Sequence[str]) -> pa.Schema:
    """``time`` (timestamp[us, UTC]) and one float64 column a tag."""
    import pyarrow as pa

    return pa.schema([("time", pa.timestamp("us", "UTC")), *((tag, pa.float64()) for tag in tags)])


def to_batch(block: SampleBlock) -> pa.RecordBatch:
    """A block in :func:`wide_schema`; null where a value is missing or bad."""
    import pyarrow as pa

    unusable = np.isnan(block.values) | (block.quality >= Quality.BAD)
    columns = [
        pa.array(np.ascontiguousarray(block.values[:, i]), mask=unusable[:, i])
        for i in range(len(block.tags))
    ]
    times = pa.array(block.times).cast(pa.timestamp("us", "UTC"))
    return pa.record_batch([times, *columns], schema=wide_schema(block.tags))


def to_block(table: pa.Table) -> SampleBlock:
    """A table in :func:`wide_schema` as a block; null becomes missing."""
    import pyarrow as pa

    times = table.column("time").cast(pa.timestamp("us")).to_numpy()
    names = tuple(name for name in table.column_names if name != "time")
    values = np.empty((table.num_rows, len(names)))
    for j, name in enumerate(names):
        values[:, j] = table.column(name).to_numpy(zero_copy_only=False)
    quality = np.where(np.isnan(values), np.uint8(Quality.NONE), np.uint8(Quality.GOOD))
    return SampleBlock(names, times.astype("datetime64[us]"), values, quality)
