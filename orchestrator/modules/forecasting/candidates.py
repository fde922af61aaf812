"""The forecasting models that compete for a target.

A candidate is fitted once on a history and then forecasts from many origins in it, without being
fitted again: that is what makes a rolling-origin comparison of many models affordable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BASELINES = ("naive", "seasonal_naive", "window_average")
MAX_ETS_SEASON = 24
MAX_STATISTICAL_ROWS = 700
MIN_ROWS_LEARNED = 60


class Candidate(Protocol):
    """One forecasting model."""

    name: ClassVar[str]

    def fit(self, values: Array, observed: NDArray[np.bool_]) -> None:
        """Learn from ``values``; those not ``observed`` are interpolated and carry no weight."""

    def predict(self, values: Array, ends: Sequence[int], steps: int) -> Array:
        """Forecasts from the histories ``values[:end]``, shape ``(len(ends), steps)``."""


class Naive:
    """The last value, repeated."""

    name: ClassVar[str] = "naive"

    def fit(self, values: Array, observed: NDArray[np.bool_]) -> None:
        """Nothing to learn."""

    def predict(self, values: Array, ends: Sequence[int], steps: int) -> Array:
        last = values[np.asarray(ends) - 1]
        return np.repeat(last[:, None], steps, axis=1)


class SeasonalNaive:
    """The value one season ago."""

    name: ClassVar[str] = "seasonal_naive"

    def __init__(self, season: int) -> None:
        self._season = season

    def fit(self, values: Array, observed: NDArray[np.bool_]) -> None:
        """Nothing to learn."""

    def predict(self, values: Array, ends: Sequence[int], steps: int) -> Array:
        back = np.arange(steps) % self._season - self._season
        return values[np.asarray(ends)[:, None] + back[None, :]]


class WindowAverage:
    """The mean of the last ``width`` values, repeated."""

    name: ClassVar[str] = "window_average"

    def __init__(self, width: int) -> None:
        self._width = width

    def fit(self, values: Array, observed: NDArray[np.bool_]) -> None:
        """Nothing to learn."""

    def predict(self, values: Array, ends: Sequence[int], steps: int) -> Array:
        means = np.array([values[max(0, end - self._width) : end].mean() for end in ends])
        return np.repeat(means[:, None], steps, axis=1)


class Statistical:
    """A statsforecast model, fitted once and carried forward over each origin's history."""

    name: ClassVar[str] = "statistical"

    def __init__(self, season: int) -> None:
        self.season = season
        self.model: Any = None
        self._start = 0

    def build(self) -> Any:
        """The unfitted model."""
        raise NotImplementedError

    def fit(self, values: Array, observed: NDArray[np.bool_]) -> None:  # noqa: ARG002
        self._start = max(0, len(values) - max(MAX_STATISTICAL_ROWS, 8 * self.season))
        self.model = self.build()
        self.model.fit(values[self._start :])

    def predict(self, values: Array, ends: Sequence[int], steps: int) -> Array:
        # every origin starts where the fit started, so that the season keeps its phase
        parts = [self.model.forward(values[self._start : end], h=steps)["mean"] for end in ends]
        return np.stack(parts)


class ExponentialSmoothing(Statistical):
    """Exponential smoothing; error, trend and season chosen by AICc (AutoETS)."""

    name: ClassVar[str] = "ets"

    def build(self) -> Any:
        from statsforecast.models import AutoETS

        return AutoETS(season_length=self.season if self.season <= MAX_ETS_SEASON else 1)


class Theta(Statistical):
    """The theta method, season by decomposition (AutoTheta)."""

    name: ClassVar[str] = "theta"

    def build(self) -> Any:
        from statsforecast.models import AutoTheta

        return AutoTheta(season_length=self.season)


class Lagged:
    """A regression on past values through mlforecast, step by step into the future."""

    name: ClassVar[str] = "lagged"

    def __init__(self, season: int, seed: int, rows: int) -> None:
        self._seed = seed
        longest = max(4, rows // 5)
        lags = {1, 2, 3, 4, 5, 6, 8, 12, season, 2 * season, season + 1}
        self.lags = sorted(lag for lag in lags if 1 <= lag <= longest)
        self.windows = sorted({w for w in (7, 28, season) if 2 <= w <= longest})
        self._reach = max([*self.lags, *self.windows]) + 2
        self._centre = 0.0
        self._scale = 1.0
        self.forecaster: Any = None

    def build(self) -> Any:
        """The unfitted regressor."""
        raise NotImplementedError

    def fit(self, values: Array, observed: NDArray[np.bool_]) -> None:
        import pandas as pd
        from mlforecast import MLForecast
        from mlforecast.lag_transforms import RollingMean

        self._centre = float(values.mean())
        self._scale = float(values.std()) or 1.0
        self.forecaster = MLForecast(
            models={self.name: self.build()},
            freq=1,
            lags=self.lags,
            lag_transforms={1: [RollingMean(window) for window in self.windows]},
            num_threads=1,
        )
        data = pd.DataFrame(
            {
                "unique_id": 0,
                "ds": np.arange(len(values)),
                "y": (values - self._centre) / self._scale,
                "weight": observed.astype(float),
            }
        )
        self.forecaster.fit(data, static_features=[], weight_col="weight")

    def predict(self, values: Array, ends: Sequence[int], steps: int) -> Array:
        import pandas as pd

        # each origin is a series of its own, so that one call forecasts from all of them
        reach = min(self._reach, *ends)
        rows = np.asarray(ends)[:, None] - reach + np.arange(reach)
        data = pd.DataFrame(
            {
                "unique_id": np.repeat(np.arange(len(ends)), reach),
                "ds": rows.ravel(),
                "y": ((values[rows] - self._centre) / self._scale).ravel(),
            }
        )
        found = self.forecaster.predict(steps, new_df=data)
        scaled: Array = found[self.name].to_numpy(dtype=np.float64).reshape(len(ends), steps)
        return scaled * self._scale + self._centre

    def regressor(self) -> tuple[Any, list[str]]:
        """The fitted regressor and the names of its features."""
        return self.forecaster.models_[self.name], list(self.forecaster.ts.features_order_)


class Ridge(Lagged):
    """Ridge regression on past values."""

    name: ClassVar[str] = "ridge"

    def build(self) -> Any:
        from sklearn.linear_model import Ridge as RidgeRegression

        return RidgeRegression(alpha=1.0)


class GradientBoosting(Lagged):
    """Gradient-boosted trees (LightGBM) on past values."""

    name: ClassVar[str] = "gradient_boosting"

    def build(self) -> Any:
        from lightgbm import LGBMRegressor

        return LGBMRegressor(
            n_estimators=120,
            learning_rate=0.05,
            num_leaves=12,
            min_child_samples=10,
            reg_lambda=1.0,
            random_state=self._seed,
            n_jobs=1,
            deterministic=True,
            force_row_wise=True,
            verbose=-1,
        )


def candidates_for(season: int, steps: int, rows: int, seed: int) -> list[Candidate]:
    """The models that a history of ``rows`` values allows, baselines first."""
    width = max(7, min(steps, 2 * MAX_ETS_SEASON), season)
    found: list[Candidate] = [Naive(), WindowAverage(width)]
    if season > 1:
        found.append(SeasonalNaive(season))
    found += [ExponentialSmoothing(season), Theta(season)]
    if rows >= MIN_ROWS_LEARNED:
        found += [Ridge(season, seed, rows), GradientBoosting(season, seed, rows)]
    return found
