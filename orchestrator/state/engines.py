"""From a database URL to an SQLAlchemy engine: SQLite through aiosqlite, PostgreSQL through asyncpg."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator.errors import ConfigurationError
from orchestrator.state.columns import encode_document

SQLITE_FILE = "state.sqlite"
BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 10.0
POOL_TIMEOUT_S = 10.0
_ACCEPTED = (
    "accepted are postgresql://user:password@host:5432/name, postgres://…, sqlite:///path/to/file, "
    "and null for SQLite in the home"
)
_POSTGRES_SCHEMES = ("postgres", "postgresql", "postgresql+asyncpg")
_SQLITE_SCHEMES = ("sqlite", "sqlite+aiosqlite")


def open_engine(
    url: str | None, home: Path, pool_size: int, command_timeout: float
) -> tuple[AsyncEngine, str]:
    """The engine of ``url`` and its address without user and password. Connects to nothing yet.

    Raises:
        ConfigurationError: the URL is of another kind, malformed, or its driver is not installed.
    """
    if url is None:
        return _sqlite_engine(home / SQLITE_FILE, pool_size)
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        raise _unusable("the URL is malformed") from None
    if scheme in _SQLITE_SCHEMES:
        path = unquote(parts.path)[1:]
        if parts.netloc or not path or path == ":memory:":
            raise _unusable("an SQLite URL needs the path of a file, after three slashes")
        return _sqlite_engine(Path(path).expanduser(), pool_size)
    if scheme in _POSTGRES_SCHEMES:
        dsn = urlunsplit(parts._replace(scheme="postgresql"))
        address = f"{host or 'local socket'}{f':{port}' if port else ''}{parts.path}"
        return _postgres_engine(dsn, pool_size, command_timeout), f"PostgreSQL {address}"
    raise _unusable(f"databases of kind {scheme or '(none)'!r} are not supported")


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError(what, where="state.database_url", remedy=_ACCEPTED)


def _sqlite_engine(path: Path, pool_size: int) -> tuple[AsyncEngine, str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {path.parent} cannot be made ({error})",
            where="state.home" if path.name == SQLITE_FILE else "state.database_url",
            remedy="choose a folder that can be written, with state.home or DAN_G_HOME",
        ) from error
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        json_serializer=encode_document,
        json_deserializer=json.loads,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine, f"SQLite {path}"


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """``synchronous=FULL`` syncs the log at each commit: an accepted action must outlive a power
    cut, and grouped commits make one sync serve many decisions.
    """
    connection.isolation_level = None  # transactions begin in _begin_sqlite, not by the driver
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -16384",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that upgrades later fails instead of waiting."""
    begin = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


def _postgres_engine(dsn: str, pool_size: int, command_timeout: float) -> AsyncEngine:
    try:
        import asyncpg
    except ImportError as error:
        raise ConfigurationError(
            "the PostgreSQL driver is not installed",
            where="state.database_url",
            remedy="install it: pip install 'dan-g-orchestrator[postgres]'",
        ) from error
    dsn, timeout = _without_connect_timeout(dsn)
    connect = functools.partial(
        asyncpg.connect, dsn, timeout=timeout, command_timeout=command_timeout
    )
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        json_serializer=encode_document,
        json_deserializer=json.loads,
        hide_parameters=True,
    )


def _without_connect_timeout(dsn: str) -> tuple[str, float]:
    """libpq's ``connect_timeout`` is asyncpg's ``timeout``."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    given = query.pop("connect_timeout", "")
    if not given:
        return dsn, CONNECT_TIMEOUT_S
    try:
        timeout = float(given)
    except ValueError:
        raise _unusable(f"connect_timeout={given!r} is not a number of seconds") from None
    return urlunsplit(parts._replace(query=urlencode(query))), timeout or CONNECT_TIMEOUT_S
