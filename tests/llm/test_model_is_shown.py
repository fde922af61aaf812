"""What status, metrics and ``dan-g doctor`` say about models: all that is known, and no key."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from asking import GOOD, KEY, QUESTION, Choice, settings_for
from model_server import Fail, ModelServer, Say
from rich.console import Console

from orchestrator.api.metrics import Metrics
from orchestrator.commands.views import show_status
from orchestrator.config import Settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.errors import ModelError
from orchestrator.llm.port import Budget
from orchestrator.llm.probe import probe
from orchestrator.llm.wiring import attach_model


async def test_status_and_metrics_tell_what_models_did(tmp_path: Path) -> None:
    async with ModelServer([Say(GOOD), Fail(503, "busy")]) as server:
        price = {"input": 1.0, "output": 2.0}
        settings = settings_for(server, attempts=1, breaker_failures=1, price=price).with_changes(
            state={"home": tmp_path}
        )
        metrics = Metrics()
        for restart in (False, True):
            async with await Orchestrator.open(settings) as orchestrator:
                orchestrator.events.listen(metrics.event)
                model = attach_model(orchestrator)
                assert model is not None
                if restart:
                    with pytest.raises(ModelError):
                        await model.complete(QUESTION, Choice, Budget(5))
                else:
                    await model.complete(QUESTION, Choice, Budget(5))
                status = await orchestrator.status()
    told = status["model"]
    assert told["usable"] is True
    assert told["models"][0]["breaker"] == "open"
    assert "busy" in told["models"][0]["why"]
    # the first process's request is still known
    assert told["today"]["models"]["deepseek-r1"]["requests"] == 2
    assert told["today"]["usd"] > 0
    text = metrics.text().decode()
    assert 'dan_g_model_requests_total{model="deepseek-r1",outcome="ok"} 1.0' in text
    assert 'dan_g_model_requests_total{model="deepseek-r1",outcome="overloaded"} 1.0' in text
    assert 'dan_g_model_tokens_total{direction="input",model="deepseek-r1"}' in text
    out = Console(record=True, width=200)
    show_status(out, {**status, "service": {"url": None}})
    shown = out.export_text()
    assert "breaker open" in shown
    assert KEY not in json.dumps(status, default=str) + text + shown


async def test_no_key_reaches_the_database_or_any_other_file(tmp_path: Path) -> None:
    async with ModelServer([Say(GOOD)], api_key="another") as server:
        settings = settings_for(server).with_changes(state={"home": tmp_path})
        async with await Orchestrator.open(settings) as orchestrator:
            model = attach_model(orchestrator)
            assert model is not None
            with pytest.raises(ModelError):
                await model.complete(QUESTION, Choice, Budget(5))
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if KEY.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("server", "change", "ok", "said"),
    [
        ({}, {}, True, "answers"),
        ({"models": ["deepseek-r1"]}, {}, True, "answers"),
        ({"models": ["qwen"]}, {}, False, "there are qwen"),
        ({"api_key": "another"}, {}, False, "HTTP 401"),
        ({}, {"base_url": "http://127.0.0.1:1/v1"}, False, "no connection"),
    ],
)
async def test_a_probe_tells_what_is_wrong(
    server: dict[str, Any], change: dict[str, Any], ok: bool, said: str
) -> None:
    async with ModelServer([Say(GOOD)], **server) as running:
        settings = settings_for(running).with_changes(llm=change)
        found = await probe(settings.llm, 5)
    assert found.ok is ok
    assert said in found.details
    assert KEY not in found.details
    assert (found.remedy is None) is ok


async def test_a_probe_hints_at_the_other_spelling_of_the_address() -> None:
    async with ModelServer([Say(GOOD)]) as running:
        wrong = running.base_url.removesuffix("/v1")
        found = await probe(settings_for(running).with_changes(llm={"base_url": wrong}).llm, 5)
    assert found.remedy is not None
    assert "with /v1" in found.remedy


async def test_doctor_asks_each_server_for_its_models(tmp_path: Path) -> None:
    async with ModelServer([Say(GOOD)], models=["deepseek-r1"]) as server:
        spare = {"model": "spare", "api_key": KEY, "base_url": server.base_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orchestrator.cli", "doctor", "--json",
            stdout=asyncio.subprocess.PIPE,
            env={
                **{name: value for name, value in os.environ.items() if "DAN_G" not in name},
                "DAN_G_HOME": str(tmp_path),
                "DAN_G_LLM__API_KEY": KEY,
                "DAN_G_LLM__BASE_URL": server.base_url,
                "DAN_G_LLM__FALLBACKS": json.dumps([spare]),
            },
        )  # fmt: skip
        out, _ = await process.communicate()
        assert server.requests == []
    findings = {finding["subject"]: finding for finding in json.loads(out)["findings"]}
    assert findings["model"]["state"] == "ok"
    assert findings["model, fallback 1"]["state"] == "missing"
    assert "deepseek-r1" in findings["model, fallback 1"]["details"]
    assert KEY not in out.decode()
    assert process.returncode == 0


def test_settings_show_no_key() -> None:
    settings = Settings(llm={"api_key": KEY, "fallbacks": [{"model": "spare", "api_key": KEY}]})
    assert KEY not in repr(settings) + settings.model_dump_json()
