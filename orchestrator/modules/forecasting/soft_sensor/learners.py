"""The other model families, by libraries: partial least squares, Gaussian process, boosting.

Each takes samples oldest first and gives one column of estimates a variant.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from orchestrator.modules.forecasting.soft_sensor.samples import Array

COMPONENTS = (1, 2, 3, 5, 8, 12)
SCORES = 6
"""Partial least squares scores that the Gaussian process sees."""
MOST_FOR_PROCESS = 400
LEAST_FOR_TREES = 100
TREES_KEPT = 4
"""Calls for which the same trees serve, as they cost most to grow."""


def partial_least_squares(features: Array, values: Array, asked: Array) -> Array:
    """Estimates with each of :data:`COMPONENTS`, ``(n_asked, n_variants)``."""
    scaled, goal, wanted, level, spread = _standard(features, values, asked)
    most = min(max(COMPONENTS), *scaled.shape)
    rotations, loadings = _components(scaled, goal, most)
    each = (wanted @ rotations) * loadings
    total = np.cumsum(each, axis=1)
    picked: Array = total[:, [min(k, most) - 1 for k in COMPONENTS]] * spread + level
    return picked


class GaussianProcess:
    """Linear trend and a smooth departure from it, over partial least squares scores.

    The kernel's parameters are found once from the first samples seen and kept, as they are what a fit
    costs; later fits only take in newer samples.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._kernel: object | None = None

    def __call__(self, features: Array, values: Array, asked: Array) -> Array:
        """Estimates, ``(n_asked, 1)``."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

        features, values = features[-MOST_FOR_PROCESS:], values[-MOST_FOR_PROCESS:]
        scaled, goal, wanted, level, spread = _standard(features, values, asked)
        rotations, _ = _components(scaled, goal, min(SCORES, *scaled.shape))
        scores = scaled @ rotations
        size = np.where((sizes := scores.std(axis=0)) > 0, sizes, 1.0)
        start = self._kernel or (
            ConstantKernel(0.3) * DotProduct(1.0)
            + ConstantKernel(0.3) * RBF(2.0, (0.3, 30.0))
            + WhiteKernel(0.1, (1e-5, 2.0))
        )
        model = GaussianProcessRegressor(
            start,
            optimizer="fmin_l_bfgs_b" if self._kernel is None else None,
            random_state=self._seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a parameter at its bound is an answer
            model.fit(scores / size, goal)
        self._kernel = model.kernel_
        found: Array = model.predict(wanted @ rotations / size)
        return (found * spread + level)[:, None]


class Boosting:
    """Gradient-boosted trees of the change since a reference, which trees cannot extrapolate from.

    Args:
        reference: Column of the features that holds the newest known value; null where there is none.
        seed: Of the trees.
    """

    def __init__(self, reference: int | None, seed: int) -> None:
        self._reference = reference
        self._seed = seed
        self._calls = 0
        self._model: Any = None

    def __call__(self, features: Array, values: Array, asked: Array) -> Array:
        """Estimates, ``(n_asked, 1)``."""
        if self._calls % TREES_KEPT == 0:
            self._model = self._grown(features, values)
        self._calls += 1
        base = 0.0 if self._reference is None else asked[:, self._reference]
        found: Array = np.asarray(self._model.predict(asked)) + base
        return found[:, None]

    def _grown(self, features: Array, values: Array) -> Any:
        import lightgbm

        goal = values if self._reference is None else values - features[:, self._reference]
        options = {
            "objective": "regression", "learning_rate": 0.06, "num_leaves": 8,
            "min_data_in_leaf": 10, "bagging_fraction": 0.7, "bagging_freq": 1,
            "feature_fraction": 0.5, "lambda_l2": 1.0, "num_threads": 1, "max_bin": 63, "verbose": -1,
            "seed": self._seed, "deterministic": True,
        }  # fmt: skip
        return lightgbm.train(options, lightgbm.Dataset(features, goal), num_boost_round=100)


def _components(scaled: Array, goal: Array, count: int) -> tuple[Array, Array]:
    """Rotations ``(p, count)`` and loadings of the target ``(count,)``; earlier ones hold by themselves."""
    from sklearn.cross_decomposition import PLSRegression

    model = PLSRegression(n_components=count, scale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a residual that is nothing ends the components early
        model.fit(scaled, goal)
    return np.asarray(model.x_rotations_), np.asarray(model.y_loadings_).ravel()


def _standard(
    features: Array, values: Array, asked: Array
) -> tuple[Array, Array, Array, float, float]:
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(centre)), scale, np.inf)
    level, spread = float(values.mean()), float(values.std()) or 1.0
    return (
        (features - centre) / scale,
        (values - level) / spread,
        (asked - centre) / scale,
        level,
        spread,
    )
