import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.errors import ConfigurationError, InsufficientDataError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.plan import configured_model, run
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE

SMALL = {
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


def solved(model, context):
    return run(PlanInput(model=RefineryModel.model_validate(model)), context)


def changed(path, value):
    import copy

    model = copy.deepcopy(SMALL)
    place = model
    *parents, last = path.split(".")
    for part in parents:
        place = place[part]
    place[last] = value
    return model


def limit(result, path):
    return next(item for item in result.binding if item.path == path)


@pytest.mark.parametrize("variant", ["textbook_classic", "textbook_doubled_prices", "mo_book"])
def test_seborg_and_edgar_s_refinery_has_its_published_optimum(case, as_plan, bare, variant):
    document = case("lp_seborg_edgar_refinery")
    data = document["variants"][variant]
    result = solved(as_plan.seborg(document, variant), bare)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(data["known_optimum"], rel=1e-6)
    for name, amount in data.get("x", {}).items():
        assert {**result.crudes, **result.products}[name] == pytest.approx(amount, rel=1e-6)


def test_seborg_and_edgar_s_refinery_has_its_published_shadow_prices(case, as_plan, bare):
    document = case("lp_seborg_edgar_refinery")
    known = document["variants"]["mo_book"]["shadow_price_product"]
    result = solved(as_plan.seborg(document, "mo_book"), bare)
    found = {item.path: item.shadow_price for item in result.binding}
    wanted = {f"products.{k}": v for k, v in known.items() if v > 1e-6}
    assert found == pytest.approx(wanted, rel=1e-6)


def test_williams_refinery_has_its_published_optimum_and_shadow_prices(case, as_plan, bare):
    document = case("lp_williams_refinery")
    known = document["known_optimum"]
    result = solved(as_plan.williams(document), bare)
    assert result.objective == pytest.approx(known["objective"], rel=1e-6)
    for name in ("premium", "regular", "jet", "lube_oil"):
        assert result.products[name] == pytest.approx(known["solution"][name], abs=0.01)
    assert "fuel_oil" not in result.products
    prices = known["shadow_prices"]
    assert limit(result, "units.distillation").shadow_price == pytest.approx(prices["cap_dist"])
    assert limit(result, "units.cracker").shadow_price == pytest.approx(prices["cap_crk"])
    assert result.stream_values["light_naphtha"] == pytest.approx(-prices["bal_light_naphtha"])
    octane = limit(result, "products.premium.specs.octane.min").shadow_price
    assert octane == pytest.approx(prices["oct_premium"] * known["solution"]["premium"], rel=1e-4)


@pytest.mark.parametrize(
    ("sulphur", "known"), [(None, "objective_base"), (3.4, "objective_tight_sulfur")]
)
def test_marco_has_its_published_optimum(case, as_plan, bare, sulphur, known):
    document = case("lp_gams_marco")
    result = solved(as_plan.marco(document, sulphur), bare)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(document["known_optimum"][known], rel=1e-6, abs=1e-9)


CASES = [
    *(("lp_seborg_edgar_refinery", "seborg", v) for v in ("textbook_classic", "mo_book")),
    ("lp_williams_refinery", "williams", None),
    ("lp_gams_marco", "marco", None),
]


@pytest.mark.parametrize(("name", "form", "variant"), CASES, ids=str)
def test_shadow_prices_of_published_cases_are_what_one_more_unit_earns(
    case, as_plan, bare, moved, name, form, variant
):
    arguments = (case(name), variant) if variant else (case(name),)
    model = RefineryModel.model_validate(getattr(as_plan, form)(*arguments))
    base = run(PlanInput(model=model), bare)
    assert base.binding
    for item in base.binding:
        room = math.inf if item.to_bound is None else item.to_bound - item.bound
        if ".specs." in item.path:
            room = 1e-6 * abs(item.bound)
        step = min(1.0, room)
        if step <= 1e-9:
            continue
        gain = run(PlanInput(model=moved(model, item, step)), bare).objective - base.objective
        assert gain == pytest.approx(item.shadow_price * step, rel=1e-4, abs=1e-8), item.text


def test_a_small_plan_is_solved_as_by_hand(bare):
    # Light earns 60 + 22 - 71 = 11 and heavy 30 + 38.5 - 61 = 7.5; light fills its availability and
    # heavy what the fuel demand leaves: (55 - 24) / 0.7.
    result = solved(SMALL, bare)
    heavy = (55 - 0.4 * 60) / 0.7
    assert result.crudes == pytest.approx({"light": 60, "heavy": min(heavy, 40)})
    assert result.objective == pytest.approx(60 * 11 + 40 * 7.5)
    assert limit(result, "units.cdu").shadow_price == pytest.approx(7.5)
    assert limit(result, "crudes.light").shadow_price == pytest.approx(3.5)
    assert "capacity of cdu" in limit(result, "units.cdu").text
    assert limit(result, "units.cdu").to_bound == pytest.approx(60 + heavy)


@settings(deadline=None)
@given(
    path=st.sampled_from(["units.cdu.capacity", "crudes.light.max", "products.fuel.max"]),
    step=st.floats(-0.4, 0.4),
)
def test_a_shadow_price_is_what_one_more_unit_of_the_bound_earns(path, step):
    context = OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())
    base = solved(SMALL, context)
    limit_path, _, field = path.rpartition(".")
    kind, name = limit_path.split(".")
    moved = solved(changed(path, SMALL[kind][name][field] + step), context)
    price = next((i.shadow_price for i in base.binding if i.path == limit_path), 0.0)
    assert moved.objective - base.objective == pytest.approx(price * step, abs=1e-6)


def test_what_is_left_out_says_what_its_price_lacks(bare):
    result = solved(changed("crudes.heavy.price", 70), bare)
    assert "heavy" not in result.crudes
    lacking = next(item for item in result.not_done if "heavy" in item.what)
    assert lacking.lacks == pytest.approx(2.5)
    cheaper = solved(changed("crudes.heavy.price", 70 - lacking.lacks - 0.01), bare)
    assert cheaper.crudes["heavy"] > 0


def test_an_infeasible_plan_names_the_limits_and_their_least_relaxation(bare):
    model = changed("products.gasoline.min", 70)
    result = solved(model, bare)
    assert result.status == "infeasible"
    assert not result.crudes
    names = [item.limit for item in result.conflicts]
    assert names
    relaxed = changed("products.gasoline.min", 70)
    for item in result.conflicts:
        assert item.text in result.summary
    paths = {
        "least sale of gasoline": ("products", "gasoline", "min", -1),
        "availability of light": ("crudes", "light", "max", 1),
        "capacity of cdu": ("units", "cdu", "capacity", 1),
        "demand of fuel": ("products", "fuel", "max", 1),
    }
    for item in result.conflicts:
        kind, name, field, sign = paths[item.limit]
        relaxed[kind][name][field] += sign * (item.relax_by + 1e-6)
    assert solved(relaxed, bare).status == "optimal"


def test_a_specification_that_cannot_be_met_says_by_how_much_it_must_give_way(bare):
    model = {
        "crudes": {"oil": {"price": 10, "max": 50}},
        "products": {
            "fuel": {
                "price": 20,
                "min": 10,
                "components": ["oil"],
                "specs": {"sulphur": {"max": 0.5}},
            }
        },
        "streams": {"oil": {"properties": {"sulphur": 0.8}}},
    }
    result = solved(model, bare)
    assert result.status == "infeasible"
    assert [(item.limit, item.side) for item in result.conflicts] == [("sulphur of fuel", "max")]
    assert result.conflicts[0].relax_by == pytest.approx(0.3)


def test_an_unbounded_plan_names_what_grows(bare):
    model = {
        "crudes": {"oil": {"price": 10}},
        "products": {"fuel": {"price": 20, "components": ["oil"]}},
    }
    result = solved(model, bare)
    assert result.status == "unbounded"
    assert "crudes.oil" in result.unbounded


def test_without_a_model_it_says_what_to_configure(bare):
    result = run(PlanInput(), bare)
    assert result.status == "no_model"
    assert "plan_model" in (result.configure or "")


def test_the_model_of_the_options_is_used(tmp_path):
    import yaml

    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    for option in (SMALL, str(path)):
        context = OperationContext(
            now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant(), settings={"plan_model": option}
        )
        assert run(PlanInput(), context).status == "optimal"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**SMALL, "prices": {}}, "prices"),
        ([1], "named fields"),
        ("absent.yaml", "absent.yaml"),
        (changed("products.fuel.components", ["tar"]), "tar"),
        (changed("units.cdu.feeds", {"gas": {"yields": {}}}), "gas"),
        ({**SMALL, "limits": {"a": {"terms": {"products.none": 1}}}}, "products.none"),
        (changed("products.fuel.min", 99), "99"),
    ],
)
def test_a_wrong_model_in_the_options_is_refused_with_the_key(document, said):
    context = OperationContext(
        now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant(), settings={"plan_model": document}
    )
    with pytest.raises(ConfigurationError, match=said):
        configured_model(context)


def test_a_spec_without_the_property_of_a_component_is_refused():
    model = changed("products.fuel.components", ["fuel"])
    model["products"]["fuel"]["specs"] = {"sulphur": {"max": 1}}
    with pytest.raises(ValidationError, match="sulphur"):
        RefineryModel.model_validate(model)


TWIN_PRICES = {
    "PR_CRUDE": 74.0,
    "PR_NAPHTHA": 81.0,
    "PR_KEROSENE": 98.0,
    "PR_DIESEL": 102.0,
    "PR_GASOIL": 83.0,
    "PR_RESIDUE": 70.5,
}


def test_the_simulated_plant_has_a_plan_whose_prices_follow_its_tags(context_for):
    plant = load_plant(PLANT_FILE)
    times = [datetime(2026, 3, 1, 0, m, tzinfo=UTC) for m in range(5)]
    columns = {"time": times, **{tag: [price] * 5 for tag, price in TWIN_PRICES.items()}}
    result = run(PlanInput(), context_for(columns, plant=plant))
    assert result.status == "optimal"
    assert sum(result.crudes.values()) <= 108_000 + 1e-6
    assert result.products["kerosene"] >= 4000
    dearer = context_for({**columns, "PR_DIESEL": [112.0] * 5}, plant=plant)
    gain = run(PlanInput(), dearer).objective - result.objective
    assert gain == pytest.approx(10 * result.products["diesel"], rel=0.2)


def test_a_price_over_a_tag_without_data_is_refused(bare):
    plant = load_plant(PLANT_FILE)
    with pytest.raises(InsufficientDataError, match="PR_CRUDE"):
        run(PlanInput(), OperationContext(now=bare.now, plant=plant))
    with pytest.raises(UnknownTagError, match="PR_OTHER"):
        solved(changed("crudes.light.price", "PR_OTHER + 1"), bare)


def test_a_loop_that_makes_more_than_it_takes_is_named(bare):
    model = {
        "crudes": {"oil": {"price": 10, "max": 5}},
        "units": {
            "loop": {
                "feeds": {
                    "oil": {"yields": {"a": 1}},
                    "a": {"yields": {"b": 1.1}},
                    "b": {"yields": {"a": 1.1}},
                }
            }
        },
        "products": {"a": {"price": 5}},
    }
    result = solved(model, bare)
    assert result.status == "unbounded"
    assert "the yields of loop make more than they take" in result.summary
    assert "units.loop.capacity or products.a.max" in result.summary


def test_a_plan_that_makes_nothing_says_so_and_what_it_lacks(bare):
    model = changed("products.gasoline.price", 10)
    model["products"]["fuel"]["price"] = 9
    result = solved(model, bare)
    assert result.objective == pytest.approx(0)
    assert "nothing is worth making" in result.summary
    assert "least lacks" in result.summary
