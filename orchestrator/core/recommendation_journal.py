"""One step of a recommendation's life: by the rules, stored with its reason, audited, and told to all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.clock import Clock
from orchestrator.core.events import EventBus
from orchestrator.core.write_alarms import WriteAlarms
from orchestrator.modules.optimization.operator.life_cycle import (
    ACTIVE,
    OPEN,
    Actor,
    Event,
    next_state,
)
from orchestrator.state.records import (
    ApprovalRecord,
    RecommendationRecord,
    RecommendationTransition,
    StepRecord,
)
from orchestrator.state.repositories import Store

OPERATOR_AGENT = "operator agent"
SAFETY_AGENT = "safety agent"
MOST_LIVE = 1000


class RecommendationJournal:
    """Keeps the stored recommendations, the audit chain and the listeners in step.

    Attributes:
        live: Ids of recommendations that have not ended.
    """

    def __init__(self, store: Store, events: EventBus, clock: Clock, alarms: WriteAlarms) -> None:
        self._alarms = alarms
        self._store = store
        self._events = events
        self._clock = clock
        self.live: set[str] = set()

    async def restore(self) -> None:
        """Find what had not ended when the process did."""
        self.live = {record.id for record in await self._stored()}

    async def records(self) -> list[RecommendationRecord]:
        """Recommendations that have not ended, oldest first."""
        return (await self._stored())[::-1] if self.live else []

    async def _stored(self) -> list[RecommendationRecord]:
        states = sorted(OPEN | ACTIVE)
        page = await self._store.recommendations.list(state=states, limit=MOST_LIVE)
        return list(page.items)

    async def propose(self, record: RecommendationRecord) -> None:
        """Store a new one."""
        await self._store.recommendations.add(record)
        self.live.add(record.id)
        await self._store.audit.append(
            OPERATOR_AGENT, "propose", f"recommendation:{record.id}", {"digest": record.digest}
        )
        self._events.publish(
            "recommendation",
            record.created_at,
            {"id": record.id, "event": "propose", "state": record.state, **record.document},
        )

    async def enter(
        self,
        record: RecommendationRecord,
        event: Event,
        *,
        actor: Actor = "system",
        by: str = OPERATOR_AGENT,
        reason: str = "",
        details: dict[str, Any] | None = None,
        approval: ApprovalRecord | None = None,
        void_approvals: bool = False,
        steps: Sequence[StepRecord] = (),
    ) -> RecommendationRecord:
        """Carry out one event of the life cycle; returns the recommendation after it.

        Raises:
            ConflictError: its state does not know that event, this actor may not cause it, or
                somebody else was faster.
        """
        after = next_state(record.state, event, actor)
        at = self._clock.now()
        transition = RecommendationTransition(
            recommendation_id=record.id,
            sequence=0,
            at=at,
            event=event,
            from_state=record.state,
            to_state=after,
            by=by,
            actor=actor,
            reason=reason,
            details=details or {},
        )
        changed = await self._store.recommendations.change(
            transition, approval=approval, void_approvals=void_approvals, steps=steps
        )
        if after in OPEN or after in ACTIVE:
            self.live.add(record.id)
        else:
            self.live.discard(record.id)
        await self._store.audit.append(
            by,
            event,
            f"recommendation:{record.id}",
            {"from": record.state, "to": after, "actor": actor, "reason": reason},
        )
        self._events.publish(
            "recommendation",
            at,
            {
                "id": record.id,
                "event": event,
                "from": record.state,
                "state": after,
                "by": by,
                "actor": actor,
                "reason": reason,
                "summary": record.document.get("summary"),
            },
        )
        if after == "held":
            await self._alarms.held(record, reason)
        elif record.state == "held":
            await self._alarms.left(record)
        return changed
