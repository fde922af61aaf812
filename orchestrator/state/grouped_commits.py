"""Rows that many tasks insert at the same time, committed together.

A commit waits for the disk, or for the server, and one at a time of them is all that SQLite does.
While one commit is under way the rows of other tasks gather, and the next commit takes them all:
the more is asked for, the larger the groups, and the cost of each row falls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import DatabaseUnavailableError
from orchestrator.state.database import Database
from orchestrator.state.direct_inserts import Batch
from orchestrator.state.tables import metadata

MAX_GROUP = 128
"""Most tasks served by one commit: bounds the time a transaction is open."""
MAX_WAITING = 2048
"""Tasks that may wait for the writer; further ones wait for a place, which slows the callers."""

_PARENTS_FIRST = {table: rank for rank, table in enumerate(metadata.sorted_tables)}
_RowValues = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to insert."""

    table: Table
    values: dict[str, Any]


@dataclass(slots=True)
class _Waiting:
    rows: list[tuple[Table, _RowValues]]
    done: asyncio.Future[bool]


class _DriverInsert:
    """The insert of a whole row as the driver takes it: one statement, and a function a column.

    SQLAlchemy prepares it once; what it does again for each row of each statement costs as much as
    the insert itself.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        compiled = insert(table).compile(dialect=dialect, column_keys=[c.name for c in table.c])
        self.statement = str(compiled)
        names = compiled.positiontup
        assert names is not None
        self._columns = [
            (name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in names
        ]

    def row(self, values: dict[str, Any]) -> _RowValues:
        """``values`` by column name, in the order and the form of the statement."""
        return tuple(
            [convert(values[name]) if convert else values[name] for name, convert in self._columns]
        )


class GroupedCommits:
    """The one task that commits what all others insert. It starts with the first insert."""

    def __init__(
        self, database: Database, *, max_group: int = MAX_GROUP, max_waiting: int = MAX_WAITING
    ) -> None:
        self._database = database
        self._max_group = max_group
        self._inserts = {
            table: _DriverInsert(table, database.sql_dialect) for table in metadata.sorted_tables
        }
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(max_waiting)
        self._at_once: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.commits = 0
        """Transactions so far; with the number of inserts this tells the size of the groups."""

    async def insert(self, rows: Sequence[NewRow], *, synced: bool = True) -> None:
        """Insert ``rows``, all or none, and return when they are durable.

        Rows that need not be ``synced`` outlive the end of the process at once, and on SQLite a
        power cut a second later.

        Parents go before their children, whatever the order given. What is wrong with the rows of
        one call is raised to that call alone.

        Raises:
            ParameterError: a value cannot be stored; the database is not asked.
            sqlalchemy.exc.IntegrityError: a row is there already or lacks its parent.
            DatabaseUnavailableError: the database cannot be reached, or is closed.
        """
        if self._closed:
            raise DatabaseUnavailableError("the state is closed", where=self._database.address)
        loop = asyncio.get_running_loop()
        converted = [(row.table, self._inserts[row.table].row(row.values)) for row in rows]
        waiting = _Waiting(converted, loop.create_future())
        if not synced:
            self._at_once.append(waiting)
            if len(self._at_once) == 1:
                loop.call_soon(self._commit_at_once, 1)
            if await waiting.done:
                return
            waiting = _Waiting(converted, loop.create_future())
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="grouped-commits")
        await self._queue.put(waiting)
        await waiting.done

    def _commit_at_once(self, gathered: int) -> None:
        """Commit what need not be synced, once no more of it is handed in; or leave it to the writer."""
        if gathered < len(self._at_once) < self._max_group:
            asyncio.get_running_loop().call_soon(self._commit_at_once, len(self._at_once))
            return
        group, self._at_once = self._at_once, []
        done = self._database.insert_at_once(self._batches(r for one in group for r in one.rows))
        self.commits += done
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_result(done)

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closed = True
        if self._at_once:
            self._commit_at_once(len(self._at_once))
            await asyncio.sleep(0)  # who was left to the writer hands his rows in
        if self._writer is None:
            return
        await self._queue.join()
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer

    async def _write(self) -> None:
        while True:
            group = [await self._queue.get()]
            gathered = 0
            # While others keep handing in rows they are waited for: a commit costs as much as many rows.
            while gathered < len(group) < self._max_group:
                gathered = len(group)
                await asyncio.sleep(0)
                while len(group) < self._max_group and not self._queue.empty():
                    group.append(self._queue.get_nowait())
            try:
                await self._commit([waiting for waiting in group if not waiting.done.done()])
            finally:
                for waiting in group:
                    self._queue.task_done()
                    if not waiting.done.done():
                        waiting.done.cancel()

    async def _commit(self, group: list[_Waiting]) -> None:
        if not group:
            return
        batches = self._batches(row for one in group for row in one.rows)
        try:
            if not await self._database.insert_directly(batches):
                async with self._database.write() as connection:
                    await _insert(connection, batches)
        except DatabaseUnavailableError as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - handed to the caller whose row it is
            if len(group) == 1:
                _fail(group, error)
            else:
                await self._commit_one_by_one(group)
        else:
            self.commits += 1
            _succeed(group)

    async def _commit_one_by_one(self, group: list[_Waiting]) -> None:
        """One row of the group is wrong: find it, and keep the others, in one transaction still."""
        good: list[_Waiting] = []
        try:
            async with self._database.write() as connection:
                for waiting in group:
                    try:
                        async with connection.begin_nested():
                            await _insert(connection, self._batches(waiting.rows))
                    except Exception as error:
                        if connection.invalidated:
                            raise
                        _fail([waiting], error)
                    else:
                        good.append(waiting)
        except Exception as error:  # noqa: BLE001 - handed to the callers
            _fail(group, error)
        else:
            self.commits += 1
            _succeed(good)

    def _batches(self, rows: Iterable[tuple[Table, _RowValues]]) -> list[Batch]:
        """The rows by statement, parents first."""
        by_table: dict[Table, list[_RowValues]] = {}
        for table, values in rows:
            by_table.setdefault(table, []).append(values)
        tables = sorted(by_table, key=_PARENTS_FIRST.__getitem__)
        return [(self._inserts[table].statement, by_table[table]) for table in tables]


async def _insert(connection: AsyncConnection, batches: Iterable[Batch]) -> None:
    for statement, rows in batches:
        await connection.exec_driver_sql(statement, list(rows))


def _succeed(group: list[_Waiting]) -> None:
    for waiting in group:
        if not waiting.done.done():
            waiting.done.set_result(True)


def _fail(group: list[_Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.done.done():
            waiting.done.set_exception(error)
