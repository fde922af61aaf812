"""Puts what was found into words by a model, and lets nothing through that the evidence does not hold.

The model is given the plain answer and the evidence under it, and writes one answer. Its reasoning is
passed on apart, as it comes, for those who ask for it. The answer itself is given out only after it was
verified: what cannot be verified is asked for once more with what was wrong, then left out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.errors import ModelError
from orchestrator.llm.answers.draft import Evidence
from orchestrator.llm.fence import fenced
from orchestrator.llm.port import Budget, LanguageModel, Message, Usage
from orchestrator.llm.prompts.library import load_prompt
from orchestrator.llm.usable import in_words, shown, unusable, unusual

MOST_FACTS = 80
NO_USAGE = Usage()
LEAST_TIME = 2.0
"""Seconds under which no model is asked: its answer would not be there in time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier makes of an answer.

    Attributes:
        text: The answer without what is not supported; empty where nothing of it is.
        faults: What was not supported, in words.
    """

    text: str
    faults: tuple[str, ...] = ()


class Verifier(Protocol):
    """Looks whether what an answer says stands in the evidence."""

    def __call__(self, answer: str) -> Verdict:
        """The answer with what is unsupported taken out, and what that was."""
        ...


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Worded:
    """The end of a wording.

    Attributes:
        text: The verified answer; empty where there is none that can be used.
        model: Who wrote it.
        note: What a reader must know: the model failed, or part of its answer was left out.
        usage: Tokens and cost of all attempts.
        prompt: Name and version of the prompt.
    """

    text: str
    model: str
    note: str = ""
    usage: Usage = NO_USAGE
    prompt: str = ""


class Wording:
    """One model, whose answers have to pass a verifier."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    async def put(
        self,
        question: str,
        plain: str,
        evidence: Sequence[Evidence],
        before: Sequence[Message],
        verify: Verifier,
        deadline: float,
    ) -> AsyncIterator[Thought | Worded]:
        """Reasoning as it comes, then the end; it never raises for a model that fails.

        Args:
            question: What was asked; data.
            plain: The plain answer.
            evidence: What it rests on.
            before: The conversation before.
            verify: What the answer has to pass.
            deadline: Longest time for all of it, s.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        prompt = load_prompt("answer")
        stamp = f"{prompt.stamp.name} {prompt.stamp.version}"
        asked = prompt.render(
            plain=fenced(plain, "plain answer", longest=8000),
            evidence=fenced(facts_text(evidence), "evidence", longest=20000),
            question=fenced(question, "question"),
        )
        messages = [*before, Message("user", asked)]
        usage = NO_USAGE
        faults: tuple[str, ...] = ()
        for attempt in range(2):
            left = end - loop.time()
            if left < LEAST_TIME:
                break
            reply = None
            try:
                async for piece in self._model.stream(messages, Budget(deadline=left)):
                    if piece.kind == "reasoning":
                        yield Thought(shown(piece.text))
                    elif piece.kind == "end":
                        reply = piece.reply
            except ModelError as error:
                yield Worded("", self._model.name, _failed(error), usage, stamp)
                return
            if reply is None:
                break
            usage = _sum(usage, reply.usage)
            text = shown(reply.text)
            useless = unusable(text, [question, plain])
            if useless:
                faults, again = (in_words(useless),), "\n".join(useless)
                note = f"the language model was not used: {faults[0]}"
                verdict = Verdict("", faults)
            else:
                verdict = await asyncio.to_thread(verify, text)
                if not verdict.faults:
                    yield Worded(verdict.text, reply.model, unusual(reply.flags), usage, stamp)
                    return
                faults, again = verdict.faults, _again(verdict.faults)
                note = "; ".join(filter(None, (_left_out(faults, verdict), unusual(reply.flags))))
            messages = [*messages, Message("assistant", text), Message("user", again)]
            if attempt:
                yield Worded(verdict.text, reply.model, note, usage, stamp)
                return
        why = (
            f"its answer could not be verified ({'; '.join(faults[:3])})"
            if faults
            else "it had no time left"
        )
        yield Worded("", self._model.name, f"the language model was not used: {why}", usage, stamp)


def facts_text(evidence: Sequence[Evidence]) -> str:
    """Evidence as one JSON object a line; numbers keep their units."""
    lines = []
    for item in evidence[:MOST_FACTS]:
        fact = item.model_dump(exclude_defaults=True, exclude={"ref"})
        if isinstance(item.value, float):
            fact["value"] = float(f"{item.value:.6g}")
        lines.append(json.dumps(fact, ensure_ascii=False))
    if len(evidence) > MOST_FACTS:
        lines.append(f"({len(evidence) - MOST_FACTS} further facts are left out)")
    return "\n".join(lines) or "(none)"


def _again(faults: Sequence[str]) -> str:
    listed = "\n".join(f"- {fault}" for fault in faults[:10])
    return (
        "Parts of that answer do not stand in the plain answer or the evidence:\n"
        f"{listed}\n"
        "Write the whole answer once more without them. Only the answer, nothing about this correction."
    )


def _failed(error: ModelError) -> str:
    return f"the language model gave no usable answer ({error.what}); this is the plain answer"


def _left_out(faults: Sequence[str], verdict: Verdict) -> str:
    told = "; ".join(faults[:3])
    if verdict.text:
        return f"left out of the model's answer, as the evidence does not hold it: {told}"
    return f"the language model was not used: nothing of its answer could be verified ({told})"


def _sum(one: Usage, other: Usage) -> Usage:
    known = [u.cost for u in (one, other) if u.cost is not None]
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cost=sum(known) if known else None,
    )
