"""What the corrected model says and how surely: money and limits with their standard deviations.

Uncertainty of the modifiers is carried to money and limits by their slopes along what is measured
(delta method); the modifiers of different quantities are taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from orchestrator.modules.optimization.rto.steady_state import OBJECTIVE
from orchestrator.modules.optimization.steady_model import SteadyModel

Array = NDArray[np.float64]
PENALTY = 10.0
"""What one scale of a broken limit costs, in spreads of the objective over the range."""
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Posterior:
    """At ``n`` positions.

    Attributes:
        objective: Expected objective, shape ``(n,)``; -inf where there is no steady state.
        gain_sd: Standard deviation of the objective less that at the reference, shape ``(n,)``.
        excess: Expected excess of each limit over its scale, shape ``(n, limits)``.
        excess_sd: Its standard deviation, shape ``(n, limits)``.
    """

    objective: Array
    gain_sd: Array
    excess: Array
    excess_sd: Array

    @classmethod
    def at(cls, model: SteadyModel, positions: Array, reference: Array) -> Posterior:
        """Evaluate at positions ``(n, d)``; gains are counted from ``reference`` ``(d,)``."""
        every = np.vstack((positions, reference))
        values, slopes = model.along_measured(every)
        objective = np.where(np.isfinite(values[OBJECTIVE]), values[OBJECTIVE], -np.inf)
        modifiers = model.modifiers
        scaled = modifiers.range.scaled(every)
        gain = np.zeros(len(every))
        limits = np.zeros((len(every), len(model.limits)))
        for i, item in enumerate(modifiers.mismatch.values()):
            sd = item.sd(scaled)
            shared = item.covariance(scaled, scaled[-1])
            own = np.nan_to_num(slopes[OBJECTIVE][i])
            gain += (own * sd) ** 2 + (own[-1] * sd[-1]) ** 2 - 2 * own * own[-1] * shared
            for k, limit in enumerate(model.limits):
                if limit.name in slopes:
                    limits[:, k] += (slopes[limit.name][i] * sd / limit.scale) ** 2
        excess = model.excesses_of(values)
        return cls(
            objective[:-1],
            np.sqrt(np.maximum(gain[:-1], 0.0)),
            excess[:-1],
            np.sqrt(np.nan_to_num(limits[:-1])),
        )

    @staticmethod
    def noise(model: SteadyModel, noise: Mapping[str, float]) -> float:
        """Standard deviation of the objective at the present point from measurement noise alone."""
        _, slopes = model.along_measured(model.now[None, :])
        by = zip(model.modifiers.mismatch, np.nan_to_num(slopes[OBJECTIVE][:, 0]), strict=True)
        return float(sum((slope * noise.get(name, 0.0)) ** 2 for name, slope in by) ** 0.5)

    def merit(self, spread: float, allowed: Array | float = 0.0) -> Array:
        """Objective less a penalty for what is broken beyond ``allowed``, shape ``(n,)``."""
        broken = np.maximum(self.excess - allowed - 1e-6, 0.0)
        merit: Array = self.objective - PENALTY * spread * broken.sum(axis=1)
        return merit

    def feasible(self, allowed: Array | float = 0.0, doubt: float = 1.0) -> Array:
        """Chance that no limit is broken beyond ``allowed``, shape ``(n,)``."""
        room = allowed + 1e-6 - self.excess
        chance: Array = ndtr(room / np.maximum(doubt * self.excess_sd, _LEAST)).prod(axis=1)
        return chance

    def expected_improvement(
        self, best: float, allowed: Array | float = 0.0, doubt: float = 1.0
    ) -> Array:
        """Expected gain over ``best`` where it is a gain, times the chance that limits hold.

        Jones, Schonlau and Welch (1998), J. Global Optimization 13:455; with constraints Schonlau,
        Welch and Jones (1998). ``doubt`` widens the standard deviations: lengths that few points told
        are often told too long.
        """
        gain = self.objective - best
        sd = np.maximum(doubt * self.gain_sd, _LEAST)
        z = np.where(np.isfinite(gain), gain / sd, -40.0)
        density = np.exp(-0.5 * np.minimum(z * z, 1400.0)) / np.sqrt(2 * np.pi)
        improvement = np.where(np.isfinite(gain), gain * ndtr(z) + sd * density, 0.0)
        return np.maximum(improvement, 0.0) * self.feasible(allowed, doubt)
