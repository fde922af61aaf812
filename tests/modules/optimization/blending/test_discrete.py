"""Lots, whole parcels, fixed costs and numbers of components, each against enumeration."""

import itertools

import numpy as np
import pytest


def spot(components, demand, least, **product):
    """A spot blend without pools: so much of one product, at least this octane, as cheaply as can be."""
    return {
        "feeds": [
            {"id": name, "price": price, "quality": {"octane": octane}, **more}
            for name, price, octane, more in components
        ],
        "products": [
            {"id": "gasoline", "min": demand, "max": demand, "quality_min": {"octane": least}}
            | product
        ],
        "arcs": {
            "feed_to_product": [{"feed": name, "product": "gasoline"} for name, *_ in components]
        },
    }


COMPONENTS = [
    ("butane", 40, 94, {"max": 8}),
    ("naphtha", 50, 70, {}),
    ("reformate", 90, 99, {}),
    ("alkylate", 85, 95, {"max": 40}),
]


def test_whole_parcels_are_the_cheapest_of_all_combinations(blend):
    parcels = {"butane": 4, "naphtha": 15, "reformate": 20, "alkylate": 10}
    components = [
        (name, price, octane, more | {"lot_size": parcels[name], "max": more.get("max", 100)})
        for name, price, octane, more in COMPONENTS
    ]
    result = blend(spot(components, 99, 90) | {"sense": "min"})
    best = np.inf
    counts = [range(int(more["max"] / more["lot_size"]) + 1) for *_, more in components]
    for number in itertools.product(*counts):
        amount = [n * c[3]["lot_size"] for n, c in zip(number, components, strict=True)]
        octane = sum(a * c[2] for a, c in zip(amount, components, strict=True))
        if sum(amount) == 99 and octane >= 90 * 99:
            best = min(best, sum(a * c[1] for a, c in zip(amount, components, strict=True)))
    assert result.status == "optimal"
    assert result.objective == pytest.approx(best)
    for name, amount in result.feeds.items():
        assert amount / parcels[name] == pytest.approx(round(amount / parcels[name]))


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_components_than_allowed(blend, most):
    result = blend(spot(COMPONENTS, 100, 90, max_components=most))
    best = np.inf
    for chosen in itertools.combinations(COMPONENTS, most):
        one = blend(spot(list(chosen), 100, 90))
        if one.status == "optimal":
            best = min(best, one.objective)
    assert result.status == "optimal"
    assert len(result.flows) <= most
    assert result.objective == pytest.approx(best)


def test_a_least_lot_is_taken_whole_or_not_at_all(blend):
    free = blend(spot(COMPONENTS, 100, 90))
    assert free.feeds["butane"] == pytest.approx(8)
    lots = [
        (n, p, o, m | ({"minimum_lot": 30} if n == "alkylate" else {})) for n, p, o, m in COMPONENTS
    ]
    result = blend(spot(lots, 100, 90))
    without = blend(spot([c for c in COMPONENTS if c[0] != "alkylate"], 100, 90))
    at_least = [
        (n, p, o, m | ({"min": 30} if n == "alkylate" else {})) for n, p, o, m in COMPONENTS
    ]
    forced = blend(spot(at_least, 100, 90))
    assert result.objective == pytest.approx(min(without.objective, forced.objective))


def test_a_fixed_cost_is_paid_once_and_only_for_what_is_used(blend):
    free = blend(spot(COMPONENTS, 100, 90))
    dear = [
        (n, p, o, m | ({"fixed_cost": 1e4} if n == "butane" else {})) for n, p, o, m in COMPONENTS
    ]
    result = blend(spot(dear, 100, 90))
    without = blend(spot([c for c in COMPONENTS if c[0] != "butane"], 100, 90))
    assert "butane" not in result.feeds
    assert result.objective == pytest.approx(without.objective)
    cheap = [
        (n, p, o, m | ({"fixed_cost": 10} if n == "butane" else {})) for n, p, o, m in COMPONENTS
    ]
    assert blend(spot(cheap, 100, 90)).objective == pytest.approx(free.objective + 10)


def test_pools_and_parcels_together_are_the_best_of_all_numbers_of_parcels(pooled, blend):
    pooled["feeds"][1]["price"] = 13
    pooled["feeds"][1] |= {"lot_size": 40, "max": 200}
    result = blend(pooled)
    best = np.inf
    for number in range(6):
        fixed = {**pooled, "feeds": [dict(feed) for feed in pooled["feeds"]]}
        fixed["feeds"][1] = {
            "id": "sweet",
            "price": 13,
            "quality": {"sulphur": 1},
            "min": 40 * number,
            "max": 40 * number,
        }
        best = min(best, blend(fixed).objective)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(best, rel=1e-6)
    assert result.objective > -750


def test_a_pool_with_a_fixed_cost_is_left_out_where_it_does_not_pay(pooled, blend):
    pooled["pools"][0]["fixed_cost"] = 350
    assert blend(pooled).objective == pytest.approx(-50)
    pooled["pools"][0]["fixed_cost"] = 450
    result = blend(pooled)
    assert (result.status, result.objective) == ("optimal", 0)
    assert not result.pools
