"""Supervised optimization of the simulated unit over ten days, against fixed set points and the true optimum.

``python -m benchmarks.twin_optimization [--seeds 101 102 …] [--days 10]``. Each seed is a run of its own, with a
price shock, a crude switch and a fouling exchanger of its own time and size. All data is simulated.

Three ways to run the same days:

- fixed: the set points stay where they are in normal operation.
- optimized: every hour ``optimization.setpoints`` proposes moves from measured values alone; a scripted
  operator approves them when they are worth their while and a rehearsal from measured values crosses no limit.
- optimum: the unit stands at every moment at the steady state of largest margin within all limits, found from
  its own equations, its true crude, fouling and weather. It knows everything, moves at once and keeps no
  distance from limits, so nobody can reach it.
"""

from __future__ import annotations

import argparse
from collections import Counter
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from orchestrator.core.live_loop import join
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.present import present_values
from orchestrator.modules.optimization.setpoints import run as setpoints
from orchestrator.plant.expressions import Expression
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.optimum import Truth, margin_of, operating_limits, optimum
from orchestrator.plant.twin.rehearsal import rehearse, standing_at
from orchestrator.plant.twin.scenario import Fault, Scenario
from orchestrator.plant.twin.source import TwinSource
from orchestrator.plant.twin.unit import SET_POINTS

Array = NDArray[np.float64]

SEEDS = (101, 102, 103, 104, 105)
"""Seeds that are reported; others were used while the optimizer was made."""
DAYS = 10.0
HOUR = timedelta(hours=1)
MOVE_MINUTES = 20.0
"""Time for the moves of an hour; the rest of it is left for analysers to show what they did."""
HISTORY = 6
"""Hours of measured values that a decision may look at."""
BACK=float(os.environ.get('BACK','0.15'))
LEAST_WORTH = 500.0
"""The operator makes no move for less, USD a day."""
GOAL = 0.7
"""Share of the gap between fixed set points and optimum that is to be closed."""


def scenario_of(seed: int, days: float) -> Scenario:
    """Days with a price shock, a crude switch and a fouling exchanger, each of its own time and size."""
    random = np.random.default_rng(seed)
    minutes = days * 1440.0
    price = str(random.choice(["PR_DIESEL", "PR_KEROSENE", "PR_NAPHTHA", "PR_GASOIL"]))
    faults = (
        Fault(
            name="price shock",
            kind="price_shock",
            target=price,
            magnitude=float(random.choice([-1, 1]) * random.uniform(6, 18)),
            onset_minutes=float(random.uniform(0.05, 0.5) * minutes),
            duration_minutes=float(random.uniform(0.2, 0.4) * minutes),
        ),
        Fault(
            name="crude switch",
            kind="crude_switch",
            target=str(random.choice(["light", "heavy", "sour"])),
            magnitude=float(random.uniform(0.25, 0.5)),
            onset_minutes=float(random.uniform(0.2, 0.7) * minutes),
            shape="ramp",
            rise_minutes=240.0,
        ),
        Fault(
            name="fouling exchanger",
            kind="exchanger_fouling",
            target=str(random.choice(["E-101", "E-102", "E-104", "E-105"])),
            magnitude=float(random.uniform(0.2, 0.5)),
            onset_minutes=float(random.uniform(0.05, 0.5) * minutes),
            shape="ramp",
            rise_minutes=0.4 * minutes,
        ),
    )
    return Scenario(
        name=f"ten days {seed}", warm_up_hours=6, price_history_days=0, faults=faults
    )


@dataclass
class Trace:
    """True values of a run, and what was done.

    Attributes:
        values: True values of every minute, ``(n, n_tags)``.
        moves: Moves made.
        decisions: Decisions that led to moves.
        refused: Proposals that the rehearsal found to cross a limit.
    """

    values: list[Array] = field(default_factory=list)
    moves: int = 0
    decisions: int = 0
    refused: int = 0
    why: Counter = field(default_factory=Counter)


def optima(scenario: Scenario, seed: int, days: float) -> list[tuple[float, bool, float]]:
    """Margin of the true optimum in every hour, USD/h; whether it keeps all limits; spread of the starts."""
    source = TwinSource(scenario, seed=seed)
    design = np.array([value for value, _ in SET_POINTS.values()])
    last = design
    found = []
    for true, _ in source.truth(HOUR):
        prices = {
            tag: float(true.values[-1, i]) for i, tag in enumerate(true.tags) if tag.startswith("PR_")
        }
        best = optimum(Truth(source.standing().unit, source.plant, prices), (last, design))
        last = np.array(list(best.set_points.values()))
        found.append((best.margin, best.feasible, best.spread))
        if len(found) >= round(days * 24):
            return found
    return found


def fixed(scenario: Scenario, seed: int, days: float) -> Trace:
    """The days with set points left alone."""
    source, trace = TwinSource(scenario, seed=seed), Trace()
    for true, _ in source.truth(timedelta(days=1)):
        trace.values.append(true.values)
        if sum(map(len, trace.values)) >= days * 1440:
            break
    return trace


def optimized(scenario: Scenario, seed: int, days: float, folder: Path) -> Trace:
    """The days with a decision every hour."""
    source, trace = TwinSource(scenario, seed=seed), Trace()
    seen = list(source.history(HOUR))
    for true, measured in source.truth(HOUR):
        trace.values.append(true.values)
        if sum(map(len, trace.values)) >= days * 1440:
            break
        seen = [*seen, measured][-HISTORY:]
        decide(source, join(seen), trace, folder)
    return trace


def decide(source: TwinSource, seen: SampleBlock, trace: Trace, folder: Path) -> None:
    """Propose, rehearse, and move."""
    data = folder / "seen.arrow"
    _write(seen, data)
    context = OperationContext(now=seen.end, plant=source.plant, data_file=data, folder=folder)
    reached = {tag: float(seen.values[-1, seen.tags.index(tag)]) for tag in SET_POINTS}
    present = present_values(context, 15.0) | reached
    plant = source.plant
    off = {tag: BACK * np.ptp(plant.tag(tag).normal) for tag in plant.economics.responses if plant.tag(tag).normal}
    for attempt in range(4):
        limits = {}
        for tag, b in off.items():
            lo, hi = operating_limits(plant, tag)
            limits[tag] = (None if lo is None else lo + b, None if hi is None else hi - b)
        asked = SetpointsInput(current=reached, move_minutes=MOVE_MINUTES, starts=2, limits=limits)
        result = setpoints(asked, context)
        restoring = bool(result.outside_before)
        if not result.moves or ((result.worth_usd_per_day or 0) < LEAST_WORTH and not restoring):
            return
        steps = [(0.0, move.tag, move.to) for move in result.moves]
        crossed = rehearse(standing_at(present, source.plant), steps).caused
        if not crossed: break
        if attempt == 0: trace.why.update(c.tag for c in crossed)
        for c in crossed:
            if c.tag in off: off[c.tag] += 1.5*abs(c.value - c.limit)
    else:
        trace.refused += 1
        return
    for move in result.moves:
        source.set_point(move.tag, move.to)
    trace.decisions += 1
    trace.moves += len(result.moves)


def _write(block: SampleBlock, file: Path) -> None:
    table = pa.table(
        {"time": pa.array(block.times, pa.timestamp("us", "UTC"))}
        | {tag: block.values[:, i] for i, tag in enumerate(block.tags)}
    )
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


@dataclass(frozen=True, slots=True)
class Score:
    """One way to run the days.

    Attributes:
        margin: USD/h, mean.
        hard: Limit -> minutes beyond it, and the farthest value.
        alarms: Minutes with a true value beyond an alarm limit.
        on_spec: Share of time with every product on specification.
    """

    margin: float
    hard: dict[str, tuple[int, float]]
    alarms: dict[str, int]


def scored(trace: Trace, plant: Plant) -> Score:
    """Score true values."""
    values = np.vstack(trace.values)
    columns = dict(zip(plant.tag_names, values.T, strict=True))
    kpi = Expression.parse(plant.kpis["margin_usd_per_bbl"].expression)
    margin = margin_of(kpi, columns)
    hard, alarms = {}, {}
    for tag in plant:
        if tag.name in ("TI101","AI101","AI102"): continue
        lim = tag.limits
        v = columns[tag.name]
        for side, sign, inner, outer in (("low",-1.0,lim.low,lim.low_low),("high",1.0,lim.high,lim.high_high)):
            o = outer if outer is not None else inner
            i = inner if inner is not None else outer
            if o is None: continue
            beyond = sign*(v-o) > 0
            if beyond.any(): hard[f"{tag.name} {side} {o:g}"] = (int(beyond.sum()), float((v*sign).max()*sign))
            b = sign*(v-i) > 0
            if b.any(): alarms[f"{tag.name} {side} {i:g}"] = int(b.sum())
    return Score(float(margin.mean()), hard, alarms)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1,2])
    parser.add_argument("--days", type=float, default=DAYS)
    given = parser.parse_args()
    import time
    for seed in given.seeds:
        scenario = scenario_of(seed, given.days)
        plant = load_plant(PLANT_FILE)
        print(seed, [(f.kind,f.target,round(f.magnitude,2),round(f.onset_minutes/1440,1)) for f in scenario.faults])
        t=time.time()
        best = optima(scenario, seed, given.days); print("optima", time.time()-t); t=time.time()
        a = scored(fixed(scenario, seed, given.days), plant); print("fixed", time.time()-t); t=time.time()
        with tempfile.TemporaryDirectory() as folder:
            trace = optimized(scenario, seed, given.days, Path(folder))
        b = scored(trace, plant); print("optimized", time.time()-t)
        top = np.mean([x[0] for x in best])
        print("infeasible h", sum(not x[1] for x in best), "spread", max(x[2] for x in best))
        print(f"fixed {a.margin:.0f} optimized {b.margin:.0f} best {top:.0f} share {(b.margin-a.margin)/(top-a.margin):.3f} moves {trace.moves} decisions {trace.decisions} refused {trace.refused} {trace.why}")
        print(" fixed hard", a.hard, a.alarms); print(" opt hard", b.hard, b.alarms)


if __name__ == "__main__":
    main()
