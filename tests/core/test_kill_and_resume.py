"""``kill -9`` at any instant: each accepted action ends in exactly one outcome after the restart."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import accept_and_run
import counting
import pytest
from coordinating import settings_for

from orchestrator.state.database import Database
from orchestrator.state.records import JobRecord, OutcomeRecord
from orchestrator.state.repositories import Store

SUPPORT = Path(counting.__file__).parent
REQUESTS_A_LIFE = 12
LONGEST_LIFE_S = 1.5
LONGEST_RUN_S = 0.8


def live(
    folder: Path,
    url: str | None,
    first: int,
    count: int,
    seconds: float | None,
    after: str = "opening",
) -> list[str]:
    """One life of the service, killed ``seconds`` after it first says ``after``; what it accepted."""
    process = subprocess.Popen(
        [sys.executable, accept_and_run.__file__, str(folder), url or "", str(first), str(count)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), *_inherited()])},
    )  # fmt: skip
    assert process.stdout is not None
    said: list[str] = []
    killer = threading.Timer(seconds or 90, process.kill)
    with process:
        for line in process.stdout:
            said.append(line)
            if line.split()[0] == after and killer.ident is None:
                killer.start()
        process.wait()
        killer.cancel()
    if seconds is None:
        assert process.returncode == 0
        assert "all ended\n" in said
    whole = [line for line in said if line.endswith("\n")]  # a line that was cut off says nothing
    return [job_id for line in whole if line.startswith("accepted") for job_id in line.split()[1:]]


def _inherited() -> list[str]:
    return [path for path in [os.environ.get("PYTHONPATH", "")] if path]


async def stored(folder: Path, url: str | None) -> tuple[list[JobRecord], list[OutcomeRecord]]:
    settings = settings_for(url)
    secret = settings.state.database_url
    database = await Database.open(secret.get_secret_value() if secret else None, folder)
    store = Store(database)
    try:
        jobs: list[JobRecord] = []
        page = await store.jobs.list(limit=1000)
        jobs.extend(page.items)
        assert page.next_cursor is None
        outcomes = [await store.outcomes.get(job.id) for job in jobs]
    finally:
        await store.close()
        await database.close()
    return jobs, [outcome for outcome in outcomes if outcome is not None]


def kill_and_resume(folder: Path, url: str | None, kills: int) -> None:
    moments = random.Random(kills)  # the same instants in each run, spread over a whole life
    accepted: list[str] = []
    for life in range(kills):
        # Every other life is killed while it opens and takes up what is left, or soon after; the
        # others while they accept and run.
        after, longest = (("opening", LONGEST_LIFE_S), ("accepted", LONGEST_RUN_S))[life % 2]
        seconds = longest * (life + moments.random()) / kills
        accepted += live(folder, url, life * REQUESTS_A_LIFE, REQUESTS_A_LIFE, seconds, after)
    live(folder, url, 0, 0, None)

    assert accepted, "every life was killed before it accepted anything"
    jobs, outcomes = asyncio.run(stored(folder, url))
    assert set(accepted) <= {job.id for job in jobs}, "an accepted job is lost"
    assert len(accepted) == len(set(accepted))
    assert sorted(o.job_id for o in outcomes) == sorted(job.id for job in jobs)
    assert {outcome.status for outcome in outcomes} == {"succeeded"}
    assert {job.status for job in jobs} == {"succeeded"}

    counted = {line.split()[0] for line in (folder / "ledger").read_text().splitlines()}
    assert counted == {job.id for job in jobs if job.operation == "count"}
    assert list((folder / "exchange").iterdir()) == []


def test_five_kills_on_sqlite(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, None, 5)


def test_five_kills_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    kill_and_resume(tmp_path, postgres_url, 5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_on_sqlite(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, None, 20)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    kill_and_resume(tmp_path, postgres_url, 20)
