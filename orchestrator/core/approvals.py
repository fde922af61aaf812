"""What an approval stands on, and whether it still does: content, situation, time, and the safety agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from orchestrator.clock import Clock, iso
from orchestrator.core.operator_gate import Gate
from orchestrator.core.operator_modes import OperatorModes
from orchestrator.core.recommendation_journal import RecommendationJournal
from orchestrator.errors import ConflictError
from orchestrator.modules.optimization.operator.content import RelevantSituation, stored_proposal
from orchestrator.modules.optimization.operator.life_cycle import OPEN
from orchestrator.modules.optimization.safety import Verdict, digest_of
from orchestrator.plant.write_facts import Facts
from orchestrator.state.records import ApprovalRecord, RecommendationRecord
from orchestrator.state.repositories import Store


class Approvals:
    """Makes approvals and says which still count."""

    def __init__(
        self,
        store: Store,
        journal: RecommendationJournal,
        modes: OperatorModes,
        gate: Gate,
        clock: Clock,
    ) -> None:
        self._store = store
        self._journal = journal
        self._modes = modes
        self._gate = gate
        self._clock = clock

    async def check(
        self,
        record: RecommendationRecord,
        facts: Facts,
        relevant: RelevantSituation,
        *,
        approvals: Sequence[ApprovalRecord] = (),
        grant_id: str | None = None,
    ) -> Verdict:
        """The safety agent's verdict, with these approvals or that grant.

        Args:
            record: The recommendation.
            facts: The plant as it is.
            relevant: The part of them that matters to it.
            approvals: Those that count.
            grant_id: The grant in their place.
        """
        proposal = stored_proposal(record, approvals, grant_id)
        now = replace(facts, situation_digest=relevant.digest())
        return await self._gate.check(proposal, now)

    def digest_now(self, record: RecommendationRecord) -> str:
        """The digest of what is stored, computed anew."""
        return digest_of(stored_proposal(record))

    def made(
        self,
        record: RecommendationRecord,
        relevant: RelevantSituation,
        by: str,
        comment: str,
        grant_id: str | None,
        *,
        at: datetime,
    ) -> ApprovalRecord:
        """An approval of the content as it is, for the situation as it was at ``at``."""
        return ApprovalRecord(
            recommendation_id=record.id,
            by=by,
            at=at,
            digest=record.digest,
            situation_digest=relevant.digest(),
            mode=self._modes.mode,
            comment=comment,
            grant_id=grant_id,
        )

    async def standing(self, record: RecommendationRecord) -> list[ApprovalRecord]:
        """Approvals that count: not void, and of this content."""
        given = await self._store.recommendations.approvals(record.id)
        return [a for a in given if not a.void and a.digest == record.digest]

    async def to_be_written(self, record: RecommendationRecord) -> bool:
        """Whether it was approved for writing, and not for a person's own hands."""
        if record.state != "approved":
            return False
        given = [a for a in await self._store.recommendations.approvals(record.id) if not a.void]
        return bool(given) and given[-1].mode != "advisory"

    async def unexpired(self, record: RecommendationRecord) -> RecommendationRecord:
        """The recommendation, unless its time is over.

        Raises:
            ConflictError: it is; it is expired now.
        """
        if (
            record.state in OPEN
            and record.expires_at is not None
            and self._clock.now() >= record.expires_at
        ):
            await self._journal.enter(record, "expire", reason="its time is over")
            raise ConflictError(
                f"its time was over at {iso(record.expires_at)}",
                remedy="ask for new set points: dan-g invoke optimization setpoints",
                context={"state": "expired"},
            )
        return record

    async def unchanged(
        self, record: RecommendationRecord, now: RelevantSituation
    ) -> RecommendationRecord:
        """The recommendation, unless what matters of the situation has changed since it was made.

        Raises:
            ConflictError: it has; approvals given so far are void now.
        """
        made = RelevantSituation.model_validate(record.document["relevant_situation"])
        if made.digest() == now.digest():
            return record
        changes = made.changes_to(now)
        reason = "the situation has changed: " + "; ".join(changes)
        if record.state in ("awaiting_second_approval", "approved"):
            await self._journal.enter(record, "void", reason=reason, void_approvals=True)
        raise ConflictError(
            reason,
            where=f"recommendation {record.id}",
            why="it was made for another situation, so that no approval of it counts",
            remedy="ask for new set points, or approve it when the situation is as it was",
            context={"changes": changes},
        )
