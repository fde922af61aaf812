"""How long a thing lasts, from runs that ended in failure and runs that did not: Weibull's distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError

Array = NDArray[np.float64]

MIN_FAILURES = 3
MOST_SHAPE = 100.0
LEAST_SHAPE = 0.02
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Weibull:
    """A share ``exp(−(t/scale)^shape)`` lasts longer than ``t`` days.

    Attributes:
        shape: Above 1 it wears out; 1 fails at random, whatever its age; below 1 early.
        scale: Days after which 63 % have failed.
        covariance: Of the logarithms of scale and shape, ``(2, 2)``.
        failures: Runs that ended in failure.
        runs: All runs.
    """

    shape: float
    scale: float
    covariance: Array
    failures: int
    runs: int

    def draws(self, seed: int) -> tuple[Array, Array]:
        """Shapes and scales that the runs allow, ``(1000,)`` each."""
        rng = np.random.default_rng(seed)
        centre = np.log([self.scale, self.shape])
        found = np.exp(rng.multivariate_normal(centre, self.covariance, DRAWS))
        return np.clip(found[:, 1], LEAST_SHAPE, MOST_SHAPE), found[:, 0]

    def remaining(self, age: float, seed: int) -> Array:
        """Days that a run of an age still lasts, one for each draw, ``(1000,)``.

        The spread holds both the chance of life and what the runs leave open of the parameters.
        """
        shape, scale = self.draws(seed)
        chance = np.random.default_rng(seed + 1).exponential(size=len(shape))
        with np.errstate(over="ignore"):
            lasts = scale * ((age / scale) ** shape + chance) ** (1 / shape)
        days: Array = np.maximum(lasts - age, 0.0)
        return days


def fit_weibull(days: Sequence[float], failed: Sequence[bool], name: str) -> Weibull:
    """Maximum likelihood with runs censored on the right (Lawless 2003, section 5.2).

    The scale follows from the shape; the shape is the root of the profile's derivative. The covariance
    is the inverse of the observed information.

    Raises:
        InsufficientDataError: fewer than three failures, or all at the same age.
    """
    t, ended = np.asarray(days, dtype=np.float64), np.asarray(failed, dtype=np.bool_)
    failures = int(ended.sum())
    if failures < MIN_FAILURES:
        raise InsufficientDataError(
            f"{failures} of {len(t)} runs ended in failure or at the limit",
            where=name,
            why=f"a distribution of lives needs at least {MIN_FAILURES}",
            remedy="give more lives, or another model",
        )
    logs = np.log(t / t.max())
    mean = float(logs[ended].mean())

    def slope(shape: float) -> float:
        weight = np.exp(shape * logs)
        return 1 / shape + mean - float(weight @ logs) / float(weight.sum())

    if slope(MOST_SHAPE) > 0:
        raise InsufficientDataError(
            f"all failures are at nearly the same age ({t[ended].mean():.4g} d)",
            where=name,
            why="no spread can be estimated",
            remedy="give the lives to the hour, or plan by that age",
        )
    from scipy.optimize import brentq

    shape = float(brentq(slope, LEAST_SHAPE, MOST_SHAPE))
    scale = float(t.max() * (np.exp(shape * logs).sum() / failures) ** (1 / shape))
    w = shape * np.log(t / scale)
    z = np.exp(w)
    of_scale = shape**2 * z.sum()
    of_both = shape * (failures - float((z * (1 + w)).sum()))
    of_shape = float((z * (w**2 + w)).sum() - w[ended].sum())
    information = np.array([[of_scale, of_both], [of_both, of_shape]])
    return Weibull(shape, scale, np.linalg.inv(information), failures, len(t))
