"""Plans through pools whose properties follow from what flows in."""

import itertools

import numpy as np
import pytest

from orchestrator.errors import DanGError
from orchestrator.modules.optimization import what_if
from orchestrator.modules.optimization.blending.blend import run as blend
from orchestrator.modules.optimization.blending.problem import BlendInput
from orchestrator.modules.optimization.plan import run
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.planning.trial import trial
from orchestrator.modules.optimization.planning.what_if_models import WhatIfInput
from orchestrator.modules.optimization.refinery.model import RefineryModel


@pytest.fixture
def plan(bare):
    return lambda model, **more: run(PlanInput.model_validate({"model": model, **more}), bare)


def haverly(most_x=100, sweet_price=16):
    """Haverly's pooling problem (ACM SIGMAP Bulletin 25, 1978) as a refinery."""
    return {
        "crudes": {
            "sour": {"price": 6, "max": 800, "properties": {"sulphur": 3}},
            "sweet": {"price": sweet_price, "max": 800, "properties": {"sulphur": 1}},
            "middle": {"price": 10, "max": 800, "properties": {"sulphur": 2}},
        },
        "pools": {"tank": {"mixes": ["sour", "sweet"], "computed": True}},
        "products": {
            "x": {
                "price": 9,
                "max": most_x,
                "components": ["tank", "middle"],
                "specs": {"sulphur": {"max": 2.5}},
            },
            "y": {
                "price": 15,
                "max": 200,
                "components": ["tank", "middle"],
                "specs": {"sulphur": {"max": 1.5}},
            },
        },
    }


def as_blend(model):
    crudes, products = model["crudes"], model["products"]
    mixed = model["pools"]["tank"]["mixes"]
    return {
        "sense": "max",
        "feeds": [
            {"id": n, "price": c["price"], "max": c["max"], "quality": c["properties"]}
            for n, c in crudes.items()
        ],
        "pools": [{"id": "tank"}],
        "products": [
            {
                "id": n,
                "price": p["price"],
                "max": p["max"],
                "quality_max": {"sulphur": p["specs"]["sulphur"]["max"]},
            }
            for n, p in products.items()
        ],
        "arcs": {
            "feed_to_pool": [{"feed": n, "pool": "tank"} for n in mixed],
            "pool_to_product": [{"pool": "tank", "product": n} for n in products],
            "feed_to_product": [
                {"feed": n, "product": p} for n in crudes if n not in mixed for p in products
            ],
        },
    }


@pytest.mark.parametrize(
    ("changes", "optimum"), [({}, 400), ({"most_x": 600}, 600), ({"sweet_price": 13}, 750)]
)
def test_a_pooling_problem_has_one_optimum_as_a_plan_and_as_a_blend(plan, bare, changes, optimum):
    model = haverly(**changes)
    planned = plan(model)
    blended = blend(BlendInput.model_validate(as_blend(model)), bare)
    assert planned.status == blended.status == "optimal"
    assert planned.objective == pytest.approx(optimum, rel=1e-6)
    assert blended.objective == pytest.approx(optimum, rel=1e-6)
    assert planned.gap < 1e-4
    tank = planned.periods[0].pool_properties["tank"]["sulphur"]
    assert tank == pytest.approx(blended.pools["tank"].quality["sulphur"], abs=1e-5)


def test_shadow_prices_let_the_pool_change(plan):
    base = plan(haverly(sweet_price=13))
    sulphur = next(i for i in base.binding if i.key == "products.y.specs.sulphur.max")
    changed = haverly(sweet_price=13)
    changed["products"]["y"]["specs"]["sulphur"]["max"] = 1.501
    gained = plan(changed).objective - base.objective
    assert gained == pytest.approx(sulphur.shadow_price * 1e-3, rel=2e-2)
    demand = next(i for i in base.binding if i.key == "products.y.max")
    changed = haverly(sweet_price=13)
    changed["products"]["y"]["max"] = 201
    assert plan(changed).objective - base.objective == pytest.approx(demand.shadow_price, rel=1e-4)


TWO_DAYS = {
    "periods": ["one", "two"],
    "crudes": {
        "sour": {"price": 6, "max": 60, "properties": {"sulphur": 3}},
        "sweet": {"price": 10, "max": {"one": 100, "two": 0}, "properties": {"sulphur": 1}},
    },
    "pools": {"tank": {"mixes": ["sour", "sweet"], "computed": True}},
    "tanks": {"tank": {"capacity": 80}},
    "products": {
        "oil": {
            "price": {"one": 14, "two": 15},
            "max": 90,
            "components": ["tank"],
            "specs": {"sulphur": {"max": {"one": 1.5, "two": 2.0}}},
        }
    },
}


def brute_force(step=2.0):
    """Best margin of TWO_DAYS over a grid of all its decisions."""
    best = -np.inf
    sour, sweet = np.arange(0, 61, step), np.arange(0, 101, step)
    for first, second in itertools.product(sour, sour):
        sold, bought = np.meshgrid(np.arange(0, 91, step), sweet, indexing="ij")
        made = first + bought
        stock = made - sold
        with np.errstate(divide="ignore", invalid="ignore"):
            quality = (3 * first + bought) / made
            last = stock + second
            mixed = (quality * stock + 3 * second) / last
        fits = (stock >= 0) & (stock <= 80) & (last <= 90)
        fits &= (sold == 0) | (quality <= 1.5 + 1e-9)
        fits &= (last == 0) | (mixed <= 2.0 + 1e-9)
        margin = 14 * sold + 15 * last - 6 * (first + second) - 10 * bought
        best = max(best, float(np.where(fits, margin, -np.inf).max()))
    return best


def test_a_tank_carries_what_it_holds_into_the_next_period(plan):
    result = plan(TWO_DAYS)
    assert result.status == "optimal"
    by_grid = brute_force()
    assert by_grid - 1e-6 <= result.objective <= by_grid * 1.03
    one, two = result.periods
    fed = [p.pools.get("tank", {}) for p in (one, two)]
    held = sum(fed[0].values())
    quality = (3 * fed[0].get("sour", 0) + fed[0].get("sweet", 0)) / held
    assert one.pool_properties["tank"]["sulphur"] == pytest.approx(quality, abs=1e-6)
    assert one.qualities["oil"]["sulphur"].value == pytest.approx(quality, abs=1e-6)
    stock = one.stocks["tank"]
    assert stock == pytest.approx(held - one.products["oil"], abs=1e-5)
    after = stock + sum(fed[1].values())
    mixed = (quality * stock + 3 * fed[1].get("sour", 0) + fed[1].get("sweet", 0)) / after
    assert two.pool_properties["tank"]["sulphur"] == pytest.approx(mixed, abs=1e-6)
    assert mixed <= 2.0 + 1e-6


def test_an_opening_stock_needs_its_properties_and_counts_with_them(plan):
    model = TWO_DAYS | {"tanks": {"tank": {"capacity": 80, "opening": 20}}}
    with pytest.raises(DanGError, match=r"streams\.tank\.properties\.sulphur"):
        plan(model)
    sweet = plan(model | {"streams": {"tank": {"properties": {"sulphur": 1.0}}}})
    sour = plan(model | {"streams": {"tank": {"properties": {"sulphur": 3.0}}}})
    assert sweet.status == sour.status == "optimal"
    assert sweet.objective > sour.objective > plan(TWO_DAYS).objective


def cracking(computed):
    """A cracker whose yield of gasoline falls with the sulphur of its feed, off its base of 2."""
    feed = {
        "yields": {"gasoline": 0.5, "fuel": 0.5},
        "base": {"sulphur": 2.0},
        "deltas": {"sulphur": {"gasoline": -0.1, "fuel": 0.1}},
    }
    return {
        "crudes": {
            "a": {"price": 50, "max": 100, "properties": {"sulphur": 1.0}},
            "b": {"price": 44, "max": 100, "properties": {"sulphur": 3.0}},
        },
        "pools": {"feed": {"mixes": ["a", "b"], "computed": computed}},
        "units": {
            "fcc": {"capacity": 60, "feeds": {"feed": feed}},
            "other": {"capacity": 60, "feeds": {"feed": {"yields": {"fuel": 1.0}}}},
        },
        "products": {
            "gasoline": {"price": 100, "max": 30},
            "fuel": {"price": 48, "max": 100},
        },
    }


def test_yields_follow_the_property_of_a_computed_pool(plan):
    result = plan(cracking(computed=True))
    assert result.status == "optimal"
    best = -np.inf
    for share in np.linspace(0, 1, 201):
        sulphur = share * 1.0 + (1 - share) * 3.0
        cost = share * 50 + (1 - share) * 44
        gasoline = 0.5 - 0.1 * (sulphur - 2.0)
        run_ = min(60.0, 30 / gasoline)
        crack = run_ * (100 * gasoline + 48 * (1 - gasoline) - cost)
        left = min(60.0, 100 / max(share, 1 - share) - run_)
        best = max(best, crack + max(0.0, (48 - cost) * left))
    assert result.objective == pytest.approx(best, rel=1e-3)
    assert result.objective >= best - 1e-6


def test_a_pool_in_a_pool_is_what_its_parts_are(plan):
    model = haverly()
    model["pools"]["outer"] = {"mixes": ["tank", "middle"], "computed": True}
    for product in model["products"].values():
        product["components"] = ["outer"]
    result = plan(model)
    # One quality for both products: y alone is worth making, of equal parts of sweet and middle.
    assert result.status == "optimal"
    assert result.objective == pytest.approx(400, rel=1e-6)
    assert result.periods[0].pool_properties["outer"]["sulphur"] == pytest.approx(1.5, abs=1e-6)


def test_a_computed_pool_that_cannot_meet_its_specification_says_what_must_give_way(plan):
    model = haverly()
    model["products"]["y"] |= {"min": 100, "specs": {"sulphur": {"max": 0.8}}}
    result = plan(model)
    assert result.status == "infeasible"
    assert [item.key for item in result.conflicts] == ["products.y.specs.sulphur.max"]
    assert result.conflicts[0].relax_by == pytest.approx(0.2, rel=1e-3)


def test_both_ends_of_a_severity_leave_a_pool_as_one(plan):
    def end(octane, made):
        return {
            "value": octane,
            "feeds": {
                "naphtha": {
                    "yields": {"reformate": made},
                    "properties": {"reformate": {"octane": octane}},
                }
            },
        }

    model = {
        "crudes": {
            "naphtha": {"price": 60, "max": 100, "properties": {"octane": 60}},
        },
        "units": {
            "reformer": {"capacity": 80, "severity": {"low": end(90, 0.9), "high": end(100, 0.8)}}
        },
        "pools": {"tank": {"mixes": ["reformate"], "computed": True}},
        "products": {
            "regular": {
                "price": 90,
                "max": 40,
                "components": ["tank", "naphtha"],
                "specs": {"octane": {"min": 85}},
            },
            "super": {
                "price": 100,
                "max": 40,
                "components": ["tank", "naphtha"],
                "specs": {"octane": {"min": 93}},
            },
        },
    }
    result = plan(model)
    assert result.status == "optimal"
    assert not [text for text in result.warnings if "severity" in text]
    best = -np.inf
    for low in np.linspace(0, 1, 1001):
        # Yield times octane is linear between the ends.
        made = 0.9 * low + 0.8 * (1 - low)
        octane = (0.9 * low * 90 + 0.8 * (1 - low) * 100) / made
        shares = [(85 - 60) / (octane - 60), (93 - 60) / (octane - 60)]
        if shares[1] > 1:
            continue
        fed = [40 * (share / made + 1 - share) for share in shares]
        if sum(40 * share / made for share in shares) <= 80 and sum(fed) <= 100:
            best = max(best, 40 * (90 + 100) - 60 * sum(fed))
    assert result.objective >= best - 1e-6
    assert result.objective == pytest.approx(best, rel=2e-3)


def test_scenarios_and_alternatives_of_a_computed_pool_are_refused_in_words(plan):
    with pytest.raises(DanGError, match="without scenarios"):
        plan(
            haverly(),
            scenarios=[{"name": "dear", "changes": [{"what": "crudes.sour.price", "by": 1}]}],
        )


def test_the_check_of_a_model_solves_its_computed_pools_and_names_what_they_lack():
    model = RefineryModel.model_validate(haverly())
    assert trial(model) == []
    lacking = haverly()
    del lacking["crudes"]["sweet"]["properties"]
    found = trial(RefineryModel.model_validate(lacking))
    assert [(item.level, item.path) for item in found] == [
        ("error", ("streams", "sweet", "properties", "sulphur"))
    ]


def test_a_supposed_change_and_the_report_reckon_with_computed_pools(plan, bare):
    # Haverly's first and third problem differ in this price: 400 and 750.
    changes = ({"what": "sweet", "to": 13},)
    asked = {"of": "plan", "model": haverly(), "changes": changes, "report": True}
    result = what_if.run(WhatIfInput.model_validate(asked), bare)
    assert (result.base, result.changed) == pytest.approx((400, 750), rel=1e-5)
    assert "<h2>What changed</h2>" in result.report
    compared = plan(haverly(sweet_price=13), compare_with=haverly()).compared
    assert sum(compared.values()) == pytest.approx(400, rel=1e-5)
