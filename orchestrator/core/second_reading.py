"""Joins the parser's reading of a request with one that a language model proposes.

The parser's reading is the prior: it stands where it is sure and where the model agrees. Where they
differ, or the parser is unsure, the model decides, within what the words allow: it may name operations
that exist and slots that the words (or the turns before) hold, and nothing that the parser refused runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.core.plan import rank
from orchestrator.core.query_parser import Reading, Turn
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.core.slots import fold
from orchestrator.core.understanding.spoken_slots import spoken_slots

SURE = 0.85
"""Confidence of the parser from which no model need be asked."""
AGREED, DECIDED = 0.97, 0.8
"""Confidence of a reading on which both agree, and of one that the model decided."""
REFUSED = (ANSWERS["operator"], ANSWERS["injection"])
LONGEST_QUESTION = 200


class ReadingProposal(BaseModel):
    """How a language model reads a request.

    Attributes:
        operations: Operations, ``module.operation``; empty where nothing is to run.
        slots: What the words say, by the names of the slots.
        clarify: One short question, where the words leave several readings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = Field(default_factory=dict)
    clarify: str | None = Field(default=None, max_length=LONGEST_QUESTION)


class SecondReader(Protocol):
    """Somebody who can read a request once more."""

    async def read(
        self, text: str, previous: Turn | None, reading: Reading, longest: float | None = None
    ) -> Reading:
        """The reading that holds after he was heard, for at most ``longest`` s; it never raises for one who fails."""
        ...


def wants_second_reading(reading: Reading) -> bool:
    """Whether a language model, where there is one, should read the request as well."""
    settled = reading.answer in (*REFUSED, ANSWERS["greeting"]) and not reading.operations
    return not settled and (reading.clarify is not None or reading.confidence < SURE)


def join_readings(
    reading: Reading, proposal: ReadingProposal, text: str, operations: Collection[str]
) -> Reading:
    """The reading that holds after a model proposed another.

    Args:
        reading: The parser's.
        proposal: The model's, validated in form only.
        text: The words that were read.
        operations: Names of the operations that exist.
    """
    if reading.answer in REFUSED:
        return reading
    proposed = tuple(sorted({name for name in proposal.operations if name in operations}, key=rank))
    if proposal.clarify and not proposed and reading.clarify:
        return replace(reading, clarify=proposal.clarify)
    if set(proposed) == set(reading.operations):
        sure = max(reading.confidence, AGREED) if proposed else reading.confidence
        slots = _held(proposal.slots, reading, text, proposed)
        return replace(reading, slots={**slots, **reading.slots}, confidence=sure)
    if reading.operations and reading.confidence >= SURE:
        return reading
    if proposed:
        slots = {**reading.pending, **reading.slots} if reading.clarify else reading.slots
        slots = {key: value for key, value in slots.items() if key != "kind"}
        return replace(
            reading,
            operations=proposed,
            slots={**slots, **_held(proposal.slots, reading, text, proposed)},
            clarify=None,
            answer=None,
            topic=proposed,
            pending={},
            confidence=DECIDED,
        )
    return reading


def _held(
    slots: Mapping[str, Any], reading: Reading, text: str, operations: Collection[str]
) -> dict[str, Any]:
    """Those proposed slots that the words, or the turns before, hold."""
    said = spoken_slots(fold(text), operations, {}, ())
    known = {**reading.pending, **reading.slots, **said}
    tags = {str(tag) for source in (said, reading.slots, reading.pending) for tag in source.get("tags", ())}  # fmt: skip
    held: dict[str, Any] = {}
    for name, value in slots.items():
        if name == "tags" and isinstance(value, list):
            if kept := [tag for tag in value if tag in tags or tag in reading.named]:
                held[name] = kept
        elif name != "kind" and name in known and known[name] == value:
            held[name] = value
    return held
