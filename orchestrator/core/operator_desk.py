"""The operator agent where people meet it: recommendations offered, approved, rejected, taken back, stopped.

What is under way is carried out by :class:`orchestrator.core.application.Application`; what may be done is
said by the safety agent through the gate, and by the mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import structlog

from orchestrator.clock import Clock
from orchestrator.config import OperatorSettings
from orchestrator.core.application import Application
from orchestrator.core.approvals import Approvals
from orchestrator.core.operator_gate import Gate
from orchestrator.core.operator_modes import OperatorModes
from orchestrator.core.plant_facts import PlantFacts, good_values
from orchestrator.core.recommendation_intake import Intake
from orchestrator.core.recommendation_journal import RecommendationJournal
from orchestrator.errors import (
    ConflictError,
    DanGError,
    ParameterError,
    RefusedError,
    UnavailableError,
    UnsafeError,
)
from orchestrator.modules.optimization.operator.content import (
    followed,
    moved_elsewhere,
    moved_tags,
    stored_proposal,
)
from orchestrator.modules.optimization.operator.life_cycle import ACTIVE
from orchestrator.modules.optimization.operator.objections import in_words
from orchestrator.modules.optimization.safety import Verdict
from orchestrator.plant.write_rules import persons
from orchestrator.state.records import FeedbackRecord, RecommendationRecord
from orchestrator.state.repositories import Store
from orchestrator.write_records import Stop, WriteRecord

log = structlog.get_logger(__name__)

WAITING = frozenset({"awaiting_approval", "awaiting_second_approval"})
BY_HAND = "advisory: to be done by hand"
LONGEST_WAIT_SECONDS = 120.0
"""Steps that are due later are left to the ticks of the assessments."""
Spawn = Callable[[Coroutine[Any, Any, None]], None]


class OperatorDesk:
    """Takes recommendations in, and what people say to them.

    Args:
        application: Carries out what is approved.
        spawn: Runs what has become due right after a person's word; null where plant time is a
            simulation's, which has to stand still meanwhile, so that it waits for the next tick.
    """

    def __init__(
        self,
        store: Store,
        journal: RecommendationJournal,
        modes: OperatorModes,
        facts: PlantFacts,
        gate: Gate,
        approvals: Approvals,
        intake: Intake,
        application: Application,
        clock: Clock,
        settings: OperatorSettings,
        *,
        spawn: Spawn | None,
    ) -> None:
        self.modes = modes
        self._store = store
        self._journal = journal
        self._facts = facts
        self._gate = gate
        self._approvals = approvals
        self._intake = intake
        self._application = application
        self._clock = clock
        self._settings = settings
        self._spawn = spawn
        self._one_at_a_time = asyncio.Lock()
        self._waking = False

    async def restore(self) -> None:
        """Find out where each recommendation stood when the process ended, and hold what was under way.

        Nothing is written here. With ``after_restart: resume`` what is known to be done is gone on with.
        """
        await self.modes.restore()
        await self._journal.restore()
        records = await self._journal.records()
        under_way = [
            r for r in records if r.state in ACTIVE or await self._approvals.to_be_written(r)
        ]
        await self._application.restore_verified()
        await self._gate.recover()
        await self._gate.restore_alarms({r.id for r in records if r.state == "held"})
        for record in under_way:
            unknown = await self._application.settle_interrupted(record)
            if record.state == "held":
                continue
            if unknown:
                await self._journal.enter(record, "hold", reason="; ".join(unknown))
            elif record.state != "verifying" and self._settings.after_restart == "hold":
                reason = "the process was restarted; say whether it goes on or back"
                await self._journal.enter(record, "hold", reason=reason)

    # -- recommendations come ----------------------------------------------------------------

    async def take(self, content: Mapping[str, Any], job_id: str | None) -> RecommendationRecord:
        """Store a recommendation, have it checked, and offer it or say why not.

        Args:
            content: Moves, worth, evidence and the rest.
            job_id: The job that proposed it.
        """
        async with self._one_at_a_time:
            record = await self._intake.take(content, job_id)
        if record.state == "approved":
            self._soon()
        return record

    # -- people say ---------------------------------------------------------------------------

    async def approve(
        self, id_: str, by: str, digest: str, comment: str = ""
    ) -> RecommendationRecord:
        """Approve a recommendation, by name, for the content of that digest.

        Raises:
            NotFoundError: there is none.
            ParameterError: no name is given.
            ConflictError: the content or what matters of the situation is not what is approved, its
                time is over, its state does not allow it, or a second person is needed.
            UnsafeError: the safety agent forbids the moves as the plant is now.
        """
        by = named(by)
        async with self._one_at_a_time:
            record = await self._store.recommendations.get(id_)
            record = await self._approvals.unexpired(record)
            if record.state not in ("awaiting_approval", "awaiting_second_approval"):
                raise ConflictError(
                    f"the recommendation is {record.state.replace('_', ' ')} and awaits no approval",
                    remedy="look at it again before you decide",
                    context={"state": record.state},
                )
            if digest != record.digest or self._approvals.digest_now(record) != record.digest:
                raise ConflictError(
                    f"the digest {digest[:12]}… is not that of the stored content",
                    where="digest",
                    why="an approval counts for exactly what the person has seen",
                    remedy="read the recommendation again and approve with the digest it shows",
                    context={"digest": record.digest},
                )
            facts = await self._facts.now()
            relevant = self._facts.relevant(record.document, facts)
            record = await self._approvals.unchanged(record, relevant)
            given = await self._approvals.standing(record)
            earlier = [approval.by for approval in given]
            if len(persons([*earlier, by])) == len(persons(earlier)):
                raise ConflictError(
                    f"{by} has approved it already; a second person is needed",
                    remedy="have another person approve it",
                )
            approval = self._approvals.made(record, relevant, by, comment, None, at=facts.at)
            verdict = await self._approvals.check(
                record, facts, relevant, approvals=(*given, approval)
            )
            if verdict.outcome == "vetoed":
                remedies = dict.fromkeys(item.remedy for item in verdict.vetoes if item.remedy)
                raise UnsafeError(
                    in_words(verdict.vetoes),
                    where=f"recommendation {record.id}",
                    remedy="; ".join(remedies),
                    context={"findings": [item.document() for item in verdict.vetoes]},
                )
            enough = verdict.outcome == "allowed"
            approved = await self._journal.enter(
                record,
                "approve" if enough else "approve_first",
                actor="person",
                by=by,
                reason=comment if self._writes or not enough else _joined(BY_HAND, comment),
                approval=approval,
            )
            if approved.state == "approved" and self._writes:
                self._soon()
            return approved

    async def reject(self, id_: str, by: str, reason: str) -> RecommendationRecord:
        """Reject a recommendation, by name and with a reason, which learning is told.

        Raises:
            NotFoundError: there is none.
            ParameterError: no name or no reason is given.
            ConflictError: its state does not allow it.
        """
        by = named(by)
        if not reason.strip():
            raise ParameterError.of_field("reason", "is empty: say why, others will learn from it")
        async with self._one_at_a_time:
            record = await self._store.recommendations.get(id_)
            rejected = await self._journal.enter(
                record, "reject", actor="person", by=by, reason=reason
            )
            await self._tell_learning(rejected, reason, by)
            return rejected

    async def resume(self, id_: str, by: str, reason: str = "") -> RecommendationRecord:
        """Let a held recommendation go on, by name, from where the handles are now.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is not held, was on its way back, has a write of unknown end, or its time was
                over before anything was written.
            RefusedError: the mode is advisory, or all writing is stopped.
            UnavailableError: a set point cannot be read.
        """
        by = named(by)
        async with self._one_at_a_time:
            record = await self._store.recommendations.get(id_)
            await self._may_write()
            await self._settled(record)
            steps = await self._store.recommendation_steps.of(record.id)
            if any(step.direction == "roll_back" for step in steps):
                raise ConflictError(
                    "it was on its way back, and does not turn round again",
                    remedy="roll it back, and ask for new set points",
                )
            over = record.expires_at is None or self._clock.now() >= record.expires_at
            if over and not any(step.state == "done" for step in steps):
                raise ConflictError(
                    "its time is over, and nothing of it was written: no approval of it counts any more",
                    where=f"recommendation {record.id}",
                    remedy="end it with a rollback, and ask for new set points",
                )
            resumed = await self._application.resume(record, reason, actor="person", by=by)
        self._soon()
        return resumed

    async def roll_back(self, id_: str, by: str, reason: str = "") -> RecommendationRecord:
        """Bring the handles back to where they came from, by name, at the allowed rate.

        Raises:
            NotFoundError: there is none.
            ConflictError: nothing of it was written, or a newer one moves the same handles.
            RefusedError: the mode is advisory, or all writing is stopped.
            UnavailableError: a set point cannot be read.
        """
        by = named(by)
        async with self._one_at_a_time:
            record = await self._store.recommendations.get(id_)
            await self._may_write()
            await self._settled(record)
            mine = set(moved_tags(record.document))
            for other in await self._journal.records():
                if (
                    other.id != id_
                    and other.state in ACTIVE
                    and mine & {*moved_tags(other.document)}
                ):
                    raise ConflictError(
                        f"recommendation {other.id} moves the same handles now",
                        remedy="stop or roll back that one first",
                    )
            rolling = await self._application.roll_back(record, reason, actor="person", by=by)
        self._soon()
        return rolling

    async def leave(self, id_: str, by: str, reason: str) -> RecommendationRecord:
        """End a held recommendation with the handles where they are, by name: they are free for a newer one.

        Neither on nor back may be safe, while new set points would bring limits back. It may be rolled back
        still, later.

        Raises:
            NotFoundError: there is none.
            ParameterError: no name or no reason is given.
            ConflictError: it is not held.
        """
        by = named(by)
        if not reason.strip():
            raise ParameterError.of_field("reason", "is empty: say why the handles stay")
        async with self._one_at_a_time:
            record = await self._store.recommendations.get(id_)
            if record.state != "held":
                raise ConflictError(
                    f"the recommendation is {record.state.replace('_', ' ')}, and not held",
                    remedy="only what is held can be left where it is",
                    context={"state": record.state},
                )
            return await self._journal.enter(
                record, "stop", actor="person", by=by, reason=f"left where it is: {reason}"
            )

    async def stop(self, by: str, reason: str = "") -> Stop:
        """Stop all writing, at once; what is under way ends where it is."""
        # The flag first and without waiting: the writer looks at it before each call.
        stop = await self._gate.stop.press(by.strip() or "unnamed", reason)
        self._soon()
        return stop

    async def release(self, by: str) -> Stop | None:
        """Release the stop, by name; nothing that it ended goes on by itself.

        Raises:
            ParameterError: no name is given.
        """
        return await self._gate.stop.release(named(by))

    async def stopped(self) -> Stop | None:
        """The stop that is on."""
        return await self._gate.stop.on()

    async def live(self) -> list[RecommendationRecord]:
        """Recommendations that have not ended, oldest first."""
        return await self._journal.records()

    async def verdicts(self) -> list[tuple[RecommendationRecord, Verdict]]:
        """What the safety agent says now of each recommendation that waits for a person; nothing changes."""
        waiting = [r for r in await self._journal.records() if r.state in WAITING]
        if not waiting:
            return []
        facts = await self._facts.now()
        return [(r, await self._gate.check(stored_proposal(r), facts)) for r in waiting]

    async def settle(
        self, write_id: str, state: Literal["done", "not_done"], by: str, reason: str
    ) -> WriteRecord:
        """Give a write of unknown end the one that a person has seen at the panel.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: its end is known.
        """
        return await self._gate.settle(write_id, state, by=named(by), why=reason)

    # -- time passes --------------------------------------------------------------------------

    async def tick(self) -> None:
        """Do what is due: expire, see whether a person has followed, begin, go on, verify."""
        if not self._journal.live or self._one_at_a_time.locked():
            return
        async with self._one_at_a_time:
            for record in await self._journal.records():
                try:
                    if record.state in ACTIVE:
                        await self._application.advance(record)
                    else:
                        await self._look_at_open(record)
                except ConflictError as error:
                    log.info("a recommendation has moved on", id=record.id, error=str(error))
                except UnavailableError as error:
                    log.error("a recommendation waits", id=record.id, error=str(error))

        self._wake_for(self._application.next_due)

    def _wake_for(self, due: datetime | None) -> None:
        """Have a step written when it is due: waiting for the next assessment would halve its pace."""
        if self._spawn is None or due is None or self._waking:
            return
        ahead = (due - self._clock.now()).total_seconds()
        if ahead <= LONGEST_WAIT_SECONDS:
            self._waking = True
            self._spawn(self._tick_after(ahead))

    async def _tick_after(self, seconds: float) -> None:
        try:
            await asyncio.sleep(max(0.0, seconds))
        finally:
            self._waking = False
        await self.tick()

    async def _look_at_open(self, record: RecommendationRecord) -> None:
        if await self._approvals.to_be_written(record) and self._writes:
            await self._begin(record)
            return
        facts = await self._facts.now()
        values = good_values(facts)
        plant = self._facts.plant
        if record.state != "proposed" and followed(record.document, plant, values):
            reason = "every handle is where the recommendation wants it, and we wrote nothing"
            await self._journal.enter(record, "follow", reason=reason)
        elif record.expires_at is not None and self._clock.now() >= record.expires_at:
            await self._journal.enter(record, "expire", reason="its time is over")
        elif away := moved_elsewhere(record.document, plant, values):
            reason = f"{', '.join(away)} was moved elsewhere"
            await self._journal.enter(record, "expire", reason=reason)

    async def _begin(self, record: RecommendationRecord) -> None:
        """Enter upon an approved recommendation, if all that was approved still is so."""
        record = await self._approvals.unexpired(record)
        facts = await self._facts.now()
        record = await self._approvals.unchanged(
            record, self._facts.relevant(record.document, facts)
        )
        await self._application.advance(await self._application.begin(record, facts))

    async def close(self) -> None:
        """Let go of the plant; what is under way is found again at the next start."""
        async with self._one_at_a_time:
            await self._gate.close()

    # -- inside -------------------------------------------------------------------------------

    @property
    def _writes(self) -> bool:
        return self.modes.mode != "advisory"

    def _soon(self) -> None:
        if self._spawn is not None:
            self._spawn(self._tick_soon())

    async def _tick_soon(self) -> None:
        # The request that asked for it lets go of the lock first.
        async with self._one_at_a_time:
            pass
        await self.tick()

    async def _may_write(self) -> None:
        if not self._writes:
            raise RefusedError(
                "the operator agent is advisory: it writes nothing",
                remedy="do it by hand, or set the mode: dan-g operator mode supervised",
            )
        stop = await self._gate.stop.on()
        if stop is not None:
            raise RefusedError(
                f"all writing was stopped by {stop.by}: {stop.why}",
                remedy="release it first: dan-g operator release --by NAME",
            )

    async def _settled(self, record: RecommendationRecord) -> None:
        unknown = await self._application.settle_interrupted(record)
        if unknown:
            raise ConflictError(
                "; ".join(unknown),
                remedy="read the set point at the panel, then: dan-g operator settle",
            )

    async def _tell_learning(self, record: RecommendationRecord, reason: str, by: str) -> None:
        """A rejection is a verdict on the decision that led to it."""
        for item in record.document.get("evidence", ()):
            decision_id = item.get("decision_id")
            if decision_id is None:
                continue
            try:
                await self._store.feedback.add(
                    FeedbackRecord(
                        id=uuid4().hex,
                        decision_id=decision_id,
                        created_at=self._clock.now(),
                        verdict="wrong",
                        comment=f"recommendation rejected: {reason}",
                        author=by,
                    )
                )
            except DanGError as error:
                log.warning("a rejection was not learned from", error=str(error))


def named(by: str) -> str:
    """A person's name, as it was given, without spaces around it.

    Raises:
        ParameterError: it is empty, or the name of one of our own parts.
    """
    name = " ".join(by.split())
    known = persons([name])
    if not known:
        raise ParameterError.of_field("by", "is empty: this is done by a named person")
    if known & RESERVED:
        raise ParameterError.of_field("by", f"{name!r} is no person's name")
    return name


RESERVED = frozenset({"operator agent", "safety agent", "system", "operator"})


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
