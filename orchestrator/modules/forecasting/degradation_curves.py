"""The curves by which things foul, age and clog, and when each reaches a limit.

Every curve is linear in a start level ``b`` and (where it has one) a second coefficient ``g``, given one
shape ``s``, and ``t`` is the age since the last cleaning in days:

============== ============================== ===========================================================
linear         ``b + g t``                    constant rate; cake filtration at constant flow (Hermia 1982)
falling_rate   ``b + g (√(1 + t/s) − 1)``     rate inverse to the deposit (Epstein 1983)
asymptotic     ``g + (b − g) exp(−t/s)``      deposit against removal (Kern and Seaton 1959)
accelerating   ``g + (b − g) exp(t/s)``       rate grows with the deposit; temperature that makes up for a
                                              dying catalyst near the end of its run
exponential    ``b exp(±s t)``                first-order deactivation (Levenspiel 1999); rising,
                                              intermediate blocking of a filter (Hermia 1982)
hyperbolic     ``b / (1 + s t)``              second-order deactivation, sintering (Levenspiel 1999)
blocking       ``b / (1 − s t)``              complete blocking of a filter at constant flow (Hermia 1982)
============== ============================== ===========================================================

The first four are closed under a later start of the record but for ``b`` and the shape, so that the age at
its start need not be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.degradation_models import CurveName, DegradationKind

Array = NDArray[np.float64]
Sign = Literal[1, -1]
"""1 where the value rises as it degrades, −1 where it falls."""

CURVES: tuple[CurveName, ...] = get_args(CurveName)
OF_KIND: dict[DegradationKind, tuple[CurveName, ...]] = {
    "fouling": ("linear", "falling_rate", "asymptotic"),
    "catalyst": ("linear", "exponential", "hyperbolic", "accelerating"),
    "filter": ("linear", "exponential", "blocking"),
}
POSITIVE = ("exponential", "hyperbolic", "blocking")
"""Curves that scale with their start: the value has to be above zero."""
ONE_WAY: dict[CurveName, Sign] = {"hyperbolic": -1, "blocking": 1}
_SPANS: dict[CurveName, tuple[float, float]] = {
    "falling_rate": (1e-3, 10.0),
    "asymptotic": (0.02, 10.0),
    "accelerating": (0.12, 10.0),
    "exponential": (1e-5, 5.0),
    "hyperbolic": (1e-5, 20.0),
    "blocking": (1e-5, 0.995),
}
"""Where shapes are looked for: times over the longest run, or rates times it."""
LARGEST_EXPONENT = 600.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One of the curves, for a value that degrades in one direction."""

    name: CurveName
    sign: Sign

    @property
    def has_gain(self) -> bool:
        """Whether it has the second coefficient ``g``."""
        return self.name not in POSITIVE

    @property
    def parameters(self) -> int:
        """Parameters beside the start levels."""
        return int(self.has_gain) + int(self.name != "linear")

    def shapes(self, longest: float, count: int) -> Array:
        """Shapes to look through for runs of at most ``longest`` days, ``(count,)``."""
        if self.name == "linear":
            return np.array([1.0])
        low, high = _SPANS[self.name]
        scale = longest if self.has_gain else 1.0 / longest
        return np.geomspace(low * scale, high * scale, count)

    def bases(self, age: Array, shape: Array | float) -> tuple[Array, Array]:
        """What ``b`` and ``g`` are multiplied by; ``g`` by 0 where the curve has none."""
        one, zero = np.ones_like(age * shape), np.zeros_like(age * shape)
        if self.name == "linear":
            return one, age + zero
        if self.name == "falling_rate":
            return one, np.sqrt(1.0 + age / shape) - 1.0
        if self.name in ("asymptotic", "accelerating"):
            way = -1.0 if self.name == "asymptotic" else 1.0
            part = np.exp(np.minimum(way * age / shape, LARGEST_EXPONENT))
            return part, 1.0 - part
        if self.name == "exponential":
            return np.exp(np.minimum(self.sign * age * shape, LARGEST_EXPONENT)), zero
        if self.name == "hyperbolic":
            return 1.0 / (1.0 + age * shape), zero
        left = 1.0 - age * shape
        return np.where(left > 0, 1.0 / np.where(left > 0, left, 1.0), np.inf), zero

    def value(self, age: Array, b: Array, g: Array, shape: Array) -> Array:
        """Values at ages; everything broadcasts."""
        of_b, of_g = self.bases(age, shape)
        found: Array = b * of_b + g * of_g
        return found

    def degrades(self, b: Array, g: Array) -> NDArray[np.bool_]:
        """Whether the value moves in the direction of the sign."""
        found: NDArray[np.bool_]
        if self.name in ("linear", "falling_rate"):
            found = self.sign * g > 0
        elif self.name == "asymptotic":
            found = self.sign * (g - b) > 0
        elif self.name == "accelerating":
            found = self.sign * (b - g) > 0
        else:
            found = b > 0
        return found

    def age_at(self, limit: float, b: Array, g: Array, shape: Array) -> Array:
        """Age at which ``limit`` is reached, d; 0 where it starts beyond, inf where never."""
        with np.errstate(all="ignore"):
            if self.name == "linear":
                age = (limit - b) / g
            elif self.name == "falling_rate":
                age = shape * ((1.0 + (limit - b) / g) ** 2 - 1.0)
            elif self.name in ("asymptotic", "accelerating"):
                way = -1.0 if self.name == "asymptotic" else 1.0
                age = way * shape * np.log((g - limit) / (g - b))
            elif self.name == "exponential":
                age = self.sign * np.log(limit / b) / shape
            elif self.name == "hyperbolic":
                age = (b / limit - 1.0) / shape
            else:
                age = (1.0 - b / limit) / shape
        known = np.where(np.isfinite(age) & self.degrades(b, g), age, np.inf)
        return np.where(self.sign * (b - limit) >= 0, 0.0, np.maximum(known, 0.0))


def curves_for(
    kind: DegradationKind, model: CurveName | Literal["auto"], sign: Sign, *, positive: bool
) -> list[Curve]:
    """The curves to try: those of the kind, or the one named, as far as direction and values allow."""
    names = OF_KIND[kind] if model == "auto" else (model,)
    return [
        Curve(name, sign)
        for name in names
        if ONE_WAY.get(name, sign) == sign
        and (positive or name not in POSITIVE)
        # a curve with a fixed start in its rate means nothing where values fall but need not
        and not (model == "auto" and name == "accelerating" and sign < 0)
    ]
