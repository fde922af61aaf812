"""Advice for the live loop: asked beside it, so that the loop never waits for a model.

What the policy selects has started by then. What the advice adds becomes a decision of its own, through
the gates of the moment in which the answer comes; what it would have left out is on record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

import structlog

from orchestrator.clock import Clock
from orchestrator.core.advice_desk import AdviceDesk, Asked
from orchestrator.core.decision import AdviceRecord, Decision
from orchestrator.core.decision_engine import DecisionEngine
from orchestrator.core.memory import Memory
from orchestrator.core.situation import Situation
from orchestrator.errors import DanGError

log = structlog.get_logger(__name__)


class LiveAdvice:
    """One question at a time; a decision made while one is open is not asked about.

    Args:
        desk: Asks.
        engine: Puts what is added through the gates.
        memory: What the live loop remembers.
        clock: Plant time.
        situation: The live situation.
        accept: Stores a decision and starts its actions.
        spawn: Runs something beside the loop, until the orchestrator closes.
    """

    def __init__(
        self,
        desk: AdviceDesk,
        engine: DecisionEngine,
        memory: Memory,
        clock: Clock,
        *,
        situation: Callable[[], Awaitable[Situation]],
        accept: Callable[[Decision, Situation], Awaitable[Any]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._desk = desk
        self._engine = engine
        self._memory = memory
        self._clock = clock
        self._situation = situation
        self._accept = accept
        self._spawn = spawn
        self._open = False

    def ask(self, decision: Decision, situation: Situation, at: datetime) -> None:
        """Ask about a decision that was made at ``at`` and has been started."""
        if self._open or self._desk.advisor is None or not self._desk.unsure(decision):
            return
        self._open = True
        self._spawn(self._follow_up(decision, Asked(situation, at, memory=self._memory)))

    async def _follow_up(self, decision: Decision, basis: Asked) -> None:
        try:
            advised = await self._desk.advised(decision, basis)
            if advised.advice is not None:
                await self._add(decision, advised, advised.advice)
        except DanGError as error:
            log.error("advice could not be recorded", error=str(error))
        finally:
            self._open = False

    async def _add(self, decision: Decision, advised: Decision, record: AdviceRecord) -> None:
        """Store what came of the question, and start what it adds."""
        now, situation = self._clock.now(), await self._situation()
        started = {action.name for action in decision.actions}
        taken = record.proposed if record.outcome == "taken" else ()
        reasons = {name: record.reasons.get(name, "") for name in taken if name not in started}
        later = self._engine.decide(situation, memory=self._memory, now=now, proposed=reasons)
        kept = [action for action in later.actions if action.name in reasons]
        names = {action.name for action in kept}
        actions = tuple(
            action.model_copy(
                update={"depends_on": tuple(name for name in action.depends_on if name in names)}
            )
            for action in kept
        )
        runs = f"It adds {', '.join(sorted(names))}." if names else "It adds nothing."
        added = later.model_copy(
            update={
                "triggers": (),
                "actions": actions,
                "alternatives": tuple(
                    item for item in later.alternatives if item.operation in reasons
                ),
                "criteria": tuple(item for item in later.criteria if item.operation in reasons),
                "decided_by": "advisor" if actions else "policy",
                "confidence": advised.confidence,
                "calibrated": advised.calibrated,
                "rationale": f"Advice on decision {decision.id}: {record.because}. {runs}",
                "notes": advised.notes,
                "advice": record.model_copy(update={"follows": decision.id}),
            }
        )
        await self._accept(added, situation)
        self._memory.note_started(added, now)
