"""Runs the simulated unit forward: disturbances, faults, dynamics, then what the sensors show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import ConfigurationError
from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.crudes import CRUDES
from orchestrator.plant.twin.dynamics import Coloured, Lags
from orchestrator.plant.twin.faults import Faults, Sensors
from orchestrator.plant.twin.market import OVER_CRUDE, Market
from orchestrator.plant.twin.unit import SET_POINTS, Column, Drivers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.plant.twin.scenario import Scenario

    Array = NDArray[np.float64]

LOOPS: dict[str, tuple[str, float, float]] = {
    "FC101_SP": ("FI101", 1.5, 20.0),
    "TC130_SP": ("TI130", 0.35, 15.0),
    "TC201_SP": ("TI201", 0.25, 15.0),
    "TC202_SP": ("TI202", 0.30, 15.0),
    "TC203_SP": ("TI203", 0.35, 15.0),
    "FC140_SP": ("FI140", 0.06, 10.0),
    "FC211_SP": ("FI211", 2.0, 10.0),
}
"""Set point -> controlled tag, and size (its unit) and memory (min) of what the loop leaves."""

UPSETS: dict[str, tuple[float, float]] = {
    "lights": (0.0002, 120.0),
    "middle": (0.8, 90.0),
    "spread": (0.3, 120.0),
    "tank": (0.5, 180.0),
    "oxygen": (0.06, 20.0),
}
"""Disturbance -> size and memory (min)."""

NOISE: dict[str, float] = {
    "FI101": 1.2,
    "TI101": 0.15,
    "TI102": 0.25,
    "TI103": 0.30,
    "TI104": 0.30,
    "TI105": 0.30,
    "AI101": 0.40,
    "TI130": 0.25,
    "TI131": 0.60,
    "AI130": 0.03,
    "FI130": 0.02,
    "FI140": 0.05,
    "PI201": 0.25,
    "TI201": 0.15,
    "TI202": 0.20,
    "TI203": 0.20,
    "TI204": 0.25,
    "LI201": 0.25,
    "FI210": 1.2,
    "FI211": 1.5,
    "FI301": 0.12,
    "FI302": 0.40,
    "FI303": 0.35,
    "FI304": 0.60,
    "FI305": 0.30,
    "FI306": 1.10,
    "AI302": 0.50,
    "AI303": 0.30,
    "AI304": 0.60,
}
"""Standard deviation of measurement noise, in each tag's unit."""

_FAULT_TAGS = ("meter_bias", "frozen_signal", "missing_signal")
_TANK = 32.0
_DAILY_SWING = 1.2
_OXYGEN = 3.0
_BLEND_MINUTES = 25.0


@dataclass(frozen=True, slots=True)
class Step:
    """Some steps of the simulation.

    Attributes:
        minutes: Time of each row after the paced part begins, min; negative in the warm-up.
        true: True values, ``(n, n_tags)``.
        measured: What the sensors show, NaN where a signal is lost, ``(n, n_tags)``.
        quality: Quality codes of ``measured``.
    """

    minutes: Array
    true: Array
    measured: Array
    quality: NDArray[np.uint8]


class Simulation:
    """The unit, its market and its sensors under one scenario.

    The same seed gives the same values, however the run is cut into steps.

    Args:
        scenario: What happens.
        tags: Tags and their order in the results.
        seed: Seed of all randomness.
        warm_up_rows: Rows before the paced part begins.

    Raises:
        ConfigurationError: the scenario names a tag that the unit does not have.
    """

    def __init__(
        self, scenario: Scenario, tags: Sequence[str], seed: int, warm_up_rows: int
    ) -> None:
        check_names(scenario, tags)
        self.tags = tuple(tags)
        self._scenario = scenario
        self._period = scenario.period_seconds / 60.0
        self._row = -warm_up_rows
        self.faults = Faults(scenario.faults)
        noise, loops, upsets, market, self._history = (
            np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(5)
        )
        self._noise = noise
        self._noise_size = scenario.noise * np.array([NOISE.get(tag, 0.0) for tag in self.tags])
        size = scenario.disturbance
        self._loop_errors = Coloured(
            [size * item[1] for item in LOOPS.values()],
            [item[2] / self._period for item in LOOPS.values()],
            loops,
        )
        self._upsets = Coloured(
            [size * item[0] for item in UPSETS.values()],
            [item[1] / self._period for item in UPSETS.values()],
            upsets,
        )
        self._market = Market(self._period, size, market)
        self._column = Column(self._period)
        self._blend = Lags([_BLEND_MINUTES / self._period] * len(CRUDES))
        self._sensors = Sensors(self.faults, self.tags)
        self.set_points = {
            name: scenario.set_points.get(name, design) for name, (design, _) in SET_POINTS.items()
        }

    def advance(self, rows: int) -> Step:
        """The next ``rows`` steps."""
        minutes = np.arange(self._row, self._row + rows, dtype=np.float64) * self._period
        self._row += rows
        values = self._true_values(minutes)
        true = np.column_stack([values[tag] for tag in self.tags])
        white = self._noise.standard_normal((rows, len(self.tags)))
        measured = true + white * self._noise_size
        lost = self._sensors.apply(measured, minutes)
        measured[lost] = np.nan
        quality = np.where(lost, np.uint8(Quality.NONE), np.uint8(Quality.GOOD)).astype(np.uint8)
        return Step(minutes, true, measured, quality)

    def daily_prices(self, days: int) -> Array:
        """Prices of the days before the simulation, oldest first, ``(days, n_prices)``.

        The walk is made backwards from where the market starts, so that the two join.
        """
        size = self._scenario.disturbance
        crude = CRUDES[self._scenario.crude].differential
        prices = Market(24 * 60.0, size, self._history).run(days)[::-1].copy()
        prices[:, 0] += crude
        return np.round(prices, 2)

    def _true_values(self, minutes: Array) -> dict[str, Array]:
        rows = len(minutes)
        drivers, price = self._drivers(minutes)
        values = self._column.run(drivers)
        for (tag, _, _), reached in zip(LOOPS.values(), drivers.handles.T, strict=True):
            values[tag] = reached
        values["TI101"] = drivers.tank
        for name, value in self.set_points.items():
            values[name] = np.full(rows, value)
        for i, tag in enumerate(OVER_CRUDE):
            shocked = price[:, i] + self.faults.effect("price_shock", tag, minutes)
            values[tag] = np.round(shocked, 2)
        return values

    def _drivers(self, minutes: Array) -> tuple[Drivers, Array]:
        rows = len(minutes)
        upset = dict(zip(UPSETS, self._upsets.run(rows).T, strict=True))
        targets = np.tile(np.array(list(self.set_points.values())), (rows, 1))
        names = list(SET_POINTS)
        for pump, handle in (("P-101", "FC101_SP"), ("P-102", "FC211_SP")):
            targets[:, names.index(handle)] *= self.faults.remaining("pump_trip", pump, minutes)
        handles = self._column.reach(targets) + self._loop_errors.run(rows)
        shares = self._crude_shares(minutes)
        blend = shares @ np.array(
            [[c.lights, c.middle, c.spread, c.density, c.differential] for c in CRUDES.values()]
        )
        prices = self._market.run(rows)
        prices[:, 0] += blend[:, 4]
        swing = self._scenario.disturbance * _DAILY_SWING
        drivers = Drivers(
            handles=handles,
            lights=np.maximum(blend[:, 0] + upset["lights"], 0.001),
            middle=blend[:, 1] + upset["middle"],
            spread=blend[:, 2] + upset["spread"],
            density=blend[:, 3] + 0.5 * upset["middle"],
            tank=_TANK + upset["tank"] + swing * np.sin(2 * np.pi * (minutes / 1440.0 - 0.375)),
            exchanger=self.faults.remaining("exchanger_fouling", "E-101", minutes),
            excess_oxygen=_OXYGEN
            + upset["oxygen"]
            + self.faults.effect("burner_fault", "H-101", minutes),
        )
        return drivers, prices

    def _crude_shares(self, minutes: Array) -> Array:
        shares = np.zeros((len(minutes), len(CRUDES)))
        names = list(CRUDES)
        shares[:, names.index(self._scenario.crude)] = 1.0
        for name in names:
            left = self.faults.remaining("crude_switch", name, minutes)[:, None]
            shares *= left
            shares[:, names.index(name)] += 1.0 - left[:, 0]
        return self._blend.run(shares)


def check_names(scenario: Scenario, tags: Sequence[str]) -> None:
    """Refuse a scenario that names what the unit does not have."""
    for fault in scenario.faults:
        needs_tag = fault.kind in _FAULT_TAGS or fault.kind == "price_shock"
        if needs_tag and fault.target not in tags:
            raise ConfigurationError(
                f"fault {fault.name!r}: no tag {fault.target!r}",
                where=f"scenario {scenario.name!r}",
                remedy=f"one of: {', '.join(tags)}",
            )
    unknown = sorted(scenario.set_points.keys() - SET_POINTS.keys())
    if unknown:
        raise ConfigurationError(
            f"set_points: no set point {unknown[0]!r}",
            where=f"scenario {scenario.name!r}",
            remedy=f"one of: {', '.join(SET_POINTS)}",
        )
