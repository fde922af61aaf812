"""The steady state of the simulated crude unit, and the dynamics around it.

    crude tank ─► preheat ─► E-101 ─► furnace H-101 ─► column C-101 ─► gas, naphtha, kerosene,
                               ▲                          │              diesel, gas oil
                               └──────── residue ◄────────┘

Flows are t/h, temperatures degC, pressures kPa, heat kW inside and GJ/h at the edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.crudes import PRODUCTS, yields
from orchestrator.plant.twin.dynamics import DeadTimes, Lags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SET_POINTS: dict[str, tuple[float, float]] = {
    "FC101_SP": (600.0, 4.0),
    "TC130_SP": (358.0, 9.0),
    "TC201_SP": (118.0, 7.0),
    "TC202_SP": (185.0, 7.0),
    "TC203_SP": (262.0, 8.0),
    "FC140_SP": (12.0, 2.0),
    "FC211_SP": (520.0, 3.0),
}
"""Set point -> value at design, and time constant of its closed loop in minutes."""

RESPONSES: dict[str, tuple[float, float]] = {
    "FI301": (5.0, 2.0),
    "FI302": (6.0, 2.0),
    "FI303": (7.0, 3.0),
    "FI304": (8.0, 3.0),
    "FI305": (9.0, 3.0),
    "FI306": (10.0, 2.0),
    "TI102": (6.0, 1.0),
    "TI103": (8.0, 2.0),
    "TI104": (8.0, 2.0),
    "TI105": (8.0, 2.0),
    "TI131": (4.0, 1.0),
    "AI130": (3.0, 1.0),
    "FI130": (4.0, 1.0),
    "PI201": (3.0, 0.0),
    "TI204": (8.0, 3.0),
    "FI210": (5.0, 2.0),
    "AI101": (2.0, 6.0),
    "AI302": (10.0, 12.0),
    "AI303": (10.0, 15.0),
    "AI304": (12.0, 15.0),
}
"""Dependent tag -> time constant and dead time, minutes."""

CRUDE_HEAT = 2.4
"""Heat capacity of crude in the preheat train, kJ/(kg K)."""
FURNACE_HEAT = 2.9
"""Heat capacity of crude in the furnace, kJ/(kg K)."""
RESIDUE_HEAT = 2.6
"""Heat capacity of residue, kJ/(kg K)."""
VAPORISATION = 240.0
"""Latent heat of what leaves above the residue, kJ/kg."""
FUEL_HEAT = 46.0
"""Lower heating value of fuel gas, GJ/t."""
STEAM_HEAT = 2.8
"""Heat of stripping steam, GJ/t."""
CLEAN_UA = 420.0
"""Heat transfer of the clean exchanger E-101, kW/K."""
DESIGN_DUTY = 75_660.0
"""Furnace duty at design, kW."""
LEVEL_CAPACITY = 260.0
"""Mass between 0 and 100 % of the column bottoms level, t."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """What drives the unit, each of shape ``(n,)`` unless said otherwise.

    Attributes:
        handles: Reached values of the set points, in the order of :data:`SET_POINTS`, ``(n, 7)``.
        lights: Mass fraction of gas in the crude.
        middle: Middle of the crude's distillation curve, degC.
        spread: Width of that curve, degC.
        density: Crude density, kg/m³.
        tank: Crude tank temperature, degC.
        exchanger: Share of the clean heat transfer of E-101 that is left.
        excess_oxygen: Oxygen in the flue gas of H-101, %.
    """

    handles: Array
    lights: Array
    middle: Array
    spread: Array
    density: Array
    tank: Array
    exchanger: Array
    excess_oxygen: Array


def steady_state(drivers: Drivers) -> dict[str, Array]:
    """Values that the dependent tags would reach if the drivers stood still.

    The mass balance closes to rounding: products are the feed times fractions that add up to one.
    E-101 is a counter-current exchanger in the effectiveness–NTU form (Kays and London, Compact Heat
    Exchangers).
    """
    feed, outlet, top, kerosene, diesel, steam, pumparound = drivers.handles.T
    cuts = np.column_stack(
        (
            175.0 + 1.1 * (top - 118.0),
            240.0 + 1.0 * (kerosene - 185.0),
            345.0 + 1.1 * (diesel - 262.0),
            # Hotter feed and more stripping steam lift more gas oil out of the residue.
            378.0 + 1.2 * (outlet - 358.0) + 1.6 * (steam - 12.0) - 0.02 * (feed - 600.0),
        )
    )
    fractions = yields(drivers.lights, drivers.middle, drivers.spread, cuts)
    products = feed[:, None] * fractions
    residue = products[:, 5]

    preheat = drivers.tank + 152.0 + 0.06 * (pumparound - 520.0) - 0.05 * (feed - 600.0)
    cold = np.maximum(feed, 1.0) / 3.6 * CRUDE_HEAT
    hot = np.maximum(residue, 1.0) / 3.6 * RESIDUE_HEAT
    smallest = np.minimum(cold, hot)
    ratio = smallest / np.maximum(cold, hot)
    # Film coefficients rise with flow to the power 0.8.
    transfer = CLEAN_UA * drivers.exchanger * (np.maximum(feed, 1.0) / 600.0) ** 0.8
    damping = np.exp(-transfer / smallest * (1.0 - ratio))
    effectiveness = (1.0 - damping) / (1.0 - ratio * damping)
    bottoms = outlet - 12.0 - 0.4 * (steam - 12.0)
    heat = effectiveness * smallest * (bottoms - preheat)
    furnace_inlet = preheat + heat / cold

    duty = (
        feed
        / 3.6
        * (FURNACE_HEAT * (outlet - furnace_inlet) + VAPORISATION * (1.0 - fractions[:, 5]))
    )
    efficiency = 0.905 - 0.006 * (drivers.excess_oxygen - 3.0)
    fuel = duty * 0.0036 / (efficiency * FUEL_HEAT)
    load = duty / DESIGN_DUTY
    reflux = 210.0 + 260.0 * (load - 1.0) - 0.16 * (pumparound - 520.0) - 1.5 * (top - 118.0)
    # Little reflux means poor separation: products overlap and their end points spread.
    overlap = 0.03 * (210.0 - reflux)
    return {
        **{tag: products[:, i] for i, tag in enumerate(PRODUCTS)},
        "TI102": preheat,
        "TI103": furnace_inlet,
        "TI104": bottoms,
        "TI105": bottoms - heat / hot,
        "TI131": outlet + 150.0 * np.maximum(load, 0.0) ** 1.2,
        "AI130": drivers.excess_oxygen,
        "FI130": fuel,
        "PI201": 150.0 + 0.08 * (reflux - 210.0) + 0.05 * (products[:, 1] - 84.5),
        "TI204": 318.0 + 0.7 * (outlet - 358.0) + 0.25 * (diesel - 262.0) + 0.3 * (steam - 12.0),
        "FI210": reflux,
        "AI101": drivers.density,
        "AI302": 171.0 + 0.95 * (cuts[:, 0] - 175.0) + overlap,
        "AI303": 44.0 + 0.30 * (cuts[:, 0] - 175.0) + 0.08 * (cuts[:, 1] - 240.0) - 0.4 * overlap,
        "AI304": 351.0 + 0.85 * (cuts[:, 2] - 345.0) + overlap,
    }


class Column:
    """Dynamics from the set points to the tags, run block by block.

    Args:
        period_minutes: Length of a step, min.
    """

    def __init__(self, period_minutes: float) -> None:
        self._period = period_minutes
        self._loops = Lags([tau / period_minutes for _, tau in SET_POINTS.values()])
        self._delays = DeadTimes([round(dead / period_minutes) for _, dead in RESPONSES.values()])
        self._lags = Lags([tau / period_minutes for tau, _ in RESPONSES.values()])
        self._held = 0.0

    def reach(self, targets: Array) -> Array:
        """Values that the control loops reach on the way to their targets, ``(n, 7)``."""
        return self._loops.run(targets)

    def run(self, drivers: Drivers) -> dict[str, Array]:
        """True values of the dependent tags and the bottoms level for the next steps.

        Mass is conserved at every step: what the products do not carry away stays in the column and
        shows in the level ``LI201``.
        """
        settled = steady_state(drivers)
        stacked = np.column_stack([settled[tag] for tag in RESPONSES])
        moved = self._lags.run(self._delays.run(stacked))
        values: dict[str, Array] = {tag: moved[:, i] for i, tag in enumerate(RESPONSES)}
        imbalance = drivers.handles[:, 0] - sum_of(values, PRODUCTS)
        held = self._held + np.cumsum(imbalance) * self._period / 60.0
        self._held = float(held[-1])
        values["LI201"] = 50.0 + 100.0 * held / LEVEL_CAPACITY
        return values


def sum_of(values: Mapping[str, Array], tags: tuple[str, ...]) -> Array:
    """Sum of some tags, t/h."""
    total: Array = np.sum([values[tag] for tag in tags], axis=0)
    return total
