"""Parts the reasoning of R1 from its answer, in a whole reply and while it streams.

R1 writes ``<think>`` … ``</think>`` and then the answer. Servers differ in what of that arrives: the opening
tag is missing where the chat template put it into the prompt, both are missing where a parser moved the reasoning
into a field of its own, and the closing one is missing where the reply was cut. The answer begins after
the *last* ``</think>``, for a model that takes up its reasoning again has not answered before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.llm.failures import Failure

OPEN, CLOSE = "<think>", "</think>"
_TOOL_STARTS = ("<|tool", "<｜tool")
Kind = Literal["reasoning", "answer"]


@dataclass(frozen=True, slots=True)
class Parted:
    """Reasoning and answer; ``unclosed`` where the reasoning never ended."""

    reasoning: str
    answer: str
    unclosed: bool = False


def part(content: str) -> Parted:
    """Reasoning and answer of a whole reply."""
    before, closed, after = content.rpartition(CLOSE)
    if closed:
        return Parted(_without_tags(before), after.strip())
    text = content.lstrip()
    if text.startswith(OPEN):
        return Parted(text.removeprefix(OPEN).strip(), "", unclosed=True)
    return Parted("", content.strip())


def _without_tags(reasoning: str) -> str:
    return reasoning.replace(OPEN, "").replace(CLOSE, "").strip()


class ReasoningSplitter:
    """Parts a reply while it streams.

    What might be the begin of a tag is held back until the next piece shows what it is. Nothing can be
    taken back that was given out as answer: where a ``</think>`` comes later still, ``late`` is true, and
    what :func:`part` says of the whole is right.

    Args:
        starts_in_reasoning: Whether content without an opening tag is taken for reasoning until the closing
            one. Where none comes, :meth:`end` gives all of it as the answer.
    """

    def __init__(self, starts_in_reasoning: bool) -> None:
        self._implicit = starts_in_reasoning
        self._state: Literal["begin", "explicit", "implicit", "answer"] = "begin"
        self._held = ""
        self._unproven: list[str] = []
        self._answered = False
        self.late = False

    def reasoning_elsewhere(self) -> None:
        """The reasoning came in a field of its own: what follows as content is the answer."""
        self._implicit = False

    def feed(self, text: str) -> list[tuple[Kind, str]]:
        """Take the next piece of content; what is now known, in order.

        Raises:
            Failure: ``leaked-tool-tokens``: the answer begins to call a tool.
        """
        self._held += text
        out: list[tuple[Kind, str]] = []
        while self._step(out):
            pass
        return out

    def end(self) -> list[tuple[Kind, str]]:
        """The content has come to its end; what was held back. Raises as :meth:`feed` does."""
        out: list[tuple[Kind, str]] = []
        if self._state == "begin":
            self._state = "answer"
        if self._state == "implicit":
            whole = "".join(self._unproven) + self._held
            self._state = "answer"
            self._held = ""
            self._give(out, whole)
        elif self._held:
            self._give(out, self._held)
            self._held = ""
        return out

    def _step(self, out: list[tuple[Kind, str]]) -> bool:
        """One step over what is held; whether another may follow."""
        if self._state == "begin":
            return self._begin()
        before, closed, after = self._held.partition(CLOSE)
        if closed:
            self.late |= self._state == "answer" and self._answered
            self._give(out, before)
            self._held, self._state = after, "answer"
            return bool(after)
        keep = _held_back(self._held, self._state == "answer")
        self._give(out, self._held[: len(self._held) - keep])
        self._held = self._held[len(self._held) - keep :]
        return False

    def _begin(self) -> bool:
        text = self._held.lstrip()
        if text.startswith(OPEN):
            self._state, self._held = "explicit", text.removeprefix(OPEN)
        elif OPEN.startswith(text):
            return False
        else:
            self._state = "implicit" if self._implicit else "answer"
        return True

    def _give(self, out: list[tuple[Kind, str]], text: str) -> None:
        if self._state == "answer":
            if any(start in text for start in _TOOL_STARTS):
                raise Failure(
                    "leaked-tool-tokens", f"the answer calls a tool as text: {text[:40]!r}"
                )
            if not self._answered:
                text = text.lstrip()
            self._answered |= bool(text)
        elif self._state == "implicit":
            self._unproven.append(text)
        if text:
            out.append(("answer" if self._state == "answer" else "reasoning", text))


def _held_back(text: str, answer: bool) -> int:
    """Length of the end of ``text`` that may be the begin of a tag."""
    marks = (CLOSE, *_TOOL_STARTS) if answer else (CLOSE,)
    for length in range(min(len(text), len(CLOSE) - 1), 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks):
            return length
    return 0
