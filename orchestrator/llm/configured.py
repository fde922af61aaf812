"""The language model that a configuration asks for, with everything around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from orchestrator.clock import Clock
from orchestrator.config import Settings
from orchestrator.llm.deepseek_r1 import DeepSeekR1
from orchestrator.llm.exchange import Endpoint
from orchestrator.llm.fallback import FallbackChain
from orchestrator.llm.port import Attempt, Budget, LanguageModel, Message, Piece, Reply, Schema
from orchestrator.llm.reply_cache import CachedModel, digest_of_models
from orchestrator.llm.samples import SampledModel
from orchestrator.llm.spending import Spending, UseStore
from orchestrator.state.cache import Cache, MemoryCache


class ConfiguredModel:
    """Implements `LanguageModel`: a cache, before samples, before a chain of models.

    Open it with :func:`model_of`.
    """

    def __init__(
        self, outer: LanguageModel, models: Sequence[DeepSeekR1], spending: Spending
    ) -> None:
        self._outer = outer
        self._models = models
        self._spending = spending

    @property
    def name(self) -> str:
        """Name of the first model that is asked."""
        return self._outer.name

    async def complete(
        self, messages: Sequence[Message], schema: type[Schema] | None, budget: Budget
    ) -> Reply[Schema]:
        """See `LanguageModel.complete`."""
        return await self._outer.complete(messages, schema, budget)

    def stream(self, messages: Sequence[Message], budget: Budget) -> AsyncIterator[Piece]:
        """See `LanguageModel.stream`."""
        return self._outer.stream(messages, budget)

    async def report(self) -> dict[str, Any]:
        """What is known, for a status page: each model's server and breaker, and the use of today."""
        return {
            "models": [model.endpoint.report() for model in self._models],
            "today": await self._spending.today(),
        }

    async def close(self) -> None:
        """Close all connections, and save what was used."""
        for model in self._models:
            await model.close()
        await self._spending.close()


def model_of(
    settings: Settings,
    *,
    cache: Cache | None = None,
    use: UseStore | None = None,
    clock: Clock | None = None,
    observe: Callable[[Attempt], None] = lambda _: None,
) -> ConfiguredModel | None:
    """The model that is configured, or ``None`` where there is none; close it when done.

    Args:
        settings: The configuration.
        cache: Where answers are kept; memory of its own by default.
        use: Where use is kept (the store's ``model_use``); memory by default, which a restart forgets.
        clock: Wall time, for days and prices.
        observe: Told of each request, for metrics.
    """
    llm = settings.llm
    if not llm.usable:
        return None
    spending = Spending(llm, use, clock)
    models = [
        DeepSeekR1(
            Endpoint(each, llm),
            llm,
            spending,
            repairs=settings.decision_engine.max_retries,
            observe=observe,
        )
        for each in llm.chain
    ]
    chain = models[0] if len(models) == 1 else FallbackChain(models)
    outer = CachedModel(
        SampledModel(chain), cache or MemoryCache(), llm.cache_ttl, digest_of_models(llm)
    )
    return ConfiguredModel(outer, models, spending)
