"""How strong each fault of a scenario is at each time, and what it does to the unit's drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from orchestrator.plant.twin.scenario import Fault, FaultKind

    Array = NDArray[np.float64]


def strength(fault: Fault, minutes: Array) -> Array:
    """Strength from 0 (absent) to 1 (full) at ``minutes`` after the paced part begins."""
    since = minutes - fault.onset_minutes
    started = since >= 0
    if fault.repeat_minutes is not None:
        since = np.where(started, since % fault.repeat_minutes, since)
    active = (
        started if fault.duration_minutes is None else started & (since < fault.duration_minutes)
    )
    past = np.maximum(since, 0.0)
    if fault.shape == "ramp":
        shape = np.minimum(past / fault.rise_minutes, 1.0)
    elif fault.shape == "exponential":
        shape = 1.0 - np.exp(-3.0 * past / fault.rise_minutes)
    else:
        shape = np.ones_like(past)
    return np.where(active, shape, 0.0)


class Faults:
    """All faults of a scenario, by kind."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)

    def of(self, *kinds: FaultKind) -> list[Fault]:
        """Faults of some kinds, in the scenario's order."""
        return [fault for fault in self._faults if fault.kind in kinds]

    def effect(self, kind: FaultKind, target: str, minutes: Array) -> Array:
        """Sum of magnitude times strength of the faults of one kind on one target."""
        total = np.zeros_like(minutes)
        for fault in self.of(kind):
            if fault.target == target:
                total += fault.magnitude * strength(fault, minutes)
        return total

    def remaining(self, kind: FaultKind, target: str, minutes: Array) -> Array:
        """Share from 0 to 1 that faults of one kind leave of a target."""
        share = np.ones_like(minutes)
        for fault in self.of(kind):
            if fault.target == target:
                share *= 1.0 - fault.magnitude * strength(fault, minutes)
        return share

    def active(self, minute: float) -> tuple[str, ...]:
        """Names of the faults present at a minute."""
        at = np.array([minute])
        return tuple(fault.name for fault in self._faults if strength(fault, at)[0] > 0)


class Sensors:
    """What transmitters make of true values: bias, freezing and loss of signal.

    Keeps the last healthy value of each frozen signal between blocks.
    """

    def __init__(self, faults: Faults, tags: tuple[str, ...]) -> None:
        self._faults = faults
        self._column = {tag: i for i, tag in enumerate(tags)}
        self._held: dict[str, float] = {}

    def apply(self, measured: Array, minutes: Array) -> NDArray[np.bool_]:
        """Change ``measured`` in place and tell which values are lost, shape ``(n, n_tags)``."""
        lost = np.zeros(measured.shape, dtype=bool)
        for fault in self._faults.of("meter_bias"):
            measured[:, self._column[fault.target]] += fault.magnitude * strength(fault, minutes)
        for fault in self._faults.of("frozen_signal"):
            self._freeze(fault, measured[:, self._column[fault.target]], minutes)
        for fault in self._faults.of("missing_signal"):
            lost[:, self._column[fault.target]] |= strength(fault, minutes) > 0
        return lost

    def _freeze(self, fault: Fault, signal: Array, minutes: Array) -> None:
        frozen = strength(fault, minutes) > 0
        rows = np.arange(len(signal))
        last_healthy = np.maximum.accumulate(np.where(frozen, -1, rows))
        before = self._held.get(fault.name, float(signal[0]))
        signal[:] = np.where(last_healthy >= 0, signal[np.maximum(last_healthy, 0)], before)
        self._held[fault.name] = float(signal[-1])
