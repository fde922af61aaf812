"""Whether the inputs of a row are like those learnt from: T² and SPE of their principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.soft_sensor.features import Inputs
from orchestrator.modules.forecasting.soft_sensor.samples import Array

EXPLAINED = 0.9
"""Share of the variance that the components kept hold."""
CONFIDENCE = 0.999
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Applicability:
    """How far rows are from those learnt from.

    Attributes:
        t2: Hotelling's T² within the components kept, over its limit, ``(n,)``; above 1 is outside.
        spe: Squared distance from them (squared prediction error), over its limit; above 1 is outside.
        stale: Whether an input has been missing for longer than it ever was in the rows learnt from.
    """

    t2: Array
    spe: Array
    stale: NDArray[np.bool_]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Rows at which the model may be believed."""
        found: NDArray[np.bool_] = (self.t2 <= 1.0) & (self.spe <= 1.0) & ~self.stale
        return found


class Domain:
    """The inputs learnt from.

    The limit of T² is that of the F distribution, the limit of SPE the weighted χ² of Box (Annals of
    Mathematical Statistics 25, 1954), both at 99.9 %; or the 99.9 % quantile seen where that is larger,
    as plant data is neither normal nor independent.

    Args:
        inputs: Process inputs.
        train: First and last row learnt from.
    """

    def __init__(self, inputs: Inputs, train: tuple[int, int]) -> None:
        from scipy.stats import chi2, f

        self._inputs = inputs
        rows = np.arange(train[0], train[1] + 1)
        rows = rows[:: -(-len(rows) // MOST_ROWS)]
        learnt = np.clip(inputs.values[rows], inputs.low, inputs.high)
        self._most_age = inputs.ages[rows].max(axis=0)
        self._centre = learnt.mean(axis=0)
        scale = learnt.std(axis=0)
        self._scale = np.where(scale > 0, scale, 1.0)
        standard = (learnt - self._centre) / self._scale
        variances, axes = np.linalg.eigh(standard.T @ standard / max(1, len(rows) - 1))
        variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
        kept = 1 + int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum()))
        kept = min(kept, len(variances), int((variances > 1e-9).sum()))
        self._axes, self._variances = axes[:, :kept], variances[:kept]
        t2, spe = self._distances(learnt)
        count = len(rows)
        limit = (
            kept * (count**2 - 1) / (count * (count - kept)) * f.ppf(CONFIDENCE, kept, count - kept)
        )
        self._t2_limit = float(max(limit, np.quantile(t2, CONFIDENCE)))
        mean, spread = float(spe.mean()), float(spe.var())
        box = (
            spread / (2 * mean) * chi2.ppf(CONFIDENCE, 2 * mean**2 / spread) if spread > 0 else 0.0
        )
        # rounding alone makes some SPE where the components kept hold everything
        self._spe_limit = float(max(box, np.quantile(spe, CONFIDENCE), 1e-6 * len(variances)))

    def judge(self, rows: NDArray[np.intp]) -> Applicability:
        """How far rows are from what was learnt from."""
        t2, spe = self._distances(self._inputs.values[rows])
        stale = (self._inputs.ages[rows] > self._most_age).any(axis=1)
        return Applicability(t2 / self._t2_limit, spe / self._spe_limit, stale)

    def reasons(self, row: int) -> str:
        """Which inputs put a row outside, most of all first."""
        ages = self._inputs.ages[row] > self._most_age
        names = np.array(self._inputs.names)
        if ages.any():
            return (
                f"no value of {', '.join(names[ages][:3])} for longer than in the rows learnt from"
            )
        standard = (self._inputs.values[row] - self._centre) / self._scale
        rest = standard - self._axes @ (self._axes.T @ standard)
        t2, spe = self._distances(self._inputs.values[[row]])
        if spe[0] / self._spe_limit > t2[0] / self._t2_limit:
            far = np.argsort(-np.abs(rest))[:3]
            return f"{', '.join(names[far])} do not go together as they did"
        far = np.argsort(-np.abs(standard))[:3]
        return f"{', '.join(names[far])} are farther out than they were"

    def _distances(self, values: Array) -> tuple[Array, Array]:
        standard = (values - self._centre) / self._scale
        scores = standard @ self._axes
        t2: Array = (np.square(scores) / self._variances).sum(axis=1)
        spe: Array = np.maximum(
            np.square(standard).sum(axis=1) - np.square(scores).sum(axis=1), 0.0
        )
        return t2, spe
