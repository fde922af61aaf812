"""Regressions on past values and known inputs through mlforecast, step by step into the future."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.series import History

if TYPE_CHECKING:
    import pandas as pd


class Lagged:
    """A regression on the target's lags, its moving means, and the known inputs of the step."""

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
        self._known_centre = np.zeros(0)
        self._known_scale = np.ones(0)
        self.forecaster: Any = None

    def build(self) -> Any:
        """The unfitted regressor."""
        raise NotImplementedError

    def fit(self, history: History, end: int) -> None:
        import pandas as pd
        from mlforecast import MLForecast
        from mlforecast.lag_transforms import RollingMean

        values, observed = history.values[:end], history.observed[:end]  # noqa: PD011
        self._centre = float(values.mean())
        self._scale = float(values.std()) or 1.0
        if history.inputs.known is not None:
            self._known_centre = history.inputs.known[:end].mean(axis=0)
            spread = history.inputs.known[:end].std(axis=0)
            self._known_scale = np.where(spread > 0, spread, 1.0)
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
                "ds": np.arange(end),
                "y": (values - self._centre) / self._scale,
                "weight": observed.astype(float),
            }
        )
        self.forecaster.fit(
            self._with_known(data, history, np.arange(end)), static_features=[], weight_col="weight"
        )

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        return self._ahead(history, ends, steps, None)

    def _ahead(
        self,
        history: History,
        ends: Sequence[int],
        steps: int,
        look: Callable[[pd.DataFrame], pd.DataFrame] | None,
    ) -> Array:
        import pandas as pd

        # each origin is a series of its own, so that one call forecasts from all of them
        reach = min(self._reach, *ends)
        first = np.asarray(ends)[:, None]
        rows = (first - reach + np.arange(reach)).ravel()
        data = pd.DataFrame(
            {
                "unique_id": np.repeat(np.arange(len(ends)), reach),
                "ds": rows,
                "y": (history.values[rows] - self._centre) / self._scale,  # noqa: PD011
            }
        )
        ahead = (first + np.arange(steps)).ravel()
        coming = pd.DataFrame({"unique_id": np.repeat(np.arange(len(ends)), steps), "ds": ahead})
        found = self.forecaster.predict(
            steps,
            before_predict_callback=look,
            new_df=self._with_known(data, history, rows),
            X_df=None if history.inputs.known is None else self._with_known(coming, history, ahead),
        )
        scaled: Array = found[self.name].to_numpy(dtype=np.float64).reshape(len(ends), steps)
        return scaled * self._scale + self._centre

    def regressor(self) -> tuple[Any, list[str]]:
        """The fitted regressor and the names of its features."""
        return self.forecaster.models_[self.name], list(self.forecaster.ts.features_order_)

    def features_ahead(self, history: History, steps: int) -> tuple[Array, float]:
        """Features of each step ahead of the history, ``(steps, n_features)``, and the target's scale."""
        seen: list[Array] = []

        def look(features: pd.DataFrame) -> pd.DataFrame:
            seen.append(features.to_numpy(dtype=np.float64))
            return features

        self._ahead(history, [len(history.values)], steps, look)
        return np.concatenate(seen), self._scale

    def _with_known(self, data: pd.DataFrame, history: History, rows: np.ndarray) -> pd.DataFrame:
        known = history.inputs.known
        if known is not None:
            scaled = (known[rows] - self._known_centre) / self._known_scale
            # numbered, as LightGBM takes no punctuation in the name of a feature
            for column in range(scaled.shape[1]):
                data[f"known_{column}"] = scaled[:, column]
        return data


class Ridge(Lagged):
    """Ridge regression."""

    name: ClassVar[str] = "ridge"

    def build(self) -> Any:
        from sklearn.linear_model import Ridge as RidgeRegression

        return RidgeRegression(alpha=1.0)


class GradientBoosting(Lagged):
    """Gradient-boosted trees (LightGBM)."""

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
