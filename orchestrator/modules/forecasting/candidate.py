"""The contract of a forecasting model that competes for a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.series import History

Array = NDArray[np.float64]


class Candidate(Protocol):
    """One forecasting model.

    It is fitted once on a history and then forecasts from many origins in it, without being fitted
    again: that is what makes a rolling-origin comparison of many models affordable.
    """

    @property
    def name(self) -> str:
        """What it is called in results."""

    def fit(self, history: History, end: int) -> None:
        """Learn from the first ``end`` rows; those not observed are interpolated and carry no weight."""

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        """Forecasts from the first ``end`` rows for each end, ``(len(ends), steps)``.

        Known inputs may be read up to row ``end + steps``, everything else below ``end`` only.
        """
