"""How the plant differs from the model: modifiers as functions of the position, learned from its past.

The difference d(x) between a measured quantity and the model is a Gaussian process over the scaled
positions x of the handles (Rasmussen and Williams 2006, Gaussian Processes for Machine Learning,
chapter 2): a level of unknown size, plus a smooth part of unknown length and height,

    d(x) = c + s(x) + w,    cov(s(x), s(x')) = f² exp(-|x - x'|² / (2 l²)),

where w wanders with time and with conditions, so that what is old counts less; observed with the
measurement's noise. Its mean is the zeroth-order modifier and the slope of its mean the first-order
modifier of Marchetti, Chachuat and Bonvin (2009); its standard deviation tells where the plant has not been. See del Rio Chanona, Petsagkourakis, Bradford, Alves Graciano and Chachuat
(2021), Comput. Chem. Eng. 147, 107249. Height and length are averaged over a grid by their posterior
weights under a wide prior (Rasmussen and Williams, section 5.2), so that two points do not make a theory
and what the lengths leave open is part of the standard deviation.
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
_MOST_PARTS = 8
_LEAST_WEIGHT = 0.02
"""Pairs of length and height with less than this share of the likeliest one's weight are left out."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The difference of one quantity: a mixture of ``k`` processes, each with its own length and height.

    Attributes:
        at: Scaled positions of what was seen, shape ``(n, d)``.
        weight: Posterior weight of each process, shape ``(k,)``, the likeliest first.
        height: Standard deviation of each smooth part, in the quantity's unit, shape ``(k,)``.
        length: Its length, in scaled positions, shape ``(k,)``.
        level: The constant part as far as it is known, shape ``(k,)``.
    """

    at: Array
    weight: Array
    height: Array
    length: Array
    level: Array
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
        likely = np.argsort(-score, axis=None, kind="stable")[:_MOST_PARTS]
        share = np.exp(score.flat[likely] - score.flat[likely[0]])
        likely, share = likely[share >= _LEAST_WEIGHT], share[share >= _LEAST_WEIGHT]
        i, j = np.unravel_index(likely, score.shape)
        whole = np.swapaxes(inverse[i, j], 1, 2) @ inverse[i, j]
        return cls(
            at=at,
            weight=share / share.sum(),
            height=HEIGHTS[j] * size,
            length=lengths[i],
            level=level[i, j],
            _weights=np.einsum("kab,kb->ka", whole, difference - level[i, j][:, None]),
            _inverse=whole,
            _wandered=wandered[-1, :-1],
            _wander=wander,
        )

    def mean(self, at: Array) -> tuple[Array, Array]:
        """The modifier at scaled positions ``(m, d)``: values ``(m,)`` and slopes ``(d, m)``."""
        apart, smooth = self._cross(at)
        by = smooth * (self._weights * (self.weight / self.length**2)[:, None])[:, None, :]
        slope = -np.einsum("mnd,mn->dm", apart, by.sum(axis=0))
        value: Array = self.weight @ self._means(smooth)
        return value, slope

    def sd(self, at: Array) -> Array:
        """Standard deviation of the modifier at scaled positions ``(m, d)``, shape ``(m,)``."""
        smooth = self._cross(at)[1]
        cross = smooth + self._wandered
        known = cross @ self._inverse
        left = (self.height**2 + self._wander**2)[:, None] - np.sum(known * cross, axis=2)
        level = (1.0 - known.sum(axis=2)) ** 2 / self._inverse.sum(axis=(1, 2))[:, None]
        means = self._means(smooth)
        between = (means - self.weight @ means) ** 2
        spread: Array = np.sqrt(self.weight @ (np.maximum(left, 0.0) + level + between))
        return spread

    def covariance(self, at: Array, other: Array) -> Array:
        """Covariance of the modifier at ``(m, d)`` with that at one position ``(d,)``, shape ``(m,)``."""
        here, there = self._cross(at)[1], self._cross(other[None, :])[1]
        known = (here + self._wandered) @ self._inverse
        apart = np.sum((at - other) ** 2, axis=1)
        own = self.height[:, None] ** 2 * np.exp(-apart / (2 * self.length[:, None] ** 2))
        left = own + self._wander**2 - np.sum(known * (there + self._wandered), axis=2)
        unknown = 1.0 - ((there + self._wandered) @ self._inverse).sum(axis=2)
        unknown = (1.0 - known.sum(axis=2)) * unknown / self._inverse.sum(axis=(1, 2))[:, None]
        means, means_there = self._means(here), self._means(there)
        between = (means - self.weight @ means) * (means_there - self.weight @ means_there)
        shared: Array = self.weight @ (left + unknown + between)
        return shared

    def _means(self, smooth: Array) -> Array:
        """What each process expects, shape ``(k, m)``."""
        cross = smooth + self._wandered
        means: Array = self.level[:, None] + np.einsum("kmn,kn->km", cross, self._weights)
        return means

    def _cross(self, at: Array) -> tuple[Array, Array]:
        """Distances ``(m, n, d)`` and covariances of the smooth parts ``(k, m, n)``."""
        apart = at[:, None, :] - self.at[None, :, :]
        squared = np.sum(apart**2, axis=2) / 2
        return apart, self.height[:, None, None] ** 2 * np.exp(
            -squared / self.length[:, None, None] ** 2
        )
