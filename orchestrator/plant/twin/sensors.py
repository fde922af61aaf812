"""What transmitters make of true values: noise, bias, drift, spikes, freezing and loss of signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.faults import began, strength

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from orchestrator.plant.twin.faults import Faults
    from orchestrator.plant.twin.scenario import Fault

    Array = NDArray[np.float64]
    Codes = NDArray[np.uint8]

SPIKE_SHARE = 0.03
"""Share of samples that a spiking transmitter spoils."""


class Sensors:
    """All transmitters; keeps what frozen ones hold between blocks.

    Args:
        faults: What is wrong with them.
        noise: Standard deviation of each tag's noise, ``(n_tags,)``.
        areas: Tag -> area, for losses of communication.
        seed: Seed of noise and spikes.
    """

    def __init__(
        self,
        faults: Faults,
        noise: Mapping[str, float],
        areas: Mapping[str, str],
        seed: np.random.SeedSequence,
    ) -> None:
        self._faults = faults
        self._column = {tag: i for i, tag in enumerate(areas)}
        self._areas = np.array(list(areas.values()))
        self._sizes = np.array([noise.get(tag, 0.0) for tag in areas])
        spikes = faults.of("spikes")
        random, *others = seed.spawn(1 + len(spikes))
        self._random = np.random.default_rng(random)
        self._spikes = [
            (fault, np.random.default_rng(child))
            for fault, child in zip(spikes, others, strict=True)
        ]
        self._held: dict[str, float] = {}

    def read(self, true: Array, minutes: Array) -> tuple[Array, Codes]:
        """Readings and their quality codes, ``(n, n_tags)``; NaN and ``NONE`` where a signal is lost."""
        measured = true + self._random.standard_normal(true.shape) * self._sizes
        quality = np.zeros(true.shape, dtype=np.uint8)
        for fault in self._faults.of("meter_bias"):
            self._signal(measured, fault)[:] += fault.magnitude * strength(fault, minutes)
        for fault in self._faults.of("meter_drift"):
            days = (minutes - began(fault, minutes)) / 1440.0
            active = strength(fault, minutes) > 0
            self._signal(measured, fault)[:] += fault.magnitude * np.where(active, days, 0.0)
        for fault, random in self._spikes:
            chance, side = random.random((len(minutes), 2)).T
            struck = (chance < SPIKE_SHARE) & (strength(fault, minutes) > 0)
            self._signal(measured, fault)[struck] += fault.magnitude * np.where(
                side[struck] < 0.5, -1.0, 1.0
            )
        for fault in self._faults.of("frozen_signal", "analyser_fault"):
            self._freeze(fault, self._signal(measured, fault), minutes)
        for fault in self._faults.of("analyser_fault"):
            present = strength(fault, minutes)
            self._signal(measured, fault)[:] += fault.magnitude * present
            quality[present > 0, self._column[fault.target]] = Quality.UNCERTAIN
        for fault in self._faults.of("missing_signal", "lost_communication"):
            lost = strength(fault, minutes) > 0
            if lost.any():
                measured[np.ix_(lost, self._struck(fault))] = np.nan
        quality[np.isnan(measured)] = Quality.NONE
        return measured, quality

    def _signal(self, measured: Array, fault: Fault) -> Array:
        return measured[:, self._column[fault.target]]

    def _struck(self, fault: Fault) -> NDArray[np.intp]:
        if fault.kind == "missing_signal":
            return np.array([self._column[fault.target]])
        if fault.target == "all":
            return np.arange(len(self._areas))
        return np.flatnonzero(self._areas == fault.target)

    def _freeze(self, fault: Fault, signal: Array, minutes: Array) -> None:
        frozen = strength(fault, minutes) > 0
        rows = np.arange(len(signal))
        last_healthy = np.maximum.accumulate(np.where(frozen, -1, rows))
        before = self._held.get(fault.name, float(signal[0]))
        signal[:] = np.where(last_healthy >= 0, signal[np.maximum(last_healthy, 0)], before)
        self._held[fault.name] = float(signal[-1])
