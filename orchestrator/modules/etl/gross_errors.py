"""Which measurement lies, or where something is lost.

Generalised likelihood ratio with serial compensation (Narasimhan and Mah 1987, AIChE J. 33, 1514):
each explanation leaves a known signature in the checks; the one that explains most of the misfit is
named and taken out, and what is left is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from orchestrator.modules.etl.least_squares import Solution

Array = NDArray[np.float64]
SAME = 1 - 1e-9
LEAST_SIGNATURE = 1e-6
MOST_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """A possible gross error and its signature in the checks, a unit of it in size."""

    kind: Literal["bias", "leak"]
    id: str
    signature: Array


@dataclass(frozen=True, slots=True)
class Culprit:
    """A gross error that was named; ``same_as`` are those that cannot be told from it."""

    kind: Literal["bias", "leak"]
    id: str
    size: float
    confidence: float
    same_as: tuple[str, ...]


def global_critical(dof: int, significance: float) -> float:
    """Critical value of the global test."""
    return float(chi2.ppf(1 - significance, dof)) if dof else 0.0


def search(
    solution: Solution, explanations: list[Explanation], significance: float
) -> list[Culprit]:
    """The gross errors, the likeliest first; none where the data gives no reason to look.

    Biases should stand before leaks: of explanations that the data cannot tell apart the first is
    named. One is named when it explains more than chance would over as many distinct ones (Šidák),
    or when the global test fails and it brings the rest back below its critical value.
    """
    candidates = [
        item for item in explanations if float(np.linalg.norm(item.signature)) > LEAST_SIGNATURE
    ]
    if not candidates or solution.dof == 0:
        return []
    signatures = np.array([item.signature for item in candidates])
    units = signatures / np.linalg.norm(signatures, axis=1, keepdims=True)
    distinct = _distinct(units)
    single = float(chi2.ppf((1 - significance) ** (1 / distinct), 1))
    chosen: list[int] = []
    culprits: list[tuple[int, float, tuple[str, ...]]] = []
    rest = solution.misfit
    space = np.empty((0, solution.dof))
    while len(chosen) < min(MOST_ERRORS, solution.dof):
        free = units - (units @ space.T) @ space
        norms = np.linalg.norm(free, axis=1)
        open_ = norms > LEAST_SIGNATURE
        free = free / np.where(open_, norms, 1.0)[:, None]
        explained = np.where(open_, np.square(free @ rest), 0.0)
        best = int(np.argmax(explained > explained.max() * SAME))
        left = float(rest @ rest) - explained[best]
        dof = solution.dof - len(chosen)
        fails = float(rest @ rest) > global_critical(dof, significance)
        mends = left <= global_critical(dof - 1, significance)
        if explained[best] <= single and not (
            fails and mends and explained[best] > chi2.ppf(1 - significance / 5, 1)
        ):
            break
        same = [
            candidates[i].id
            for i in np.flatnonzero(open_ & (np.abs(free @ free[best]) > SAME))
            if i != best and candidates[i].id != candidates[best].id
        ]
        weights = np.exp(0.5 * (np.append(explained[open_], single) - explained[best]))
        culprits.append((best, float(1 / weights.sum()), tuple(dict.fromkeys(same))))
        chosen.append(best)
        space = np.vstack([space, free[best]])
        rest = rest - free[best] * (free[best] @ rest)
    if not chosen:
        return []
    sizes, *_ = np.linalg.lstsq(signatures[chosen].T, solution.misfit, rcond=None)
    return [
        Culprit(candidates[i].kind, candidates[i].id, float(size), confidence, same_as)
        for (i, confidence, same_as), size in zip(culprits, sizes, strict=True)
    ]


def _distinct(units: Array) -> int:
    """How many of the signatures differ in more than sign."""
    alike = np.abs(units @ units.T) > SAME
    return int((np.argmax(alike, axis=1) == np.arange(len(units))).sum())
