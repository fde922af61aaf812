"""How the plant differs from the model: modifiers as functions of the position, learned from its past.

The difference d(x) between a measured quantity and the model is a Gaussian process over the scaled
positions x of the handles (Rasmussen and Williams 2006, Gaussian Processes for Machine Learning,
chapter 2): a level of unknown size, plus a smooth part of unknown length and height,

    d(x) = c + s(x) + w,    cov(s(x), s(x')) = f² exp(-|x - x'|² / (2 l²)),

where w wanders with time and with conditions, so that what is old counts less; observed with the measurement's noise. Its mean is the zeroth-order modifier and the slope of its mean
the first-order modifier of Marchetti, Chachuat and Bonvin (2009); its standard deviation tells where
the plant has not been. See del Rio Chanona, Petsagkourakis, Bradford, Alves Graciano and Chachuat
(2021), Comput. Chem. Eng. 147, 107249. Height and length are the most probable ones of a grid under a
wide prior, so that two points do not make a theory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LENGTHS = np.array([0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0])
HEIGHTS = 10.0 ** np.linspace(-1.75, 1.25, 9)
WANDER = 0.3
"""Standard deviation of what wanders, over the variation of the model's quantity."""
_LENGTH_PRIOR = (np.log(1.0), 0.5)
_HEIGHT_PRIOR = (np.log(1.0), 0.8)
_NUGGET = 1e-4


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The difference of one quantity.

    Attributes:
        at: Scaled positions of what was seen, shape ``(n, d)``.
        height: Standard deviation of the smooth part, in the quantity's unit.
        length: Its length, in scaled positions.
        level: The constant part as far as it is known.
    """

    at: Array
    height: float
    length: float
    level: float
    _weights: Array
    _inverse: Array
    _wandered: Array
    _wander: float

    @classmethod
    def fit(
        cls, at: Array, difference: Array, noise: Array, size: float, lapse: Array | None = None
    ) -> Mismatch:
        """Learn the difference.

        Args:
            at: Scaled positions, shape ``(n, d)``.
            difference: Plant less model, shape ``(n,)``.
            noise: Standard deviation of each, shape ``(n,)``.
            size: How much the model's quantity varies over the range; the prior's unit.
            lapse: How far apart in time and conditions what was seen is, shape ``(n + 1, n + 1)``, the
                present last; 1 is far. None where nothing changes but the handles.
        """
        d = at.shape[1]
        squared = np.sum((at[:, None, :] - at[None, :, :]) ** 2, axis=2)
        lengths = LENGTHS * np.sqrt(max(1.0, d / 3.0))
        heights = (HEIGHTS * size)[None, :, None, None]
        shape = np.exp(-squared / (2 * lengths[:, None, None] ** 2))[:, None]
        nugget = _NUGGET**2 * np.eye(len(at))
        wander = 0.0 if lapse is None else WANDER * size
        apart = np.zeros((len(at) + 1,) * 2) if lapse is None else lapse
        wandered = wander**2 * np.exp(-apart)
        other = wandered[:-1, :-1] + np.diag(noise**2)
        factor = np.linalg.cholesky(heights**2 * (shape + nugget) + other)
        inverse = np.linalg.inv(factor)
        white, ones = inverse @ difference, inverse.sum(axis=3)
        weight = (ones**2).sum(axis=2)
        level = (white * ones).sum(axis=2) / weight
        score = -0.5 * ((white - level[..., None] * ones) ** 2).sum(axis=2) - 0.5 * np.log(weight)
        score -= np.log(np.diagonal(factor, axis1=2, axis2=3)).sum(axis=2)
        score -= 0.5 * ((np.log(LENGTHS) - _LENGTH_PRIOR[0]) / _LENGTH_PRIOR[1])[:, None] ** 2
        score -= 0.5 * ((np.log(HEIGHTS) - _HEIGHT_PRIOR[0]) / _HEIGHT_PRIOR[1])[None, :] ** 2
        i, j = np.unravel_index(int(np.argmax(score)), score.shape)
        whole = inverse[i, j].T @ inverse[i, j]
        return cls(
            at=at,
            height=float(HEIGHTS[j] * size),
            length=float(lengths[i]),
            level=float(level[i, j]),
            _weights=whole @ (difference - level[i, j]),
            _inverse=whole,
            _wandered=wandered[-1, :-1],
            _wander=wander,
        )

    def mean(self, at: Array) -> tuple[Array, Array]:
        """The modifier at scaled positions ``(m, d)``: values ``(m,)`` and slopes ``(d, m)``."""
        apart, smooth = self._cross(at)
        slope = -np.einsum("mnd,mn,n->dm", apart, smooth, self._weights) / self.length**2
        return self.level + (smooth + self._wandered) @ self._weights, slope

    def sd(self, at: Array) -> Array:
        """Standard deviation of the modifier at scaled positions ``(m, d)``, shape ``(m,)``."""
        cross = self._cross(at)[1] + self._wandered
        known = cross @ self._inverse
        left = self.height**2 + self._wander**2 - np.sum(known * cross, axis=1)
        level = (1.0 - known.sum(axis=1)) ** 2 / self._inverse.sum()
        spread: Array = np.sqrt(np.maximum(left, 0.0) + level)
        return spread

    def covariance(self, at: Array, other: Array) -> Array:
        """Covariance of the modifier at ``(m, d)`` with that at one position ``(d,)``, shape ``(m,)``."""
        there = self._cross(other[None, :])[1] + self._wandered
        known = (self._cross(at)[1] + self._wandered) @ self._inverse
        apart = np.sum((at - other) ** 2, axis=1)
        own = self.height**2 * np.exp(-apart / (2 * self.length**2)) + self._wander**2
        left = own - known @ there[0]
        unknown = (1.0 - known.sum(axis=1)) * (1.0 - (there @ self._inverse).sum())
        shared: Array = left + unknown / self._inverse.sum()
        return shared

    def _cross(self, at: Array) -> tuple[Array, Array]:
        apart = at[:, None, :] - self.at[None, :, :]
        return apart, self.height**2 * np.exp(-np.sum(apart**2, axis=2) / (2 * self.length**2))
