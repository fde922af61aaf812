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
Pieces = list[tuple[Kind, str]]
"""What came together, in order."""


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

    async def exchange(self, body: dict[str, Any], received: Received) -> AsyncGenerator[Pieces]:
        """Send a request and fill ``received``; what is known of reasoning and answer, as it comes.

        A server that was asked for pieces and sends the whole is taken as it is.

        Raises:
            Failure: there is no whole reply.
        """
        async with self.transport.post(body) as response:
            received.begun = True
            if is_stream(response):
                async with (
                    aclosing(self.transport.events(response)) as events,
                    aclosing(self._streamed(events, received)) as pieces,
                ):
                    async for some in pieces:
                        yield some
                return
            document = document_of(await self.transport.whole(response), "the reply")
            fields = self.capabilities.reasoning_fields
            reasoning, content = read_message(received, document, "message", fields)
            for text in (reasoning, content):
                RepetitionWatch().check(text)
            finished(received, done=False)
        splitter = ReasoningSplitter(self.capabilities.starts_in_reasoning)
        some = []
        if reasoning:
            splitter.reasoning_elsewhere()
            some.append(("reasoning", reasoning))
        yield [*some, *splitter.feed(content), *splitter.end()]

    async def _streamed(
        self, events: AsyncGenerator[list[bytes]], received: Received
    ) -> AsyncGenerator[Pieces]:
        splitter = ReasoningSplitter(self.capabilities.starts_in_reasoning)
        fields = self.capabilities.reasoning_fields
        watch = RepetitionWatch()
        done = thought = False
        async for together in events:
            some: Pieces = []
            for data in together:
                if data == _DONE:
                    done = True
                    break
                document = document_of(data, "an event")
                reasoning, content = read_message(received, document, "delta", fields)
                if reasoning:
                    watch.see(reasoning)
                    if not thought:
                        # R1 thinks before it answers: content before that is the question, sent back
                        # (as ``transformers serve`` does), or a preface.
                        thought, splitter = True, ReasoningSplitter(starts_in_reasoning=False)
                        received.echoed = received.drop_content()
                    some.append(("reasoning", reasoning))
                if content:
                    watch.see(content)
                    some += splitter.feed(content)
            if some:
                yield some
            if done:
                await _drain(events)
                break
        finished(received, done)
        received.taken_up_again = splitter.late
        yield splitter.end()


async def _drain(events: AsyncGenerator[list[bytes]]) -> None:
    try:
        async with asyncio.timeout(DRAIN):
            async for _ in events:
                pass
    except TimeoutError:
        pass  # the connection is closed instead
