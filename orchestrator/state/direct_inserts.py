"""Inserts into SQLite, a whole transaction in one step of one thread.

Through SQLAlchemy and its asynchronous driver each statement crosses to the driver's thread and back
several times. With the event loop busy those crossings, not the disk, decide how many decisions a
second can be stored.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from orchestrator.state.engines import prepare_sqlite

Batch = tuple[str, Sequence[tuple[Any, ...]]]
"""An insert statement and its rows."""


class DirectInserts:
    """A connection for inserts and nothing else, opened at the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-inserts")

    async def insert(self, batches: Sequence[Batch]) -> None:
        """Insert all rows in one transaction and return when they are durable.

        Raises:
            sqlite3.Error: nothing was inserted.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._insert, batches)

    async def close(self) -> None:
        """Close the connection; a later insert opens a new one."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    def _insert(self, batches: Sequence[Batch]) -> None:
        connection = self._connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, rows in batches:
                connection.executemany(statement, rows)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False)
        prepare_sqlite(connection, None)
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
