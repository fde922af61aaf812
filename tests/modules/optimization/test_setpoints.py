from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import (
    ConfigurationError,
    InsufficientDataError,
    ParameterError,
    UnknownTagError,
)
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.setpoints import run
from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import Equipment, Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.scenario import Fault, Scenario
from orchestrator.plant.twin.source import TwinSource
from orchestrator.write_settings import TagEnvelope

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def plant(economics, **limits) -> Plant:
    tags = [
        {"name": "x", "unit": "t/h", "controllable": True, "normal": [0, 10], "rate_limit": 1.0},
        {"name": "y", "unit": "t/h", "controllable": True, "normal": [0, 10], "rate_limit": 1.0},
        {"name": "t", "unit": "degC", "normal": [0, 20], "dead_band": 0.5},
        {"name": "s", "unit": "percent", "normal": [0, 20]},
        {"name": "price", "unit": "USD/t", "kind": "price"},
    ]
    for tag in tags:
        if tag["name"] in limits:
            tag["limits"] = limits[tag["name"]]
    return Plant.model_validate({"tags": tags, "economics": economics})


LINEAR = {
    "handles": {"x": [0, 10], "y": [0, 10]},
    "responses": {"t": "x + 2 * y"},
    "objective": "price * x + 4 * y",
}
HERE = {"x": 2.0, "y": 2.0, "t": 6.0, "price": 3.0}


def propose(model: Plant, present=HERE, **parameters):
    return run(
        SetpointsInput(current=present, **parameters), OperationContext(now=NOW, plant=model)
    )


def moved(result):
    return {move.tag: move.to for move in result.moves}


def price_of(result, limit, side):
    return next(i.shadow_price for i in result.binding if i.limit == limit and i.side == side)


def test_without_an_economic_model_it_says_what_to_configure(bare):
    result = run(SetpointsInput(), bare)
    assert result.status == "no_model"
    assert "economics" in (result.configure or "")
    assert result.moves == ()


def test_a_linear_model_is_solved_as_by_hand_with_its_shadow_prices():
    result = propose(plant(LINEAR, t={"high": 14}))
    assert result.status == "optimal"
    assert "HiGHS" in result.method
    assert {"x": 2.0, "y": 2.0} | moved(result) == pytest.approx({"x": 10, "y": 2})
    assert result.worth_usd_per_day == pytest.approx(24 * 3 * 8)
    # One degree more lets y rise by a half, worth 2 USD/h; more x takes that back: 3 − 2.
    assert price_of(result, "t", "max") == pytest.approx(24 * 2)
    assert price_of(result, "x", "max") == pytest.approx(24 * 1)
    assert result.expected["t"].to == pytest.approx(14)


def test_a_biased_model_moves_from_where_the_plant_is():
    result = propose(plant(LINEAR, t={"high": 14}), {**HERE, "t": 9.0})
    assert result.expected["t"].from_ == pytest.approx(9)
    assert result.expected["t"].to == pytest.approx(14)
    assert moved(result)["y"] == pytest.approx(0.5)


def test_no_handle_moves_faster_than_its_rate_limit_allows():
    result = propose(plant(LINEAR), move_minutes=3)
    assert moved(result) == pytest.approx({"x": 5, "y": 5})
    assert {item.kind for item in result.binding} == {"move"}


def test_a_held_handle_stays_and_a_tighter_limit_of_the_run_counts():
    result = propose(plant(LINEAR), hold=("x",), limits={"y": (None, 4.0)})
    assert moved(result) == pytest.approx({"y": 4})


def test_a_limit_of_the_run_cannot_widen_the_plant_s():
    result = propose(plant(LINEAR, t={"high": 14}), limits={"t": (None, 99.0)})
    assert result.expected["t"].to <= 14 + 1e-6


def test_at_the_optimum_nothing_is_moved():
    result = propose(plant(LINEAR), {"x": 10.0, "y": 10.0, "t": 30.0, "price": 3.0})
    assert result.status == "optimal"
    assert result.moves == ()
    assert result.worth_usd_per_day == pytest.approx(0)


def test_a_nonlinear_model_reaches_its_known_optimum():
    economics = {
        "handles": {"x": [0, 10], "y": [0, 10]},
        "responses": {"t": "x * y"},
        "objective": "100 - (x - 6) ** 2 - (y - 4) ** 2",
    }
    free = propose(plant(economics), {**HERE, "t": 4.0})
    assert free.status == "optimal"
    assert moved(free) == pytest.approx({"x": 6, "y": 4}, abs=1e-4)
    limited = propose(plant(economics, t={"high": 12}), {**HERE, "t": 4.0})
    grid = np.linspace(0, 10, 4001)
    x, y = np.meshgrid(grid, grid)
    best = np.where(x * y <= 12, 100 - (x - 6) ** 2 - (y - 4) ** 2, -np.inf).max()
    assert limited.objective_usd_per_hour == pytest.approx(best, abs=2e-2)
    assert limited.expected["t"].to <= 12 + 1e-5
    tighter = propose(plant(economics, t={"high": 11.99}), {**HERE, "t": 4.0})
    slope = (limited.objective_usd_per_hour - tighter.objective_usd_per_hour) / 0.01
    assert price_of(limited, "t", "max") == pytest.approx(24 * slope, rel=0.02)


def test_of_two_hills_the_higher_one_is_found():
    economics = {
        "handles": {"x": [0, 10], "y": [0, 10]},
        "objective": "5 * exp(-((x - 2) ** 2)) + 9 * exp(-((x - 8) ** 2) / 2) - 0.01 * y",
    }
    result = propose(plant(economics), HERE, starts=12)
    assert moved(result)["x"] == pytest.approx(8, abs=0.05)


def test_a_tag_outside_its_limit_is_restored_before_money_is_made():
    model = plant({**LINEAR, "objective": "10 * x + 10 * y"}, t={"high": 8})
    result = propose(model, {"x": 5.0, "y": 4.0, "t": 13.0, "price": 3.0})
    assert result.outside_before == ("t",)
    assert result.status == "optimal"
    assert result.expected["t"].to <= 8 + 1e-5
    # Of all ways to 8 degrees the one with most x and y is x alone.
    assert moved(result) == pytest.approx({"x": 8, "y": 0})


def test_a_tag_to_restore_comes_back_by_its_dead_band():
    model = plant({**LINEAR, "objective": "10 * x + 10 * y"}, t={"high": 8})
    result = propose(model, {"x": 2.0, "y": 2.0, "t": 8.2, "price": 3.0}, restore=("t",))
    assert result.expected["t"].to == pytest.approx(7.5)


def test_the_limits_of_failing_equipment_are_restored():
    model = plant({**LINEAR, "objective": "10 * x + 10 * y"}, t={"high": 8})
    failing = model.model_copy(
        update={"equipment": (Equipment(id="H-1", kind="furnace", health="1 - t / 100"),)}
    )
    result = propose(failing, {"x": 2.0, "y": 2.0, "t": 6.0, "price": 3.0}, equipment=("H-1",))
    assert result.expected["t"].to == pytest.approx(7.5)


def test_a_handle_outside_its_bounds_is_brought_back():
    result = propose(plant(LINEAR), {"x": 12.0, "y": 2.0, "t": 6.0, "price": 3.0})
    assert moved(result)["x"] == pytest.approx(10)


def test_limits_that_conflict_are_named_with_the_least_relaxation():
    economics = {
        "handles": {"x": [0, 10], "y": [0, 10]},
        "responses": {"t": "x", "s": "10 - x"},
        "objective": "x",
    }
    model = plant(economics, t={"high": 3}, s={"low": 9})
    present = {"x": 2.0, "y": 0.0, "t": 4.0, "s": 8.0, "price": 1.0}
    result = propose(model, present)
    # t = x + 2 ≤ 3 and s = 10 − x ≥ 9 both want x ≤ 1, which can be had.
    assert result.status == "optimal"
    stuck = propose(model, {**present, "s": 5.0})
    # Now s = 7 − x, which even x = 0 leaves two per cent short of 9.
    assert stuck.status == "infeasible"
    assert [(c.limit, c.side) for c in stuck.conflicts] == [("s", "min")]
    assert stuck.conflicts[0].relax_by == pytest.approx(2.0, abs=1e-4)
    assert "s cannot come nearer" in stuck.summary
    assert stuck.expected["t"].to <= 3 + 1e-5


def test_a_tag_that_the_model_does_not_know_cannot_be_restored_and_that_is_said():
    result = propose(plant(LINEAR), restore=("s",))
    assert any("s is not in the economic model" in text for text in result.warnings)


def test_the_present_is_the_mean_of_the_last_minutes(context_for):
    times = [NOW + timedelta(minutes=m) for m in range(60)]
    columns = {
        "time": times,
        "x": [9.0] * 45 + [2.0] * 15,
        "y": [2.0] * 60,
        "t": [6.0] * 60,
        "price": [3.0] * 59 + [float("nan")],
    }
    result = run(SetpointsInput(average_minutes=14), context_for(columns, plant=plant(LINEAR)))
    assert next(m for m in result.moves if m.tag == "x").from_ == pytest.approx(2.0)
    dumped = result.model_dump(mode="json")
    assert dumped["moves"][0].keys() == {"tag", "from", "to", "unit"}


def test_a_missing_present_value_is_named():
    with pytest.raises(InsufficientDataError, match="price"):
        propose(plant(LINEAR), {"x": 2.0, "y": 2.0, "t": 6.0})
    wrong = plant({**LINEAR, "objective": "x * prize"})
    with pytest.raises(UnknownTagError, match="prize"):
        propose(wrong)


def test_a_response_without_a_present_value_takes_the_model_s_level_and_says_so():
    result = propose(plant(LINEAR), {"x": 2.0, "y": 2.0, "price": 3.0})
    assert any("t has no present value" in text for text in result.warnings)


def test_wrong_parameters_are_refused():
    with pytest.raises(ParameterError, match="'z'"):
        propose(plant(LINEAR), hold=("z",))
    with pytest.raises(ParameterError, match="no room"):
        propose(plant(LINEAR), limits={"x": (9.0, 3.0)})
    economics = {"handles": {"s2": [0, None]}, "objective": "s2"}
    unbounded = Plant.model_validate({"tags": [{"name": "s2"}], "economics": economics})
    with pytest.raises(ConfigurationError, match="upper bound"):
        propose(unbounded, {"s2": 1.0})


@settings(max_examples=40, deadline=None)
@given(
    cost=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    gain=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    bend=st.floats(0, 0.5),
    at=st.tuples(st.floats(0, 10), st.floats(0, 10)),
    high=st.floats(-5, 25),
)
def test_what_is_called_optimal_keeps_every_limit_and_is_no_worse_than_staying(
    cost, gain, bend, at, high
):
    economics = {
        "handles": {"x": [0, 10], "y": [0, 10]},
        "responses": {"t": f"{gain[0]} * x + {gain[1]} * y"},
        "objective": f"{cost[0]} * x + {cost[1]} * y - {bend} * x * y",
    }
    present = {"x": at[0], "y": at[1], "t": gain[0] * at[0] + gain[1] * at[1], "price": 1.0}
    model = plant(economics, t={"high": high})
    result = propose(model, present)
    x, y = ({**present, **moved(result)}[name] for name in "xy")
    assert -1e-9 <= x <= 10 + 1e-9
    assert -1e-9 <= y <= 10 + 1e-9
    reached = gain[0] * x + gain[1] * y
    assert result.expected["t"].to == pytest.approx(reached, abs=1e-6)
    if result.status in ("optimal", "feasible"):
        assert reached <= high + 1e-4
    else:
        assert result.status == "infeasible"
        least = sum(min(0.0, g * 10) for g in gain)
        assert least > high - 1e-4
    if not result.outside_before:
        assert result.worth_usd_per_day >= -1e-6


def test_proposed_moves_earn_on_the_simulated_plant_what_was_promised():
    scenario = Scenario(name="trial", warm_up_hours=0, price_history_days=0, noise=0, disturbance=0)
    source = TwinSource(scenario)
    blocks = source.blocks(timedelta(hours=3))
    before = values_of(next(blocks))
    result = run(SetpointsInput(current=before), OperationContext(now=NOW, plant=source.plant))
    assert result.status == "optimal"
    for move in result.moves:
        source.set_point(move.tag, move.to)
    next(blocks)
    after = values_of(next(blocks))
    objective = Expression.parse(source.plant.economics.objective)
    gain = 24 * (float(objective.evaluate(after)) - float(objective.evaluate(before)))
    assert gain > 0
    assert gain == pytest.approx(result.worth_usd_per_day, rel=0.25)
    assert after["TI131"] <= 526
    assert after["AI304"] <= 360


def test_with_a_fouled_exchanger_the_tube_skin_comes_back_under_its_alarm():
    fault = Fault(
        name="fouled", kind="exchanger_fouling", target="E-101", magnitude=0.5, onset_minutes=0
    )
    scenario = Scenario(
        name="trial",
        warm_up_hours=0,
        price_history_days=0,
        noise=0,
        disturbance=0,
        faults=(fault,),
    )
    source = TwinSource(scenario)
    blocks = source.blocks(timedelta(hours=3))
    hot = values_of(next(blocks))
    assert hot["TI131"] > 526
    context = OperationContext(now=NOW, plant=load_plant(PLANT_FILE))
    result = run(SetpointsInput(current=hot, restore=("TI131",)), context)
    assert "TI131" in result.outside_before
    for move in result.moves:
        source.set_point(move.tag, move.to)
    next(blocks)
    assert values_of(next(blocks))["TI131"] < 526


def values_of(block) -> dict[str, float]:
    """The last row; laboratory tags have no value in most rows."""
    last = zip(block.tags, block.values[-1].tolist(), strict=True)
    return {tag: value for tag, value in last if np.isfinite(value)}


def test_what_is_sold_is_held_to_its_specification_whatever_the_alarm_says():
    model = plant(LINEAR, t={"high": 18})
    sold = {"products": {"p": {"flow": "x", "specifications": {"t": [None, 12]}}}}
    bound = Plant.model_validate({**model.model_dump(), **sold})
    free, held = propose(model), propose(bound)
    assert free.expected["t"].to == pytest.approx(18)
    assert held.expected["t"].to == pytest.approx(12)
    assert next(item.bound for item in held.binding if item.limit == "t") == 12


ON_LIST = {"hard": (0, 8), "max_rate": 0.5, "max_move": 3, "max_cumulative": 9, "tolerance": 0.1}


class TestWriteList:
    """What may be written is what is proposed, so that the safety agent has nothing to refuse."""

    def propose(self, here=HERE, own=None, **parameters):
        model = plant(LINEAR | {"objective": "5 * x + y"}, t={"high": 100})
        context = OperationContext(
            now=NOW,
            plant=model,
            write_list={"x": TagEnvelope.model_validate(ON_LIST | (own or {}))},
        )
        return run(SetpointsInput(current=here, move_minutes=600, **parameters), context)

    def test_no_move_is_longer_than_one_recommendation_may_be(self):
        found = self.propose()
        assert moved(found) == pytest.approx({"x": 5.0, "y": 10.0})
        x = [step for step in found.path if step.tag == "x"]
        assert (
            x[-1].at_minutes >= 6.0 - 1e-6
        )  # 3 t/h at 0.5 a minute, where the plant file allows 1

    def test_no_move_leaves_the_soft_limits_unless_limits_are_asked_for(self):
        soft = {"soft": (1, 4)}
        assert moved(self.propose(own=soft))["x"] == pytest.approx(4.0)
        wide = self.propose(own=soft, limits={"x": (None, 9.0)})
        assert moved(wide)["x"] == pytest.approx(5.0)

    def test_nothing_leaves_the_hard_limits(self):
        found = self.propose(own={"max_move": 20}, limits={"x": (None, 9.0)})
        assert moved(found)["x"] == pytest.approx(8.0)

    def test_what_two_persons_put_beyond_the_soft_limits_may_stay(self):
        found = self.propose(here=HERE | {"x": 6.0}, own={"soft": (1, 4)})
        assert "x" not in moved(found)

    def test_bounds_wider_than_the_normal_range_do_not_widen_it(self):
        wide = plant(LINEAR | {"handles": {"x": [0, 50], "y": [0, 10]}}, t={"high": 1000})
        assert moved(propose(wide, move_minutes=600))["x"] == pytest.approx(10.0)
