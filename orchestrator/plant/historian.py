"""The historian: every sample of every tag, in DuckDB or PostgreSQL.

Samples are kept long, one row for each (time, tag), in order of arrival, which is nearly always the
order of time. Appending only buffers; a writer thread commits about once a second, so that a crash
loses at most the last two seconds. Reading commits what is buffered first, then streams.

Within one process all methods may be called from any thread. The file belongs to one process; other
processes get ranges as Arrow files from :meth:`Historian.write_range`.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import structlog

from orchestrator.errors import DatabaseUnavailableError, UnknownTagError
from orchestrator.plant.arrow import to_batch, wide_schema
from orchestrator.plant.latest import Latest
from orchestrator.plant.pivot import LongRows, pivot
from orchestrator.plant.sample_store import SampleStore
from orchestrator.plant.samples import Quality, Sample, SampleBlock, to_datetime64
from orchestrator.plant.stores import Store, Tier

if TYPE_CHECKING:
    import pyarrow as pa

FLUSH_SAMPLES = 500_000
FLUSH_SECONDS = 1.0
SAVE_LATEST_SECONDS = 60.0
MAX_PENDING_SAMPLES = 4 * FLUSH_SAMPLES
BATCH_ROWS = 65_536
THIN_SECONDS = 600.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


class Historian:
    """Stores blocks of samples and gives ranges, means and last values back.

    Args:
        path: The DuckDB file, made if it is not there; None for a private temporary store that
            goes with :meth:`close`.
        retention_days: Samples older than this, counted back from the newest one (or from now,
            where the newest lies in the future), are removed; None keeps everything.
        memory_limit_mb: Memory that DuckDB may use; more spills to a folder beside the file.
        tiers: How samples are thinned as they grow old, at most two.
        database_url: ``postgresql://…`` for tables there instead of a file; ``path`` is then not used,
            and other processes may read at the same time.

    Raises:
        HomeLockedError: another process owns the file.
        DatabaseUnavailableError: the file cannot be opened.
    """

    def __init__(
        self,
        path: Path | str | None,
        *,
        retention_days: float | None = 400,
        memory_limit_mb: int = 256,
        tiers: Sequence[Tier] = (),
        database_url: str | None = None,
    ) -> None:
        folder: Path | None = None
        if path is None and database_url is None:
            folder = Path(tempfile.mkdtemp(prefix="dan-g-historian-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = folder / "samples.duckdb" if folder else Path(path or "")
        self._folder = folder
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._tiers = tuple(sorted(tiers, key=lambda tier: tier.after))
        self._thinned_at = float("-inf")
        self._store: Store = _store(self.path, memory_limit_mb, database_url)
        samples = self._store.latest()
        self._latest = Latest(self._store.tags(), samples, self._store.span())
        self._received = max(
            (s.server_time for s in samples), default=datetime.min.replace(tzinfo=UTC)
        )
        self._saved_latest = time.monotonic()
        self._pending: list[tuple[SampleBlock, datetime]] = []
        self._pending_samples = 0
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        threading.Thread(
            target=_write_behind,
            args=(weakref.ref(self), self._wake),
            name="historian-writer",
            daemon=True,
        ).start()

    def append(self, block: SampleBlock) -> None:
        """Take samples; they are durable within two seconds, or after :meth:`flush`.

        A sample of a tag and time that is already there replaces it. Samples may come in any order.

        Raises:
            DatabaseUnavailableError: closed, or the buffer is full because writing fails.
        """
        if not len(block) or not block.tags:
            return
        with self._lock:
            self._refuse_if_closed()
            # Never back, though the clock may go: what is newer than a saved state is found by it.
            self._received = max(datetime.now(UTC), self._received)
            self._pending.append((block, self._received))
            self._latest.add(block, self._received)
            self._pending_samples += block.values.size
            pending = self._pending_samples
        if pending >= MAX_PENDING_SAMPLES:
            self.flush()
        elif pending >= FLUSH_SAMPLES:
            self._wake.set()

    def flush(self) -> None:
        """Commit what is buffered.

        Raises:
            DatabaseUnavailableError: it could not be written; it stays buffered.
        """
        self._flush(closing=False)

    def _flush(self, *, closing: bool) -> None:
        with self._flushing:
            with self._lock:
                taken, self._pending, self._pending_samples = self._pending, [], 0
                self._latest.fold()
                codes = dict(self._latest.codes)
                due = closing or time.monotonic() - self._saved_latest > SAVE_LATEST_SECONDS
                latest = list(self._latest.samples().values()) if due else []
            if not taken and not closing:
                return
            try:
                if taken:
                    self._store.write(taken, codes)
                    self._expire()
                    self._thin()
                if due:
                    self._store.save_latest(latest, codes)
                    self._saved_latest = time.monotonic()
            except DatabaseUnavailableError:
                with self._lock:
                    self._pending = taken + self._pending
                    self._pending_samples = sum(block.values.size for block, _ in self._pending)
                raise

    def iter_read(
        self,
        tags: Sequence[str],
        start: datetime | None,
        end: datetime | None,
        *,
        rows: int = BATCH_ROWS,
        period_seconds: float | None = None,
    ) -> Iterator[pa.Table]:
        """The range as tables of at most ``rows`` rows, in order of time; see :meth:`read`."""
        import pyarrow as pa

        for batch in self._batches(tuple(tags), start, end, rows, period_seconds):
            yield pa.Table.from_batches([batch])

    def read(
        self,
        tags: Sequence[str],
        start: datetime | None,
        end: datetime | None,
        period_seconds: float | None = None,
    ) -> pa.Table:
        """The samples of ``tags`` from ``start`` to ``end``, both included; None is unbounded.

        Args:
            tags: Columns wanted, in this order.
            start: First time, timezone-aware.
            end: Last time, timezone-aware.
            period_seconds: If given, means over periods of this length on the epoch's grid, each at
                the start of its period.

        Returns:
            ``time`` (timestamp[us, UTC], one row for each time with a sample of any of the tags) and
            one float64 column a tag, null where there is no sample or a bad one.

        Raises:
            UnknownTagError: a tag of which no sample was ever stored.
        """
        import pyarrow as pa

        names = tuple(tags)
        batches = self._batches(names, start, end, BATCH_ROWS, period_seconds)
        return pa.Table.from_batches(list(batches), schema=wide_schema(names))

    def write_range(
        self,
        path: Path | str,
        tags: Sequence[str],
        start: datetime | None,
        end: datetime | None,
        period_seconds: float | None = None,
    ) -> int:
        """Write the range, as :meth:`read` gives it, to an Arrow IPC file; the number of rows.

        A tag without any sample yet is a column of nulls here.
        """
        import pyarrow as pa

        written = 0
        names = tuple(tags)
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, wide_schema(names)) as writer,
        ):
            for batch in self._batches(names, start, end, BATCH_ROWS, period_seconds, lenient=True):
                writer.write_batch(batch)
                written += batch.num_rows
        return written

    def last_values(self, tags: Sequence[str] | None = None) -> dict[str, Sample]:
        """The newest sample of each tag, bad ones included; a tag without any is left out."""
        with self._lock:
            return self._latest.samples(tags)

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last time; None while there is no sample."""
        with self._lock:
            return self._latest.span()

    def tags(self) -> list[str]:
        """All tags of which there was ever a sample, in order of first appearance."""
        with self._lock:
            self._latest.fold()
            return list(self._latest.codes)

    def count(self) -> int:
        """Number of samples, one for each tag and time."""
        self.flush()
        return self._store.count()

    def close(self) -> None:
        """Commit, and release the file; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
        try:
            self._flush(closing=True)
        finally:
            with self._lock:
                self._closed = True
            self._wake.set()
            self._store.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise DatabaseUnavailableError("the historian is closed", where=str(self.path))

    def _batches(
        self,
        tags: tuple[str, ...],
        start: datetime | None,
        end: datetime | None,
        rows: int,
        period_seconds: float | None,
        *,
        lenient: bool = False,
    ) -> Iterator[Any]:
        """Record batches of :func:`wide_schema` with at most ``rows`` rows."""
        with self._lock:
            self._refuse_if_closed()
            self._latest.fold()
            codes = dict(self._latest.codes)
        unknown = [tag for tag in tags if tag not in codes]
        if unknown and not lenient:
            raise UnknownTagError(
                f"the historian has no sample of {', '.join(map(repr, unknown))}",
                where="historian",
                remedy="list the tags with: dan-g tags list",
            )
        self.flush()
        position = np.full(len(codes), -1, dtype=np.int32)
        for i, tag in enumerate(tags):
            if tag in codes:
                position[codes[tag]] = i
        wanted = (
            None
            if len(tags) - len(unknown) == len(codes)
            else [codes[tag] for tag in tags if tag in codes]
        )
        period = None if period_seconds is None else max(1, round(period_seconds * 1e6))
        found = self._store.read(wanted, _micros(start), _micros(end), period)
        wide = pivot((_as_rows(batch, position) for batch in found), tags)
        for block in wide:
            for first in range(0, len(block), rows):
                yield to_batch(block.rows(first, first + rows))

    def _thin(self) -> None:
        """Put means in the place of old samples, now and then."""
        if not self._tiers or time.monotonic() - self._thinned_at < THIN_SECONDS:
            return
        self._thinned_at = time.monotonic()
        with self._lock:
            span = self._latest.span()
        if span is None:
            return
        newest = min(span[1], datetime.now(UTC))
        for level, tier in enumerate(self._tiers):
            before = _EPOCH + (newest - tier.after - _EPOCH) // tier.period * tier.period
            if span[0] < before:
                gone = self._store.thin(level, before, tier.period)
                if gone:
                    log.info("historian.thinned", samples=gone, seconds=tier.period.total_seconds())
                    found = self._store.span()
                    with self._lock:
                        self._latest.set_oldest(found[0] if found else None)

    def _expire(self) -> None:
        """Remove what is older than the retention, a good deal at a time."""
        with self._lock:
            span = self._latest.span()
        if self._retention is None or span is None:
            return
        keep_from = min(span[1], datetime.now(UTC)) - self._retention
        if span[0] < keep_from - min(timedelta(days=1), 0.05 * self._retention):
            oldest = self._store.remove_before(keep_from)
            with self._lock:
                self._latest.set_oldest(oldest)


def _store(path: Path, memory_limit_mb: int, database_url: str | None) -> Store:
    if database_url is None:
        return SampleStore(path, memory_limit_mb)
    from orchestrator.plant.postgres_store import PostgresStore

    return PostgresStore(database_url)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else int(to_datetime64(at).astype(np.int64))


def _as_rows(batch: Any, position: np.ndarray[Any, np.dtype[np.int32]]) -> LongRows:
    values = batch.column(2).to_numpy(zero_copy_only=False)
    quality = np.where(np.isnan(values), Quality.BAD, Quality.GOOD).astype(np.uint8)
    return LongRows(
        batch.column(0).to_numpy(), position[batch.column(1).to_numpy()], values, quality
    )


def _write_behind(reference: weakref.ref[Historian], wake: threading.Event) -> None:
    """Flush about once a second until the historian is closed or gone."""
    while True:
        wake.wait(FLUSH_SECONDS)
        wake.clear()
        historian = reference()
        if historian is None or historian.closed:
            return
        try:
            historian.flush()
        except DatabaseUnavailableError as error:
            # The samples stay buffered; appending refuses once the buffer is full.
            log.warning("samples could not be stored", error=str(error))
        del historian
