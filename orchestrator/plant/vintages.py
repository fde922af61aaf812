"""Values that are revised after they were published: each kept with the time at which it was known.

A market series is published for a period, and later published again with another value. Here nothing is
replaced: the store only grows, and a reader says at which time it wants to have looked.

The store is a folder of closed Parquet files. A file is written whole, under a name of its own, and never
changed; many files become one now and then. So any process may read while another writes, which the
historian's own database does not allow, and what is stored twice counts once.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from uuid import uuid4

from filelock import FileLock, Timeout

from orchestrator.errors import DataError, UnavailableError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_FILES = 64
LOCK_SECONDS = 30.0
READ_TRIES = 5
MEMORY = "256MB"
_INSTANT = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Observation:
    """A value of a series for a period, as a source gives it.

    Attributes:
        series: Identifier of the series.
        period: Begin of the period, UTC.
        value: The value; ``None`` where the source says that there is none.
        unit: Its unit; ``None`` where the source does not say.
        known_at: Since when it was known, where that is not the time of storing.
    """

    series: str
    period: datetime
    value: float | None
    unit: str | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """A value that was replaced: ``None`` after where it was withdrawn, before where it came back."""

    series: str
    period: datetime
    before: float | None
    after: float | None
    known_at: datetime


@dataclass(slots=True)
class Counts:
    """Of one series: periods without a value until now, values that differ, values that were known."""

    new: int = 0
    revised: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What one call of :meth:`VintageStore.append` found, by series and together."""

    counts: Mapping[str, Counts] = field(default_factory=dict)
    revised: tuple[Revision, ...] = ()

    @property
    def new(self) -> int:
        """Periods of which there was no value."""
        return sum(item.new for item in self.counts.values())

    @property
    def unchanged(self) -> int:
        """Values that were known already."""
        return sum(item.unchanged for item in self.counts.values())


@dataclass(frozen=True, slots=True)
class SeriesSpan:
    """What is held of a series: its periods, unit, and when something of it was last learnt."""

    series: str
    periods: int
    first: datetime
    last: datetime
    unit: str | None
    known_at: datetime


class VintageStore:
    """The vintages in ``folder``, which is made by the first :meth:`append`.

    All times are timezone-aware. Reading needs no lock; appending holds one between processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(
        self, values: Iterable[Observation], known_at: datetime, *, archive: bool = False
    ) -> Stored:
        """Keep what differs from what was known, as known at ``known_at`` or at its own time.

        A value that is ``None`` and was never known is not kept; one that was known is withdrawn. Of two
        values for one period the later in order holds.

        Args:
            values: What a source gives.
            known_at: When that became known.
            archive: Whether it is an old state of the source: then it is held against what was known at
                ``known_at`` rather than against the newest, and what was learnt later stays in force.

        Raises:
            DataError: a time has no zone, or a value is not finite.
            UnavailableError: another process holds the store for long, or it cannot be written.
        """
        wanted = {(item.series, _utc(item.period)): item for item in map(_checked, values)}
        _aware(known_at, "known_at")
        if not wanted:
            return Stored()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "write.lock", timeout=LOCK_SECONDS):
                return self._append(wanted, known_at, known_at if archive else None)
        except Timeout as error:
            raise UnavailableError(
                "another process holds the store of vintages",
                where=str(self._folder),
                remedy="try again when the other update has ended",
            ) from error
        except OSError as error:
            raise UnavailableError(
                f"the vintages cannot be written ({error.strerror or error})",
                where=str(self._folder),
                remedy="free space, or give the process the right to write there",
            ) from error

    def _append(
        self,
        wanted: dict[tuple[str, datetime], Observation],
        known_at: datetime,
        as_known_at: datetime | None,
    ) -> Stored:
        counts = {series: Counts() for series, _ in wanted}
        held = self._newest(sorted(counts), as_known_at)
        rows: list[tuple[Observation, datetime]] = []
        revised: list[Revision] = []
        for key, item in wanted.items():
            count = counts[item.series]
            if key not in held:
                if item.value is not None:
                    rows.append((item, item.known_at or known_at))
                    count.new += 1
                continue
            before, at = held[key]
            if before == item.value:
                count.unchanged += 1
                continue
            # What replaces another was learnt after it, whatever its own time says.
            learnt = max(known_at, _EPOCH + timedelta(microseconds=at) + _INSTANT)
            rows.append((item, learnt))
            count.revised += 1
            revised.append(Revision(item.series, item.period, before, item.value, learnt))
        if rows:
            self._write(_table(rows))
            self._join()
        return Stored(counts, tuple(revised))

    def _newest(
        self, names: Sequence[str], as_known_at: datetime | None
    ) -> dict[tuple[str, datetime], tuple[float | None, int]]:
        """By series and period (without its zone): the value, and since when it is known, µs."""
        import pyarrow as pa

        table = self.read(names, as_known_at=as_known_at)
        # Without zones, and numbers where that will do: Python's times with a zone are slow to make.
        period = table.column("period").cast(pa.timestamp("us"))
        known_at = table.column("known_at").cast(pa.int64())
        columns = (table.column("series"), period, table.column("value"), known_at)
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return {(series, at): (value, known) for series, at, value, known in rows}

    def read(
        self,
        series: Sequence[str] | None = None,
        *,
        as_known_at: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """The values as they were known at a time; the newest of all without one.

        Args:
            series: Identifiers wanted; all when ``None``. One that is not held has no row.
            as_known_at: Vintages learnt later are left out.
            start: First period.
            end: Last period, included.

        Returns:
            ``series``, ``period``, ``value`` (null where it was withdrawn), ``unit`` and ``known_at``,
            ordered by series and period.
        """
        where, given = _conditions(series=series, start=start, end=end, known_until=as_known_at)
        return self._query(
            "SELECT series, period, value, unit, known_at FROM vintages"  # noqa: S608
            f" WHERE {where}"
            " QUALIFY row_number() OVER (PARTITION BY series, period ORDER BY known_at DESC) = 1"
            " ORDER BY series, period",
            given,
        )

    def revisions(
        self,
        series: Sequence[str] | None = None,
        *,
        since: datetime | None = None,
        as_known_at: datetime | None = None,
    ) -> list[Revision]:
        """Values that replaced others, in the order in which they were learnt.

        Args:
            series: Identifiers wanted; all when ``None``.
            since: Only those learnt after this time.
            as_known_at: Only those learnt up to this time.
        """
        where, given = _conditions(series=series, known_until=as_known_at)
        rows = self._query(
            "WITH told AS (SELECT series, period, value, known_at,"  # noqa: S608
            " lag(value) OVER vintage AS before, row_number() OVER vintage AS number"
            f" FROM (SELECT DISTINCT series, period, value, known_at FROM vintages WHERE {where})"
            " WINDOW vintage AS (PARTITION BY series, period ORDER BY known_at))"
            " SELECT series, period, before, value, known_at FROM told"
            " WHERE number > 1 AND before IS DISTINCT FROM value"
            " ORDER BY known_at, series, period",
            given,
        ).to_pylist()
        return [
            Revision(row["series"], row["period"], row["before"], row["value"], row["known_at"])
            for row in rows
            if since is None or row["known_at"] > since
        ]

    def spans(self) -> dict[str, SeriesSpan]:
        """Each series that is held, by its identifier."""
        rows = self._query(
            "SELECT series, count(DISTINCT period) AS periods, min(period) AS first,"
            " max(period) AS last, arg_max(unit, known_at) AS unit, max(known_at) AS known_at"
            " FROM vintages GROUP BY series ORDER BY series",
            [],
        ).to_pylist()
        return {row["series"]: SeriesSpan(**row) for row in rows}

    def _query(self, sql: str, given: Sequence[Any]) -> pa.Table:
        import duckdb

        attempt = 0
        while True:
            attempt += 1
            files = self._files()
            if not files:
                return _answer(sql, given, _schema().empty_table())
            try:
                return _answer(sql, given, files)
            except duckdb.Error as error:
                # Files that were joined between listing and reading are in a new one now.
                if attempt < READ_TRIES and self._files() != files:
                    time.sleep(0.01)
                    continue
                raise DataError(
                    f"the vintages cannot be read ({str(error).splitlines()[0]})",
                    where=str(self._folder),
                    remedy="restore the file that is named from a copy, or move it away",
                ) from error

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.parquet"))

    def _write(self, table: pa.Table) -> Path:
        import pyarrow.parquet

        # A name of its own for each file: two writers never meet.
        path = self._folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.parquet"
        beside = path.with_suffix(".new")
        with beside.open("wb") as file:
            pyarrow.parquet.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        return path

    def _join(self) -> None:
        """Make one file of many; both are there for a moment, and what is twice counts once."""
        import pyarrow as pa
        import pyarrow.parquet

        files = self._files()
        if len(files) < MOST_FILES:
            return
        self._write(pa.concat_tables(pyarrow.parquet.read_table(file) for file in files))
        for file in files:
            with contextlib.suppress(OSError):
                file.unlink()


def _aware(at: datetime, name: str) -> None:
    if at.tzinfo is None:
        raise DataError(
            f"{name} {at.isoformat()} has no time zone",
            where="vintages",
            remedy="give times with a zone, such as 2026-03-01T00:00:00Z",
        )


def _checked(item: Observation) -> Observation:
    if item.period.tzinfo is None:
        _aware(item.period, f"the period of {item.series}")
    if item.known_at is not None:
        _aware(item.known_at, f"known_at of {item.series}")
    if item.value is not None and not isfinite(item.value):
        raise DataError(
            f"the value {item.value} of {item.series} for {item.period:%Y-%m-%d} is not finite",
            where="vintages",
            remedy="leave out what is not a number",
        )
    return item


def _conditions(
    *,
    series: Sequence[str] | None,
    start: datetime | None = None,
    end: datetime | None = None,
    known_until: datetime | None = None,
) -> tuple[str, list[Any]]:
    """The conditions that are given, as SQL and its parameters."""
    parts: list[str] = []
    given: list[Any] = []
    for text, value in (
        ("list_contains(?, series)", None if series is None else list(series)),
        ("period >= ?", _utc(start)),
        ("period <= ?", _utc(end)),
        ("known_at <= ?", _utc(known_until)),
    ):
        if value is not None:
            parts.append(text)
            given.append(value)
    return " AND ".join(parts) or "true", given


@overload
def _utc(at: datetime) -> datetime: ...


@overload
def _utc(at: None) -> None: ...


def _utc(at: datetime | None) -> datetime | None:
    """The same instant in UTC, without its zone."""
    if at is None:
        return None
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).replace(tzinfo=None)


def _schema() -> pa.Schema:
    import pyarrow as pa

    # Without a zone, and always UTC: DuckDB needs an extension for times with one.
    at = pa.timestamp("us")
    return pa.schema(
        [
            ("series", pa.string()),
            ("period", at),
            ("value", pa.float64()),
            ("unit", pa.string()),
            ("known_at", at),
        ]
    )


def _table(rows: Sequence[tuple[Observation, datetime]]) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "series": [item.series for item, _ in rows],
            "period": [_utc(item.period) for item, _ in rows],
            "value": [item.value for item, _ in rows],
            "unit": [item.unit for item, _ in rows],
            "known_at": [_utc(at) for _, at in rows],
        },
        schema=_schema(),
    )


def _answer(sql: str, given: Sequence[Any], source: pa.Table | Sequence[Path]) -> pa.Table:
    """The answer to a query over ``vintages``, its times with their zone."""
    import duckdb
    import pyarrow as pa

    with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as connection:
        if isinstance(source, pa.Table):
            connection.register("vintages", source)
        else:
            connection.read_parquet([str(file) for file in source]).create_view("vintages")
        table: pa.Table = connection.sql(sql, params=list(given)).to_arrow_table()
    for number, column_type in enumerate(table.schema.types):
        if pa.types.is_timestamp(column_type):
            column = table.column(number).cast(pa.timestamp("us", tz="UTC"))
            table = table.set_column(number, table.column_names[number], column)
    return table
