"""Advice for the live loop: the loop never waits for the model, and what it adds is a decision of its own."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from model_server import ModelServer, Say
from pydantic import SecretStr

from orchestrator.config_file import load_settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.llm.wiring import attach_model
from orchestrator.plant.twin.scenario import load_scenario
from orchestrator.plant.twin.source import TwinSource

ADVICE = json.dumps(
    {
        "operations": [
            {"operation": "etl.validate", "reason": "look at the data"},
            {"operation": "optimization.setpoints", "reason": "it may pay"},
        ],
        "confidence": 0.9,
    }
)


async def test_the_loop_goes_on_while_the_model_thinks_and_takes_what_it_adds(
    tmp_path: Path,
) -> None:
    scenario = load_scenario(None).model_copy(
        update={"warm_up_hours": 12.0, "price_history_days": 0}
    )
    async with ModelServer([Say(ADVICE, pause=0.05)]) as server:
        settings = load_settings().with_changes(
            state={"home": tmp_path / "home"},
            llm={
                "api_key": SecretStr("key"),
                "base_url": server.base_url,
                "dialect": "vllm",
                "timeout": 20.0,
            },
            decision_engine={"confidence_threshold": 1.0},
        )
        source = settings.plant.source.model_copy(update={"speed": 3600.0})
        settings = settings.with_changes(plant={"source": source})
        orchestrator = await Orchestrator.open(settings, source=TwinSource(scenario, seed=1))
        async with orchestrator:
            attach_model(orchestrator)
            running = asyncio.create_task(orchestrator.run())
            asked_at = answered_at = None
            async with asyncio.timeout(60):
                while answered_at is None:
                    assert not running.done(), running
                    await asyncio.sleep(0.02)
                    if asked_at is None and server.requests:
                        asked_at = orchestrator.clock.now()
                    page = await orchestrator.store.decisions.list(limit=50)
                    advised = [r for r in page.items if (r.document["advice"] or {}).get("follows")]
                    if advised:
                        answered_at = orchestrator.clock.now()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            followed = await orchestrator.store.decisions.get(
                advised[-1].document["advice"]["follows"]
            )
    assert asked_at is not None
    assert answered_at - asked_at >= timedelta(minutes=5)
    assert followed.decided_by == "policy"
    assert followed.document["actions"]
    given = advised[-1].document["advice"]
    started = {f"{a['module']}.{a['operation']}" for a in followed.document["actions"]}
    added = {f"{a['module']}.{a['operation']}" for a in advised[-1].document["actions"]}
    assert given["outcome"] in ("taken", "agreed")
    assert given["proposed"] == ["etl.validate", "optimization.setpoints"]
    assert not added & started
    assert added <= set(given["proposed"])
    assert f"Advice on decision {followed.id}" in advised[-1].document["rationale"]
