"""Blending indices: how a property of a mix follows from those of its parts.

A mix has ``index(q) = Σ share · index(q_i)`` with shares by volume or by mass, so that a limit on the
property is a linear limit on the index. Sources:

* ``rvp``: Reid vapour pressure to the power 1.25, by volume (Chevron; Gary, Handwerk and Kaiser,
  Petroleum Refining, 5th ed. 2007, chapter 12). A power needs no unit.
* ``viscosity``: Refutas' viscosity blending number 14.534 ln ln(v + 0.8) + 10.975, v in cSt, by mass
  (Maples, Petroleum Refinery Process Economics, 2nd ed. 2000; ASTM D341 has the double logarithm).
* ``flash``: log10 I = -6.1188 + 2414 / (T - 42.6), T in K, by volume (Wickey and Chittenden, Hydrocarbon
  Processing 42(6), 1963; Riazi, ASTM MNL50, 2005, section 3.6).
* ``cloud``, ``pour``: T^20 and T^12.5, T absolute, by volume (Hu and Burns, Hydrocarbon Processing 49(11),
  1970; exponents 1/0.05 and 1/0.08 as in Riazi 2005).
* ``octane``: the index of research octane in Riazi 2005, section 3.6, by volume; linear blending is the
  default. It is a polynomial by pieces whose pieces do not quite meet, so that they are moved to meet at 76
  and at 103.
* ``api``: gravity, 141.5 / (131.5 + API), by volume: the specific gravity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Basis = Literal["amount", "volume", "mass"]

_REFERENCE = 300.0
_KELVIN = 273.15


@dataclass(frozen=True, slots=True)
class BlendingIndex:
    """An index that blends linearly.

    Attributes:
        name: As a model names it.
        basis: What the shares are of; ``amount`` is the model's own quantity.
        of: Index of a property's value; increasing or decreasing throughout.
        unit: Unit that the formula needs, empty for any.
        lowest: Values must be above it.
        highest: Values must be at most this.
    """

    name: str
    basis: Basis
    of: Callable[[float], float]
    unit: str = ""
    lowest: float = -math.inf
    highest: float = math.inf

    @property
    def rising(self) -> bool:
        """Whether a larger value has a larger index."""
        low = 1.0 if self.lowest < 1.0 else self.lowest + 1.0
        return self.of(low + 10.0) > self.of(low)

    def slope(self, value: float) -> float:
        """Change of the index for one more unit of the property."""
        step = 1e-6 * max(1.0, abs(value))
        low, high = max(value - step, math.nextafter(self.lowest, math.inf)), value + step
        return (self.of(high) - self.of(low)) / (high - low)

    def value(self, index: float) -> float:
        """The property whose index this is; NaN where there is none."""
        if self.name in ("linear", "volume", "mass"):
            return index
        low, high = _bracket(self, index)
        if not low <= high:
            return math.nan
        rising = self.rising
        for _ in range(200):
            middle = 0.5 * (low + high)
            if (self.of(middle) < index) == rising:
                low = middle
            else:
                high = middle
            if high - low <= 1e-13 * max(1.0, abs(middle)):
                break
        return 0.5 * (low + high)

    def fits(self, value: float) -> bool:
        """Whether the formula holds for this value."""
        return self.lowest < value <= self.highest


def _bracket(index: BlendingIndex, wanted: float) -> tuple[float, float]:
    """Values between which the index reaches ``wanted``; the first above the second if nowhere."""
    span = 1e-6 * max(1.0, abs(index.lowest))
    low = index.lowest + span if math.isfinite(index.lowest) else -1e9
    high = index.highest if math.isfinite(index.highest) else 1e9
    at_low, at_high = index.of(low), index.of(high)
    inside = min(at_low, at_high) <= wanted <= max(at_low, at_high)
    return (low, high) if inside else (1.0, 0.0)


def _refutas(viscosity: float) -> float:
    return 14.534 * math.log(math.log(viscosity + 0.8)) + 10.975


def _flash(celsius: float) -> float:
    return float(10.0 ** (-6.1188 + 2414.0 / (celsius + _KELVIN - 42.6)))


def _power(exponent: float) -> Callable[[float], float]:
    return lambda celsius: float(((celsius + _KELVIN) / _REFERENCE) ** exponent)


def _octane(number: float) -> float:
    x = number / 100.0
    if number <= 76.0:
        return _low_octane(x)
    middle = _middle_octane(x) - _middle_octane(0.76) + _low_octane(0.76)
    if number <= 103.0:
        return middle
    top = _middle_octane(1.03) - _middle_octane(0.76) + _low_octane(0.76)
    return _high_octane(x) - _high_octane(1.03) + top


def _low_octane(x: float) -> float:
    return 36.01 + 38.33 * x - 99.8 * x**2 + 341.3 * x**3 - 507.02 * x**4 + 268.64 * x**5


def _middle_octane(x: float) -> float:
    return -299.5 + 1272.0 * x - 1552.9 * x**2 + 651.0 * x**3


def _high_octane(x: float) -> float:
    return 2206.3 - 4313.64 * x + 2178.57 * x**2


INDICES: dict[str, BlendingIndex] = {
    item.name: item
    for item in (
        BlendingIndex("linear", "amount", float),
        BlendingIndex("volume", "volume", float),
        BlendingIndex("mass", "mass", float),
        BlendingIndex("rvp", "volume", lambda p: float(p**1.25), lowest=0.0, highest=1e6),
        BlendingIndex("viscosity", "mass", _refutas, "cSt", lowest=0.2, highest=1e9),
        BlendingIndex("flash", "volume", _flash, "degC", lowest=-60.0, highest=500.0),
        BlendingIndex("cloud", "volume", _power(20.0), "degC", lowest=-_KELVIN, highest=500.0),
        BlendingIndex("pour", "volume", _power(12.5), "degC", lowest=-_KELVIN, highest=500.0),
        BlendingIndex("octane", "volume", _octane, lowest=10.0, highest=130.0),
        BlendingIndex("api", "volume", lambda g: 141.5 / (131.5 + g), lowest=-131.0, highest=1e4),
    )
}
