"""Counter-current heat exchangers with fouling, closed in energy to rounding.

A stream is its heat content ``a t + b t²`` (kW over liquid at 0 degC, ``t`` in degC), so that outlet
temperatures follow from the heat given up exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEAST = 1e-3
"""Least heat capacity flow, kW/K: a stream that stands still exchanges nothing."""


class Stream(NamedTuple):
    """A liquid stream.

    Attributes:
        a: Linear part of its heat content, kW/K, ``(n,)``.
        b: Quadratic part, kW/K².
        flow: Mass flow, t/h.
    """

    a: Array
    b: Array
    flow: Array

    def heat(self, temperature: Array) -> Array:
        """Heat content, kW."""
        return (self.a + self.b * temperature) * temperature

    def temperature(self, heat: Array) -> Array:
        """Temperature at a heat content, degC."""
        a, b = np.maximum(self.a, LEAST), np.maximum(self.b, 1e-9)
        # The form without cancellation of the root of b t² + a t = heat.
        found: Array = 2.0 * heat / (a + np.sqrt(np.maximum(a * a + 4.0 * b * heat, 0.0)))
        return found


class Exchanger(NamedTuple):
    """One exchanger.

    Attributes:
        name: Equipment name.
        clean: Heat transfer when clean at design flows, kW/K.
        cold: Design flow of the cold side, t/h.
        hot: Design flow of the hot side, t/h.
    """

    name: str
    clean: float
    cold: float
    hot: float

    def transfer(self, cold: Array, hot: Array, left: Array) -> Array:
        """Heat transfer now, kW/K.

        Both films carry half of the clean resistance at design and rise with flow to the power 0.8
        (Dittus and Boelter); fouling adds a resistance that does not depend on flow.

        Args:
            cold: Flow of the cold side, t/h.
            hot: Flow of the hot side, t/h.
            left: Share of the clean heat transfer that fouling leaves at design flows; 0 is a bypass.
        """
        films = (
            0.5 * (self.cold / np.maximum(cold, 1.0)) ** 0.8
            + 0.5 * (self.hot / np.maximum(hot, 1.0)) ** 0.8
        )
        fouling = 1.0 / np.maximum(left, 1e-6) - 1.0
        ua: Array = self.clean / (films + fouling)
        return ua


def exchange(
    hot: Stream, hot_in: Array, cold: Stream, cold_in: Array, ua: Array
) -> tuple[Array, Array, Array]:
    """Outlet temperatures of both sides, degC, and heat exchanged, kW.

    Effectiveness and number of transfer units of a counter-current exchanger (Kays and London, Compact
    Heat Exchangers), with heat capacities at the mean of both inlets.
    """
    middle = hot_in + cold_in
    hot_flow = np.maximum(hot.a + hot.b * middle, LEAST)
    cold_flow = np.maximum(cold.a + cold.b * middle, LEAST)
    smallest = np.minimum(hot_flow, cold_flow)
    # Equal flows are the limit 0/0 of the formula; a ratio just below one is that limit to 1e-9.
    ratio = np.minimum(smallest / np.maximum(hot_flow, cold_flow), 1.0 - 1e-9)
    damping = np.exp(-np.minimum(ua / smallest, 50.0) * (1.0 - ratio))
    heat = (1.0 - damping) / (1.0 - ratio * damping) * smallest * (hot_in - cold_in)
    return (
        hot.temperature(hot.heat(hot_in) - heat),
        cold.temperature(cold.heat(cold_in) + heat),
        heat,
    )
