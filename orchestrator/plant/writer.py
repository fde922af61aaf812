"""The writer: the one door through which anything is written to the plant.

A write goes through these stations, each of which can only end in less being written:

1. All rules are checked against the plant as it is now; the permit is believed in nothing but who
   approved what.
2. The write is journalled as ``intended``, durably, which uses the permit up and locks the tag.
3. The rules are checked once more, and the stop last, with nothing awaited between it and the call.
4. The value is sent, once.
5. It is read back until it agrees, or time is over; the journal gets the end.

A process killed anywhere leaves at most one ``intended`` write for each tag. :meth:`Writer.recover`
reads that tag: the new value is ``done``, the old one, once the plant can no longer be working on the
request, is ``not_done``, and anything else is ``unverified``: the tag stays locked until a person has
settled it. No end is guessed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

import structlog

from orchestrator.clock import Clock
from orchestrator.errors import ConflictError, ParameterError, PlantRefusedError, UnavailableError
from orchestrator.plant.envelope import Envelope, Grant
from orchestrator.plant.samples import Quality
from orchestrator.plant.write_facts import Facts, TagValue
from orchestrator.plant.write_journal import WriteJournal
from orchestrator.plant.write_rules import (
    Aged,
    Finding,
    age_seconds,
    grant_findings,
    move_findings,
    narrowed,
    persons,
    plant_findings,
    stopped_finding,
)
from orchestrator.plant.write_target import Observation, WriteTarget
from orchestrator.write_records import Stop, WriteRecord, WriteState
from orchestrator.write_settings import TagEnvelope

READ_BACK_SECONDS = 0.2
"""Pause between two read-backs, s."""
STALL_SECONDS = 5.0
"""A write that is not sent this long after it was journalled is given up: someone may have concluded."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Permit:
    """What the safety agent issues for one step of one recommendation; it can be used once.

    Attributes:
        id: Its own.
        recommendation_id: What the step belongs to.
        digest: SHA-256 of the content that was approved.
        step: Number of the step, from 0.
        tag: Tag to be written.
        before: Value that the tag is expected to have, in its unit.
        value: Value to be written, in the tag's unit.
        approvers: Persons who approved this content.
        grant_id: The autonomous grant to be used where nobody approved.
        valid_until: The permit is void from then on.
    """

    id: str
    recommendation_id: str
    digest: str
    step: int
    tag: str
    before: float
    value: float
    approvers: tuple[str, ...]
    grant_id: str | None
    valid_until: datetime


FactsNow = Callable[[], Awaitable[Facts]]
"""Asks for the plant as it is known now. Stop, locks, own moves and the permission to write are the
writer's own to find out, and are not taken from it."""
GrantOf = Callable[[str], Awaitable[Grant | None]]
OnAlarm = Callable[[WriteRecord], Awaitable[None]]


async def no_grant(grant_id: str) -> Grant | None:  # noqa: ARG001
    """For a writer without autonomous grants."""
    return None


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
        self._target = target
        self._envelope = envelope
        self._journal = journal
        self._facts = facts
        self._clock = clock
        self._enabled = enabled
        self._grant = grant
        self._alarm = alarm
        self._plant_seconds = plant_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._began = plant_seconds()
        self._sent: dict[str, float] = {}
        """Write -> plant seconds at which this process sent it."""
        self._one_at_a_time = asyncio.Lock()
        self._stop: Stop | None = None
        self._stop_saved = False

    async def write(self, permit: Permit) -> WriteRecord:
        """Carry out one step; the record tells how it ended, also when it was refused.

        Raises:
            DatabaseUnavailableError: the journal cannot be reached. Before the write is sent nothing
                has been written; after it the write stays ``intended``, for :meth:`recover`.
        """
        async with self._one_at_a_time:
            findings, observed = await self._check(permit)
            if findings:
                return await self._refused(permit, findings, observed)
            assert observed is not None
            record = self._record(permit, "intended", observed.value)
            try:
                await self._journal.intend(record)
            except ConflictError as error:
                return await self._refused(permit, [_conflict(error)], observed)
            return await self._carry_out(record, permit)

    async def stop(self, by: str, why: str = "") -> Stop:
        """Stop all writing, at once and until a named person releases it; it survives a restart."""
        self._stop, self._stop_saved = Stop(uuid4().hex, by, self._clock.now(), why), False
        log.warning("write.stopped", by=by, why=why)
        kept = await self._journal.stop(by, why, self._clock.now())
        self._stop, self._stop_saved = kept, True
        return kept

    async def release(self, by: str) -> Stop | None:
        """Release the stop.

        Raises:
            ParameterError: no name is given.
        """
        if not by.strip():
            raise ParameterError("a stop is released by a named person", where="by")
        released = await self._journal.release(by, self._clock.now())
        self._stop = None
        log.warning("write.released", by=by)
        return released

    async def stopped(self) -> Stop | None:
        """The stop that is on, whoever set it, in this process or another.

        Raises:
            DatabaseUnavailableError: the journal cannot be reached, and this process knows of no stop.
        """
        pressed, saved = self._stop, self._stop_saved
        if pressed is not None and not saved:
            return pressed
        found = await self._journal.stopped()
        if found is None and pressed is not None and self._stop is pressed:
            self._stop = None  # another process released it
        return self._stop or found

    async def recover(self) -> tuple[WriteRecord, ...]:
        """Find the end of every write that has none, by reading the plant; call it at start.

        Returns:
            The writes as they are now; those still ``unverified`` lock their tag.
        """
        async with self._one_at_a_time:
            intended = [r for r in await self._journal.open_writes() if r.state == "intended"]
            return tuple([await self._recovered(record) for record in intended])

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

    async def _check(
        self, permit: Permit, own_write: str | None = None
    ) -> tuple[list[Finding], Observation | None]:
        """All rules against fresh values; the stop is looked at last."""
        facts, observed, past, under_way, start = await self._look(permit, own_write)
        own = self._envelope.tag(permit.tag)
        now = self._clock.now()
        found = list(
            plant_findings(permit.tag, self._envelope, facts, under_way=under_way, now=now)
        )
        found += self._permit_findings(permit, now)
        found += self._observed_findings(permit, own, observed, now)
        if own is not None and observed is not None and observed.value is not None:
            found += await self._authority_findings(permit, own, observed.value, past, start, now)
        stop = await self.stopped()
        if stop is not None:
            found.append(stopped_finding(stop))
        return found, observed

    async def _look(
        self, permit: Permit, own_write: str | None
    ) -> tuple[Facts, Observation | None, list[Aged], bool, float | None]:
        """Facts, the value as the plant holds it, past moves, whether steps are made, where they began."""
        tag = permit.tag
        own = self._envelope.tag(tag)
        given = await self._facts_now()
        observed = await self._observe(tag) if own is not None else None
        now = self._clock.now()
        values = dict(given.values)
        if observed is not None:
            values[tag] = TagValue(observed.value, observed.quality, observed.plant_time)
        facts = replace(
            given,
            values=values,
            stop=None,
            locked=frozenset(
                r.tag for r in await self._journal.open_writes(tag) if r.id != own_write
            ),
            write_enabled=self._enabled,
        )
        earlier = [
            r
            for r in await self._journal.of_recommendation(permit.recommendation_id)
            if r.id != own_write
        ]
        under_way = any(r.state == "done" for r in earlier)
        start = next((r.before for r in earlier if r.tag == tag and r.travel), None)
        if start is None and observed is not None:
            start = observed.value
        past: list[Aged] = []
        if own is not None:
            # Twice the window: after a clock was set back, some of it lies ahead.
            since = now - 2 * timedelta(minutes=own.cumulative_minutes)
            rows = await self._journal.moves(tag, since)
            past = [self._aged(r, now) for r in rows if r.id != own_write]
            past += [
                Aged(age_seconds(move.at, now), move.travel)
                for move in given.moves
                if move.tag == tag and move.write_id is None
            ]
        return facts, observed, past, under_way, start

    async def _facts_now(self) -> Facts:
        try:
            async with asyncio.timeout(self._envelope.settings.call_timeout):
                return await self._facts()
        except (UnavailableError, TimeoutError) as error:
            log.info("write.no_facts", error=str(error))
            return Facts(at=self._clock.now())  # nothing is known, which refuses everything

    def _aged(self, record: WriteRecord, now: datetime) -> Aged:
        """A past write with the least age that it can have.

        In this process monotonic time bounds it, so that a clock set forward ages nothing. A write of
        an earlier process was stamped within the tolerance of the plant's clock, as the present is.
        """
        age = age_seconds(record.intended_at, now)
        sent = self._sent.get(record.id)
        if sent is not None:
            return Aged(min(age, self._plant_seconds() - sent), record.travel)
        age -= 2 * self._envelope.settings.clock_tolerance
        return Aged(max(0.0, age, self._plant_seconds() - self._began), record.travel)

    def _permit_findings(self, permit: Permit, now: datetime) -> Iterator[Finding]:
        if now >= permit.valid_until:
            yield Finding("permit-expired", "the permit is no longer valid", "ask for a new one")
        ahead = (permit.valid_until - now).total_seconds()
        if ahead > self._envelope.settings.permit_seconds + self._envelope.settings.clock_tolerance:
            yield Finding(
                "permit-too-long",
                f"the permit would be valid for {ahead:.0f} s; "
                f"{self._envelope.settings.permit_seconds:g} s is the most",
                "see that the clock was not set back, and ask for a new one",
                value=ahead,
                limit=self._envelope.settings.permit_seconds,
            )

    def _observed_findings(
        self,
        permit: Permit,
        own: TagEnvelope | None,
        observed: Observation | None,
        now: datetime,
    ) -> Iterator[Finding]:
        if own is None:
            return
        if observed is None or observed.value is None or observed.quality is not Quality.GOOD:
            yield Finding(
                "unreadable",
                f"{permit.tag} cannot be read from {self._target.name}",
                "see that the control system answers",
                permit.tag,
            )
            return
        off = abs((observed.plant_time - now).total_seconds())
        if off > self._envelope.settings.clock_tolerance:
            yield Finding(
                "clock",
                f"our clock and the control system's are {off:.0f} s apart",
                "set the clocks by one time server",
                value=off,
                limit=self._envelope.settings.clock_tolerance,
            )
        if abs(observed.value - permit.before) > own.tolerance:
            yield Finding(
                "moved-since",
                f"{permit.tag} is at {observed.value:g}, not at {permit.before:g} as was approved",
                "make a new recommendation from the present values",
                permit.tag,
                observed.value,
                permit.before,
            )

    async def _authority_findings(
        self,
        permit: Permit,
        own: TagEnvelope,
        present: float,
        past: Sequence[Aged],
        start: float | None,
        now: datetime,
    ) -> list[Finding]:
        """Limits and rates by who answers for the move: one person, two, or a grant."""
        approved = persons(permit.approvers)
        found: list[Finding] = []
        if not approved:
            if permit.grant_id is None:
                return [Finding("not-approved", "nobody approved this move", "approve it by name")]
            grant = await self._grant(permit.grant_id)
            used = await self._journal.moves_under_grant(permit.grant_id)
            found += grant_findings(grant, permit.tag, permit.value, own, used, now)
            if grant is not None and permit.tag in grant.tags:
                own = narrowed(own, grant, permit.tag)
        began = present if start is None else start
        for item in move_findings(own, permit.tag, present, permit.value, past, start=began):
            if item.weight == "veto" or (item.weight == "second_person" and len(approved) < 2):
                found.append(item)
        return found

    async def _carry_out(self, record: WriteRecord, permit: Permit) -> WriteRecord:
        """Stations 3 to 5 for a write that is journalled."""
        own = self._envelope.tag(record.tag)
        assert own is not None
        journalled = self._monotonic()
        findings, observed = await self._check(permit, record.id)
        held = observed.value if observed is not None else None
        if self._monotonic() - journalled > STALL_SECONDS:
            findings.append(Finding("stalled", "the checks took too long", "try again"))
        if held is not None and _is_at(record, own, held) != "old":
            findings.append(
                Finding("moved-since", f"{record.tag} was moved meanwhile", tag=record.tag)
            )
        # Nothing is awaited from here to the call, so that no stop of this process falls between.
        if self._stop is not None and not any(item.code == "stopped" for item in findings):
            findings.append(stopped_finding(self._stop))
        if findings:
            return await self._ended(record, "refused", findings, held)
        self._sent[record.id] = self._plant_seconds()
        sent = self._monotonic()
        answer: Finding | None = None
        try:
            async with asyncio.timeout(self._envelope.settings.call_timeout):
                await self._target.write(record.tag, record.value)
        except PlantRefusedError as error:
            answer = Finding(
                "plant-refused", str(error), "look at the mode of the loop", record.tag
            )
        except (UnavailableError, TimeoutError, OSError) as error:
            said = str(error) or "no answer in time"
            answer = Finding("no-answer", said, "see that the control system answers", record.tag)
        return await self._verified(record, own, answer, sent + own.readback_timeout)

    async def _verified(
        self, record: WriteRecord, own: TagEnvelope, answer: Finding | None, end: float
    ) -> WriteRecord:
        """Read back until the new value is there or time is over, and conclude.

        The old value proves nothing before ``end``: the plant may be at work on the request still.
        """
        while True:
            seen = await self._observe(record.tag)
            value = seen.value if seen is not None and seen.quality is Quality.GOOD else None
            if value is not None and _is_at(record, own, value) == "new":
                return await self._ended(record, "done", _maybe(answer), value)
            refused = answer is not None and answer.code == "plant-refused"
            if refused and value is not None and _is_at(record, own, value) == "old":
                assert answer is not None
                return await self._ended(record, "not_done", [answer], value)
            if self._monotonic() >= end:
                break
            await self._sleep(READ_BACK_SECONDS)
        if answer is not None and value is not None and _is_at(record, own, value) == "old":
            return await self._ended(record, "not_done", [answer], value)
        return await self._ended(
            record, "unverified", [*_maybe(answer), _unclear(record, value)], value
        )

    async def _recovered(self, record: WriteRecord) -> WriteRecord:
        own = self._envelope.tag(record.tag)
        lost = Finding("process-ended", "the process ended during the write")
        if own is None or record.before is None:
            why = Finding("not-on-write-list", f"{record.tag} is no longer on the write list")
            return await self._ended(record, "unverified", [lost, why], None)
        return await self._verified(record, own, lost, self._monotonic() + own.readback_timeout)

    async def _ended(
        self,
        record: WriteRecord,
        state: WriteState,
        findings: Sequence[Finding],
        read_back: float | None,
    ) -> WriteRecord:
        ended = await self._journal.end(
            record.id,
            state,
            self._clock.now(),
            read_back=read_back,
            reasons=tuple(item.code for item in findings),
            text="; ".join(item.text for item in findings),
        )
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

    async def _observe(self, tag: str) -> Observation | None:
        try:
            async with asyncio.timeout(self._envelope.settings.call_timeout):
                return await self._target.read(tag)
        except (UnavailableError, PlantRefusedError, TimeoutError, OSError) as error:
            log.info("write.unreadable", tag=tag, error=str(error))
            return None

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
