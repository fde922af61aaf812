"""Crude oils as pseudo-components, each with what adds up over a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin import ASSAY_FILE
from orchestrator.plant.twin.thermodynamics import (
    KELVIN,
    WATER_DENSITY,
    latent_heat,
    liquid_heat,
    molar_mass,
    vapour_heat,
    watson_gravity,
)
from orchestrator.yaml_files import read_yaml

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EDGES: Array = np.concatenate(
    ([-110.0, -65.0, -25.0, 5.0], np.arange(25.0, 566.0, 15.0), [600.0, 640.0, 690.0, 750.0, 840.0])
)
"""Boiling ranges of the pseudo-components, degC, ``(n + 1,)``; the first three are C2, C3 and C4."""

BOILING: Array = 0.5 * (EDGES[:-1] + EDGES[1:])
"""Normal boiling points of the pseudo-components, degC."""

QUANTITIES = ("mass", "volume", "moles", "sulphur", "boiling", "l1", "l2", "v0", "v1", "v2", "v3")
"""What adds up over components, each for one tonne of crude.

``mass`` t, ``volume`` m³ at 15.6 degC, ``moles`` kmol, ``sulphur`` kg, ``boiling`` m³ K (for the volume
average boiling point); the enthalpy in MJ of the liquid is ``l1 t + l2 t²`` and that of the vapour ``v0 +
v1 t + v2 t² + v3 t³`` with ``t`` in degC, both over the liquid at 0 degC.
"""

MASS, VOLUME, MOLES, SULPHUR, MEAN_BOILING = range(5)
LIQUID, VAPOUR = slice(5, 7), slice(7, 11)


@dataclass(frozen=True, slots=True)
class Crude:
    """A crude oil.

    Attributes:
        description: What sort of crude it is.
        record: Record of its figures in NOAA's ADIOS database.
        density: Density at 15.6 degC, kg/m³.
        sulphur: Sulphur, mass %.
        differential: Price against the benchmark, USD/bbl.
        watson: Watson factor, taken as the same for all its cuts.
        table: :data:`QUANTITIES` of each component, ``(n_components, n_quantities)``.
    """

    description: str
    record: str
    density: float
    sulphur: float
    differential: float
    watson: float
    table: Array


@cache
def crudes() -> dict[str, Crude]:
    """All crudes by name, in the order of the assay file."""
    document = read_yaml(ASSAY_FILE)
    over = np.array(document["volume_percent"], dtype=np.float64) / 100.0
    return {
        name: _characterised(
            over,
            np.array(item["boiling"], dtype=np.float64),
            item["density"],
            item["sulphur"],
            item["description"],
            item["record"],
            item["differential"],
        )
        for name, item in document["crudes"].items()
    }


@cache
def tables() -> Array:
    """Component tables of all crudes, ``(n_crudes, n_components, n_quantities)``."""
    return np.stack([crude.table for crude in crudes().values()])


def _characterised(
    over: Array,
    boiling: Array,
    density: float,
    sulphur: float,
    description: str,
    record: str,
    differential: float,
) -> Crude:
    """Cut a curve into components: all of one Watson factor, so that their density adds up to the crude's."""
    from scipy.interpolate import PchipInterpolator

    # The heaviest twentieth does not boil in an assay; it is stretched like the one before.
    end = boiling[-1] + 1.3 * (boiling[-1] - boiling[-2])
    curve = PchipInterpolator(np.append(boiling, end), np.append(over, 1.0))
    cumulative = np.clip(curve(np.clip(EDGES, boiling[0], end)), 0.0, 1.0)
    cumulative[-1] = 1.0
    volume = np.diff(cumulative)
    kelvin = BOILING + KELVIN
    watson = float((volume * np.cbrt(1.8 * kelvin)).sum() / (density / WATER_DENSITY))
    gravity = watson_gravity(kelvin, watson)
    cubic = 1000.0 / density * volume
    mass = cubic * gravity * WATER_DENSITY / 1000.0
    content = _sulphur_shape(BOILING)
    content *= 10.0 * sulphur / float((mass * content).sum())
    c0, c1 = liquid_heat(watson, gravity)
    d0, d1, d2 = vapour_heat(watson)
    at_boiling = c0 * BOILING + 0.5 * c1 * BOILING**2 + latent_heat(kelvin, gravity)
    base = at_boiling - (d0 * BOILING + d1 * BOILING**2 / 2 + d2 * BOILING**3 / 3)
    one = np.ones_like(mass)
    table = np.column_stack(
        (
            mass,
            cubic,
            1000.0 * mass / molar_mass(kelvin, gravity),
            mass * content,
            cubic * kelvin,
            mass * c0,
            mass * c1 / 2,
            mass * base,
            mass * d0 * one,
            mass * d1 / 2 * one,
            mass * d2 / 3 * one,
        )
    )
    return Crude(description, record, density, sulphur, differential, watson, table)


def _sulphur_shape(boiling: Array) -> Array:
    """Sulphur by boiling point in arbitrary units: little in naphtha, rising through the gas oils.

    An assumption of this model: the source gives the sulphur of whole crudes only.
    """
    shape: Array = 0.012 + 1.0 / (1.0 + np.exp((375.0 - boiling) / 48.0))
    return shape
