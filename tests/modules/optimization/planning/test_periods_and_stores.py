"""Several periods: rates and days, stores, maintenance, and numbers that differ by period."""

import pytest

TWO = {
    "periods": {"january": 31, "february": 28},
    "crudes": {"oil": {"price": [50, 60], "max": 10}},
    "units": {"still": {"capacity": 10, "feeds": {"oil": {"yields": {"fuel": 0.9}}}}},
    "products": {"fuel": {"price": 100, "max": 6}},
}


def test_periods_without_a_store_are_planned_each_by_itself(solved):
    result = solved(TWO)
    rate = 6 / 0.9
    assert result.objective == pytest.approx(31 * (600 - 50 * rate) + 28 * (600 - 60 * rate))
    assert [p.products["fuel"] for p in result.periods] == pytest.approx([6, 6])
    assert result.products["fuel"] == pytest.approx(6 * 59)
    assert result.days == 59
    prices = {(i.path, i.period): i.shadow_price for i in result.binding}
    # One more barrel a day sold in January earns its margin on each of 31 days.
    assert prices["products.fuel", "january"] == pytest.approx(31 * (100 - 50 / 0.9))
    assert prices["products.fuel", "february"] == pytest.approx(28 * (100 - 60 / 0.9))


def test_a_store_carries_the_cheaper_month_into_the_dearer(solved):
    # Fuel of January costs 50 / 0.9, that of February 60 / 0.9; carrying costs less than the difference.
    stored = {"holds": "fuel", "capacity": 50, "carrying_cost": 0.01}
    result = solved({**TWO, "tanks": {"store": stored}})
    january, february = result.periods
    assert january.stocks["store"] == pytest.approx(50)
    assert february.stocks["store"] == pytest.approx(0)
    made = [(31 * 6 + 50) / 0.9, (28 * 6 - 50) / 0.9]
    assert result.objective == pytest.approx(
        59 * 600 - 50 * made[0] - 60 * made[1] - 0.01 * 50 * 31
    )
    capacity = next(i for i in result.binding if i.key == "tanks.store.capacity")
    assert capacity.shadow_price == pytest.approx(10 / 0.9 - 0.31)
    assert capacity.period == "january"
    dear = solved({**TWO, "tanks": {"store": {**stored, "carrying_cost": 1.0}}})
    assert dear.periods[0].stocks["store"] == pytest.approx(0)


def test_opening_closing_and_heel_are_kept(solved):
    tank = {"holds": "fuel", "opening": 40, "heel": 15, "closing": 25}
    result = solved({**TWO, "tanks": {"store": tank}})
    stocks = [period.stocks["store"] for period in result.periods]
    assert stocks[0] >= 15 - 1e-9
    assert stocks[1] == pytest.approx(25)
    made = sum(p.days * p.units["still"]["oil"] * 0.9 for p in result.periods)
    assert made == pytest.approx(59 * 6 - 40 + 25)
    worth = solved(
        {**TWO, "tanks": {"store": {"holds": "fuel", "closing_price": 99, "capacity": 30}}}
    )
    assert worth.periods[1].stocks["store"] == pytest.approx(30)
    assert worth.margin["closing"] == pytest.approx(30 * 99)


def test_a_tank_of_a_blended_product_gives_what_it_opened_with(solved):
    document = {
        **TWO,
        "products": {"gas oil": {"price": 100, "max": 6, "components": ["fuel"]}},
        "tanks": {"gas oil": {"opening": 31 * 6}},
    }
    result = solved(document)
    assert [p.products["gas oil"] for p in result.periods] == pytest.approx([6, 6])
    assert result.crudes["oil"] == pytest.approx((59 * 6 - 31 * 6) / 0.9)
    # All of it is made in January, where oil is cheaper.
    assert "oil" not in result.periods[1].crudes
    assert result.periods[0].stocks["gas oil"] == pytest.approx(28 * 6)


def test_maintenance_takes_its_days_of_the_capacity(solved):
    document = {**TWO, "products": {"fuel": {"price": 100}}}
    document["units"] = {"still": {**TWO["units"]["still"], "maintenance": {"february": 7}}}
    result = solved(document)
    assert [p.units["still"]["oil"] for p in result.periods] == pytest.approx([10, 10 * 21 / 28])
    limit = next(i for i in result.binding if i.period == "february")
    assert (limit.key, limit.bound) == ("units.still.capacity", 10)
    assert limit.shadow_price == pytest.approx((90 - 60) * 21)
    half = {"february": {"days": 7, "capacity": 0.5}}
    document["units"] = {"still": {**TWO["units"]["still"], "maintenance": half}}
    assert solved(document).periods[1].units["still"]["oil"] == pytest.approx(10 * 24.5 / 28)


def test_every_number_may_differ_by_period(solved):
    document = {
        "periods": ["one", "two"],
        "crudes": {"oil": {"price": 10, "max": {"one": 8, "default": 20}, "min": [0, 2]}},
        "units": {
            "still": {
                "capacity": [9, 5],
                "minimum": [1, 0],
                "feeds": {"oil": {"yields": {"fuel": [0.9, 0.8]}, "cost": [1, 2]}},
            }
        },
        "products": {
            "fuel": {
                "price": [30, 40],
                "components": ["fuel"],
                "specs": {"sulphur": {"max": [1.0, 0.5]}},
            }
        },
        "streams": {"fuel": {"properties": {"sulphur": [0.9, 0.5]}}},
        "limits": {"purchase": {"terms": {"crudes.oil": [1, 2]}, "max": [7.5, 8]}},
    }
    result = solved(document)
    assert [p.crudes["oil"] for p in result.periods] == pytest.approx([7.5, 4.0])
    assert result.objective == pytest.approx(7.5 * (27 - 11) + 4 * (32 - 12))


def test_a_limit_over_the_horizon_counts_days(solved):
    document = {
        **TWO,
        "limits": {"contract": {"terms": {"products.fuel": 1}, "max": 200, "over": "horizon"}},
    }
    result = solved(document)
    assert result.products["fuel"] == pytest.approx(200)
    contract = next(i for i in result.binding if i.path == "limits.contract")
    # The last unit is one of February, the dearer month, and no period stands for the limit.
    assert contract.shadow_price == pytest.approx(100 - 60 / 0.9)
    assert contract.period == ""
    assert "over all periods" in contract.text


def test_margins_of_periods_add_up(solved):
    result = solved(
        {**TWO, "tanks": {"store": {"holds": "fuel", "capacity": 50, "carrying_cost": 0.01}}}
    )
    assert sum(result.margin.values()) == pytest.approx(result.objective)
    for account, money in result.margin.items():
        assert sum(p.margin.get(account, 0.0) for p in result.periods) == pytest.approx(money)


def test_one_period_of_many_days_is_that_many_times_a_day(solved):
    day = {**TWO, "crudes": {"oil": {"price": 50, "max": 10}}}
    del day["periods"]
    month = {**day, "periods": {"june": 30}}
    assert solved(month).objective == pytest.approx(30 * solved(day).objective)
    assert solved(day).periods[0].name == ""


def test_what_is_left_out_is_told_by_period(solved):
    result = solved({**TWO, "crudes": {"oil": {"price": [50, 95], "max": 10}}})
    assert result.not_done
    for lacking in result.not_done:
        assert lacking.period == "february"
        # A barrel of oil earns 90 and costs 95.
        assert lacking.lacks == pytest.approx(5 / (0.9 if lacking.what == "products.fuel" else 1))
        assert lacking.text.endswith("in february")
