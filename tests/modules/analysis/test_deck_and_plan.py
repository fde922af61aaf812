"""The price deck, and that the plan takes it as it is."""

import numpy as np
import pytest

from orchestrator.errors import ParameterError
from orchestrator.modules.analysis.cracks import run as cracks
from orchestrator.modules.analysis.deck import correlation, price_deck
from orchestrator.modules.analysis.market import run as market
from orchestrator.modules.analysis.models import CracksInput, MarketInput
from orchestrator.modules.analysis.volatility import spread
from orchestrator.modules.optimization.plan import run as plan
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.price_deck import PriceDeck
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE

USUAL = {
    "PR_CRUDE": 74.0,
    "PR_NAPHTHA": 81.0,
    "PR_KEROSENE": 98.0,
    "PR_DIESEL": 102.0,
    "PR_GASOIL": 83.0,
    "PR_RESIDUE": 70.5,
}
ROWS = 420


def plant_prices():
    rng = np.random.default_rng(4)
    crude = 74 * np.exp(np.cumsum(rng.normal(0, 0.012, ROWS)))
    found = {"time": [str(np.datetime64("2023-11-01") + i) for i in range(ROWS)]}
    for tag, level in USUAL.items():
        own = np.cumsum(rng.normal(0, 0.15, ROWS))
        found[tag] = crude + (level - 74 + own if tag != "PR_CRUDE" else 0)
    return found


def price(series_of, values, **stated):
    return series_of(values, 1, role="price", region=None, unit="USD/bbl", **stated)


def test_the_deck_has_the_ten_fifty_and_ninety_percent_points(series_of):
    rng = np.random.default_rng(1)
    crude = 70 * np.exp(np.cumsum(rng.normal(0, 0.02, 700)))
    diesel = crude * 1.3 * np.exp(rng.normal(0, 0.01, 700))
    made = [
        price(series_of, crude, name="oil", product="crude"),
        price(series_of, diesel, name="diesel", product="diesel"),
    ]
    deck, notes = price_deck(made, 30, {"oil": "PR_CRUDE"})
    assert notes == []
    by_name = {scenario.name: scenario for scenario in deck.scenarios}
    assert {n: s.probability for n, s in by_name.items()} == {"low": 0.3, "base": 0.4, "high": 0.3}
    assert by_name["base"].prices == {
        "PR_CRUDE": pytest.approx(crude[-1], abs=1e-3),
        "diesel": pytest.approx(diesel[-1], abs=1e-3),
    }
    # 30 calendar days of daily values: a normal walk of 30 steps.
    deviation = spread(crude, 365.25, 30).horizon_deviation(30)
    assert deviation == pytest.approx(0.02 * np.sqrt(30), rel=0.15)
    high = by_name["high"].prices
    assert high["PR_CRUDE"] / crude[-1] == pytest.approx(np.exp(1.28155 * deviation), rel=1e-4)
    own = spread(diesel, 365.25, 30).horizon_deviation(30)
    together = correlation(made[1], made[0])
    assert 0.7 < together < 0.95
    assert high["diesel"] / diesel[-1] == pytest.approx(np.exp(together * 1.28155 * own), rel=1e-4)


def test_products_by_the_gallon_are_in_the_deck_by_the_barrel(series_of):
    values = 2.0 + 0.1 * np.sin(np.arange(300))
    made = price(series_of, values, name="gasoline_usd_gal", product="gasoline")
    by_gallon = made.__class__(
        **{**{f: getattr(made, f) for f in made.__slots__}, "unit": "USD/gal"}
    )
    deck, _ = price_deck([by_gallon], 30, {})
    assert deck.base.prices["gasoline_usd_gal"] == pytest.approx(42 * values[-1], abs=1e-3)


def test_a_price_below_zero_is_left_out_and_said(series_of):
    walk = 70 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.02, 300)))
    below = np.r_[walk[:-1], -37.0]
    made = [price(series_of, below, name="a"), price(series_of, walk, name="b", product="crude")]
    deck, notes = price_deck(made, 30, {})
    assert list(deck.base.prices) == ["b"]
    assert "not positive" in notes[0]


def test_two_prices_cannot_go_by_one_name(series_of):
    walk = 70 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.02, 300)))
    made = [price(series_of, walk, name="a", product="crude"), price(series_of, walk, name="b")]
    with pytest.raises(ParameterError, match="a and b both go by the name PR"):
        price_deck(made, 30, {"a": "PR", "b": "PR"})
    with pytest.raises(ParameterError, match="a and b both go by the name b"):
        price_deck(made, 30, {"a": "b"})


def test_a_deck_must_be_whole():
    base = {"name": "base", "probability": 0.5, "prices": {"x": 1.0}}
    with pytest.raises(ValueError, match=r"0\.5, not 1"):
        PriceDeck.model_validate({"scenarios": [base]})
    high = {"name": "high", "probability": 0.5, "prices": {"y": 1.0}}
    with pytest.raises(ValueError, match="scenario base has no price of y, which others have"):
        PriceDeck.model_validate({"scenarios": [base, high]})
    with pytest.raises(ValueError, match="one of them base"):
        PriceDeck.model_validate({"scenarios": [{**base, "name": "low", "probability": 1.0}]})


def test_the_plan_takes_the_deck_as_the_market_gives_it(context_for):
    plant = load_plant(PLANT_FILE)
    data = plant_prices()
    found = market(MarketInput(), context_for(data, plant=plant))
    given = found.model_dump(mode="json")["price_deck"]
    assert set(given["scenarios"][0]["prices"]) == set(USUAL)
    result = plan(PlanInput.model_validate({"deck": given}), context_for(data, plant=plant))
    assert result.status == "optimal"
    by_name = {item.scenario: item for item in result.scenarios}
    assert set(by_name) == {"low", "base", "high"}
    assert by_name["base"].objective == pytest.approx(result.objective)
    assert by_name["base"].of_base_plan == pytest.approx(result.objective)
    for item in by_name.values():
        # The plan made by these prices is at least as good at them as the base plan.
        assert item.objective >= item.of_base_plan - 1e-6
    assert result.expected_objective == pytest.approx(
        0.3 * by_name["low"].objective
        + 0.4 * by_name["base"].objective
        + 0.3 * by_name["high"].objective
    )
    # The base scenario is the last prices: the plan without a deck at these prices is the same.
    last = {tag: [given["scenarios"][1]["prices"][tag]] * 2 for tag in USUAL}
    plain = plan(
        PlanInput(),
        context_for({"time": ["2024-12-31T00:00:00", "2024-12-31T00:01:00"], **last}, plant=plant),
    )
    assert plain.objective == pytest.approx(result.objective)


SMALL = {
    "crudes": {"light": {"price": 78.0, "max": 100}},
    "units": {"cdu": {"feeds": {"light": {"yields": {"diesel": 0.9}}}}},
    "products": {"diesel": {"price": 95.0}},
}


def scenarios(**prices):
    return {
        "scenarios": [
            {"name": "low", "probability": 0.3, "prices": {k: v[0] for k, v in prices.items()}},
            {"name": "base", "probability": 0.4, "prices": {k: v[1] for k, v in prices.items()}},
            {"name": "high", "probability": 0.3, "prices": {k: v[2] for k, v in prices.items()}},
        ]
    }


def test_a_deck_can_price_crudes_and_products_by_their_names(context_for):
    context = context_for({"time": ["2024-12-31"], "x": [1.0]})
    deck = scenarios(light=(90, 80, 70), diesel=(95, 100, 105))
    result = plan(PlanInput.model_validate({"model": SMALL, "deck": deck}), context)
    found = {item.scenario: item for item in result.scenarios}
    assert result.objective == pytest.approx(100 * (0.9 * 100 - 80))
    assert found["high"].objective == pytest.approx(100 * (0.9 * 105 - 70))
    # At the low prices nothing is worth running; the base plan would lose.
    assert found["low"].objective == pytest.approx(0)
    assert found["low"].of_base_plan == pytest.approx(100 * (0.9 * 95 - 90))
    assert result.warnings == ()


def test_what_a_deck_does_not_price_is_said(context_for):
    context = context_for({"time": ["2024-12-31"], "x": [1.0]})
    deck = scenarios(diesel=(90, 100, 110), unknown=(1, 1, 1))
    result = plan(PlanInput.model_validate({"model": SMALL, "deck": deck}), context)
    assert "crude light" in result.warnings[0]
    with pytest.raises(ParameterError, match="price_names"):
        plan(
            PlanInput.model_validate({"model": SMALL, "deck": scenarios(RWTC=(60, 70, 80))}),
            context,
        )


GALLON = "EER_EPMRU_PF4_Y35NY_DPG"
BY_GALLON = {
    "crudes": {"light": {"price": "RWTC", "max": 100}},
    "units": {"cdu": {"feeds": {"light": {"yields": {"gasoline": 0.9}}}}},
    "products": {"gasoline": {"price": f"42 * {GALLON}"}},
}


def by_gallon_prices():
    rng = np.random.default_rng(6)
    crude = 70 * np.exp(np.cumsum(rng.normal(0, 0.01, 300)))
    return {
        "time": [str(np.datetime64("2024-03-01") + i) for i in range(300)],
        "RWTC": crude,
        GALLON: crude * 1.25 / 42,
    }


def test_a_plan_reads_a_price_by_the_gallon_from_the_deck_as_from_the_data(context_for):
    data = by_gallon_prices()
    deck = market(MarketInput(), context_for(data)).price_deck
    assert deck.units == {"RWTC": "USD/bbl", GALLON: "USD/gal"}
    given = {"model": BY_GALLON, "deck": deck.model_dump(mode="json")}
    result = plan(PlanInput.model_validate(given), context_for(data))
    worth = 100 * (0.9 * 1.25 - 1) * data["RWTC"][-1]
    assert result.objective == pytest.approx(worth, rel=1e-3)
    last = {"time": ["2024-12-31T00:00:00", "2024-12-31T00:01:00"]}
    last |= {name: [values[-1]] * 2 for name, values in data.items() if name != "time"}
    plain = plan(PlanInput.model_validate({"model": BY_GALLON}), context_for(last))
    assert plain.objective == pytest.approx(worth)
    # The name of a product is its price in the deck's own unit.
    named = market(MarketInput(price_names={GALLON: "gasoline"}), context_for(data)).price_deck
    result = plan(PlanInput.model_validate({"model": BY_GALLON, "deck": named}), context_for(data))
    assert result.objective == pytest.approx(worth, rel=1e-3)


def test_a_tag_of_the_plant_is_read_in_its_own_unit_or_refused(context_for):
    def at(unit):
        plant = Plant.model_validate({"tags": [{"name": "PR", "kind": "price", "unit": unit}]})
        return context_for({"time": ["2024-12-31"], "x": [1.0]}, plant=plant)

    deck = scenarios(PR=(75.6, 84, 92.4), light=(70, 70, 70))
    model = {**BY_GALLON, "products": {"gasoline": {"price": "42 * PR"}}}
    result = plan(PlanInput.model_validate({"model": model, "deck": deck}), at("USD/gal"))
    assert result.objective == pytest.approx(100 * (0.9 * 84 - 70))
    with pytest.raises(ParameterError, match=r"PR in USD/bbl, .* reads it in USD/t"):
        plan(PlanInput.model_validate({"model": model, "deck": deck}), at("USD/t"))


def test_a_netback_reads_a_formula_in_the_units_of_its_series(context_for):
    model = {
        **BY_GALLON,
        "crudes": {"light": {"price": f"0.9 * 42 * {GALLON} - 1"}},
    }
    data = by_gallon_prices()
    context = context_for(data, settings={"plan_model": model})
    (found,) = cracks(CracksInput(), context).netbacks
    assert found.price == pytest.approx(0.9 * 42 * data[GALLON][-1] - 1)
    assert found.margin == pytest.approx(1)
    grades = {"by the gallon": {"price": GALLON, "yields": {"gasoline": 1.0}}}
    (found,) = cracks(CracksInput.model_validate({"grades": grades}), context).netbacks
    assert found.margin == pytest.approx(0)
