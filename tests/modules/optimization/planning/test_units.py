"""Units: modes, one at a time, on and off, starts, severity, utilities, emissions, deltas."""

import itertools

import pytest

from orchestrator.modules.optimization.refinery.loading import validated

MODES = {
    "crudes": {"oil": {"price": 50, "max": 100}},
    "units": {
        "still": {
            "capacity": 60,
            "modes": {
                "gasoline": {
                    "feeds": {"oil": {"yields": {"gasoline": 0.6, "diesel": 0.3}}},
                    "cost": 1,
                },
                "diesel": {
                    "feeds": {"oil": {"yields": {"gasoline": 0.3, "diesel": 0.6}}},
                    "use": 1.2,
                    "max": 40,
                },
            },
        }
    },
    "products": {"gasoline": {"price": 90, "max": 20}, "diesel": {"price": 80}},
}


def test_modes_share_the_capacity(solved):
    result = solved(MODES)
    run = result.periods[0].units["still"]
    # Gasoline to its demand from both modes, capacity full: g + 1.2 d = 60, 0.6 g + 0.3 d = 20.
    d = (60 * 0.6 - 20) / (1.2 * 0.6 - 0.3)
    assert run["diesel: oil"] == pytest.approx(d)
    assert run["gasoline: oil"] == pytest.approx(60 - 1.2 * d)


def one_mode(way):
    document = {**MODES, "units": {"still": dict(MODES["units"]["still"])}}
    document["units"]["still"]["modes"] = {way: MODES["units"]["still"]["modes"][way]}
    return document


def test_one_mode_at_a_time_is_the_better_of_the_two(solved):
    document = {**MODES, "units": {"still": {**MODES["units"]["still"], "one_mode": True}}}
    result = solved(document)
    best = max(solved(one_mode(way)).objective for way in ("gasoline", "diesel"))
    assert result.objective == pytest.approx(best)
    assert len(result.periods[0].units["still"]) == 1
    assert result.objective < solved(MODES).objective
    assert result.gap == pytest.approx(0, abs=1e-6)
    assert any("stay as planned" in warning for warning in result.warnings)


SWITCHED = {
    "periods": {"a": 5, "b": 5, "c": 5, "d": 5},
    "crudes": {"oil": {"price": [50, 61, 52, 58], "max": 100}},
    "units": {
        "still": {
            "capacity": 40,
            "minimum": 25,
            "on_off": True,
            "on_before": False,
            "fixed_cost": 60,
            "startup_cost": 900,
            "feeds": {"oil": {"yields": {"fuel": 1.0}}},
        }
    },
    "products": {"fuel": {"price": 60, "max": [30, 100, 20, 40]}},
    "tanks": {"store": {"holds": "fuel", "capacity": 30}},
}


def by_hand(solved, pattern):
    """The plan with the unit on or off as given, and what its starts and days cost."""
    names = list(SWITCHED["periods"])
    unit = dict(SWITCHED["units"]["still"])
    for key in ("on_off", "on_before", "fixed_cost", "startup_cost"):
        del unit[key]
    for key in ("capacity", "minimum"):
        unit[key] = {n: unit[key] * on for n, on in zip(names, pattern, strict=True)}
    result = solved({**SWITCHED, "units": {"still": unit}})
    if result.status != "optimal":
        return -float("inf")
    starts = sum(now and not before for before, now in itertools.pairwise((0, *pattern)))
    return result.objective - 900 * starts - 60 * 5 * sum(pattern)


def test_on_and_off_with_starts_is_the_best_of_all_patterns(solved):
    result = solved(SWITCHED)
    assert result.status == "optimal"
    best = max(by_hand(solved, p) for p in itertools.product((0, 1), repeat=4))
    assert result.objective == pytest.approx(best)
    for period in result.periods:
        load = period.units.get("still", {}).get("oil", 0.0)
        assert period.running["still"] == (load > 0)
        assert load == 0 or 25 - 1e-9 <= load <= 40 + 1e-9


def test_a_cost_that_nothing_can_avoid_lowers_the_margin(solved):
    unit = MODES["units"]["still"]
    document = {**MODES, "units": {"still": {**unit, "fixed_cost": 100}}}
    result = solved(document)
    assert result.objective == pytest.approx(solved(MODES).objective - 100)
    assert result.margin["fixed"] == pytest.approx(-100)
    assert result.periods[0].margin["fixed"] == pytest.approx(-100)


def reformer(low=92.0, high=102.0, wanted=97.0):
    def end(severity):
        share = (severity - 92.0) / 10.0
        made = 0.88 - 0.10 * share
        # Yield and yield × octane are linear between the ends.
        octane = ((1 - share) * 0.88 * 92.0 + share * 0.78 * 102.0) / made
        return {
            "value": severity,
            "feeds": {
                "naphtha": {
                    "yields": {"reformate": made},
                    "properties": {"reformate": {"octane": octane}},
                    "cost": 1 + share,
                }
            },
        }

    return {
        "crudes": {"naphtha": {"price": 60, "max": 10, "properties": {"octane": 70}}},
        "units": {"reformer": {"capacity": 10, "severity": {"low": end(low), "high": end(high)}}},
        "products": {
            "gasoline": {
                "price": 100,
                "components": ["naphtha", "reformate"],
                "specs": {"octane": {"min": wanted}},
            }
        },
    }


def test_severity_is_found_between_its_ends(solved):
    result = solved(reformer(wanted=97.0))
    assert 92 < result.periods[0].severity["reformer"] < 102
    assert not any("upper bound" in warning for warning in result.warnings)
    # No unit held at one severity does better, and one held at that severity does as well.
    best = result.periods[0].severity["reformer"]
    for severity in (93, 95, 97, 99, 101, best):
        held = solved(reformer(severity - 1e-4, severity + 1e-4))
        assert held.objective <= result.objective + 1e-4
    assert held.objective == pytest.approx(result.objective, rel=1e-4)


def test_severity_that_is_split_between_places_is_told(solved):
    document = reformer()
    document["products"] = {
        "regular": {
            "price": 95,
            "max": 4,
            "components": ["reformate"],
            "specs": {"octane": {"min": 92}},
        },
        "premium": {"price": 105, "components": ["reformate"], "specs": {"octane": {"min": 102}}},
    }
    assert any("upper bound" in warning for warning in solved(document).warnings)


UTILITIES = {
    "crudes": {"oil": {"price": 50, "max": 100}},
    "units": {
        "still": {
            "capacity": 100,
            "feeds": {"oil": {"yields": {"gas": 0.02, "fuel": 0.9}}},
            "utilities": {"heat": 0.3, "steam": -0.1},
        },
        "dryer": {"feeds": {"fuel": {"yields": {"dry": 1.0}, "utilities": {"steam": 0.05}}}},
    },
    "utilities": {
        "heat": {"price": 8, "unit": "GJ", "from": {"gas": 6}, "emissions": {"co2": 0.06}},
        "steam": {"purchase": False},
    },
    "emissions": {"co2": {"price": 20}},
    "streams": {"gas": {"emissions": {"co2": 0.3}}},
    "products": {"dry": {"price": 70}},
}


def test_own_gas_is_burnt_before_heat_is_bought(solved):
    result = solved(UTILITIES)
    period = result.periods[0]
    assert period.burnt["heat"]["gas"] == pytest.approx(2)
    assert period.utilities["heat"] == pytest.approx(30 - 12)
    emitted = 2 * 0.3 + 18 * 0.06
    assert period.emissions["co2"] == pytest.approx(emitted)
    assert result.objective == pytest.approx(90 * 70 - 5000 - 8 * 18 - 20 * emitted)
    assert result.margin["emissions"] == pytest.approx(-20 * emitted)


def test_what_cannot_be_bought_must_be_made(solved):
    lean = {**UTILITIES["units"]["still"], "utilities": {"heat": 0.3, "steam": -0.04}}
    document = {**UTILITIES, "units": {**UTILITIES["units"], "still": lean}}
    assert solved(document).products["dry"] == pytest.approx(4.0 / 0.05)
    sold = {"steam": {"purchase": False, "sell_price": 4}}
    document = {**UTILITIES, "utilities": {**UTILITIES["utilities"], **sold}}
    gain = solved(document).objective - solved(UTILITIES).objective
    assert gain == pytest.approx(4 * (10 - 4.5))


def test_a_cap_on_emissions_holds_the_plan_back(solved):
    document = {**UTILITIES, "emissions": {"co2": {"price": 20, "cap": 1.0}}}
    result = solved(document)
    assert result.periods[0].emissions["co2"] == pytest.approx(1.0)
    cap = next(i for i in result.binding if i.key == "emissions.co2.cap")
    tighter = {**UTILITIES, "emissions": {"co2": {"price": 20, "cap": 0.9}}}
    assert result.objective - solved(tighter).objective == pytest.approx(0.1 * cap.shadow_price)


def test_yields_follow_the_feed_s_property(solved):
    feed = {
        "yields": {"diesel": 0.9, "hydrogen": -0.02},
        "base": {"sulphur": 1.0},
        "deltas": {"sulphur": {"hydrogen": -0.01, "diesel": -0.005}},
    }
    document = {
        "crudes": {"gas oil": {"price": 50, "max": 10, "properties": {"sulphur": 1.5}}},
        "purchases": {"hydrogen": {"price": 100}},
        "units": {"treater": {"feeds": {"gas oil": feed}}},
        "products": {"diesel": {"price": 90}},
    }
    result = solved(document)
    assert result.purchases["hydrogen"] == pytest.approx(10 * 0.025)
    assert result.products["diesel"] == pytest.approx(10 * (0.9 - 0.0025))


def test_cuts_stand_for_the_yields_of_each_crude(solved):
    crudes = {
        "light": {"price": 70, "max": 50, "cuts": {"top": {"yield": 0.3}, "side": {"yield": "30 %"}, "rest": {"yield": 0.4}}},
        "heavy": {"price": 60, "max": 50, "cuts": {"top": {"yield": 0.1}, "side": {"yield": 0.3}, "rest": {"yield": 0.6}}},
    }  # fmt: skip
    products = {"naphtha": {"price": 100}, "rest": {"price": 60}}
    by_cuts = {
        "crudes": crudes,
        "units": {
            "cdu": {
                "capacity": 60,
                "feeds": ["light", "heavy"],
                "cuts": {"naphtha": ["top", "side"], "rest": "rest"},
            }
        },
        "products": products,
    }
    plain = {
        "crudes": {
            name: {k: v for k, v in item.items() if k != "cuts"} for name, item in crudes.items()
        },
        "units": {
            "cdu": {
                "capacity": 60,
                "feeds": {
                    "light": {"yields": {"naphtha": 0.6, "rest": 0.4}},
                    "heavy": {"yields": {"naphtha": 0.4, "rest": 0.6}},
                },
            }
        },
        "products": products,
    }
    assert solved(by_cuts).objective == pytest.approx(solved(plain).objective)
    assert validated(by_cuts, "plan").warnings == ()


def test_modes_run_the_feeds_of_their_unit_with_yields_of_their_own(solved):
    unit = MODES["units"]["still"]
    short = {
        **{key: value for key, value in unit.items() if key != "modes"},
        "feeds": ["oil"],
        "modes": {
            way: {
                **{key: value for key, value in mode.items() if key != "feeds"},
                "yields": mode["feeds"]["oil"]["yields"],
            }
            for way, mode in unit["modes"].items()
        },
    }
    assert solved({**MODES, "units": {"still": short}}).objective == pytest.approx(
        solved(MODES).objective
    )


def test_ends_of_severity_run_the_feeds_of_their_unit(solved):
    long = reformer()
    ends = long["units"]["reformer"]["severity"]
    short = {
        **long,
        "units": {
            "reformer": {
                "capacity": 10,
                "feeds": ["naphtha"],
                "severity": {
                    name: {"value": end["value"], **end["feeds"]["naphtha"]}
                    for name, end in ends.items()
                },
            }
        },
    }
    result = solved(short)
    assert result.objective == pytest.approx(solved(long).objective)
    assert result.periods[0].severity == pytest.approx(solved(long).periods[0].severity)


def test_yields_of_a_unit_are_those_of_each_feed_that_says_nothing_else(solved):
    document = {
        "crudes": {"a": {"price": 50, "max": 10}, "b": {"price": 50, "max": 10}},
        "units": {
            "still": {
                "yields": {"fuel": 0.9, "gas": 0.05},
                "feeds": {"a": {}, "b": {"yields": {"fuel": 0.8}}},
            }
        },
        "products": {"fuel": {"price": 100}, "gas": {"price": 20}},
    }
    assert solved(document).objective == pytest.approx(10 * 90 + 10 * 80 + 20 * 0.05 * 20 - 1000)
