"""Episodes on the simulated crude unit: are faults found, how soon, in which area, and how quiet is it?

``python -m benchmarks.twin_episodes [--episodes 40] [--normal-days 30]``. An episode is a seeded run with
one fault, of each kind in turn that the twin offers (what is done to the unit on purpose, and prices, are no
faults), after the twin's own history of normal operation. A fault counts as found when an alert is raised after
its onset; the minutes are to that moment, delays included. An alert that is raised before the onset, or in a
normal day, is false. All data is simulated.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import structlog
from rich.console import Console

from orchestrator.config import MonitoringSettings
from orchestrator.core.live_loop import join
from orchestrator.monitoring.life_cycle import AlertEvent
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.catalogue import FaultKind
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource

EPISODES = 40
NORMAL_DAYS = 30.0
HOURS = 24.0
"""Length of an episode after its onset."""
ONSET = 360.0
"""Minutes before the onset."""
SPAN = timedelta(hours=6)
METERS = 4.0
"""Size of a meter's bias, and of its drift a day, in shares of a twentieth of its normal range."""
SPIKES = 3.0
"""Size of spikes over that of a bias."""
TARGETS: dict[FaultKind, tuple[tuple[str, float, float, str], ...]] = {
    "lost_communication": (("preheat", 0, 0, "preheat"), ("column", 0, 0, "column")),
    "exchanger_fouling": (("E-101", 0.2, 0.5, "preheat"), ("E-104", 0.2, 0.5, "preheat")),
    "furnace_fouling": (("H-101", 0.1, 0.4, "furnace"),),
    "burner_fault": (("H-101", 1.0, 3.0, "furnace"),),
    "pump_trip": (("P-101", 0.2, 0.6, "charge"), ("P-102", 0.3, 0.9, "column")),
    "crude_switch": (("light", 0.4, 1.0, ""), ("heavy", 0.4, 1.0, "")),
    "off_spec_crude": (("light", 0.2, 0.6, ""), ("heavy", 0.2, 0.6, "")),
    "water_slug": (("D-101", 2.0, 8.0, "desalter"),),
    "flooding": (("C-101", 0.4, 1.0, "column"),),
    "tray_damage": (("C-101", 0.3, 0.9, "column"), ("kerosene", 0.3, 0.9, "column")),
    "heat_leak": (("H-101", 5.0, 20.0, "furnace"), ("C-101", 5.0, 20.0, "column")),
    "product_leak": (("FI303", 10.0, 40.0, "products"), ("FI304", 10.0, 40.0, "products")),
}
"""Targets of a kind: name, least and largest magnitude, area where it strikes (empty: any)."""
SENSOR_KINDS: tuple[FaultKind, ...] = (
    "meter_bias",
    "meter_drift",
    "frozen_signal",
    "spikes",
    "missing_signal",
    "analyser_fault",
)
KINDS: tuple[FaultKind, ...] = (*SENSOR_KINDS, *TARGETS)
METERED = ("flow", "temperature", "pressure")


@dataclass(frozen=True, slots=True)
class Episode:
    """What came of one episode; minutes are from the onset, null where nothing was told.

    ``early`` counts the alerts before the onset, ``late`` those after it.
    """

    kind: str
    target: str
    minutes: float | None
    right_area: bool | None
    early: int
    late: int


def scenario_of(seed: int, plant: Plant) -> tuple[Scenario, str]:
    """A scenario with one fault, and the area where it lies."""
    random = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    if kind in TARGETS:
        target, low, high, area = TARGETS[kind][random.integers(len(TARGETS[kind]))]
        magnitude = float(random.uniform(low, high))
    else:
        meters = [
            tag
            for tag in plant.tags
            if tag.kind in (("analyser",) if kind == "analyser_fault" else METERED)
            and not tag.controllable
            and tag.normal
        ]
        tag = meters[random.integers(len(meters))]
        low, high = tag.normal or (0.0, 1.0)
        target, area = tag.name, tag.area
        magnitude = float(random.choice([-1, 1]) * METERS * (high - low) / 20)
        magnitude *= SPIKES if kind == "spikes" else 1.0
    fault = {
        "name": kind,
        "kind": kind,
        "target": target,
        "magnitude": magnitude,
        "onset_minutes": ONSET,
        "shape": str(random.choice(["step", "ramp"])),
        "rise_minutes": 60.0,
    }
    return Scenario.model_validate({"name": f"{kind} {seed}", "faults": [fault]}), area


def watched(source: TwinSource, minutes: float) -> list[AlertEvent]:
    """Train on the twin's history, watch so many minutes; the alerts raised, when they were raised."""
    monitor = Monitor(source.plant, MonitoringSettings())
    monitor.fit(_in_plant(source.history(), source.plant))
    end: datetime | None = None
    raised: list[AlertEvent] = []
    for block in source.blocks(SPAN):
        end = end or block.start + timedelta(minutes=minutes)
        events = monitor.update(block)
        raised.extend(event for event in events if event.transition == "raise")
        if block.end >= end:
            break
    source.close()
    return raised


def _in_plant(blocks: Iterable[SampleBlock], plant: Plant) -> SampleBlock:
    """The rows of a history that have all tags, as one block."""
    return join([block for block in blocks if block.tags == plant.tag_names])


def episode(seed: int) -> Episode:
    """Run one."""
    plain = TwinSource(Scenario(name="plain"), seed=seed)
    scenario, area = scenario_of(seed, plain.plant)
    plain.close()
    source = TwinSource(scenario, seed=seed)
    onset = source.start + timedelta(minutes=ONSET)
    fault = scenario.faults[0]
    raised = watched(source, ONSET + 60 * HOURS)
    after = [event for event in raised if event.at >= onset]
    first = min(after, key=lambda event: event.at, default=None)
    right = None
    if first is not None and area and first.alert.tag is not None:
        leader = first.alert.tag
        right = source.plant.tag(leader).area == area or leader == fault.target
    return Episode(
        kind=fault.kind,
        target=fault.target,
        minutes=(first.at - onset) / timedelta(minutes=1) if first is not None else None,
        right_area=right,
        early=len(raised) - len(after),
        late=len(after),
    )


def normal_alerts(days: float, seed: int = 1000) -> int:
    """Alerts in normal days: all of them false."""
    source = TwinSource(Scenario(name="normal"), seed=seed)
    return len(watched(source, days * 24 * 60))


def measure(episodes: int, days: float) -> tuple[list[Episode], dict[str, Any]]:
    """Run the episodes and the normal days."""
    done = [episode(seed) for seed in range(episodes)]
    told = [item for item in done if item.right_area is not None]
    figures: dict[str, Any] = {"episodes": len(done)}
    if done:
        figures["share detected (recall)"] = sum(e.minutes is not None for e in done) / len(done)
        alerts = sum(item.late + item.early for item in done)
        figures["alerts"] = alerts
        figures["share of them raised after the onset (precision)"] = (
            sum(item.late for item in done) / alerts if alerts else None
        )
    minutes = [item.minutes for item in done if item.minutes is not None]
    if minutes:
        figures["minutes to detection, median"] = float(np.median(minutes))
        figures["minutes to detection, 90 % within"] = float(np.quantile(minutes, 0.9))
    if told:
        right = sum(bool(item.right_area) for item in told)
        figures["share with the right area first"] = right / len(told)
    if days:
        figures["normal days"] = days
        figures["false alerts a day"] = normal_alerts(days) / days
    return done, figures


def run() -> dict[str, Any]:
    """The figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return measure(EPISODES, NORMAL_DAYS)[1]


def show_episodes(out: Console, episodes: int, days: float) -> None:
    """Print each episode and the figures."""
    done, figures = measure(episodes, days)
    for item in done:
        minutes = "not found" if item.minutes is None else f"{item.minutes:.0f} min"
        right = {None: "", True: "right area", False: "another area"}[item.right_area]
        out.print(f"{item.kind:<20} {item.target:<10} {minutes:<12} {right} {item.early} before")
    for name, value in figures.items():
        out.print(f"{name:<40} {value:.3g}")


def main() -> None:
    """Print the episodes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--normal-days", type=float, default=NORMAL_DAYS)
    given = parser.parse_args()
    show_episodes(Console(width=110), given.episodes, given.normal_days)


if __name__ == "__main__":
    main()
