"""Correlations against values that their source or a handbook gives."""

import numpy as np
import pytest

from orchestrator.plant.twin.properties import (
    boiling_at,
    d86,
    flash_point,
    freezing_point,
    pour_point,
    viscosity_38,
)
from orchestrator.plant.twin.thermodynamics import (
    KELVIN,
    atmospheric_equivalent,
    latent_heat,
    liquid_heat,
    molar_mass,
    watson_gravity,
)


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


@pytest.mark.parametrize(
    ("boiling", "gravity", "mass", "heat"),
    # Normal heptane, decane and hexadecane: molar mass, and heat of vaporisation at the boiling point.
    [(371.6, 0.688, 100.2, 317.0), (447.3, 0.734, 142.3, 276.0), (560.0, 0.777, 226.4, 227.0)],
)
def test_molar_mass_and_latent_heat_of_paraffins(boiling, gravity, mass, heat):
    assert molar_mass(one(boiling), one(gravity))[0] == pytest.approx(mass, rel=0.06)
    assert latent_heat(one(boiling), one(gravity))[0] == pytest.approx(heat, rel=0.08)


def test_what_boils_at_one_atmosphere_boils_at_its_boiling_point():
    boiling = np.array([350.0, 450.0, 600.0])
    assert atmospheric_equivalent(boiling, one(101.325)) == pytest.approx(boiling, abs=1.0)
    # n-Decane boils at 499 K under 3 bar (Antoine equation).
    assert atmospheric_equivalent(one(499.0), one(300.0))[0] == pytest.approx(447.3, abs=4)


def test_the_heat_capacity_of_a_gas_oil_is_about_two_and_a_half_kilojoules():
    c0, c1 = liquid_heat(11.8, one(0.85))
    assert (c0 + 177 * c1)[0] == pytest.approx(2.57, abs=0.03)


def test_watson_s_factor_gives_back_the_gravity():
    assert watson_gravity(one(500.0), 11.8)[0] == pytest.approx(900 ** (1 / 3) / 11.8)


def test_boiling_points_lie_where_the_volume_is_over():
    from orchestrator.plant.twin.crudes import EDGES

    volumes = np.zeros((1, 2, len(EDGES) - 1))
    volumes[0, 0, 10] = 1.0
    volumes[0, 1, 10:20] = 0.1
    found = boiling_at(volumes, np.array([0.5, 1.0]))[0]
    assert found[0] == pytest.approx((EDGES[10] + EDGES[11]) / 2)
    assert found[1] == pytest.approx(EDGES[20])


def test_d86_lies_above_the_true_boiling_point_in_front_and_below_it_at_the_end():
    assert d86(one(160.0), 10)[0] > 160
    assert d86(one(360.0), 95)[0] < 360


def test_flash_freezing_and_pour_points_are_those_of_common_fuels():
    assert flash_point(one(177.0))[0] == pytest.approx(54.8, abs=0.5)
    boiling = 202 + KELVIN
    watson = (1.8 * boiling) ** (1 / 3) / 0.80
    assert -56 < freezing_point(one(0.80), one(watson), one(boiling))[0] < -40
    diesel = 297 + KELVIN
    viscosity = viscosity_38(one(0.85), one((1.8 * diesel) ** (1 / 3) / 0.85))
    assert 2.5 < viscosity[0] < 5
    assert -18 < pour_point(one(0.85), viscosity, one(diesel))[0] < -3
