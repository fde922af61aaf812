"""What is said of the market, with its evidence, and the page that shows it."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest

from orchestrator.modules.analysis import MODULE
from orchestrator.modules.analysis.demand import run as demand
from orchestrator.modules.analysis.market import run as market
from orchestrator.modules.analysis.models import DemandInput, MarketInput
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE

DAYS = 400


def prices(**changes):
    """Price tags of the simulated plant, quiet but for the last day's changes."""
    levels = {
        "PR_CRUDE": 74.0,
        "PR_NAPHTHA": 81.0,
        "PR_KEROSENE": 98.0,
        "PR_DIESEL": 102.0,
        "PR_GASOIL": 83.0,
        "PR_RESIDUE": 70.5,
    }
    rng = np.random.default_rng(1)
    found = {"time": [str(np.datetime64("2023-11-28") + i) for i in range(DAYS)]}
    for tag, level in levels.items():
        values = level + rng.normal(0, 0.3, DAYS)
        values[-1] += changes.get(tag, 0.0)
        found[tag] = values
    return found


def assessed(context_for, **changes):
    return market(MarketInput(), context_for(prices(**changes), plant=load_plant(PLANT_FILE)))


def test_a_wider_diesel_margin_points_at_the_handles_that_draw_diesel(context_for):
    result = assessed(context_for, PR_DIESEL=6.0)
    found = next(
        item
        for item in result.statements
        if item.topic == "crack" and item.text.startswith("Diesel price crack")
    )
    assert found.sure == "high"
    assert "widened" in found.text
    assert "towards diesel" in found.meaning
    assert {"TC203_SP", "TC206_SP"} <= set(re.findall(r"TC\d+_SP", found.meaning))
    assert "swing cut" in found.rule


def test_dearer_crude_is_said_first_with_its_evidence(context_for):
    result = assessed(context_for, PR_CRUDE=8.0)
    crude = next(item for item in result.statements if item.topic == "price")
    assert crude.text.startswith("Crude price rose")
    assert "dearer" in crude.meaning
    data = prices(PR_CRUDE=8.0)
    assert [(item.series, item.date) for item in crude.evidence] == [
        ("PR_CRUDE", data["time"][-6]),
        ("PR_CRUDE", data["time"][-1]),
    ]
    assert [item.value for item in crude.evidence] == pytest.approx(
        [data["PR_CRUDE"][-6], data["PR_CRUDE"][-1]]
    )


def test_the_dearer_of_diesel_and_gasoline_gets_the_swing_material(context_for):
    rng = np.random.default_rng(3)
    data = {
        "time": prices()["time"],
        "wti_usd_bbl": 70 + rng.normal(0, 0.5, DAYS),
        "gasoline_usd_bbl": 90 + rng.normal(0, 0.5, DAYS),
        "diesel_usd_bbl": 96 + rng.normal(0, 0.5, DAYS),
    }
    for last, product in ((104.0, "diesel"), (80.0, "gasoline")):
        data["diesel_usd_bbl"][-1] = last
        result = market(MarketInput(), context_for(data))
        found = next(item for item in result.statements if "over crude than" in item.text)
        assert f"belongs to {product}" in found.meaning
        assert found.sure == "high"
        apart = [item.value for item in found.evidence]
        assert apart[0] - apart[1] == pytest.approx(last - data["gasoline_usd_bbl"][-1])


def test_places_that_move_apart_give_no_advice_against_each_other(context_for):
    rng = np.random.default_rng(3)
    levels = {
        "RWTC": 70,
        "EER_EPMRU_PF4_Y35NY_DPG": 88,
        "EER_EPD2DXL0_PF4_Y35NY_DPG": 96,
        "EER_EPMRU_PF4_RGC_DPG": 87,
        "EER_EPD2DXL0_PF4_RGC_DPG": 95,
    }
    data = {"time": prices()["time"]}
    for name, level in levels.items():
        values = level + rng.normal(0, 0.3, DAYS)
        values[-1] += 6.0 if "Y35NY" in name else -6.0 if "RGC" in name else 0.0
        data[name] = values / (1 if name == "RWTC" else 42)
    for region, words in ((None, "more"), ("gulf_coast", "less")):
        result = market(MarketInput(region=region), context_for(data))
        cracks = [item for item in result.statements if item.topic == "crack"]
        assert len(cracks) > 6
        meant = [item.meaning for item in cracks if item.meaning]
        assert [m for m in meant if "barrel of charge" in m] == [
            f"A further barrel of charge earns {words} than before."
        ]
        # What to draw is told once, by what is dearer now and not by what moved.
        (swing,) = (m for m in meant if "wing material" in m)
        assert "belongs to diesel" in swing
        place = "Gulf Coast" if region else "New York Harbor"
        assert next(i for i in cracks if i.meaning == swing).text.startswith(place)


def test_a_change_not_worth_saying_has_no_meaning(context_for):
    data = prices()
    for tag in data.keys() - {"time"}:
        data[tag][-1] = data[tag][-6] + (0.02 if tag != "PR_CRUDE" else 0.0)
    result = market(MarketInput(), context_for(data, plant=load_plant(PLANT_FILE)))
    (first,) = (item for item in result.statements if item.topic == "crack")
    assert "widened by 0.02 USD/bbl" in first.text
    assert first.meaning is None


def test_every_statement_has_evidence_and_a_meaning_only_by_a_rule(context_for):
    result = assessed(context_for, PR_CRUDE=-8.0, PR_KEROSENE=5.0)
    assert {"price", "crack", "crude"} <= {item.topic for item in result.statements}
    for item in result.statements:
        assert item.evidence
        assert (item.meaning is None) == (item.rule is None)


def test_a_quiet_market_makes_no_alarm(context_for):
    assert all(item.sure != "high" for item in assessed(context_for).statements)


def test_every_operation_makes_its_page_without_an_outside_file(context_for):
    data = prices()
    week = np.arange(DAYS)
    data["gasoline_stock"] = 230_000 + 5_000 * np.sin(week / 9)
    data["gasoline_demand"] = 9_000 + 200 * np.sin(week / 9)
    for operation in MODULE.operations:
        if "report" not in operation.input_model.model_fields:
            continue  # what only fetches data has nothing to show
        parameters = operation.input_model.model_validate({"report": True})
        result = operation.load_handler()(
            parameters, context_for(data, plant=load_plant(PLANT_FILE))
        )
        page = result.report
        assert page.startswith("<!doctype html>")
        own = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
        assert not re.search(r'(?:src|href)="(?!#)', own)
        assert "<script src" not in page
        assert "Notes" in page or not result.warnings


def test_the_page_as_markdown_has_the_same_tables_and_its_charts_inside(context_for):
    context = context_for(prices(PR_DIESEL=6.0), plant=load_plant(PLANT_FILE))
    text = market(MarketInput(report="markdown"), context).report
    assert text.startswith("# The oil market, as of 2024-12-31")
    assert "## What changed, and what it means" in text
    assert "data:image/svg+xml;base64," in text
    assert "| low" not in text.split("## Prices")[0].splitlines()[0]


def test_no_page_is_made_unasked(context_for):
    assert assessed(context_for).report is None


def test_demand_has_its_season_and_its_year(context_for):
    week = np.arange(420)
    values = 9_000 + 600 * np.sin(2 * np.pi * week / 52.18)
    values = values * np.where(week >= 368, 1.1, 1.0) + np.random.default_rng(1).normal(0, 60, 420)
    data = {
        "time": [str(np.datetime64("2016-01-01") + 7 * int(i)) for i in week],
        "gasoline_demand": values,
        "jet_demand": 1_500 + np.random.default_rng(2).normal(0, 60, 420),
    }
    result = demand(DemandInput(horizon=3), context_for(data))
    found = {item.name: item for item in result.demand}
    gasoline = found["gasoline_demand"]
    assert gasoline.four_week_mean == pytest.approx(values[-4:].mean())
    before = values[-56:-52].mean()
    assert gasoline.year_change_pct == pytest.approx(100 * (values[-4:].mean() / before - 1))
    assert gasoline.season_strength > 0.7
    assert found["jet_demand"].season_strength < 0.1
    assert len(result.forecasts) == 6
    assert result.models["gasoline_demand"].coverage is not None


def test_the_published_market_is_assessed_whole(shared):
    folder = shared / "data" / "market"
    files = [str(folder / name) for name in ("spot_prices_daily.csv.gz", "weekly_petroleum.csv.gz")]
    context = OperationContext(
        now=datetime(2025, 1, 8, tzinfo=UTC), plant=Plant(), settings={"market_files": files}
    )
    result = market(MarketInput(report=True), context)
    assert result.price_deck.base.prices["RWTC"] == pytest.approx(72.44)
    assert {item.target for item in result.forecasts} == {"WCESTUS1", "WGTSTUS1", "WDISTUS1"}
    districts = {item.region for item in result.stocks}
    assert {"U.S.", "PADD 1, East Coast", "PADD 5, West Coast", "Cushing"} <= districts
    assert "2020-04-20" in result.report
    assert all(item.evidence for item in result.statements)
    assert not [text for text in result.warnings if "no unit" in text]
