"""How sure the worth of a move is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.optimization.rto.posterior import Posterior
from orchestrator.modules.optimization.rto.steady_state import OBJECTIVE
from orchestrator.modules.optimization.steady_model import SteadyModel

Array = NDArray[np.float64]
CHANCE = 0.9
_QUANTILE = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Worth:
    """Gain of a move in the objective's unit: expected, from, to (90 %), and the chance of a gain."""

    expected: float
    low: float
    high: float
    chance: float


def worth(model: SteadyModel, target: Array) -> Worth:
    """Of moving to ``target`` ``(d,)``: variance of the modifiers and of the estimated parameters.

    The latter enters by the slopes of the gain along the parameters (delta method).
    """
    from scipy.special import ndtr

    here, there = model.now[None, :], target[None, :]
    said = Posterior.at(model, there, model.now)
    expected = float(said.objective[0] - Posterior.at(model, here, model.now).objective[0])
    variance = float(said.gain_sd[0] ** 2)
    estimate = model.modifiers.estimate
    if estimate is not None and estimate.sd:
        along = tuple(estimate.sd)
        slopes = [
            model.state.at(p, model.fixed, along=along).slopes[OBJECTIVE][:, 0]
            for p in (there, here)
        ]
        change = np.nan_to_num(slopes[0] - slopes[1])
        variance += float(change @ estimate.covariance @ change)
    sd = variance**0.5
    chance = float(ndtr(expected / sd)) if sd > 0 else float(expected > 0)
    return Worth(expected, expected - _QUANTILE * sd, expected + _QUANTILE * sd, chance)
