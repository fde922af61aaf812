"""A conversation as a model and a later turn need it: what was said before, in full or in short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.llm.answers.draft import Listed
from orchestrator.llm.port import Message
from orchestrator.state.records import SessionRecord, TurnRecord

SUMMARISED_AT_ONCE = 6
"""So many turns beyond the whole ones are summarised together, so that not each turn rewrites the summary."""
LONGEST_SUMMARY = 3000
LONGEST_ANSWER = 1200


def listed_last(turns: Sequence[TurnRecord]) -> list[Listed]:
    """What the last answer that listed anything listed, in its order."""
    for turn in reversed(turns):
        if turn.items:
            return [Listed.model_validate(item) for item in turn.items]
    return []


def to_be_summarised(session: SessionRecord, whole: int) -> int:
    """Up to which turn the summary should reach; 0 where it reaches far enough."""
    beyond = session.turns - whole
    return beyond if beyond - session.summarised >= SUMMARISED_AT_ONCE else 0


def summary_of(before: str, turns: Sequence[TurnRecord]) -> str:
    """The summary ``before`` with one line for each further turn; where it grows too long, the oldest go."""
    lines = [line for line in before.splitlines() if line] + [_line(turn) for turn in turns]
    while len(lines) > 1 and sum(len(line) + 1 for line in lines) > LONGEST_SUMMARY:
        del lines[0]
    return "\n".join(lines)


def messages_of(session: SessionRecord, turns: Sequence[TurnRecord]) -> list[Message]:
    """The conversation before the present turn, for a model: answers only, never reasoning."""
    messages = []
    if session.summary:
        messages.append(Message("user", f"Earlier in this conversation:\n{session.summary}"))
        messages.append(Message("assistant", "Noted."))
    for turn in turns:
        if turn.answer:
            messages.append(Message("user", turn.text))
            messages.append(Message("assistant", turn.answer[:LONGEST_ANSWER]))
    return messages


def _line(turn: TurnRecord) -> str:
    operations = ", ".join(turn.reading.get("operations") or ()) or "no operation"
    slots = ", ".join(f"{name} {_value(value)}" for name, value in _slots(turn).items())
    answer = turn.answer.split("\n", 1)[0][:160]
    said = " ".join(turn.text.split())[:100]
    return f'{turn.number}. "{said}" ({operations}{"; " + slots if slots else ""}): {answer or turn.state}'


def _slots(turn: TurnRecord) -> dict[str, Any]:
    return turn.reading.get("slots") or {}


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_value, value))
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    return str(value)
