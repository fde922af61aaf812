"""How cut points and sharpness divide pseudo-components between products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.crudes import BOILING
from orchestrator.plant.twin.thermodynamics import KELVIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PRODUCTS = ("FI301", "FI302", "FI307", "FI303", "FI308", "FI304", "FI305", "FI306")
"""Flow tags of the products, lightest first: gas, naphtha, heavy naphtha, kerosene, light diesel, diesel,
gas oil, residue."""
GAS, NAPHTHA, HEAVY_NAPHTHA, KEROSENE, LIGHT_DIESEL, DIESEL, GAS_OIL, RESIDUE = range(8)

TROUTON = 10.6
"""Entropy of vaporisation over the gas constant (Trouton's rule, 88 J/(mol K))."""


def lifted(cuts: Array, index: Array, boiling_shift: Array) -> Array:
    """Share of each component that rises past each boundary, ``(n, n_boundaries, n_components)``.

    Geddes' fractionation index (AIChE Journal 4, 1958) makes the logarithm of distillate over bottoms
    proportional to that of relative volatility; with Trouton's rule the latter is ``10.6 (Tb / cut - 1)``,
    so that a boundary is a smooth step in boiling point, half way at its cut point.

    Args:
        cuts: Cut points, degC, ``(n, n_boundaries)``.
        index: Fractionation index of each boundary, same shape.
        boiling_shift: Shift of all boiling points, K, ``(n,)``.
    """
    kelvin = (BOILING + KELVIN) + boiling_shift[:, None]
    ratio = kelvin[:, None, :] / (cuts + KELVIN)[:, :, None]
    exponent = TROUTON * index[:, :, None] * (ratio - 1.0)
    share: Array = 1.0 / (1.0 + np.exp(np.clip(exponent, -60.0, 60.0)))
    return share


def divided(share: Array) -> Array:
    """Share of each component in each product, ``(n, n_boundaries + 1, n_components)``.

    Shares add up to one by construction. What rises past a boundary has risen past those below; where cut
    points cross, the draw between is shut rather than negative.
    """
    rows, boundaries, components = share.shape
    edges = np.zeros((rows, boundaries + 2, components))
    edges[:, 1:-1] = np.maximum.accumulate(share, axis=1)
    edges[:, -1] = 1.0
    return np.diff(edges, axis=1)
