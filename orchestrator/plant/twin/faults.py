"""How strong each fault of a scenario is at each time, and what it does to the unit's drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from orchestrator.plant.twin.catalogue import FaultKind
    from orchestrator.plant.twin.scenario import Fault

    Array = NDArray[np.float64]

CLEANING_MINUTES = 240.0
"""How long a cleaning takes that says no duration."""
_NEVER = -1e12


def began(fault: Fault, minutes: Array) -> Array:
    """When the fault's latest occurrence began, min after the paced part begins; far past where none has."""
    since = minutes - fault.onset_minutes
    start = np.full_like(minutes, fault.onset_minutes)
    if fault.repeat_minutes is not None:
        start = minutes - since % fault.repeat_minutes
    return np.where(since >= 0, start, _NEVER)


def strength(fault: Fault, minutes: Array) -> Array:
    """Strength from 0 (absent) to 1 (full) at ``minutes`` after the paced part begins."""
    past = minutes - began(fault, minutes)
    active = past < 1e11
    if fault.duration_minutes is not None:
        active = active & (past < fault.duration_minutes)
    if fault.shape == "ramp":
        shape = np.minimum(past / fault.rise_minutes, 1.0)
    elif fault.shape == "exponential":
        shape = 1.0 - np.exp(-3.0 * np.minimum(past / fault.rise_minutes, 200.0))
    else:
        shape = np.ones_like(past)
    return np.where(active, shape, 0.0)


class Faults:
    """All faults of a scenario, by kind."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._of: dict[FaultKind, list[Fault]] = {}
        for fault in self._faults:
            self._of.setdefault(fault.kind, []).append(fault)

    def of(self, *kinds: FaultKind) -> list[Fault]:
        """Faults of some kinds."""
        return [fault for kind in kinds for fault in self._of.get(kind, ())]

    def effect(self, kind: FaultKind, target: str, minutes: Array) -> Array:
        """Sum of magnitude times strength of the faults of one kind on one target."""
        total = np.zeros_like(minutes)
        for fault in self._of.get(kind, ()):
            if fault.target == target:
                total += fault.magnitude * strength(fault, minutes)
        return total

    def remaining(self, kind: FaultKind, target: str, minutes: Array) -> Array:
        """Share from 0 to 1 that faults of one kind leave of a target."""
        share = np.ones_like(minutes)
        for fault in self._of.get(kind, ()):
            if fault.target == target:
                share *= 1.0 - fault.magnitude * strength(fault, minutes)
        return share

    def exchanger(self, name: str, minutes: Array, slow: float, start: float) -> Array:
        """Share of its clean heat transfer that an exchanger has left.

        Fouling faults and slow fouling are removed by a cleaning, during which the exchanger is bypassed.

        Args:
            name: Equipment name.
            minutes: Times, min after the paced part begins.
            slow: Fouling resistance that grows a day, over the clean resistance.
            start: When the exchanger was last clean, min.
        """
        left = np.ones_like(minutes)
        clean_since = np.full_like(minutes, start)
        kept = np.ones_like(minutes)
        for cleaning in self._of.get("exchanger_cleaning", ()):
            if cleaning.target != name:
                continue
            begun = began(cleaning, minutes)
            took = cleaning.duration_minutes or CLEANING_MINUTES
            done = (begun > _NEVER) & (minutes >= begun + took)
            left = np.where((begun > _NEVER) & ~done, 0.0, left)
            clean_since = np.where(done, np.maximum(clean_since, begun + took), clean_since)
            kept = np.where(done, 1.0 - cleaning.magnitude, kept)
        for fault in self._of.get("exchanger_fouling", ()):
            if fault.target == name:
                cleaned = began(fault, minutes) < clean_since
                size = fault.magnitude * strength(fault, minutes) * np.where(cleaned, kept, 1.0)
                left = left * (1.0 - size)
        if slow:
            left = left / (1.0 + slow * np.maximum(minutes - clean_since, 0.0) / 1440.0)
        return left * self.remaining("maintenance_window", name, minutes)

    def active(self, minute: float) -> tuple[str, ...]:
        """Names of the faults present at a minute; a start-up counts as long as the unit is not up."""
        at = np.array([minute])
        return tuple(fault.name for fault in self._faults if presence(fault, at)[0] > 0)

    def named(self, minutes: Array) -> list[str]:
        """Names of the faults present at each time, separated by ``; ``."""
        names = [""] * len(minutes)
        for fault in self._faults:
            for row in np.flatnonzero(presence(fault, minutes) > 0):
                names[row] = f"{names[row]}; {fault.name}" if names[row] else fault.name
        return names


def presence(fault: Fault, minutes: Array) -> Array:
    """Strength, but for a start-up how far the unit still is from being up.

    The unit is cold from the beginning of the paced part until the onset, then comes up.
    """
    if fault.kind != "startup":
        return strength(fault, minutes)
    return np.where(minutes >= 0, 1.0 - strength(fault, minutes), 0.0)
