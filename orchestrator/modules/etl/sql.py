"""Rows of a database by SQLAlchemy URL: read only, within a time limit, and without showing a secret."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.errors import DatabaseUnavailableError, DataError, ParameterError
from orchestrator.modules.etl.models import SqlInput

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

ROWS_AT_ONCE = 10_000
CONNECT_SECONDS = 10
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_READS = re.compile(r"\s*(select|with|values|table)\b", re.IGNORECASE)
# The driver that is installed with the extra ``postgres``.
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def database_url(source: SqlInput, options: Mapping[str, Any]) -> str:
    """The URL of a named connection, or the one given, where this service allows that.

    Raises:
        ParameterError: no such connection, or URLs may not come with a request.
    """
    known = options.get("connections") or {}
    if source.connection is not None:
        if source.connection not in known:
            raise ParameterError.of_field(
                "sql.connection",
                f"there is no connection {source.connection!r}",
                remedy="name one in the configuration under modules.etl.options.connections; there are: "
                + (", ".join(sorted(known)) or "none"),
            )
        return str(known[source.connection])
    if not options.get("local_access"):
        raise ParameterError.of_field(
            "sql.url",
            "a database address may not come with a request to a service",
            why="who can reach the service could reach with it whatever the service can",
            remedy="configure it under modules.etl.options.connections and give its name as "
            "sql.connection, or run the command on the machine itself",
        )
    return source.url or ""


@contextmanager
def rows_of(
    source: SqlInput, options: Mapping[str, Any]
) -> Iterator[tuple[Sequence[str], Iterator[Sequence[Any]]]]:
    """Column names and rows of the table or query, streamed.

    The session is set to read only and the statement to end after ``timeout_seconds``, by the database
    itself where it knows how (PostgreSQL, MySQL, SQLite), and between rows in any case.

    Raises:
        ParameterError: the query is no query, or the address cannot be read.
        DataError: the database refuses the query, or it takes too long.
        DatabaseUnavailableError: it cannot be reached.
    """
    import sqlalchemy as sa

    url = _parsed(database_url(source, options))
    shown = url.render_as_string(hide_password=True)
    statement = _statement(source)
    end = time.monotonic() + source.timeout_seconds
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=_connect_args(url))
    except (ImportError, sa.exc.ArgumentError) as error:
        raise ParameterError.of_field(
            "sql.url",
            f"{shown} cannot be opened ({_told(error, url)})",
            remedy="install the driver of this database; that of PostgreSQL comes with the extra postgres",
        ) from None
    try:
        with engine.connect() as connection:
            _restrict(connection, source.timeout_seconds, end)
            result = connection.execution_options(
                stream_results=True, yield_per=ROWS_AT_ONCE
            ).execute(statement)
            yield list(result.keys()), _in_time(result, end, source.timeout_seconds, shown)
    except sa.exc.SQLAlchemyError as error:
        raise _explained(error, url, source.timeout_seconds, end) from None
    finally:
        engine.dispose()


def _parsed(text: str) -> URL:
    """The URL, with ``${NAME}`` replaced by the environment variable of that name."""
    import sqlalchemy as sa

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise ParameterError.of_field(
                "sql.url",
                f"the environment variable {match[1]} is not set",
                remedy="set it where the service or the command runs",
            )
        return found

    try:
        url = sa.make_url(text)
        password = _VARIABLE.sub(value, str(url.password)) if url.password else None
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername), password=password)
    except sa.exc.ArgumentError:
        raise ParameterError.of_field(
            "sql.url",
            "is no database address",
            remedy="write it as postgresql://user:${PASSWORD}@host/database or sqlite:///file.db",
        ) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        # Opened read only, so that a file that is not there is an error and not a new database.
        return url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
    return url


def _statement(source: SqlInput) -> Any:
    import sqlalchemy as sa

    if source.table is not None:
        schema, _, name = source.table.rpartition(".")
        return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))
    query = (source.query or "").strip().rstrip(";")
    if not _READS.match(query) or ";" in query:
        raise ParameterError.of_field(
            "sql.query",
            "must be one statement that reads",
            remedy="begin it with SELECT or WITH, and leave out further statements",
        )
    return sa.text(query.replace(":", r"\:"))


def _connect_args(url: URL) -> dict[str, Any]:
    backend = url.get_backend_name()
    if backend in ("postgresql", "mysql", "mariadb"):
        return {"connect_timeout": CONNECT_SECONDS}
    return {"timeout": CONNECT_SECONDS} if backend == "sqlite" else {}


def _restrict(connection: Connection, seconds: float, end: float) -> None:
    """Have the database itself refuse to write, and stop what takes too long."""
    import sqlalchemy as sa

    backend = connection.dialect.name
    milliseconds = max(1, int(seconds * 1000))
    if backend == "postgresql":
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        connection.execute(sa.text(f"SET LOCAL statement_timeout = {milliseconds}"))
    elif backend in ("mysql", "mariadb"):
        connection.execute(sa.text("SET SESSION TRANSACTION READ ONLY"))
        if backend == "mysql":
            connection.execute(sa.text(f"SET SESSION max_execution_time = {milliseconds}"))
    elif backend == "sqlite":
        connection.execute(sa.text("PRAGMA query_only = ON"))
        raw: Any = connection.connection.driver_connection
        late: Callable[[], int] = lambda: int(time.monotonic() > end)  # noqa: E731
        raw.set_progress_handler(late, 10_000)


def _in_time(result: Any, end: float, seconds: float, shown: str) -> Iterator[Sequence[Any]]:
    for number, row in enumerate(result):
        if number % 1000 == 0 and time.monotonic() > end:
            raise _too_long(shown, seconds)
        yield row


def _too_long(shown: str, seconds: float) -> DataError:
    return DataError(
        f"the query took longer than {seconds:g} s",
        where=shown,
        remedy="ask for fewer rows, or raise sql.timeout_seconds",
    )


def _explained(error: Exception, url: URL, seconds: float, end: float) -> Exception:
    import sqlalchemy as sa

    shown = url.render_as_string(hide_password=True)
    told = _told(error, url)
    if time.monotonic() > end or re.search(r"interrupted|statement timeout|max_execution", told):
        return _too_long(shown, seconds)
    refused = re.search(r"no such|does not exist|syntax|unknown column|denied for table", told)
    if isinstance(error, sa.exc.OperationalError) and not refused:
        return DatabaseUnavailableError(
            f"the database cannot be read ({told})",
            where=shown,
            remedy="check the address, the user and the network",
        )
    return DataError(
        f"the database refuses the query ({told})",
        where=shown,
        remedy="check the names of the table and its columns",
    )


def _told(error: Exception, url: URL) -> str:
    """The first line of the driver's own words, without the password should it be in them."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    text = words[0] if words else type(error).__name__
    return text.replace(url.password, "***") if url.password else text
