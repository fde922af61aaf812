import math
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.errors import ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization import sensitivity, what_if
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.planning.what_if_models import SensitivityInput, WhatIfInput
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLAN = {
    "crudes": {"light": {"price": 70, "max": 60}, "heavy": {"price": 60, "max": 80}},
    "units": {
        "cdu": {
            "capacity": 100,
            "feeds": {
                "light": {"yields": {"gasoline": 0.6, "fuel": 0.4}, "cost": 1},
                "heavy": {"yields": {"gasoline": 0.3, "fuel": 0.7}, "cost": 1},
            },
        }
    },
    "products": {"gasoline": {"price": 100}, "fuel": {"price": 55, "max": 55}},
}
ECONOMICS = {
    "handles": {"x": [0, 10]},
    "responses": {"t": "2 * x"},
    "objective": "price * x - 40",
    "constraints": {"t": [None, 12]},
}
PRESENT = {"x": 3.0, "t": 6.0, "price": 5.0}


def with_plan():
    return OperationContext(now=NOW, plant=Plant(), settings={"plan_model": PLAN})


def with_economics():
    tags = [
        {"name": "x", "normal": [0, 10]},
        {"name": "t"},
        {"name": "price", "aliases": ["Product price"]},
    ]
    plant = Plant.model_validate({"tags": tags, "economics": ECONOMICS})
    return OperationContext(now=NOW, plant=plant)


def suppose(context, *changes, **more):
    made = tuple(ChangeOf(**change) for change in changes)
    return what_if.run(WhatIfInput(changes=made, **more), context)


def test_more_capacity_is_worth_its_shadow_price():
    result = suppose(with_plan(), {"what": "cdu", "by": 2})
    assert result.of == "plan"
    assert result.worth == pytest.approx(2 * 7.5)
    assert result.changed - result.base == pytest.approx(result.worth)
    heavy = next(d for d in result.differences if d.what == "crudes.heavy")
    assert (heavy.base, heavy.changed) == pytest.approx((40, 42))


@pytest.mark.parametrize(
    ("change", "worth"),
    [
        ({"what": "crudes.light.price", "by": 1}, -60),
        # At 77 light earns 4: heavy takes all of the fuel demand instead.
        ({"what": "crudes.light.price", "by": 10, "unit": "percent"}, 55 / 0.7 * 7.5 - 960),
        ({"what": "products.gasoline.price", "to": 101}, 48),
        ({"what": "gasoline", "by": 1, "unit": "USD"}, 48),
        ({"what": "Gasoline price", "by": 1}, 48),
        ({"what": "cdu capacity", "by": 1}, 7.5),
    ],
)
def test_a_change_is_read_by_path_or_name_absolute_or_relative(change, worth):
    result = suppose(with_plan(), change)
    assert result.worth == pytest.approx(worth)


def test_a_change_that_cannot_be_done_says_which_limits_conflict():
    result = suppose(with_plan(), {"what": "products.gasoline.min", "to": 70})
    assert result.status == "infeasible"
    assert result.conflicts
    assert result.worth is None


@pytest.mark.parametrize("words", ["price", "product price"])
def test_a_price_change_at_the_running_unit_is_solved_again(words):
    result = suppose(with_economics(), {"what": words, "by": 1}, current=PRESENT)
    assert result.of == "setpoints"
    assert result.worth == pytest.approx(24 * 6)
    assert result.base == pytest.approx(24 * (5 * 6 - 40))


def test_changes_that_name_nothing_are_refused():
    with pytest.raises(ParameterError, match="tar"):
        suppose(with_plan(), {"what": "tar", "by": 1})
    with pytest.raises(ParameterError, match=r"crudes\.light"):
        suppose(with_plan(), {"what": "crudes.light", "by": 1})
    with pytest.raises(ParameterError, match="no change"):
        what_if.run(WhatIfInput(), with_plan())
    with pytest.raises(ParameterError, match="present value"):
        suppose(with_plan(), {"what": "products.gasoline.max", "by": 1})


def test_a_name_of_two_things_is_asked_back():
    model = {**PLAN, "products": {**PLAN["products"], "light": {"price": 60}}}
    context = OperationContext(now=NOW, plant=Plant(), settings={"plan_model": model})
    with pytest.raises(ParameterError, match=r"crudes\.light\.price or products\.light\.price"):
        suppose(context, {"what": "light", "by": 1})


def test_without_any_model_both_say_what_to_configure(bare):
    assert suppose(bare, {"what": "a", "by": 1}).status == "no_model"
    found = sensitivity.run(SensitivityInput(), bare)
    assert found.status == "no_model"
    assert found.configure
    assert suppose(bare, {"what": "a", "by": 1}, of="setpoints").status == "no_model"


def test_sensitivity_of_a_plan_gives_prices_and_their_ranges():
    result = sensitivity.run(SensitivityInput(), with_plan())
    capacity = next(item for item in result.limits if item.path == "units.cdu")
    assert capacity.shadow_price == pytest.approx(7.5)
    assert capacity.from_bound == pytest.approx(60)
    assert capacity.to_bound == pytest.approx(60 + 31 / 0.7)
    ranges = {item.what: item for item in result.prices}
    # Heavy stays in the plan while it earns something, and light goes first while it earns more.
    heavy = ranges["crudes.heavy"]
    assert (heavy.low, heavy.high) == pytest.approx((56.5, 67.5))
    light = ranges["crudes.light"]
    assert light.high == pytest.approx(73.5)
    assert light.low is None


@pytest.mark.parametrize("price", [56.6, 67.4])
def test_inside_its_range_a_price_leaves_the_plan_as_it_is(price):
    before = suppose(with_plan(), {"what": "crudes.heavy.price", "to": price})
    assert before.differences == ()


@pytest.mark.parametrize("price", [56.4, 67.6])
def test_outside_its_range_it_does_not(price):
    assert suppose(with_plan(), {"what": "crudes.heavy.price", "to": price}).differences


def test_sensitivity_of_the_set_points_names_what_binds():
    result = sensitivity.run(SensitivityInput(current=PRESENT), with_economics())
    assert result.of == "setpoints"
    assert [item.path for item in result.limits] == ["t"]
    assert result.limits[0].shadow_price == pytest.approx(24 * 2.5)


def test_each_change_s_share_and_each_account_add_up_to_the_whole():
    changes = (
        {"what": "cdu", "by": 10},
        {"what": "fuel demand", "by": 20},
        {"what": "light", "by": -2},
    )
    result = suppose(with_plan(), *changes)
    assert sum(item.share for item in result.contributions) == pytest.approx(result.worth)
    # A change alone is the same change supposed by itself.
    for item, change in zip(result.contributions, changes, strict=True):
        assert item.alone == pytest.approx(suppose(with_plan(), change).worth)
    # More capacity and more demand need each other: together they earn more than one by one.
    assert sum(item.alone for item in result.contributions) < result.worth - 1
    steps = sum(item.changed - item.base for item in result.accounts)
    assert steps == pytest.approx(result.worth)


def test_shares_of_more_changes_than_can_be_ordered_add_up_as_well():
    changes = [{"what": f"crudes.light.{field}", "by": 1} for field in ("price", "max")]
    changes += [
        {"what": "cdu", "by": 1},
        {"what": "gasoline", "by": 1},
        {"what": "fuel demand", "by": 1},
    ]
    result = suppose(with_plan(), *changes)
    assert len(result.contributions) == 5
    assert sum(item.share for item in result.contributions) == pytest.approx(result.worth)


def test_a_change_that_is_impossible_alone_leaves_the_shares_untold():
    changes = ({"what": "products.gasoline.min", "to": 70}, {"what": "crudes.light.max", "to": 120},
               {"what": "cdu", "to": 200}, {"what": "fuel demand", "to": 200})  # fmt: skip
    result = suppose(with_plan(), *changes)
    assert result.status == "optimal"
    assert result.contributions == ()
    assert any("impossible alone" in text for text in result.warnings)


def test_what_is_impossible_now_can_be_supposed_away():
    model = {**PLAN, "products": {**PLAN["products"], "gasoline": {"price": 100, "min": 70}}}
    context = OperationContext(now=NOW, plant=Plant(), settings={"plan_model": model})
    result = suppose(context, {"what": "products.gasoline.min", "to": 0})
    assert result.status == "optimal"
    assert result.worth is None
    assert "As it is the limits cannot all be kept" in result.summary


def test_a_throughput_can_be_supposed():
    by = suppose(with_plan(), {"what": "cdu feed", "by": -10, "unit": "percent"})
    to = suppose(with_plan(), {"what": "units.cdu.throughput", "to": 90})
    assert by.worth == pytest.approx(-75)
    assert to.worth == pytest.approx(-75)


def test_the_margin_over_a_number_breaks_where_the_plan_changes():
    asked = SensitivityInput.model_validate({"curves": [{"what": "cdu", "low": 0, "high": 140}]})
    result = sensitivity.run(asked, with_plan())
    found = result.curves[0]
    heavy_at_full_fuel = 60 + 31 / 0.7
    assert found.shape == "concave"
    assert found.present == 100
    assert [p.value for p in found.points] == pytest.approx([0, 60, heavy_at_full_fuel, 140])
    assert [p.slope for p in found.points[:-1]] == pytest.approx([11, 7.5, 0], abs=1e-6)
    # Beyond the fuel demand only a lighter diet would help, and light is used up.
    for point in found.points:
        if point.value:
            moved = suppose(with_plan(), {"what": "cdu", "to": point.value})
            assert moved.changed == pytest.approx(point.margin)
    assert "bends at 60" in found.text


def test_without_ends_a_curve_goes_half_way_around_the_present_value():
    asked = SensitivityInput.model_validate({"curves": [{"what": "price of gasoline"}]})
    found = sensitivity.run(asked, with_plan()).curves[0]
    assert (found.points[0].value, found.points[-1].value) == (50, 150)
    assert found.shape == "convex"
    with pytest.raises(ParameterError, match="no one present value"):
        sensitivity.run(
            SensitivityInput.model_validate({"curves": [{"what": "products.gasoline.max"}]}),
            with_plan(),
        )


def test_a_curve_over_a_yield_is_sampled():
    curve = {"what": "yield of gasoline from light", "low": 0.5, "high": 0.6}
    found = sensitivity.run(
        SensitivityInput.model_validate({"curves": [curve]}), with_plan()
    ).curves[0]
    assert found.shape == "sampled"
    assert found.points[-1].margin == pytest.approx(960)


def test_one_more_and_one_less_are_told_apart_where_limits_meet():
    # With just this capacity the crude and the unit bind together: more of one alone earns nothing.
    model = {**PLAN, "crudes": {"light": {"price": 70, "max": 100}}}
    model["products"] = {"gasoline": {"price": 100}, "fuel": {"price": 55}}
    model["units"] = {
        "cdu": {"capacity": 100, "feeds": {"light": PLAN["units"]["cdu"]["feeds"]["light"]}}
    }
    context = OperationContext(now=NOW, plant=Plant(), settings={"plan_model": model})
    result = sensitivity.run(SensitivityInput(), context)
    assert result.limits
    for item in result.one_more:
        assert item.more == pytest.approx(0, abs=1e-6)
        assert item.less == pytest.approx(-11)


def test_what_one_more_earns_is_the_shadow_price_inside_its_range():
    result = sensitivity.run(SensitivityInput(), with_plan())
    moved = {item.key: item for item in result.one_more}
    for limit in result.limits:
        assert moved[limit.key].more == pytest.approx(limit.shadow_price)
        assert moved[limit.key].less == pytest.approx(-limit.shadow_price)


UNIT = {
    "handles": {"x": [0, 10]},
    "responses": {"t": "2 * x + feed"},
    "objective": "price * x - t",
    "constraints": {"t": [None, 12]},
}


def with_a_unit():
    tags = [
        {"name": "x", "normal": [0, 10]},
        {"name": "t", "limits": {"high": 11.0, "high_high": 11.5}},
        {"name": "price"},
        {"name": "feed"},
    ]
    plant = Plant.model_validate({"tags": tags, "economics": UNIT})
    return OperationContext(now=NOW, plant=plant)


AT = {"x": 3.0, "t": 7.0, "price": 5.0, "feed": 1.0}


def test_a_limit_of_the_unit_can_be_supposed_wider():
    result = suppose(with_a_unit(), {"what": "t.high", "by": 1}, current=AT)
    assert result.of == "setpoints"
    # One degree more on t lets x rise by a half, worth 5 / 2 - 1 an hour; by itself it is worth nothing.
    assert result.worth == pytest.approx(24 * 1.5)
    assert result.worth_alone == pytest.approx(0)
    assert {d.what: (d.base, d.changed) for d in result.differences} == {
        "x": (pytest.approx(5.0), pytest.approx(5.5))
    }
    tighter = suppose(with_a_unit(), {"what": "t.high", "to": 6.0}, current=AT)
    assert tighter.crossings == ("t",)


def test_a_set_point_can_be_supposed_and_stays_there():
    result = suppose(with_a_unit(), {"what": "x", "by": -1}, current=AT)
    assert result.worth_alone == pytest.approx(24 * (-5 + 2))
    assert {d.what: (d.base, d.changed) for d in result.effects} == {
        "t": (pytest.approx(7), pytest.approx(5))
    }
    assert {d.what: d.changed for d in result.differences} == {"x": pytest.approx(2.0)}
    assert result.worth == pytest.approx(24 * (2 * 5 - 5 - (5 * 5 - 11)))


def test_two_limits_and_a_price_can_be_supposed_at_once():
    changes = (
        {"what": "t.high", "to": 20},
        {"what": "t.max", "to": 13.0},
        {"what": "price", "by": 10, "unit": "percent"},
    )
    result = suppose(with_a_unit(), *changes, current=AT)
    assert result.status == "optimal"
    assert {d.what: d.changed for d in result.differences} == {"x": pytest.approx(6.0)}
    assert result.worth_alone == pytest.approx(24 * 0.5 * 3)


def test_what_is_nothing_of_the_unit_is_named():
    with pytest.raises(ParameterError, match="nothing of the unit"):
        suppose(with_a_unit(), {"what": "t.middle", "to": 6.0}, current=AT, of="setpoints")
    with pytest.raises(ParameterError, match="no present value"):
        suppose(with_a_unit(), {"what": "t.low", "by": 6.0}, current=AT)


def twin_values():
    scenario = Scenario(name="trial", warm_up_hours=0, price_history_days=0, noise=0, disturbance=0)
    source = TwinSource(scenario)
    block = next(source.blocks(timedelta(hours=1)))
    values = dict(zip(block.tags, block.values[-1].tolist(), strict=True))
    return source.plant, {tag: v for tag, v in values.items() if math.isfinite(v)}


def test_a_set_point_of_the_simulated_unit_is_tried_on_it_and_called_simulated():
    plant, values = twin_values()
    context = OperationContext(now=NOW, plant=plant)
    hot = {"what": "TC130_SP", "by": 6.0}
    result = suppose(context, hot, current=values, of="setpoints", starts=1)
    assert "SIMULATED" in result.summary
    skin = next(d for d in result.simulated.effects if d.what == "TI131")
    assert skin.changed > skin.base + 5
    modelled = next(d for d in result.effects if d.what == "TI131")
    assert skin.changed - skin.base == pytest.approx(modelled.changed - modelled.base, rel=0.3)
    unsimulated = OperationContext(now=NOW, plant=plant.model_copy(update={"simulated": False}))
    assert suppose(unsimulated, hot, current=values, of="setpoints", starts=1).simulated is None
