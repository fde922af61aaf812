"""The safety agent at the table: code, not a prompt, and its word is the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.core.situation import Situation

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator


@dataclass(frozen=True, slots=True)
class MoveVerdict:
    """What is said of a recommendation that waits for a person: ``allowed``, ``second_person`` or ``vetoed``."""

    recommendation_id: str
    outcome: str
    text: str


class Safety(Protocol):
    """Says what must not be."""

    def vetoes(self, operations: Iterable[str], situation: Situation) -> dict[str, str]:
        """Those of the operations that must not run now, with the reason."""
        ...

    async def moves(self) -> list[MoveVerdict]:
        """The verdicts on moves that are proposed now."""
        ...


class CodeSafety:
    """The engine's gates for operations, and the safety agent's check for moves.

    Args:
        orchestrator: An open one.
    """

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator

    def vetoes(self, operations: Iterable[str], situation: Situation) -> dict[str, str]:
        """See `Safety.vetoes`."""
        known = self._orchestrator.registry.operations
        found: dict[str, str] = {}
        for name in operations:
            operation = known.get(name)
            if operation is None:
                found[name] = "no module has it"
            elif operation.needs.writes_to_plant:
                found[name] = "it would write to the plant"
            elif held := self._orchestrator.engine.held(name, situation):
                found[name] = held
        return found

    async def moves(self) -> list[MoveVerdict]:
        """See `Safety.moves`."""
        return [
            MoveVerdict(record.id, verdict.outcome, verdict.text)
            for record, verdict in await self._orchestrator.operator.verdicts()
        ]
