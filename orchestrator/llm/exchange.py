"""One request to one server, and its reply as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from orchestrator.llm.answer_checks import RepetitionWatch
from orchestrator.llm.breaker import CircuitBreaker
from orchestrator.llm.dialects import capabilities_of
from orchestrator.llm.reasoning_splitter import Kind, ReasoningSplitter
from orchestrator.llm.transport import Transport, is_stream
from orchestrator.llm.turns import Turns
from orchestrator.llm.wire import Received, document_of, finished, read_message
from orchestrator.llm_settings import LLMSettings, ModelSettings

DRAIN = 0.25
"""How long the end of a stream is waited for after its last event, so that the connection serves again, s."""
_DONE = b"[DONE]"


class Endpoint:
    """A model on a server, and what is known about it, shared by all questions to it.

    Args:
        settings: The model.
        common: What holds for all models.
    """

    def __init__(self, settings: ModelSettings, common: LLMSettings) -> None:
        self.settings = settings
        self.capabilities = capabilities_of(settings)
        self.transport = Transport(settings, int(common.max_reply_mb * 1e6))
        self.breaker = CircuitBreaker(common.breaker_failures, common.breaker_seconds)
        self.turns = Turns(common.concurrency)

    def report(self) -> dict[str, Any]:
        """What is known of it, for a status page."""
        return {
            "model": self.settings.model,
            "address": self.transport.place,
            "dialect": self.settings.spoken,
            "breaker": self.breaker.state,
            "why": self.breaker.why or None,
            "at_once": self.turns.allowed,
            "waiting": self.turns.waiting,
        }

    async def exchange(
        self, body: dict[str, Any], received: Received
    ) -> AsyncGenerator[tuple[Kind, str]]:
        """Send a request and fill ``received``; what is known of reasoning and answer, as it comes.

        A server that was asked for pieces and sends the whole is taken as it is.

        Raises:
            Failure: there is no whole reply.
        """
        async with self.transport.post(body) as response:
            received.begun = True
            if is_stream(response):
                async with aclosing(
                    self._streamed(self.transport.events(response), received)
                ) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            document = document_of(await self.transport.whole(response), "the reply")
            fields = self.capabilities.reasoning_fields
            read_message(received, document, "message", fields)
            watch = RepetitionWatch()
            watch.check(received.reasoning)
            watch.check(received.content)
            finished(received, done=False)
        splitter = ReasoningSplitter(self.capabilities.starts_in_reasoning)
        if received.reasoning:
            splitter.reasoning_elsewhere()
            yield "reasoning", received.reasoning
        for piece in (*splitter.feed(received.content), *splitter.end()):
            yield piece

    async def _streamed(
        self, events: AsyncGenerator[bytes], received: Received
    ) -> AsyncGenerator[tuple[Kind, str]]:
        splitter = ReasoningSplitter(self.capabilities.starts_in_reasoning)
        watch = RepetitionWatch()
        done = False
        async for data in events:
            if data == _DONE:
                done = True
                break
            document = document_of(data, "an event")
            reasoning, content = read_message(
                received, document, "delta", self.capabilities.reasoning_fields
            )
            watch.see(reasoning or content)
            if reasoning:
                splitter.reasoning_elsewhere()
                yield "reasoning", reasoning
            if content:
                for piece in splitter.feed(content):
                    yield piece
        if done:
            await _drain(events)
        finished(received, done)
        for piece in splitter.end():
            yield piece


async def _drain(events: AsyncGenerator[bytes]) -> None:
    try:
        async with asyncio.timeout(DRAIN):
            async for _ in events:
                pass
    except TimeoutError:
        pass  # the connection is closed instead
