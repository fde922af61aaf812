import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.crudes import CRUDES, PRODUCTS
from orchestrator.plant.twin.unit import RESPONSES, SET_POINTS, Drivers, steady_state

DESIGN = np.array([value for value, _ in SET_POINTS.values()])


def settled(handles=DESIGN, crude="medium", exchanger=1.0):
    handles = np.atleast_2d(handles).astype(float)
    one = np.ones(len(handles))
    oil = CRUDES[crude]
    return steady_state(
        Drivers(
            handles=handles,
            lights=one * oil.lights,
            middle=one * oil.middle,
            spread=one * oil.spread,
            density=one * oil.density,
            tank=one * 32.0,
            exchanger=one * exchanger,
            excess_oxygen=one * 3.0,
        )
    )


@given(
    feed=st.floats(100, 800),
    moves=st.lists(st.floats(-15, 15), min_size=5, max_size=5),
    crude=st.sampled_from(sorted(CRUDES)),
    exchanger=st.floats(0.05, 1.0),
)
def test_the_mass_balance_closes_to_rounding_and_no_product_is_negative(
    feed, moves, crude, exchanger
):
    handles = DESIGN.copy()
    handles[0] = feed
    handles[1:6] += moves
    values = settled(handles, crude, exchanger)
    products = np.array([values[tag][0] for tag in PRODUCTS])
    assert products.sum() == pytest.approx(feed, rel=1e-14)
    assert (products >= 0).all()


def test_every_response_has_a_steady_value():
    assert settled().keys() == RESPONSES.keys()


def test_the_heat_balance_of_the_exchanger_closes():
    values = settled()
    taken = DESIGN[0] * 2.4 * (values["TI103"] - values["TI102"])
    given_up = values["FI306"] * 2.6 * (values["TI104"] - values["TI105"])
    assert taken == pytest.approx(given_up, rel=1e-12)


def test_fouling_costs_preheat_and_fuel_and_heats_the_tubes():
    clean, fouled = settled(), settled(exchanger=0.5)
    assert fouled["TI103"] < clean["TI103"]
    assert fouled["FI130"] > clean["FI130"]
    assert fouled["TI131"] > clean["TI131"]


def test_a_heavier_crude_gives_more_residue():
    assert settled(crude="heavy")["FI306"] > settled(crude="light")["FI306"]


@pytest.mark.parametrize("move", range(len(SET_POINTS)))
def test_the_economic_model_of_the_plant_file_has_the_unit_s_gains(move):
    plant = load_plant(PLANT_FILE)
    assert plant.economics is not None
    step = 0.01 * np.eye(len(SET_POINTS))[move] * DESIGN
    unit = settled(np.vstack((DESIGN - step, DESIGN + step)))
    names = list(SET_POINTS)
    low, high = (dict(zip(names, DESIGN + sign * step, strict=True)) for sign in (-1, 1))
    for tag, text in plant.economics.responses.items():
        expression = Expression.parse(text)
        modelled = expression.evaluate(high) - expression.evaluate(low)
        actual = unit[tag][1] - unit[tag][0]
        design = settled()[tag][0]
        assert modelled == pytest.approx(actual, rel=0.08, abs=4e-4 * abs(design)), tag
