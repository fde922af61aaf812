"""Statistical models of one series through statsforecast."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.series import History

MAX_ETS_SEASON = 24
MAX_STATISTICAL_ROWS = 700


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

    def fit(self, history: History, end: int) -> None:
        self._start = max(0, end - max(MAX_STATISTICAL_ROWS, 8 * self.season))
        self.model = self.build()
        with warnings.catch_warnings():
            # a search that does not converge loses by its errors; it need not fill the log
            warnings.simplefilter("ignore")
            self.model.fit(history.values[self._start : end])

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        # every origin starts where the fit started, so that the season keeps its phase
        pasts = [history.values[self._start : end] for end in ends]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.stack([self.model.forward(past, h=steps)["mean"] for past in pasts])


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


class Arima(Statistical):
    """ARIMA, orders by stepwise search of AICc (AutoARIMA, likelihood approximated while searching)."""

    name: ClassVar[str] = "arima"

    def build(self) -> Any:
        from statsforecast.models import AutoARIMA

        return AutoARIMA(
            season_length=self.season if self.season <= MAX_ETS_SEASON else 1,
            max_p=3,
            max_q=3,
            max_P=1,
            max_Q=1,
            approximation=True,
        )


class SeasonalTrend(Statistical):
    """Season and trend taken apart by loess (MSTL), the rest by exponential smoothing."""

    name: ClassVar[str] = "mstl"

    def build(self) -> Any:
        from statsforecast.models import MSTL

        return MSTL(season_length=self.season)
