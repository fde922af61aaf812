"""DeepSeek R1 and its like on any OpenAI-compatible server: one model, asked until its answer can be used.

Everything happens inside one total deadline: waiting for a turn, requests, waits between them, repairs. There
is one retry layer, this one. What differs between servers is in ``dialects.yaml``, what is done about each
kind of failure in :mod:`orchestrator.llm.failures`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from pydantic import BaseModel

from orchestrator.llm.acceptance import Accepted, accept
from orchestrator.llm.asking import Asking, error_of_failure, guessed_usage, total
from orchestrator.llm.exchange import Endpoint
from orchestrator.llm.failures import Failure
from orchestrator.llm.port import Attempt, Budget, Message, Piece, Reply, Schema, Usage
from orchestrator.llm.spending import Reservation, Spending
from orchestrator.llm.wire import Received, conversation
from orchestrator.llm_settings import LLMSettings


class DeepSeekR1:
    """Implements `LanguageModel` for one model on one server.

    Args:
        endpoint: Where it is.
        common: Retries, temperature, longest reply.
        spending: The day's budget.
        repairs: How often the model may mend an answer that does not fit.
        observe: Told of each request, for metrics.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        common: LLMSettings,
        spending: Spending,
        *,
        repairs: int = 3,
        observe: Callable[[Attempt], None] = lambda _: None,
    ) -> None:
        self.endpoint = endpoint
        self._spending = spending
        self._observe = observe
        self._common = common
        self._repairs = repairs

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.endpoint.settings.model

    async def close(self) -> None:
        """Close all connections."""
        await self.endpoint.transport.close()

    async def complete(
        self, messages: Sequence[Message], schema: type[Schema] | None, budget: Budget
    ) -> Reply[Schema]:
        """See `LanguageModel.complete`."""
        asking = self._asking(messages, schema, budget)
        asked = [message.content for message in messages]
        try:
            async with asyncio.timeout_at(asking.end):
                while True:
                    received = Received()
                    try:
                        stream = asking.capabilities.streamed
                        async with self._attempt(asking, received, stream) as body:
                            async with aclosing(self.endpoint.exchange(body, received)) as pieces:
                                async for _ in pieces:
                                    pass
                            accepted = accept(received, schema, asked, salvage=self._common.salvage)
                        return _reply(asking, accepted)
                    except Failure as failure:
                        await self._after(asking, failure)
        except TimeoutError:
            raise self._too_late(asking, budget) from None

    async def stream(self, messages: Sequence[Message], budget: Budget) -> AsyncGenerator[Piece]:
        """See `LanguageModel.stream`. It is asked again only while nothing was given out yet."""
        asking = self._asking(messages, None, budget)
        asked = [message.content for message in messages]
        given = False
        try:
            while True:
                try:
                    async with aclosing(self._pieces(asking, asked)) as pieces:
                        while True:
                            # The deadline guards each step by itself, for a time-out must not fire in
                            # the caller's code between two of them.
                            async with asyncio.timeout_at(asking.end):
                                piece = await anext(pieces, None)
                            if piece is None:
                                return
                            given = True
                            yield piece
                except Failure as failure:
                    if given:
                        raise error_of_failure(asking, failure) from None
                    async with asyncio.timeout_at(asking.end):
                        await self._after(asking, failure)
        except TimeoutError:
            raise self._too_late(asking, budget) from None

    async def _pieces(self, asking: Asking, asked: Sequence[str]) -> AsyncGenerator[Piece]:
        received = Received()
        async with self._attempt(asking, received, stream=True) as body:
            async with aclosing(self.endpoint.exchange(body, received)) as pieces:
                async for some in pieces:
                    for kind, text in some:
                        yield Piece(kind, text)
            accepted: Accepted[BaseModel] = accept(received, None, asked, salvage=False)
        yield Piece("end", reply=_reply(asking, accepted))

    def _asking(
        self, messages: Sequence[Message], schema: type[BaseModel] | None, budget: Budget
    ) -> Asking:
        capabilities = self.endpoint.capabilities
        return Asking(
            model=self.name,
            place=self.endpoint.transport.place,
            turns=conversation(messages, capabilities, schema),
            schema=schema,
            capabilities=capabilities,
            common=self._common,
            max_tokens=budget.max_tokens or self._common.max_tokens,
            most_repairs=self._repairs,
            end=asyncio.get_running_loop().time() + budget.deadline,
            temperature=self._common.temperature,
        )

    @asynccontextmanager
    async def _attempt(
        self, asking: Asking, received: Received, stream: bool
    ) -> AsyncIterator[dict[str, Any]]:
        """One request: its turn, its place in the trail, and what it says about the server."""
        endpoint, clock = self.endpoint, asyncio.get_running_loop().time
        begun = clock()
        outcome, detail = "cancelled", "the caller went away"
        reservation: Reservation | None = None
        entered = False
        try:
            body = asking.body(stream=stream)
            async with endpoint.turns.turn():
                most = Usage(asking.prompt_tokens(), output_tokens=asking.room(body))
                reservation = await self._spending.reserve(endpoint.settings, most)
                endpoint.breaker.enter()
                entered = True
                yield body
        except Failure as failure:
            failure.detail = endpoint.transport.scrubbed(failure.detail)
            outcome, detail = failure.kind, failure.detail
            if entered:
                endpoint.breaker.failed(failure.reaction.breaker, failure.detail)
            if failure.kind == "rate-limited":
                endpoint.turns.too_many()
            raise
        except BaseException:
            if clock() >= asking.end:
                outcome, detail = "deadline", "the deadline came first"
            silent = outcome == "deadline" and not (received.content or received.reasoning)
            if entered and silent:
                endpoint.breaker.failed("count", "it gave no answer in time")
            elif entered:
                endpoint.breaker.abandoned()
            raise
        else:
            outcome, detail = "ok", ""
            endpoint.breaker.succeeded()
            endpoint.turns.went_well()
        finally:
            # A request that the server turned away cost nothing; of every other one it may charge all.
            cost = received.begun or (entered and outcome in ("deadline", "cancelled"))
            guess = guessed_usage(asking.prompt_tokens(), received) if cost else Usage()
            usage = received.usage or guess
            if reservation is not None and entered:
                usage = self._spending.settle(reservation, usage)
            elif reservation is not None:
                self._spending.release(reservation)
            attempt = Attempt(self.name, outcome, detail, clock() - begun, usage)
            asking.trail.append(attempt)
            self._observe(attempt)

    async def _after(self, asking: Asking, failure: Failure) -> None:
        try:
            await asking.after(failure)
        except Failure:
            raise error_of_failure(asking, failure) from None

    def _too_late(self, asking: Asking, budget: Budget) -> Exception:
        return error_of_failure(
            asking, Failure("deadline", f"no usable answer within {budget.deadline:g} s")
        )


def _reply(asking: Asking, accepted: Accepted[Schema]) -> Reply[Schema]:
    leaked = any(attempt.outcome == "leaked-tool-tokens" for attempt in asking.trail)
    return Reply(
        text=accepted.text,
        value=accepted.value,
        reasoning=accepted.reasoning,
        model=asking.model,
        usage=total(asking.trail),
        attempts=tuple(asking.trail),
        flags=(*accepted.flags, "leaked_tool_tokens") if leaked else accepted.flags,
    )
