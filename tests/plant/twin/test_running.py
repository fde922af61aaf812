import numpy as np
import pytest

from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.catalogue import CRUDE_NAMES
from orchestrator.plant.twin.faults import Faults
from orchestrator.plant.twin.running import RunningUnit
from orchestrator.plant.twin.stepping import Twin
from orchestrator.plant.twin.unit import SET_POINTS

MOVES = {"FC101_SP": 612.0, "TC203_SP": 296.0, "PC201_SP": 156.0}


@pytest.mark.parametrize("crude", ["medium", dict.fromkeys(CRUDE_NAMES, 1 / 6)])
def test_it_comes_to_rest_where_it_says_it_would_settle(quiet, crude):
    fouled = {"kind": "exchanger_fouling", "target": "E-104", "magnitude": 0.4, "onset_minutes": 0}
    twin = Twin(quiet(fouled, crude=crude))
    twin.step(MOVES)
    unit = twin.standing().unit
    positions = np.array([[MOVES.get(name, design) for name, (design, _) in SET_POINTS.items()]])
    expected = unit.settled(positions)
    for _ in range(24):
        reached = unit.ahead(60)
    for tag in twin.plant.tag_names:
        if tag in expected:
            assert reached[tag][-1] == pytest.approx(expected[tag][0], rel=1e-6), tag


def test_looking_ahead_is_for_a_held_copy_only(quiet):
    unit = RunningUnit(
        quiet(), load_plant(PLANT_FILE), Faults(()), 0.0, [np.random.default_rng(i) for i in (0, 1)]
    )
    with pytest.raises(RuntimeError, match="held"):
        unit.ahead(1)
    with pytest.raises(RuntimeError, match="nothing has run"):
        unit.settled(np.zeros((1, len(SET_POINTS))))
