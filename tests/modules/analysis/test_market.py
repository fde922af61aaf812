import csv
import gzip
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from orchestrator.errors import (
    ConfigurationError,
    DataError,
    InsufficientDataError,
    ParameterError,
    UnknownTagError,
)
from orchestrator.modules.analysis import MODULE
from orchestrator.modules.analysis.cracks import run as cracks
from orchestrator.modules.analysis.demand import run as demand
from orchestrator.modules.analysis.market import run as market
from orchestrator.modules.analysis.models import MarketInput, SeriesRole, StocksInput
from orchestrator.modules.analysis.prices import run as prices
from orchestrator.modules.analysis.stocks import run as stocks
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE

NOW = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 120


def days(count=DAYS, end=NOW):
    return [end - timedelta(days=count - i) for i in range(count)]


def walk(level, seed, count=DAYS):
    return level + np.cumsum(np.random.default_rng(seed).normal(0, 0.01 * level, count))


def columns():
    return {
        "time": days(),
        "wti": np.full(DAYS, 70.0),
        "gasoline_usd_gal": np.full(DAYS, 2.0),
        "diesel_usd_gal": np.full(DAYS, 2.5),
        "gasoline_stock": walk(230_000, 1),
    }


def test_every_operation_has_its_handler():
    for operation in MODULE.operations:
        assert callable(operation.load_handler())


def test_products_by_the_gallon_and_crude_by_the_barrel_make_crack_spreads(context_for):
    data = columns()
    units = {"wti": SeriesRole(product="crude", unit="USD/bbl")}
    result = cracks(MarketInput(series=units), context_for(data))
    found = {item.name: item for item in result.cracks}
    assert found["3-2-1"].last == pytest.approx((2 * 84 + 105 - 3 * 70) / 3)
    assert found["gasoline_usd_gal crack"].last == pytest.approx(84 - 70)
    assert found["diesel_usd_gal crack"].last == pytest.approx(105 - 70)
    assert "wti" in found["3-2-1"].formula


def test_without_a_unit_no_crack_spread_is_guessed(context_for):
    result = cracks(MarketInput(), context_for(columns()))
    assert result.cracks == ()
    assert any("wti has no unit" in text for text in result.warnings)


def test_the_change_of_a_spread_is_relative_to_its_usual_size(context_for):
    data = columns()
    data["gasoline_usd_gal"] = np.r_[np.full(DAYS - 3, 1.5), np.full(3, 1.7)]
    data["wti"] = np.full(DAYS, 70.0)
    given = {"wti": SeriesRole(product="crude", unit="USD/bbl")}
    result = cracks(MarketInput(series=given), context_for(data))
    spread = next(item for item in result.cracks if item.name == "gasoline_usd_gal crack")
    levels = np.abs(42 * data["gasoline_usd_gal"] - 70)
    assert spread.change_5_pct == pytest.approx(100 * 42 * 0.2 / levels[-60:].mean())


def test_spreads_use_only_dates_that_all_their_series_have(context_for):
    data = columns()
    data["gasoline_usd_gal"] = np.where(np.arange(DAYS) < DAYS - 4, 2.0, np.nan)
    given = {"wti": SeriesRole(product="crude", unit="USD/bbl")}
    result = cracks(MarketInput(series=given), context_for(data))
    spread = next(item for item in result.cracks if item.name == "3-2-1")
    assert spread.time.startswith(f"{days()[DAYS - 5]:%Y-%m-%d}")


def test_values_after_now_are_not_known_yet(context_for):
    data = columns()
    data["wti"] = np.r_[np.full(DAYS - 5, 70.0), np.full(5, 99.0)]
    context = context_for(data, now=days()[-6])
    assert prices(MarketInput(tags=("wti",)), context).prices[0].last == 70.0


def test_samples_within_a_day_become_its_mean(context_for):
    minutes = [NOW - timedelta(hours=6 * (40 - i)) for i in range(40)]
    plant = Plant.model_validate(
        {"tags": [{"name": "PR1", "kind": "price", "unit": "USD/bbl", "description": "crude"}]}
    )
    context = context_for({"time": minutes, "PR1": np.arange(40.0)}, plant=plant)
    fact = prices(MarketInput(), context).prices[0]
    assert fact.product == "crude"
    assert fact.period == "day"
    assert fact.last == pytest.approx(37.5)
    assert fact.changes[0].absolute == pytest.approx(4)


def test_process_tags_of_the_plant_are_no_market_series(context_for):
    plant = Plant.model_validate({"tags": [{"name": "diesel", "kind": "flow"}]})
    context = context_for({"time": days(), "diesel": np.ones(DAYS)}, plant=plant)
    with pytest.raises(InsufficientDataError, match="diesel"):
        market(MarketInput(), context)


def test_price_tags_of_the_simulated_plant_are_understood(context_for):
    plant = load_plant(PLANT_FILE)
    base = {"PR_CRUDE": 74.0, "PR_NAPHTHA": 81.0, "PR_KEROSENE": 98.0, "PR_DIESEL": 102.0}
    data = {"time": days(), **{tag: walk(level, 5) for tag, level in base.items()}}
    result = market(MarketInput(), context_for(data, plant=plant))
    assert {item.product for item in result.prices} == {"crude", "naphtha", "jet", "diesel"}
    assert len(result.cracks) == 3
    assert result.largest_moves
    assert "Crude price" in result.summary


def test_stocks_and_demand_alone_make_an_assessment(context_for):
    weeks = [NOW - timedelta(weeks=300 - i) for i in range(300)]
    data = {
        "time": weeks,
        "WCESTUS1": walk(430_000, 1, 300),
        "WGTSTUS1": walk(230_000, 2, 300),
        "WGFUPUS2": walk(9_000, 3, 300),
    }
    result = market(MarketInput(), context_for(data))
    assert result.prices == ()
    assert {item.name for item in result.stocks} == {"WCESTUS1", "WGTSTUS1"}
    assert [item.name for item in result.demand] == ["WGFUPUS2"]
    assert result.largest_moves
    assert f"largest moves from {weeks[0]:%Y-%m-%d} to {weeks[-1]:%Y-%m-%d}" in result.summary


def test_one_product_is_asked_for_and_its_crude_comes_along(context_for):
    data = columns()
    given = {"wti": SeriesRole(product="crude", unit="USD/bbl")}
    result = market(MarketInput(series=given, product="diesel"), context_for(data))
    assert {item.product for item in result.prices} == {"crude", "diesel"}
    assert [item.name for item in result.cracks] == ["diesel_usd_gal crack"]


def test_stock_over_demand_is_days_of_supply(context_for):
    data = {
        "time": days(),
        "gasoline_stocks": np.full(DAYS, 230_000.0),
        "gasoline_demand": np.full(DAYS, 9_200.0),
    }
    given = {
        "gasoline_stocks": SeriesRole(role="stock", product="gasoline", unit="kbbl"),
        "gasoline_demand": SeriesRole(role="demand", product="gasoline", unit="kbbl/d"),
    }
    result = stocks(MarketInput(series=given), context_for(data))
    assert result.stocks[0].days_of_supply == pytest.approx(25)
    assert result.stocks[0].seasonal is None


def test_what_is_asked_for_and_not_there_is_refused(context_for):
    context = context_for(columns())
    given = {"gasoline_stock": SeriesRole(role="stock", product="gasoline")}
    with pytest.raises(UnknownTagError, match="capacity names 'tank', which is no stock"):
        stocks(MarketInput(series=given, capacity={"tank": 1.0}), context)
    with pytest.raises(UnknownTagError, match="price_names names 'gasoline_stock'"):
        market(MarketInput(price_names={"gasoline_stock": "PR_GASOLINE"}), context)
    known = MarketInput(as_known_at=NOW)
    with pytest.raises(ParameterError, match="data were given"):
        prices(known, context_for(columns(), data_given=True))
    assert prices(known, context).prices


def test_a_tag_by_which_no_series_goes_is_named(context_for):
    result = prices(MarketInput(tags=("wti", "TI101")), context_for(columns()))
    assert [item.name for item in result.prices] == ["wti"]
    assert "no market series goes by TI101" in result.warnings


def test_listed_series_of_another_kind_are_named(context_for):
    weeks = [NOW - timedelta(weeks=200 - i) for i in range(200)]
    data = {name: walk(9_000, seed, 200) for seed, name in enumerate(("WGFUPUS2", "WCESTUS1"))}
    data = {"time": weeks, "RWTC": walk(70, 5, 200), **data}
    listed = MarketInput(series=("WGFUPUS2", "WCESTUS1", "RWTC"))
    found = demand(listed, context_for(data))
    assert {point.target for point in found.forecasts} == {"WGFUPUS2"}
    assert found.not_forecast.keys() == {"WCESTUS1", "RWTC"}
    assert "analysis.stocks" in found.not_forecast["WCESTUS1"]
    assert stocks(listed, context_for(data)).not_forecast.keys() == {"WGFUPUS2", "RWTC"}
    assert any("WCESTUS1 is a stock" in text for text in prices(listed, context_for(data)).warnings)


def test_all_stocks_that_a_mapping_names_are_forecast(context_for):
    weeks = [NOW - timedelta(weeks=200 - i) for i in range(200)]
    names = [f"tank_{i}" for i in range(8)]
    data = {"time": weeks, **{name: walk(9_000, i, 200) for i, name in enumerate(names)}}
    given = {name: SeriesRole(role="stock", product="crude") for name in names}
    result = stocks(StocksInput(series=given, horizon=1), context_for(data))
    assert {point.target for point in result.forecasts} == set(names)


def test_old_data_is_said_to_be_old(context_for):
    context = context_for(columns(), now=NOW + timedelta(days=90))
    assert any("91 days old" in text for text in prices(MarketInput(), context).warnings)


def test_without_any_data_it_says_where_data_could_come_from():
    context = OperationContext(now=NOW, plant=Plant())
    with pytest.raises(InsufficientDataError, match="market_files"):
        market(MarketInput(), context)


def test_files_of_the_configuration_are_read(tmp_path):
    path = tmp_path / "prices.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "RWTC", "note"])
        writer.writerows((f"{day:%Y-%m-%d}", 70 + i, "x") for i, day in enumerate(days()))
    context = OperationContext(now=NOW, plant=Plant(), settings={"market_files": [str(path)]})
    fact = prices(MarketInput(), context).prices[0]
    assert (fact.name, fact.unit, fact.last) == ("RWTC", "USD/bbl", 70 + DAYS - 1)


def test_a_market_file_that_cannot_be_used_is_named(tmp_path):
    def reading(path):
        settings = {"market_files": [str(path)]}
        return market(MarketInput(), OperationContext(now=NOW, plant=Plant(), settings=settings))

    with pytest.raises(ConfigurationError, match=r"absent\.csv"):
        reading(tmp_path / "absent.csv")
    undated = tmp_path / "undated.csv"
    undated.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"undated\.csv"):
        reading(undated)


@pytest.fixture
def published(shared):
    folder = shared / "data" / "market"
    files = [str(folder / name) for name in ("spot_prices_daily.csv.gz", "weekly_petroleum.csv.gz")]
    return OperationContext(
        now=datetime(2025, 1, 8, tzinfo=UTC), plant=Plant(), settings={"market_files": files}
    )


def rows_of(shared, name):
    with gzip.open(shared / "data" / "market" / name, "rt") as file:
        return list(csv.DictReader(file))


def test_published_prices_and_spreads_are_those_of_the_file(published, shared):
    result = market(MarketInput(), published)
    rows = [
        {k: float(v) for k, v in row.items() if k != "date" and v}
        for row in rows_of(shared, "spot_prices_daily.csv.gz")
    ]
    gasoline, diesel = "EER_EPMRU_PF4_Y35NY_DPG", "EER_EPD2DXL0_PF4_Y35NY_DPG"
    spreads = [
        (2 * 42 * row[gasoline] + 42 * row[diesel] - 3 * row["RWTC"]) / 3
        for row in rows
        if {"RWTC", gasoline, diesel} <= row.keys()
    ]
    found = {item.name: item for item in result.cracks}["3-2-1"]
    assert found.last == pytest.approx(spreads[-1])
    assert 5 < found.last < 40
    scale = np.mean(np.abs(spreads[-60:]))
    assert found.change_5_pct == pytest.approx(100 * (spreads[-1] - spreads[-6]) / scale)
    brent = next(item for item in result.prices if item.name == "RBRTE")
    assert brent.last == rows[-1]["RBRTE"]
    assert brent.volatility_20_pct is not None
    assert 5 < brent.volatility_20_pct < 80
    assert len(result.recent_moves) == 10


def test_published_stocks_are_placed_in_their_season(published, shared):
    result = stocks(MarketInput(), published)
    crude = next(item for item in result.stocks if item.name == "WCESTUS1")
    last = datetime.fromisoformat(rows_of(shared, "weekly_petroleum.csv.gz")[-1]["date"])
    past = []
    for row in rows_of(shared, "weekly_petroleum.csv.gz"):
        date = datetime.fromisoformat(row["date"])
        for back in range(1, 6):
            apart = abs((last - date).days - back * 365.25)
            if apart <= 10 and row["WCESTUS1"]:
                past.append(float(row["WCESTUS1"]))
    assert crude.seasonal is not None
    assert (crude.seasonal.low, crude.seasonal.high) == (min(past), max(past))
    assert crude.seasonal.z_score == pytest.approx(
        (crude.last - np.mean(past)) / np.std(past, ddof=1)
    )
    gasoline = next(item for item in result.stocks if item.name == "WGTSTUS1")
    rows = rows_of(shared, "weekly_petroleum.csv.gz")
    for fact, flow in ((gasoline, "WGFUPUS2"), (crude, "WCRRIUS2")):
        taken = np.mean([float(row[flow]) for row in rows[-4:]])
        assert fact.days_of_supply == pytest.approx(float(rows[-1][fact.name]) / taken)


def test_published_demand_is_compared_with_a_year_before(published):
    result = demand(MarketInput(product="gasoline"), published)
    gasoline = next(item for item in result.demand if item.name == "WGFUPUS2")
    assert 7000 < gasoline.four_week_mean < 10_000
    assert abs(gasoline.year_change_pct) < 10


def test_the_negative_crude_price_of_2020_breaks_nothing(published):
    context = OperationContext(
        now=datetime(2020, 4, 25, tzinfo=UTC), plant=Plant(), settings=published.settings
    )
    crude = next(item for item in market(MarketInput(), context).prices if item.name == "RWTC")
    assert crude.year_low < 0
    assert crude.volatility_20_pct is None


def test_inline_tables_with_text_dates_are_read(context_for):
    table = pa.table(
        {"time": [f"2024-0{m}-01" for m in range(1, 10)], "brent": [80.0 + m for m in range(9)]}
    )
    fact = prices(MarketInput(), context_for(table)).prices[0]
    assert (fact.period, fact.last) == ("month", 88.0)
