"""The unit's handles: set points with limits and rates, and what start-ups and trips do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import ParameterError
from orchestrator.plant.twin.catalogue import COLD, PUMPS, TRIPPED
from orchestrator.plant.twin.faults import presence
from orchestrator.plant.twin.unit import SET_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.plant.tags import Plant
    from orchestrator.plant.twin.faults import Faults
    from orchestrator.plant.twin.scenario import Scenario

    Array = NDArray[np.float64]

MODES = (("startup", 1.0), ("shutdown", 2.0), ("emergency", 3.0))
"""Event -> value of the mode tag; a later one goes before."""
_PRESENT = 0.02


class Handles:
    """Set points: each goes to where it is sent at its rate limit.

    Args:
        scenario: Where they start, and planned moves.
        plant: Limits (``normal``) and rates (``rate_limit``, a minute) of the set points.
        faults: Events that drive them.
    """

    def __init__(self, scenario: Scenario, plant: Plant, faults: Faults) -> None:
        self._faults = faults
        self._moves = sorted(scenario.moves, key=lambda move: move.at_minutes)
        self._tags = {name: plant.tag(name) for name in SET_POINTS}
        self._rates = np.array([tag.rate_limit or np.inf for tag in self._tags.values()])
        self.targets = {
            name: float(scenario.set_points.get(name, design))
            for name, (design, _) in SET_POINTS.items()
        }
        self._now = np.array(list(self.targets.values()))
        self._cold = np.array([COLD.get(name, np.nan) for name in SET_POINTS])
        self._tripped = np.array([TRIPPED.get(name, np.nan) for name in SET_POINTS])

    def limits(self, name: str) -> tuple[float, float]:
        """Least and largest value of a set point, in its tag's unit."""
        low, high = self._tags[name].normal or (-np.inf, np.inf)
        return float(low), float(high)

    def check(self, name: str, value: float) -> None:
        """Refuse what is not a set point or not in its range.

        Raises:
            ParameterError: the tag is not a set point, or the value is outside its range.
        """
        if name not in self.targets:
            raise ParameterError(
                f"{name!r} is not a set point of the simulated unit",
                remedy=f"one of: {', '.join(self.targets)}",
            )
        low, high = self.limits(name)
        if not low <= value <= high:
            raise ParameterError(
                f"{name} = {value} is outside its range",
                remedy=f"choose from {low:g} to {high:g} {self._tags[name].unit}",
            )

    def send(self, name: str, value: float) -> None:
        """Send a set point to a value; it moves from the next step on.

        Raises:
            ParameterError: the tag is not a set point, or the value is outside its range.
        """
        self.check(name, value)
        self.targets[name] = float(value)

    def forget_plans(self) -> None:
        """Drop the planned moves that are still to come."""
        self._moves = []

    def run(self, minutes: Array, period: float) -> tuple[dict[str, Array], Array]:
        """Working set points by tag, and what the loops are driven to, ``(n, 12)``."""
        working = self._ramped(minutes, period)
        cold = np.maximum.reduce(
            [np.zeros(len(minutes))]
            + [f.magnitude * presence(f, minutes) for f in self._faults.of("startup", "shutdown")]
        )
        if cold.any():
            working += cold[:, None] * (self._cold - working)
        targets = working.copy()
        for fault in self._faults.of("emergency"):
            gone = fault.magnitude * presence(fault, minutes)
            away = np.where(np.isnan(self._tripped), 0.0, self._tripped - targets)
            targets += gone[:, None] * np.minimum(away, 0.0)
        names = list(SET_POINTS)
        for pump, handle in PUMPS.items():
            column = names.index(handle)
            targets[:, column] *= self._faults.remaining("pump_trip", pump, minutes)
            targets[:, column] *= self._faults.remaining("maintenance_window", pump, minutes)
        return {name: working[:, i] for i, name in enumerate(names)}, targets

    def mode(self, minutes: Array) -> Array:
        """Operating mode: 0 normal, 1 start-up, 2 shutdown, 3 emergency."""
        mode = np.zeros(len(minutes))
        for kind, value in MODES:
            for fault in self._faults.of(kind):  # type: ignore[arg-type]
                mode[presence(fault, minutes) > _PRESENT] = value
        return mode

    def _ramped(self, minutes: Array, period: float) -> Array:
        """Set points on their way, cut where a planned move begins."""
        rows = len(minutes)
        out = np.empty((rows, len(self._now)))
        cuts = [0, rows]
        while self._moves and self._moves[0].at_minutes <= minutes[-1]:
            move = self._moves.pop(0)
            row = int(np.searchsorted(minutes, move.at_minutes))
            self._ramp(out, cuts[-2], row, period)
            cuts.insert(-1, row)
            self.targets[move.tag] = move.to
        self._ramp(out, cuts[-2], rows, period)
        return out

    def _ramp(self, out: Array, first: int, last: int, period: float) -> None:
        if last <= first:
            return
        way = np.array(list(self.targets.values())) - self._now
        if not way.any():
            out[first:last] = self._now
            return
        reach = np.arange(1, last - first + 1)[:, None] * (self._rates * period)
        out[first:last] = self._now + np.sign(way) * np.minimum(np.abs(way), reach)
        self._now = out[last - 1].copy()
