"""The preheat train: five exchangers and the desalter between crude tank and furnace, and what heats it.

tank ─ E-102 ─ E-103 ─ E-106 ─ desalter D-101 ─ E-104 ─ E-105 ─ E-101 ─ furnace
     top PA  kerosene l.diesel                 diesel  mid PA  residue
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.plant.twin.exchangers import Exchanger, Stream, exchange
from orchestrator.plant.twin.thermodynamics import WATER_HEAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EXCHANGERS = {
    item.name: item
    for item in (
        Exchanger("E-101", 345.0, 600.0, 265.0),
        Exchanger("E-102", 225.0, 600.0, 520.0),
        Exchanger("E-103", 62.0, 600.0, 65.0),
        Exchanger("E-104", 62.0, 600.0, 68.0),
        Exchanger("E-105", 300.0, 600.0, 400.0),
        Exchanger("E-106", 66.0, 600.0, 52.0),
    )
}
"""The exchangers by name; E-101 is the last before the furnace."""

WASH_TEMPERATURE = 65.0
"""Wash water to the desalter, degC."""
CARRIED = 0.0015
"""Water that a healthy desalter leaves in the crude, mass share."""
DESALTER_LIMIT = 0.02
"""Water in the raw crude, mass share, above which half of the surplus passes the desalter."""


class Hot(NamedTuple):
    """A hot stream into an exchanger, and its temperature, degC."""

    stream: Stream
    temperature: Array


class Train(NamedTuple):
    """What the preheat train does, temperatures in degC and each of shape ``(n,)``.

    Attributes:
        crude: Crude after E-102, E-103, E-106, the desalter, E-104, E-105 and E-101.
        hot: Outlet of the hot side by exchanger.
        duty: Heat exchanged by exchanger, kW.
        water: Water carried past the desalter, t/h.
        brine: Brine from the desalter, t/h.
        salt: Salt in the desalted crude, g/m³.
        feed: Crude and the water in it, into the furnace.
    """

    crude: tuple[Array, ...]
    hot: dict[str, Array]
    duty: dict[str, Array]
    water: Array
    brine: Array
    salt: Array
    feed: Stream


def preheat(
    crude: Stream,
    raw_water: Array,
    wash: Array,
    tank: Array,
    hot: dict[str, Hot],
    left: dict[str, Array],
) -> Train:
    """Heat the crude.

    Args:
        crude: Crude without water.
        raw_water: Water in it, t/h.
        wash: Wash water to the desalter, t/h.
        tank: Temperature of the crude tank, degC.
        hot: Hot side of each exchanger.
        left: Share of its clean heat transfer that each exchanger has left.
    """
    wet = _with_water(crude, raw_water)
    now = tank
    crude_after: list[Array] = []
    outlets: dict[str, Array] = {}
    duties: dict[str, Array] = {}

    def heat(name: str, cold: Stream, entry: Array) -> Array:
        item = EXCHANGERS[name]
        side = hot[name]
        ua = item.transfer(cold.flow, side.stream.flow, left[name])
        outlets[name], leaving, duties[name] = exchange(
            side.stream, side.temperature, cold, entry, ua
        )
        crude_after.append(leaving)
        return leaving

    for name in ("E-102", "E-103", "E-106"):
        now = heat(name, wet, now)
    dry = np.maximum(crude.flow, 1e-6)
    share = raw_water / dry
    # Little wash water and cold crude separate badly.
    ratio = wash / dry
    efficiency = np.clip(
        0.94 + 0.6 * (ratio - 0.05) + 0.0012 * (now - 115.0) - 2.0 * np.maximum(share - 0.01, 0.0),
        0.0,
        0.985,
    )
    total = raw_water + wash
    carried = np.minimum(
        total, (CARRIED + 0.5 * np.maximum(share - DESALTER_LIMIT, 0.0)) * crude.flow
    )
    mixed = wet.heat(now) + wash * WATER_HEAT / 3.6 * WASH_TEMPERATURE
    now = _with_water(crude, total).temperature(mixed)
    crude_after.append(now)
    feed = _with_water(crude, carried)
    for name in ("E-104", "E-105", "E-101"):
        now = heat(name, feed, now)
    return Train(
        crude=tuple(crude_after),
        hot=outlets,
        duty=duties,
        water=carried,
        brine=total - carried,
        salt=60.0 * (0.3 + 230.0 * share) * (1.0 - efficiency),
        feed=feed,
    )


def _with_water(crude: Stream, water: Array) -> Stream:
    return Stream(crude.a + water * WATER_HEAT / 3.6, crude.b, crude.flow + water)
