"""What drives the unit besides its handles: crude, weather, fouling and process faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.catalogue import CRUDE_NAMES, EXCHANGER_NAMES, SECTIONS
from orchestrator.plant.twin.crudes import crudes, tables
from orchestrator.plant.twin.dynamics import Coloured, Lags
from orchestrator.plant.twin.unit import Drivers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.plant.twin.faults import Faults
    from orchestrator.plant.twin.scenario import Scenario

    Array = NDArray[np.float64]

UPSETS: dict[str, tuple[float, float]] = {
    "crude": (0.004, 120.0),
    "boiling": (0.5, 90.0),
    "tank": (0.5, 180.0),
    "oxygen": (0.06, 20.0),
    "water": (0.02, 60.0),
}
"""Disturbance -> size and memory (min): share of light for heavy crude, K, K, %, mass %."""

TANK = 32.0
"""Crude tank at design, degC."""
DAILY_SWING = 1.2
"""Half of the tank's daily swing, K."""
OXYGEN = 3.0
"""Oxygen in the flue gas at design, volume %."""
WATER = 0.3
"""Water in the crude at design, mass %."""
BLEND_MINUTES = 25.0
"""Time constant of a change of crude on its way from tank to furnace."""
_CONTAMINANT = {"light": "condensate", "heavy": "bitumen"}


class Conditions:
    """Drivers of the unit.

    Args:
        scenario: Crude, disturbances and slow fouling.
        faults: What goes wrong.
        clean_at: When all exchangers were clean, min after the paced part begins.
        random: Generator of its own.
    """

    def __init__(
        self, scenario: Scenario, faults: Faults, clean_at: float, random: np.random.Generator
    ) -> None:
        period = scenario.period_seconds / 60.0
        self._faults = faults
        self._scenario = scenario
        self._clean_at = clean_at
        self._base = np.array(list(scenario.shares.values()))
        size = scenario.disturbance
        self._upsets = Coloured(
            [size * item[0] for item in UPSETS.values()],
            [item[1] / period for item in UPSETS.values()],
            random,
        )
        self._blend = Lags([BLEND_MINUTES / period] * len(CRUDE_NAMES))
        self._swing = np.zeros(len(CRUDE_NAMES))
        self._swing[CRUDE_NAMES.index("light")] = 1.0
        self._swing[CRUDE_NAMES.index("heavy")] = -1.0
        flat = tables().reshape(len(CRUDE_NAMES), -1)
        self._tables = flat
        self._shape = tables().shape[1:]
        self._differentials = np.array([crude.differential for crude in crudes().values()])
        assert tuple(crudes()) == CRUDE_NAMES

    def run(self, minutes: Array, handles: Array) -> tuple[Drivers, Array]:
        """Drivers at some times, and the crude's price against the benchmark, USD/bbl."""
        rows = len(minutes)
        faults = self._faults
        upset = dict(zip(UPSETS, self._upsets.run(rows).T, strict=True))
        shares = self._blend.run(self._shares(minutes))
        oil = (shares + upset["crude"][:, None] * self._swing) @ self._tables
        swing = self._scenario.disturbance * DAILY_SWING
        trays = np.ones((rows, 1 + len(SECTIONS)))
        for fault in faults.of("tray_damage"):
            struck = slice(1, None)
            if fault.target in SECTIONS:
                struck = slice(1 + SECTIONS.index(fault.target), 2 + SECTIONS.index(fault.target))
            trays[:, struck] *= faults.remaining("tray_damage", fault.target, minutes)[:, None]
        drivers = Drivers(
            handles=handles,
            oil=oil.reshape(rows, *self._shape),
            boiling_shift=upset["boiling"],
            water=np.maximum(
                WATER + upset["water"] + faults.effect("water_slug", "D-101", minutes), 0.02
            ),
            tank=TANK + upset["tank"] + swing * np.sin(2 * np.pi * (minutes / 1440.0 - 0.375)),
            exchangers={
                name: faults.exchanger(
                    name, minutes, self._scenario.fouling_per_day, self._clean_at
                )
                for name in EXCHANGER_NAMES
            },
            oxygen=np.clip(
                OXYGEN + upset["oxygen"] + faults.effect("burner_fault", "H-101", minutes),
                0.3,
                18.0,
            ),
            coke=1.0 - faults.remaining("furnace_fouling", "H-101", minutes),
            furnace_leak=1000.0 * faults.effect("heat_leak", "H-101", minutes),
            column_leak=1000.0 * faults.effect("heat_leak", "C-101", minutes),
            flooded=faults.effect("flooding", "C-101", minutes),
            trays=trays,
        )
        return drivers, shares @ self._differentials

    def calm(self) -> None:
        """No chance from here on: upsets die away."""
        self._upsets.calm()

    def _shares(self, minutes: Array) -> Array:
        shares = np.repeat(self._base[None, :], len(minutes), axis=0)
        for kind in ("crude_switch", "off_spec_crude"):
            for target in dict.fromkeys(fault.target for fault in self._faults.of(kind)):
                left = self._faults.remaining(kind, target, minutes)[:, None]
                name = _CONTAMINANT[target] if kind == "off_spec_crude" else target
                shares *= left
                shares[:, CRUDE_NAMES.index(name)] += 1.0 - left[:, 0]
        return shares
