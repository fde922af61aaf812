"""A run of the twin as a Parquet file, the truth beside the measurement."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.plant.samples import SampleBlock
    from orchestrator.plant.twin.source import TwinSource

TRUTH = ".truth"
"""Ending of the columns of true values."""
FAULTS = "faults"
"""Column of the names of the faults present, separated by ``; ``."""
SPAN = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written.

    Attributes:
        rows: Rows.
        tags: Tags of the unit.
        start: Time of the first row.
        end: Time of the last row.
    """

    rows: int
    tags: int
    start: datetime
    end: datetime


def record(
    source: TwinSource, path: Path, hours: float, *, truth: bool = True, warm_up: bool = False
) -> Recorded:
    """Run the twin and write wide Parquet.

    Columns: ``time`` (UTC), one a tag (null where there is no sample), with ``truth`` one ``TAG.truth`` a
    tag, and ``faults``. The metadata key ``dan_g`` holds scenario, seed and that the data is simulated.

    Args:
        source: Where the run begins.
        path: File to write.
        hours: Length of the paced part, h.
        truth: Whether true values are written.
        warm_up: Whether the normal operation before the paced part is written too.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    rows, first, last = 0, None, None
    end = source.start + timedelta(hours=hours)
    writer: Any = None
    try:
        for true, shown in source.truth(SPAN, warm_up=warm_up):
            count = int((shown.times < _naive(end)).sum())
            if not count:
                break
            table = _table(source, true.rows(0, count), shown.rows(0, count), truth=truth)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            rows += count
            first, last = first or shown.start, shown.rows(0, count).end
            if count < len(shown) or last >= end - timedelta(
                seconds=source.scenario.period_seconds
            ):
                break
    except OSError as error:
        raise ConfigurationError(
            f"cannot be written: {error.strerror or error}", where=str(path)
        ) from error
    finally:
        source.close()
        if writer is not None:
            writer.close()
    if first is None or last is None:
        raise ConfigurationError(
            f"hours = {hours:g} is shorter than one period", where=source.scenario.name
        )
    return Recorded(rows, len(source.plant.tags), first, last)


def _table(source: TwinSource, true: SampleBlock, shown: SampleBlock, *, truth: bool) -> Any:
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {
        "time": pa.array(shown.times.astype("datetime64[us]")).cast(pa.timestamp("us", tz="UTC"))
    }
    for j, tag in enumerate(shown.tags):
        values = np.ascontiguousarray(shown.values[:, j])
        columns[tag] = pa.array(values, mask=~np.isfinite(values))
        if truth:
            columns[tag + TRUTH] = pa.array(np.ascontiguousarray(true.values[:, j]))
    columns[FAULTS] = pa.array(source.faults_at(shown.times))
    about = {
        "simulated": True,
        "plant": source.plant.name,
        "scenario": source.scenario.model_dump(mode="json"),
        "seed": source.seed,
    }
    return pa.table(columns).replace_schema_metadata({"dan_g": json.dumps(about)})


def _naive(time: datetime) -> Any:
    from orchestrator.plant.samples import to_datetime64

    return to_datetime64(time)
