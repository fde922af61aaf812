"""The atmospheric column: cut points from tray temperatures, sharpness from reflux, flooding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.plant.twin.thermodynamics import (
    KELVIN,
    WATER_MOLAR_MASS,
    atmospheric_equivalent,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where two neighbouring products part.

    Attributes:
        above: The lighter product.
        tray: Temperature at design that sets the cut point, degC.
        cut: Cut point at design, degC.
        index: Geddes' fractionation index at design.
        drop: Pressure above that of the top at design, kPa.
        vapour: Hydrocarbon vapour at design, kmol/h.
    """

    above: str
    tray: float
    cut: float
    index: float
    drop: float
    vapour: float


BOUNDARIES = (
    Boundary("gas", 43.0, 12.0, 2.6, 0.0, 700.0),
    Boundary("naphtha", 118.0, 122.0, 4.6, 0.0, 2900.0),
    Boundary("heavy naphtha", 152.0, 160.0, 4.4, 8.0, 2700.0),
    Boundary("kerosene", 192.0, 229.0, 3.9, 14.0, 2500.0),
    Boundary("light diesel", 243.0, 280.0, 3.6, 22.0, 2300.0),
    Boundary("diesel", 292.0, 336.0, 3.1, 30.0, 2100.0),
    Boundary("gas oil", 354.0, 378.0, 1.9, 40.0, 2000.0),
)
SIDE_STEAM = 3.0
"""Steam to the side strippers, t/h; it joins the vapour above the diesel tray."""

DESIGN_FEED = 600.0
DESIGN_PRESSURE = 150.0
DESIGN_STEAM = 12.0
DESIGN_VAPORISED = 0.538
"""Share of the charge that leaves the furnace as vapour at design."""
DESIGN_REMOVED = 78_000.0
"""Heat taken out above the flash zone at design, kW."""
PUMPAROUND_HEAT = (15_000.0, 23_000.0)
PUMPAROUND_FLOW = (520.0, 400.0)
"""Duty, kW, and flow, t/h, of the top and middle pumparound at design; they only scale sharpness."""
FLOOD_AT = 1.2
"""Vapour load over design at which trays begin to flood."""


class Separation(NamedTuple):
    """What the trays do.

    Attributes:
        cuts: Cut points, degC, ``(n, 7)``.
        sharpness: Fractionation index of each boundary.
        load: Vapour load over design.
        flooding: How far the trays flood, 0 to about 1.
        drop: Pressure drop from flash zone to top, kPa.
    """

    cuts: Array
    sharpness: Array
    load: Array
    flooding: Array
    drop: Array


def separation(
    trays: Array,
    feed: Array,
    vaporised: Array,
    steam: Array,
    carried_water: Array,
    pumparounds: tuple[Array, Array],
    pressure: Array,
    flooded: Array,
    health: Array,
) -> Separation:
    """Cut points and sharpness.

    A tray boils its liquid at the partial pressure of hydrocarbons there; its cut point is the normal
    boiling point that belongs to it (Maxwell and Bonnell), with the distance between the two at design
    held. Sharpness falls with the square root of internal reflux over vapour, which the heat left over from
    the pumparounds decides: the trend of Packie, Trans. AIChE 37, 1941.

    Args:
        trays: Temperatures that set the cut points, degC, ``(n, 7)``.
        feed: Charge without water, t/h.
        vaporised: Share of it that leaves the furnace as vapour.
        steam: Stripping steam at the bottom, t/h.
        carried_water: Water that comes with the charge, t/h.
        pumparounds: Flows of the top and the middle pumparound, t/h.
        pressure: Pressure at the top, kPa.
        flooded: Flooding from a cause outside the load, 0 to 1.
        health: Share of the index that damaged trays keep, ``(n, 7)``.
    """
    vapour = np.maximum(feed * vaporised, 1.0) / (DESIGN_FEED * DESIGN_VAPORISED)
    gases = vapour + (steam - DESIGN_STEAM + carried_water) * 0.02
    load = np.maximum(gases, 0.01) * np.sqrt(DESIGN_PRESSURE / pressure)
    flooding = np.clip(np.logaddexp(0.0, (load - FLOOD_AT) / 0.03) * 0.03 * 4.0, 0.0, 1.0) + flooded
    drop = 40.0 * np.minimum(load, 1.6) ** 1.8 * (1.0 + 1.5 * flooding)
    pressures, shares = _partial(feed, steam + carried_water, pressure, drop / 40.0)
    cuts = atmospheric_equivalent(trays + KELVIN, pressures * shares) - KELVIN + _offsets()[None, :]
    available = DESIGN_REMOVED * vapour
    heat = [
        duty * (np.maximum(flow, 0.0) / design) ** 0.6
        for duty, flow, design in zip(PUMPAROUND_HEAT, pumparounds, PUMPAROUND_FLOW, strict=True)
    ]
    top = np.maximum(available - heat[0] - heat[1], 500.0)
    design_top = DESIGN_REMOVED - sum(PUMPAROUND_HEAT)
    below_top, below_middle = top + heat[0], top + heat[0] + heat[1]
    reflux = np.stack(
        (
            np.ones_like(top),
            top / design_top,
            below_top / (design_top + PUMPAROUND_HEAT[0]),
            below_top / (design_top + PUMPAROUND_HEAT[0]),
            below_middle / DESIGN_REMOVED,
            below_middle / DESIGN_REMOVED,
            np.maximum(steam, 0.5) / DESIGN_STEAM * vapour,
        ),
        axis=1,
    )
    ratio = reflux / np.maximum(vapour, 0.02)[:, None]
    ratio[:, 0] = 1.0
    strength = np.sqrt(np.clip(ratio, 0.05, 2.5))
    strength[:, 6] = np.sqrt(strength[:, 6])
    index = _indices()[None, :] * strength * np.exp(-1.2 * flooding)[:, None] * health
    return Separation(cuts, index, load, flooding, drop)


def _partial(
    feed: Array, steam: Array, pressure: Array, drop_over_design: Array
) -> tuple[Array, Array]:
    drops = np.array([item.drop for item in BOUNDARIES])
    vapour = np.array([item.vapour for item in BOUNDARIES])
    side = np.array([SIDE_STEAM] * 5 + [0.0, 0.0])
    moles = vapour[None, :] * np.maximum(feed, 1.0)[:, None] / DESIGN_FEED
    water = (np.maximum(steam, 0.0)[:, None] + side) * 1000.0 / WATER_MOLAR_MASS
    # Steam condenses in the drum: there the gas boundary sees hydrocarbons only.
    water[:, 0] = 0.0
    return pressure[:, None] + drops * drop_over_design[:, None], moles / (moles + water)


@cache
def _offsets() -> Array:
    trays = np.array([[item.tray for item in BOUNDARIES]])
    one = np.ones(1)
    pressures, shares = _partial(DESIGN_FEED * one, DESIGN_STEAM * one, DESIGN_PRESSURE * one, one)
    there = atmospheric_equivalent(trays + KELVIN, pressures * shares) - KELVIN
    cuts = np.array([item.cut for item in BOUNDARIES])
    offsets: Array = cuts - there[0]
    return offsets


@cache
def _indices() -> Array:
    return np.array([item.index for item in BOUNDARIES])
