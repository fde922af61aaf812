"""The one way by which the rest of the program asks a language model.

Adapters (``deepseek_r1.py`` and its neighbours) implement ``LanguageModel``; everything else of this package
knows no server, no dialect and no client library. Money is US dollars, time is seconds, lengths are tokens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

Role = Literal["system", "user", "assistant"]
Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; an assistant's turn holds the answer only, never its reasoning."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What one question may use.

    Attributes:
        deadline: All attempts and repairs together, s.
        max_tokens: Longest reply, reasoning included; ``None`` takes the configured one.
        samples: Independent answers asked for; more than one where a decision is worth it.
        use_cache: Whether a stored answer to the same question may serve.
    """

    deadline: float
    max_tokens: int | None = None
    samples: int = 1
    use_cache: bool = True


@dataclass(frozen=True, slots=True)
class Usage:
    """What a question used; ``cost`` is ``None`` where no price is known."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to a server, for the trail.

    Attributes:
        model: Name that the server was asked for.
        outcome: ``ok``, or the code of the error.
        detail: What was wrong, in words; no secret, no reply text beyond an excerpt.
        seconds: How long it took.
        usage: What it used, as far as the server told.
    """

    model: str
    outcome: str
    detail: str
    seconds: float
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Reply(Generic[Schema]):
    """An answer, with all that led to it.

    Attributes:
        text: The answer, free of reasoning.
        value: The validated object, where a schema was asked for.
        reasoning: The model's reasoning, never shown as the answer.
        model: Name of the model that answered.
        usage: All attempts together.
        attempts: Each request, in order.
        flags: What was unusual: ``salvaged_from_reasoning``, ``leaked_tool_tokens``, ``language`` ….
        from_cache: Whether no server was asked.
    """

    text: str
    value: Schema | None
    reasoning: str
    model: str
    usage: Usage
    attempts: tuple[Attempt, ...]
    flags: tuple[str, ...] = ()
    from_cache: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed answer; the last is ``end`` and carries the whole reply."""

    kind: Literal["reasoning", "answer", "end"]
    text: str = ""
    reply: Reply[BaseModel] | None = None


class LanguageModel(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str:
        """Name of the first model that is asked."""
        ...

    async def complete(
        self, messages: Sequence[Message], schema: type[Schema] | None, budget: Budget
    ) -> Reply[Schema]:
        """Answer, or raise a ``ModelError`` within the budget's deadline."""
        ...

    def stream(self, messages: Sequence[Message], budget: Budget) -> AsyncIterator[Piece]:
        """The answer as it comes; raises a ``ModelError`` where it does not come whole."""
        ...
