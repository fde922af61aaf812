"""Each way in which servers of R1 are known to answer, row by row, over a real socket."""

from __future__ import annotations

from model_server import ModelServer, Say
from pydantic import BaseModel

from orchestrator.config import Settings
from orchestrator.llm.configured import model_of
from orchestrator.llm.port import Budget, Message


class Choice(BaseModel):
    action: str


async def test_row_1_reasoning_content_field() -> None:
    async with ModelServer([Say('{"action": "wait"}', reasoning="hm")], dialect="sglang") as server:
        model = model_of(Settings(llm={"api_key": "", "base_url": server.base_url}))
        assert model is not None
        reply = await model.complete([Message("user", "What now?")], Choice, Budget(5))
        await model.close()
    assert reply.value == Choice(action="wait")
    assert reply.reasoning == "hm"
