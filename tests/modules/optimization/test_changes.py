"""Supposed changes: which number is meant, and what it becomes."""

from __future__ import annotations

import pytest

from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.modules.optimization.changes import apply, value_at
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.named_numbers import find
from orchestrator.modules.optimization.refinery.loading import validated

MODEL = {
    "periods": {"january": 31, "february": 28},
    "crudes": {
        "light": {"price": {"january": 70, "february": 72}, "max": 60},
        "heavy_2": {"price": "10 + PR", "max": 80},
    },
    "units": {
        "cdu": {
            "capacity": 100,
            "feeds": {
                "light": {"yields": {"gas_oil": 0.6, "fuel": 0.4}, "cost": 1},
                "heavy_2": {"yields": {"gas_oil": 0.3, "fuel": 0.7}, "cost": 1},
            },
        },
        "crude_unit": {"capacity": 9, "feeds": {"fuel": {"yields": {"gas_oil": 0.5}}}},
    },
    "products": {
        "diesel": {"price": 100, "components": ["gas_oil"], "specs": {"sulphur": {"max": 0.5}}},
        "fuel": {"tiers": [{"price": 60, "max": 20}, {"price": 50}], "max": 55},
    },
    "streams": {"gas_oil": {"properties": {"sulphur": 0.4}}},
    "tanks": {"fuel": {"opening": 5, "capacity": 50}},
}


@pytest.fixture
def model():
    return validated(MODEL, "test")


def price(given):
    return 58.0 if isinstance(given, str) else float(given)


def test_numbers_are_found_by_path_and_in_words(model):
    for what, path in {
        "crudes.light.price": "crudes.light.price",
        "crudes.light.price.february": "crudes.light.price.february",
        "crudes.heavy_2.max": "crudes.heavy_2.max",
        "products.fuel.tiers.0.price": "products.fuel.tiers.0.price",
        "light": "crudes.light.price",
        "fuel": "products.fuel.price",
        "CDU": "units.cdu.capacity",
        "price of light in january": "crudes.light.price.january",
        "availability of light": "crudes.light.max",
        "diesel demand": "products.diesel.max",
        "yield of gas oil from light": "units.cdu.feeds.light.yields.gas_oil",
        "diesel sulphur": "products.diesel.specs.sulphur.max",
        "capacity of cdu in february": "units.cdu.capacity.february",
        "cdu throughput": "units.cdu.throughput",
        "crude_unit": "units.crude_unit.capacity",
        "crude light": "crudes.light.price",
        "unit crude unit": "units.crude_unit.capacity",
        "purchase of light": "crudes.light.amount",
        "units.cdu.throughput.january": "units.cdu.throughput.january",
        "opening stock of fuel": "tanks.fuel.opening",
    }.items():
        assert find(what, model).words == path, what


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("tar", "no 'tar'"),
        ("crudes.light", r"crudes\.light\.price"),
        ("crudes.light.colour", "no 'crudes.light.colour'"),
        ("demand of light", "no 'demand of light'"),
        ("fuel capacity of light", "no 'fuel capacity of light'"),
        ("", "no ''"),
    ],
)
def test_what_names_nothing_or_more_than_one_thing_is_refused(model, what, said):
    with pytest.raises(ParameterError, match=said):
        find(what, model)


def changed(model, *given, planned=None):
    return apply(model, [ChangeOf(**item) for item in given], price, planned=planned)


def test_a_change_of_a_number_by_period_moves_each_or_one(model):
    both = changed(model, {"what": "light", "by": 1})
    assert both.crudes["light"].price == {"january": 71, "february": 73}
    one = changed(model, {"what": "crudes.light.price.february", "by": 50, "unit": "percent"})
    assert one.crudes["light"].price == {"january": 70, "february": 108}
    other = changed(model, {"what": "cdu capacity january", "to": 90})
    assert other.units["cdu"].capacity == {"january": 90, "february": 100}
    assert model.units["cdu"].capacity == 100


def test_an_expression_moves_from_its_present_value(model):
    found = changed(model, {"what": "crudes.heavy_2.price", "by": -3})
    assert found.crudes["heavy_2"].price == 55
    assert value_at(model, find("crudes.heavy_2.price", model), price) == 58


def test_a_step_of_a_price_and_a_yield_can_be_changed(model):
    found = changed(
        model,
        {"what": "products.fuel.tiers.1.price", "to": 45},
        {"what": "yield of gas_oil from light", "by": 0.05},
    )
    assert [tier.price for tier in found.products["fuel"].tiers] == [60, 45]
    assert found.units["cdu"].feeds["light"].yields["gas_oil"] == pytest.approx(0.65)


def test_a_price_by_steps_moves_as_a_whole(model):
    assert find("price of fuel", model).words == "products.fuel.price"
    found = changed(model, {"what": "products.fuel.price", "by": -10, "unit": "%"})
    assert [tier.price for tier in found.products["fuel"].tiers] == pytest.approx([54, 45])
    with pytest.raises(ParameterError, match=r"tiers\.0\.price"):
        changed(model, {"what": "products.fuel.price", "to": 55})


def test_a_throughput_is_held_by_a_limit(model):
    found = changed(model, {"what": "units.cdu.throughput", "to": 70})
    limit = found.limits["supposed units.cdu.throughput"]
    assert (limit.min, limit.max) == ({"january": 70, "february": 70},) * 2
    moved = changed(
        model,
        {"what": "cdu feed january", "by": -10, "unit": "%"},
        planned=lambda path, period: {"january": 80.0, "february": 90.0}[period],
    )
    limit = moved.limits["supposed units.cdu.throughput.january"]
    assert limit.terms == {"units.cdu": {"default": 0.0, "january": 1.0}}
    assert limit.max["january"] == pytest.approx(72)


def test_what_has_no_value_cannot_move_by_an_amount(model):
    with pytest.raises(ParameterError, match="no present value"):
        changed(model, {"what": "products.diesel.max", "by": 1})
    assert changed(model, {"what": "products.diesel.max", "to": 9}).products["diesel"].max == 9


def test_a_change_that_makes_a_wrong_model_says_where(model):
    with pytest.raises(ConfigurationError, match=r"units\.cdu\.capacity"):
        changed(model, {"what": "cdu", "to": -5})
