"""Forecasts of stocks: nothing of the future is used, and the plain forecasts are beaten honestly."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from orchestrator.errors import InsufficientDataError, UnknownTagError
from orchestrator.modules.analysis.demand import run as demand
from orchestrator.modules.analysis.market import run as market
from orchestrator.modules.analysis.models import DemandInput, MarketInput, StocksInput
from orchestrator.modules.analysis.outlook import choose, outlook, track
from orchestrator.modules.analysis.panel import panel
from orchestrator.modules.analysis.stocks import run as stocks

NAMES = ("WCESTUS1", "WGTSTUS1", "WDISTUS1")
FILES = ("weekly_stocks_1982_2022.csv.gz", "weekly_petroleum.csv.gz")
STEPS = 4


def seasonal(rows=600, seed=1, noise=300.0):
    week = np.arange(rows)
    rng = np.random.default_rng(seed)
    return (
        230_000 + 8_000 * np.sin(2 * np.pi * week / 52.18) + np.cumsum(rng.normal(0, noise, rows))
    )


def test_a_season_is_forecast_and_the_last_value_beaten(series_of):
    found = outlook(series_of(seasonal()), [], STEPS)
    assert found.score.model == "combination"
    assert found.score.errors["combination"] < 0.6 * found.score.errors["last_value"]
    assert [point.time[:10] for point in found.points] == [
        str(np.datetime64("2000-01-07") + 7 * (599 + i)) for i in range(1, 5)
    ]
    for point in found.points:
        low, inner, upper, high = (point.quantiles[q] for q in ("0.025", "0.1", "0.9", "0.975"))
        assert low <= inner < point.mean < upper <= high


def test_a_random_walk_is_forecast_by_the_better_plain_rule_and_that_is_said(
    series_of, context_for
):
    rng = np.random.default_rng(3)
    values = 100_000 + np.cumsum(rng.normal(0, 500, 500))
    found = outlook(series_of(values), [], STEPS)
    assert found.score.model == found.score.baseline == "last_value"
    assert {point.mean for point in found.points} == {values[-1]}
    times = [np.datetime64("2015-01-02") + 7 * i for i in range(500)]
    result = stocks(
        StocksInput(series=("walk",)),
        context_for({"time": [str(t) for t in times], "walk": values}),
    )
    assert any("the last value" in text for text in result.warnings)


def test_a_model_that_was_worse_of_late_than_a_plain_rule_is_said_to_be(context_for):
    week = np.arange(700)
    turned = np.where(week < 700 - 104, 1, -1)
    steps = turned * np.diff(8_000 * np.sin(2 * np.pi * week / 52.18), prepend=0)
    values = 230_000 + np.cumsum(steps + np.random.default_rng(1).normal(0, 300, 700))
    times = [str(np.datetime64("2010-01-01") + 7 * i) for i in range(700)]
    result = stocks(StocksInput(series=("made",)), context_for({"time": times, "made": values}))
    score = result.models["made"]
    assert score.model == "combination"
    assert score.skill_pct < 0 < score.skill_of_judged_pct
    assert any(
        f"last 104 forecasts was {-score.skill_pct:.1f} % larger than that of the last value"
        in text
        for text in result.warnings
    )


def test_what_came_after_an_origin_does_not_change_its_forecast(series_of):
    target, other = seasonal(), seasonal(seed=2)
    flow = 9_000 + np.random.default_rng(5).normal(0, 200, 600)

    def forecasts(rows):
        others = [
            series_of(other[:rows], name="other", product="diesel"),
            series_of(flow[:rows], name="flow", role="flow"),
        ]
        given = panel(series_of(target[:rows]), others)
        assert set(given.values) == {"made", "other", "flow"}
        return track(given, STEPS, 200)

    whole, cut = forecasts(600), forecasts(560)
    for name, values in cut.forecasts.items():
        at = np.flatnonzero(whole.origins == cut.origins[-1])[0]
        np.testing.assert_allclose(whole.forecasts[name][at], values[-1], err_msg=name)
    assert np.isnan(cut.actual[-1]).all()


def test_what_came_after_an_origin_does_not_change_its_monthly_forecast_over_years(series_of):
    month = np.arange(240)
    rng = np.random.default_rng(9)
    target = 500 + 40 * np.sin(2 * np.pi * month / 12) + np.cumsum(rng.normal(0, 5, 240))
    other = 300 + np.cumsum(rng.normal(0, 5, 240))
    times = (np.datetime64("2000-01", "M") + month).astype("datetime64[us]")
    monthly = {"period": "month", "per_year": 12.0}

    def forecasts(rows):
        made, beside = (
            dataclasses.replace(series_of(values[:rows], **stated), times=times[:rows])
            for values, stated in (
                (target, monthly),
                (other, {**monthly, "name": "other", "product": "diesel"}),
            )
        )
        return track(panel(made, [beside]), 26, 60)

    whole, cut = forecasts(240), forecasts(210)
    at = np.flatnonzero(whole.origins == cut.origins[-1])[0]
    for name, values in cut.forecasts.items():
        np.testing.assert_allclose(whole.forecasts[name][at], values[-1], err_msg=name)


def test_the_choice_at_an_origin_rests_on_errors_known_there(series_of):
    found = track(panel(series_of(seasonal()), []), STEPS, 300)
    at = 200
    spoiled = found.actual.copy()
    for step in range(STEPS):
        spoiled[at - step :, step] = 1e9
    changed = dataclasses.replace(found, actual=spoiled)
    assert choose(changed, at, 300) == choose(found, at, 300)
    for step in range(STEPS):
        np.testing.assert_array_equal(
            changed.known_errors("combination", step, at, 50),
            found.known_errors("combination", step, at, 50),
        )


def test_a_companion_counts_only_with_values_up_to_the_last_row(series_of):
    target = series_of(seasonal())
    ended = series_of(seasonal(seed=2)[:-1], name="ended", product="crude")
    elsewhere = series_of(seasonal(seed=3), name="elsewhere", product="crude", region="PADD 1")
    given = panel(target, [ended, elsewhere])
    assert list(given.values) == ["made"]


def test_a_value_dated_after_a_row_is_not_in_it(series_of):
    target = series_of(seasonal(300))
    later = dataclasses.replace(
        series_of(np.arange(300.0), name="later", product="diesel"),
        times=target.times + np.timedelta64(3, "D"),
    )
    given = panel(target, [dataclasses.replace(later, values=np.arange(300.0))])
    # The value dated three days after a row stands in the next one; the last row has that of the row before.
    assert given.values["later"][-1] == 298


def test_too_short_a_history_is_refused_with_what_would_do(series_of):
    with pytest.raises(InsufficientDataError, match="64 values"):
        outlook(series_of(seasonal(60)), [], STEPS)


@pytest.mark.parametrize("rows", [70, 110, 160])
def test_a_history_without_a_known_season_is_forecast_by_what_held_so_far(series_of, rows):
    found = outlook(series_of(seasonal(rows)), [], STEPS)
    assert len(found.points) == STEPS
    assert found.score.errors[found.score.model] <= found.score.errors["last_value"]
    assert all("0.1" in point.quantiles for point in found.points)


def test_monthly_series_are_forecast_month_by_month(series_of):
    months = np.array([np.datetime64("2005-01", "M") + i for i in range(180)])
    values = 500 + 40 * np.sin(2 * np.pi * np.arange(180) / 12)
    values += np.random.default_rng(7).normal(0, 5, 180)
    made = dataclasses.replace(
        series_of(values, period="month", per_year=12.0),
        times=(months + 1).astype("datetime64[D]").astype("datetime64[us]")
        - np.timedelta64(86_400_000_000, "us"),
    )
    found = outlook(made, [], 3)
    assert [point.time[:10] for point in found.points] == ["2020-01-31", "2020-02-29", "2020-03-31"]
    assert found.score.errors["combination"] < found.score.errors["last_value"]


APART = {"quarter": 3, "year": 12, "period": 2}


@pytest.mark.parametrize("period", APART)
def test_what_is_not_daily_to_monthly_is_described_and_not_forecast(period, context_for):
    months = np.datetime64("1930-01", "M") + APART[period] * np.arange(90)
    data = {
        "time": [f"{month}-01" for month in months],
        "gasoline_stock": seasonal(90),
        "gasoline_demand": 9_000 + np.random.default_rng(2).normal(0, 100, 90),
    }
    result = market(MarketInput(), context_for(data))
    assert {item.period for item in (*result.stocks, *result.demand)} == {period}
    assert result.forecasts == ()
    days = round(30.44 * APART[period])
    assert f"{days} days apart" in result.not_forecast["gasoline_stock"]
    assert demand(DemandInput(), context_for(data)).not_forecast.keys() == {"gasoline_demand"}


def test_a_series_of_every_second_week_is_forecast_by_fortnights(context_for):
    times = [str(np.datetime64("2005-01-07") + 14 * i) for i in range(300)]
    values = 230_000 + 8_000 * np.sin(2 * np.pi * np.arange(300) / 26.09)
    values += np.random.default_rng(4).normal(0, 300, 300)
    result = stocks(StocksInput(series=("made",)), context_for({"time": times, "made": values}))
    assert [item.period for item in result.stocks] == ["fortnight"]
    assert [point.time[:10] for point in result.forecasts] == [
        str(np.datetime64(times[-1]) + 14 * i) for i in range(1, 5)
    ]
    errors = result.models["made"].errors
    assert errors["combination"] < 0.5 * errors["last_value"]


def test_a_step_over_which_nothing_is_known_is_not_forecast(series_of):
    sparse = series_of(seasonal(300))
    every = np.r_[np.arange(0, 300, 2)]
    sparse = dataclasses.replace(sparse, times=sparse.times[every], values=sparse.values[every])
    with pytest.raises(InsufficientDataError, match="without gaps"):
        outlook(sparse, [], STEPS)


def test_intervals_hold_what_they_promise_on_steady_noise(series_of):
    found = outlook(series_of(seasonal(900, seed=11)), [], STEPS)
    assert found.score.coverage is not None
    assert 0.7 < found.score.coverage["80"] < 0.9
    assert 0.9 < found.score.coverage["95"] <= 1.0


def test_what_never_was_negative_is_not_forecast_below_zero(series_of):
    falling = np.linspace(10_000, 1, 600) + 30 * np.sin(np.arange(600) * 2 * np.pi / 52.18)
    values = np.maximum(falling, 1.0)
    found = outlook(series_of(values), [], 20)
    for point in found.points:
        assert point.quantiles["0.1"] <= point.mean <= point.quantiles["0.9"]
        assert point.quantiles["0.025"] >= 0
    kept = track(panel(series_of(values), []), 20, 300)
    for name in ("combination", "last_value", "season_average"):
        assert (values[kept.origins][:, None] + kept.forecasts[name] >= -1e-9).all()
    # The members would have gone below.
    below = np.mean([kept.forecasts[name] for name in kept.members], axis=0)
    assert (values[-1] + below[-1] < 0).any()


def test_a_series_that_goes_below_zero_is_forecast_there_too(series_of):
    found = outlook(series_of(seasonal() - 260_000), [], STEPS)
    for point in found.points:
        assert point.mean < 0
        assert point.quantiles["0.1"] < point.mean < point.quantiles["0.9"]


def test_listed_columns_alone_are_analysed_whatever_they_are_called(context_for):
    times = [str(np.datetime64("2012-01-06") + 7 * i) for i in range(600)]
    data = {"time": times, "TANKS": seasonal(), "OTHER": seasonal(seed=2), "wti": seasonal(seed=3)}
    result = stocks(StocksInput(series=("TANKS",), horizon=2), context_for(data))
    assert [item.name for item in result.stocks] == ["TANKS"]
    assert [point.target for point in result.forecasts] == ["TANKS", "TANKS"]
    with pytest.raises(UnknownTagError, match="MISSING"):
        stocks(StocksInput(series=("MISSING",)), context_for(data))


def test_a_listed_column_is_a_stock_where_stocks_are_asked_for(context_for):
    times = [str(np.datetime64("2012-01-06") + 7 * i) for i in range(600)]
    data = {"time": times, "diesel": seasonal(), "RWTC": seasonal(seed=2)}
    result = stocks(StocksInput(series=("diesel", "RWTC")), context_for(data))
    # An identifier says what it is, a plain name only of what.
    assert [(item.name, item.product) for item in result.stocks] == [("diesel", "diesel")]


def test_a_build_is_compared_with_what_the_season_expects(context_for):
    values = seasonal(noise=50.0)
    values[-1] += 20_000
    times = [str(np.datetime64("2012-01-06") + 7 * i) for i in range(600)]
    result = stocks(
        StocksInput(series=("stock",), capacity={"stock": 500_000}),
        context_for({"time": times, "stock": values}),
    )
    fact = result.stocks[0]
    assert fact.build is not None
    assert fact.build.change == pytest.approx(values[-1] - values[-2])
    assert fact.build.surprise == pytest.approx(fact.build.change - fact.build.expected)
    assert fact.build.surprise_z > 10
    assert fact.anomalies[-1].date == times[-1]
    assert fact.anomalies[-1].z_score == pytest.approx(fact.build.surprise_z)
    assert fact.storage_use_pct == pytest.approx(values[-1] / 5_000)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_capacity_is_positive(capacity):
    with pytest.raises(ValueError, match=r"capacity\.tank"):
        StocksInput(capacity={"tank": capacity})


def test_the_horizon_has_a_limit():
    with pytest.raises(ValueError, match="26"):
        DemandInput(horizon=27)


def independent(rows, name, steps, last):
    """Errors of both plain forecasts over the last rows, reckoned without the product."""
    dates = np.array([row["date"] for row in rows], dtype="datetime64[D]")
    week = ((dates - dates[0]).astype(int) // 7).astype(int)
    values = np.full(week[-1] + 1, np.nan)
    for at, row in zip(week, rows, strict=True):
        if row[name]:
            values[at] = float(row[name])
    naive, average = [], []
    for origin in range(len(values) - steps - last, len(values) - steps):
        came = values[origin + steps] - values[origin]
        past = []
        years = 1
        while (at := origin - round(years * 365.25 / 7)) >= 0:
            if np.isfinite(values[at]) and np.isfinite(values[at + steps]):
                past.append(values[at + steps] - values[at])
            years += 1
        naive.append(abs(came))
        average.append(abs(came - np.mean(past)))
    return np.mean(naive), np.mean(average)


@pytest.mark.parametrize("file", FILES)
def test_published_stocks_are_forecast_better_than_by_both_plain_rules(
    file, published_stocks, rows_of
):
    loaded = published_stocks(file, NAMES)
    rows = rows_of(file)
    over_last, over_season = [], []
    for item in loaded.asked:
        score = outlook(item, loaded.all, STEPS).score
        assert score.model == "combination"
        assert score.origins == 104
        for step in score.horizons:
            last, season = independent(rows, item.name, step.steps, 104)
            assert step.mae_last_value == pytest.approx(last)
            assert step.mae_season_average == pytest.approx(season)
            over_last.append(step.mae / last)
            over_season.append(step.mae / season)
    assert np.mean(over_last) < 0.9
    assert np.mean(over_season) < 0.98


def test_a_file_cut_at_a_date_gives_the_forecast_that_the_back_test_made(published_stocks):
    file = FILES[1]
    whole = published_stocks(file, ["WGTSTUS1"])
    cut = published_stocks(file, ["WGTSTUS1"], datetime(2023, 6, 17, tzinfo=UTC))
    target = whole.asked[0]
    found = track(panel(target, whole.all), STEPS, 150)
    row = int(np.flatnonzero(target.times == cut.asked[0].times[-1])[0])
    at = int(np.flatnonzero(found.origins == row)[0])
    made = outlook(cut.asked[0], cut.all, STEPS)
    expected = target.values[row] + found.forecasts["combination"][at]
    assert made.score.model == "combination"
    assert [point.mean for point in made.points] == pytest.approx(list(expected))
