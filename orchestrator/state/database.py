"""The state database: one interface over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, Self

import structlog
from sqlalchemy import Connection, Dialect, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.errors import ConfigurationError, DatabaseUnavailableError
from orchestrator.state.direct_inserts import Batch, DirectInserts
from orchestrator.state.engines import BUSY_TIMEOUT_MS, COMMAND_TIMEOUT_S, open_engine
from orchestrator.state.faults import translated, unavailable
from orchestrator.state.tables import SCHEMA_REVISION

log = structlog.get_logger(__name__)

_MIGRATION_LOCK = 0x64616E67  # any number that is ours: PostgreSQL advisory lock


class Database:
    """Connections and transactions. Bound to the event loop that first uses it.

    Every error of an unreachable, locked or full database is a `DatabaseUnavailableError`; a
    connection that was lost is replaced on the next use, so the service resumes by itself.
    """

    def __init__(self, engine: AsyncEngine, address: str) -> None:
        self._engine = engine
        self.address = address
        """Where it is, without user and password."""
        self.dialect: Literal["sqlite", "postgresql"] = (
            "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
        )
        # SQLite has one writer. Waiting here is fair and costs nothing; waiting in SQLite is a
        # sleep that doubles.
        self._writing = asyncio.Lock() if self.dialect == "sqlite" else None
        file = engine.url.database if self.dialect == "sqlite" else None
        self._direct = DirectInserts(Path(file)) if file else None

    @classmethod
    async def open(
        cls,
        url: str | None,
        home: Path,
        *,
        pool_size: int = 8,
        command_timeout: float = COMMAND_TIMEOUT_S,
    ) -> Self:
        """Prepare connections to ``url``; null is ``state.sqlite`` in ``home``.

        The server may be down: the first use then says so, and later uses try again. A server that
        has not carried out a statement after ``command_timeout`` seconds counts as gone.

        Raises:
            ConfigurationError: the URL or the folder cannot be used.
        """
        engine, address = open_engine(url, home, pool_size, command_timeout)
        return cls(engine, address)

    @property
    def sql_dialect(self) -> Dialect:
        """What SQLAlchemy knows of the database's kind."""
        return self._engine.dialect

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one consistent state; what it writes is not kept."""
        with translated(self.address):
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, durable when the block has ended without an error, undone otherwise."""
        with translated(self.address):
            async with AsyncExitStack() as stack:
                if self._writing is not None:
                    await stack.enter_async_context(self._writing)
                connection = await stack.enter_async_context(self._engine.connect())
                await connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
                async with connection.begin():
                    yield connection

    def insert_at_once(self, batches: Sequence[Batch]) -> bool:
        """Insert rows in one transaction, waiting neither for a lock nor for the disk.

        They outlive the end of the process; a power cut in the next second may undo it. Returns
        false, with nothing inserted, when that cannot be done or it failed: :meth:`insert_directly`
        and :meth:`write` then do it or say why not.
        """
        if self._direct is None or self._writing is None or self._writing.locked():
            return False
        try:
            return self._direct.insert_at_once(batches)
        except sqlite3.Error:
            return False

    async def insert_directly(self, batches: Sequence[Batch]) -> bool:
        """Insert rows in one durable transaction by the shortest way there is.

        Returns false, with nothing inserted, when there is none or it failed: :meth:`write` then
        says why.

        Raises:
            DatabaseUnavailableError: another process keeps the database locked.
        """
        if self._direct is None or self._writing is None:
            return False
        async with self._writing:
            try:
                await self._direct.insert(batches)
            except sqlite3.Error as error:
                if error.sqlite_errorname == "SQLITE_BUSY":
                    raise unavailable(str(error), self.address) from error
                return False
        return True

    async def ping(self) -> None:
        """Return when the database answers.

        Raises:
            DatabaseUnavailableError: it does not.
        """
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def revision(self) -> str | None:
        """Revision of the tables that are there; null when there are none."""
        async with self.read() as connection:
            return await connection.run_sync(_stored_revision)

    async def migrate(self) -> None:
        """Bring the tables to this program's revision. Safe from several processes at once.

        Raises:
            ConfigurationError: the database belongs to a newer program.
            DatabaseUnavailableError: the database cannot be reached.
        """
        if await self.revision() == SCHEMA_REVISION:
            return
        if self.dialect == "sqlite":
            await self._enter_wal()
        async with self.write() as connection:
            if self.dialect == "postgresql":
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
                )
            await connection.run_sync(self._upgrade)
        log.info("state database migrated", address=self.address, revision=SCHEMA_REVISION)

    async def _enter_wal(self) -> None:
        """Keep a write-ahead log, so that others read while one writes; the file remembers it.

        SQLite does not wait for the lock that this takes, so a rival's first start is waited for here.
        """
        end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                async with self.read() as connection:
                    await connection.execution_options(sqlite_begin="")
                    await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                    return
            except DatabaseUnavailableError:
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(0.02)

    def _upgrade(self, connection: Connection) -> None:
        from orchestrator.state.migrations import known_revisions, upgrade

        stored = _stored_revision(connection)
        if stored is not None and stored not in known_revisions():
            raise ConfigurationError(
                f"its tables are of revision {stored}, newer than this program's {SCHEMA_REVISION}",
                where=f"state database {self.address}",
                remedy="start the newer program, or restore a backup made before it",
            )
        upgrade(connection)

    async def close(self) -> None:
        """Close all connections."""
        if self._direct is not None:
            await self._direct.close()
        try:
            await self._engine.dispose()
        except (OSError, DatabaseUnavailableError) as error:
            log.warning("state database closed with an error", error=str(error))


def _stored_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
