"""Published correlations for petroleum fractions: mass, latent heat, heat capacity, boiling under pressure.

Boiling points are normal boiling points in K, ``gravity`` is the specific gravity at 15.6 degC, and
``watson`` the Watson factor ``(1.8 Tb)^(1/3) / gravity`` (Watson and Nelson, Ind. Eng. Chem. 25, 1933).
Equation numbers are those of Riazi, Characterization and Properties of Petroleum Fractions, ASTM 2005.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KELVIN = 273.15
WATER_DENSITY = 999.0
"""Density of water at 15.6 degC, kg/m³."""
WATER_MOLAR_MASS = 18.015
WATER_HEAT = 4.19
"""Heat capacity of water, kJ/(kg K)."""
_MMHG_PER_KPA = 7.50062


def watson_gravity(boiling: Array, watson: float) -> Array:
    """Specific gravity of cuts that share a Watson factor."""
    gravity: Array = np.cbrt(1.8 * boiling) / watson
    return gravity


def molar_mass(boiling: Array, gravity: Array) -> Array:
    """Molar mass, kg/kmol: Riazi and Daubert, Ind. Eng. Chem. Res. 26, 1987 (2.51)."""
    mass: Array = (
        42.965
        * np.exp(2.097e-4 * boiling - 7.78712 * gravity + 2.08476e-3 * boiling * gravity)
        * boiling**1.26007
        * gravity**4.98308
    )
    return mass


def latent_heat(boiling: Array, gravity: Array) -> Array:
    """Heat of vaporisation at the normal boiling point, kJ/kg: Riazi and Daubert 1987 (7.60)."""
    molar = 37.32315 * boiling**1.14086 * gravity**9.77089e-3
    heat: Array = molar / molar_mass(boiling, gravity)
    return heat


def liquid_heat(watson: float, gravity: Array) -> tuple[Array, Array]:
    """Heat capacity of a liquid, ``c0 + c1 t`` with ``t`` in degC, kJ/(kg K): Kesler and Lee 1976 (7.43)."""
    scale = 1.4651 + 0.2302 * watson
    slope = scale * (0.001467 - 0.000551 * gravity)
    return scale * (0.306469 - 0.16734 * gravity) + slope * KELVIN, slope


def vapour_heat(watson: float) -> tuple[float, float, float]:
    """Heat capacity of a vapour, ``c0 + c1 t + c2 t²`` with ``t`` in degC, kJ/(kg K).

    Fallon and Watson, Natl. Petroleum News, June 1944, given there in Btu/(lb °F) over °F.
    """
    a, b, c = 0.0450 * watson - 0.233, (0.440 + 0.0177 * watson) * 1e-3, -0.153e-6
    constant, slope, bend = a + 32 * b + 32**2 * c, 1.8 * (b + 64 * c), 1.8**2 * c
    return 4.1868 * constant, 4.1868 * slope, 4.1868 * bend


def atmospheric_equivalent(temperature: Array, pressure: Array) -> Array:
    """Normal boiling point of what boils at ``temperature`` (K) under ``pressure`` (kPa), K.

    Maxwell and Bonnell, Ind. Eng. Chem. 49, 1957, in the form of the API Technical Data Book 5A1.19
    (3.29, 3.30); its branch above 760 mmHg is used throughout, as pressures lie around that.
    """
    log = np.log10(pressure * _MMHG_PER_KPA)
    group = (6.412631 - 0.989679 * log) / (2770.085 - 36.0 * log)
    boiling: Array = (
        748.1 * group * temperature / (1.0 + temperature * (0.3861 * group - 0.00051606))
    )
    return boiling


def steam_enthalpy(temperature: Array | float) -> Array | float:
    """Enthalpy of steam at low pressure over water at 0 degC, kJ/kg; ``temperature`` in degC."""
    return 2501.0 + 1.88 * temperature
