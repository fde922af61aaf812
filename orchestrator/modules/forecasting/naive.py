"""Forecasts by a rule that learns nothing: the floor under every other model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.series import History

BASELINES = ("naive", "seasonal_naive")


class Naive:
    """The last value, repeated."""

    name: ClassVar[str] = "naive"

    def fit(self, history: History, end: int) -> None:
        """Nothing to learn."""

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        last = history.values[np.asarray(ends) - 1]
        return np.repeat(last[:, None], steps, axis=1)


class SeasonalNaive:
    """The value one season ago."""

    name: ClassVar[str] = "seasonal_naive"

    def fit(self, history: History, end: int) -> None:
        """Nothing to learn."""

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        back = np.arange(steps) % history.season - history.season
        return history.values[np.asarray(ends)[:, None] + back[None, :]]


class WindowAverage:
    """The mean of the last ``width`` values, repeated; it does not reach across a closed gap."""

    name: ClassVar[str] = "window_average"

    def __init__(self, width: int) -> None:
        self._width = width

    def fit(self, history: History, end: int) -> None:
        """Nothing to learn."""

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        values, since = history.values, history.since_gap(np.asarray(ends))
        means = np.array(
            [
                values[max(first, end - self._width) : end].mean()
                for first, end in zip(since, ends, strict=True)
            ]
        )
        return np.repeat(means[:, None], steps, axis=1)
