"""The tables of the historian in PostgreSQL, in a TimescaleDB hypertable where the database has that.

historian_tags     code, name
historian_samples  time, tag (code), value (null where bad), quality, received
historian_means    level, time (start of the period), tag, value, quality, how many samples it stands for

Without TimescaleDB the samples are partitioned by month, and a block-range index on the time finds a
range among billions of rows at next to no cost for writing. One process writes; any may read. All that
TimescaleDB changes stands in ``_make_tables`` and ``_make_partitions``; no test runs it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from orchestrator.errors import ConfigurationError, DatabaseUnavailableError
from orchestrator.plant.postgres_rows import copy_into_batch, record_batch
from orchestrator.plant.sample_store import long_rows
from orchestrator.plant.samples import Quality, Sample, SampleBlock

if TYPE_CHECKING:
    import psycopg

FETCH_ROWS = 50_000
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = 0x44414E47
"""Key of the lock that lets one process make the tables."""
_THIN_SPAN = timedelta(hours=1)
_GOOD_ENOUGH = f"quality < {int(Quality.BAD)}"
_MICROS = "(extract(epoch from time) * 1000000)::bigint"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS historian_tags (code integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS historian_latest (tag integer PRIMARY KEY, time timestamptz NOT NULL,
    value double precision, quality smallint NOT NULL, received timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS historian_means (level smallint NOT NULL, time timestamptz NOT NULL,
    tag integer NOT NULL, value double precision, quality smallint NOT NULL, weight bigint NOT NULL);
CREATE INDEX IF NOT EXISTS historian_means_time ON historian_means USING brin (time);
"""
_SAMPLES = """
CREATE TABLE IF NOT EXISTS historian_samples (time timestamptz NOT NULL, tag integer NOT NULL,
    value double precision, quality smallint NOT NULL, received timestamptz NOT NULL){partitions}
"""
_INDEX = """
CREATE INDEX IF NOT EXISTS historian_samples_time ON historian_samples USING brin (time);
CREATE INDEX IF NOT EXISTS historian_samples_received ON historian_samples USING brin (received);
"""

log = structlog.get_logger(__name__)


class PostgresStore:
    """Samples in a PostgreSQL database; see :class:`orchestrator.plant.stores.Store`.

    Args:
        url: ``postgresql://user:password@host/name``.

    Attributes:
        timescale: Whether the samples lie in a TimescaleDB hypertable.

    Raises:
        ConfigurationError: the extra ``postgres`` is not installed.
        DatabaseUnavailableError: the database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://")
        self._where = _without_secrets(self._url)
        self._lock = threading.Lock()
        self._idle: list[psycopg.Connection[Any]] = []
        self._closed = False
        self.timescale = False
        self._months: set[str] = set()
        with self._transaction() as connection:
            self._make_tables(connection)
        self._stored_tags = len(self.tags())

    def tags(self) -> list[str]:
        """Names in order of their codes."""
        return [row[0] for row in self._fetch("SELECT name FROM historian_tags ORDER BY code")]

    def latest(self) -> list[Sample]:
        """The newest samples as of the last commit."""
        newest = self._fetch("SELECT max(received) FROM historian_latest")[0][0]
        since = newest or _EPOCH
        rows = self._fetch(
            "SELECT name, value, quality, time, received FROM historian_latest JOIN historian_tags"
            " ON tag = code UNION ALL (SELECT DISTINCT ON (s.tag) name, value, quality, time, received"
            " FROM historian_samples s JOIN historian_tags ON s.tag = code WHERE received >= %s"
            " ORDER BY s.tag, time DESC)",
            [since],
        )
        return [
            Sample(name, value, Quality(quality), time.astimezone(UTC), received.astimezone(UTC))
            for name, value, quality, time, received in rows
        ]

    def save_latest(self, samples: Iterable[Sample], codes: Mapping[str, int]) -> None:
        """Keep the newest samples, so that opening need not look for them among all."""
        rows = [
            (codes[s.tag], s.source_time, s.value, int(s.quality), s.server_time) for s in samples
        ]
        if not rows:
            return
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM historian_latest")
            with cursor.copy("COPY historian_latest FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    def span(self) -> tuple[int, int] | None:
        """First and last time, microseconds since 1970."""
        rows = self._fetch(
            "SELECT min(time), max(time) FROM historian_samples UNION ALL"
            " SELECT min(time), max(time) FROM historian_means"
        )
        found = [_micros(at) for row in rows for at in row if at is not None]
        return (min(found), max(found)) if found else None

    def count(self) -> int:
        """Number of samples, and of the means that stand for old ones."""
        query = "SELECT (SELECT count(*) FROM historian_samples) + (SELECT count(*) FROM historian_means)"
        return int(self._fetch(query)[0][0])

    def write(
        self, blocks: Sequence[tuple[SampleBlock, datetime]], codes: Mapping[str, int]
    ) -> None:
        """Store blocks and new tags in one transaction."""
        rows = long_rows(blocks, codes)
        if not len(rows.times):
            return
        received = max(at for _, at in blocks)
        with self._transaction() as connection, connection.cursor() as cursor:
            new = list(codes.items())[self._stored_tags :]
            if new:
                cursor.executemany(
                    "INSERT INTO historian_tags VALUES (%s, %s) ON CONFLICT DO NOTHING",
                    [(code, name) for name, code in new],
                )
            self._make_partitions(cursor, int(rows.times[0]), int(rows.times[-1]))
            cursor.execute(
                "CREATE TEMP TABLE batch (time timestamptz, tag integer, value double precision,"
                " quality smallint) ON COMMIT DROP"
            )
            copy_into_batch(cursor, rows)
            first, last = _moment(int(rows.times[0])), _moment(int(rows.times[-1]))
            cursor.execute(
                "DELETE FROM historian_samples s USING batch WHERE s.time = batch.time"
                " AND s.tag = batch.tag AND s.time BETWEEN %s AND %s",
                [first, last],
            )
            cursor.execute(
                "INSERT INTO historian_samples SELECT time, tag, value, quality, %s FROM batch",
                [received],
            )
        self._stored_tags = len(codes)

    def read(
        self, codes: Sequence[int] | None, start: int | None, end: int | None, period: int | None
    ) -> Iterator[Any]:
        """Arrow batches in order of time; see :meth:`orchestrator.plant.stores.Store.read`."""
        import psycopg

        conditions, given = ["true"], []
        for condition, value in (
            ("tag = ANY(%s)", None if codes is None else list(codes)),
            ("time >= %s", None if start is None else _moment(start)),
            ("time <= %s", None if end is None else _moment(end)),
        ):
            if value is not None:
                conditions.append(condition)
                given.append(value)
        where = " AND ".join(conditions)
        rows = (
            f"SELECT time, tag, value, quality, 1 AS weight FROM historian_samples WHERE {where}"  # noqa: S608
            f" UNION ALL SELECT time, tag, value, quality, weight FROM historian_means WHERE {where}"
        )
        usable = f"CASE WHEN {_GOOD_ENOUGH} THEN value END"
        if period is None:
            query = f"SELECT {_MICROS}, tag, {usable} FROM ({rows}) r ORDER BY time"  # noqa: S608
        else:
            query = (
                f"SELECT ({_MICROS} / {int(period)}) * {int(period)} AS at, tag,"  # noqa: S608
                f" sum({usable} * weight) / nullif(sum(CASE WHEN ({usable}) IS NOT NULL THEN weight"
                f" END), 0) FROM ({rows}) r GROUP BY 1, 2 ORDER BY 1"
            )
        connection = self._taken()
        try:
            with connection.cursor(name="historian_read") as cursor:
                cursor.execute(query, given * 2)
                while found := cursor.fetchmany(FETCH_ROWS):
                    yield record_batch(found)
        except psycopg.Error as error:
            raise self._unavailable(error) from error
        finally:
            self._give_back(connection)

    def thin(self, level: int, before: datetime, period: timedelta) -> int:
        """Put means in the place of samples; see :meth:`orchestrator.plant.stores.Store.thin`."""
        gone = 0
        source = "historian_samples" if level == 0 else "historian_means"
        own = "true" if level == 0 else f"level = {level - 1}"
        while True:
            query = f"SELECT min(time) FROM {source} WHERE {own}"  # noqa: S608
            first = self._fetch(query)[0][0]
            if first is None or first >= before:
                return gone
            span = max(_THIN_SPAN, period)
            start = _EPOCH + (first.astimezone(UTC) - _EPOCH) // span * span
            gone += self._thin_span(level, start, min(start + span, before), period)

    def _thin_span(self, level: int, start: datetime, end: datetime, period: timedelta) -> int:
        width = period // timedelta(microseconds=1)
        weight = "CASE WHEN quality < 2 AND value IS NOT NULL THEN 1 ELSE 0 END"
        source = (
            f"SELECT time, tag, value, quality, {weight} AS w FROM historian_samples WHERE"  # noqa: S608
            if level == 0
            else f"SELECT time, tag, value, quality, weight AS w FROM historian_means WHERE level = {level - 1} AND"  # noqa: S608
        )
        gone_from = (
            "historian_samples WHERE"
            if level == 0
            else f"historian_means WHERE level = {level - 1} AND"
        )
        chosen = "time >= %s AND time < %s"
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE thinned ON COMMIT DROP AS SELECT"  # noqa: S608
                f" to_timestamp((({_MICROS} / {width}) * {width}) / 1000000.0) AS at, tag,"
                f" sum(CASE WHEN {_GOOD_ENOUGH} THEN value * w END) / nullif(sum(w), 0) AS value,"
                f" min(quality) AS quality, sum(w)::bigint AS weight FROM ({source} {chosen} UNION ALL"
                " SELECT time, tag, value, quality, weight FROM historian_means"
                f" WHERE level = {level} AND {chosen}) r GROUP BY 1, 2 ORDER BY 1, 2",
                [start, end, start, end],
            )
            cursor.execute(f"DELETE FROM {gone_from} {chosen}", [start, end])  # noqa: S608
            gone = cursor.rowcount
            cursor.execute(
                f"DELETE FROM historian_means WHERE level = {level} AND {chosen}",  # noqa: S608
                [start, end],
            )
            cursor.execute(f"INSERT INTO historian_means SELECT {level}, * FROM thinned")  # noqa: S608
        return gone

    def remove_before(self, time: datetime) -> int | None:
        """Remove samples before ``time`` (UTC); the first time that is left, in microseconds."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM historian_samples WHERE time < %s", [time])
            connection.execute("DELETE FROM historian_means WHERE time < %s", [time])
        span = self.span()
        return span[0] if span else None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _make_tables(self, connection: psycopg.Connection[Any]) -> None:
        # Two processes that start at once must not both make the tables.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute(_SCHEMA)
        query = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
        self.timescale = connection.execute(query).fetchone() is not None
        partitions = "" if self.timescale else " PARTITION BY RANGE (time)"
        connection.execute(_SAMPLES.format(partitions=partitions))
        if self.timescale:
            _make_hypertable(connection)
        else:
            connection.execute(_INDEX)

    def _make_partitions(self, cursor: psycopg.Cursor[Any], first: int, last: int) -> None:
        if self.timescale:
            return
        month = _moment(first).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while month <= _moment(last):
            following = (month + timedelta(days=32)).replace(day=1)
            name = f"historian_samples_{month:%Y_%m}"
            if name not in self._months:
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF historian_samples FOR VALUES"
                    f" FROM ('{month.isoformat()}') TO ('{following.isoformat()}')"
                )
                self._months.add(name)
            month = following

    def _fetch(self, query: str, given: Sequence[Any] = ()) -> list[Any]:
        with self._transaction() as connection:
            return connection.execute(query, given).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[Any]]:
        import psycopg

        connection = self._taken()
        try:
            with connection.transaction():
                yield connection
        except psycopg.Error as error:
            # A partition made in a transaction that failed is not there.
            self._months.clear()
            raise self._unavailable(error) from error
        finally:
            self._give_back(connection)

    def _taken(self) -> psycopg.Connection[Any]:
        with self._lock:
            if self._closed:
                raise DatabaseUnavailableError("The historian is closed", where=self._where)
            if self._idle:
                return self._idle.pop()
        try:
            import psycopg
        except ImportError as error:
            raise ConfigurationError(
                "A historian in PostgreSQL needs the package psycopg, which is not installed",
                where="plant.historian.database_url",
                remedy="install it with: pip install 'dan-g-orchestrator[postgres]'",
            ) from error
        try:
            return psycopg.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                options=f"-c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC",
                application_name="dan-g historian",
            )
        except psycopg.Error as error:
            raise self._unavailable(error) from error

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        import psycopg

        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
            return
        with self._lock:
            if not self._closed and not connection.closed:
                self._idle.append(connection)
                return
        connection.close()

    def _unavailable(self, error: Exception) -> DatabaseUnavailableError:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return DatabaseUnavailableError(
            f"The historian's database cannot be used ({said})",
            where=self._where,
            remedy="see that the server runs and that plant.historian.database_url is right",
        )


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'local'}{parts.path}"


def _make_hypertable(connection: psycopg.Connection[Any]) -> None:
    """One chunk a day, as the extension's manual has it (create_hypertable).

    Raises:
        ConfigurationError: the extension is there and refuses.
    """
    import psycopg

    try:
        connection.execute(
            "SELECT create_hypertable('historian_samples', 'time', if_not_exists => true,"
            " chunk_time_interval => interval '1 day')"
        )
    except psycopg.Error as error:
        raise ConfigurationError(
            "TimescaleDB cannot make its table of samples",
            where="plant.historian.database_url",
            why=str(error).splitlines()[0],
            remedy="use a database without that extension: samples then go to plain PostgreSQL",
        ) from error
