"""Inserts on the short way: they outlive the process, never wait for a lock, and reach the disk."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestrator.state import direct_inserts
from orchestrator.state.database import Database
from orchestrator.state.direct_inserts import MOST_VARIABLES, DirectInserts
from orchestrator.state.repositories import Store
from tests.state.conftest import Maker

INSERT = "INSERT INTO kept (id, text) VALUES (?, ?)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    connection.close()
    return path


def kept(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM kept ORDER BY id")]
    finally:
        connection.close()


async def test_more_rows_than_one_statement_takes_are_one_transaction(path: Path) -> None:
    inserts = DirectInserts(path)
    count = MOST_VARIABLES // 2 + 10
    await inserts.insert([(INSERT, [(n, "x") for n in range(count)])])
    assert len(kept(path)) == count
    with pytest.raises(sqlite3.IntegrityError):
        await inserts.insert([(INSERT, [(n, "x") for n in range(count, 3 * count)] + [(1, "x")])])
    assert len(kept(path)) == count
    await inserts.close()


async def test_an_insert_at_once_outlives_the_killed_process(path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import asyncio, os, signal
        from pathlib import Path
        from orchestrator.state.direct_inserts import DirectInserts
        async def main():
            assert DirectInserts(Path({str(path)!r})).insert_at_once([({INSERT!r}, [(7, "x")])])
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
        """
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=Path.cwd(), timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert kept(path) == [7]


async def test_an_insert_at_once_gives_way_to_another_writer(path: Path) -> None:
    inserts = DirectInserts(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not inserts.insert_at_once([(INSERT, [(1, "x")])])
    other.execute("ROLLBACK")
    assert inserts.insert_at_once([(INSERT, [(1, "x")])])
    assert kept(path) == [1]
    other.close()
    await inserts.close()


async def test_what_did_not_wait_reaches_the_database_file_soon(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_inserts, "SYNC_WITHIN_S", 0.05)
    inserts = DirectInserts(path)
    assert inserts.insert_at_once([(INSERT, [(1, "found in the file itself")])])
    assert b"found in the file itself" not in path.read_bytes()
    async with asyncio.timeout(10):
        while b"found in the file itself" not in path.read_bytes():
            await asyncio.sleep(0.02)
    await inserts.close()


async def test_closing_leaves_nothing_in_the_log(path: Path) -> None:
    inserts = DirectInserts(path)
    assert inserts.insert_at_once([(INSERT, [(1, "x")])])
    await inserts.close()
    assert not path.with_name("state.sqlite-wal").exists()
    assert kept(path) == [1]


async def test_a_decision_waits_for_its_turn_while_another_process_writes(
    tmp_path: Path, make: Maker
) -> None:
    database = await Database.open(None, tmp_path)
    await database.migrate()
    store = Store(database)
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    record = make.decision()
    adding = asyncio.create_task(store.decisions.add(record))
    await asyncio.sleep(0.2)
    assert not adding.done()
    other.execute("ROLLBACK")
    other.close()
    await asyncio.wait_for(adding, 10)
    assert (await store.decisions.get(record.id)).id == record.id
    await store.close()
    await database.close()
