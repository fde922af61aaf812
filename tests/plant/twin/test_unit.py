import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.catalogue import CRUDE_NAMES
from orchestrator.plant.twin.crudes import crudes
from orchestrator.plant.twin.fractionation import PRODUCTS
from orchestrator.plant.twin.instruments import RESPONSES
from orchestrator.plant.twin.process import INTO, OUT
from orchestrator.plant.twin.unit import (
    SET_POINTS,
    Drivers,
    clean_exchangers,
    energy_imbalance,
    steady_state,
)

DESIGN = np.array([value for value, _ in SET_POINTS.values()])
NAMES = list(SET_POINTS)


def drivers(handles=DESIGN, crude="medium", exchangers=None, **changes) -> Drivers:
    handles = np.atleast_2d(handles).astype(float)
    rows = len(handles)
    one = np.ones(rows)
    values = {
        "handles": handles,
        "oil": np.repeat(crudes()[crude].table[None], rows, axis=0),
        "boiling_shift": 0 * one,
        "water": 0.3 * one,
        "tank": 32 * one,
        "exchangers": clean_exchangers(rows)
        | {name: left * one for name, left in (exchangers or {}).items()},
        "oxygen": 3 * one,
        "coke": 0 * one,
        "furnace_leak": 0 * one,
        "column_leak": 0 * one,
        "flooded": 0 * one,
        "trays": np.ones((rows, 7)),
    }
    return Drivers(**values | {k: v * one if k != "trays" else v for k, v in changes.items()})


def settled(*args, **changes):
    made = drivers(*args, **changes)
    controlled = {"FI101": "FC101_SP", "FI150": "FC150_SP", "FI140": "FC140_SP"}
    return steady_state(made) | {
        tag: made.handles[:, NAMES.index(handle)] for tag, handle in controlled.items()
    }


@settings(deadline=None)
@given(
    feed=st.floats(150, 700),
    moves=st.lists(st.floats(-15, 15), min_size=6, max_size=6),
    crude=st.sampled_from(CRUDE_NAMES),
    exchanger=st.floats(0.0, 1.0),
    water=st.floats(0.0, 8.0),
    oxygen=st.floats(1.0, 9.0),
    leak=st.floats(0, 5000),
)
def test_mass_and_energy_close_and_no_product_is_negative(
    feed, moves, crude, exchanger, water, oxygen, leak
):
    handles = DESIGN.copy()
    handles[0] = feed
    handles[1:7] += moves
    values = settled(
        handles,
        crude,
        {"E-101": exchanger, "E-105": exchanger},
        water=water,
        oxygen=oxygen,
        furnace_leak=leak,
        column_leak=leak / 3,
    )
    products = np.array([values[tag][0] for tag in PRODUCTS])
    assert (products >= 0).all()
    into, out = (sum(values[tag][0] for tag in tags) for tags in (INTO, OUT))
    assert out == pytest.approx(into, rel=1e-9)
    assert abs(energy_imbalance(values)[0]) < 1e-6


def test_every_response_has_a_steady_value():
    assert RESPONSES.keys() <= settled().keys()


def test_the_energy_balance_misses_what_is_left_out_of_it():
    values = settled()
    values["stack"] = values["stack"] - 0.001 * values["fired"]
    assert energy_imbalance(values)[0] == pytest.approx(0.001)


@pytest.mark.parametrize("name", ["E-101", "E-104", "E-105"])
def test_fouling_costs_preheat_and_fuel_and_heats_the_tubes(name):
    clean, fouled = settled(), settled(exchangers={name: 0.5})
    assert fouled["TI103"] < clean["TI103"]
    assert fouled["FI130"] > clean["FI130"]
    assert fouled["TI131"] > clean["TI131"]


def test_crudes_from_light_to_heavy_give_ever_more_residue_density_and_sulphur():
    found = [settled(crude=name) for name in ("condensate", "light", "medium", "sour", "heavy")]
    for tag in ("FI306", "AI101", "LB101", "LB324"):
        values = [float(item[tag][0]) for item in found]
        assert values == sorted(values), tag


def test_a_crude_has_the_density_and_the_sulphur_of_its_assay():
    for name, crude in crudes().items():
        values = settled(crude=name)
        assert values["AI101"][0] == pytest.approx(crude.density, rel=1e-9)
        assert values["LB101"][0] == pytest.approx(crude.sulphur, rel=1e-9)


def test_a_hotter_diesel_draw_makes_more_and_heavier_diesel():
    handles = np.vstack((DESIGN, DESIGN))
    handles[1, NAMES.index("TC203_SP")] += 4
    values = settled(handles)
    for tag in ("FI304", "AI304", "LB314", "LB324", "LB334"):
        assert values[tag][1] > values[tag][0], tag
    assert values["FI305"][1] < values["FI305"][0]


def test_higher_pressure_lifts_less():
    handles = np.vstack((DESIGN, DESIGN))
    handles[1, NAMES.index("PC201_SP")] += 10
    values = settled(handles)
    assert values["FI306"][1] > values["FI306"][0]
    assert values["AI304"][1] < values["AI304"][0]


def test_flooding_and_broken_trays_let_products_overlap():
    clean = settled()
    broken = np.ones((1, 7))
    broken[:, 5] = 0.4
    for values in (settled(flooded=0.7), settled(trays=broken)):
        assert values["AI304"][0] > clean["AI304"][0] + 3
    assert settled(flooded=0.7)["PDI201"][0] > clean["PDI201"][0] + 10


def test_more_than_the_column_was_built_for_floods_it():
    handles = DESIGN.copy()
    handles[0] *= 1.25
    assert settled()["flooding"][0] < 0.05
    assert settled(handles)["flooding"][0] > 0.2


def test_water_in_the_crude_costs_duty_and_raises_pressure():
    dry, wet = settled(), settled(water=6.0)
    assert wet["FI213"][0] > dry["FI213"][0] + 5
    assert wet["PI201"][0] > dry["PI201"][0] + 3
    assert wet["AI150"][0] > dry["AI150"][0]


@pytest.mark.parametrize(
    "move", [NAMES.index(name) for name in load_plant(PLANT_FILE).economics.handles]
)
def test_the_economic_model_of_the_plant_file_has_the_unit_s_gains(move):
    plant = load_plant(PLANT_FILE)
    assert plant.economics is not None
    step = 0.01 * np.eye(len(SET_POINTS))[move] * DESIGN
    moved = np.vstack((DESIGN - step, DESIGN + step))
    unit = settled(moved) | {"FI101": moved[:, NAMES.index("FC101_SP")]}
    low, high = (dict(zip(NAMES, DESIGN + sign * step, strict=True)) for sign in (-1, 1))
    for tag, text in plant.economics.responses.items():
        expression = Expression.parse(text)
        modelled = expression.evaluate(high) - expression.evaluate(low)
        actual = unit[tag][1] - unit[tag][0]
        design = unit[tag].mean()
        assert modelled == pytest.approx(actual, rel=0.08, abs=4e-4 * abs(design)), tag
