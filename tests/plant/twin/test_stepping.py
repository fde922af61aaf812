import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import ParameterError
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource
from orchestrator.plant.twin.stepping import Twin


def test_it_steps_with_the_values_of_the_source():
    scenario = Scenario(name="trial", warm_up_hours=0, price_history_days=0)
    block = next(TwinSource(scenario, seed=4).blocks(timedelta(hours=2)))
    twin = Twin(scenario, seed=4)
    readings = [twin.reset()] + [twin.step() for _ in range(len(block) - 1)]
    stepped = np.array([reading.measured for reading in readings])
    # Prices are rounded to cents, so that a difference in the last bit may show as one cent.
    assert stepped == pytest.approx(block.values, abs=0.0101, nan_ok=True)
    assert readings[-1].time == block.end


def test_a_reset_repeats_the_run_and_another_seed_does_not():
    twin = Twin(seed=1)
    first = twin.reset().measured
    twin.step({"TC203_SP": 300})
    assert np.array_equal(twin.reset().measured, first, equal_nan=True)
    assert twin.set_points["TC203_SP"] == 292
    assert not np.array_equal(twin.reset(seed=2).measured, first, equal_nan=True)


def test_a_set_point_moves_at_its_rate_and_the_plant_follows():
    twin = Twin(Path("normal"))
    before = twin.reset()
    rows = [twin.step({"FC101_SP": 620} if i == 0 else None) for i in range(60)]
    working = np.array([row["FC101_SP"] for row in rows])
    assert working[:10] == pytest.approx(600 + 2 * np.arange(1, 11))
    assert working[-1] == 620
    assert rows[-1].true[rows[-1].tags.index("FI101")] > before["FI101"] + 12


def test_a_wrong_move_moves_nothing():
    twin = Twin()
    with pytest.raises(ParameterError, match="FC101_SP"):
        twin.step({"TC203_SP": 295, "FC101_SP": 9000})
    assert twin.set_points["TC203_SP"] == 292


def test_at_least_sixty_tags_are_sampled_every_minute_besides_set_points_and_prices():
    twin = Twin()
    reading = twin.step()
    measured = [
        tag.name
        for tag in twin.plant.tags
        if not tag.controllable and tag.kind not in ("price", "lab", "state")
        if math.isfinite(reading[tag.name])
    ]
    assert len(measured) >= 60
    assert len(twin.limits) >= 10
