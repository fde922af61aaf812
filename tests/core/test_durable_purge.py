"""Finished workflows do not stay for ever; outcomes do, and what runs is not touched."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from coordinating import opened, settings_for
from sqlalchemy import create_engine, text

from orchestrator.core import durable

BRIEF = {"workflow_days": 1e-6}


def workflows(home: Path) -> dict[str, str]:
    """Status of each workflow in the embedded database."""
    with contextlib.closing(sqlite3.connect(home / "workflows.sqlite")) as file:
        return dict(file.execute("SELECT workflow_uuid, status FROM workflow_status"))


def steps(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(home / "workflows.sqlite")) as file:
        return file.execute("SELECT count(*) FROM operation_outputs").fetchone()[0]


async def becomes(what, wanted, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while (found := what()) != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


async def test_a_start_removes_finished_workflows_that_are_old_and_keeps_their_outcomes(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, settings_for()) as service:
        done = [await service.coordinator.invoke("counting", "count", {}) for _ in range(3)]
        for job in done:
            assert (await service.coordinator.wait(job.id, 30)).status == "succeeded"
        await becomes(lambda: set(workflows(tmp_path).values()), {"SUCCESS"})
    async with opened(tmp_path, settings_for()) as service:
        hung = await service.coordinator.invoke("counting", "hang", {})
        await becomes(lambda: workflows(tmp_path).get(hung.id), "PENDING")
        assert len(workflows(tmp_path)) == 4, "seven days are not over"
    async with opened(tmp_path, settings_for(coordination=BRIEF)) as service:
        await becomes(lambda: workflows(tmp_path), {hung.id: "PENDING"})
        assert steps(tmp_path) == 0
        for job in done:
            assert (await service.coordinator.wait(job.id, 30)).status == "succeeded"
        await service.coordinator.cancel(hung.id)
        assert (await service.coordinator.wait(hung.id, 30)).status == "cancelled"


async def test_finished_workflows_are_removed_while_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "PURGE_EVERY_S", 0.2)
    monkeypatch.setattr(durable, "PURGE_AT_ONCE", 2)
    async with opened(tmp_path, settings_for(coordination=BRIEF)) as service:
        jobs = [await service.coordinator.invoke("counting", "count", {}) for _ in range(5)]
        for job in jobs:
            assert (await service.coordinator.wait(job.id, 30)).status == "succeeded"
        await becomes(lambda: workflows(tmp_path), {})
        started = time.monotonic()
    assert time.monotonic() - started < durable.DRAIN_S + 4


async def test_age_counts_from_the_end_in_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    settings = settings_for(postgres_url)
    async with opened(tmp_path, settings) as service:
        jobs = [await service.coordinator.invoke("counting", "count", {}) for _ in range(2)]
        for job in jobs:
            await service.coordinator.wait(job.id, 30)
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    eight_days_ago = (datetime.now(UTC) - timedelta(days=8)).timestamp() * 1000
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE dbos.workflow_status SET completed_at = :at WHERE workflow_uuid = :id"),
            {"at": int(eight_days_ago), "id": jobs[0].id},
        )

    def left() -> set[str]:
        with engine.begin() as connection:
            found = connection.execute(text("SELECT workflow_uuid FROM dbos.workflow_status"))
            return {row[0] for row in found}

    async with opened(tmp_path, settings) as service:
        await becomes(left, {jobs[1].id})
        assert (await service.coordinator.wait(jobs[0].id, 30)).status == "succeeded"
    engine.dispose()
