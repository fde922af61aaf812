"""The laboratory: few samples, late results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.instruments import LABORATORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from orchestrator.plant.twin.instruments import Sampling

    Array = NDArray[np.float64]


class Laboratory:
    """Samples drawn by the clock; each result appears when it is known.

    Args:
        period_minutes: Length of a step, min.
        noise: Scale of the methods' reproducibility.
        seed: Seed of delays and errors.
    """

    def __init__(self, period_minutes: float, noise: float, seed: np.random.SeedSequence) -> None:
        self._period = period_minutes
        self._noise = noise
        self._random = {
            tag: np.random.default_rng(child)
            for tag, child in zip(LABORATORY, seed.spawn(len(LABORATORY)), strict=True)
        }
        self._waiting: dict[str, list[tuple[int, float]]] = {tag: [] for tag in LABORATORY}

    def run(
        self, values: Mapping[str, Array], first: int, clock: float
    ) -> list[tuple[int, str, float]]:
        """Results that become known in the next steps, as (row, tag, value).

        Args:
            values: True values of the laboratory tags.
            first: Number of the first step.
            clock: Time of day at step 0, min after midnight (UTC).
        """
        found = []
        for tag, plan in LABORATORY.items():
            rows = len(values[tag])
            for row in self._drawn(plan, first, rows, clock):
                random = self._random[tag]
                delay = random.uniform(*plan.delay_hours) * 60.0
                error = self._noise * plan.noise * random.standard_normal()
                known = row + max(1, round(delay / self._period))
                self._waiting[tag].append((known, float(values[tag][row - first] + error)))
            waiting = self._waiting[tag]
            if waiting:
                found += [(row - first, tag, value) for row, value in waiting if row < first + rows]
                self._waiting[tag] = [item for item in waiting if item[0] >= first + rows]
        return found

    def _drawn(self, plan: Sampling, first: int, rows: int, clock: float) -> list[int]:
        """Steps at which samples are drawn."""
        every = plan.every_hours * 60.0
        begin = clock + first * self._period - plan.first_hours * 60.0
        number = math.ceil(begin / every - 1e-9)
        found: list[int] = []
        while True:
            row = first + math.ceil((number * every - begin) / self._period - 1e-9)
            if row >= first + rows:
                return found
            found.append(row)
            number += 1
