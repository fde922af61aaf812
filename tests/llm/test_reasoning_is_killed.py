"""A process that is killed between two steps: the next one goes on there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from model_server import ModelServer, Play, Say, Sent
from reasoning_home import SITUATION, filled_home, loop_over, step

from orchestrator.errors import ConflictError
from orchestrator.llm.reasoning import answered
from orchestrator.llm.reasoning_desk import ReasoningDesk

VALIDATE = {"operation": "etl.validate", "parameters": {}}
GOOD = "TI042 stands at 352.4 °C, 12.6 °C below its high limit of 365 °C."


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_killed_process_goes_on_where_it_was_and_runs_nothing_twice(
    tmp_path: Path, steps: int
) -> None:
    def script(sent: Sent) -> Play:
        ran = "[1] etl.validate" in sent.messages[-1]["content"]
        return Say(step(answer=f"{GOOD} [1]") if ran else step(run=VALIDATE))

    here = Path(__file__).parent / "support"
    home = tmp_path / "home"
    async with ModelServer(script) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(here / "reason_and_die.py"), str(home), server.base_url, str(steps)
        )
        assert await process.wait() == -9
        async with (
            filled_home(home) as orchestrator,
            loop_over(orchestrator, server.base_url) as loop,
        ):
            stored = await orchestrator.store.reasoning.get("run-1")
            assert len(stored[1]) == steps
            with pytest.raises(ConflictError, match="run-1"):
                await answered(loop.answer("again", SITUATION, run_id="run-1"))
            desk = ReasoningDesk(orchestrator, loop)
            assert await desk.resume_unfinished() == 1
            assert await desk.resume_unfinished() == 1
            answer = await desk.wait("run-1")
            assert await desk.resume_unfinished() == 0
            assert await desk.wait("run-1") == answer
            await desk.close()
            jobs = await orchestrator.store.jobs.list()
            again = await answered(loop.resume("run-1"))
    assert answer.text == f"{GOOD} [1]"
    assert again == answer
    assert len(jobs.items) == 1
    assert len(server.requests) == 2
