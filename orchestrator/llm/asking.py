"""One question on its way through requests, waits, repairs and longer replies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel

from orchestrator.errors import ModelError
from orchestrator.llm.dialects import Capabilities
from orchestrator.llm.failures import Failure
from orchestrator.llm.port import Attempt, Usage
from orchestrator.llm.wire import Received, request_body
from orchestrator.llm_settings import LLMSettings

HOTTEST = 0.7
"""Temperature up to which R1's authors advise to go; what repeated itself is asked for again with it."""
SHOWN_ANSWER = 8000
"""Characters of an unusable answer that the model gets back."""
CHARACTERS_A_TOKEN = 3.0
"""A cautious guess for text with tags and numbers, where the server does not count."""
LEAST_REPLY = 256
"""Tokens under which a reply is not worth asking for."""


@dataclass(slots=True)
class Asking:
    """The state of one question. ``end`` is in the event loop's time."""

    model: str
    place: str
    turns: list[dict[str, str]]
    schema: type[BaseModel] | None
    capabilities: Capabilities
    common: LLMSettings
    max_tokens: int
    most_repairs: int
    end: float
    trail: list[Attempt] = field(default_factory=list)
    correction: tuple[dict[str, str], ...] = ()
    temperature: float = 0.6
    repairs: int = 0
    lengthened: bool = False
    flags: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.end - asyncio.get_running_loop().time()

    def body(self, *, stream: bool) -> dict[str, Any]:
        """The next request.

        Raises:
            Failure: ``prompt-too-long``: it leaves no room for a reply.
        """
        turns = [*self.turns, *self.correction]
        return request_body(
            self.model,
            turns,
            self.capabilities,
            self.schema,
            max_tokens=self._room(turns),
            temperature=self.temperature,
            stream=stream,
        )

    def prompt_tokens(self) -> int:
        """Tokens of the next prompt, guessed."""
        return tokens_of("".join(turn["content"] for turn in (*self.turns, *self.correction)))

    def room(self, body: Mapping[str, Any]) -> int:
        """Tokens of the longest reply that a request asks for."""
        return int(body[self.capabilities.max_tokens_field])

    def _room(self, turns: Sequence[dict[str, str]]) -> int:
        context = self.capabilities.context_tokens
        if context is None:
            return self.max_tokens
        room = context - tokens_of("".join(turn["content"] for turn in turns))
        if room < LEAST_REPLY:
            raise Failure(
                "prompt-too-long",
                f"the question has about {context - room} tokens; question and answer may have {context}",
                remedy=self.capabilities.context_remedy,
            )
        return min(self.max_tokens, room)

    async def after(self, failure: Failure) -> None:
        """Prepare the next request, waiting where that is due.

        Raises:
            Failure: nothing more is tried.
        """
        again = failure.reaction.again
        if again == "longer":
            if self.lengthened:
                raise failure
            self.lengthened, self.max_tokens = True, 2 * self.max_tokens
        elif again == "repair":
            if self.repairs >= self.most_repairs:
                raise failure
            self.repairs += 1
            self.correction = _correction(failure, self.schema is not None)
        elif again == "no" or len(self.trail) >= self.common.attempts + self.repairs:
            raise failure
        elif again == "wait":
            await self._wait(failure)
        elif failure.kind == "repetition":
            self.temperature = max(self.temperature, HOTTEST)

    async def _wait(self, failure: Failure) -> None:
        tried = sum(attempt.outcome != "ok" for attempt in self.trail)
        most = min(self.common.retry_cap, self.common.retry_base * 2.0 ** (tried - 1))
        # Full jitter, so that callers that failed together do not come back together.
        seconds = random.uniform(most / 2, most)  # noqa: S311
        if failure.retry_after is not None:
            seconds = failure.retry_after + random.uniform(0, self.common.retry_base)  # noqa: S311
        if seconds >= self.left:
            failure.detail += f"; the next try is due in {seconds:.0f} s, after the deadline"
            raise failure
        await asyncio.sleep(seconds)


def _correction(failure: Failure, structured: bool) -> tuple[dict[str, str], ...]:
    if failure.kind == "leaked-tool-tokens":
        wrong = "There are no tools here: write no tool calls."
    else:
        wrong = f"Your answer cannot be used: {failure.detail}."
    wanted = (
        "Answer again with exactly one JSON object that fits the schema, and nothing else."
        if structured
        else "Answer again, in words."
    )
    answer = failure.answer[:SHOWN_ANSWER] or "(no answer)"
    return (
        {"role": "assistant", "content": answer},
        {"role": "user", "content": f"{wrong} {wanted}"},
    )


def tokens_of(text: str) -> int:
    """Tokens of a text, guessed: one a Chinese character, else one for three characters."""
    wide = 0 if text.isascii() else sum(character >= "\u2e80" for character in text)
    return wide + int((len(text) - wide) / CHARACTERS_A_TOKEN) + 1


def guessed_usage(prompt_tokens: int, received: Received) -> Usage:
    """What a reply used, where its server did not say."""
    reasoning = tokens_of(received.reasoning) if received.reasoning else 0
    return Usage(
        input_tokens=prompt_tokens,
        output_tokens=reasoning + (tokens_of(received.content) if received.content else 0),
        reasoning_tokens=reasoning,
    )


def total(trail: Sequence[Attempt]) -> Usage:
    """All attempts together; the cost is known where any is."""
    costs = [attempt.usage.cost for attempt in trail if attempt.usage.cost is not None]
    return Usage(
        input_tokens=sum(a.usage.input_tokens for a in trail),
        cached_tokens=sum(a.usage.cached_tokens for a in trail),
        output_tokens=sum(a.usage.output_tokens for a in trail),
        reasoning_tokens=sum(a.usage.reasoning_tokens for a in trail),
        cost=sum(costs) if costs else None,
    )


def error_of_failure(asking: Asking, failure: Failure) -> ModelError:
    """What the caller gets: the last failure, and all attempts in its context."""
    reaction = failure.reaction
    asked = len(asking.trail)
    count = "1 request" if asked == 1 else f"{asked} requests"
    return reaction.error(
        f"{asking.model} gave no usable answer after {count}: {failure.detail}",
        where=asking.place,
        why="the policy and the parser decide without it",
        remedy=failure.remedy or reaction.remedy,
        context={
            "model": asking.model,
            "failure": failure.kind,
            "attempts": [asdict(attempt) for attempt in asking.trail],
        },
    )


def attempts_of(error: ModelError) -> tuple[Attempt, ...]:
    """The attempts that an error tells of."""
    return tuple(
        Attempt(**{**item, "usage": Usage(**item["usage"])})
        for item in error.context.get("attempts", ())
    )
