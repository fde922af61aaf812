"""Product qualities from composition by published correlations.

Equation numbers are those of Riazi, Characterization and Properties of Petroleum Fractions, ASTM 2005.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.crudes import EDGES
from orchestrator.plant.twin.thermodynamics import KELVIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

D86_CONSTANTS: dict[int, tuple[float, float]] = {
    0: (0.9177, 1.0019),
    10: (0.5564, 1.0900),
    30: (0.7617, 1.0425),
    50: (0.9013, 1.0176),
    70: (0.8821, 1.0226),
    90: (0.9552, 1.0110),
    95: (0.8177, 1.0355),
}
"""Volume % -> ``a`` and ``b`` of ``TBP = a D86^b`` in K: Riazi and Daubert, Oil & Gas Journal 84, 1986 (3.14)."""

END = 0.98
"""Share of the true-boiling-point curve whose temperature stands for the end point."""


def boiling_at(volumes: Array, shares: Array) -> Array:
    """Temperatures at which given shares of fractions are over, degC.

    Args:
        volumes: Volume of each component in each fraction, ``(n, k, n_components)``.
        shares: One share from 0 to 1 for each fraction, ``(k,)``.

    Returns:
        ``(n, k)``, linear within a component's boiling range.
    """
    cumulative = np.cumsum(volumes, axis=2)
    wanted = np.maximum(cumulative[:, :, -1], 1e-12) * shares
    inside = np.minimum((cumulative < wanted[:, :, None]).sum(axis=2), volumes.shape[2] - 1)
    there = np.take_along_axis(volumes, inside[:, :, None], axis=2)[:, :, 0]
    reached = np.take_along_axis(cumulative, inside[:, :, None], axis=2)[:, :, 0]
    part = 1.0 - (reached - wanted) / np.maximum(there, 1e-15)
    low = EDGES[inside]
    found: Array = low + np.clip(part, 0.0, 1.0) * (EDGES[inside + 1] - low)
    return found


def d86(boiling: Array, percent: int) -> Array:
    """ASTM D86 temperature from the true boiling point at the same volume per cent, both degC."""
    a, b = D86_CONSTANTS[percent]
    return ((boiling + KELVIN) / a) ** (1.0 / b) - KELVIN


def flash_point(d86_10: Array) -> Array:
    """Closed-cup flash point from the D86 10 % point, both degC.

    Riazi and Daubert, Hydrocarbon Processing, 1987; API Technical Data Book 2B7.1 (3.113).
    """
    kelvin = d86_10 + KELVIN
    flash: Array = 1.0 / (-0.024209 + 2.84947 / kelvin + 3.4254e-3 * np.log(kelvin)) - KELVIN
    return flash


def freezing_point(gravity: Array, watson: Array, boiling: Array) -> Array:
    """Freezing point of a jet fuel cut, degC; API Technical Data Book 2B11.1, ``boiling`` in K."""
    rankine = -2390.42 + 1826.0 * gravity + 122.49 * watson - 0.135 * 1.8 * boiling
    return rankine / 1.8 - KELVIN


def viscosity_38(gravity: Array, watson: Array) -> Array:
    """Kinematic viscosity at 37.8 degC, mm²/s: Abbott, Kaufmann and Domash, Can. J. Chem. Eng. 49, 1971 (2.128)."""
    api = 141.5 / gravity - 131.5
    k = watson
    log = (
        4.39371
        - 1.94733 * k
        + 0.12769 * k**2
        + 3.2629e-4 * api**2
        - 1.18246e-2 * k * api
        + (0.171617 * k**2 + 10.9943 * api + 9.50663e-2 * api**2 - 0.860218 * k * api)
        / (api + 50.3642 - 4.78231 * k)
    )
    viscosity: Array = 10.0 ** np.clip(log, -1.0, 4.0)
    return viscosity


def pour_point(gravity: Array, viscosity: Array, boiling: Array) -> Array:
    """Pour point, degC; API Technical Data Book 2B8.1, ``viscosity`` mm²/s at 37.8 degC, ``boiling`` in K."""
    rankine = (
        753.0
        + 136.0 * (1.0 - np.exp(-0.15 * viscosity))
        - 572.0 * gravity
        + 0.0512 * viscosity
        + 0.139 * 1.8 * boiling
    )
    return rankine / 1.8 - KELVIN
