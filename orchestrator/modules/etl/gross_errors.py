"""Which measurement lies, or where something is lost.

Generalised likelihood ratio with serial compensation (Narasimhan and Mah 1987, AIChE J. 33, 1514):
each explanation leaves a known signature in the checks. Whether anything is wrong at all is decided by
the tests at their stated significance. Which explanation is named is decided by its posterior
probability, with a normal prior on the size of an error: an explanation that fits slightly better but
would need a far larger error is the less likely one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from orchestrator.modules.etl.least_squares import Solution

Array = NDArray[np.float64]
SAME = 1 - 1e-9
LEAST_SIGNATURE = 1e-6
MOST_ERRORS = 5
TYPICAL_SIZE = 8.0
LEAK_ODDS = 0.5


@dataclass(frozen=True, slots=True)
class Explanation:
    """A possible gross error: its signature in the checks, a unit of it in size, and ``scale``, the
    size of one standard deviation of the meter (of the balance, for a leak)."""

    kind: Literal["bias", "leak"]
    id: str
    signature: Array
    scale: float


@dataclass(frozen=True, slots=True)
class Culprit:
    """A gross error that was named; ``same_as`` are those that cannot be told from it.

    ``group_confidence`` is the posterior of it and these together, ``confidence`` its own share of that.
    """

    kind: Literal["bias", "leak"]
    id: str
    size: float
    size_sd: float
    statistic: float
    confidence: float
    group_confidence: float
    same_as: tuple[str, ...]


def global_critical(dof: int, significance: float) -> float:
    """Critical value of the global test."""
    return float(chdtri(dof, significance)) if dof else 0.0


def sidak_critical(count: int, significance: float) -> float:
    """Two-sided critical value of one of ``count`` tests that hold ``significance`` together."""
    if count < 1:
        return 0.0
    each = 1 - (1 - significance) ** (1 / count)
    return float(-ndtri(each / 2))


def distinct(signatures: Array) -> int:
    """How many of the signatures ``(k, dof)`` differ in more than length and sign."""
    length = np.linalg.norm(signatures, axis=1)
    units = signatures[length > LEAST_SIGNATURE * max(1e-300, float(length.max(initial=0.0)))]
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    alike = np.abs(units @ units.T) > SAME
    return int((np.argmax(alike, axis=1) == np.arange(len(units))).sum()) if len(units) else 0


def search(
    solution: Solution, explanations: list[Explanation], significance: float
) -> list[Culprit]:
    """The gross errors, the likeliest first; none where the data gives no reason to look.

    Of explanations that the data cannot tell apart the one is named whose meter it asks least of; the
    others are listed with it. A next one is named when the likelihood ratio exceeds what chance would give over as many
    distinct ones (Šidák), or when the global test fails and one error mends it.
    """
    candidates = [
        item
        for item in explanations
        if float(np.linalg.norm(item.signature)) * item.scale > LEAST_SIGNATURE
    ]
    if not candidates or solution.dof == 0:
        return []
    signatures = np.array([item.signature for item in candidates])
    single = sidak_critical(distinct(signatures), significance) ** 2
    field = _Field(candidates, signatures)
    chosen: list[int] = []
    found: list[_Likeliest] = []
    while len(chosen) < min(MOST_ERRORS, solution.dof):
        rest = field.after(solution.misfit, chosen)
        likeliest = field.likeliest(rest, chosen)
        if likeliest is None:
            break
        statistic = likeliest.statistic
        total = float(rest @ rest)
        dof = solution.dof - len(chosen)
        fails = total > global_critical(dof, significance)
        mends = total - statistic <= global_critical(dof - 1, significance)
        largest = field.largest(rest, chosen)
        if largest <= single and not (fails and mends and statistic > chdtri(1, significance / 5)):
            break
        chosen.append(likeliest.index)
        found.append(likeliest)
    return field.named(solution.misfit, found)


@dataclass(frozen=True, slots=True)
class _Likeliest:
    """The likeliest explanation: its likelihood-ratio statistic, the posterior of all that look like it,
    and its own share of that."""

    index: int
    statistic: float
    group: float
    share: float


class _Field:
    """All explanations, and what each adds once some are taken for granted."""

    def __init__(self, candidates: list[Explanation], signatures: Array) -> None:
        self._candidates = candidates
        self._signatures = signatures
        self._scale = np.array([item.scale for item in candidates])
        self._prior = np.array([1.0 if c.kind == "bias" else LEAK_ODDS for c in candidates])

    def after(self, misfit: Array, chosen: list[int]) -> Array:
        """What is left of the misfit once the chosen errors are compensated."""
        if not chosen:
            return misfit
        basis, _ = np.linalg.qr(self._signatures[chosen].T)
        rest: Array = misfit - basis @ (basis.T @ misfit)
        return rest

    def _free(self, chosen: list[int]) -> tuple[Array, Array]:
        """Unit signatures beside the chosen ones, and their length for one sd of the meter."""
        free = self._signatures * self._scale[:, None]
        if chosen:
            basis, _ = np.linalg.qr(self._signatures[chosen].T)
            free = free - (free @ basis) @ basis.T
        length = np.linalg.norm(free, axis=1)
        units = free / np.where(length > LEAST_SIGNATURE, length, 1.0)[:, None]
        return np.where(length[:, None] > LEAST_SIGNATURE, units, 0.0), length

    def largest(self, rest: Array, chosen: list[int]) -> float:
        units, _ = self._free(chosen)
        return float(np.square(units @ rest).max(initial=0.0))

    def likeliest(self, rest: Array, chosen: list[int]) -> _Likeliest | None:
        """The likeliest explanation beside the chosen ones, if there is any."""
        units, length = self._free(chosen)
        explained = np.square(units @ rest)
        if not (length > LEAST_SIGNATURE).any():
            return None
        # Bayes factor of one error of size N(0, (TYPICAL_SIZE sd)²) against none
        gain = np.square(TYPICAL_SIZE * length)
        support = 0.5 * explained * gain / (1 + gain) - 0.5 * np.log1p(gain)
        support = np.where(length > LEAST_SIGNATURE, support + np.log(self._prior), -np.inf)
        alike = np.abs(units @ units.T) > SAME
        first = np.argmax(alike, axis=1) == np.arange(len(units))
        classes = np.array([support[row].max() if row.any() else -np.inf for row in alike])
        top = int(np.argmax(np.where(first, classes, -np.inf)))
        # of those that look alike, the one that needs the smallest error for its meter
        best = int(np.argmax(np.where(alike[top], support, -np.inf)))
        # none at all has the weight of all single explanations together
        weights = np.exp(classes[first & np.isfinite(classes)] - classes[best])
        nothing = len(weights) * np.exp(-classes[best])
        group = float(1 / (weights.sum() + nothing))
        # within its class the data say nothing: prior and gain alone divide it
        within = float(np.exp(support[alike[top]] - support[best]).sum())
        return _Likeliest(best, float(explained[best]), group, group / within)

    def named(self, misfit: Array, found: list[_Likeliest]) -> list[Culprit]:
        if not found:
            return []
        chosen = [item.index for item in found]
        matrix = self._signatures[chosen].T
        sizes, *_ = np.linalg.lstsq(matrix, misfit, rcond=None)
        spread = np.sqrt(np.diag(np.linalg.pinv(matrix.T @ matrix)))
        culprits = []
        for k, index in enumerate(chosen):
            units, _ = self._free(chosen[:k])
            same = [
                self._candidates[i].id
                for i in np.flatnonzero(np.abs(units @ units[index]) > SAME)
                if i != index and self._candidates[i].id != self._candidates[index].id
            ]
            item = self._candidates[index]
            culprits.append(
                Culprit(
                    kind=item.kind,
                    id=item.id,
                    size=float(sizes[k]),
                    size_sd=float(spread[k]),
                    statistic=float(np.sqrt(found[k].statistic)),
                    confidence=found[k].share,
                    group_confidence=found[k].group,
                    same_as=tuple(dict.fromkeys(same)),
                )
            )
        return culprits
