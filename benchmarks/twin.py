"""How much faster than real time the simulated crude unit runs, on one core.

``python -m benchmarks.twin`` prints a table. A step is one minute of the unit: physics, sensors with faults,
laboratory and market, as the demonstration scenario has them.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.scenario import load_scenario
from orchestrator.plant.twin.simulation import Simulation
from orchestrator.plant.twin.stepping import Twin

STEPS = 1500
GOAL = 20_000
"""Times real time, step by step."""


def stepping() -> float:
    """Least processor time of a step taken by itself, with a set point moved at every tenth, s."""
    best = np.inf
    for _ in range(3):
        twin = Twin(load_scenario())
        started = time.process_time()
        for step in range(STEPS):
            twin.step({"TC203_SP": 290.0 + step % 3} if step % 10 == 0 else None)
        best = min(best, (time.process_time() - started) / STEPS)
    return float(best)


def in_blocks(rows: int) -> float:
    """Least processor time of a step in blocks of ``rows``, s."""
    best = np.inf
    for _ in range(3):
        simulation = Simulation(load_scenario(), load_plant(PLANT_FILE), 0, 0)
        started = time.process_time()
        for _ in range(max(1, 6000 // rows)):
            simulation.advance(rows)
        best = min(best, (time.process_time() - started) / (max(1, 6000 // rows) * rows))
    return float(best)


def measure() -> dict[str, float]:
    """Processor time of a step, s, by how it is taken."""
    return {
        "step by step": stepping(),
        "blocks of 1 h": in_blocks(60),
        "blocks of 1 day": in_blocks(1440),
    }


def run() -> dict[str, Any]:
    """The figures."""
    took = measure()
    figures: dict[str, Any] = {"tags": len(load_plant(PLANT_FILE).tags)}
    for name, each in took.items():
        figures[f"{name}, ms a minute of the unit"] = 1000 * each
        figures[f"{name}, times real time"] = 60.0 / each
    figures["within budget"] = 60.0 / took["step by step"] >= GOAL
    return figures


def main() -> None:
    """Print a table."""
    table = Table(title="Simulated crude unit, processor time on one core")
    for column in ("", "ms a minute of the unit", "times real time"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, each in measure().items():
        table.add_row(name, f"{1000 * each:.3f}", f"{60.0 / each:,.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
