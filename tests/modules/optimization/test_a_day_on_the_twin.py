"""Hours of supervised optimization on the simulated unit; ``python -m benchmarks twin_optimization`` runs ten days."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from benchmarks.twin_operation import OPERATOR, Operation
from benchmarks.twin_optimization import fixed, scenario_of
from benchmarks.twin_scores import scored

HOURS = 3.9


@pytest.mark.timeout(600)
def test_hours_under_the_operator_agent_earn_more_and_break_nothing(tmp_path: Path):
    scenario = scenario_of(11, 10)
    operation = asyncio.run(Operation.over(scenario, 11, HOURS / 24, tmp_path))
    plant, tally = operation.source.plant, operation.tally
    last_hour = [np.vstack(operation.source.true)[-60:]]
    left_alone = [np.vstack(fixed(scenario, 11, HOURS / 24))[-60:]]
    assert scored(last_hour, plant).margin > scored(left_alone, plant).margin
    whole = scored(operation.source.true, plant)
    assert not whole.hard
    assert not whole.off
    assert whole.on_time == whole.on_mass == 1.0
    assert tally.ends["completed"] == 1
    assert tally.moves > 0
    assert tally.writes == {"done": tally.writes["done"]}
    with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
        written = database.execute(
            "SELECT tag, value, read_back, approvers FROM writes WHERE state = 'done'"
        ).fetchall()
    assert len(written) == tally.writes["done"]
    handles = plant.economics.handles
    for tag, value, read_back, approvers in written:
        assert read_back == pytest.approx(value, abs=1e-9)
        assert handles[tag][0] <= value <= handles[tag][1]
        assert OPERATOR in approvers
