"""The weighted mean of several models: steadier than the one that happened to do best.

Weights are inverse fourth powers of past mean absolute errors (Bates and Granger 1969 take the inverse
squares of independent errors; the higher power leaves clearly worse models out).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array, Candidate
from orchestrator.modules.forecasting.series import History

POWER = 4
WORST = 1.25


class Combination:
    """Several candidates with their weights, which sum to one."""

    name = "combination"

    def __init__(self, members: Sequence[Candidate], weights: Sequence[float]) -> None:
        self.members = list(members)
        self.weights = list(weights)

    def fit(self, history: History, end: int) -> None:
        for member in self.members:
            member.fit(history, end)

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        parts = [
            weight * member.predict(history, ends, steps)
            for member, weight in zip(self.members, self.weights, strict=True)
        ]
        total: Array = np.sum(parts, axis=0)
        return total


def combined_errors(errors: Mapping[str, Array], ends: NDArray[np.intp], steps: int) -> Array:
    """Errors of the combination at each origin, weighted by what was known of the errors by then.

    Args:
        errors: Actual minus forecast of each candidate, ``(origins, steps)``.
        ends: Rows known at each origin.
        steps: Steps ahead.
    """
    stack = np.stack(list(errors.values()))
    sizes = np.nanmean(np.abs(stack), axis=2)
    known = np.isfinite(sizes).all(axis=0)
    found = np.empty(stack.shape[1:])
    for i, end in enumerate(ends):
        before = known & (ends + steps <= end)
        shares = weights_of(sizes[:, before].mean(axis=1) if before.any() else np.ones(len(stack)))
        found[i] = shares @ stack[:, i]
    return found


def weights_of(mae: Array) -> Array:
    """Weights by mean absolute error; none for what is a quarter worse than the best."""
    size = np.maximum(mae, 1e-12 + 1e-6 * float(mae.max()))
    weights = (size.min() / size) ** POWER
    weights[size > WORST * size.min()] = 0.0
    found: Array = weights / weights.sum()
    return found


def combine(pool: Mapping[str, Candidate], mae: Mapping[str, float]) -> Combination:
    """The combination of the candidates of which the error is known."""
    names = [name for name in mae if name in pool]
    weights = weights_of(np.array([mae[name] for name in names]))
    kept = [(pool[name], float(w)) for name, w in zip(names, weights, strict=True) if w > 0]
    return Combination([member for member, _ in kept], [weight for _, weight in kept])
