import pytest

from orchestrator.modules.optimization.blending.blend import run
from orchestrator.modules.optimization.blending.problem import BlendInput

PUBLISHED = ["haverly1", "bental4", "adhya1", "foulds3"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_problem_has_its_proven_optimum(pooling_case, blend, name):
    case = pooling_case(name)
    result = blend(case, time_limit_seconds=60)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(case["known_optimum"]["objective"], rel=1e-6)
    assert result.gap is not None
    assert result.gap < 1e-4
    assert result.bound <= result.objective
    assert not result.warnings


@pytest.mark.parametrize(
    ("changes", "optimum"),
    [({}, -400), ({"x_max": 600}, -600), ({"sweet_price": 13}, -750)],
    ids=["haverly1", "haverly2", "haverly3"],
)
def test_haverly_s_three_problems(pooled, blend, changes, optimum):
    pooled["products"][0]["max"] = changes.get("x_max", 100)
    pooled["feeds"][1]["price"] = changes.get("sweet_price", 16)
    result = blend(pooled)
    assert (result.status, result.objective) == ("optimal", pytest.approx(optimum, rel=1e-6))


def test_the_largest_profit_is_the_least_cost_turned_round(pooled, blend):
    assert blend(pooled, sense="max").objective == pytest.approx(400, rel=1e-6)
    assert blend(pooled, sense="max").bound == pytest.approx(400, rel=1e-6)


def test_what_is_reported_agrees_with_itself(pooled, blend):
    result = blend(pooled)
    flows = {(item.from_, item.to): item.flow for item in result.flows}
    inflow = flows["sour", "tank"] + flows["sweet", "tank"] if "sour" in result.feeds else 100
    assert result.pools["tank"].amount == pytest.approx(inflow)
    y = result.products["y"]
    assert y.amount == pytest.approx(200)
    assert sum(y.composition.values()) == pytest.approx(1)
    sulphur = {"sour": 3, "sweet": 1, "middle": 2}
    mixed = sum(sulphur[feed] * share for feed, share in y.composition.items())
    assert y.quality["sulphur"] == pytest.approx(mixed)
    assert y.specs["sulphur"].giveaway == pytest.approx(1.5 - mixed, abs=1e-6)
    assert result.verification.largest_breach <= result.verification.tolerance


@pytest.mark.parametrize("bound", [2.5, 1.5])
def test_the_price_of_a_quality_is_what_a_little_more_of_it_earns(pooled, blend, bound):
    product = next(p for p in pooled["products"] if p["quality_max"]["sulphur"] == bound)
    base = blend(pooled, gap=1e-9)
    found = [i for i in base.binding if i.of == product["id"] and i.kind == "quality"]
    price = found[0].shadow_price if found else 0.0
    product["quality_max"]["sulphur"] = bound + 1e-3
    moved = blend(pooled, gap=1e-9)
    assert base.objective - moved.objective == pytest.approx(price * 1e-3, rel=1e-2, abs=1e-3)


def test_the_price_of_demand_is_what_one_more_of_it_earns(pooled, blend):
    base = blend(pooled)
    price = next(i.shadow_price for i in base.binding if i.kind == "demand" and i.of == "y")
    pooled["products"][1]["max"] = 201
    assert base.objective - blend(pooled).objective == pytest.approx(price, rel=1e-4)


def test_nothing_is_made_where_nothing_pays(pooled, blend):
    for product in pooled["products"]:
        product["price"] = 1
    result = blend(pooled)
    assert (result.status, result.objective, result.gap) == ("optimal", 0, 0)
    assert not result.flows
    assert result.products["x"].amount == 0


def test_nulls_and_absent_pools_are_no_limits(blend):
    result = blend(
        {
            "feeds": [
                {"id": "a", "min": None, "max": None, "price": 5, "quality": {"octane": 90}},
                {"id": "b", "min": 0, "max": 60, "price": 3, "quality": {"octane": 80}},
            ],
            "pools": None,
            "products": [
                {
                    "id": "p",
                    "min": 100,
                    "max": None,
                    "price": None,
                    "quality_min": {"octane": 86},
                    "quality_max": None,
                }
            ],
            "arcs": {
                "feed_to_pool": None,
                "feed_to_product": [{"feed": "a", "product": "p"}, {"feed": "b", "product": "p"}],
            },
        }
    )
    assert result.status == "optimal"
    assert result.feeds == pytest.approx({"a": 60, "b": 40})
    assert result.objective == pytest.approx(420)
    octane = result.products["p"].specs["octane"]
    assert (octane.value, octane.giveaway) == (pytest.approx(86), pytest.approx(0, abs=1e-9))


def test_pools_that_feed_pools_mix_twice(pooled, blend):
    # The second tank only passes on what the first has mixed, so that the optimum stays.
    pooled["pools"].append({"id": "second"})
    pooled["arcs"]["pool_to_pool"] = [{"from": "tank", "to": "second"}]
    pooled["arcs"]["feed_to_pool"].append({"feed": "middle", "pool": "second"})
    pooled["arcs"]["feed_to_product"] = []
    pooled["arcs"]["pool_to_product"] = [
        {"pool": "second", "product": "x"},
        {"pool": "second", "product": "y"},
    ]
    one = blend(pooled)
    # One quality leaves the second tank: to make y alone, of sweet and middle in equal parts.
    assert one.status == "optimal"
    assert one.objective == pytest.approx(-400)
    assert one.pools["second"].quality["sulphur"] == pytest.approx(1.5)
    pooled["arcs"]["pool_to_product"][1] = {"pool": "tank", "product": "y"}
    two = blend(pooled)
    assert two.status == "optimal"
    assert two.verification.largest_breach <= 1e-6
    assert two.objective <= -300


def test_more_than_can_be_met_is_infeasible_with_what_must_give_way(pooled, blend):
    pooled["products"][1] |= {"min": 150, "quality_max": {"sulphur": 0.9}}
    result = blend(pooled)
    assert result.status == "infeasible"
    assert result.infeasibility_proven
    assert not result.flows
    assert [(c.limit, c.side) for c in result.conflicts] == [("sulphur of y", "max")]
    assert result.conflicts[0].relax_by == pytest.approx(0.1)
    pooled["products"][1]["quality_max"]["sulphur"] += result.conflicts[0].relax_by + 1e-6
    assert blend(pooled).status == "optimal"


def test_an_infeasible_pool_that_the_relaxation_does_not_see_is_told_rightly(blend):
    # Either product can be made alone, and both from one pool's convex hull, but not from one pool.
    problem = {
        "feeds": [
            {"id": "a", "price": 1, "quality": {"q": 0}},
            {"id": "b", "price": 1, "quality": {"q": 1}},
        ],
        "pools": [{"id": "t", "capacity": 100}],
        "products": [
            {"id": "low", "min": 10, "max": 20, "price": 0, "quality_max": {"q": 0.4}},
            {"id": "high", "min": 10, "max": 20, "price": 0, "quality_min": {"q": 0.6}},
        ],
        "arcs": {
            "feed_to_pool": [{"feed": "a", "pool": "t"}, {"feed": "b", "pool": "t"}],
            "pool_to_product": [{"pool": "t", "product": "low"}, {"pool": "t", "product": "high"}],
        },
    }
    result = blend(problem)
    assert result.status == "infeasible"
    assert result.infeasibility_proven
    total = sum(c.relax_by for c in result.conflicts)
    assert total == pytest.approx(0.2, rel=1e-2)


def test_profit_without_end_is_named(pooled, blend):
    del pooled["products"][1]["max"]
    pooled["products"][1]["price"] = 30
    result = blend(pooled)
    assert result.status == "unbounded"
    assert any("y" in name for name in result.unbounded)
    assert "no limit" in result.summary


def test_time_is_kept_and_the_best_is_told_with_its_gap(blend):
    import random
    import time

    problem = _random_problem(random.Random(4), feeds=20, pools=8, products=12, qualities=6)
    began = time.monotonic()
    result = blend(problem, time_limit_seconds=4)
    assert time.monotonic() - began < 8
    assert result.status in ("optimal", "feasible")
    assert result.bound <= result.objective
    assert result.verification.largest_breach <= 1e-6
    if result.status == "feasible":
        assert result.gap > 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_the_same_optimum_without_scip(blend, monkeypatch, seed):
    import random

    from orchestrator.modules.optimization.bilinear import scip

    problem = _random_problem(random.Random(seed), feeds=4, pools=2, products=3, qualities=2)
    with_scip = blend(problem)
    monkeypatch.setattr(scip, "installed", lambda: False)
    without = blend(problem)
    assert with_scip.status == without.status == "optimal"
    assert without.objective == pytest.approx(with_scip.objective, rel=1e-4, abs=1e-6)


def _random_problem(draw, feeds, pools, products, qualities):
    names = [f"q{k}" for k in range(qualities)]
    document = {
        "feeds": [
            {
                "id": f"f{i}",
                "max": draw.uniform(20, 100),
                "price": draw.uniform(1, 10),
                "quality": {name: draw.uniform(0, 10) for name in names},
            }
            for i in range(feeds)
        ],
        "pools": [{"id": f"t{i}", "capacity": draw.uniform(50, 200)} for i in range(pools)],
        "products": [
            {
                "id": f"p{i}",
                "max": draw.uniform(20, 100),
                "price": draw.uniform(6, 16),
                "quality_max": {name: draw.uniform(2.5, 7) for name in names},
                "quality_min": {names[0]: 1.0},
            }
            for i in range(products)
        ],
    }
    document["arcs"] = {
        "feed_to_pool": [
            {"feed": f["id"], "pool": t["id"]}
            for f in document["feeds"]
            for t in document["pools"]
            if draw.random() < 0.6
        ],
        "pool_to_product": [
            {"pool": t["id"], "product": p["id"]}
            for t in document["pools"]
            for p in document["products"]
            if draw.random() < 0.6
        ],
        "feed_to_product": [
            {"feed": f["id"], "product": p["id"]}
            for f in document["feeds"]
            for p in document["products"]
            if draw.random() < 0.2
        ],
    }
    return document


def test_the_operation_is_what_the_module_declares(pooled, bare):
    from orchestrator.modules.optimization import MODULE

    operation = next(item for item in MODULE.operations if item.name == "blend")
    assert operation.load_handler() is run
    assert isinstance(
        run(operation.input_model.model_validate(pooled), bare), operation.output_model
    )
    assert BlendInput is operation.input_model
