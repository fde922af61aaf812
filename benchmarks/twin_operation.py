"""The simulated unit run by the product's own operator agent, in simulated time.

Every move goes the way that it goes in the service: ``optimization.setpoints`` proposes from measured
values; the operator agent takes the recommendation in, has the safety agent check it (with a rehearsal
of every step on the simulated unit) and offers it; a named person approves what is offered; the steps
are written one by one through the writer, each after a check of its own and read back, with every write
in the journal; the plant's response is verified, and moves are taken back where it is wrong. Samples go
to historian, monitor and assessment minute by minute. Only the person is a script, and time is the
simulation's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orchestrator.clock import PlantClock, iso
from orchestrator.config import OperatorSettings, PlantSettings, Settings
from orchestrator.core.alert_desk import AlertDesk
from orchestrator.core.assessment import Assessor
from orchestrator.core.events import Event, EventBus
from orchestrator.core.live_loop import LiveLoop
from orchestrator.core.operator_parts import open_operator
from orchestrator.core.recommendations import content_of
from orchestrator.errors import ConflictError, UnsafeError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.operator.life_cycle import ACTIVE
from orchestrator.modules.optimization.setpoints import run as setpoints
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.envelope import outer_range
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource
from orchestrator.state.database import Database
from orchestrator.state.records import OutcomeRecord, RecommendationRecord
from orchestrator.state.repositories import Store
from orchestrator.write_settings import TagEnvelope, WriteSettings

Array = NDArray[np.float64]

EVERY = timedelta(hours=2)
"""Least time between two decisions."""
MOVE_MINUTES = 40.0
"""Time for the moves of a decision; then analysers are left to show what they did."""
STEP_MINUTES = 10.0
"""Time between the points of a way; between them set points move at the pace of the envelope."""
HISTORY = timedelta(minutes=80)
"""Measured values that a decision looks at: those since the last moves."""
CHANCE = 0.99
"""With which limits are to hold at any time."""
LEAST_WORTH = 500.0
"""The operator makes no move for less, USD a day."""
ASKED_AGAIN = 3
"""How often the operator asks for moves that cross no limit in rehearsal."""
OPERATOR = "A. Operator"
PATIENCE = timedelta(minutes=60)
"""For which an inner limit may be crossed before moves are taken back: until the next decision can see it.
Also the time after which the operator says whether moves that are held go on or back."""
MINUTE = timedelta(minutes=1)


class WatchedTwin(TwinSource):
    """The simulated unit, whose true values are kept beside the samples that it hands out.

    Attributes:
        true: True values, ``(n, n_tags)`` by block.
    """

    def __init__(self, scenario: Scenario, seed: int, days: float) -> None:
        super().__init__(scenario, seed=seed)
        self.true: list[Array] = []
        self._rows_wanted = round(timedelta(days=days) / timedelta(seconds=scenario.period_seconds))

    def blocks(self, max_span: timedelta) -> Iterator[SampleBlock]:
        """Samples of the days; then it ends."""
        rows = 0
        for true, measured in self.truth(max_span):
            self.true.append(true.values)
            rows += len(measured)
            yield measured
            if rows >= self._rows_wanted:
                return


@dataclass
class Tally:
    """What became of what was proposed.

    Attributes:
        asked: Times that moves were asked for.
        waited: Times that it was not asked, for moves were under way still.
        proposed: Recommendations that came in.
        moves: Set points moved, by recommendations that were applied.
        steps: Planned writes of those.
        writes: Writes by their end: ``done``, ``refused``, ``not_done``, ``unverified``.
        refusals: Why the writer refused, by rule.
        vetoes: Why the safety agent vetoed recommendations, by rule.
        unapproved: Why an approval was refused, in words.
        held: Why recommendations were held, in words.
        taken_back: Why recommendations were taken back, in words.
        ends: Recommendations by the state in which they ended.
    """

    asked: int = 0
    waited: int = 0
    proposed: int = 0
    moves: int = 0
    steps: int = 0
    writes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    vetoes: Counter[str] = field(default_factory=Counter)
    unapproved: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)


def write_settings(plant: Plant) -> WriteSettings:
    """A write list of all set points, as wide as the plant file lets it be.

    A recommendation may move a set point by what its rate allows in the time that decisions are given; in
    eight hours it may go that way four times and back.
    """
    assert plant.economics is not None
    tags = {}
    for name in plant.economics.handles:
        tag = plant.tag(name)
        assert tag.rate_limit is not None
        low, high = outer_range(tag, plant)
        most = tag.rate_limit * MOVE_MINUTES
        tags[name] = TagEnvelope(
            hard=(low, high),
            max_rate=tag.rate_limit,
            max_move=most,
            max_cumulative=8.0 * most,
            tolerance=(high - low) / 200.0,
            readback_timeout=0.5,
        )
    return WriteSettings(tags=tags, modes_under_way=("steady", "transient"))


class Operation:
    """The simulated unit under its operator agent.

    Args:
        source: The unit.
        store: Recommendations, writes and the audit chain.
        folder: Of the historian and of what is learned.
        until: No decision is made after so many days.
    """

    def __init__(
        self, source: WatchedTwin, store: Store, folder: Path, until: float | None = None
    ) -> None:
        self.tally = Tally()
        self.source = source
        self._store = store
        self._folder = folder
        self._settings = Settings(
            plant=PlantSettings(write_enabled=True, write=write_settings(source.plant)),
            operator=OperatorSettings(mode="supervised", patience_minutes=PATIENCE / MINUTE),
        )
        self._clock = PlantClock()
        self._historian = Historian(folder / "historian")
        self._monitor = Monitor(source.plant, self._settings.monitoring)
        self._events = EventBus()
        self._events.listen(self._seen)
        alerts = AlertDesk(self._monitor.alerts, store, self._events, self._clock)
        assessor = Assessor(source.plant, self._monitor)
        self._loop = LiveLoop(
            self._settings,
            source,
            clock=self._clock,
            historian=self._historian,
            monitor=self._monitor,
            assessor=assessor,
            act=self._act,
            on_alerts=alerts.take,
            speed=0.0,
        )
        self._desk = open_operator(
            self._settings,
            source.plant,
            store,
            self._events,
            self._clock,
            self._historian,
            assessor,
            alerts,
            source=source,
            blind=False,
            still=lambda: self._loop.lock,
            spawn=lambda work: work.close(),
        )
        self._assessor = assessor
        self._next = source.start + EVERY
        self._held_since: dict[str, datetime] = {}
        self._end = None if until is None else source.start + timedelta(days=until)

    @classmethod
    async def over(
        cls, scenario: Scenario, seed: int, days: float, folder: Path, until: float | None = None
    ) -> Self:
        """Run the days; returns what came of them."""
        async with AsyncExitStack() as closing:
            database = await Database.open(None, folder)
            closing.push_async_callback(database.close)
            await database.migrate()
            store = Store(database)
            closing.push_async_callback(store.close)
            operation = cls(WatchedTwin(scenario, seed, days), store, folder, until)
            closing.callback(operation._historian.close)
            await operation._desk.restore()
            await operation._loop.run()
            await operation._count_ends()
            return operation

    async def _act(self, at: datetime) -> None:
        await self._desk.tick()
        live = await self._desk.live()
        for record in live:
            if record.state != "held":
                continue
            since = self._held_since.setdefault(record.id, at)
            if at - since >= PATIENCE:
                self._held_since[record.id] = at
                await self._go_on_or_back(record)
        if at < self._next or (self._end is not None and at >= self._end):
            return
        if any(record.state in ACTIVE for record in live):
            self.tally.waited += 1
            return
        if self._assessor.plant_mode() != "steady":
            return
        self._next = at + EVERY
        await self._decide()

    async def _go_on_or_back(self, record: RecommendationRecord) -> None:
        """Let moves that are held go on, then back; where neither is safe they stay, for new ones."""
        trail = await self._store.recommendations.trail(record.id)
        events = [entry.event for entry in trail]
        if "roll_back" in events:
            await self._desk.leave(record.id, OPERATOR, "neither on nor back is safe")
        elif "resume" in events:
            await self._desk.roll_back(record.id, OPERATOR, "it does not go on by itself")
        else:
            await self._desk.resume(record.id, OPERATOR, "what held it may be over")

    async def _decide(self) -> None:
        """What the scripted operator does at a decision."""
        self.tally.asked += 1
        room: dict[str, float] = {}
        for _ in range(ASKED_AGAIN):
            proposed = await asyncio.to_thread(self._proposed, room)
            if not _wanted(proposed):
                return
            content = content_of(self._outcome(proposed), None)
            assert content is not None
            record = await self._desk.take(content, None)
            self.tally.proposed += 1
            if record.state == "awaiting_approval":
                await self._approve(record)
                return
            objections = await self._objections(record)
            self.tally.vetoes.update({item["code"] for item in objections})
            crossed = [item for item in objections if item["code"] == "limit-crossed"]
            if not crossed:
                return
            economics = self.source.plant.economics
            for item in crossed:
                if economics is not None and item["tag"] in economics.responses:
                    beyond = 1.5 * abs(item["value"] - item["limit"])
                    room[item["tag"]] = room.get(item["tag"], 0.0) + beyond

    async def _approve(self, record: RecommendationRecord) -> None:
        try:
            await self._desk.approve(record.id, OPERATOR, record.digest)
        except (UnsafeError, ConflictError) as error:
            self.tally.unapproved.append(str(error))
            return
        self.tally.moves += len(record.document["moves"])
        self.tally.steps += len(record.document["steps"])

    def _proposed(self, room: Mapping[str, float]) -> SetpointsResult:
        now = self._clock.now()
        data = self._folder / "seen.arrow"
        tags = [tag.name for tag in self.source.plant.tags if tag.expression is None]
        table = self._historian.read(tags, now - HISTORY + MINUTE, now)
        with pa.OSFile(str(data), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        context = OperationContext(
            now=now,
            plant=self.source.plant,
            data_file=data,
            folder=self._folder,
            write_list=self._settings.plant.write.tags,
        )
        return setpoints(
            SetpointsInput(
                move_minutes=MOVE_MINUTES,
                starts=1,
                limits=_tighter(self.source.plant, room),
                limit_chance=CHANCE,
                step_minutes=STEP_MINUTES,
            ),
            context,
        )

    def _outcome(self, proposed: SetpointsResult) -> OutcomeRecord:
        now = self._clock.now()
        return OutcomeRecord(
            job_id=f"decision-{iso(now)}",
            decision_id=None,
            module="optimization",
            operation="setpoints",
            status="succeeded",
            seconds=0.0,
            attempts=1,
            ended_at=now,
            result=proposed.model_dump(mode="json"),
        )

    async def _objections(self, record: RecommendationRecord) -> list[dict[str, Any]]:
        trail = await self._store.recommendations.trail(record.id)
        found: list[dict[str, Any]] = trail[-1].details["objections"]
        return found

    def _seen(self, event: Event) -> None:
        if event.kind != "recommendation":
            return
        if event.payload["event"] == "hold":
            self.tally.held.append(f"{iso(event.at)} {event.payload['reason']}")
        if event.payload["event"] == "roll_back":
            self.tally.taken_back.append(f"{iso(event.at)} {event.payload['reason']}")

    async def _count_ends(self) -> None:
        cursor = None
        while True:
            page = await self._store.recommendations.list(limit=1000, cursor=cursor)
            for record in page.items:
                self.tally.ends[record.state] += 1
                for write in await self._store.writes.of_recommendation(record.id):
                    self.tally.writes[write.state] += 1
                    if write.state == "refused":
                        self.tally.refusals.update(write.reasons)
            cursor = page.next_cursor
            if cursor is None:
                return


def _wanted(proposed: SetpointsResult) -> bool:
    worth = proposed.worth_usd_per_day or 0.0
    # What costs money brings limits back, or the distance that is kept from them.
    return bool(proposed.moves) and (abs(worth) >= LEAST_WORTH or bool(proposed.outside_before))


def _tighter(
    plant: Plant, room: Mapping[str, float]
) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for tag, by in room.items():
        low, high = plant.tag(tag).limits.operating
        found[tag] = (None if low is None else low + by, None if high is None else high - by)
    return found
