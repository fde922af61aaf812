"""A small plant that sees every write and judges it by itself, and what can go wrong around it.

The plant keeps true time and its own list of what was applied. Its judgement (:meth:`World.judge`) is
written anew from the promises of the documentation and uses none of the rules under test.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from orchestrator.errors import PlantRefusedError, UnavailableError
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.envelope import Envelope, Grant, GrantedTag
from orchestrator.plant.samples import Quality
from orchestrator.plant.tags import Limits, Plant, Tag
from orchestrator.plant.write_check import Permit
from orchestrator.plant.write_facts import ActiveAlert, Facts, PastMove, TagValue
from orchestrator.plant.write_target import Observation
from orchestrator.plant.writer import Writer
from orchestrator.write_records import WriteRecord
from orchestrator.write_settings import Interlock, TagEnvelope, WriteSettings
from tests.plant.memory_journal import MemoryJournal

EPOCH = datetime(2026, 3, 1, 6, tzinfo=UTC)
TAGS = ("FC1", "TC2")
PLANT = Plant(
    name="small plant",
    simulated=True,
    tags=(
        Tag(
            name="FC1",
            unit="t/h",
            area="charge",
            controllable=True,
            normal=(400, 700),
            rate_limit=5,
        ),
        Tag(name="TC2", unit="degC", area="furnace", controllable=True, normal=(340, 380)),
        Tag(name="TI3", unit="degC", area="furnace", limits=Limits(high=540), normal=(480, 530)),
        Tag(
            name="PI4",
            unit="kPa",
            area="charge",
            limits=Limits(low=100, high=900),
            normal=(300, 700),
        ),
    ),
    economics=EconomicModel(
        handles={"FC1": (None, None), "TC2": (None, None)},
        responses={"TI3": "510 + 0.1 * (FC1 - 600) + 1.5 * (TC2 - 360)", "PI4": "500 + FC1 - 600"},
        objective="FC1 - TC2",
    ),
)
# So tight that stories of a few moves meet every limit.
FC1 = TagEnvelope(
    hard=(592, 609),
    soft=(595, 605),
    max_rate=4,
    max_move=7,
    max_cumulative=14,
    cumulative_minutes=60,
    min_interval=20,
    tolerance=0.5,
    readback_timeout=30,
    reads=("PI4",),
)
TC2 = TagEnvelope(
    hard=(358, 362),
    max_rate=1,
    max_move=3,
    max_cumulative=4,
    cumulative_minutes=30,
    two_person=True,
    tolerance=0.2,
    readback_timeout=20,
)
SETTINGS = WriteSettings(
    tags={"FC1": FC1, "TC2": TC2},
    interlocks=(Interlock(name="tube skin", when="TI3 < 535.0"),),
    max_age=300,
    clock_tolerance=5,
    permit_seconds=120,
)
ENVELOPE = Envelope.of(SETTINGS, PLANT)
GRANT = Grant(
    id="g1",
    granted_by="Shift supervisor",
    starts=EPOCH,
    ends=EPOCH + timedelta(hours=1),
    tags={"FC1": GrantedTag(low=597, high=603, max_rate=2, max_move=4)},
    max_moves=3,
)

Fault = Literal[
    "none",
    "refuses",
    "no_answer",
    "applied_without_answer",
    "applied_late",
    "applied_much_later",
    "clamps",
    "ignores",
    "crash_before",
    "crash_after",
]


class Crash(BaseException):
    """The process is killed here."""


@dataclass
class Applied:
    """A write as the plant saw it."""

    seconds: float
    tag: str
    before: float
    value: float
    asked: float
    permit: Permit


@dataclass
class World:
    """The plant, the clocks, the database and the process that writes."""

    seconds: float = 0.0
    offset: float = 0.0
    """By how much our clock is ahead of the plant's, s."""
    set_points: dict[str, float] = field(default_factory=lambda: {"FC1": 600.0, "TC2": 360.0})
    mode: str = "steady"
    quality_score: float = 0.95
    skin: float = 510.0
    pressure_quality: Quality = Quality.GOOD
    enabled: bool = True
    frozen_facts: Facts | None = None
    readable: bool = True
    fault: Fault = "none"
    crash_in_journal: Literal["", "before_intent", "after_intent", "before_end", "after_end"] = ""
    applied: list[Applied] = field(default_factory=list)
    manual: list[PastMove] = field(default_factory=list)
    late: list[tuple[float, float, Permit]] = field(default_factory=list)
    alarms: list[WriteRecord] = field(default_factory=list)
    current: Permit | None = None
    stop_pressed: bool = False
    alerts: tuple[ActiveAlert, ...] = ()
    settled: set[tuple[str, int]] = field(default_factory=set)

    name = "small plant"
    simulated = True

    def __post_init__(self) -> None:
        self.journal = CrashingJournal(self)
        self.start_process()

    # the process -------------------------------------------------------------------------------

    def start_process(self) -> None:
        """Start a process that writes; one that is running already goes on beside it."""
        self.writer = Writer(
            self,
            ENVELOPE,
            self.journal,
            self.facts,
            self,
            enabled=self.enabled,
            grant=self.grant,
            alarm=self.alarm,
            plant_seconds=lambda: self.seconds,
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
        )

    def now(self) -> datetime:
        """Our clock."""
        return EPOCH + timedelta(seconds=self.seconds + self.offset)

    def true_time(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    async def grant(self, grant_id: str) -> Grant | None:
        return GRANT if grant_id == GRANT.id else None

    async def alarm(self, record: WriteRecord) -> None:
        self.alarms.append(record)

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        end = self.seconds + seconds
        for due, value, permit in sorted(self.late, key=lambda item: item[0]):
            if due <= end:
                self.seconds = max(self.seconds, due)
                self.late.remove((due, value, permit))
                self._apply(permit, value, judged=False)
        self.seconds = end

    async def facts(self) -> Facts:
        return self.frozen_facts or self.fresh_facts()

    def fresh_facts(self) -> Facts:
        at = self.now()
        values = {
            **{tag: TagValue(value, Quality.GOOD, at) for tag, value in self.set_points.items()},
            "TI3": TagValue(self.skin, Quality.GOOD, at),
            "PI4": TagValue(500.0, self.pressure_quality, at),
        }
        return Facts(
            at=at,
            values=values,
            plant_mode=self.mode,  # type: ignore[arg-type]
            data_quality=self.quality_score,
            alerts=self.alerts,
            moves=tuple(self.manual),
            situation_digest="situation",
            write_enabled=self.enabled,
        )

    # the control system ------------------------------------------------------------------------

    async def read(self, tag: str) -> Observation:
        if not self.readable:
            raise UnavailableError("it does not answer")
        return Observation(self.set_points[tag], Quality.GOOD, self.true_time())

    async def write(self, tag: str, value: float) -> None:
        permit, fault = self.current, self.fault
        assert permit is not None, "a write without a permit"
        assert (permit.tag, permit.value) == (tag, value), "not what the permit says"
        self.fault = "none"
        if fault == "crash_before":
            raise Crash
        if fault == "refuses":
            raise PlantRefusedError("the loop is in manual")
        if fault == "no_answer":
            raise UnavailableError("no answer")
        if fault in ("applied_late", "applied_much_later"):
            self.judge(permit, self.set_points[tag], value)
            delay = 11.0 if fault == "applied_late" else 47.0
            self.late.append((self.seconds + delay, value, permit))
            raise TimeoutError
        if fault == "ignores":
            return
        held = value
        if fault == "clamps":
            held = value + (self.set_points[tag] - value) / 2
        self._apply(permit, held, judged=True)
        if fault == "applied_without_answer":
            raise TimeoutError
        if fault == "crash_after":
            raise Crash

    async def close(self) -> None:
        pass

    def by_hand(self, tag: str, value: float) -> None:
        travel = abs(value - self.set_points[tag])
        self.set_points[tag] = value
        self.manual.append(PastMove(tag, self.true_time(), travel))

    def _apply(self, permit: Permit, value: float, *, judged: bool) -> None:
        before = self.set_points[permit.tag]
        if judged:
            self.judge(permit, before, permit.value)
        self.set_points[permit.tag] = value
        self.applied.append(Applied(self.seconds, permit.tag, before, value, permit.value, permit))

    # the plant's own judgement -----------------------------------------------------------------

    def judge(self, permit: Permit, before: float, value: float) -> None:
        """Every promise on a write, from what the plant itself has seen."""
        tag, own = permit.tag, {"FC1": FC1, "TC2": TC2}[permit.tag]
        assert self.enabled, "writing is switched off"
        assert not self.stop_pressed, "the stop is on"
        known = self.frozen_facts or self.fresh_facts()
        assert known.plant_mode == "steady", f"the plant is {known.plant_mode}"
        assert abs((known.at - self.now()).total_seconds()) <= 300, "on old facts"
        assert (known.data_quality or 0.0) >= 0.85, "on poor data"
        assert (known.values["TI3"].value or math.inf) < 535, "an interlock"
        if tag == "FC1":
            assert known.values["PI4"].quality is Quality.GOOD, "a bad value that it depends on"
        assert own.hard[0] <= value <= own.hard[1], f"{value} outside {own.hard}"
        assert self.now() < permit.valid_until, "an expired permit"
        assert abs(before - permit.before) <= own.tolerance, "not from where it was approved"
        self._judge_speed(tag, abs(value - before), own)
        first = next(
            (a.before for a in self.applied if a.tag == tag and self._same(a.permit, permit)),
            before,
        )
        assert abs(value - first) <= own.max_move + 1e-6, "further than one recommendation may"
        self._judge_persons(permit, value, own)
        assert all(a.permit.id != permit.id for a in self.applied), "a permit used twice"
        step = (permit.recommendation_id, permit.step)
        if step not in self.settled:
            made = [(a.permit.recommendation_id, a.permit.step) for a in self.applied]
            assert step not in made, "a step made twice"

    def _judge_speed(self, tag: str, travel: float, own: TagEnvelope) -> None:
        ours = [
            (self.seconds - a.seconds, abs(a.value - a.before))
            for a in self.applied
            if a.tag == tag
        ]
        hand = [
            ((self.true_time() - m.at).total_seconds(), m.travel)
            for m in self.manual
            if m.tag == tag
        ]
        known = self.frozen_facts
        if known is not None:
            hand = [
                ((self.true_time() - m.at).total_seconds(), m.travel)
                for m in known.moves
                if m.tag == tag
            ]
        moves = ours + hand
        rate = math.fsum(t for age, t in moves if age < 60) + travel
        assert rate <= own.max_rate + 1e-6, f"{rate} within a minute"
        window = math.fsum(t for age, t in moves if age < own.cumulative_minutes * 60) + travel
        assert window <= own.max_cumulative + 1e-6, f"{window} within the window"
        since = min((age for age, t in moves if t > 0), default=math.inf)
        assert since >= own.min_interval, f"only {since} s after the last"

    def _judge_persons(self, permit: Permit, value: float, own: TagEnvelope) -> None:
        people = {name.strip().lower() for name in permit.approvers if name.strip()}
        beyond = own.soft is not None and not own.soft[0] <= value <= own.soft[1]
        if people:
            assert len(people) >= (2 if own.two_person or beyond else 1), "a second person lacks"
            return
        assert permit.grant_id == "g1", "nobody approved it"
        assert permit.tag == "FC1", "outside the grant"
        assert 597 <= value <= 603, "outside the grant"
        assert self.now() < GRANT.ends, "the grant is over"
        made = sum(not a.permit.approvers and a.permit.grant_id == "g1" for a in self.applied)
        assert made < 3, "the grant is used up"

    @staticmethod
    def _same(one: Permit, other: Permit) -> bool:
        return one.recommendation_id == other.recommendation_id

    def judge_journal(self) -> None:
        """What the journal says of writes that have an end is what happened."""
        happened = Counter(a.permit.id for a in self.applied)
        for record in self.journal.records.values():
            if record.settled_by is not None:
                continue
            times = happened[record.permit_id]
            if record.state == "done":
                assert times == 1, f"done, and applied {times} times"
            elif record.state == "not_done":
                assert times == 0, "not done, and applied"


class CrashingJournal(MemoryJournal):
    """Durable, in a process that may be killed just before or after it has written."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _crash(self, where: str) -> None:
        if self._world.crash_in_journal == where:
            self._world.crash_in_journal = ""
            raise Crash

    async def intend(self, record: WriteRecord) -> None:
        self._crash("before_intent")
        await super().intend(record)
        self._crash("after_intent")

    async def end(self, *args: object, **kwargs: object) -> WriteRecord:
        self._crash("before_end")
        record = await super().end(*args, **kwargs)  # type: ignore[arg-type]
        self._crash("after_end")
        return record


def permit_of(world: World, **changes: object) -> Permit:
    """A permit that fits the present plant, with changes."""
    fitting = Permit(
        id="p1",
        recommendation_id="r1",
        digest="d",
        step=0,
        tag="FC1",
        before=world.set_points["FC1"],
        value=world.set_points["FC1"] + 2,
        approvers=("Ann",),
        grant_id=None,
        valid_until=world.now() + timedelta(seconds=60),
    )
    return replace(fitting, **changes)  # type: ignore[arg-type]
