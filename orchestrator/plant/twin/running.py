"""The running unit without market and sensors: handles, control loops, conditions and dynamics."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.plant.twin.conditions import Conditions
from orchestrator.plant.twin.dynamics import Coloured
from orchestrator.plant.twin.handles import Handles
from orchestrator.plant.twin.instruments import LOOPS
from orchestrator.plant.twin.process import Process
from orchestrator.plant.twin.unit import Drivers, steady_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from orchestrator.plant.tags import Plant
    from orchestrator.plant.twin.faults import Faults
    from orchestrator.plant.twin.scenario import Scenario

    Array = NDArray[np.float64]


class RunningUnit:
    """The unit under one scenario, run block by block.

    Args:
        scenario: What happens.
        plant: Limits and rates of the set points.
        faults: Faults of the scenario.
        first_minute: Time of the first row, min after the paced part begins.
        randoms: Generators of the loops' errors and of the conditions, each its own.

    Attributes:
        period: Length of a step, min.
        handles: The set points.
        minute: Time of the last row, min after the paced part begins; the first one's before it.
    """

    def __init__(
        self,
        scenario: Scenario,
        plant: Plant,
        faults: Faults,
        first_minute: float,
        randoms: Sequence[np.random.Generator],
    ) -> None:
        self.period = scenario.period_seconds / 60.0
        self.minute = first_minute
        self.handles = Handles(scenario, plant, faults)
        self._faults = faults
        size = scenario.disturbance
        self._loop_errors = Coloured(
            [size * item[1] for item in LOOPS.values()],
            [item[2] / self.period for item in LOOPS.values()],
            randoms[0],
        )
        self._conditions = Conditions(scenario, faults, first_minute, randoms[1])
        self._process = Process(self.period)
        self._present: Drivers | None = None
        self._holding = False

    def run(self, minutes: Array) -> tuple[dict[str, Array], Array]:
        """True values of the unit's tags at the next steps, and the crude's price against the benchmark.

        Args:
            minutes: Time of each row, min after the paced part begins, ``(n,)``.
        """
        rows = len(minutes)
        self.minute = float(minutes[-1])
        working, targets = self.handles.run(minutes, self.period)
        reached = self._process.reach(targets) + self._loop_errors.run(rows)
        controlled = {item[0]: reached[:, i] for i, item in enumerate(LOOPS.values()) if item[0]}
        drivers, differential = self._conditions.run(minutes, reached)
        controlled["TI101"] = drivers.tank
        values = self._process.run(drivers, controlled)
        self._present = _last(drivers)
        for fault in self._faults.of("product_leak"):
            leak = self._faults.effect("product_leak", fault.target, minutes)
            values[fault.target] = values[fault.target] - np.minimum(leak, values[fault.target])
        values.update(working)
        return values, differential

    def hold(self) -> None:
        """Become a unit to look ahead with, that knows nothing of the future of the scenario.

        Weather, crude, fouling and faults stay as they are now, chance disturbances die away as their memory
        has it, and planned moves are forgotten. From here on it is run with :meth:`ahead`.
        """
        self.handles.forget_plans()
        self._loop_errors.calm()
        self._conditions.calm()
        self._holding = True

    def ahead(self, rows: int) -> dict[str, Array]:
        """The next ``rows`` steps of a unit that is held."""
        if not self._holding:
            raise RuntimeError("a unit looks ahead only once it is held")
        return self.run(np.full(rows, self.minute))[0]

    def settled(self, positions: Array) -> dict[str, Array]:
        """True values that the unit would settle at if the present conditions stayed.

        Args:
            positions: Values of the set points, in the order of :data:`SET_POINTS`, ``(n, 12)``.
        """
        if self._present is None:
            raise RuntimeError("nothing has run yet")
        values = steady_state(_repeated(self._present, positions))
        values["TI101"] = np.repeat(self._present.tank, len(positions))
        for i, (tag, (controlled, _, _)) in enumerate(LOOPS.items()):
            values[tag] = positions[:, i]
            if controlled:
                values[controlled] = positions[:, i]
        return values


def _last(drivers: Drivers) -> Drivers:
    """The last row of some drivers."""
    return _each(drivers, lambda values: values[-1:])


def _repeated(drivers: Drivers, positions: Array) -> Drivers:
    rows = len(positions)
    found = _each(drivers, lambda values: np.repeat(values, rows, axis=0))
    return dataclasses.replace(found, handles=positions)


def _each(drivers: Drivers, change: Callable[[Array], Array]) -> Drivers:
    found: dict[str, Any] = {}
    for item in dataclasses.fields(drivers):
        value = getattr(drivers, item.name)
        found[item.name] = (
            {name: change(part) for name, part in value.items()}
            if isinstance(value, dict)
            else change(value)
        )
    return Drivers(**found)
