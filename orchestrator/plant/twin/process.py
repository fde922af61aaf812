"""Dynamics around the steady state: loops, lags, dead times, levels. Mass is conserved at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.dynamics import DeadTimes, Lags
from orchestrator.plant.twin.fractionation import PRODUCTS
from orchestrator.plant.twin.instruments import RESPONSES
from orchestrator.plant.twin.unit import SET_POINTS, steady_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from orchestrator.plant.twin.unit import Drivers

    Array = NDArray[np.float64]

LEVEL_CAPACITY = 260.0
"""Mass between 0 and 100 % of the column bottoms level, t."""
DRUM_CAPACITY = 80.0
"""Mass between 0 and 100 % of the overhead drum level, t."""
LEVEL_MINUTES = 60.0
"""Time constant of the averaging control of the bottoms level."""
DRUM_MINUTES = 25.0
"""Time constant of the averaging control of the drum level."""
DESIGN_NAPHTHA = 84.0
"""Naphtha to the drum at design, t/h; the drum stands half full then."""

INTO = ("FI101", "FI150", "FI140", "FI141")
OUT = (*PRODUCTS, "FI151", "FI213")


class Process:
    """The unit's dynamics, run block by block.

    Args:
        period_minutes: Length of a step, min.
    """

    def __init__(self, period_minutes: float) -> None:
        self._period = period_minutes
        self._loops = Lags([tau / period_minutes for _, tau in SET_POINTS.values()])
        self._delays = DeadTimes([round(r.dead / period_minutes) for r in RESPONSES.values()])
        self._lags = Lags([r.lag / period_minutes for r in RESPONSES.values()])
        self._drum = Lags([DRUM_MINUTES / period_minutes])
        self._bottoms = Lags([LEVEL_MINUTES / period_minutes], start=np.zeros(1))
        self._in_drum: float | None = None
        self._in_bottoms = 0.0

    def reach(self, targets: Array) -> Array:
        """Values that the control loops reach on the way to their targets, ``(n, 12)``."""
        return self._loops.run(targets)

    def run(self, drivers: Drivers, controlled: Mapping[str, Array]) -> dict[str, Array]:
        """True values of all process tags for the next steps.

        Args:
            drivers: What drives the unit.
            controlled: Values of the tags that a loop holds.
        """
        settled = steady_state(drivers)
        stacked = np.ascontiguousarray(np.array([settled[tag] for tag in RESPONSES]).T)
        moved = self._lags.run(self._delays.run(stacked))
        values: dict[str, Array] = {tag: moved[:, i] for i, tag in enumerate(RESPONSES)}
        values.update(controlled)
        hours = self._period / 60.0
        # Averaging level control: the drum holds back naphtha in proportion to what flows out.
        into_drum = values["FI302"]
        out = self._drum.run(into_drum[:, None])[:, 0]
        if self._in_drum is None:
            self._in_drum = 0.5 * DRUM_CAPACITY + (out[0] - DESIGN_NAPHTHA) * DRUM_MINUTES / 60.0
        held = self._in_drum + np.cumsum(into_drum - out) * hours
        self._in_drum = float(held[-1])
        values["FI302"] = out
        values["LI210"] = 100.0 * held / DRUM_CAPACITY
        # What is still missing in the balance gathers in the column bottoms, and its level control lets it
        # out with the residue.
        missing = sum_of(values, INTO) - sum_of(values, OUT) - (into_drum - out)
        bottoms = self._bottoms.run(missing[:, None])[:, 0] * LEVEL_MINUTES / 60.0
        before = np.concatenate(([self._in_bottoms], bottoms[:-1]))
        self._in_bottoms = float(bottoms[-1])
        values["FI306"] = values["FI306"] + missing - (bottoms - before) / hours
        values["LI201"] = 50.0 + 100.0 * bottoms / LEVEL_CAPACITY
        return values


def sum_of(values: Mapping[str, Array], tags: tuple[str, ...]) -> Array:
    """Sum of some tags, t/h."""
    total: Array = np.sum([values[tag] for tag in tags], axis=0)
    return total
