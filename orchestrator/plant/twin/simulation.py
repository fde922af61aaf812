"""Runs the simulated unit forward: disturbances, faults, dynamics, then what the sensors show."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.crudes import crudes
from orchestrator.plant.twin.faults import Faults
from orchestrator.plant.twin.instruments import LABORATORY, NOISE
from orchestrator.plant.twin.laboratory import Laboratory
from orchestrator.plant.twin.market import (
    DEMAND_PRICE,
    DEMAND_STOCK,
    OVER_CRUDE,
    REPORT,
    STOCK,
    Market,
    report_number,
    report_time,
    stock,
)
from orchestrator.plant.twin.names import check_names
from orchestrator.plant.twin.running import RunningUnit
from orchestrator.plant.twin.sensors import Sensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.plant.tags import Plant
    from orchestrator.plant.twin.scenario import Scenario

    Array = NDArray[np.float64]

MODE = "XI101"
"""Tag of the operating mode: 0 normal, 1 start-up, 2 shutdown, 3 emergency."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some steps of the simulation.

    Attributes:
        minutes: Time of each row after the paced part begins, min; negative in the warm-up.
        true: True values, ``(n, n_tags)``.
        measured: What the sensors show, NaN where there is no sample, ``(n, n_tags)``.
        quality: Quality codes of ``measured``.
    """

    minutes: Array
    true: Array
    measured: Array
    quality: NDArray[np.uint8]


class Simulation:
    """The unit, its market, its sensors and its laboratory under one scenario.

    The same seed gives the same values, however the run is cut into steps.

    Args:
        scenario: What happens.
        plant: Tags, their order in the results, and the limits of the set points.
        seed: Seed of all randomness.
        warm_up_rows: Rows before the paced part begins.

    Attributes:
        start: When the paced part begins; may be set until the first step is taken.

    Raises:
        ConfigurationError: the scenario names a tag that the unit does not have.
    """

    def __init__(self, scenario: Scenario, plant: Plant, seed: int, warm_up_rows: int) -> None:
        check_names(scenario, plant)
        self.tags = plant.tag_names
        self.start: datetime = scenario.start
        self._scenario = scenario
        self._seed = seed
        self._period = scenario.period_seconds / 60.0
        self._row = -warm_up_rows
        self.faults = Faults(scenario.faults)
        parts = np.random.SeedSequence(seed).spawn(6)
        loops, market, self._history = (np.random.default_rng(part) for part in parts[:3])
        size = scenario.disturbance
        self._market = Market(self._period, size, market)
        self._drawn = 0.0
        self._reported: list[tuple[int, float]] = []
        sparse = (*LABORATORY, STOCK)
        self._without_transmitter = np.array([self.tags.index(tag) for tag in sparse])
        self._unit = RunningUnit(
            scenario,
            plant,
            self.faults,
            -warm_up_rows * self._period,
            (loops, np.random.default_rng(parts[3])),
        )
        self.handles = self._unit.handles
        areas = {tag.name: tag.area for tag in plant.tags}
        noise = {tag: scenario.noise * size for tag, size in NOISE.items()}
        self._sensors = Sensors(self.faults, noise, areas, parts[4])
        self._laboratory = Laboratory(self._period, scenario.noise, parts[5])

    def advance(self, rows: int) -> Step:
        """The next ``rows`` steps."""
        first = self._row
        minutes = np.arange(first, first + rows, dtype=np.float64) * self._period
        self._row += rows
        values = self._true_values(minutes)
        true = np.ascontiguousarray(np.array([values[tag] for tag in self.tags]).T)
        measured, quality = self._sensors.read(true, minutes)
        midnight = self.start.hour * 60.0 + self.start.minute + self.start.second / 60.0
        found = self._laboratory.run(values, first, midnight)
        found.extend((row, STOCK, value) for row, value in self._reported)
        self._sparse(found, measured, quality)
        return Step(minutes, true, measured, quality)

    def held(self) -> RunningUnit:
        """A copy of the unit as it stands, to look ahead with; see :meth:`RunningUnit.hold`."""
        found = copy.deepcopy(self._unit)
        found.hold()
        return found

    def daily_prices(self, days: int) -> Array:
        """Prices of the days before the simulation, oldest first, ``(days, n_prices)``.

        The walk is made backwards from where the market starts, so that the two join.
        """
        prices = Market(24 * 60.0, self._scenario.disturbance, self._history).run(days)[::-1].copy()
        prices[:, 0] += self._differential
        return np.round(prices, 2)

    def reported_stock(self, number: int) -> float:
        """Stocks that a weekly report before the simulation stated, kbbl."""
        return round(self._stock(number))

    def _stock(self, number: int) -> float:
        return stock(number, self._seed, self._scenario.disturbance)

    @property
    def _differential(self) -> float:
        known = crudes()
        return sum(
            share * known[name].differential for name, share in self._scenario.shares.items()
        )

    def _sparse(
        self,
        found: list[tuple[int, str, float]],
        measured: Array,
        quality: NDArray[np.uint8],
    ) -> None:
        """Leave of the tags without a transmitter only the results that have just become known."""
        lost = np.isnan(measured)
        measured[:, self._without_transmitter] = np.nan
        quality[:, self._without_transmitter] = Quality.NONE
        for row, tag, value in found:
            column = self.tags.index(tag)
            if not lost[row, column]:
                measured[row, column] = value
                quality[row, column] = Quality.GOOD

    def _true_values(self, minutes: Array) -> dict[str, Array]:
        values, differential = self._unit.run(minutes)
        values[MODE] = self.handles.mode(minutes)
        self._market_values(minutes, differential, values)
        return values

    def _market_values(self, minutes: Array, differential: Array, values: dict[str, Array]) -> None:
        price = self._market.run(len(minutes))
        price[:, 0] += differential
        demanded = np.zeros_like(minutes)
        for i, tag in enumerate(OVER_CRUDE):
            demand = self.faults.effect("demand_change", tag, minutes)
            shock = self.faults.effect("price_shock", tag, minutes)
            values[tag] = np.round(price[:, i] + shock + DEMAND_PRICE * demand, 2)
            if tag != "PR_CRUDE":
                demanded += demand
        drawn = self._drawn + DEMAND_STOCK * np.cumsum(demanded) * self._period / 1440.0
        self._drawn = float(drawn[-1])
        numbers = [
            report_number(self.start + timedelta(minutes=m)) for m in (minutes[0], minutes[-1])
        ]
        values[REPORT] = np.full(len(minutes), float(numbers[0]))
        values[STOCK] = np.full(len(minutes), self._stock(numbers[0]))
        self._reported = []
        for number in range(numbers[0], numbers[1] + 1):
            at = (report_time(number) - self.start) / timedelta(minutes=1)
            since = minutes >= at
            values[REPORT][since] = number
            level = self._stock(number)
            values[STOCK][since] = level
            # The report appears in the first row at or after its time.
            row = int(np.argmax(since))
            if since.any() and minutes[row] - at < self._period:
                self._reported.append((row, float(np.round(level - drawn[row]))))
        values[STOCK] = values[STOCK] - drawn
