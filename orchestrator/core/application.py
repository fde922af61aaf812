"""Carries out an approved recommendation: step by step, watched, verified by the plant, or taken back.

Each call of :meth:`Application.advance` does what is due and returns. All progress is stored before and
after each write, so that a process which ends anywhere leaves behind what it has done, and the next one
goes on from there or holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from orchestrator.clock import Clock
from orchestrator.config import OperatorSettings
from orchestrator.core.explained_alerts import VerifiedMoves, came_since
from orchestrator.core.operator_gate import Gate
from orchestrator.core.operator_modes import OperatorModes
from orchestrator.core.plant_facts import MOST_VERIFIED, PlantFacts
from orchestrator.core.recommendation_journal import (
    OPERATOR_AGENT,
    SAFETY_AGENT,
    RecommendationJournal,
)
from orchestrator.core.response_watch import ResponseWatch, as_details
from orchestrator.errors import UnavailableError
from orchestrator.modules.optimization.operator.content import stored_proposal
from orchestrator.modules.optimization.operator.life_cycle import WRITING, Actor, Event
from orchestrator.modules.optimization.operator.objections import in_words, may_pass
from orchestrator.modules.optimization.operator.path import steps_to
from orchestrator.modules.optimization.operator.response import wrong
from orchestrator.modules.optimization.safety import Approval, Proposal, Step, digest_of
from orchestrator.plant.write_facts import Facts
from orchestrator.plant.write_rules import Finding
from orchestrator.state.records import (
    RecommendationRecord,
    RecommendationTransition,
    StepRecord,
    StepState,
)
from orchestrator.state.repositories import Store
from orchestrator.write_records import WriteRecord

Direction = Literal["apply", "roll_back"]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in force, how they came to be so, and what the safety agent is asked about.

    ``begun`` is when the recommendation was first entered upon, and ``under_way`` whether a step of an
    earlier plan of it was written.
    """

    entry: RecommendationTransition
    steps: Sequence[StepRecord]
    proposal: Proposal
    begun: datetime
    under_way: bool


class Application:
    """Applies, verifies and takes back.

    Args:
        gate: The safety agent and the writer.
        watch: Looks at what the plant makes of the moves.

    Attributes:
        next_due: When the next step of what was advanced last may be written; null where none is planned.
    """

    def __init__(
        self,
        store: Store,
        journal: RecommendationJournal,
        modes: OperatorModes,
        facts: PlantFacts,
        gate: Gate,
        clock: Clock,
        settings: OperatorSettings,
        watch: ResponseWatch,
    ) -> None:
        self._store = store
        self._journal = journal
        self._modes = modes
        self._facts = facts
        self._gate = gate
        self._clock = clock
        self._settings = settings
        self._watch = watch
        self.next_due: datetime | None = None

    async def restore_verified(self) -> None:
        """Find again which moves the plant has answered to as expected, from before this process."""
        page = await self._store.recommendations.list(state="completed", limit=MOST_VERIFIED)
        for record in reversed(page.items):
            trail = await self._store.recommendations.trail(record.id)
            self._facts.note_verified(VerifiedMoves(record.id, _entered(trail)))

    async def begin(self, record: RecommendationRecord, facts: Facts) -> RecommendationRecord:
        """Enter upon the steps of an approved recommendation; nothing is written yet."""
        proposal = stored_proposal(record)
        details = self._watch.baseline(record, facts)
        return await self._enter_plan(record, "begin", proposal.steps, "apply", details=details)

    async def advance(self, record: RecommendationRecord) -> RecommendationRecord:
        """Do what is due for a recommendation that is under way."""
        self.next_due = None
        if record.state == "held":
            return record
        unknown = await self.settle_interrupted(record)
        if unknown:
            return await self._hold(record, "; ".join(unknown))
        stop = await self._gate.stop.on()
        if stop is not None and record.state in WRITING:
            return await self._journal.enter(
                record, "stop", reason=f"all writing was stopped by {stop.by}: {stop.why}"
            )
        if record.state in WRITING and self._modes.mode == "advisory":
            return await self._hold(record, "the operator agent was set to advisory")
        facts = await self._facts.now(moves=record.state in WRITING)
        if record.state in ("applying", "verifying"):
            trouble = await self._watch.trouble(record, facts)
            if trouble:
                return await self._take_back(record, "; ".join(trouble))
        if record.state == "verifying":
            away = await self._moved_away(record)
            return await (self._hold(record, away) if away else self._verify(record))
        return await self._write_due(record, facts)

    async def roll_back(
        self,
        record: RecommendationRecord,
        reason: str,
        *,
        actor: Actor = "system",
        by: str = OPERATOR_AGENT,
        details: dict[str, Any] | None = None,
    ) -> RecommendationRecord:
        """Plan the way back to the former set points and enter upon it; nothing is written yet.

        Raises:
            UnavailableError: a set point that was written cannot be read.
            ConflictError: the recommendation is in no state to be rolled back.
        """
        steps = await self._store.recommendation_steps.of(record.id)
        written = {
            step.tag for step in steps if step.direction == "apply" and step.state != "pending"
        }
        targets = {
            move["tag"]: float(move["from"])
            for move in record.document["moves"]
            if move["tag"] in written
        }
        back = steps_to(targets, await self._present(targets), self._gate.envelope)
        return await self._enter_plan(
            record,
            "roll_back",
            back,
            "roll_back",
            actor=actor,
            by=by,
            reason=reason,
            details=details,
        )

    async def resume(
        self, record: RecommendationRecord, reason: str, *, actor: Actor, by: str
    ) -> RecommendationRecord:
        """Plan the rest of the way from where the handles are now, and go on.

        Raises:
            UnavailableError: a set point cannot be read.
            ConflictError: it is not held.
        """
        targets = {move["tag"]: float(move["to"]) for move in record.document["moves"]}
        rest = steps_to(targets, await self._present(targets), self._gate.envelope)
        # It may never have begun: then this is the begin that the response is measured from.
        details = self._watch.baseline(record, await self._facts.now())
        return await self._enter_plan(
            record, "resume", rest, "apply", actor=actor, by=by, reason=reason, details=details
        )

    async def settle_interrupted(self, record: RecommendationRecord) -> list[str]:
        """Give each step that was being written the end that the write journal knows.

        Returns:
            What is not known, in words; empty where every step has an end.
        """
        steps = await self._store.recommendation_steps.of(record.id)
        open_steps = [step for step in steps if step.state in ("writing", "unverified")]
        if not open_steps:
            return []
        await self._gate.recover()
        writes = await self._gate.writes_of(record.id)
        unknown = []
        for step in open_steps:
            write = writes.get(step.number)
            state = write.state if write is not None else "not_done"
            if state in ("intended", "unverified"):
                unknown.append(f"nobody knows whether {step.tag} was set to {step.value:g}")
                if step.state == "writing":
                    await self._mark(step, "unverified", write.text if write is not None else "")
                continue
            await self._mark(
                step,
                "done" if state == "done" else "not_done",
                write.text if write is not None else "it was never sent",
            )
        return unknown

    async def _enter_plan(
        self,
        record: RecommendationRecord,
        event: Event,
        steps: Sequence[Step],
        direction: Direction,
        *,
        actor: Actor = "system",
        by: str = OPERATOR_AGENT,
        reason: str = "",
        details: dict[str, Any] | None = None,
    ) -> RecommendationRecord:
        minutes = steps[-1].at_minutes if steps else 0.0
        planned = f"{len(steps)} steps over {minutes:.0f} minutes"
        return await self._journal.enter(
            record,
            event,
            actor=actor,
            by=by,
            reason=f"{reason}; {planned}" if reason else planned,
            details={**(details or {}), "steps": len(steps)},
            steps=[
                StepRecord(record.id, 0, direction, s.tag, s.before, s.value, s.at_minutes)
                for s in steps
            ],
        )

    async def _plan(self, record: RecommendationRecord) -> Plan:
        """The steps in force, and the proposal that the safety agent looks at before each of them."""
        trail = await self._store.recommendations.trail(record.id)
        entry = next(t for t in reversed(trail) if t.event in ("begin", "resume", "roll_back"))
        count = entry.details["steps"]
        every = await self._store.recommendation_steps.of(record.id)
        steps = every[-count:] if count else ()
        begun = _entered(trail)
        under_way = any(step.state == "done" for step in every[: len(every) - count])
        given = [a for a in await self._store.recommendations.approvals(record.id) if not a.void]
        grants = [approval.grant_id for approval in given if approval.grant_id is not None]
        grant_id = grants[-1] if grants else None
        if entry.event == "begin":
            proposal = stored_proposal(record, given, grant_id)
            return Plan(entry, steps, proposal, begun, under_way)
        # The rest of the way and the way back are new steps: who approved the recommendation, and who
        # asks for them, answers for these too.
        # On the way back for good; on the way forth no longer than the recommendation is valid.
        assert record.expires_at is not None
        stands = entry.event == "roll_back" or entry.at < record.expires_at
        names = [approval.by for approval in given if stands and approval.grant_id is None]
        names += [entry.by] if entry.actor == "person" else []
        last = steps[-1].at_minutes if steps else 0.0
        bare = Proposal(
            id=record.id,
            steps=tuple(Step(s.tag, s.before, s.value, s.at_minutes) for s in steps),
            made_by=entry.by,
            made_at=entry.at,
            expires_at=entry.at + timedelta(minutes=last + self._settings.valid_minutes),
            situation_digest="",
            digest="",
            content={"recommendation": record.digest, "event": entry.event},
            grant_id=grant_id,
        )
        digest = digest_of(bare)
        approvals = tuple(Approval(name, entry.at, digest) for name in dict.fromkeys(names))
        proposal = replace(bare, digest=digest, approvals=approvals)
        return Plan(entry, steps, proposal, begun, under_way)

    async def _write_due(self, record: RecommendationRecord, facts: Facts) -> RecommendationRecord:
        """Write the steps whose time has come, each after a check with fresh facts."""
        plan = await self._plan(record)
        done = sum(step.state == "done" for step in plan.steps)
        previous = plan.steps[done - 1] if done else None
        for index, step in enumerate(plan.steps[done:], start=done):
            due = _due(step, previous, plan.entry.at)
            if due > self._clock.now():
                self.next_due = due
                return record
            if step.state != "pending":
                return await self._hold(record, f"the step of {step.tag} is {step.state}")
            facts = replace(facts, situation_digest=plan.proposal.situation_digest)
            if plan.entry.event == "roll_back":
                facts = came_since(facts, plan.begun)
            verdict = await self._gate.check(
                plan.proposal, facts, done=index, under_way=plan.under_way
            )
            if not verdict.may_be_written:
                return await self._objected(record, verdict.vetoes or verdict.findings, due)
            begun = await self._mark(step, "writing")
            write = await self._gate.write(plan.proposal, verdict, index, step.number, facts)
            if write.state != "done":
                return await self._not_written(record, begun, write, due)
            previous = await self._mark(begun, "done")
            facts = await self._facts.now()
        event: Event = "applied" if record.state == "applying" else "rolled_back"
        return await self._journal.enter(record, event, reason="the last step is written")

    async def _not_written(
        self, record: RecommendationRecord, step: StepRecord, write: WriteRecord, due: datetime
    ) -> RecommendationRecord:
        """A step that the writer did not carry out, or does not know the end of."""
        if write.state == "refused":
            findings = [Finding(code, write.text) for code in write.reasons]
            if may_pass(findings):
                # It was never sent, and what refused it passes: the step waits as it was.
                await self._mark(step, "pending", write.text)
                return await self._objected(record, findings, due)
            await self._mark(step, "not_done", write.text)
            if "stopped" in write.reasons:
                return await self._journal.enter(record, "stop", reason=write.text)
        else:
            await self._mark(
                step, "unverified" if write.state == "unverified" else "not_done", write.text
            )
        return await self._hold(
            record,
            f"{step.tag} was not set to {step.value:g} ({write.state}): {write.text}",
            actor="safety" if write.state == "refused" else "system",
        )

    async def _objected(
        self, record: RecommendationRecord, findings: Sequence[Finding], due: datetime
    ) -> RecommendationRecord:
        """Wait where what is objected to passes by itself and has not lasted long; else hold."""
        late = self._clock.now() - due
        said = in_words(findings)
        if may_pass(findings) and late < timedelta(minutes=self._settings.patience_minutes):
            log.info("a step waits", recommendation=record.id, why=said)
            return record
        if record.state == "rolling_back":
            said = f"rolling back is not safe now: {said}"
        return await self._hold(record, said, actor="safety")

    async def _verify(self, record: RecommendationRecord) -> RecommendationRecord:
        """Compare the plant's answer with the expected one, once it has had the time."""
        responses = await self._watch.response(record)
        if responses is None:
            return record
        seen = [item for item in responses if item.finding != "unseen"]
        if responses and not seen:
            return await self._hold(record, "no tag has values to verify the response with")
        details = as_details(responses)
        against = wrong(responses)
        if against:
            reason = "; ".join(f"{r.finding.replace('_', ' ')}: {r.words}" for r in against)
            return await self._take_back(record, reason, details)
        said = f"{len(seen)} of {len(responses)} expected responses seen, all within tolerance"
        reason = said if responses else "read back; the model expects no other tag to answer"
        verified = await self._journal.enter(record, "verified", reason=reason, details=details)
        trail = await self._store.recommendations.trail(record.id)
        self._facts.note_verified(VerifiedMoves(record.id, _entered(trail)))
        return verified

    async def _moved_away(self, record: RecommendationRecord) -> str:
        """Which set points are not where they were left, in words: moved since, or put back by the plant."""
        plan = await self._plan(record)
        left = {step.tag: step.value for step in plan.steps if step.state == "done"}
        held = await self._gate.values(sorted(left))
        found = []
        for tag, value in held.items():
            own = self._gate.envelope.tag(tag)
            if own is not None and abs(value - left[tag]) > own.tolerance:
                found.append(f"{tag} is at {value:g}, not at {left[tag]:g} where it was left")
        return "; ".join(found)

    async def _take_back(
        self, record: RecommendationRecord, reason: str, details: dict[str, Any] | None = None
    ) -> RecommendationRecord:
        """Roll back, or ask a person to where nothing may be written."""
        if self._modes.mode == "advisory":
            return await self._hold(record, f"to be taken back by hand: {reason}")
        return await self.roll_back(record, reason, details=details)

    async def _present(self, targets: Mapping[str, float]) -> dict[str, float]:
        found = await self._gate.values(sorted(targets))
        missing = sorted(targets.keys() - found.keys())
        if missing:
            raise UnavailableError(
                f"{', '.join(missing)} cannot be read",
                why="from where it is to be moved is not known",
                remedy="see that the control system answers, and try again",
            )
        return found

    async def _hold(
        self, record: RecommendationRecord, reason: str, *, actor: Actor = "system"
    ) -> RecommendationRecord:
        by = SAFETY_AGENT if actor == "safety" else OPERATOR_AGENT
        return await self._journal.enter(record, "hold", actor=actor, by=by, reason=reason)

    async def _mark(self, step: StepRecord, state: StepState, detail: str = "") -> StepRecord:
        return await self._store.recommendation_steps.mark(
            step, state, at=self._clock.now(), detail=detail
        )


def _entered(trail: Sequence[RecommendationTransition]) -> datetime:
    """When steps of a recommendation were first entered upon."""
    return next(t.at for t in trail if t.event in ("begin", "resume", "roll_back"))


def _due(step: StepRecord, previous: StepRecord | None, entered: datetime) -> datetime:
    """When a step may be written: as long after the one before as planned, however late that was."""
    if previous is None or previous.changed_at is None:
        return entered + timedelta(minutes=step.at_minutes)
    return previous.changed_at + timedelta(minutes=step.at_minutes - previous.at_minutes)
