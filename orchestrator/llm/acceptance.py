"""Makes an answer of what a server sent, or says why it is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from orchestrator.llm.answer_checks import (
    in_other_script,
    leaked_tool_tokens,
    refuses,
    without_end_tokens,
)
from orchestrator.llm.failures import Failure
from orchestrator.llm.json_reply import last_object, read_object
from orchestrator.llm.port import Schema
from orchestrator.llm.reasoning_splitter import part
from orchestrator.llm.wire import Received


@dataclass(frozen=True, slots=True)
class Accepted(Generic[Schema]):
    """An answer that can be used."""

    text: str
    value: Schema | None
    reasoning: str
    flags: tuple[str, ...]


def accept(
    received: Received,
    schema: type[Schema] | None,
    asked: Sequence[str],
    *,
    salvage: bool,
) -> Accepted[Schema]:
    """The answer in a whole reply.

    Args:
        received: What came, checked to be whole.
        schema: What the answer must fit.
        asked: The texts of the question, for its language.
        salvage: Whether an object that stands only in the reasoning counts.

    Raises:
        Failure: it is blank, its reasoning has no end, it calls tools, or it does not fit.
    """
    parted = part(received.content)
    reasoning = "\n".join(filter(None, (received.reasoning.strip(), parted.reasoning)))
    if parted.unclosed:
        raise Failure("truncated", "the reasoning has no end, and no answer follows it")
    answer = without_end_tokens(parted.answer)
    token = leaked_tool_tokens(answer)
    if token is not None:
        raise Failure(
            "leaked-tool-tokens", f"the answer calls a tool as text: {token!r}", answer=""
        )
    if not answer:
        return _salvaged(reasoning, schema if salvage else None)
    flags = ["content_before_reasoning"] if received.echoed else []
    if received.taken_up_again:
        flags.append("reasoning_taken_up_again")
    value = None
    if schema is not None:
        found = read_object(answer, schema)
        value = found.value
        if found.several:
            flags.append("several_objects")
    elif refuses(answer):
        flags.append("refusal")
    if in_other_script(answer, asked):
        flags.append("language")
    return Accepted(answer, value, reasoning, tuple(flags))


def _salvaged(reasoning: str, schema: type[Schema] | None) -> Accepted[Schema]:
    found = last_object(reasoning, schema) if schema is not None else None
    if found is None:
        where = "there is reasoning, but no answer after it" if reasoning else "the reply is blank"
        raise Failure("blank", where)
    return Accepted(found.text, found.value, reasoning, ("salvaged_from_reasoning",))
