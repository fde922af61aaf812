"""Our client on a real serving stack: ``transformers serve`` with a tiny model that was trained to answer as R1 does.

Needs torch, transformers and accelerate, which are no dependencies of this project:
``uv pip install torch transformers accelerate``, then ``pytest -m slow -n 0 tests/llm/test_real_server.py``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from asking import configured
from pydantic import BaseModel

from orchestrator.config import Settings
from orchestrator.errors import ModelReplyError
from orchestrator.llm.asking import attempts_of
from orchestrator.llm.port import Budget, Message
from orchestrator.llm.probe import probe
from orchestrator.llm_settings import CapabilitySettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
QUESTION = [Message("user", "What now?")]


class Choice(BaseModel):
    """What the tiny model knows."""

    action: Literal["wait"]
    hours: float


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A configuration for the server, which runs while this file's tests do."""
    for package in ("torch", "transformers", "accelerate"):
        pytest.importorskip(package, reason=f"needs {package}, which is no dependency here")
    command = Path(sys.executable).with_name("transformers")
    if not command.exists():
        pytest.skip("needs the command transformers beside python")
    folder = tmp_path_factory.mktemp("tiny")
    maker = Path(__file__).parent / "support" / "tiny_model.py"
    subprocess.run([sys.executable, str(maker), str(folder)], check=True, timeout=400)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(command), "serve", str(folder), "--port", str(port), "--device", "cpu"],
            stdout=log,
            stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield Settings(
                llm={
                    "model": str(folder),
                    "base_url": f"http://127.0.0.1:{port}/v1",
                    "api_key": "",
                    "max_tokens": 200,
                    "timeout": 120,
                }
            )
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.mark.parametrize("streamed", [True, False], ids=["in pieces", "whole"])
async def test_a_real_server_s_reply_is_parted_and_read(served: Settings, streamed: bool) -> None:
    settings = served.with_changes(llm={"capabilities": CapabilitySettings(streamed=streamed)})
    async with configured(settings) as model:
        reply: Any = await model.complete(QUESTION, None, Budget(120))
    assert Choice.model_validate_json(reply.text) == Choice(action="wait", hours=2.5)
    assert reply.reasoning == "The unit is steady."
    assert [attempt.outcome for attempt in reply.attempts] == ["ok"]
    assert reply.usage.output_tokens > 40


async def test_a_schema_is_asked_for_and_met(served: Settings) -> None:
    async with configured(served) as model:
        reply = await model.complete(QUESTION, Choice, Budget(120))
    assert reply.value == Choice(action="wait", hours=2.5)


async def test_a_stream_gives_reasoning_and_then_the_answer(served: Settings) -> None:
    async with configured(served) as model:
        pieces = [piece async for piece in model.stream(QUESTION, Budget(120))]
    kinds = [piece.kind for piece in pieces]
    assert kinds == sorted(kinds, key=["reasoning", "answer", "end"].index)
    assert len(kinds) > 20
    assert pieces[-1].reply is not None
    assert '"action": "wait"' in pieces[-1].reply.text


async def test_a_reply_that_is_cut_by_its_length_is_an_honest_error(served: Settings) -> None:
    async with configured(served) as model:
        with pytest.raises(ModelReplyError) as caught:
            await model.complete(QUESTION, Choice, Budget(120, max_tokens=8))
    assert {attempt.outcome for attempt in attempts_of(caught.value)} == {"truncated"}


async def test_the_server_is_probed(served: Settings) -> None:
    assert (await probe(served.llm, 10)).ok
    wrong = await probe(served.with_changes(llm={"model": "none"}).llm, 10)
    assert not wrong.ok
