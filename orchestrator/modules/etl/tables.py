"""Tables as results carry them: inline when small, always as a Parquet file in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.frames import TIME_COLUMN, iso

if TYPE_CHECKING:
    import pyarrow as pa

MAX_INLINE_CELLS = 20_000


def inline(
    times: NDArray[np.datetime64], columns: Mapping[str, NDArray[np.float64]]
) -> dict[str, list[Any]] | None:
    """The table as lists, null where missing, or None when it is too large for a result."""
    if len(times) * (len(columns) + 1) > MAX_INLINE_CELLS:
        return None
    found: dict[str, list[Any]] = {TIME_COLUMN: [iso(time) for time in times]}
    for name, values in columns.items():
        found[name] = [float(v) if np.isfinite(v) else None for v in values]
    return found


def inline_marks(
    times: NDArray[np.datetime64], marks: Mapping[str, NDArray[np.uint8]]
) -> dict[str, list[int]] | None:
    """The marks of a table that :func:`inline` gives, or None where it gives none."""
    if len(times) * (len(marks) + 1) > MAX_INLINE_CELLS:
        return None
    return {name: codes.tolist() for name, codes in marks.items()}


def write_parquet(
    folder: Path | None,
    file: str,
    times: NDArray[np.datetime64],
    columns: Mapping[str, NDArray[np.float64]],
    marks: Mapping[str, NDArray[np.uint8]] | None = None,
) -> str | None:
    """Write ``time`` (UTC), the columns and their marks; the file's name, or None without a folder."""
    if folder is None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    stamps = pa.array(times.astype("datetime64[us]").astype(np.int64), pa.timestamp("us", "UTC"))
    data: dict[str, pa.Array] = {TIME_COLUMN: stamps}
    for name, values in columns.items():
        data[name] = pa.array(values, mask=~np.isfinite(values))
    for name, codes in (marks or {}).items():
        data[f"{name}__mark"] = pa.array(codes)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(data), folder / file)
    return file
