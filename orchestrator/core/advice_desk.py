"""Asks the adviser where the policy is not sure, and puts its answer through the same gates.

Whatever goes wrong with the adviser, the policy's own decision stands, with a note that says so.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

import structlog

from orchestrator.core.advice import Advice, Advisor, Question
from orchestrator.core.calibration import Calibrated, Calibration
from orchestrator.core.decision import AdviceRecord, Decision
from orchestrator.core.decision_engine import DecisionEngine
from orchestrator.core.memory import Memory
from orchestrator.core.query_parser import QueryRequest
from orchestrator.core.situation import Situation
from orchestrator.errors import DanGError, ModelError
from orchestrator.modules.registry import Registry
from orchestrator.state.repositories import Store

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a decision was made on, so that it can be made again with the advice."""

    situation: Situation
    now: datetime
    request: QueryRequest | None = None
    memory: Memory | None = None
    dry_run: bool = False
    as_given: bool = False


class AdviceDesk:
    """Between the engine and the adviser.

    Args:
        engine: Decides; asked a second time with what the adviser proposes.
        registry: The operations that there are.
        store: Tells what came of earlier advice.
        threshold: Confidence under which the adviser is asked.
        advisor: Who is asked; ``None`` where there is no model.
    """

    def __init__(
        self,
        engine: DecisionEngine,
        registry: Registry,
        store: Store,
        threshold: float,
        advisor: Advisor | None = None,
    ) -> None:
        self._engine = engine
        self._operations = frozenset(registry.operations)
        self._store = store
        self._threshold = threshold
        self.advisor = advisor

    def unsure(self, decision: Decision, *, asked: bool = False) -> bool:
        """Whether the adviser has something to say: the policy is unsure, or somebody asks for advice.

        A question that goes back to the person is not the adviser's to answer.
        """
        reading = decision.interpretation
        if reading is not None and (reading.clarify or not reading.operations):
            return False
        return asked or decision.confidence < self._threshold

    async def advised(
        self,
        decision: Decision,
        basis: Asked,
        *,
        asked: bool = False,
        longest: float | None = None,
    ) -> Decision:
        """``decision``, or the one made of the advice; never later than the adviser's deadline.

        Args:
            decision: The policy's own.
            basis: What it was made on.
            asked: Whether somebody asks for advice, however sure the policy is.
            longest: Time that is left for it, s, where that is less than the adviser's own deadline.
        """
        if not self.unsure(decision, asked=asked):
            return decision
        if self.advisor is None:
            why = "there is no language model"
            told = any("no language model" in note for note in decision.notes)
            return decision if told else _noted(decision, self._unsure_note(decision, why))
        question = _question(decision, basis)
        started = time.perf_counter()
        limit = self.advisor.deadline
        if longest is not None:
            limit = min(limit, max(longest, 0.0))
        try:
            async with asyncio.timeout(limit):
                advice = await self.advisor.advise(question)
            self._check(advice)
        except TimeoutError:
            why = f"{self.advisor.name} did not answer within {limit:.3g} s"
            return self._failed(decision, why, started)
        except DanGError as error:
            return self._failed(decision, str(error), started)
        except Exception as error:
            log.exception("the adviser failed", advisor=self.advisor.name)
            why = f"{self.advisor.name} failed ({type(error).__name__})"
            return self._failed(decision, why, started)
        return self._weighed(decision, basis, advice, await self._calibrated(advice))

    def _check(self, advice: Advice) -> None:
        unknown = [name for name in advice.operations if name not in self._operations]
        if unknown:
            raise ModelError(f"{advice.model} proposes {', '.join(unknown)}, which no module has")

    def _weighed(
        self, decision: Decision, basis: Asked, advice: Advice, calibrated: Calibrated
    ) -> Decision:
        """The decision of the policy, or that of the advice."""
        reasons = {name: advice.reasons.get(name, "") for name in advice.operations}
        revised = self._engine.decide(
            basis.situation,
            request=basis.request,
            memory=basis.memory,
            now=basis.now,
            dry_run=basis.dry_run,
            as_given=basis.as_given,
            decision_id=decision.id,
            proposed=reasons,
        )
        policy = tuple(action.name for action in decision.actions)
        selected = tuple(action.name for action in revised.actions)
        record = AdviceRecord(
            outcome="agreed",
            because="the adviser selects what the policy selects",
            model=advice.model,
            policy=policy,
            policy_confidence=decision.confidence,
            proposed=advice.operations,
            reasons=reasons,
            reasoning=advice.reasoning,
            evidence=advice.evidence,
            stated_confidence=advice.confidence,
            confidence=calibrated.confidence,
            calibration=calibrated.source,
            prompt=advice.prompt,
            seconds=round(advice.seconds, 3),
            tokens=advice.tokens,
            cost_usd=advice.cost_usd,
            flags=advice.flags,
            transcript=advice.transcript,
        )
        if set(selected) == set(policy):
            return decision.model_copy(update={"advice": record})
        if calibrated.measured and calibrated.confidence < decision.confidence:
            because = (
                f"its confidence of {calibrated.confidence:.2f}, as measured, is under the policy's "
                f"{decision.confidence:.2f}"
            )
            record = record.model_copy(update={"outcome": "not_taken", "because": because})
            return decision.model_copy(update={"advice": record})
        because = f"the policy selects {_names(policy)}, the adviser {_names(selected)}"
        return revised.model_copy(
            update={
                "advice": record.model_copy(update={"outcome": "taken", "because": because}),
                "decided_by": "advisor",
                "confidence": calibrated.confidence,
                "calibrated": calibrated.measured,
                "rationale": f"{revised.rationale} {because[:1].upper()}{because[1:]}.",
                "latency_ms": round(decision.latency_ms + revised.latency_ms, 3),
            }
        )

    async def _calibrated(self, advice: Advice) -> Calibrated:
        try:
            labels = await self._store.advice.labels(advice.model)
        except DanGError as error:
            log.warning("earlier advice cannot be read", error=str(error))
            labels = []
        return Calibration(labels)(advice.confidence)

    def _failed(self, decision: Decision, why: str, started: float) -> Decision:
        assert self.advisor is not None
        record = AdviceRecord(
            outcome="failed",
            because=why,
            model=self.advisor.name,
            policy=tuple(action.name for action in decision.actions),
            policy_confidence=decision.confidence,
            seconds=round(time.perf_counter() - started, 3),
        )
        log.warning("no advice", why=why)
        noted = _noted(decision, self._unsure_note(decision, why))
        return noted.model_copy(update={"advice": record})

    def _unsure_note(self, decision: Decision, why: str) -> str:
        under = decision.confidence < self._threshold
        sure = f"the confidence {decision.confidence:.2f} is under {self._threshold:.2f}"
        return f"{f'{sure}, but ' if under else ''}no advice was had: {why.rstrip('.')}. This is the policy's own answer"


def _question(decision: Decision, basis: Asked) -> Question:
    reading = decision.interpretation
    return Question(
        situation=basis.situation,
        selected=tuple(action.name for action in decision.actions),
        held=tuple((item.operation, item.why_not) for item in decision.alternatives),
        confidence=decision.confidence,
        rationale=decision.rationale,
        text=basis.request.text if basis.request is not None else None,
        wanted=reading.operations if reading is not None else (),
    )


def _noted(decision: Decision, note: str) -> Decision:
    return decision.model_copy(update={"notes": (*decision.notes, note)})


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) if names else "nothing"
