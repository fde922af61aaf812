"""Episodes on the simulated crude unit: are faults found, how soon, in which area, and how quiet is it?

``python -m benchmarks.twin_episodes [--episodes 40] [--normal-days 30]``. An episode is a seeded run with
one fault, drawn from the kinds that the twin offers, after the twin's own history of normal operation.
A fault counts as found when an alert begins after its onset, a lost signal when the report on data quality
names its tag: missing data raises no alert. All data is simulated.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

import numpy as np
import structlog
from rich.console import Console

from orchestrator.config import MonitoringSettings
from orchestrator.core.live_loop import join
from orchestrator.monitoring.life_cycle import Alert
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
LOOK = timedelta(minutes=5)
"""Distance of looks at the data quality."""
METERS = 4.0
"""Size of a meter's bias, in shares of a twentieth of its normal range."""
TARGETS: dict[str, tuple[tuple[str, float, float, str], ...]] = {
    "exchanger_fouling": (("E-101", 0.2, 0.5, "preheat"),),
    "pump_trip": (("P-101", 0.2, 0.6, "charge"), ("P-102", 0.3, 0.9, "column")),
    "crude_switch": (("light", 0.4, 1.0, ""), ("heavy", 0.4, 1.0, "")),
    "burner_fault": (("H-101", 1.0, 3.0, "furnace"),),
}
"""Targets of a kind: name, least and largest magnitude, area in which it shows first (empty: any)."""
SENSOR_KINDS = ("meter_bias", "meter_drift", "frozen_signal", "missing_signal", "analyser_fault")


@dataclass(frozen=True, slots=True)
class Episode:
    """What came of one episode; minutes are from the onset, null where nothing was told."""

    kind: str
    target: str
    minutes: float | None
    right_area: bool | None
    early: int


def scenario_of(seed: int, plant: Plant) -> tuple[Scenario, str]:
    """A scenario with one fault, and the area where it lies."""
    random = np.random.default_rng(seed)
    kinds = [k for k in get_args(FaultKind) if k in TARGETS or k in SENSOR_KINDS]
    kind = kinds[seed % len(kinds)]
    if kind in TARGETS:
        target, low, high, area = TARGETS[kind][random.integers(len(TARGETS[kind]))]
        magnitude = float(random.uniform(low, high))
    else:
        meters = [
            tag
            for tag in plant.tags
            if tag.kind in ("flow", "temperature", "pressure")
            and not tag.controllable
            and tag.normal
        ]
        tag = meters[random.integers(len(meters))]
        low, high = tag.normal or (0.0, 1.0)
        target, area = tag.name, tag.area
        magnitude = float(random.choice([-1, 1]) * METERS * (high - low) / 20)
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


def watched(
    source: TwinSource, minutes: float, lost: str | None = None
) -> tuple[list[Alert], datetime | None]:
    """Train on the twin's history, watch so many minutes.

    Returns:
        The alerts, and when the data quality first called the tag ``lost`` stale.
    """
    monitor = Monitor(source.plant, MonitoringSettings())
    history = _in_plant(source.history(), source.plant)
    monitor.fit(history)
    end: datetime | None = None
    stale: datetime | None = None
    for block in source.blocks(LOOK if lost else SPAN):
        end = end or block.start + timedelta(minutes=minutes)
        monitor.update(block)
        if lost and stale is None and lost in monitor.quality().stale_tags:
            stale = block.end
        if block.end >= end:
            break
    source.close()
    return monitor.alerts.all(), stale


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
    lost = fault.target if fault.kind == "missing_signal" else None
    alerts, stale = watched(source, ONSET + 60 * HOURS, lost)
    after = [alert for alert in alerts if alert.start >= onset]
    first = min(after, key=lambda alert: alert.start, default=None)
    told = [time for time in (first.start if first else None, stale) if time is not None]
    right = None
    if stale is not None:
        right = True
    elif first is not None and area and first.tag is not None:
        right = source.plant.tag(first.tag).area == area or first.tag == fault.target
    return Episode(
        kind=fault.kind,
        target=fault.target,
        minutes=(min(told) - onset) / timedelta(minutes=1) if told else None,
        right_area=right,
        early=len(alerts) - len(after),
    )


def normal_alerts(days: float, seed: int = 1000) -> int:
    """Alerts in normal days: all of them false."""
    source = TwinSource(Scenario(name="normal"), seed=seed)
    return len(watched(source, days * 24 * 60)[0])


def measure(episodes: int, days: float) -> tuple[list[Episode], dict[str, Any]]:
    """Run the episodes and the normal days."""
    done = [episode(seed) for seed in range(episodes)]
    found = [item for item in done if item.minutes is not None]
    told = [item for item in done if item.right_area is not None]
    figures: dict[str, Any] = {"episodes": len(done)}
    if done:
        figures["share detected"] = len(found) / len(done)
    if found:
        figures["minutes to detection, median"] = float(np.median([e.minutes for e in found]))
    if told:
        figures["share with the right area first"] = sum(bool(e.right_area) for e in told) / len(
            told
        )
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
