"""All that must be so at the instant of a write, looked up afresh: the writer believes no one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from orchestrator.clock import Clock
from orchestrator.errors import PlantRefusedError, UnavailableError
from orchestrator.plant.envelope import Envelope, Grant
from orchestrator.plant.samples import Quality
from orchestrator.plant.stop_switch import StopSwitch
from orchestrator.plant.write_facts import Facts, TagValue
from orchestrator.plant.write_journal import WriteJournal
from orchestrator.plant.write_rules import (
    RATE_WINDOW_SECONDS,
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
from orchestrator.write_records import WriteRecord
from orchestrator.write_settings import TagEnvelope

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


class _Known(NamedTuple):
    """Plant seconds since when an end is known, whether this process gave it, and the write's intent."""

    since: float
    intended_at: datetime
    ours: bool


FactsNow = Callable[[], Awaitable[Facts]]
"""Asks for the plant as it is known now. Stop, locks, own moves and the permission to write are the
writer's own to find out, and are not taken from it."""
GrantOf = Callable[[str], Awaitable[Grant | None]]


async def no_grant(grant_id: str) -> Grant | None:  # noqa: ARG001
    """For a writer without autonomous grants."""
    return None


class WriteCheck:
    """Checks a permit against the plant as it is now.

    Args:
        target: Tells what the plant holds.
        envelope: What may be written.
        journal: Earlier writes.
        facts: The plant as it is known now.
        stop: The stop.
        clock: Time of the plant.
        enabled: ``plant.write_enabled``.
        grant: Looks up an autonomous grant.
        plant_seconds: Seconds of plant time that no one can set back or forward.
    """

    def __init__(
        self,
        target: WriteTarget,
        envelope: Envelope,
        journal: WriteJournal,
        facts: FactsNow,
        stop: StopSwitch,
        clock: Clock,
        *,
        enabled: bool,
        grant: GrantOf = no_grant,
        plant_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._envelope = envelope
        self._journal = journal
        self._facts = facts
        self._stop = stop
        self._clock = clock
        self._enabled = enabled
        self._grant = grant
        self._plant_seconds = plant_seconds
        self._known: dict[tuple[str, datetime], _Known] = {}
        """Write and the end it was given -> since when this process knows of it."""
        self._unreadable: set[str] = set()

    def ended(self, record: WriteRecord) -> None:
        """Note that this process gave a write its end now, and forget those that no window reaches."""
        now = self._plant_seconds()
        windows = [own.cumulative_minutes * 60 for own in self._envelope.settings.tags.values()]
        oldest = now - max(windows, default=0.0) - RATE_WINDOW_SECONDS
        self._known = {key: item for key, item in self._known.items() if item.since >= oldest}
        if record.ended_at is not None:
            self._known[record.id, record.ended_at] = _Known(now, record.intended_at, ours=True)

    async def findings(
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
            found += await self._authority_findings(
                permit, own, observed.value, past, start, now, own_write
            )
        stop = await self._stop.on()
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
        observed = await self.observe(tag) if own is not None else None
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
            # Twice the window: after a clock was set back, some of it lies ahead. And all that monotonic
            # time does not let go of, wherever the clock was set.
            begin = now - 2 * timedelta(minutes=own.cumulative_minutes)
            since = min([begin, *(item.intended_at for item in self._known.values())])
            rows = await self._journal.moves(tag, since)
            past = [self._aged(r, now) for r in rows if r.id != own_write]
            # Times in the data are the plant's, which may be that much behind ours.
            early = timedelta(seconds=self._envelope.settings.clock_tolerance)
            past += [
                Aged(age_seconds(move.at + early, now), move.travel)
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

        The plant may have carried it out at any instant up to its known end. Monotonic time bounds the
        age from where this process first saw that end, so that a clock set forward ages nothing that
        this process wrote, and one set back keeps nothing young. A write of another process, of before
        or of beside us, was stamped within the tolerance of the plant's clock, as the present is.
        """
        if record.ended_at is None:
            return Aged(0.0, record.travel)
        age = age_seconds(record.ended_at, now)
        seconds = self._plant_seconds()
        known = self._known.setdefault(
            (record.id, record.ended_at), _Known(seconds, record.intended_at, ours=False)
        )
        seen_for = seconds - known.since
        if known.ours:
            return Aged(min(age, seen_for), record.travel)
        age -= 2 * self._envelope.settings.clock_tolerance
        return Aged(max(0.0, age, seen_for), record.travel)

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
        own_write: str | None,
    ) -> list[Finding]:
        """Limits and rates by who answers for the move: one person, two, or a grant."""
        approved = persons(permit.approvers)
        found: list[Finding] = []
        if not approved:
            if permit.grant_id is None:
                return [Finding("not-approved", "nobody approved this move", "approve it by name")]
            grant = await self._grant(permit.grant_id)
            used = await self._journal.moves_under_grant(permit.grant_id)
            used -= own_write is not None  # it is journalled by then
            found += grant_findings(grant, permit.tag, permit.value, own, used, now)
            if grant is not None and permit.tag in grant.tags:
                own = narrowed(own, grant, permit.tag)
        began = present if start is None else start
        for item in move_findings(own, permit.tag, present, permit.value, past, start=began):
            if item.weight == "veto" or (item.weight == "second_person" and len(approved) < 2):
                found.append(item)
        return found

    async def observe(self, tag: str) -> Observation | None:
        """What the plant holds now; None where it cannot be read in time."""
        try:
            async with asyncio.timeout(self._envelope.settings.call_timeout):
                seen = await self._target.read(tag)
        except (UnavailableError, PlantRefusedError, TimeoutError, OSError) as error:
            if tag not in self._unreadable:  # told once, for it is tried again and again
                self._unreadable.add(tag)
                log.warning("write.unreadable", tag=tag, error=str(error))
            return None
        self._unreadable.discard(tag)
        return seen
