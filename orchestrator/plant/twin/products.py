"""Qualities of the products as analysers and the laboratory see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.crudes import MASS, MEAN_BOILING, SULPHUR, VOLUME
from orchestrator.plant.twin.fractionation import (
    DIESEL,
    GAS_OIL,
    HEAVY_NAPHTHA,
    KEROSENE,
    LIGHT_DIESEL,
    NAPHTHA,
    RESIDUE,
)
from orchestrator.plant.twin.properties import (
    END,
    boiling_at,
    d86,
    flash_point,
    freezing_point,
    pour_point,
    viscosity_38,
)
from orchestrator.plant.twin.thermodynamics import WATER_DENSITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.plant.twin.unit import Drivers

    Array = NDArray[np.float64]

_WANTED: tuple[tuple[int, float], ...] = (
    (NAPHTHA, END),
    (HEAVY_NAPHTHA, END),
    (KEROSENE, 0.10),
    (LIGHT_DIESEL, 0.95),
    (DIESEL, 0.95),
    (GAS_OIL, 0.95),
)
_FRACTIONS = np.array([product for product, _ in _WANTED])
_SHARES = np.array([share for _, share in _WANTED])


def qualities(made: Array, parts: Array, drivers: Drivers) -> dict[str, Array]:
    """Qualities by tag.

    Args:
        made: Quantities of each product, ``(n, 8, n_quantities)``.
        parts: Share of each component in each product, ``(n, 8, n_components)``.
        drivers: Where the components come from.
    """
    volumes = parts[:, _FRACTIONS, :] * drivers.oil[:, None, :, VOLUME]
    points = boiling_at(volumes, _SHARES) + drivers.boiling_shift[:, None]
    volume = np.maximum(made[:, :, VOLUME], 1e-9)
    density = 1000.0 * made[:, :, MASS] / volume
    boiling = made[:, :, MEAN_BOILING] / volume + drivers.boiling_shift[:, None]
    sulphur = 0.1 * made[:, :, SULPHUR] / np.maximum(made[:, :, MASS], 1e-9)
    gravity = np.maximum(density, 400.0) / WATER_DENSITY
    watson = np.cbrt(1.8 * np.maximum(boiling, 100.0)) / gravity
    pour = pour_point(
        gravity[:, DIESEL],
        viscosity_38(gravity[:, DIESEL], watson[:, DIESEL]),
        boiling[:, DIESEL],
    )
    freezing = freezing_point(gravity[:, KEROSENE], watson[:, KEROSENE], boiling[:, KEROSENE])
    flash = flash_point(d86(points[:, 2], 10))
    total = made.sum(axis=1)
    return {
        "AI302": d86(points[:, 0], 95),
        "AI307": d86(points[:, 1], 95),
        "AI303": flash,
        "AI313": freezing,
        "AI308": d86(points[:, 3], 95),
        "AI304": d86(points[:, 4], 95),
        "AI305": d86(points[:, 5], 95),
        "AI306": density[:, RESIDUE],
        "LB302": d86(points[:, 0], 95),
        "LB303": flash,
        "LB313": freezing,
        "LB333": density[:, KEROSENE],
        "LB304": d86(points[:, 4], 95),
        "LB314": density[:, DIESEL],
        "LB324": sulphur[:, DIESEL],
        "LB334": pour,
        "LB306": density[:, RESIDUE],
        "LB316": sulphur[:, RESIDUE],
        "LB101": 0.1 * total[:, SULPHUR] / np.maximum(total[:, MASS], 1e-9),
    }
