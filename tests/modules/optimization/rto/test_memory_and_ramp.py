import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.rto.adaptation import Memory, Prediction
from orchestrator.modules.optimization.rto.history import OperatingPoint
from orchestrator.modules.optimization.rto.memory import (
    MOST_POINTS,
    digest_of,
    path_of,
    read,
    remember,
    write,
)
from orchestrator.modules.optimization.rto.ramp import ramp
from orchestrator.modules.optimization.steady_model import SteadyModel
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.tags import Plant

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SPANS = {"x": 10.0, "y": 10.0}


def point(x, y=0.0, value=1.0, noise=0.0, at=None):
    return OperatingPoint({"x": x, "y": y}, {"t": value}, {"t": noise}, {"price": 2.0}, at)


def test_what_is_written_is_read_again(tmp_path):
    memory = Memory([point(1, at=NOW), point(2)], 0.2, 1, Prediction(3.0, True, (1.0, 2.0)))
    path = tmp_path / "a" / "b.json"
    write(path, memory)
    write(path, memory)
    assert read(path) == memory
    assert [p.name for p in path.parent.iterdir()] == ["b.json"]


@pytest.mark.parametrize("text", ["", "{", json.dumps({"version": 99}), "[]"])
def test_a_file_that_cannot_be_used_is_begun_anew(tmp_path, text):
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    assert read(path) == Memory()
    assert read(tmp_path / "none.json") == Memory()


def test_money_and_limits_do_not_change_what_was_learned_and_equations_do(tmp_path):
    base = {"handles": {"x": [0, 1]}, "responses": {"t": "2 * x"}, "objective": "x"}
    same = base | {"objective": "3 * x", "constraints": {"t": [None, 4]}}
    other = base | {"responses": {"t": "3 * x"}}
    one, two, three = (digest_of(EconomicModel.model_validate(m)) for m in (base, same, other))
    assert one == two != three
    assert path_of(tmp_path, EconomicModel.model_validate(base)).name == f"{one}.json"


def test_a_place_measured_twice_is_one_point_with_less_noise():
    memory = Memory()
    remember(memory, point(1, value=2.0, noise=0.2, at=NOW), SPANS)
    remember(memory, point(1.001, value=4.0, noise=0.2, at=NOW + timedelta(minutes=20)), SPANS)
    assert len(memory.points) == 1
    assert memory.points[0].measured["t"] == pytest.approx(3.0)
    assert memory.points[0].noise["t"] == pytest.approx(0.2 / 2**0.5)
    remember(memory, point(1.0, value=9.0, noise=0.2, at=NOW + timedelta(hours=9)), SPANS)
    assert memory.points[0].measured["t"] == 9.0


def test_what_another_point_stands_for_is_forgotten_first():
    memory = Memory()
    for i in range(MOST_POINTS):
        remember(memory, point(i / 4), SPANS)
    remember(memory, point(3.1, y=9.0), SPANS)
    assert len(memory.points) == MOST_POINTS
    assert memory.points[-1].handles["y"] == 9.0
    assert memory.points[-2].handles["x"] == pytest.approx((MOST_POINTS - 1) / 4)


def placed(economics, present, **parameters):
    tags = [
        {"name": n, "unit": "t/h", "controllable": True, "normal": [0, 10], "rate_limit": r}
        for n, r in (("x", 0.1), ("y", 0.2))
    ]
    plant = Plant.model_validate({"tags": tags, "economics": economics})
    context = OperationContext(now=NOW, plant=plant)
    asked = SetpointsInput(current=present, **parameters)
    return SteadyModel(plant.economics, present, asked, context)


def test_the_ramp_keeps_every_rate_and_ends_at_the_target():
    model = placed(
        {"handles": {"x": [0, 10], "y": [0, 10]}, "objective": "x + y"}, {"x": 1.0, "y": 1.0}
    )
    way = ramp(model, np.array([4.0, 2.0]))
    assert way.minutes == pytest.approx(30)
    assert way.together
    assert not way.crossings
    for tag, start, end, rate in (("x", 1.0, 4.0, 0.1), ("y", 1.0, 2.0, 0.2)):
        steps = [(minute, value) for minute, name, value in way.steps if name == tag]
        assert steps[-1] == (pytest.approx(30), end)
        minutes, values = zip((0.0, start), *steps, strict=True)
        assert (np.abs(np.diff(values)) <= rate * np.diff(minutes) + 1e-9).all()


def test_handles_go_one_by_one_where_the_straight_way_crosses_a_limit():
    # The limit on t bulges between both points: x first is the way round.
    economics = {
        "handles": {"x": [0, 10], "y": [0, 10]},
        "responses": {"t": "y * (10 - x)"},
        "objective": "x",
        "constraints": {"t": [None, 12]},
    }
    present = {"x": 0.0, "y": 1.0, "t": 10.0}
    way = ramp(placed(economics, present), np.array([9.0, 9.0]))
    assert not way.together
    assert not way.crossings
    order = list(dict.fromkeys(name for _, name, _ in way.steps))
    assert order == ["x", "y"]


def test_a_crossing_that_cannot_be_avoided_is_told():
    economics = {
        "handles": {"x": [0, 10]},
        "responses": {"t": "x * (10 - x)"},
        "objective": "x",
        "constraints": {"t": [None, 20]},
    }
    way = ramp(placed(economics, {"x": 1.0, "t": 9.0, "y": 0.0}), np.array([9.0]))
    assert len(way.crossings) == 1
    assert "t passes its max 20" in way.crossings[0]


def test_nothing_to_move_needs_no_way():
    economics = {"handles": {"x": [0, 10]}, "objective": "x"}
    assert ramp(placed(economics, {"x": 1.0, "y": 0.0}), np.array([1.0])).steps == ()


def test_what_was_learned_outlives_other_bounds_of_a_handle_and_no_other_handle():
    def named(**handles):
        return digest_of(EconomicModel.model_validate({"handles": handles, "objective": "1"}))

    assert named(u=[0, 1]) == named(u=[0, 2])
    assert named(u=[0, 1]) != named(v=[0, 1])
