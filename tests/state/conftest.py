"""The state on both databases: each test that takes `database` or `store` runs on either."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from orchestrator.state.database import Database
from orchestrator.state.records import DecisionRecord, JobRecord, OutcomeRecord
from orchestrator.state.repositories import Store

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh database without tables."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'state.sqlite'}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    folder = tmp_path_factory.mktemp("template")
    asyncio.run(migrate(None, folder))
    return folder / "state.sqlite"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any) -> str:
    """Name of a migrated database to copy, in the server of this session."""
    import psycopg

    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE state_template")
    asyncio.run(migrate(postgres_server.get_uri("state_template"), Path(tempfile.gettempdir())))
    return "state_template"


async def migrate(url: str | None, home: Path) -> None:
    database = await Database.open(url, home)
    await database.migrate()
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    if request.param == "sqlite":
        path = tmp_path / "state.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    import psycopg

    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("postgres_template")
    name = f"state_{uuid.uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield server.get_uri(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    opened = Store(database)
    yield opened
    await opened.close()


class Rival:
    """Another process on the same database: ``rival.py TASK URL …``, ready when this is made."""

    def __init__(self, task: str, url: str, *arguments: str) -> None:
        script = Path(__file__).with_name("rival.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), task, url, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def finish(self) -> list[str]:
        """What else it prints until it has ended well."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return output.splitlines()

    def kill(self) -> list[str]:
        """End it as a crash would; returns the whole lines that it still had printed."""
        self.process.kill()
        output, _ = self.process.communicate(timeout=60)
        return [line.strip() for line in output.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def start_rival() -> Iterator[Callable[..., Rival]]:
    """Starts `Rival` processes, which end with the test at the latest."""
    started: list[Rival] = []

    def start(task: str, url: str, *arguments: str) -> Rival:
        started.append(Rival(task, url, *arguments))
        return started[-1]

    yield start
    for rival in started:
        if rival.process.returncode is None:
            rival.kill()


class Maker:
    """Records with sensible content, each with an id of its own."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def decision(
        self,
        *,
        minutes: float = 0.0,
        actions: tuple[str, ...] = ("forecasting.forecast",),
        triggers: tuple[str, ...] = ("margin_drop",),
        **changes: Any,
    ) -> DecisionRecord:
        document = {
            "actions": [
                {"module": name.split(".")[0], "operation": name.split(".")[1]} for name in actions
            ],
            "triggers": [{"name": name, "family": "performance"} for name in triggers],
        }
        record = DecisionRecord(
            id=f"decision-{next(self._numbers):05}",
            created_at=T0 + timedelta(minutes=minutes),
            decided_by="policy",
            confidence=0.9,
            policy_version="rules-1",
            situation_digest="0" * 64,
            dry_run=False,
            document=document,
            situation={"plant_mode": "steady"},
            features={"margin_change_pct": -3.2},
        )
        return replace(record, **changes)

    def job(self, decision: DecisionRecord | None = None, **changes: Any) -> JobRecord:
        record = JobRecord(
            id=f"job-{next(self._numbers):05}",
            decision_id=decision.id if decision else None,
            module="forecasting",
            operation="forecast",
            priority=5,
            deferred=False,
            depends_on=("etl.validate",),
            request={"parameters": {"horizon": 24}},
            accepted_at=T0,
        )
        return replace(record, **changes)

    def outcome(self, job: JobRecord, **changes: Any) -> OutcomeRecord:
        record = OutcomeRecord(
            job_id=job.id,
            decision_id=job.decision_id,
            module=job.module,
            operation=job.operation,
            status="succeeded",
            seconds=1.5,
            attempts=1,
            ended_at=T0 + timedelta(minutes=5),
            result={"rows": 24},
        )
        return replace(record, **changes)


@pytest.fixture
def make() -> Maker:
    return Maker()
