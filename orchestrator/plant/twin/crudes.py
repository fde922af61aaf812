"""Crude oils as distillation curves, and how cut points divide them into products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIGHTS_END = 15.0
"""Temperature up to which a crude gives gas, degC."""

PRODUCTS = ("FI301", "FI302", "FI303", "FI304", "FI305", "FI306")
"""Flow tags of the products, lightest first: gas, naphtha, kerosene, diesel, gas oil, residue."""


@dataclass(frozen=True, slots=True)
class Crude:
    """A crude oil with a logistic true-boiling-point curve.

    Attributes:
        lights: Mass fraction that leaves as gas.
        middle: Temperature at which half of the curve is over, degC.
        spread: Width of the curve, degC.
        density: Density at 15 degC, kg/m³.
        differential: Price against the benchmark, USD/bbl.
    """

    lights: float
    middle: float
    spread: float
    density: float
    differential: float


CRUDES: dict[str, Crude] = {
    "light": Crude(lights=0.026, middle=328.0, spread=116.0, density=844.0, differential=1.8),
    "medium": Crude(lights=0.020, middle=345.0, spread=120.0, density=860.0, differential=0.0),
    "heavy": Crude(lights=0.014, middle=372.0, spread=124.0, density=884.0, differential=-3.4),
}


def yields(
    lights: NDArray[np.float64],
    middle: NDArray[np.float64],
    spread: NDArray[np.float64],
    cuts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mass fractions of the products.

    The fraction over at temperature ``T`` is ``lights + (1 - lights) G(T)`` with
    ``G(T) = (L(T) - L(T0)) / (1 - L(T0))``, ``L`` logistic and ``T0`` = :data:`LIGHTS_END`; a product
    is the difference of two neighbouring cuts and the residue is what is left, so that the fractions
    add up to one by construction.

    Args:
        lights: Fraction of gas, shape ``(n,)``.
        middle: Middle of the curve, degC, shape ``(n,)``.
        spread: Width of the curve, degC, shape ``(n,)``.
        cuts: Cut points naphtha, kerosene, diesel and gas oil end, degC, shape ``(n, 4)``.

    Returns:
        Fractions in the order of :data:`PRODUCTS`, shape ``(n, 6)``.
    """

    def over(temperature: NDArray[np.float64]) -> NDArray[np.float64]:
        logistic: NDArray[np.float64] = 1.0 / (1.0 + np.exp((middle - temperature) / spread))
        return logistic

    start = over(np.full_like(middle, LIGHTS_END))
    edges = np.empty((len(middle), 7))
    edges[:, 0] = 0.0
    edges[:, 1] = lights
    for column in range(4):
        share = (over(cuts[:, column]) - start) / (1.0 - start)
        edges[:, column + 2] = lights + (1.0 - lights) * share
    edges[:, 6] = 1.0
    # A cut below the one before it would mean a negative draw; the draw is shut instead.
    return np.diff(np.maximum.accumulate(edges, axis=1), axis=1)
