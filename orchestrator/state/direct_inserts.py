"""Inserts into SQLite, a whole transaction in one step of one thread.

Through SQLAlchemy and its asynchronous driver each statement crosses to the driver's thread and back
several times. With the event loop busy those crossings, not the disk, decide how many decisions a
second can be stored.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from orchestrator.state.engines import prepare_sqlite

log = structlog.get_logger(__name__)

MOST_VARIABLES = 30_000
"""In one statement; SQLite's own limit is 32 766."""
KEPT_STATEMENTS = 256
SYNC_WITHIN_S = 1.0
"""Longest time for which a commit that did not wait for the disk waits for the disk."""

_Values = tuple[Any, ...]
Batch = tuple[str, Sequence[_Values]]
"""An insert statement of one row, and the rows."""


class DirectInserts:
    """Connections for inserts and nothing else, opened at the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: dict[bool, sqlite3.Connection] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-inserts")
        self._sync_due: asyncio.TimerHandle | None = None

    async def insert(self, batches: Sequence[Batch]) -> None:
        """Insert all rows in one transaction and return when they are on disk.

        Raises:
            sqlite3.Error: nothing was inserted.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._insert, batches, True)
        self._forget_sync()

    def insert_at_once(self, batches: Sequence[Batch]) -> bool:
        """Insert all rows in one transaction, without waiting for anything.

        They outlive the end of the process at once, and a power cut :data:`SYNC_WITHIN_S` later. It
        takes some ten µs a row, which is less than crossing to a thread and back with the event
        loop busy. False, with nothing inserted, when somebody else is writing.

        Raises:
            sqlite3.Error: nothing was inserted.
        """
        try:
            self._insert(batches, False)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_BUSY":
                return False
            raise
        if self._sync_due is None:
            loop = asyncio.get_running_loop()
            self._sync_due = loop.call_later(SYNC_WITHIN_S, self._sync_soon)
        return True

    async def close(self) -> None:
        """Bring all to disk and close the connections; a later insert opens new ones."""
        loop = asyncio.get_running_loop()
        if self._sync_due is not None:
            self._forget_sync()
            await loop.run_in_executor(self._thread, self._sync)
        await loop.run_in_executor(self._thread, self._close)

    def _insert(self, batches: Sequence[Batch], synced: bool) -> None:
        connection = self._connections.get(synced) or self._open(synced)
        statements = [part for batch in batches for part in _in_few_statements(*batch)]
        if len(statements) == 1:  # a transaction by itself
            connection.execute(*statements[0])
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _open(self, synced: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, check_same_thread=False, cached_statements=KEPT_STATEMENTS
        )
        prepare_sqlite(connection, None)
        if not synced:
            # Nothing here may wait: not for the lock, not for the disk, which is _sync's part.
            for pragma in ("busy_timeout = 0", "synchronous = NORMAL", "wal_autocheckpoint = 0"):
                connection.execute(f"PRAGMA {pragma}")
        self._connections[synced] = connection
        return connection

    def _sync_soon(self) -> None:
        self._sync_due = None
        self._thread.submit(self._sync)

    def _forget_sync(self) -> None:
        if self._sync_due is not None:
            self._sync_due.cancel()
            self._sync_due = None

    def _sync(self) -> None:
        """Bring the write-ahead log to disk, and from there into the database."""
        connection = self._connections.get(True) or self._open(True)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            log.warning("state database was not synced", path=str(self._path), error=str(error))

    def _close(self) -> None:
        while self._connections:
            self._connections.popitem()[1].close()


def _in_few_statements(statement: str, rows: Sequence[_Values]) -> Iterator[tuple[str, list[Any]]]:
    """All rows of an insert in as few statements as there are powers of two in their number.

    Each statement that runs in the thread gives the interpreter's lock away and waits to have it
    back; and statements of a few sizes stay prepared.
    """
    head, found, row = statement.rpartition(" VALUES ")
    most = max(1, MOST_VARIABLES // max(1, len(rows[0]))) if found else 1
    start = 0
    while start < len(rows):
        size = 1 << (min(most, len(rows) - start).bit_length() - 1)
        text = f"{head} VALUES {', '.join([row] * size)}" if found else statement
        yield text, [value for values in rows[start : start + size] for value in values]
        start += size
