"""Largest moves of a whole period, swings, and changes of volatility."""

import numpy as np
import pytest

from orchestrator.modules.analysis.models import PricesInput
from orchestrator.modules.analysis.moves import (
    largest_moves,
    running_scale,
    swings,
    turning_points,
)
from orchestrator.modules.analysis.prices import run as prices
from orchestrator.modules.analysis.regimes import change_points, segments
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant


def quiet(rows=1000, seed=1, level=50.0):
    return level * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, rows)))


def price(series_of, values, **stated):
    given = {"role": "price", "product": "crude", "unit": "USD/bbl", "region": None, **stated}
    return series_of(values, 1, **given)


def day(series, row):
    return str(series.times[row].astype("datetime64[D]"))


def test_the_days_of_the_largest_moves_are_found_with_before_and_after(series_of):
    values = quiet()
    for row, factor in ((400, 0.7), (700, 1.25), (900, 0.8)):
        values[row:] *= factor
    made = price(series_of, values, name="oil")
    found = largest_moves([made], 3)
    assert [move.date for move in found] == [day(made, row) for row in (400, 700, 900)]
    first = found[0]
    assert (first.before, first.after) == (values[399], values[400])
    assert first.percent == pytest.approx(100 * (values[400] / values[399] - 1))
    earlier = np.abs(np.diff(values[:400]) / values[:399])[-365:]
    assert first.size == pytest.approx(
        abs(first.percent) / 100 / (1.4826 * np.median(earlier)), rel=1e-6
    )
    assert first.date in first.text


def test_one_episode_is_one_move_with_all_series_that_took_part(series_of):
    crude, product = quiet(seed=1), quiet(seed=2)
    crude[500:] *= 0.75
    product[501:] *= 0.8
    crude[510:] *= 1.2
    made = [
        price(series_of, product, name="product", product="diesel"),
        price(series_of, crude, name="crude"),
    ]
    found = largest_moves(made, 10)
    near = [
        move
        for move in found
        if abs(np.datetime64(move.date) - made[1].times[500].astype("datetime64[D]")).astype(int)
        <= 30
    ]
    assert len(near) == 1
    assert near[0].name == "crude"
    assert {part.name: part.date for part in near[0].series} == {
        "crude": day(made[1], 500),
        "product": day(made[0], 501),
    }


def test_what_moves_everything_comes_before_the_odd_print_of_one(series_of):
    many = [quiet(seed=seed) for seed in range(6)]
    for values in many:
        values[400:] *= 0.85
    many[3][800:] *= 1.4
    made = [
        price(series_of, values, name=f"p{number}", product="diesel")
        for number, values in enumerate(many)
    ]
    found = largest_moves(made, 2)
    assert found[0].date == day(made[0], 400)
    assert found[1].date == day(made[0], 800)
    assert len(found[0].series) == 6


def test_from_a_price_below_zero_a_move_has_no_percentage(series_of):
    values = quiet(600, level=20.0)
    values[400] = -37.0
    made = price(series_of, values)
    found = largest_moves([made], 1)[0]
    assert found.date in (day(made, 400), day(made, 401))
    back = next(
        move
        for move in largest_moves([price(series_of, np.r_[quiet(400, level=20.0), -5.0, 30.0])], 3)
        if move.before < 0 or move.after < 0
    )
    assert back.text


def test_the_usual_size_is_the_median_of_the_year_before_alone():
    sizes = np.abs(np.random.default_rng(1).normal(size=300))
    found = running_scale(sizes, 100, 20)
    assert np.isnan(found[:20]).all()
    assert found[20] == pytest.approx(1.4826 * np.median(sizes[:20]))
    assert found[250] == pytest.approx(1.4826 * np.median(sizes[150:250]))


def test_turning_points_alternate_and_span_the_reversal():
    height = np.r_[np.linspace(0, 2, 50), np.linspace(2, 1, 30), np.linspace(1, 3, 40), [2.9]]
    turns = turning_points(height, 0.5)
    assert [round(float(height[row]), 6) for row in turns] == [0, 2, 1, 3]
    assert turning_points(np.linspace(0, 0.1, 50), 0.5) == []


def test_swings_are_the_large_rises_and_falls(series_of):
    values = np.r_[np.linspace(50, 140, 300), np.linspace(140, 30, 100), np.linspace(30, 100, 400)]
    found = swings(price(series_of, values), 5)
    assert len(found) == 3
    assert found[0].percent == pytest.approx(-77, abs=3)
    assert found[1].percent == pytest.approx(+230, abs=15)


def test_a_change_of_volatility_is_found_and_none_in_steady_noise(series_of):
    rng = np.random.default_rng(5)
    returns = np.r_[rng.normal(0, 0.01, 300), rng.normal(0, 0.04, 200)]
    found = segments(returns)
    assert len(found) == 1
    assert abs(found[0] - 300) < 15
    for seed in range(20):
        assert segments(np.random.default_rng(seed).standard_t(5, 700)) == []
    made = price(series_of, 50 * np.exp(np.cumsum(np.r_[0.0, returns])))
    points = change_points(made)
    assert len(points) == 1
    assert points[0].volatility_after_pct == pytest.approx(4 * 365.25**0.5, rel=0.2)
    assert points[0].volatility_before_pct == pytest.approx(365.25**0.5, rel=0.2)


def test_segments_are_the_best_of_all_by_exhaustive_search():
    returns = np.random.default_rng(8).normal(size=90) * np.r_[np.ones(45), 4 * np.ones(45)]

    def cost(part):
        return 2 * len(part) * (np.log(2 * np.abs(part).mean()) + 1)

    penalty = 3 * np.log(90)
    ways = {(): cost(returns)}
    for cut in range(20, 71):
        ways[(cut,)] = cost(returns[:cut]) + cost(returns[cut:]) + penalty
        for second in range(cut + 20, 71):
            ways[(cut, second)] = (
                cost(returns[:cut])
                + cost(returns[cut:second])
                + cost(returns[second:])
                + 2 * penalty
            )
    assert tuple(segments(returns)) == min(ways, key=ways.__getitem__)


def test_published_prices_have_the_moves_that_everybody_knows(shared):
    files = [str(shared / "data" / "market" / "spot_prices_daily.csv.gz")]
    from datetime import UTC, datetime

    context = OperationContext(
        now=datetime(2025, 1, 8, tzinfo=UTC), plant=Plant(), settings={"market_files": files}
    )
    result = prices(PricesInput(), context)
    found = {move.date: move for move in result.largest_moves}
    # The price below zero, the start of the Gulf War, the price war, the cuts agreed in Riyadh, the
    # invasion of Kuwait.
    five = ["2020-04-20", "1991-01-17", "2020-03-09", "1998-03-23", "1990-08-06"]
    assert [move.date for move in result.largest_moves[:5]] == five
    for date in five:
        assert date in result.summary
    # OPEC not cutting, the attack on Abqaiq, the first easing after the invasion of Ukraine.
    assert {"2014-11-28", "2019-09-16", "2022-03-09"} <= found.keys()
    below = found["2020-04-20"]
    assert (below.name, below.before, below.after) == ("RWTC", 18.31, -36.98)
    assert below.change == pytest.approx(-55.29)
    crude = next(item for item in result.prices if item.name == "RWTC")
    assert crude.volatility is not None
    assert "2 returns" in (crude.volatility.note or "")
    assert {swing.end[:7] for swing in result.swings} >= {"2008-07", "2008-12"}
