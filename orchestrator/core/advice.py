"""What the engine's adviser is asked, and what it answers; the language model is known by this alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from orchestrator.core.decision import AdviceRecord, PromptStamp, Record
from orchestrator.core.situation import Situation

__all__ = ["Advice", "AdviceRecord", "Advisor", "PromptStamp", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """What the adviser is asked about.

    Attributes:
        situation: What is known.
        selected: Operations that the policy selected.
        held: Operations that a gate holds, with the reason: they are no choice.
        confidence: How sure the policy is, 0 to 1.
        rationale: Why the policy selected them.
        text: The words of a request, where there are some; they are data.
        wanted: Operations that those words ask for.
    """

    situation: Situation
    selected: tuple[str, ...]
    held: tuple[tuple[str, str], ...]
    confidence: float
    rationale: str
    text: str | None = None
    wanted: tuple[str, ...] = ()


class Advice(Record):
    """A selection that somebody proposes instead of the policy's.

    ``reasons`` is operation -> why. ``confidence`` is the adviser's own word, 0 to 1, not yet calibrated.
    ``transcript`` holds the turns of several agents, where there were several.
    """

    operations: tuple[str, ...]
    reasons: dict[str, str] = Field(default_factory=dict)
    reasoning: str = ""
    evidence: tuple[str, ...] = ()
    confidence: float = Field(ge=0, le=1)
    model: str
    prompt: PromptStamp
    seconds: float = 0.0
    tokens: int = 0
    cost_usd: float | None = None
    flags: tuple[str, ...] = ()
    transcript: tuple[dict[str, Any], ...] = ()


class Advisor(Protocol):
    """Somebody who can be asked for a selection."""

    @property
    def name(self) -> str:
        """Who is asked: the name of a model."""
        ...

    @property
    def deadline(self) -> float:
        """Longest time that an answer takes, s."""
        ...

    async def advise(self, question: Question) -> Advice:
        """Answer, or raise a ``ModelError`` within the deadline."""
        ...
