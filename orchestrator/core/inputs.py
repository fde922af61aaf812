"""Input data on its way to a worker: the durable request carries a reference, never the rows.

A range of the historian is written to ``exchange/`` by the historian's owner just before the run.
Rows given with a request are written there before the request is accepted, in a file named by the
SHA-256 of its content, so that equal data is kept once. Both are removed after the outcome.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from orchestrator.clock import iso
from orchestrator.core.named_tags import check_named_tags
from orchestrator.errors import DataError, UnknownTagError
from orchestrator.field_errors import json_text
from orchestrator.lean_arrow import keep_pandas_out
from orchestrator.modules.base import (
    DataInput,
    HistorianRange,
    InlineData,
    Operation,
    OperationInput,
)
from orchestrator.plant.tags import Plant
from orchestrator.state.records import JobRecord

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.plant.historian import Historian

TIME_COLUMN = "time"


@dataclass(frozen=True, slots=True)
class DataReference:
    """Where a job's data is: a range of the historian, or a content-addressed file."""

    range: HistorianRange | None = None
    sha256: str | None = None

    def document(self) -> dict[str, Any]:
        """As it is stored with the job."""
        if self.range is not None:
            return {"range": self.range.model_dump(mode="json")}
        return {"sha256": self.sha256}

    @classmethod
    def of(cls, job: JobRecord) -> DataReference | None:
        """The reference that a stored job carries."""
        document = job.request.get("data")
        if not document:
            return None
        if "range" in document:
            return cls(range=HistorianRange.model_validate(document["range"]))
        return cls(sha256=str(document["sha256"]))


class Inputs:
    """Keeps the files in ``exchange``; all methods are called on one event loop."""

    def __init__(self, exchange: Path, historian: Historian, plant: Plant) -> None:
        self._exchange = exchange
        self._historian = historian
        self._plant = plant
        self._uses: Counter[str] = Counter()

    async def accept(
        self, operation: Operation, parameters: Any, now: datetime
    ) -> DataReference | None:
        """Secure the data that an operation will read.

        Without ``data`` it is the operation's default history up to ``now``, or up to the last
        sample where that is earlier, so that a repeated run reads the same rows.

        Raises:
            DataError: the range is empty by its own bounds, or columns differ in length.
            UnknownTagError: the range names a tag that neither plant nor historian has.
        """
        if not isinstance(parameters, DataInput):
            return None
        if isinstance(parameters.data, InlineData):
            return await self._keep(parameters.data, as_given=operation.as_given)
        if parameters.data is not None:
            await self._check(parameters.data)
            return DataReference(range=parameters.data)
        needs = operation.needs
        if needs.history is None:
            return None
        span = await asyncio.to_thread(self._historian.span)
        if span is None:
            return None
        tags: tuple[str, ...] = ()
        if needs.kinds:
            stored = set(await asyncio.to_thread(self._historian.tags))
            tags = tuple(
                t.name for t in self._plant.tags if t.kind in needs.kinds and t.name in stored
            )
            if not tags:
                return None
        end = min(now, span[1])
        reach = needs.history
        if not needs.kinds:
            reach = max(reach, needs.rows * self._usual_period())
        return DataReference(
            range=HistorianRange(
                tags=tags, start=end - reach, end=end, period_seconds=needs.period_seconds
            )
        )

    def _usual_period(self) -> timedelta:
        """Median sampling period of the tags; nothing where none is known."""
        periods = [tag.period_seconds for tag in self._plant.tags if tag.period_seconds]
        return timedelta(seconds=median(periods)) if periods else timedelta()

    async def file_for(self, job: JobRecord) -> Path | None:
        """The Arrow IPC file of a job's data, written now if it is a range.

        Raises:
            DataError: the file is gone.
        """
        reference = DataReference.of(job)
        if reference is None:
            return None
        if reference.sha256 is not None:
            path = self._content_file(reference.sha256)
            if not path.exists():
                raise DataError(
                    "the data that came with the request is no longer there",
                    where=str(path),
                    remedy="send the request again",
                )
            return path
        assert reference.range is not None
        return await asyncio.to_thread(self._write_range, reference.range, self._range_file(job))

    def release(self, job: JobRecord) -> None:
        """Remove what only this job needed."""
        reference = DataReference.of(job)
        if reference is None:
            return
        if reference.sha256 is None:
            self._range_file(job).unlink(missing_ok=True)
        else:
            self.forget(reference)

    def forget(self, reference: DataReference | None) -> None:
        """Give up one use of a content file, which goes with its last use."""
        if reference is None or reference.sha256 is None:
            return
        self._uses[reference.sha256] -= 1
        if self._uses[reference.sha256] <= 0:
            del self._uses[reference.sha256]
            self._content_file(reference.sha256).unlink(missing_ok=True)

    def sweep(self, unfinished: Iterable[JobRecord]) -> None:
        """After a start: count the uses of the unfinished jobs, remove every other file."""
        for job in unfinished:
            reference = DataReference.of(job)
            if reference is not None and reference.sha256 is not None:
                self._uses[reference.sha256] += 1
        kept = {self._content_file(sha256) for sha256 in self._uses}
        for path in self._exchange.iterdir():
            if path.is_file() and path not in kept:
                path.unlink(missing_ok=True)

    async def check_tags(self, operation: Operation, parameters: OperationInput) -> None:
        """Refuse parameters that name tags which are not there.

        Raises:
            UnknownTagError: names each field and tag.
        """
        stored = await asyncio.to_thread(self._historian.tags)
        check_named_tags(operation, parameters, self._plant, stored)

    async def append(self, path: Path) -> int:
        """Append a Parquet file (``time``, then one column a tag) to the historian; its samples.

        Null is no sample and NaN a bad one. A sample that is there already is replaced, so that a
        repeated run does no harm.
        """
        return await asyncio.to_thread(self._append, path)

    def _append(self, path: Path) -> int:
        from orchestrator.plant.tables import Table

        samples = 0
        for block in Table(path, time_column=TIME_COLUMN).blocks():
            self._historian.append(block)
            samples += block.values.size
        self._historian.flush()
        return samples

    async def _keep(self, data: InlineData, *, as_given: bool) -> DataReference:
        content = await asyncio.to_thread(lambda: as_arrow(inline_table(data, as_given=as_given)))
        sha256 = hashlib.sha256(content).hexdigest()
        self._uses[sha256] += 1  # before the write, so that no other job's end removes the file
        reference = DataReference(sha256=sha256)
        try:
            await asyncio.to_thread(_write_once, self._content_file(sha256), content)
        except BaseException:
            self.forget(reference)
            raise
        return reference

    async def _check(self, wanted: HistorianRange) -> None:
        if wanted.start > wanted.end:
            raise DataError.of_field(
                "data.start",
                f"{iso(wanted.start)} is after end, {iso(wanted.end)}",
                remedy="give start before end",
            )
        unknown = set(wanted.tags) - set(self._plant.tag_names)
        if unknown:
            unknown -= set(await asyncio.to_thread(self._historian.tags))
        if unknown:
            raise UnknownTagError.of_field(
                "data.tags",
                f"there is no tag {', '.join(map(json_text, sorted(unknown)))}",
                remedy="list the tags with: dan-g tags list",
            )

    def _write_range(self, wanted: HistorianRange, path: Path) -> Path:
        beside = path.with_suffix(".new")
        tags: Sequence[str] = wanted.tags or self._historian.tags()
        self._historian.write_range(
            beside, list(tags), wanted.start, wanted.end, wanted.period_seconds
        )
        beside.replace(path)
        return path

    def _content_file(self, sha256: str) -> Path:
        return self._exchange / f"{sha256}.arrow"

    def _range_file(self, job: JobRecord) -> Path:
        return self._exchange / f"range-{job.id}.arrow"


def was_given(job: JobRecord) -> bool:
    """Whether a job's data came with its request, rather than being the default history."""
    reference = DataReference.of(job)
    if reference is None:
        return False
    return reference.sha256 is not None or job.request["parameters"].get("data") is not None


def inline_table(data: InlineData, *, as_given: bool = False) -> pa.Table:
    """Inline rows or columns as a table: ``time`` first, then the other columns as given.

    The time column is the one called ``time``, else the first that parses as time. A time without
    a zone is UTC. Columns of numbers become float64 with null where a value is missing; columns
    that hold anything else stay text, for the operation to judge. With ``as_given`` times stay text
    too, in the column in which they were given.

    Raises:
        DataError: columns differ in length.
    """
    import pyarrow as pa

    keep_pandas_out()
    columns = _columns(data)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in list(lengths.items())[:12])
        raise DataError(
            f"columns differ in length ({shown})",
            where="data.columns",
            remedy="give each column one value a row, null where there is none",
        )
    time_name = TIME_COLUMN
    if as_given:
        time_name = ""
    elif TIME_COLUMN not in columns:
        time_name = next((n for n, values in columns.items() if _first_is_time(values)), "")
    arrays: dict[str, pa.Array] = {}
    if time_name:
        arrays[TIME_COLUMN] = _times(columns.pop(time_name))
    arrays.update((name, _numbers(values)) for name, values in columns.items())
    return pa.table(arrays)


def as_arrow(table: pa.Table) -> bytes:
    """A table as an Arrow IPC file."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _columns(data: InlineData) -> dict[str, list[Any]]:
    if data.columns is not None:
        return dict(data.columns)
    rows = data.rows or ()
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _first_is_time(values: list[Any]) -> bool:
    first = next((value for value in values if value is not None), None)
    return isinstance(first, datetime | str) and _as_time(first) is not None


def _as_time(value: Any) -> datetime | None:
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _times(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    times = [None if value is None else _as_time(value) for value in values]
    if any(time is None and value is not None for time, value in zip(times, values, strict=True)):
        return _text(values)
    return pa.array(times, pa.timestamp("us", tz="UTC"))


def _numbers(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    if all(value is None or isinstance(value, int | float) for value in values):
        try:
            floats = [None if value is None else float(value) for value in values]
            return pa.array(floats, pa.float64(), from_pandas=True)
        except OverflowError:
            pass  # an integer beyond every float is no measurement
    return _text(values)


def _text(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _write_once(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    if path.exists():
        return
    beside = path.with_suffix(f".{uuid4().hex}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
