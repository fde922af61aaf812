"""Agents on one record: they propose, object and decide; safety's veto is code and final; turns are bounded."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import pytest_asyncio
from model_server import Fail, ModelServer, Play, Say, Script, Sent, Silence
from pydantic import SecretStr

from orchestrator.config import Settings
from orchestrator.config_file import load_settings
from orchestrator.core.advice import Advice, Question
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.core.situation import Situation
from orchestrator.llm.agents import ROLES, CodeSafety, Panel, PanelBudget
from orchestrator.llm.agents.safety import MoveVerdict
from orchestrator.llm.configured import model_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS: dict[str, Any] = {
    "timestamp": "2026-03-01T06:00:00Z",
    "plant_mode": "steady",
    "data_quality": {"score": 0.97},
    "kpis": {"margin_change_pct": -1.9},
    "market": {"crude_change_pct": 3.1},
    "equipment": [{"id": "E-101", "health": 0.72}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orchestrator]:
    settings = load_settings().with_changes(state={"home": tmp_path_factory.mktemp("home")})
    async with await Orchestrator.open(settings) as orchestrator:
        yield orchestrator


def question(facts: dict[str, Any] = FACTS) -> Question:
    return Question(
        situation=Situation.model_validate(facts),
        selected=("analysis.market",),
        held=(),
        confidence=0.7,
        rationale="",
    )


async def consulted(
    plant: Orchestrator,
    script: Script | None,
    facts: dict[str, Any] = FACTS,
    budget: PanelBudget | None = None,
) -> tuple[Advice, ModelServer]:
    async with ModelServer(script or []) as server:
        llm = {
            "api_key": SecretStr("key"),
            "base_url": server.base_url,
            "dialect": "vllm",
            "cache_ttl": 0.0,
        }
        settings: Settings = plant.settings.with_changes(llm=llm)
        model = model_of(settings) if script is not None else None
        panel = Panel(plant.registry.operations, CodeSafety(plant), budget, model)
        advice = await panel.advise(question(facts))
        if model is not None:
            await model.close()
    return advice, server


def role_of(sent: Sent) -> str:
    found = re.search(r"You are the ([a-z ]+)\. ", sent.messages[-1]["content"])
    assert found is not None
    return found[1]


def turn(*operations: str, objections: Iterable[str] = (), withdraw: Iterable[str] = ()) -> Say:
    return Say(
        json.dumps(
            {
                "proposals": [{"operation": name, "reason": "it helps"} for name in operations],
                "objections": [{"operation": name, "reason": "it does not"} for name in objections],
                "withdraw": list(withdraw),
                "confidence": 0.8,
            }
        )
    )


def acts(advice: Advice, act: str) -> list[tuple[str, str, str]]:
    return [(e["agent"], e["subject"], e["by"]) for e in advice.transcript if e["act"] == act]


async def test_stand_ins_propose_what_the_rules_select_and_what_nearly_calls_for_it(plant) -> None:
    advice, _ = await consulted(plant, None)
    assert set(advice.operations) == {
        "analysis.market",
        "optimization.setpoints",
        "forecasting.time_to_limit",
    }
    assert acts(advice, "propose")[0] == ("market analyst", "analysis.market", "stand-in")
    assert "margin_change_pct is -1.9" in advice.reasons["optimization.setpoints"]
    again, _ = await consulted(plant, None)
    assert again.transcript == advice.transcript


async def test_models_propose_object_withdraw_and_the_coordinator_decides(plant) -> None:
    def script(sent: Sent) -> Play:
        role, text = role_of(sent), sent.messages[-1]["content"]
        if role == "coordinator":
            return turn("analysis.market", "optimization.setpoints")
        if "Propose what should run" in text:
            return turn(
                *{
                    "market analyst": ("analysis.market", "optimization.plan"),
                    "operator": ("optimization.setpoints",),
                }.get(role, ())
            )
        if role == "forecaster":
            return turn(objections=["optimization.setpoints"])
        return turn(withdraw=["optimization.plan"] if role == "market analyst" else ())

    advice, server = await consulted(plant, script)
    assert advice.operations == ("analysis.market", "optimization.setpoints")
    assert advice.confidence == 0.8
    assert ("forecaster", "optimization.setpoints", "deepseek-r1") in acts(advice, "object")
    assert ("market analyst", "optimization.plan", "deepseek-r1") in acts(advice, "withdraw")
    assert len(server.requests) == 2 * len(ROLES) + 1
    assert advice.prompt.name == "agent"
    last = server.requests[-1].messages[-1]["content"]
    assert "forecaster: object optimization.setpoints" in last
    assert (
        "optimization.plan:" not in last.split("Your operations:")[1].split("## The situation")[0]
    )


async def test_no_model_talks_its_way_past_the_veto(plant) -> None:
    def stubborn(sent: Sent) -> Play:
        role = role_of(sent)
        wanted = {
            "operator": ("optimization.setpoints", "plant.write"),
            "coordinator": ("optimization.setpoints", "plant.write", "etl.ingest"),
        }
        return turn(*wanted.get(role, ()))

    advice, _ = await consulted(plant, stubborn, FACTS | {"plant_mode": "transient"})
    assert advice.operations == ()
    vetoes = [e for e in advice.transcript if e["act"] == "veto"]
    assert vetoes[0]["subject"] == "optimization.setpoints"
    assert vetoes[0]["by"] == "code"
    assert "transient" in vetoes[0]["reason"]
    assert not any(e["subject"] == "plant.write" for e in advice.transcript)
    assert "the coordinator named what was not proposed" in advice.flags


async def test_verdicts_on_proposed_moves_stand_first_on_the_record(plant) -> None:
    class Strict(CodeSafety):
        async def moves(self) -> list[MoveVerdict]:
            return [MoveVerdict("rec-1", "vetoed", "Vetoed: TI042 would pass 365 °C.")]

    assert await CodeSafety(plant).moves() == []
    panel = Panel(plant.registry.operations, Strict(plant))
    advice = await panel.advise(question())
    assert advice.transcript[0]["act"] == "verdict"
    assert advice.transcript[0]["subject"] == "rec-1"


@pytest.mark.parametrize("play", [Fail(401, "bad key"), Say("I cannot help with that.")])
async def test_an_agent_that_fails_is_stood_in_for(plant, play: Play) -> None:
    advice, _ = await consulted(plant, [play], budget=PanelBudget(seconds=8))
    assert "analysis.market" in advice.operations
    assert {by for _, _, by in acts(advice, "propose")} == {"stand-in"}
    assert any("Error" in flag for flag in advice.flags)


async def test_turns_tokens_and_time_are_bounded(plant) -> None:
    advice, server = await consulted(plant, [turn()], budget=PanelBudget(turns=3))
    assert len(server.requests) == 3
    assert "budget used" in advice.flags
    _, server = await consulted(plant, [turn()], budget=PanelBudget(tokens=10))
    assert len(server.requests) == len(ROLES)
    started = time.monotonic()
    advice, _ = await consulted(plant, [Silence()], budget=PanelBudget(seconds=3))
    assert time.monotonic() - started < 6
    assert "analysis.market" in advice.operations


async def test_the_transcript_is_part_of_the_decision(plant) -> None:
    plant.advice.advisor = Panel(plant.registry.operations, CodeSafety(plant))
    try:
        decision, _ = await plant.decide(situation=Situation.model_validate(FACTS), dry_run=True)
    finally:
        plant.advice.advisor = None
    stored = await plant.store.decisions.get(decision.id)
    assert decision.decided_by == "advisor"
    transcript = stored.document["advice"]["transcript"]
    assert transcript[-1]["agent"] == "coordinator"
    await asyncio.sleep(0)
