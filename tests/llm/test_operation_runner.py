"""What a reasoning model may have run, and what it sees where something is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from reasoning_home import filled_home

from orchestrator.core.orchestrator import Orchestrator
from orchestrator.errors import DatabaseUnavailableError, UnavailableError
from orchestrator.llm.operation_runner import GatedRunner
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.mounted.modules import mounted_modules
from orchestrator.modules.registry import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orchestrator]:
    async with filled_home(tmp_path_factory.mktemp("home")) as orchestrator:
        yield orchestrator


async def test_only_what_reads_and_computes_may_be_run(
    plant: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = McpServerSettings(name="notes", url="http://127.0.0.1:9/mcp", allow=("delete_all",))
    registry = Registry([*plant.registry, *mounted_modules([server], ())])
    monkeypatch.setattr(plant, "registry", registry)
    runner = GatedRunner(plant)
    assert "notes.delete_all" in registry.operations
    left_out = registry.operations.keys() - runner.operations.keys()
    assert left_out >= {
        "notes.delete_all",
        "optimization.setpoints",
        "analysis.update",
        "etl.ingest",
    }
    assert {"etl.validate", "forecasting.forecast", "optimization.plan"} <= runner.operations.keys()
    before = (await plant.store.jobs.list()).items
    seen = await runner.run("optimization.setpoints", {}, "k1", 5.0)
    assert seen.status == "refused"
    assert (await plant.store.jobs.list()).items == before


async def test_what_runs_is_kept_as_asked_for_by_reasoning(plant: Orchestrator) -> None:
    seen = await GatedRunner(plant).run("etl.validate", {}, "k2", 60.0)
    assert seen.status == "succeeded"
    job = await plant.store.jobs.get(seen.job_id or "")
    assert job.request["origin"] == {"way": "reasoning"}


async def test_what_is_not_there_is_seen_and_a_lost_database_ends_the_step(
    plant: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise UnavailableError("the historian is busy")

    async def lost(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("no database")

    monkeypatch.setattr(plant, "invoke", away)
    seen = await GatedRunner(plant).run("etl.validate", {}, "k3", 5.0)
    assert (seen.status, "busy" in seen.text) == ("failed", True)
    monkeypatch.setattr(plant, "invoke", lost)
    with pytest.raises(DatabaseUnavailableError):
        await GatedRunner(plant).run("etl.validate", {}, "k4", 5.0)
