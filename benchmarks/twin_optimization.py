"""Supervised optimization of the simulated unit over ten days, against fixed set points and the true optimum.

``python -m benchmarks.twin_optimization [--seeds 101 102 …] [--days 10]``. Each seed is a run of its own, with a
price shock, a crude switch and a fouling exchanger of its own time and size. All data is simulated.

Four ways to run the same days:

- fixed: the set points stay where they are in normal operation.
- optimized: every two hours ``optimization.setpoints`` proposes moves from measured values alone. A scripted
  operator has them rehearsed from measured values, asks again with more room where a limit would be crossed,
  and approves what is worth the trouble.
- begun: the same for the first tenth of the days, then the set points stay where they are.
- optimum: at every hour the unit stands at the steady state of largest margin within all limits and
  specifications, found from its own equations with its true crude, fouling and weather. It knows everything,
  moves at once and keeps no distance from limits, so that nobody can reach it.

Margin, limits and specifications are judged by true values, minute by minute.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import structlog
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from orchestrator.core.live_loop import join
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import PathStep, SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.present import present_values
from orchestrator.modules.optimization.setpoints import run as setpoints
from orchestrator.plant.expressions import Expression
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.optimum import Optimum, Truth, margin_of, optimum
from orchestrator.plant.twin.rehearsal import HORIZON, rehearse, standing_at
from orchestrator.plant.twin.scenario import Fault, Scenario
from orchestrator.plant.twin.source import TwinSource
from orchestrator.plant.twin.unit import SET_POINTS

Array = NDArray[np.float64]

SEEDS = (101, 102, 103, 104, 105)
"""Seeds that are reported; the optimizer was made on others."""
DAYS = 10.0
GOAL = 0.7
"""Share of the gap between fixed set points and optimum that is to be closed."""
EVERY = timedelta(hours=2)
"""Time between two decisions."""
MOVE_MINUTES = 40.0
"""Time for the moves of a decision; then analysers are left to show what they did."""
HISTORY = 80
"""Minutes of measured values that a decision looks at: those since the last moves."""
CHANCE = 0.99
"""With which limits are to hold at any time."""
STEP = timedelta(minutes=5)
"""Time between two steps of a way."""
LEAST_WORTH = 500.0
"""The operator makes no move for less, USD a day."""
ASKED_AGAIN = 3
"""How often the operator asks for moves that cross no limit in rehearsal."""
EXTERNAL = ("AI101", "AI102", "TI101")
"""Crude and weather: no set point moves them."""
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_START_EVERY = 6
"""Hours between two optima that are searched from a second starting point, to see whether it agrees."""


def scenario_of(seed: int, days: float) -> Scenario:
    """Days with a price shock, a crude switch and a fouling exchanger, each of its own time and size."""
    random = np.random.default_rng(seed)
    minutes = days * 1440.0
    shock = Fault(
        name="price shock",
        kind="price_shock",
        target=str(random.choice(["PR_DIESEL", "PR_KEROSENE", "PR_NAPHTHA", "PR_GASOIL"])),
        magnitude=float(random.choice([-1, 1]) * random.uniform(6, 18)),
        onset_minutes=float(random.uniform(0.05, 0.5) * minutes),
        duration_minutes=float(random.uniform(0.2, 0.4) * minutes),
    )
    crude = Fault(
        name="crude switch",
        kind="crude_switch",
        target=str(random.choice(["light", "heavy", "sour"])),
        magnitude=float(random.uniform(0.25, 0.5)),
        onset_minutes=float(random.uniform(0.2, 0.7) * minutes),
        shape="ramp",
        rise_minutes=240.0,
    )
    fouling = Fault(
        name="fouling exchanger",
        kind="exchanger_fouling",
        target=str(random.choice(["E-101", "E-102", "E-104", "E-105"])),
        magnitude=float(random.uniform(0.2, 0.5)),
        onset_minutes=float(random.uniform(0.05, 0.5) * minutes),
        shape="ramp",
        rise_minutes=0.4 * minutes,
    )
    return Scenario(
        name=f"{days:g} days, seed {seed}",
        warm_up_hours=6,
        price_history_days=0,
        faults=(shock, crude, fouling),
    )


@dataclass(frozen=True, slots=True)
class Best:
    """The true optimum over the days.

    Attributes:
        margins: Of every hour, USD/h.
        infeasible: Hours in which no set points keep all limits.
        spread: Largest difference between two starting points, USD/h.
    """

    margins: Array
    infeasible: int
    spread: float


def best(scenario: Scenario, seed: int, days: float) -> Best:
    """The true optimum in every hour."""
    source = TwinSource(scenario, seed=seed)
    design = np.array([value for value, _ in SET_POINTS.values()])
    last = design
    found: list[Optimum] = []
    for true, _ in _parts(source, _HOUR, days):
        prices = {
            tag: float(true.values[-1, i])
            for i, tag in enumerate(true.tags)
            if tag.startswith("PR_")
        }
        starts = (last, design) if len(found) % _START_EVERY == 0 else (last,)
        at = optimum(Truth(source.standing().unit, source.plant, prices), starts)
        if not at.feasible and len(starts) == 1:
            at = optimum(Truth(source.standing().unit, source.plant, prices), (last, design))
        last = np.array(list(at.set_points.values()))
        found.append(at)
    return Best(
        np.array([at.margin for at in found]),
        sum(not at.feasible for at in found),
        max(at.spread for at in found),
    )


@dataclass
class Days:
    """A run of the days.

    Attributes:
        values: True values of every minute, ``(n, n_tags)`` by block.
        moves: Set points moved.
        decisions: Decisions that moved any.
        refused: Decisions in which nothing was found that crosses no limit in rehearsal.
    """

    values: list[Array] = field(default_factory=list)
    moves: int = 0
    decisions: int = 0
    refused: int = 0


def fixed(scenario: Scenario, seed: int, days: float) -> Days:
    """The days with set points left alone."""
    source = TwinSource(scenario, seed=seed)
    return Days([true.values for true, _ in _parts(source, _HOUR, days)])


def optimized(scenario: Scenario, seed: int, days: float, until: float | None = None) -> Days:
    """The days with a decision every two hours, or only until so many days have passed."""
    source, done = TwinSource(scenario, seed=seed), Days()
    path: tuple[PathStep, ...] = ()
    with tempfile.TemporaryDirectory() as folder:
        seen = join(list(source.history(_HOUR)))
        for number, (true, measured) in enumerate(_parts(source, STEP, days), 1):
            done.values.append(true.values)
            seen = _latest(join([seen, measured]))
            since = number % round(EVERY / STEP)
            if since == 0 and number * STEP > (until or days) * 24 * _HOUR:
                path = ()
            elif since == 0:
                path = _decide(source, seen, done, Path(folder))
            minute = since * (STEP / _MINUTE)
            for step in path:
                if minute <= step.at_minutes < minute + STEP / _MINUTE:
                    source.set_point(step.tag, step.value)
    return done


def _decide(
    source: TwinSource, seen: SampleBlock, done: Days, folder: Path
) -> tuple[PathStep, ...]:
    """What the scripted operator does at a decision; returns the way that is approved."""
    data = folder / "seen.arrow"
    _write(seen, data)
    context = OperationContext(now=seen.end, plant=source.plant, data_file=data, folder=folder)
    standing = standing_at(present_values(context, SetpointsInput().average_minutes), source.plant)
    room: dict[str, float] = {}
    for _ in range(ASKED_AGAIN):
        limits = _tighter(source.plant, room)
        proposed = setpoints(
            SetpointsInput(move_minutes=MOVE_MINUTES, starts=1, limits=limits, limit_chance=CHANCE),
            context,
        )
        if not _wanted(proposed):
            return ()
        steps = [(step.at_minutes, step.tag, step.value) for step in proposed.path]
        crossed = rehearse(standing, steps, steps[-1][0] + HORIZON).caused
        if not crossed:
            done.decisions += 1
            done.moves += len(proposed.moves)
            return proposed.path
        for item in crossed:
            if source.plant.economics is None or item.tag not in source.plant.economics.responses:
                continue
            room[item.tag] = room.get(item.tag, 0.0) + 1.5 * abs(item.value - item.limit)
    done.refused += 1
    return ()


def _wanted(proposed: SetpointsResult) -> bool:
    worth = proposed.worth_usd_per_day or 0.0
    # What costs money brings limits back, or the distance that is kept from them.
    return bool(proposed.moves) and (abs(worth) >= LEAST_WORTH or bool(proposed.outside_before))


def _tighter(plant: Plant, room: dict[str, float]) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for tag, by in room.items():
        low, high = plant.tag(tag).limits.operating
        found[tag] = (None if low is None else low + by, None if high is None else high - by)
    return found


def _parts(
    source: TwinSource, span: timedelta, days: float
) -> Iterator[tuple[SampleBlock, SampleBlock]]:
    """True and measured values of the days, ``span`` by ``span``."""
    for number, pair in enumerate(source.truth(span), 1):
        yield pair
        if number >= round(timedelta(days=days) / span):
            return


def _latest(block: SampleBlock) -> SampleBlock:
    return block.rows(max(0, len(block) - HISTORY), len(block))


def _write(block: SampleBlock, file: Path) -> None:
    table = pa.table(
        {"time": pa.array(block.times, pa.timestamp("us", "UTC"))}
        | {tag: block.values[:, i] for i, tag in enumerate(block.tags)}
    )
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


@dataclass(frozen=True, slots=True)
class Score:
    """What a run of the days was worth, and what it broke.

    Attributes:
        margin: Mean, USD/h.
        hard: Hard limit -> minutes beyond it, and the farthest value.
        alarms: Alarm limit -> minutes beyond it.
        off: Specification -> minutes beyond it, and the farthest value.
        on_time: Share of minutes with every product on specification.
        on_mass: Share of the mass of the specified products that was on specification.
    """

    margin: float
    hard: dict[str, tuple[int, float]]
    alarms: dict[str, int]
    off: dict[str, tuple[int, float]]
    on_time: float
    on_mass: float


def scored(days: Days, plant: Plant) -> Score:
    """Judge true values."""
    values = dict(zip(plant.tag_names, np.vstack(days.values).T, strict=True))
    margin = margin_of(Expression.parse(plant.kpis["margin_usd_per_bbl"].expression), values)
    hard: dict[str, tuple[int, float]] = {}
    alarms: dict[str, int] = {}
    for tag in plant:
        if tag.name in values and tag.name not in EXTERNAL:
            hard |= _beyond(tag.name, values[tag.name], tag.limits.hard)
            outer = _beyond(tag.name, values[tag.name], tag.limits.operating)
            alarms |= {name: minutes for name, (minutes, _) in outer.items()}
    off: dict[str, tuple[int, float]] = {}
    all_on = np.ones(len(margin), dtype=bool)
    made = on_mass = 0.0
    for product in plant.products.values():
        on = np.ones(len(margin), dtype=bool)
        for tag_name, (low, high) in product.specifications.items():
            value = values[tag_name]
            off |= _beyond(tag_name, value, (low, high))
            on &= (value >= (-np.inf if low is None else low)) & (
                value <= (np.inf if high is None else high)
            )
        all_on &= on
        made += float(values[product.flow].sum())
        on_mass += float(values[product.flow][on].sum())
    return Score(
        float(margin.mean()), hard, alarms, off, float(all_on.mean()), on_mass / max(made, 1e-9)
    )


def _beyond(
    name: str, value: Array, span: tuple[float | None, float | None]
) -> dict[str, tuple[int, float]]:
    found = {}
    for sign, side, bound in ((-1.0, "<", span[0]), (1.0, ">", span[1])):
        if bound is not None and (beyond := sign * (value - bound) > 0).any():
            found[f"{name} {side} {bound:g}"] = (
                int(beyond.sum()),
                float(sign * (sign * value).max()),
            )
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed; the share is of the gap between fixed and best that the optimizer closed."""

    seed: int
    fixed: Score
    begun: Score
    optimized: Score
    best: Best
    moves: int
    decisions: int
    refused: int

    @property
    def share(self) -> float:
        """Share of the gap that is closed."""
        return self._closed(self.optimized)

    @property
    def share_begun(self) -> float:
        """The same where the optimizer is left after the first tenth of the days."""
        return self._closed(self.begun)

    def _closed(self, score: Score) -> float:
        gap = float(self.best.margins.mean()) - self.fixed.margin
        return (score.margin - self.fixed.margin) / gap


def outcome(seed: int, days: float = DAYS) -> Outcome:
    """Run one seed in all ways."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    scenario = scenario_of(seed, days)
    plant = TwinSource(scenario, seed=seed).plant
    moved = optimized(scenario, seed, days)
    return Outcome(
        seed,
        scored(fixed(scenario, seed, days), plant),
        scored(optimized(scenario, seed, days, days / 10), plant),
        scored(moved, plant),
        best(scenario, seed, days),
        moved.moves,
        moved.decisions,
        moved.refused,
    )


def measure(seeds: tuple[int, ...], days: float) -> list[Outcome]:
    """All seeds, on as many cores as there are."""
    with ProcessPoolExecutor(min(len(seeds), os.cpu_count() or 1)) as pool:
        return list(pool.map(outcome, seeds, [days] * len(seeds)))


def run() -> dict[str, Any]:
    """The figures."""
    found = measure(SEEDS, DAYS)
    figures: dict[str, Any] = {"days": DAYS}
    for item in found:
        name = f"seed {item.seed}, "
        figures[name + "margin fixed, USD/h"] = item.fixed.margin
        figures[name + "margin optimized, USD/h"] = item.optimized.margin
        figures[name + "margin of the true optimum, USD/h"] = float(item.best.margins.mean())
        figures[name + "share of the gap closed"] = item.share
        figures[name + "share closed by its first tenth alone"] = item.share_begun
        figures[name + "minutes beyond a hard limit"] = _minutes(item.optimized.hard)
        figures[name + "share of time on specification, fixed"] = item.fixed.on_time
        figures[name + "share of time on specification"] = item.optimized.on_time
    figures["share of the gap closed, least"] = min(item.share for item in found)
    figures["within budget"] = all(_good(item) for item in found)
    return figures


def _minutes(broken: dict[str, tuple[int, float]]) -> int:
    return sum(minutes for minutes, _ in broken.values())


def _good(item: Outcome) -> bool:
    return item.share >= GOAL and not item.optimized.hard and not item.optimized.off


def show(out: Console, found: list[Outcome]) -> None:
    """Print a table, and what was broken."""
    table = Table(title="Supervised optimization of the simulated unit (simulated data)")
    columns = (
        "seed", "fixed USD/h", "optimized", "optimum", "gap closed", "moves in decisions", "hard limits, min",
        "on spec, fixed", "on spec",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    for item in found:
        table.add_row(
            str(item.seed),
            f"{item.fixed.margin:,.0f}",
            f"{item.optimized.margin:,.0f}",
            f"{item.best.margins.mean():,.0f}",
            f"{100 * item.share:.1f} %",
            f"{item.moves} in {item.decisions}",
            str(_minutes(item.optimized.hard)),
            f"{100 * item.fixed.on_time:.2f} %",
            f"{100 * item.optimized.on_time:.2f} %",
        )
    out.print(table)
    for item in found:
        out.print(
            f"seed {item.seed}: {item.refused} decisions refused, {item.best.infeasible} h without a feasible "
            f"optimum, starts differ by {item.best.spread:.2g} USD/h"
        )
        out.print(f"  begun: {100 * item.share_begun:.1f} % of the gap closed")
        three = {"fixed": item.fixed, "begun": item.begun, "optimized": item.optimized}
        for name, score in three.items():
            out.print(f"  {name}: hard {score.hard}, off specification {score.off}")
            out.print(f"  {name}: minutes beyond alarm limits {score.alarms}")
            out.print(f"  {name}: {100 * score.on_mass:.2f} % of the mass on specification")


def main() -> None:
    """Print the outcome of each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--days", type=float, default=DAYS)
    given = parser.parse_args()
    show(Console(width=120), measure(tuple(given.seeds), given.days))


if __name__ == "__main__":
    main()
