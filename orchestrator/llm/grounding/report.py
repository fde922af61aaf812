"""What the check of an answer found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["unsupported", "sign", "contradiction", "misquoted", "instruction"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a place of an answer."""

    kind: Kind
    text: str
    sentence: int
    why: str


@dataclass(frozen=True, slots=True)
class Traced:
    """A number of an answer and the evidence it rests on."""

    text: str
    sentence: int
    how: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What the check found.

    Attributes:
        sentences: The answer's sentences, as ``(start, end)``.
        problems: Everything that is wrong.
        traced: Every number that is right, with its sources.
    """

    answer: str
    sentences: tuple[tuple[int, int], ...]
    problems: tuple[Problem, ...]
    traced: tuple[Traced, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "sound": self.sound,
            "problems": [{"kind": p.kind, "text": p.text, "why": p.why} for p in self.problems],
            "traced": [
                {"text": t.text, "how": t.how, "sources": list(t.sources)} for t in self.traced
            ],
        }
