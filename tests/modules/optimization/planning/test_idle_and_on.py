"""Limits over what is on, a unit that is shut for want of capacity, and models in which nothing can run."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.named_numbers import find
from orchestrator.modules.optimization.plan import run
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.plant.tags import Plant

CONTEXT = OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())


def model(**more):
    unit = {"capacity": 10, "minimum": 4, "on_off": True}
    return {
        "crudes": {"crude": {"price": 1}},
        "units": {
            name: {**unit, "feeds": {"crude": {"yields": {"oil": share}}}}
            for name, share in (("a", 0.5), ("b", 0.6), ("c", 0.7))
        },
        "products": {"oil": {"price": 10}},
        **more,
    }


def planned(document):
    return run(PlanInput(model=RefineryModel.model_validate(document)), CONTEXT)


def test_at_most_two_of_three_units_are_on():
    most = {"terms": {"on.a": 1, "on.b": 1, "on.c": 1}, "max": 2}
    result = planned(model(limits={"two": most}))
    assert result.objective == pytest.approx(10 * (6 - 1) + 10 * (7 - 1))


def test_a_unit_runs_only_with_another():
    needs = {"terms": {"on.a": 1, "on.c": -1}, "min": 0}
    document = model(limits={"c with a": needs})
    document["units"]["a"]["fixed_cost"] = 1000
    assert planned(document).objective == pytest.approx(10 * (6 - 1))


def test_on_is_of_a_unit_that_may_be_off():
    document = model(limits={"x": {"terms": {"on.a": 1}, "max": 1}})
    document["units"]["a"]["on_off"] = False
    with pytest.raises(ValidationError, match=r"on\.a"):
        RefineryModel.model_validate(document)


def test_a_unit_that_may_be_off_is_off_in_a_period_without_capacity():
    document = model(periods=["one", "two"])
    document["units"] = {"a": {**document["units"]["a"], "capacity": [10, 0]}}
    assert planned(document).objective == pytest.approx(10 * (5 - 1))
    document["units"]["a"]["on_off"] = False
    with pytest.raises(ValidationError, match="give on_off: true"):
        RefineryModel.model_validate(document)


def test_a_product_named_once_is_not_its_component_of_the_same_name():
    document = model(purchases={"spare": {"price": 20}})
    document["products"]["oil"]["components"] = ["oil", "spare"]
    found = find("oil demand", RefineryModel.model_validate(document))
    assert found.words == "products.oil.max"


def test_what_keeps_a_plan_idle_is_warned_of():
    document = model(surplus="forbidden")
    document["products"] = {
        "oil": {"price": 10, "max": 0, "components": ["oil"]},
        "x": {"price": 1, "components": ["crude"]},
    }
    assert any("'oil'" in w for w in planned(document).warnings)
    document = model(streams={"oil": {"properties": {"sulphur": 2}}})
    document["products"]["oil"] |= {"components": ["oil"], "specs": {"sulphur": {"max": 1}}}
    assert any("specs.sulphur: max is 1" in w for w in planned(document).warnings)


def test_a_yield_of_the_wrong_sign_is_warned_of():
    document = model(purchases={"other": {"price": 1}})
    document["units"]["a"]["feeds"]["other"] = {"yields": {"oil": -0.3, "wax": 0.5}}
    document["products"]["wax"] = {"price": 10}
    assert any("check the sign" in w for w in planned(document).warnings)


def test_an_idle_plan_names_what_the_model_warns_of():
    document = {
        "surplus": "forbidden",
        "crudes": {"crude": {"price": 1}},
        "units": {
            "still": {"capacity": 10, "feeds": {"crude": {"yields": {"oil": 0.5, "naphtha": 0.5}}}}
        },
        "products": {
            "fuel": {"price": 10, "components": ["oil"]},
            "petrol": {"price": 10, "max": 0, "components": ["naphtha"]},
        },
    }
    result = planned(document)
    assert result.status == "optimal"
    assert result.products == {}
    assert "nothing is worth making" not in result.summary
    assert "products.petrol.max" in result.summary
    assert "'naphtha'" in result.summary
