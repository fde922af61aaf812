"""Asks the configured model one question on a loopback server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from model_server import ModelServer, Script
from pydantic import BaseModel, Field

from orchestrator.config import Settings
from orchestrator.llm.configured import ConfiguredModel, model_of
from orchestrator.llm.port import Budget, Message, Piece, Reply

KEY = "sk-loopback-0123456789"
QUESTION = (
    Message("system", "You advise a refinery."),
    Message("user", "What should run now?"),
)


class Choice(BaseModel):
    """What a test asks for."""

    action: Literal["wait", "forecast", "plan"]
    hours: float = Field(default=1.0, gt=0)
    reason: str = ""


GOOD = '{"action": "wait", "hours": 2.5, "reason": "steady"}'
"""An answer that fits."""


def settings_for(server: ModelServer, *, max_retries: int = 3, **llm: Any) -> Settings:
    """A configuration for a server; quick retries unless told otherwise."""
    dialect = (
        server.dialect.split("-")[0] if server.dialect != "deepseek-hosted" else server.dialect
    )
    values: dict[str, Any] = {
        "model": "deepseek-flash" if server.dialect == "deepseek-hosted" else "deepseek-r1",
        "api_key": KEY,
        "base_url": server.base_url,
        "dialect": dialect,
        "retry_base": 0.01,
        "cache_ttl": 0,
        **llm,
    }
    return Settings(llm=values, decision_engine={"max_retries": max_retries})


@asynccontextmanager
async def configured(settings: Settings, **parts: Any) -> AsyncIterator[ConfiguredModel]:
    """The model of a configuration, closed at the end."""
    model = model_of(settings, **parts)
    assert model is not None
    try:
        yield model
    finally:
        await model.close()


@asynccontextmanager
async def serving(
    script: Script,
    *,
    dialect: str = "vllm",
    max_retries: int = 3,
    server: Any = None,
    parts: Any = None,
    **llm: Any,
) -> AsyncIterator[tuple[ConfiguredModel, ModelServer]]:
    """A model and the server that it is on."""
    async with (
        ModelServer(script, dialect=dialect, **(server or {})) as running,
        configured(settings_for(running, max_retries=max_retries, **llm), **(parts or {})) as model,
    ):
        yield model, running


async def ask(
    script: Script,
    schema: type[BaseModel] | None = Choice,
    *,
    messages: Sequence[Message] = QUESTION,
    deadline: float = 5.0,
    samples: int = 1,
    **where: Any,
) -> tuple[Reply[Any], ModelServer]:
    """One question; the reply, and the server with what it got."""
    async with serving(script, **where) as (model, running):
        budget = Budget(deadline, samples=samples)
        return await model.complete(messages, schema, budget), running


async def listen(
    script: Script, *, deadline: float = 5.0, into: list[Piece] | None = None, **where: Any
) -> list[Piece]:
    """All pieces of a stream; ``into`` keeps them even where it fails."""
    pieces: list[Piece] = [] if into is None else into
    async with serving(script, **where) as (model, _):
        async for piece in model.stream(QUESTION, Budget(deadline)):
            pieces.append(piece)
    return pieces


def text_of(pieces: Sequence[Piece], kind: str) -> str:
    """The text of all pieces of a kind."""
    return "".join(piece.text for piece in pieces if piece.kind == kind)
