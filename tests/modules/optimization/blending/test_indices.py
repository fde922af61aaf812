"""Properties that blend by an index, and limits of pools and shares."""

import math

import pytest


def two(prop, values, limits, **more):
    return {
        "feeds": [
            {"id": "a", "price": 2, "quality": {prop: values[0], "density": 0.8}},
            {"id": "b", "price": 1, "quality": {prop: values[1], "density": 1.0}},
        ],
        "products": [{"id": "p", "min": 100, "max": 100, **limits}],
        "arcs": {"feed_to_product": [{"feed": "a", "product": "p"}, {"feed": "b", "product": "p"}]},
        **more,
    }


def test_vapour_pressure_blends_by_its_index(blend):
    result = blend(two("rvp", (5, 60), {"quality_max": {"rvp": 10}}, blending={"rvp": "rvp"}))
    share = (10**1.25 - 5**1.25) / (60**1.25 - 5**1.25)
    assert result.feeds["b"] == pytest.approx(100 * share)
    assert result.products["p"].quality["rvp"] == pytest.approx(10)


def test_viscosity_blends_by_mass(blend):
    result = blend(
        two("visc", (2, 400), {"quality_max": {"visc": 30}}, blending={"visc": "viscosity"})
    )
    share = result.feeds["b"] * 1.0 / (result.feeds["a"] * 0.8 + result.feeds["b"] * 1.0)
    number = [14.534 * math.log(math.log(v + 0.8)) + 10.975 for v in (2, 400, 30)]
    assert share == pytest.approx((number[2] - number[0]) / (number[1] - number[0]))
    assert result.products["p"].quality["visc"] == pytest.approx(30)


def test_flows_by_mass_need_no_density(blend):
    problem = two("visc", (2, 400), {"quality_max": {"visc": 30}}, blending={"visc": "viscosity"})
    for feed in problem["feeds"]:
        del feed["quality"]["density"]
    result = blend(problem, flow_basis="mass")
    number = [14.534 * math.log(math.log(v + 0.8)) + 10.975 for v in (2, 400, 30)]
    share = (number[2] - number[0]) / (number[1] - number[0])
    assert result.feeds["b"] == pytest.approx(100 * share)


def test_an_index_that_falls_with_its_property_keeps_the_side_of_the_limit(blend):
    # A low flash point drags the mix down: the index falls as the flash point rises.
    result = blend(
        two("flash", (90, 40), {"quality_min": {"flash": 60}}, blending={"flash": "flash"})
    )
    quality = result.products["p"].specs["flash"]
    assert quality.value == pytest.approx(60)
    assert quality.giveaway == pytest.approx(0, abs=1e-6)
    assert 0 < result.feeds["b"] < 50


@pytest.mark.parametrize("rule", ["linear", "rvp"])
def test_the_price_of_an_index_limit_is_what_a_little_more_of_it_saves(blend, rule):
    def at(limit):
        return blend(two("q", (5, 60), {"quality_max": {"q": limit}}, blending={"q": rule}))

    base = at(10)
    price = next(i.shadow_price for i in base.binding if i.property == "q")
    assert base.objective - at(10.01).objective == pytest.approx(price * 0.01, rel=1e-2)


def test_a_pool_keeps_its_own_limits_and_shares(pooled, blend):
    pooled["feeds"][1]["price"] = 13
    free = blend(pooled)
    assert free.pools["tank"].quality["sulphur"] == pytest.approx(1.5, abs=1e-4)
    pooled["pools"][0]["quality_max"] = {"sulphur": 1.2}
    held = blend(pooled)
    assert held.status == "optimal"
    assert held.pools["tank"].quality["sulphur"] <= 1.2 + 1e-6
    assert held.objective > free.objective
    del pooled["pools"][0]["quality_max"]
    pooled["arcs"]["feed_to_pool"][0]["max_fraction"] = 0.1
    shared = blend(pooled)
    assert shared.pools["tank"].composition.get("sour", 0) <= 0.1 + 1e-9
    assert shared.objective > free.objective


def test_a_share_of_a_product_holds_for_its_components(blend):
    problem = two("q", (5, 60), {"quality_max": {"q": 60}})
    problem["arcs"]["feed_to_product"][1]["max_fraction"] = 0.25
    result = blend(problem)
    assert result.feeds == pytest.approx({"a": 75, "b": 25})
    price = next(i.shadow_price for i in result.binding if i.kind == "share")
    problem["arcs"]["feed_to_product"][1]["max_fraction"] = 0.26
    assert result.objective - blend(problem).objective == pytest.approx(0.01 * price)
