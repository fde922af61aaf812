"""Answers to the very same question, kept for a while: in memory, or in Redis for all processes.

The key is a digest of the model (name, address, capabilities, temperature), the conversation, the schema and
the budget's samples and length; neither question nor key can be read from it. Only answers with nothing
doubtful about them are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from orchestrator.llm.dialects import capabilities_of
from orchestrator.llm.port import Budget, LanguageModel, Message, Piece, Reply, Schema, Usage
from orchestrator.llm_settings import LLMSettings
from orchestrator.state.cache import Cache

PREFIX = "llm:reply:"
DOUBTFUL = frozenset({"salvaged_from_reasoning", "refusal", "language", "samples_disagree"})


def digest_of_models(settings: LLMSettings) -> str:
    """What of the configuration an answer depends on, as a digest."""
    models = [
        [model.model, model.address, capabilities_of(model).model_dump(mode="json")]
        for model in settings.chain
    ]
    return _digest([models, settings.temperature, settings.max_tokens, settings.salvage])


class CachedModel:
    """Implements `LanguageModel` by a cache before another one.

    Args:
        inner: Who is asked where nothing is kept.
        cache: Where answers are kept.
        ttl: How long, s; 0 keeps none.
        models: Digest of the models.
    """

    def __init__(self, inner: LanguageModel, cache: Cache, ttl: float, models: str) -> None:
        self._inner = inner
        self._cache = cache
        self._ttl = ttl
        self._models = models

    @property
    def name(self) -> str:
        """Name of the first model that is asked."""
        return self._inner.name

    async def complete(
        self, messages: Sequence[Message], schema: type[Schema] | None, budget: Budget
    ) -> Reply[Schema]:
        """See `LanguageModel.complete`."""
        key = self._key(messages, schema, budget)
        if budget.use_cache and self._ttl > 0:
            kept = _read(await self._cache.get(key), schema)
            if kept is not None:
                return kept
        reply = await self._inner.complete(messages, schema, budget)
        await self._keep(key, reply)
        return reply

    async def stream(self, messages: Sequence[Message], budget: Budget) -> AsyncIterator[Piece]:
        """See `LanguageModel.stream`."""
        key = self._key(messages, None, budget)
        if budget.use_cache and self._ttl > 0:
            kept: Reply[BaseModel] | None = _read(await self._cache.get(key), None)
            if kept is not None:
                yield Piece("answer", kept.text)
                yield Piece("end", reply=kept)
                return
        # Every stream in this package is a generator; closed here at once when the caller goes away.
        inner = cast("AsyncGenerator[Piece]", self._inner.stream(messages, budget))
        async with aclosing(inner) as pieces:
            async for piece in pieces:
                if piece.reply is not None:
                    await self._keep(key, piece.reply)
                yield piece

    def _key(
        self, messages: Sequence[Message], schema: type[BaseModel] | None, budget: Budget
    ) -> str:
        asked = [[message.role, message.content] for message in messages]
        shape = None if schema is None else schema.model_json_schema()
        return PREFIX + _digest([self._models, asked, shape, budget.samples, budget.max_tokens])

    async def _keep(self, key: str, reply: Reply[Any]) -> None:
        if self._ttl <= 0 or DOUBTFUL.intersection(reply.flags):
            return
        kept = {
            "text": reply.text,
            "value": None if reply.value is None else reply.value.model_dump(mode="json"),
            "reasoning": reply.reasoning,
            "model": reply.model,
            "flags": list(reply.flags),
        }
        await self._cache.set(key, json.dumps(kept).encode(), self._ttl)


def _read(kept: bytes | None, schema: type[Schema] | None) -> Reply[Schema] | None:
    """The kept answer; ``None`` for one that cannot be read any more, as after an upgrade."""
    if kept is None:
        return None
    try:
        document = json.loads(kept)
        value = (
            None if schema is None else schema.model_validate_json(json.dumps(document["value"]))
        )
        return Reply(
            text=document["text"],
            value=value,
            reasoning=document["reasoning"],
            model=document["model"],
            usage=Usage(),
            attempts=(),
            flags=tuple(document["flags"]),
            from_cache=True,
        )
    except (ValueError, KeyError, TypeError, ValidationError):
        return None


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
