"""The writer: the one door through which anything is written to the plant.

A write goes through these stations, each of which can only end in less being written:

1. All rules are checked against the plant as it is now; the permit is believed in nothing but who
   approved what.
2. The write is journalled as ``intended``, durably, which uses the permit up and locks the tag.
3. The rules are checked once more, and the stop last, with nothing awaited between it and the call.
4. The value is sent, once.
5. It is read back until it agrees, or time is over; the journal gets the end.

A process killed anywhere leaves at most one ``intended`` write for each tag. :meth:`Writer.recover`
reads that tag: the new value is ``done``, and anything else is ``unverified``: the tag stays locked until
a person has settled it. The old value alone proves nothing, however long it stands: the plant may carry
a request out late. It is ``not_done`` only where the plant has said that it did not write. No end is
guessed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Literal
from uuid import uuid4

import structlog

from orchestrator.clock import Clock
from orchestrator.errors import ConflictError, PlantRefusedError, UnavailableError
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.samples import Quality
from orchestrator.plant.stop_switch import StopSwitch
from orchestrator.plant.write_check import FactsNow, GrantOf, Permit, WriteCheck, no_grant
from orchestrator.plant.write_journal import WriteJournal
from orchestrator.plant.write_rules import Finding, persons, stopped_finding
from orchestrator.plant.write_target import Observation, WriteTarget
from orchestrator.write_records import WriteRecord, WriteState
from orchestrator.write_settings import TagEnvelope

READ_BACK_SECONDS = 0.2
"""Pause between two read-backs, s."""
STALL_SECONDS = 5.0
"""A write that is not sent this long after it was journalled is given up: someone may have concluded."""

log = structlog.get_logger(__name__)

OnAlarm = Callable[[WriteRecord], Awaitable[None]]


async def log_alarm(record: WriteRecord) -> None:
    """Tells of a write that was refused, not done or not verified in the log alone."""
    log.warning(
        "write.not_as_wanted",
        state=record.state,
        tag=record.tag,
        value=record.value,
        why=record.text,
    )


class Writer:
    """Writes set points, one at a time.

    Args:
        target: What is written to.
        envelope: What may be written.
        journal: Where each write is kept.
        facts: The plant as it is known now.
        clock: Time of the plant: wall time, or the simulation's.
        enabled: ``plant.write_enabled``.
        grant: Looks up an autonomous grant.
        alarm: Told of each write that does not end ``done``.
        plant_seconds: Seconds of plant time that no one can set back or forward; they bound what the
            clock may say. Monotonic time for a live plant, the clock itself for a simulation.
        monotonic: Seconds of this process, by which answers are waited for.
        sleep: Waits that long.

    Attributes:
        stop: The stop of all writing, to be pressed by anyone.
    """

    def __init__(
        self,
        target: WriteTarget,
        envelope: Envelope,
        journal: WriteJournal,
        facts: FactsNow,
        clock: Clock,
        *,
        enabled: bool,
        grant: GrantOf = no_grant,
        alarm: OnAlarm = log_alarm,
        plant_seconds: Callable[[], float] = time.monotonic,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stop = StopSwitch(journal, clock)
        self._target = target
        self._envelope = envelope
        self._journal = journal
        self._clock = clock
        self._alarm = alarm
        self._monotonic = monotonic
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()
        self._check = WriteCheck(
            target,
            envelope,
            journal,
            facts,
            self.stop,
            clock,
            enabled=enabled,
            grant=grant,
            plant_seconds=plant_seconds,
        )

    async def write(self, permit: Permit) -> WriteRecord:
        """Carry out one step; the record tells how it ended, also when it was refused.

        Raises:
            DatabaseUnavailableError: the journal cannot be reached. Before the write is sent nothing
                has been written; after it the write stays ``intended``, for :meth:`recover`.
        """
        async with self._one_at_a_time:
            findings, observed = await self._check.findings(permit)
            if findings:
                return await self._refused(permit, findings, observed)
            assert observed is not None
            record = self._record(permit, "intended", observed.value)
            try:
                await self._journal.intend(record)
            except ConflictError as error:
                return await self._refused(permit, [_conflict(error)], observed)
            return await self._carry_out(record, permit)

    async def recover(self) -> tuple[WriteRecord, ...]:
        """Find the end of every write that has none, by reading the plant; call it at start.

        Returns:
            The writes as they are now; those still ``unverified`` lock their tag.
        """
        async with self._one_at_a_time:
            intended = [r for r in await self._journal.open_writes() if r.state == "intended"]
            end = self._monotonic() + max(
                (own.readback_timeout for r in intended if (own := self._envelope.tag(r.tag))),
                default=0.0,
            )
            return tuple([await self._recovered(record, end) for record in intended])

    async def settle(
        self,
        write_id: str,
        state: Literal["done", "not_done"],
        *,
        by: str,
        why: str,
    ) -> WriteRecord:
        """Give an unverified write the end that a person has seen at the panel; unlocks its tag.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: it is not unverified.
            ParameterError: no name is given.
        """
        return await self._journal.settle(write_id, state, self._clock.now(), by=by, why=why)

    async def _carry_out(self, record: WriteRecord, permit: Permit) -> WriteRecord:
        """Stations 3 to 5 for a write that is journalled."""
        own = self._envelope.tag(record.tag)
        assert own is not None
        journalled = self._monotonic()
        findings, observed = await self._check.findings(permit, record.id)
        held = observed.value if observed is not None else None
        if self._monotonic() - journalled > STALL_SECONDS:
            findings.append(Finding("stalled", "the checks took too long", "try again"))
        if held is not None and _is_at(record, own, held) != "old":
            findings.append(
                Finding("moved-since", f"{record.tag} was moved meanwhile", tag=record.tag)
            )
        # Nothing is awaited from here to the call, so that no stop of this process falls between.
        if self.stop.pressed is not None and not findings:
            findings.append(stopped_finding(self.stop.pressed))
        if findings:
            return await self._ended(record, "refused", findings, held)
        sent = self._monotonic()
        answer: Finding | None = None
        try:
            async with asyncio.timeout(self._envelope.settings.call_timeout):
                await self._target.write(record.tag, record.value)
        except PlantRefusedError as error:
            remedy = error.remedy or "look at the mode of the loop"
            answer = Finding("plant-refused", str(error), remedy, record.tag)
        except (UnavailableError, TimeoutError, OSError) as error:
            said = str(error) or "no answer in time"
            answer = Finding("no-answer", said, "see that the control system answers", record.tag)
        return await self._verified(record, own, answer, sent + own.readback_timeout)

    async def _verified(
        self, record: WriteRecord, own: TagEnvelope, answer: Finding | None, end: float
    ) -> WriteRecord:
        """Read back until the new value is there or time is over, and conclude.

        The old value proves something only with a refusal: else the plant may be at work on it still.
        """
        refused = answer is not None and answer.code == "plant-refused"
        while True:
            seen = await self._check.observe(record.tag)
            value = seen.value if seen is not None and seen.quality is Quality.GOOD else None
            if value is not None and _is_at(record, own, value) == "new":
                return await self._ended(record, "done", _maybe(answer), value)
            if refused and value is not None and _is_at(record, own, value) == "old":
                return await self._ended(record, "not_done", _maybe(answer), value)
            if self._monotonic() >= end:
                break
            await self._sleep(READ_BACK_SECONDS)
        return await self._ended(
            record, "unverified", [*_maybe(answer), _unclear(record, value)], value
        )

    async def _recovered(self, record: WriteRecord, end: float) -> WriteRecord:
        own = self._envelope.tag(record.tag)
        lost = Finding("process-ended", "the process ended during the write")
        if own is None or record.before is None:
            why = Finding("not-on-write-list", f"{record.tag} is no longer on the write list")
            return await self._ended(record, "unverified", [lost, why], None)
        return await self._verified(record, own, lost, end)

    async def _ended(
        self,
        record: WriteRecord,
        state: WriteState,
        findings: Sequence[Finding],
        read_back: float | None,
    ) -> WriteRecord:
        try:
            ended = await self._journal.end(
                record.id,
                state,
                self._clock.now(),
                read_back=read_back,
                reasons=tuple(item.code for item in findings),
                text="; ".join(item.text for item in findings),
            )
        except ConflictError:
            return await self._journal.get(record.id)  # another process has concluded
        self._check.ended(ended)
        if state == "done":
            log.info("write.done", tag=record.tag, before=record.before, value=record.value)
        else:
            await self._alarm(ended)
        return ended

    async def _refused(
        self, permit: Permit, findings: Sequence[Finding], observed: Observation | None
    ) -> WriteRecord:
        now = self._clock.now()
        record = replace(
            self._record(permit, "refused", observed.value if observed else None),
            ended_at=now,
            reasons=tuple(item.code for item in findings),
            text="; ".join(item.text for item in findings),
        )
        await self._journal.refuse(record)
        await self._alarm(record)
        return record

    def _record(self, permit: Permit, state: WriteState, before: float | None) -> WriteRecord:
        return WriteRecord(
            id=uuid4().hex,
            permit_id=permit.id,
            recommendation_id=permit.recommendation_id,
            digest=permit.digest,
            step=permit.step,
            tag=permit.tag,
            before=before,
            value=permit.value,
            approvers=permit.approvers,
            grant_id=permit.grant_id if not persons(permit.approvers) else None,
            state=state,
            intended_at=self._clock.now(),
        )


def _is_at(record: WriteRecord, own: TagEnvelope, value: float) -> Literal["new", "old", "neither"]:
    """Which of the two values the plant holds; a small move narrows the tolerance, so never both."""
    assert record.before is not None
    near = min(own.tolerance, abs(record.value - record.before) / 4)
    if abs(value - record.value) <= near:
        return "new"
    return "old" if abs(value - record.before) <= near else "neither"


def _unclear(record: WriteRecord, value: float | None) -> Finding:
    shown = "cannot be read" if value is None else f"is at {value:g}"
    return Finding(
        "to-be-verified",
        f"{record.tag} {shown}; {record.value:g} was to be written over {record.before:g}",
        "read the set point at the panel and settle the write",
        record.tag,
        value,
    )


def _maybe(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]


def _conflict(error: ConflictError) -> Finding:
    return Finding("already-written", str(error), error.remedy or "")
