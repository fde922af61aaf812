"""Crack spreads to the cent, and what crudes are worth."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from orchestrator.errors import InsufficientDataError, ParameterError, UnknownTagError
from orchestrator.modules.analysis.cracks import run as cracks
from orchestrator.modules.analysis.models import CracksInput, Grade, SeriesRole
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE

WTI, GASOLINE, DIESEL = "RWTC", "EER_EPMRU_PF4_Y35NY_DPG", "EER_EPD2DXL0_PF4_Y35NY_DPG"
GULF_GASOLINE, GULF_DIESEL = "EER_EPMRU_PF4_RGC_DPG", "EER_EPD2DXL0_PF4_RGC_DPG"
ROWS = 40


def columns():
    n = np.arange(ROWS)
    return {
        "time": [str(np.datetime64("2024-03-01") + int(i)) for i in n],
        WTI: 70 + 0.1 * n,
        GASOLINE: 2.0 + 0.01 * n,
        DIESEL: 2.5 - 0.01 * n,
        GULF_GASOLINE: 1.9 + 0.01 * n,
        GULF_DIESEL: 2.4 + 0.0 * n,
    }


def named(result):
    return {item.name: item for item in result.cracks}


@pytest.fixture
def published(shared):
    files = [str(shared / "data" / "market" / "spot_prices_daily.csv.gz")]
    return OperationContext(
        now=datetime(2025, 1, 8, tzinfo=UTC), plant=Plant(), settings={"market_files": files}
    )


@pytest.mark.parametrize(
    ("name", "gasoline", "diesel"), [("3-2-1", 2, 1), ("5-3-2", 3, 2), ("2-1-1", 1, 1)]
)
def test_published_spreads_are_those_reckoned_by_hand_to_the_cent(
    published, rows_of, name, gasoline, diesel
):
    asked = ("2008-07-03", "2012-10-01", "2020-04-20", "2022-06-09", "2024-12-31")
    result = cracks(
        CracksInput(dates=tuple(date.fromisoformat(day) for day in asked), values=0), published
    )
    rows = {row["date"]: row for row in rows_of("spot_prices_daily.csv.gz")}
    found = {value.date: value.value for value in named(result)[name].values}
    assert list(found) == list(asked)
    for day in asked:
        row = rows[day]
        by_hand = (
            gasoline * 42 * float(row[GASOLINE])
            + diesel * 42 * float(row[DIESEL])
            - (gasoline + diesel) * float(row[WTI])
        ) / (gasoline + diesel)
        assert round(found[day], 2) == round(by_hand, 2)


def test_a_spread_names_its_legs_its_formula_and_its_gallons(context_for):
    found = named(cracks(CracksInput(), context_for(columns())))["3-2-1"]
    assert found.place == "New York Harbor"
    assert found.formula == (
        "2/3 × 42 gal/bbl × New York Harbor gasoline + 1/3 × 42 gal/bbl × New York Harbor diesel "
        "− WTI Cushing"
    )
    assert found.crude == WTI
    assert {leg.series: leg.barrels for leg in found.legs} == {
        GASOLINE: pytest.approx(2 / 3),
        DIESEL: pytest.approx(1 / 3),
    }
    assert [leg.usd_per_barrel_for_one for leg in found.legs] == pytest.approx([42.0, 42.0])
    values = {item.series: item.value for item in found.evidence}
    assert found.last == pytest.approx(
        (84 * values[GASOLINE] + 42 * values[DIESEL]) / 3 - values[WTI]
    )
    assert len(found.values) == 20


def test_every_place_has_every_set_and_the_asked_one_has_the_plain_names(context_for):
    result = cracks(CracksInput(region="gulf_coast"), context_for(columns()))
    found = named(result)
    assert found["3-2-1"].place == "Gulf Coast"
    sets = {(item.kind, item.place) for item in result.cracks if item.kind != "simple"}
    places = ("Gulf Coast", "New York Harbor")
    assert sets == {(kind, place) for kind in ("3-2-1", "5-3-2", "2-1-1") for place in places}
    last = {name: values[-1] for name, values in columns().items()}
    assert found["5-3-2"].last == pytest.approx(
        42 * (3 * last[GULF_GASOLINE] + 2 * last[GULF_DIESEL]) / 5 - last[WTI]
    )
    with pytest.raises(ParameterError, match="New York Harbor"):
        cracks(CracksInput(region="Rotterdam"), context_for(columns()))


def test_legs_can_be_named(context_for):
    result = cracks(CracksInput(gasoline=GASOLINE, diesel=GULF_DIESEL), context_for(columns()))
    found = named(result)["3-2-1"]
    assert [leg.series for leg in found.legs] == [GASOLINE, GULF_DIESEL]
    assert found.place is None
    with pytest.raises(UnknownTagError, match="NOT_THERE"):
        cracks(CracksInput(crude="NOT_THERE"), context_for(columns()))


@pytest.mark.parametrize(
    ("leg", "column", "told"),
    [
        ("crude", GASOLINE, "is a price of gasoline, not of crude"),
        ("gasoline", DIESEL, "is a price of diesel, not of gasoline"),
        ("diesel", GASOLINE, "is a price of gasoline, not of diesel"),
    ],
)
def test_a_leg_of_another_product_is_refused(context_for, leg, column, told):
    with pytest.raises(ParameterError, match=told):
        cracks(CracksInput(**{leg: column}), context_for(columns()))


def test_a_leg_of_an_unknown_product_is_taken_as_named(context_for):
    data = columns() | {"basket": np.full(ROWS, 68.0)}
    given = {"basket": SeriesRole(unit="USD/bbl")}
    result = cracks(CracksInput(series=given, crude="basket"), context_for(data))
    assert result.cracks[0].crude == "basket"


def test_jet_and_gas_oil_can_stand_for_distillate(context_for):
    data = columns() | {"jet_usd_gal": np.full(ROWS, 2.4)}
    result = cracks(CracksInput(diesel="jet_usd_gal"), context_for(data))
    assert [leg.series for leg in result.cracks[0].legs] == [GASOLINE, "jet_usd_gal"]


def test_the_refinerys_own_yields_make_its_own_spread(context_for):
    result = cracks(CracksInput(yields={"gasoline": 0.45, "diesel": 0.35}), context_for(columns()))
    last = {name: values[-1] for name, values in columns().items()}
    assert result.cracks[0].kind == "own yields"
    assert result.cracks[0].last == pytest.approx(
        42 * (0.45 * last[GASOLINE] + 0.35 * last[DIESEL]) - last[WTI]
    )
    with pytest.raises(ParameterError, match="naphtha"):
        cracks(CracksInput(yields={"naphtha": 0.2}), context_for(columns()))
    with pytest.raises(ValueError, match=r"1\.4"):
        CracksInput(yields={"gasoline": 0.7, "diesel": 0.7})


def test_a_grade_is_valued_by_its_yields_less_cost_and_transport(context_for):
    grades = {
        "light": Grade(
            price=WTI, differential=1.5, yields={"gasoline": 0.5, "diesel": 0.3}, transport=2.0
        ),
        "heavy": Grade(price=60.0, yields={"diesel": 0.5, "residue": 0.4}, cost=0.7),
    }
    result = cracks(CracksInput(grades=grades), context_for(columns()))
    last = {name: values[-1] for name, values in columns().items()}
    found = {item.crude: item for item in result.netbacks}
    light = found["light"]
    worth = 42 * (0.5 * last[GASOLINE] + 0.3 * last[DIESEL])
    assert light.gross_worth == pytest.approx(worth)
    assert light.netback == pytest.approx(worth - 2.0)
    assert light.margin == pytest.approx(worth - 2.0 - last[WTI] - 1.5)
    assert light.margin_change_5 == pytest.approx(42 * (0.5 * 0.05 - 0.3 * 0.05) - 0.5)
    assert found["heavy"].unvalued == {"residue": 0.4}
    assert found["heavy"].netback == pytest.approx(42 * 0.5 * last[DIESEL] - 0.7)
    assert result.netbacks[0].margin == max(item.margin for item in result.netbacks)
    missing = {"x": Grade(price="GONE", yields={"diesel": 0.9})}
    with pytest.raises(UnknownTagError, match="GONE"):
        cracks(CracksInput(grades=missing), context_for(columns()))


def test_a_grade_that_cannot_be_valued_is_said(context_for):
    grades = {"A": Grade(price=70.0, yields={"naphtha": 0.5})}
    result = cracks(CracksInput(grades=grades), context_for(columns()))
    assert result.netbacks == ()
    assert "crude A is not valued: under half of what it yields has a price" in result.warnings


def test_own_yields_can_hold_propane(context_for):
    data = columns() | {"EER_EPLLPA_PF4_Y44MB_DPG": np.full(ROWS, 0.8)}
    yields = {"gasoline": 0.5, "diesel": 0.3, "propane": 0.05}
    result = cracks(CracksInput(yields=yields), context_for(data))
    last = {name: values[-1] for name, values in data.items()}
    assert result.cracks[0].last == pytest.approx(
        42 * (0.5 * last[GASOLINE] + 0.3 * last[DIESEL] + 0.05 * 0.8) - last[WTI]
    )
    assert not any("EPLLPA" in item.name for item in result.cracks)
    with pytest.raises(ParameterError, match="crude"):
        cracks(CracksInput(yields={"crude": 0.5}), context_for(data))


def test_crudes_of_the_simulated_plant_are_valued_by_its_own_plan(context_for):
    prices = {
        "PR_CRUDE": 74.0,
        "PR_NAPHTHA": 81.0,
        "PR_KEROSENE": 98.0,
        "PR_DIESEL": 102.0,
        "PR_GASOIL": 83.0,
        "PR_RESIDUE": 70.0,
    }
    data = {"time": columns()["time"], **{tag: np.full(ROWS, p) for tag, p in prices.items()}}
    result = cracks(CracksInput(), context_for(data, plant=load_plant(PLANT_FILE)))
    found = {item.crude: item for item in result.netbacks}
    assert set(found) == {"light", "medium", "heavy"}
    light = found["light"]
    worth = 0.287 * 81 + 0.131 * 98 + 0.186 * 102 + 0.063 * 83 + 0.298 * 70
    assert light.gross_worth == pytest.approx(worth)
    assert light.margin == pytest.approx(worth - 0.35 - 74.8)


def test_a_last_price_of_zero_has_its_gallons_all_the_same(context_for):
    data = columns()
    data[GASOLINE][-1] = 0.0
    found = named(cracks(CracksInput(), context_for(data)))["3-2-1"]
    assert [leg.usd_per_barrel_for_one for leg in found.legs] == [42.0, 42.0]
    assert "2/3 × 42 gal/bbl" in found.formula


def test_a_spread_needs_units(context_for):
    data = {"time": columns()["time"], "oil": np.full(ROWS, 70.0), "diesel": np.full(ROWS, 90.0)}
    roles = {"oil": SeriesRole(product="crude", unit="USD/bbl")}
    result = cracks(CracksInput(series=roles), context_for(data))
    assert result.cracks == ()
    assert "diesel has no unit" in result.warnings[0]
    assert (
        'series can give it: {"diesel": {"product": "diesel", "unit": "USD/bbl"}}'
        in (result.warnings[0])
    )


def test_a_product_that_the_data_lacks_is_named_with_those_it_has(context_for):
    data = {"time": columns()["time"], GASOLINE: columns()[GASOLINE], DIESEL: columns()[DIESEL]}
    with pytest.raises(
        InsufficientDataError, match="no series is of the product 'bitumn'"
    ) as error:
        cracks(CracksInput(product="bitumn"), context_for(data))
    assert error.value.remedy == "the data has series of: diesel, gasoline"
