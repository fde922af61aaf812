"""Recommendations as they come: stored, checked, and offered or vetoed; approved where a grant covers them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import structlog

from orchestrator.config import OperatorSettings
from orchestrator.core.approvals import Approvals
from orchestrator.core.operator_gate import Gate
from orchestrator.core.operator_modes import OperatorModes
from orchestrator.core.plant_facts import PlantFacts
from orchestrator.core.recommendation_journal import SAFETY_AGENT, RecommendationJournal
from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.operator.content import (
    RelevantSituation,
    canonical,
    moved_tags,
    proposal_of,
)
from orchestrator.modules.optimization.operator.life_cycle import ACTIVE, OPEN
from orchestrator.modules.optimization.operator.objections import in_words
from orchestrator.modules.optimization.operator.path import steps_of
from orchestrator.plant.write_facts import Facts
from orchestrator.plant.write_rules import Finding
from orchestrator.state.records import RecommendationRecord

log = structlog.get_logger(__name__)


class Intake:
    """Takes recommendations in."""

    def __init__(
        self,
        journal: RecommendationJournal,
        modes: OperatorModes,
        facts: PlantFacts,
        gate: Gate,
        approvals: Approvals,
        settings: OperatorSettings,
    ) -> None:
        self._journal = journal
        self._modes = modes
        self._facts = facts
        self._gate = gate
        self._approvals = approvals
        self._settings = settings

    async def take(self, content: Mapping[str, Any], job_id: str | None) -> RecommendationRecord:
        """Store a recommendation, have it checked, and offer it or say why not.

        Args:
            content: Moves, worth, evidence and the rest, without expiry and situation.
            job_id: The job that proposed it.
        """
        facts = await self._facts.now()
        at = facts.at
        expires_at = at + timedelta(minutes=self._settings.valid_minutes)
        relevant = self._facts.relevant(content, facts)
        broken: list[Finding] = []
        try:
            steps = steps_of(content, self._gate.envelope)
        except ParameterError as error:
            steps, broken = (), [Finding("path", str(error), "ask for new set points")]
        document = canonical(
            {
                **content,
                "steps": [step.document() for step in steps],
                "relevant_situation": relevant.model_dump(mode="json"),
            }
        )
        id_ = uuid4().hex
        proposal = proposal_of(id_, document, made_at=at, expires_at=expires_at)
        record = RecommendationRecord(
            id=id_,
            job_id=job_id,
            created_at=at,
            expires_at=expires_at,
            state="proposed",
            digest=proposal.digest,
            document=document,
        )
        others = await self._journal.records()
        await self._journal.propose(record)
        return await self._offer(record, facts, relevant, others, broken)

    async def _offer(
        self,
        record: RecommendationRecord,
        facts: Facts,
        relevant: RelevantSituation,
        others: list[RecommendationRecord],
        broken: list[Finding],
    ) -> RecommendationRecord:
        mine = set(moved_tags(record.document))
        same = [other for other in others if mine & {*moved_tags(other.document)}]
        busy = [other for other in same if other.state in ACTIVE]
        verdict = await self._approvals.check(record, facts, relevant)
        objections = [*broken, *verdict.vetoes]
        if busy:
            text = f"{', '.join(sorted(mine))} are being moved by recommendation {busy[0].id}"
            objections.insert(0, Finding("handles-busy", text, "wait for its end"))
        if relevant.handles_away:
            text = f"{', '.join(relevant.handles_away)} are not where the moves begin"
            objections.append(Finding("not-present", text, "ask for new set points"))
        details = {"verdict": verdict.document()}
        if objections:
            return await self._journal.enter(
                record,
                "veto",
                actor="safety",
                by=SAFETY_AGENT,
                reason=in_words(objections),
                details={**details, "objections": [item.document() for item in objections]},
            )
        reason = verdict.text if verdict.outcome == "second_person" else ""
        offered = await self._journal.enter(
            record, "offer", actor="safety", by=SAFETY_AGENT, reason=reason, details=details
        )
        for other in same:
            if other.state in OPEN:
                newer = f"{record.id} is newer, for {', '.join(sorted(mine))}"
                await self._journal.enter(other, "supersede", reason=newer)
        return await self._approve_under_grant(offered, facts, relevant)

    async def _approve_under_grant(
        self, record: RecommendationRecord, facts: Facts, relevant: RelevantSituation
    ) -> RecommendationRecord:
        """Autonomous mode: a grant that covers every move stands for the approval."""
        if self._modes.mode != "autonomous":
            return record
        grant = await self._modes.covering(record.document["moves"])
        if grant is None:
            return record
        verdict = await self._approvals.check(record, facts, relevant, grant_id=grant.id)
        if not verdict.may_be_written:
            log.info("a grant does not cover a recommendation", id=record.id, why=verdict.text)
            return record
        by = f"grant {grant.id} of {grant.granted_by}"
        return await self._journal.enter(
            record,
            "approve",
            actor="grant",
            by=by,
            reason="inside the grant",
            approval=self._approvals.made(record, relevant, by, "", grant.id, at=facts.at),
        )
