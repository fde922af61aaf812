"""A language model reads a request once more, where the parser is not sure of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import structlog

from orchestrator.core.query_parser import Reading, Turn
from orchestrator.core.second_reading import ReadingProposal, join_readings
from orchestrator.errors import ModelError
from orchestrator.llm.fence import fenced
from orchestrator.llm.port import Budget, LanguageModel, Message, Reply
from orchestrator.llm.prompts.library import load_prompt
from orchestrator.modules.base import Operation

log = structlog.get_logger(__name__)
DEADLINE_S = 30.0


class ModelReader:
    """Reads with a model; the parser's reading stands where it gives no usable answer.

    Args:
        model: Who is asked.
        operations: All operations, by ``module.operation``.
        deadline: Longest time of one reading, s.
    """

    def __init__(
        self,
        model: LanguageModel,
        operations: Mapping[str, Operation],
        deadline: float = DEADLINE_S,
    ) -> None:
        self._model = model
        self._operations = operations
        self._deadline = deadline

    async def read(
        self, text: str, previous: Turn | None, reading: Reading, longest: float | None = None
    ) -> Reading:
        """The reading that holds after the model was heard, for at most ``longest`` s."""
        if longest is not None and longest <= 0:
            return reading
        try:
            reply = await self.propose(text, previous, reading, longest)
        except ModelError as error:
            log.warning("the model could not read a request", error=str(error))
            return reading
        if reply.value is None:
            return reading
        return join_readings(reading, reply.value, text, self._operations)

    async def propose(
        self, text: str, previous: Turn | None, reading: Reading, longest: float | None = None
    ) -> Reply[ReadingProposal]:
        """The model's own reading.

        Raises:
            ModelError: it gave no usable answer in time.
        """
        listed = "\n".join(f"- {name}: {op.summary}" for name, op in self._operations.items())
        asked = load_prompt("read").render(
            operations=listed,
            before=_turn_text(previous),
            parser=_reading_text(reading),
            words=fenced(text, "words"),
        )
        deadline = self._deadline if longest is None else min(longest, self._deadline)
        budget = Budget(deadline=deadline)
        return await self._model.complete([Message("user", asked)], ReadingProposal, budget)


def _turn_text(turn: Turn | None) -> str:
    if turn is None:
        return "(none)"
    told = {
        "operations": list(turn.about),
        "slots": turn.slots,
        "asked back": turn.clarify,
        "not yet used": turn.open_slots,
    }
    return fenced(
        json.dumps({k: v for k, v in told.items() if v}, ensure_ascii=False), "turn before"
    )


def _reading_text(reading: Reading) -> str:
    told = {
        "operations": list(reading.operations),
        "slots": reading.slots,
        "clarify": reading.clarify,
        "confidence": round(reading.confidence, 2),
    }
    return fenced(json.dumps(told, ensure_ascii=False), "reading")
