"""The simulated unit, stepped by whoever moves its set points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.rehearsal import Standing
from orchestrator.plant.twin.scenario import Scenario, load_scenario
from orchestrator.plant.twin.simulation import Simulation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """One row of the unit.

    Attributes:
        time: When it was measured, UTC.
        tags: Tags, in the order of the plant file.
        measured: What the sensors show, NaN where there is no sample, ``(n_tags,)``.
        true: True values without noise and sensor faults.
        quality: Quality codes of ``measured``.
    """

    time: datetime
    tags: tuple[str, ...]
    measured: Array
    true: Array
    quality: NDArray[np.uint8]

    def __getitem__(self, tag: str) -> float:
        """What the sensor of a tag shows."""
        return float(self.measured[self.tags.index(tag)])


class Twin:
    """The simulated crude unit, one step at a time; the warm-up of its scenario is left out.

    Args:
        scenario: A scenario, a file, the name of a shipped one, or ``None`` for normal operation.
        seed: Seed of all randomness; the same seed and the same moves give the same readings.

    Raises:
        ConfigurationError: the scenario cannot be read or does not fit the unit.
    """

    def __init__(self, scenario: Scenario | Path | None = None, seed: int = 0) -> None:
        given = Path("normal") if scenario is None else scenario
        self.scenario = given if isinstance(given, Scenario) else load_scenario(given)
        self.plant = load_plant(PLANT_FILE)
        self.seed = seed
        self.reset()

    def reset(self, seed: int | None = None) -> Reading:
        """Begin anew at steady state and take the first reading.

        Args:
            seed: Another seed; else the last one again.
        """
        self.seed = self.seed if seed is None else seed
        self._simulation = Simulation(self.scenario, self.plant, self.seed, 0)
        self._steps = 0
        return self._read()

    def step(self, set_points: Mapping[str, float] | None = None) -> Reading:
        """Send set points to new values and take one step.

        Raises:
            ParameterError: a tag is no set point, or a value is outside its range; then nothing moves.
        """
        for tag, value in (set_points or {}).items():
            self._simulation.handles.check(tag, value)
        for tag, value in (set_points or {}).items():
            self._simulation.handles.send(tag, value)
        return self._read()

    @property
    def set_points(self) -> dict[str, float]:
        """Where each set point has been sent."""
        return dict(self._simulation.handles.targets)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Least and largest value of each set point."""
        handles = self._simulation.handles
        return {name: handles.limits(name) for name in handles.targets}

    @property
    def active_faults(self) -> tuple[str, ...]:
        """Names of the faults present at the last reading."""
        minutes = (self._steps - 1) * self.scenario.period_seconds / 60.0
        return self._simulation.faults.active(minutes)

    def standing(self) -> Standing:
        """The unit as it stands after the last step, to rehearse moves on."""
        return Standing(self._simulation.held(), self.plant)

    def _read(self) -> Reading:
        step = self._simulation.advance(1)
        time = self.scenario.start + timedelta(seconds=self._steps * self.scenario.period_seconds)
        self._steps += 1
        return Reading(time, self._simulation.tags, step.measured[0], step.true[0], step.quality[0])
