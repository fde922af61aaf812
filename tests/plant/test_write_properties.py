"""No sequence of requests, faults and accidents makes a write that the plant would object to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import structlog
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orchestrator.errors import ParameterError, UnsafeError
from orchestrator.modules.optimization.safety import (
    Approval,
    Proposal,
    SteadyRehearsal,
    Step,
    check,
    digest_of,
    issue_permit,
    ramp,
)
from orchestrator.plant.samples import Quality
from orchestrator.plant.stop_switch import StopSwitch
from orchestrator.plant.write_check import Permit, WriteCheck
from orchestrator.plant.write_facts import ActiveAlert
from orchestrator.plant.write_rules import Aged
from orchestrator.plant.writer import Writer
from orchestrator.write_records import WriteRecord
from tests.plant.write_world import ENVELOPE, GRANT, PLANT, TAGS, Crash, Fault, World

REHEARSE = SteadyRehearsal(PLANT)
APPROVERS = ((), ("Ann",), ("Ann", "Bob"), ("Ann", " ann "), ("  ",), ("Ann", "Bob", "Cy"))

tags = st.sampled_from((*TAGS, "FC1"))
moves = st.one_of(
    st.sampled_from([0.5, 1.0, 2.0, -1.0, -2.0, 4.0, -4.0]),
    st.sampled_from([0.0, 4.0000001, 12.5, 100.0, -3.0, float("nan"), 1e308]),
    st.floats(-15, 15).map(lambda n: round(n, 3)),
)
waits = st.one_of(
    st.sampled_from([61.0, 61.0, 66.0, 120.0]),
    st.sampled_from([0.0, 1.0, 19.0, 20.0, 59.0, 60.0, 300.0, 3600.0]),
    st.floats(0, 400),
)
steps = st.integers(0, 40)
fitting = st.tuples(
    st.just("forge"),
    st.just("FC1"),
    st.sampled_from([2.0, -2.0, 1.0, -1.0, 3.9]),
    st.sampled_from([("Ann", "Bob"), ("Ann", "Bob"), ("Ann",), ()]),
    st.sampled_from(["g1", None]),
    st.just(100.0),
    steps,
)
forged = st.tuples(
    st.just("forge"),
    tags,
    moves,
    st.sampled_from(APPROVERS),
    st.sampled_from([None, "g1", "g2"]),
    st.sampled_from([60.0, 100.0, 0.0, -10.0, 500.0]),
    steps,
)
proposed = st.tuples(st.just("propose"), tags, moves, st.sampled_from(APPROVERS), st.booleans())
writes = st.one_of(
    fitting,
    fitting,
    forged,
    proposed,
    st.tuples(st.just("step"), st.integers(0, 3)),
    st.tuples(st.just("step"), st.integers(0, 3)),
    st.tuples(st.just("replay"), st.integers(0, 5)),
)
accidents = st.one_of(
    st.tuples(st.just("mode"), st.sampled_from(["transient", "emergency", "startup", None])),
    st.tuples(st.just("quality"), st.sampled_from([0.85, 0.5])),
    st.tuples(st.just("skin"), st.sampled_from([534.9, 536.0])),
    st.tuples(st.just("pressure"), st.sampled_from([Quality.UNCERTAIN, Quality.BAD])),
    st.tuples(st.just("fault"), st.sampled_from(Fault.__args__)),  # type: ignore[attr-defined]
    st.tuples(
        st.just("crash"),
        st.sampled_from(["before_intent", "after_intent", "before_end", "after_end"]),
    ),
    st.tuples(
        st.just("clock"),
        st.one_of(st.floats(-6, 6), st.sampled_from([4.9, -4.9, 3600.0, 86400.0, -86400.0])),
    ),
    st.tuples(st.just("freeze")),
    st.tuples(st.just("unreadable")),
    st.tuples(st.just("hand"), tags, st.floats(-5, 5)),
    st.tuples(st.just("stop")),
    st.tuples(st.just("release"), st.sampled_from(["Ann", " "])),
    st.tuples(st.just("restart"), st.sampled_from([True, True, False])),
    st.tuples(st.just("beside")),
    st.tuples(st.just("beside")),
    st.tuples(st.just("alert"), st.sampled_from([(), ("FC1",), ("PI4",)])),
)
mends = st.sampled_from([(), (("mend",),), (("mend",),), (("settle", "Ann"), ("mend",))])
chapters = st.tuples(
    mends,
    st.tuples(st.just("wait"), waits),
    st.one_of(st.none(), st.none(), accidents, accidents),
    st.lists(writes, min_size=1, max_size=3),
)
stories = st.lists(chapters, min_size=6, max_size=16)


def flat(story: list[tuple]) -> Iterator[tuple]:
    """The events of all chapters."""
    for mends, wait, accident, writes in story:
        yield from mends
        yield wait
        if accident is not None:
            yield accident
        yield from writes


class Story:
    """Tells a list of events to a world."""

    def __init__(self) -> None:
        self.world = World()
        self.proposals: list[tuple[Proposal, int]] = []
        self.permits: list[Permit] = []
        self.other: Writer | None = None

    async def tell(self, story: list[tuple]) -> None:
        await self.tell_events(flat(story))

    async def tell_events(self, events: Iterable[tuple]) -> None:
        for name, *arguments in events:
            try:
                await getattr(self, name)(*arguments)
            except Crash:
                await self.restart(enabled=True)
            self.world.judge_journal()

    async def propose(
        self, tag: str, move: float, approvers: tuple[str, ...], in_one: bool
    ) -> None:
        world = self.world
        before = world.set_points[tag]
        value = before + move
        own = ENVELOPE.tag(tag)
        assert own is not None
        steps = (
            (Step(tag, before, value),)
            if in_one or not abs(move) <= 50
            else ramp(tag, before, value, own)
        )
        made = world.now()
        proposal = Proposal(
            id=uuid4().hex,
            steps=steps,
            made_by="test",
            made_at=made,
            expires_at=made + timedelta(minutes=30),
            situation_digest="situation",
            digest="",
            grant_id=None if approvers else GRANT.id,
        )
        proposal = replace(proposal, digest=digest_of(proposal))
        given_for = tuple(Approval(name, made, proposal.digest) for name in approvers)
        self.proposals.append((replace(proposal, approvals=given_for), 0))

    async def step(self, which: int) -> None:
        """The way that is meant: check, permit, write."""
        if not self.proposals:
            return
        index = which % len(self.proposals)
        proposal, done = self.proposals[index]
        if done >= len(proposal.steps):
            return
        world = self.world
        facts = await world.facts()
        used = await world.journal.moves_under_grant(GRANT.id)
        verdict = check(
            proposal, facts, ENVELOPE, rehearse=REHEARSE, grant=GRANT, grant_used=used, done=done
        )
        try:
            permit = issue_permit(proposal, verdict, done, facts, ENVELOPE)
        except UnsafeError:
            return
        record = await self._write(permit)
        if record == "done":
            self.proposals[index] = (proposal, done + 1)

    async def forge(
        self,
        tag: str,
        move: float,
        approvers: tuple[str, ...],
        grant: str | None,
        valid: float,
        step: int,
    ) -> None:
        """A permit that no safety agent issued, straight to the writer."""
        world = self.world
        before = world.set_points[tag]
        await self._write(
            Permit(
                id=uuid4().hex,
                recommendation_id=f"forged {step % 4}",
                digest="forged",
                step=step,
                tag=tag,
                before=before,
                value=before + move,
                approvers=approvers,
                grant_id=grant,
                valid_until=world.now() + timedelta(seconds=valid),
            )
        )

    async def replay(self, which: int) -> None:
        if self.permits:
            await self._write(self.permits[which % len(self.permits)])

    async def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    async def mode(self, mode: str) -> None:
        self.world.mode = mode

    async def quality(self, score: float) -> None:
        self.world.quality_score = score

    async def skin(self, value: float) -> None:
        self.world.skin = value

    async def pressure(self, quality: Quality) -> None:
        self.world.pressure_quality = quality

    async def fault(self, fault: Fault) -> None:
        self.world.fault = fault

    async def crash(self, where: str) -> None:
        self.world.crash_in_journal = where  # type: ignore[assignment]

    async def clock(self, jump: float) -> None:
        self.world.offset = jump

    async def freeze(self) -> None:
        """What is known of the plant no longer changes."""
        self.world.frozen_facts = self.world.fresh_facts()

    async def unreadable(self) -> None:
        self.world.readable = False

    async def mend(self) -> None:
        """All is well again, except what only a person settles."""
        world = self.world
        world.mode, world.quality_score, world.skin = "steady", 0.95, 510.0
        world.pressure_quality, world.offset, world.readable = Quality.GOOD, 0.0, True
        world.frozen_facts, world.fault, world.crash_in_journal, world.alerts = None, "none", "", ()
        if not world.enabled:
            await self.restart(enabled=True)
        await self.release("Ann")

    async def hand(self, tag: str, move: float) -> None:
        # A little more than round, so that no one happens to undo exactly what was written.
        self.world.by_hand(tag, self.world.set_points[tag] + move + 0.0137)

    async def stop(self) -> None:
        await self.world.writer.stop.press("Bob", "test")
        self.world.stop_pressed = True

    async def release(self, by: str) -> None:
        if by.strip():
            await self.world.writer.stop.release(by)
            self.world.stop_pressed = False
        else:
            with pytest.raises(ParameterError, match="named person"):
                await self.world.writer.stop.release(by)

    async def beside(self) -> None:
        """From here on another process on the same database writes, and the one so far lives on."""
        world = self.world
        so_far = world.writer
        if self.other is None:
            world.start_process()
        else:
            world.writer = self.other
        self.other = so_far

    async def restart(self, enabled: bool) -> None:
        self.other = None
        self.world.enabled = enabled
        self.world.crash_in_journal = ""
        self.world.start_process()
        self.world.pass_time(1.0)
        await self.world.writer.recover()
        for record in self.world.journal.records.values():
            assert record.state != "intended", "left without an end after a restart"

    async def settle(self, by: str) -> None:
        for record in await self.world.journal.open_writes():
            if record.state != "unverified":
                continue
            moved = self.world.set_points[record.tag] != record.before
            if by.strip():
                await self.world.writer.settle(
                    record.id, "done" if moved else "not_done", by=by, why="seen at the panel"
                )
                self.world.settled.add((record.recommendation_id, record.step))

    async def alert(self, on: tuple[str, ...]) -> None:
        self.world.alerts = (ActiveAlert(on, "limit", "high", "high"),) if on else ()

    async def _write(self, permit: Permit) -> str:
        self.permits.append(permit)
        self.world.current = permit
        record = await self.world.writer.write(permit)
        assert record.state != "intended"
        if record.state != "done":
            assert self.world.alarms[-1].id == record.id, "not alarmed"
            assert record.reasons, "without a reason"
        return record.state


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    with structlog.testing.capture_logs():
        yield made
    made.close()


def tell(story: list[tuple], loop: asyncio.AbstractEventLoop) -> None:
    told = Story()
    loop.run_until_complete(told.tell(story))
    for state in {record.state for record in told.world.journal.records.values()}:
        event(f"a write ends {state}")


class TestNoSequenceMakesAnUnsafeWrite:
    @given(stories)
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    def test_quickly(self, loop: asyncio.AbstractEventLoop, story: list[tuple]) -> None:
        tell(story, loop)

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    @given(stories)
    @settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
    def test_ten_thousand_times(self, loop: asyncio.AbstractEventLoop, story: list[tuple]) -> None:
        tell(story, loop)


GOOD = ("forge", "FC1", 2.0, ("Ann",), None, 100.0)
BOTH = ("forge", "FC1", 2.0, ("Ann", "Bob"), None, 100.0)
FAR = ("forge", "FC1", 4.0, ("Ann", "Bob"), None, 100.0)
BACK = ("forge", "FC1", -4.0, ("Ann", "Bob"), None, 100.0)
MINUTE = ("wait", 61.0)


def of_steps(*moves: tuple) -> list[tuple]:
    """The moves a minute apart, each of a recommendation of its own."""
    told: list[tuple] = []
    for number, move in enumerate(moves):
        told += [(*move, number), MINUTE]
    return told


BROKEN = {
    "write-disabled": [("restart", False), (*GOOD, 0)],
    "stopped": [("stop",), (*GOOD, 0)],
    "plant-mode": [("mode", "transient"), (*GOOD, 0)],
    "data-quality": [("quality", 0.5), (*GOOD, 0)],
    "value-bad": [("pressure", Quality.BAD), (*GOOD, 0)],
    "interlock": [("skin", 536.0), (*GOOD, 0)],
    "hard-limit": of_steps(FAR, FAR, BOTH),
    "soft-limit": of_steps(GOOD, GOOD, GOOD),
    "two-person": [("forge", "TC2", 1.0, ("Ann", " ann "), None, 100.0, 0)],
    "rate": [(*FAR, 0), ("wait", 30.0), (*BACK, 1)],
    "min-interval": [(*GOOD[:2], 0.5, *GOOD[3:], 0), ("wait", 5.0), (*GOOD[:2], 0.5, *GOOD[3:], 1)],
    "max-move": [(*FAR, 0), MINUTE, (*FAR, 4)],
    "cumulative-move": of_steps(FAR, BACK, FAR, BACK),
    "permit-expired": [(*GOOD[:5], -1.0, 0)],
    "not-approved": [("forge", "FC1", 2.0, ("  ",), None, 100.0, 0)],
    "grant-void": [("forge", "FC1", 2.0, (), "g2", 100.0, 0)],
    "grant-limit": of_steps(*[("forge", "FC1", 2.0, (), "g1", 100.0)] * 2),
    "grant-used-up": of_steps(
        *[("forge", "FC1", move, (), "g1", 100.0) for move in (1.0, -1.0, 1.0, -1.0)]
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_holds_back_what_the_plant_would_object_to(
    rule: str, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rule the write is refused by it alone; with the rule left out the plant objects."""
    told = Story()
    loop.run_until_complete(told.tell_events(BROKEN[rule]))
    (refused,) = [r for r in told.world.journal.records.values() if r.state != "done"]
    assert refused.reasons == (rule,)

    whole = WriteCheck.findings

    async def blind(self, permit, own_write=None):
        found, observed = await whole(self, permit, own_write)
        return [item for item in found if item.code != rule], observed

    monkeypatch.setattr(WriteCheck, "findings", blind)
    if rule == "stopped":  # the last look before the call is a rule of its own
        monkeypatch.setattr(
            StopSwitch, "pressed", property(lambda _: None, lambda *_: None), raising=False
        )
    with pytest.raises(AssertionError):
        loop.run_until_complete(Story().tell_events(BROKEN[rule]))


def test_of_two_processes_each_counts_what_the_other_has_written(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plant would object, were what another process wrote aged by how long this one runs."""
    events = [("wait", 600.0), ("beside",), ("wait", 600.0), (*FAR, 0), ("beside",)]
    events += [("wait", 35.0), (*BACK, 1)]
    told = Story()
    loop.run_until_complete(told.tell_events(events))
    assert [r.state for r in told.world.journal.records.values()] == ["done", "refused"]

    def by_uptime(self: WriteCheck, record: WriteRecord, now: datetime) -> Aged:
        return Aged(1200.0, record.travel)

    monkeypatch.setattr(WriteCheck, "_aged", by_uptime)
    with pytest.raises(AssertionError, match="within a minute"):
        loop.run_until_complete(Story().tell_events(events))


@pytest.mark.parametrize("twice", [[(*GOOD, 0), ("replay", 0)], [(*GOOD, 0), MINUTE, (*GOOD, 0)]])
def test_neither_a_permit_nor_a_step_is_carried_out_twice(
    twice: list[tuple], loop: asyncio.AbstractEventLoop
) -> None:
    told = Story()
    loop.run_until_complete(told.tell_events(twice))
    assert len(told.world.applied) == 1
