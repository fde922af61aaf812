"""A level that comes back to its mean: of the target, or of its ratio to a known input.

With a known input (planned feed) the ratio is a yield, and the forecast is yield times plan. The
forecast of the ratio h steps ahead is ``m + φ^h (l − m)``: ``l`` the exponentially smoothed ratio, ``m``
its mean over a window, both taken over sums rather than over ratios so that a day at low rate counts
little; φ = 1 holds the level (a random walk), φ < 1 lets it come back (a first-order autoregression).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.series import History

WINDOW = 30
LOW_RATE = 0.2
SMOOTHINGS = (1.0, 0.7, 0.4, 0.2)
PERSISTENCES = (1.0, 0.97, 0.95, 0.9, 0.8, 0.6)
RECENT_ROWS = 200
LAST_ROWS = 7


@dataclass(frozen=True)
class Setting:
    """Weight of the newest value in the level, persistence of its distance from the mean, a step."""

    smoothing: float
    persistence: float


class Reverting:
    """The level of the target, or of its ratio to a known input, on its way back to the mean.

    Args:
        name: What it is called.
        setting: Fixed, or chosen on the past when ``None``.
        proportional: Whether it works on the ratio to a known input.
        steps: Steps ahead for which to choose.
    """

    def __init__(
        self, name: str, setting: Setting | None, *, proportional: bool, steps: int
    ) -> None:
        self.name = name
        self.setting = setting
        self._chosen = setting
        self._proportional = proportional
        self._steps = steps
        self._driver = -1

    def fit(self, history: History, end: int) -> None:
        if self._proportional:
            self._driver = _best_driver(history, end, self._steps)
        self._chosen = self.setting or self._tuned(history, end)

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        assert self._chosen is not None
        return _forecast(history, self.driver_values(history), self._chosen, ends, steps)

    def driver_values(self, history: History) -> Array | None:
        """The known input that it is proportional to, ``(n + steps,)``, if any."""
        return driver_of(history, self._driver) if self._proportional else None

    def driver_name(self, history: History) -> str:
        """Name of that input, or of all that are added up."""
        return name_of(history, self._driver)

    def _tuned(self, history: History, end: int) -> Setting:
        driver = self.driver_values(history)
        ends = _recent_origins(end, self._steps)
        if len(ends) < LAST_ROWS:
            return Setting(1.0, 0.95)
        actual = _actual(history, ends, self._steps)
        grid = [Setting(s, p) for s in SMOOTHINGS for p in PERSISTENCES]

        def error(setting: Setting) -> float:
            found = _forecast(history, driver, setting, ends, self._steps)
            return float(np.nanmean(np.abs(actual - found)))

        return min(grid, key=error)


class RecentMedian:
    """The median of the last seven ratios to a known input, times its plan."""

    name = "median_share"

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._driver = -1

    def fit(self, history: History, end: int) -> None:
        self._driver = _best_driver(history, end, self._steps)

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        driver = driver_of(history, self._driver)
        values, weights = _usable(history, driver)
        at = np.flatnonzero(weights > 0)
        ratios = values[at] / weights[at]
        found = np.empty((len(ends), steps))
        for i, end in enumerate(ends):
            newest = ratios[: np.searchsorted(at, end)][-LAST_ROWS:]
            level = float(np.median(newest)) if len(newest) else 0.0
            found[i] = level * driver[end : end + steps]
        return found

    def driver_values(self, history: History) -> Array | None:
        """The known input that it is a share of, ``(n + steps,)``."""
        return driver_of(history, self._driver)

    def driver_name(self, history: History) -> str:
        """Name of that input, or of all that are added up."""
        return name_of(history, self._driver)


def name_of(history: History, column: int) -> str:
    """Name of a known input, of all with a plus between them for −1."""
    names = history.inputs.known_names
    return " + ".join(names) if column < 0 else names[column]


def driver_of(history: History, column: int) -> Array:
    """What the target is divided by, ``(n + steps,)``: a known input, or the sum of all for −1."""
    known = history.inputs.known
    assert known is not None
    driver: Array = known.sum(axis=1) if column < 0 else known[:, column]
    return driver


def can_be_proportional(history: History) -> bool:
    """Whether some known input, or their sum, is positive nearly all the time and varies."""
    known = history.inputs.known
    return known is not None and bool(_drivers(known))


def _drivers(known: Array) -> list[int]:
    columns = [-1, *range(known.shape[1])] if known.shape[1] > 1 else [0]
    found = []
    for column in columns:
        values = known.sum(axis=1) if column < 0 else known[:, column]
        if float(np.mean(values >= 0)) > 0.98 and float(np.ptp(values)) > 0:
            found.append(column)
    return found


def _best_driver(history: History, end: int, steps: int) -> int:
    """The known input whose last ratio, carried forward, was nearest on the recent past."""
    known = history.inputs.known
    assert known is not None
    drivers = _drivers(known)
    ends = _recent_origins(end, steps)
    if len(drivers) == 1 or len(ends) == 0:
        return drivers[0]
    actual = _actual(history, ends, steps)

    def error(column: int) -> float:
        driver = driver_of(history, column)
        found = _forecast(history, driver, Setting(0.7, 1.0), ends, steps)
        return float(np.nanmean(np.abs(actual - found)))

    return min(drivers, key=error)


def _recent_origins(end: int, steps: int) -> list[int]:
    return list(range(max(LAST_ROWS, end - RECENT_ROWS), end - steps + 1))


def _actual(history: History, ends: Sequence[int], steps: int) -> Array:
    rows = np.asarray(ends)[:, None] + np.arange(steps)
    actual: Array = np.where(history.observed, history.values, np.nan)[rows]
    return actual if np.isfinite(actual).any() else history.values[rows]


def _usable(history: History, driver: Array | None) -> tuple[Array, Array]:
    """Target and driver of each row, zero where not observed or at a small share of the usual rate."""
    count = len(history.values)
    weights = np.ones(count) if driver is None else driver[:count]
    low = LOW_RATE * float(np.median(weights[weights > 0])) if (weights > 0).any() else 0.0
    good = history.observed & (weights > low)
    return np.where(good, history.values, 0.0), np.where(good, weights, 0.0)


def _forecast(
    history: History, driver: Array | None, setting: Setting, ends: Sequence[int], steps: int
) -> Array:
    values, weights = _usable(history, driver)
    level = _smoothed(values, weights, setting.smoothing)
    last = np.asarray(ends) - 1
    start = level[last]
    # a yield outlasts an outage, the level of a flow does not
    first = history.since_gap(np.asarray(ends)) if driver is None else np.zeros_like(last)
    mean = _window_mean(values, weights, first, last)
    mean = np.where(np.isfinite(mean), mean, start)
    fade = setting.persistence ** np.arange(1, steps + 1)
    ratio: Array = mean[:, None] + fade * (start - mean)[:, None]
    if driver is None:
        return ratio
    rows = np.asarray(ends)[:, None] + np.arange(steps)
    return ratio * driver[rows]


def _smoothed(values: Array, weights: Array, smoothing: float) -> Array:
    """Exponentially smoothed ratio after each row; rows without weight change nothing."""
    from scipy.signal import lfilter

    at = np.flatnonzero(weights > 0)
    if len(at) == 0:
        return np.zeros(len(values))
    keep = 1.0 - smoothing
    sums = [
        lfilter([smoothing], [1.0, -keep], column[at], zi=[keep * column[at[0]]])[0]
        for column in (values, weights)
    ]
    ratios = sums[0] / sums[1]
    place = np.searchsorted(at, np.arange(len(values)), side="right") - 1
    found: Array = ratios[np.maximum(place, 0)]
    return found


def _window_mean(
    values: Array, weights: Array, first: NDArray[np.intp], last: NDArray[np.intp]
) -> Array:
    """Ratio of the sums over the last :data:`WINDOW` rows that count, from ``first`` up to ``last``."""
    at = np.flatnonzero(weights > 0)
    tops = np.concatenate(([0.0], np.cumsum(values[at])))
    bottoms = np.concatenate(([0.0], np.cumsum(weights[at])))
    upto = np.searchsorted(at, last, side="right")
    since = np.maximum(np.searchsorted(at, first), upto - WINDOW)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (tops[upto] - tops[since]) / (bottoms[upto] - bottoms[since])
    return found
