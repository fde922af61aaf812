"""The tables of the historian in DuckDB.

tags     code, name
samples  time (UTC), tag (code), value (null where bad), quality, received (UTC)
means0   means of old samples: time (start of the period), tag, value, quality, how many they stand for
means1   means of older ones still
latest   the newest sample of each tag
facts    format, and whether all samples lie in the file in order of time
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import DatabaseUnavailableError, HomeLockedError
from orchestrator.plant.pivot import LongRows, joined
from orchestrator.plant.samples import Quality, Sample, SampleBlock

if TYPE_CHECKING:
    import duckdb

THREADS = 2
READ_ROWS = 122_880
FORMAT = 2
READABLE_FORMATS = (1, 2)

_USABLE = f"CASE WHEN quality < {int(Quality.BAD)} THEN value END"
_MEANS = ("means0", "means1")
_THIN_SPAN = timedelta(hours=1)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tags (code INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS samples (time TIMESTAMP NOT NULL, tag INTEGER NOT NULL, value DOUBLE,
    quality UTINYINT NOT NULL, received TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS means0 (time TIMESTAMP NOT NULL, tag INTEGER NOT NULL, value DOUBLE,
    quality UTINYINT NOT NULL, weight BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS means1 (time TIMESTAMP NOT NULL, tag INTEGER NOT NULL, value DOUBLE,
    quality UTINYINT NOT NULL, weight BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS latest (tag INTEGER NOT NULL, time TIMESTAMP NOT NULL, value DOUBLE,
    quality UTINYINT NOT NULL, received TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS facts (format INTEGER NOT NULL, in_order BOOLEAN NOT NULL);
"""


class SampleStore:
    """One DuckDB file with samples; writes come from one thread at a time."""

    def __init__(self, path: Path, memory_limit_mb: int) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection = _open(path, memory_limit_mb)
        with self._errors():
            self._connection.execute(_SCHEMA)
            facts = self._connection.sql("SELECT format, in_order FROM facts").fetchall()
            if not facts:
                facts = [(1, True)]
                self._connection.execute("INSERT INTO facts VALUES (?, ?)", list(facts[0]))
            if facts[0][0] not in READABLE_FORMATS:
                self._connection.close()
                raise DatabaseUnavailableError(
                    f"the historian has format {facts[0][0]}, and this version reads {FORMAT} and before",
                    where=str(path),
                    remedy="open it with the version that wrote it, or move the file away",
                )
            self._in_order = bool(facts[0][1])
            self._stored_tags = len(self.tags())
            self._thinned = any(self._fetch(f"SELECT 1 FROM {t} LIMIT 1") for t in _MEANS)  # noqa: S608
        span = self.span()
        self._newest = span[1] if span else None

    def tags(self) -> list[str]:
        """Names in order of their codes."""
        rows = self._fetch("SELECT name FROM tags ORDER BY code")
        return [row[0] for row in rows]

    def latest(self) -> list[Sample]:
        """The newest samples as of the last commit; several of one tag where they were not saved."""
        rows = self._fetch(
            "WITH newer AS (SELECT tag, arg_max({'v': value, 'q': quality, 'r': received}, time) AS s,"
            " max(time) AS time FROM samples WHERE received >="
            " coalesce((SELECT max(received) FROM latest), '-infinity'::TIMESTAMP) GROUP BY tag)"
            " SELECT name, value, quality, time, received FROM latest JOIN tags ON tag = code"
            " UNION ALL SELECT name, s.v, s.q, time, s.r FROM newer JOIN tags ON tag = code"
        )
        return [
            Sample(name, value, Quality(quality), time.replace(tzinfo=UTC), got.replace(tzinfo=UTC))
            for name, value, quality, time, got in rows
        ]

    def save_latest(self, samples: Iterable[Sample], codes: Mapping[str, int]) -> None:
        """Keep the newest samples, so that opening need not look for them among all."""
        rows = [
            (
                codes[sample.tag],
                sample.source_time.replace(tzinfo=None),
                sample.value,
                int(sample.quality),
                sample.server_time.replace(tzinfo=None),
            )
            for sample in samples
        ]
        if rows:
            with self._transaction() as cursor:
                cursor.execute("DELETE FROM latest")
                cursor.executemany("INSERT INTO latest VALUES (?, ?, ?, ?, ?)", rows)

    def span(self) -> tuple[int, int] | None:
        """First and last time, microseconds since 1970."""
        first, last = self._fetch(
            "SELECT epoch_us(min(a)), epoch_us(max(b)) FROM (SELECT min(time) a, max(time) b FROM samples"
            " UNION ALL SELECT min(time), max(time) FROM means0"
            " UNION ALL SELECT min(time), max(time) FROM means1)"
        )[0]
        return None if first is None else (first, last)

    def count(self) -> int:
        """Number of samples, and of the means that stand for old ones."""
        tables = ("samples", *_MEANS)
        return sum(int(self._fetch(f"SELECT count(*) FROM {t}")[0][0]) for t in tables)  # noqa: S608

    def write(
        self,
        blocks: Sequence[tuple[SampleBlock, datetime]],
        codes: Mapping[str, int],
    ) -> None:
        """Store blocks and new tags in one transaction.

        Raises:
            DatabaseUnavailableError: nothing of it is stored.
        """
        import pyarrow as pa

        rows = long_rows(blocks, codes)
        if not len(rows.times):
            return
        received = max(at for _, at in blocks).replace(tzinfo=None)
        first, last = int(rows.times[0]), int(rows.times[-1])
        late = self._newest is not None and first <= self._newest
        batch = pa.table(
            {
                "time": rows.times.view("datetime64[us]"),
                "tag": rows.codes,
                "value": pa.array(rows.values, mask=~np.isfinite(rows.values)),
                "quality": rows.quality,
            }
        )
        with self._transaction() as cursor:
            if len(codes) > self._stored_tags:
                new = list(codes.items())[self._stored_tags :]
                cursor.executemany("INSERT INTO tags VALUES (?, ?)", [(c, n) for n, c in new])
            cursor.register("batch", batch)
            if late:
                cursor.execute(
                    "DELETE FROM samples USING batch WHERE samples.time = batch.time"
                    " AND samples.tag = batch.tag AND samples.time BETWEEN"
                    " make_timestamp(?) AND make_timestamp(?)",
                    [first, last],
                )
            if late and self._in_order:
                cursor.execute("UPDATE facts SET in_order = false")
            cursor.execute(
                "INSERT INTO samples SELECT time, tag, value, quality, ?::TIMESTAMP FROM batch",
                [received],
            )
            cursor.unregister("batch")
        self._stored_tags = len(codes)
        self._in_order = self._in_order and not late
        self._newest = last if self._newest is None else max(last, self._newest)

    def read(
        self, codes: Sequence[int] | None, start: int | None, end: int | None, period: int | None
    ) -> Iterator[Any]:
        """Record batches (time in microseconds, tag code, value) in order of time.

        Args:
            codes: Tags wanted; None for all.
            start: First time, microseconds since 1970.
            end: Last time.
            period: Length in microseconds over which values are averaged.
        """
        import duckdb

        conditions = ["true"]
        if codes is not None:
            conditions.append(f"tag IN ({', '.join(str(int(code)) for code in codes) or 'NULL'})")
        if start is not None:
            conditions.append(f"time >= make_timestamp({int(start)})")
        if end is not None:
            conditions.append(f"time <= make_timestamp({int(end)})")
        where = " AND ".join(conditions)
        rows = f"SELECT time, tag, value, quality, 1 AS weight FROM samples WHERE {where}"  # noqa: S608
        if self._thinned:
            older = (f"SELECT * FROM {table} WHERE {where}" for table in reversed(_MEANS))  # noqa: S608
            rows = " UNION ALL ".join([*older, rows])
        if period is None:
            # Rows that went in in order mostly come out so; while new ones are being stored they need not.
            whole = start is None and self._in_order and not self._thinned
            order = "" if whole else " ORDER BY time"
            query = f"SELECT epoch_us(time), tag, {_USABLE} FROM ({rows}){order}"  # noqa: S608
        else:
            bucket = f"time_bucket(to_microseconds({int(period)}), time, TIMESTAMP '1970-01-01')"
            mean = f"avg({_USABLE})"
            if self._thinned:
                mean = f"sum({_USABLE} * weight) / sum(CASE WHEN ({_USABLE}) IS NOT NULL THEN weight END)"
            query = (
                f"SELECT epoch_us({bucket}) AS bucket, tag, {mean} FROM ({rows})"  # noqa: S608
                f" GROUP BY 1, 2 ORDER BY 1"
            )
        cursor = self._cursor()
        try:
            yield from cursor.sql(query).to_arrow_reader(READ_ROWS)
        except duckdb.Error as error:
            raise self._unavailable(error) from error
        finally:
            cursor.close()

    def thin(self, level: int, before: datetime, period: timedelta) -> int:
        """Put means in the place of samples; see :meth:`orchestrator.plant.stores.Store.thin`.

        An hour goes at a time, so that memory stays bounded.
        """
        source, target = ("samples", "means0") if level == 0 else _MEANS
        end = before.replace(tzinfo=None)
        gone = 0
        while True:
            first = self._fetch(f"SELECT min(time) FROM {source}")[0][0]  # noqa: S608
            if first is None or first >= end:
                return gone
            span = max(_THIN_SPAN, period)
            start = datetime(1970, 1, 1) + (first - datetime(1970, 1, 1)) // span * span  # noqa: DTZ001
            gone += self._thin_span(source, target, start, min(start + span, end), period)

    def _thin_span(
        self, source: str, target: str, start: datetime, end: datetime, period: timedelta
    ) -> int:
        weight = (
            f"CASE WHEN quality < {int(Quality.BAD)} AND value IS NOT NULL THEN {{}} ELSE 0 END"
        )
        own = weight.format("1" if source == "samples" else "weight")
        bucket = (
            f"time_bucket(to_microseconds({period // timedelta(microseconds=1)}), time,"
            " TIMESTAMP '1970-01-01')"
        )
        chosen = "WHERE time >= $1 AND time < $2"
        with self._transaction() as cursor:
            # What came late joins the mean that is there already.
            cursor.execute(
                "CREATE OR REPLACE TEMP TABLE thinned AS"  # noqa: S608
                f" SELECT {bucket} AS at, tag, sum({_USABLE} * w) / nullif(sum(w), 0) AS value,"
                " min(quality) AS quality, sum(w)::BIGINT AS weight FROM"
                f" (SELECT time, tag, value, quality, {own} AS w FROM {source} {chosen} UNION ALL"
                f" SELECT time, tag, value, quality, weight FROM {target} {chosen})"
                " GROUP BY ALL ORDER BY 1, 2",
                [start, end],
            )
            gone = cursor.execute(f"DELETE FROM {source} {chosen}", [start, end]).fetchone()  # noqa: S608
            cursor.execute(f"DELETE FROM {target} {chosen}", [start, end])  # noqa: S608
            cursor.execute(f"INSERT INTO {target} SELECT * FROM thinned")  # noqa: S608
            cursor.execute("DROP TABLE thinned")
            cursor.execute("UPDATE facts SET format = ?", [FORMAT])
        self._thinned = True
        return int(gone[0]) if gone else 0

    def remove_before(self, time: datetime) -> int | None:
        """Remove samples before ``time`` (UTC); the first time that is left, in microseconds."""
        with self._transaction() as cursor:
            for table in ("samples", *_MEANS):
                cursor.execute(
                    f"DELETE FROM {table} WHERE time < ?",  # noqa: S608
                    [time.replace(tzinfo=None)],
                )
        span = self.span()
        return span[0] if span else None

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._errors(), self._lock:
            return self._connection.cursor()

    def _fetch(self, query: str) -> list[Any]:
        with self._errors():
            cursor = self._cursor()
            try:
                return cursor.sql(query).fetchall()
            finally:
                cursor.close()

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        cursor = self._cursor()
        try:
            cursor.begin()
            yield cursor
            cursor.commit()
        except duckdb.Error as error:
            raise self._unavailable(error) from error
        finally:
            cursor.close()  # an open transaction is rolled back

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> DatabaseUnavailableError:
        return DatabaseUnavailableError(
            f"the historian cannot be used ({str(error).splitlines()[0]})",
            where=str(self.path),
            remedy="see that the disk has room and that the file may be written",
        )


def _open(path: Path, memory_limit_mb: int) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(
            str(path),
            config={
                "threads": THREADS,
                "memory_limit": f"{memory_limit_mb}MB",
                # Changes since the last checkpoint are held in memory as well as in the log.
                "checkpoint_threshold": "4MB",
                "temp_directory": str(path) + ".tmp",
            },
        )
    except (duckdb.Error, OSError) as error:
        text = str(error).splitlines()[0]
        if "lock" in text.casefold():
            raise HomeLockedError(
                "another process owns the historian",
                where=str(path),
                remedy="stop it, or ask it for the range instead of opening the file",
            ) from error
        raise DatabaseUnavailableError(
            f"the historian cannot be opened ({text})",
            where=str(path),
            remedy="if the file is damaged, move it away; a new one is made at the next start",
        ) from error


def long_rows(blocks: Sequence[tuple[SampleBlock, datetime]], codes: Mapping[str, int]) -> LongRows:
    """All samples of the blocks in order of time, the last one where several share tag and time."""
    parts: list[LongRows] = []
    in_order = True
    newest: np.datetime64 | None = None
    for tags, group in groupby((block for block, _ in blocks), key=lambda block: block.tags):
        block = joined(list(group))
        times = block.times.astype("datetime64[us]", copy=False)
        in_order = in_order and bool((times[1:] > times[:-1]).all())
        in_order = in_order and (newest is None or bool(times[0] > newest))
        newest = times[-1]
        columns = np.array([codes[tag] for tag in tags], dtype=np.int32)
        rows = LongRows(
            np.repeat(times.view(np.int64), len(tags)),
            np.tile(columns, len(block)),
            block.values.ravel(),
            block.quality.ravel(),
        )
        present = rows.quality != Quality.NONE
        parts.append(rows if present.all() else rows.taken(present))
    together = parts[0]
    if len(parts) > 1:
        columns_of = zip(*parts, strict=True)
        times_, codes_, values_, quality_ = (np.concatenate(column) for column in columns_of)
        together = LongRows(times_, codes_, values_, quality_)
    return together if in_order else _newest_of_each(together)


def _newest_of_each(rows: LongRows) -> LongRows:
    """Ordered by time and tag; of samples that share both, the one that came last."""
    order = np.lexsort((rows.codes, rows.times))  # stable
    times, codes = rows.times[order], rows.codes[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (times[1:] != times[:-1]) | (codes[1:] != codes[:-1])
    kept = order[last]
    return LongRows(rows.times[kept], rows.codes[kept], rows.values[kept], rows.quality[kept])
