"""Products: index blending, shares, recipes, steps of prices, streams kept apart, pools."""

import math

import pytest

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.refinery.loading import validated


def blend(prop, rule, qualities, side, bound, density=None, price=100.0):
    """Two purchases blended to one product under one limit; the cheaper is the worse."""
    given = {
        name: {prop: quality, **({"density": density[name]} if density else {})}
        for name, quality in qualities.items()
    }
    costs = dict(zip(qualities, (50.0, 90.0), strict=True))
    return {
        "properties": {prop: {"blends": rule}},
        "purchases": {
            name: {"price": costs[name], "properties": found} for name, found in given.items()
        },
        "products": {
            "mix": {
                "price": price,
                "max": 10,
                "components": list(qualities),
                "specs": {prop: {side: bound}},
            }
        },
    }


def share(solved, document, name):
    result = solved(document)
    assert result.status == "optimal"
    return result.blends["mix"].get(name, 0.0) / result.products["mix"], result


def test_vapour_pressure_blends_by_its_power(solved):
    document = blend("rvp", "rvp", {"butane": 52.0, "base": 5.0}, "max", 9.0)
    found, result = share(solved, document, "butane")
    assert found == pytest.approx((9**1.25 - 5**1.25) / (52**1.25 - 5**1.25))
    quality = result.periods[0].qualities["mix"]["rvp"]
    assert (quality.value, quality.giveaway) == pytest.approx((9.0, 0.0), abs=1e-6)


def test_viscosity_blends_by_mass_of_refutas_numbers(solved):
    def number(v):
        return 14.534 * math.log(math.log(v + 0.8)) + 10.975

    document = blend(
        "viscosity", "viscosity", {"residue": 5000.0, "cutter": 3.0}, "max", 380.0,
        density={"residue": 1.0, "cutter": 0.85},
    )  # fmt: skip
    found, _ = share(solved, document, "residue")
    mass = found * 1.0 / (found * 1.0 + (1 - found) * 0.85)
    assert mass * number(5000) + (1 - mass) * number(3) == pytest.approx(number(380))


def test_flash_point_has_a_falling_index(solved):
    def number(celsius):
        return 10 ** (-6.1188 + 2414 / (celsius + 273.15 - 42.6))

    document = blend("flash", "flash", {"kerosene": 40.0, "diesel": 80.0}, "min", 56.0)
    found, _ = share(solved, document, "kerosene")
    assert found * number(40) + (1 - found) * number(80) == pytest.approx(number(56))


def test_sulphur_by_mass_in_a_model_by_volume(solved):
    document = blend(
        "sulphur",
        "mass",
        {"sour": 2.0, "sweet": 0.1},
        "max",
        0.5,
        density={"sour": 0.95, "sweet": 0.82},
    )
    found, _ = share(solved, document, "sour")
    sulphur = found * 0.95 * 2.0 + (1 - found) * 0.82 * 0.1
    assert sulphur / (found * 0.95 + (1 - found) * 0.82) == pytest.approx(0.5)


RANGES = {
    "rvp": (3.0, 50.0),
    "viscosity": (2.0, 900.0),
    "flash": (35.0, 110.0),
    "cloud": (-40.0, 10.0),
    "pour": (-40.0, 10.0),
    "linear": (1.0, 9.0),
    "mass": (0.1, 3.0),
    "octane": (60.0, 102.0),
}


@pytest.mark.parametrize("rule", RANGES)
@pytest.mark.parametrize("side", ["min", "max"])
@pytest.mark.parametrize("between", [0.15, 0.5, 0.8])
def test_the_shadow_price_of_a_quality_is_what_its_limit_costs(solved, rule, side, between):
    low, high = RANGES[rule]
    worse, better = (low, high) if side == "min" else (high, low)
    bound = low + between * (high - low)
    density = {"a": 0.9, "b": 0.8}

    def at(limit):
        return solved(blend("q", rule, {"a": worse, "b": better}, side, limit, density))

    base = at(bound)
    price = next(i.shadow_price for i in base.binding if ".specs." in i.path)
    step = 1e-4 * (high - low)
    slope = (at(bound + step).objective - at(bound - step).objective) / (2 * step)
    assert price == pytest.approx(slope, rel=1e-3)


def test_a_quality_out_of_reach_says_how_far(solved):
    document = blend("flash", "flash", {"kerosene": 40.0, "diesel": 80.0}, "min", 85.0)
    document["products"]["mix"]["min"] = 2
    result = solved(document)
    assert result.status == "infeasible"
    (conflict,) = result.conflicts
    assert conflict.key == "products.mix.specs.flash.min"
    relaxed = blend("flash", "flash", {"kerosene": 40.0, "diesel": 80.0}, "min", 80.0)
    relaxed["products"]["mix"]["min"] = 2
    assert solved(relaxed).status == "optimal"
    # The slack is one of the index, which is turned into degrees by its slope at the limit.
    assert conflict.relax_by == pytest.approx(5.0, rel=0.25)
    assert "flash of mix (min 85)" in result.conflicting


def test_shares_of_components_are_kept(solved):
    document = blend("q", "linear", {"a": 1.0, "b": 2.0}, "max", 9.0)
    document["products"]["mix"]["components"] = {"a": {"max": "60 %"}, "b": {}}
    found, result = share(solved, document, "a")
    assert found == pytest.approx(0.6)
    limit = next(i for i in result.binding if i.key == "products.mix.components.a.max")
    # One point more of the cheaper saves 40 on a hundredth of ten.
    assert limit.shadow_price == pytest.approx(10 * 40)
    document["products"]["mix"]["components"] = {"a": {}, "b": {"min": 0.25}}
    assert share(solved, document, "b")[0] == pytest.approx(0.25)


def test_a_recipe_is_in_parts_and_its_quality_is_judged(solved):
    document = blend("q", "linear", {"a": 1.0, "b": 2.0}, "max", 1.6)
    document["products"]["mix"] |= {"components": [], "recipe": {"a": 3, "b": 2}}
    result = solved(document)
    assert result.purchases == pytest.approx({"a": 6.0, "b": 4.0})
    assert result.periods[0].qualities["mix"]["q"].value == pytest.approx(1.4)
    document["products"]["mix"]["specs"]["q"]["max"] = 1.3
    assert solved(document).products.get("mix", 0.0) == pytest.approx(0.0)


def tiered(crude, product):
    return {
        "crudes": {"oil": crude},
        "units": {"still": {"capacity": 50, "feeds": {"oil": {"yields": {"fuel": 1.0}}}}},
        "products": {"fuel": product},
    }


def test_dearer_steps_are_bought_last(solved):
    crude = {"tiers": [{"price": 50, "max": 20}, {"price": 58, "max": 20}, {"price": 70}]}
    result = solved(tiered(crude, {"price": 60}))
    assert result.crudes["oil"] == pytest.approx(40)
    assert result.objective == pytest.approx(20 * 10 + 20 * 2)
    steps = {i.key: i.shadow_price for i in result.binding}
    assert steps == pytest.approx({"crudes.oil.tiers.0.max": 10, "crudes.oil.tiers.1.max": 2})


def test_a_discount_needs_the_steps_before_it(solved):
    crude = {"tiers": [{"price": 62, "max": 20}, {"price": 40, "max": 30}]}
    # Twenty at a loss of 2 open thirty at a gain of 20.
    result = solved(tiered(crude, {"price": 60}))
    assert result.objective == pytest.approx(-20 * 2 + 30 * 20)
    # With ten left of the discount at most, it does not pay before it begins to.
    few = solved(tiered({**crude, "max": 21}, {"price": 60}))
    assert few.objective == pytest.approx(0.0)
    with pytest.raises(ParameterError, match=r"tiers\.1\.max"):
        solved(tiered({"tiers": [{"price": 62, "max": 20}, {"price": 40}]}, {"price": 60}))


def test_a_product_sells_its_dear_step_first(solved):
    product = {"tiers": [{"price": 70, "max": 15}, {"price": 55}]}
    result = solved(tiered({"price": 50, "max": 40}, product))
    assert result.objective == pytest.approx(15 * 20 + 25 * 5)
    assert result.products["fuel"] == pytest.approx(40)


def test_what_is_blended_and_delivered_costs(solved):
    result = solved(tiered({"price": 50, "max": 40}, {"price": 60, "cost": 3}))
    assert result.objective == pytest.approx(40 * 7)
    assert result.margin["operating"] == pytest.approx(-120)


CRUDES = {
    "light": {
        "price": 70,
        "max": 30,
        "cuts": {"diesel": {"yield": 0.5, "properties": {"sulphur": 0.2}}},
    },
    "heavy": {
        "price": 60,
        "max": 30,
        "cuts": {"diesel": {"yield": 0.5, "properties": {"sulphur": 1.0}}},
    },
}
APART = {
    "crudes": CRUDES,
    "units": {
        "cdu": {"capacity": 50, "feeds": ["light", "heavy"], "cuts": ["diesel"], "segregate": True}
    },
    "products": {
        "clean": {"price": 160, "components": ["diesel"], "specs": {"sulphur": {"max": 0.4}}},
        "heating": {"price": 130, "components": ["diesel"]},
    },
}


def test_a_stream_kept_apart_goes_where_its_quality_fits(solved):
    result = solved(APART)
    assert set(result.blends["clean"]) == {"diesel@light", "diesel@heavy"}
    assert result.periods[0].qualities["clean"]["sulphur"].value == pytest.approx(0.4)
    named = {
        **APART,
        "crudes": {k: {"price": v["price"], "max": v["max"]} for k, v in CRUDES.items()},
        "units": {
            "cdu": {
                "capacity": 50,
                "feeds": {name: {"yields": {f"diesel {name}": 0.5}} for name in CRUDES},
            }
        },
        "streams": {
            f"diesel {name}": {"properties": {"sulphur": sulphur}}
            for name, sulphur in (("light", 0.2), ("heavy", 1.0))
        },
        "products": {
            name: {**item, "components": ["diesel light", "diesel heavy"]}
            for name, item in APART["products"].items()
        },
    }
    assert result.objective == pytest.approx(solved(named).objective)


def test_a_recipe_takes_any_of_a_stream_kept_apart(solved):
    document = {
        **APART,
        "purchases": {"additive": {"price": 10}},
        "products": {"clean": {"price": 160, "max": 20, "recipe": {"diesel": 9, "additive": 1}}},
    }
    result = solved(document)
    assert result.products["clean"] == pytest.approx(20)
    assert result.purchases["additive"] == pytest.approx(2)
    assert sum(result.crudes.values()) == pytest.approx(18 / 0.5)


def test_a_unit_downstream_keeps_apart_what_it_gets_apart(solved):
    document = {
        **APART,
        "units": {
            **APART["units"],
            "treater": {
                "segregate": True,
                "feeds": {
                    "diesel": {"yields": {"treated": 0.98}, "cost": 1},
                    # Heavy diesel needs a harder run.
                    "diesel@heavy": {"yields": {"treated": 0.9}, "cost": 3},
                },
            },
        },
        "streams": {"treated": {"properties": {"sulphur": 0.01}}},
        "products": {
            "clean": {"price": 160, "components": ["treated"], "specs": {"sulphur": {"max": 0.05}}}
        },
    }
    model = validated(document, "plan")
    assert model.warnings == ()
    result = solved(document)
    # Light earns 0.49 · 160 − 70.5 a barrel, heavy 0.45 · 160 − 61.5; capacity holds both.
    assert result.objective == pytest.approx(
        30 * (0.45 * 160 - 60 - 1.5) + 20 * (0.49 * 160 - 70 - 0.5)
    )


def test_a_pool_of_like_streams_is_linear_and_one_of_unlike_ones_is_computed(solved):
    like = {
        **APART,
        "pools": {"pool": {"mixes": ["diesel"]}},
        "streams": {"pool": {"properties": {"sulphur": 0.6}}},
        "products": {
            "clean": {"price": 160, "components": ["pool"], "specs": {"sulphur": {"max": 0.7}}}
        },
    }
    result = solved(like)
    assert sum(result.periods[0].pools["pool"].values()) == pytest.approx(result.products["clean"])
    unlike = {**like, "pools": {"pool": {"mixes": ["diesel"], "computed": True}}, "streams": {}}
    mixed = solved(unlike)
    assert mixed.status == "optimal"
    parts = mixed.periods[0].pools["pool"]
    known = {"diesel@light": 0.2, "diesel@heavy": 1.0}
    sulphur = sum(known[name] * amount for name, amount in parts.items()) / sum(parts.values())
    assert mixed.periods[0].qualities["clean"]["sulphur"].value == pytest.approx(sulphur)
    assert sulphur <= 0.7 + 1e-6


def test_surplus_has_its_price(solved):
    document = {**tiered({"price": 50, "max": 40}, {"price": 60, "max": 10})}
    document["streams"] = {"fuel": {"surplus_price": 51}}
    result = solved(document)
    assert result.periods[0].surplus["fuel"] == pytest.approx(30)
    assert result.objective == pytest.approx(10 * 10 + 30 * 1)
    document["streams"] = {"fuel": {"surplus": "forbidden"}}
    assert solved(document).crudes["oil"] == pytest.approx(10)


def test_money_that_raises_a_demand_is_a_purchase_of_its_own(solved):
    """Sunco Oil: each dollar a day of advertising sells ten barrels more.

    Winston, Operations Research: Applications and Algorithms, section 3.8.
    """
    octane, sulphur = (12, 6, 8), (0.5, 2.0, 3.0)
    crudes = {
        f"crude {n + 1}": {
            "price": price,
            "max": 5000,
            "properties": {"octane": octane[n], "sulphur": sulphur[n]},
        }
        for n, price in enumerate((45, 35, 25))
    }
    gases = ((70, 10, 1, 3000), (60, 8, 2, 2000), (50, 6, 1, 1000))
    names = [f"gas {n + 1}" for n in range(3)]
    document = {
        "crudes": crudes,
        "purchases": {f"advertising {name}": {"price": 1} for name in names},
        "products": {
            name: {
                "price": price,
                "cost": 4,
                "components": list(crudes),
                "specs": {"octane": {"min": least}, "sulphur": {"max": most}},
            }
            for name, (price, least, most, _) in zip(names, gases, strict=True)
        },
        "limits": {
            "capacity": {"terms": {f"products.{name}": 1 for name in names}, "max": 14000},
            **{
                f"demand of {name}": {
                    "terms": {f"products.{name}": 1, f"purchases.advertising {name}": -10},
                    "min": demand,
                    "max": demand,
                }
                for name, (*_, demand) in zip(names, gases, strict=True)
            },
        },
    }
    assert validated(document, "plan").warnings == ()
    result = solved(document)
    assert result.purchases == pytest.approx({"advertising gas 2": 750})
    assert result.products == pytest.approx({"gas 1": 3000, "gas 2": 9500, "gas 3": 1000})
    sales = 70 * 3000 + 60 * 9500 + 50 * 1000
    crude = 45 * 5000 + 35 * 5000 + 25 * 3500
    assert result.objective == pytest.approx(sales - crude - 4 * 13500 - 750)
