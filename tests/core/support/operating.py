"""A small simulated plant with two handles, and the operator agent over it; everything else is real."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.clock import PlantClock
from orchestrator.config import MonitoringSettings, OperatorSettings, PlantSettings, Settings
from orchestrator.core import operator_parts
from orchestrator.core.alert_desk import AlertDesk
from orchestrator.core.assessment import Assessor
from orchestrator.core.events import Event, EventBus
from orchestrator.core.operator_desk import OperatorDesk
from orchestrator.errors import PlantRefusedError, UnavailableError
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime64
from orchestrator.plant.tags import Plant
from orchestrator.plant.write_target import Observation
from orchestrator.state.records import RecommendationRecord
from orchestrator.state.repositories import Store
from orchestrator.write_settings import WriteSettings

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLANT = Plant.model_validate(
    {
        "name": "two handles",
        "simulated": True,
        "tags": [
            {
                "name": "A_SP",
                "unit": "degC",
                "kind": "temperature",
                "normal": [80, 120],
                "rate_limit": 1,
                "controllable": True,
                "period_seconds": 60,
            },
            {
                "name": "B_SP",
                "unit": "t/h",
                "kind": "flow",
                "normal": [40, 60],
                "rate_limit": 2,
                "controllable": True,
                "period_seconds": 60,
            },
            {
                "name": "T",
                "unit": "degC",
                "kind": "temperature",
                "normal": [180, 240],
                "limits": {"low_low": 150, "low": 160, "high": 250, "high_high": 260},
                "period_seconds": 60,
            },
        ],
        "economics": {
            "handles": {"A_SP": [85, 115], "B_SP": [42, 58]},
            "responses": {"T": "2 * A_SP"},
            "objective": "10 * A_SP + B_SP",
        },
    }
)
TAG = {"max_cumulative": 60.0, "tolerance": 0.05, "readback_timeout": 0.1}
WRITE = {
    "tags": {
        "A_SP": {"hard": (85, 115), "soft": (90, 110), "max_rate": 1.0, "max_move": 15.0, **TAG},
        "B_SP": {"hard": (42, 58), "max_rate": 2.0, "max_move": 10.0, **TAG},
    },
    "call_timeout": 1.0,
}
MOVES = (("A_SP", 100.0, 103.0, "degC"), ("B_SP", 50.0, 52.0, "t/h"))


def content(
    moves: tuple[tuple[str, float, float, str], ...] = MOVES, **more: Any
) -> dict[str, Any]:
    """What an operation proposes."""
    at = {tag: (start, end) for tag, start, end, _ in moves}
    start, end = at.get("A_SP", (100.0, 100.0))
    return {
        "moves": [{"tag": t, "from": a, "to": b, "unit": unit} for t, a, b, unit in moves],
        "worth_usd_per_day": 720.0,
        "limits_touched": [],
        "expected_response": {"T": {"from": 2 * start, "to": 2 * end, "unit": "degC"}},
        "summary": "two handles are to be moved",
        "evidence": [{"source": "optimization.setpoints", "decision_id": None}],
        "risk": "a test",
        **more,
    }


class SmallPlant:
    """T follows twice A_SP with a time constant of five minutes; it is also what is written to.

    Attributes:
        gain: Of T to A_SP.
        writes: Every write that reached it: plant time, tag, value.
        refuses: Whether it answers writes with a refusal.
        silent: Whether it neither answers nor carries out writes.
    """

    name = "small plant"
    simulated = True

    def __init__(self, clock: PlantClock, set_points: dict[str, float] | None = None) -> None:
        self.clock = clock
        self.set_points = dict(set_points or {"A_SP": 100.0, "B_SP": 50.0})
        self.gain = 2.0
        self.temperature = 200.0
        self.disturbance = 0.0
        self.writes: list[tuple[datetime, str, float]] = []
        self.refuses = False
        self.silent = False

    async def read(self, tag: str) -> Observation:
        return Observation(self.set_points[tag], Quality.GOOD, self.clock.now())

    async def write(self, tag: str, value: float) -> None:
        if self.refuses:
            raise PlantRefusedError(f"{tag} is in manual")
        if self.silent:
            self.set_points[tag] = self.set_points[tag] + 0.37  # neither old nor new
            raise UnavailableError("no answer")
        self.writes.append((self.clock.now(), tag, value))
        self.set_points[tag] = value

    async def close(self) -> None:
        pass

    def row(self, noise: float) -> list[float]:
        end = 200.0 + self.gain * (self.set_points["A_SP"] - 100.0) + self.disturbance
        self.temperature += (end - self.temperature) * (1.0 - np.exp(-1.0 / 5.0))
        return [self.set_points["A_SP"], self.set_points["B_SP"], self.temperature + noise]


class Operating:
    """The operator agent over the small plant, on a home of the test."""

    def __init__(
        self,
        store: Store,
        home: Path,
        *,
        mode: str = "supervised",
        write_enabled: bool = True,
        plant: SmallPlant | None = None,
        clock: PlantClock | None = None,
        write: dict[str, Any] | None = None,
        **operator: Any,
    ) -> None:
        self.store = store
        self.clock = clock or PlantClock(T0)
        self.plant = plant or SmallPlant(self.clock)
        self.plant.clock = self.clock
        self.historian = Historian(home / "historian")
        self.monitor = Monitor(PLANT, MonitoringSettings())
        self.book = AlertBook()
        self.assessor = Assessor(PLANT, self.monitor)
        self.assessor.operator_mode = "steady"
        self.events = EventBus()
        self.seen: list[Event] = []
        self.events.listen(self.seen.append)
        self.random = np.random.default_rng(7)
        settings = Settings(
            plant=PlantSettings(
                write_enabled=write_enabled,
                write=WriteSettings.model_validate({**WRITE, **(write or {})}),
            ),
            operator=OperatorSettings.model_validate(
                {"mode": mode, "settle_minutes": 30, "measure_minutes": 10, **operator}
            ),
        )
        self.desk = self._desk(settings)

    def _desk(self, settings: Settings) -> OperatorDesk:
        given = operator_parts.write_target
        operator_parts.write_target = lambda *_: self.plant  # type: ignore[assignment]
        try:
            return operator_parts.open_operator(
                settings,
                PLANT,
                self.store,
                self.events,
                self.clock,
                self.historian,
                self.assessor,
                AlertDesk(self.book, self.store, self.events, self.clock),
                source=None,
                blind=False,
                still=nullcontext,
                spawn=lambda work: work.close(),
            )
        finally:
            operator_parts.write_target = given

    async def start(self, history: int = 120) -> None:
        """Two hours of normal operation, then the desk takes up what an earlier process left."""
        self.feed(history)
        await self.desk.restore()

    def feed(self, minutes: int) -> None:
        """Let plant time pass, and samples come, without the operator agent."""
        if not minutes:
            return
        tags = ("A_SP", "B_SP", "T")
        noise = self.random.normal(0.0, 0.1, minutes)
        start = self.clock.now()
        values = np.array([self.plant.row(n) for n in noise])
        times = np.array([to_datetime64(start + (i + 1) * MINUTE) for i in range(minutes)])
        # A set point that never changes at all would look like a frozen instrument.
        values[:, :2] += self.random.normal(0.0, 0.002, (minutes, 2))
        good = np.full(values.shape, np.uint8(Quality.GOOD))
        block = SampleBlock(tags, times, values, good)
        self.historian.append(block)
        self.monitor.update(block)
        self.assessor.update(block)
        self.clock.advance(start + minutes * MINUTE)

    async def run(self, minutes: int) -> None:
        """Let plant time pass minute by minute, with a tick of the desk after each."""
        for _ in range(minutes):
            self.feed(1)
            await self.desk.tick()

    async def offered(self, **more: Any) -> RecommendationRecord:
        """A recommendation that awaits approval."""
        record = await self.desk.take(content(**more), None)
        assert record.state == "awaiting_approval", await self.why(record)
        return record

    async def state(self, record: RecommendationRecord) -> str:
        return (await self.store.recommendations.get(record.id)).state

    async def why(self, record: RecommendationRecord) -> str:
        """The reason of the last transition."""
        return (await self.store.recommendations.trail(record.id))[-1].reason

    async def events_of(self, record: RecommendationRecord) -> list[str]:
        return [step.event for step in await self.store.recommendations.trail(record.id)]

    def close(self) -> None:
        self.historian.close()
