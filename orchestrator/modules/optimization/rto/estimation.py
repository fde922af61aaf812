"""Parameters of the model from steady data: maximum a posteriori, with what is known beforehand.

Minimises the sum of squared residuals, each over its standard deviation, and of squared deviations of
the parameters from their nominal values, each over its own (Bard 1974, Nonlinear Parameter Estimation,
section 4). The posterior covariance is the inverse of the Gauss-Newton information matrix. A parameter
of which the data tells almost nothing is held at its nominal value, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.optimization.rto.steady_state import SteadyState

Array = NDArray[np.float64]
UNTOLD = 0.97
"""A posterior standard deviation of this share of the prior one means that nothing was learned."""
_FAR = 1e6


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated parameters.

    Attributes:
        values: Name -> value, estimated and held ones.
        sd: Name -> posterior standard deviation of estimated ones.
        covariance: Their covariance, in the order of ``sd``.
        held: Those that the data does not tell.
        residual: Root mean square of the residuals, each over its standard deviation.
    """

    values: dict[str, float]
    sd: dict[str, float]
    covariance: Array
    held: tuple[str, ...]
    residual: float


def estimate(
    state: SteadyState,
    positions: Array,
    measured: Mapping[str, Array],
    sd: Mapping[str, Array],
    fixed: Mapping[str, Array | float],
) -> Estimate:
    """Estimate the parameters that have a prior standard deviation.

    Args:
        state: The model.
        positions: Handles at the steady points, shape ``(n, d)``.
        measured: Name -> values there, shape ``(n,)``; NaN where it was not measured.
        sd: Name -> standard deviation of each, shape ``(n,)``.
        fixed: Values of what else the model reads.
    """
    known = state.model.parameters
    names = [name for name, item in known.items() if item.sd is not None]
    held: list[str] = []
    while names:
        values, jacobian, residual = _fit(state, names, positions, measured, sd, fixed)
        prior = np.array([known[name].sd for name in names], dtype=np.float64)
        information = jacobian.T @ jacobian + np.diag(prior**-2.0)
        covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        spread = np.sqrt(np.diag(covariance))
        told = spread <= UNTOLD * prior
        if told.all():
            return Estimate(
                dict(zip(names, values.tolist(), strict=True)),
                dict(zip(names, spread.tolist(), strict=True)),
                covariance,
                tuple(held),
                residual,
            )
        worst = int(np.argmax(spread / prior))
        held.append(names.pop(worst))
    return Estimate({}, {}, np.zeros((0, 0)), tuple(held), float("nan"))


def _fit(
    state: SteadyState,
    names: list[str],
    positions: Array,
    measured: Mapping[str, Array],
    sd: Mapping[str, Array],
    fixed: Mapping[str, Array | float],
) -> tuple[Array, Array, float]:
    """Values, weighted Jacobian of the data's residuals there, and their root mean square."""
    from scipy.optimize import least_squares

    known = [state.model.parameters[name] for name in names]
    nominal = np.array([item.value for item in known])
    prior = np.array([item.sd for item in known], dtype=np.float64)
    low = np.array([-np.inf if item.low is None else item.low for item in known])
    high = np.array([np.inf if item.high is None else item.high for item in known])
    seen = {name: np.isfinite(values) for name, values in measured.items()}
    memory: dict[bytes, tuple[Array, Array]] = {}
    guess: list[Array | None] = [None]

    def both(x: Array) -> tuple[Array, Array]:
        key = x.tobytes()
        if key not in memory:
            memory.clear()
            values = {**fixed, **dict(zip(names, x.tolist(), strict=True))}
            states = state.steady_states(positions, values, guess[0])
            if np.isfinite(states).all():
                guess[0] = states
            point = state.at(positions, values, states, along=tuple(names))
            rest, slopes = [], []
            for name, there in seen.items():
                weight = 1.0 / sd[name][there]
                difference = (point.values[name] - measured[name])[there] * weight
                rest.append(np.nan_to_num(difference, nan=_FAR))
                slopes.append(np.nan_to_num(point.slopes[name][:, there] * weight).T)
            memory[key] = np.concatenate(rest), np.concatenate(slopes)
        return memory[key]

    result = least_squares(
        lambda x: np.concatenate((both(x)[0], (x - nominal) / prior)),
        nominal,
        jac=lambda x: np.vstack((both(x)[1], np.diag(1.0 / prior))),
        bounds=(low, high),
        x_scale=prior,
        max_nfev=60,
    )
    found = np.asarray(result.x, dtype=np.float64)
    rest, jacobian = both(found)
    return found, jacobian, float(np.sqrt(np.mean(rest**2))) if len(rest) else 0.0
