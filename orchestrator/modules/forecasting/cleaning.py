"""When cleaning pays: the least average cost of cleaning and of waiting, over a whole cycle.

A cycle of age t costs ``C + w ∫D`` over ``t + d`` days, where D is how far the value lies from where a
cleaning brings it, w what a unit of that costs a day, C a cleaning with its downtime d. By the renewal reward
theorem the average cost a day in the long run is that ratio, and it is least where ``w D(t)`` equals it (Ma and
Epstein, Can. J. Chem. Eng. 59, 1981; for D = k t and d = 0, t = √(2 C / (w k))). The run under way, which may
have begun otherwise, is to end when its own ``w D`` reaches that least average. Lives without values follow age
replacement (Barlow and Proschan 1965).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.degradation import Draws
from orchestrator.modules.forecasting.degradation_models import Cleaning

Array = NDArray[np.float64]

MOST_DAYS = 3650.0
"""What pays only after ten years is said never to pay."""
LEAST_DAYS = 0.01
GRID = np.concatenate(([0.0], np.geomspace(LEAST_DAYS, MOST_DAYS, 900)))
"""Ages at which costs are computed, d; roots between them are interpolated."""
HUGE = 1e200


@dataclass(frozen=True, slots=True)
class Cycle:
    """The best cycle from clean on, for each draw.

    Attributes:
        interval: Best age to clean at, d; inf where it never pays, ``(draws,)``.
        rate: Average cost over such cycles, USD/d; what waiting for ever costs where it never pays.
        by_limit: Whether the limit ends the cycle, not the cost.
        costs: Average cost of cycles of each age of the grid, USD/d, ``(draws, ages)``.
    """

    interval: Array
    rate: Array
    by_limit: NDArray[np.bool_]
    costs: Array

    def at(self, days: float) -> float:
        """Average cost of cycles of so many days, USD/d, in the first draw."""
        return float(np.interp(days, GRID, self.costs[0]))


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run under way, for each draw.

    Attributes:
        days: Days until cleaning pays, inf for never, ``(draws,)``.
        losses: Extra cost a day at each time of the grid from now on, USD/d, ``(draws, times)``.
    """

    days: Array
    losses: Array

    def excess(self, begin: float, end: float, rate: float) -> float:
        """What waiting from ``begin`` to ``end`` days costs beyond the average, USD, in the first draw."""
        times = np.linspace(begin, end, 200)
        loss = np.interp(times, GRID, self.losses[0]) - rate
        return float(np.trapezoid(loss, times))


def best_cycle(draws: Draws, costs: Cleaning, after: float | None, limit: float | None) -> Cycle:
    """The best cycle of runs that begin clean: at ``after``, or where past runs began."""
    start = draws.clean if after is None else np.full_like(draws.clean, after)
    loss = _losses(draws, start, draws.gain, GRID[None, :], start, costs)
    total = np.concatenate([np.zeros((len(loss), 1)), _integral(loss)], axis=1)
    fixed, down = costs.total_usd, costs.downtime_days
    with np.errstate(divide="ignore", invalid="ignore"):
        average = (fixed + total) / (GRID + down)
    interval = _root(loss * (GRID + down) - fixed - total, GRID[None, :])
    if fixed == 0 and down == 0:
        interval = np.where(loss[:, -1] > 0, 0.0, np.inf)
    by_limit = np.zeros(len(loss), dtype=np.bool_)
    if limit is not None:
        most = draws.curve.age_at(limit, start, draws.gain, draws.shape)
        by_limit = most < np.minimum(interval, MOST_DAYS)
        interval = np.where(by_limit, most, interval)
    rows = np.arange(len(loss))
    rate = _along(average, np.minimum(interval, MOST_DAYS), rows)
    # where waiting for ever is best, the average goes to what it costs in the end
    rate = np.where(np.isinf(interval), np.minimum(rate, loss[:, -1]), rate)
    return Cycle(interval, rate, by_limit, average)


def waiting(
    draws: Draws, costs: Cleaning, after: float | None, age: float, cycle: Cycle
) -> Waiting:
    """When the run under way, of an age, comes to cost as much a day as the best cycle does."""
    clean = draws.clean if after is None else np.full_like(draws.clean, after)
    loss = _losses(draws, draws.level, draws.gain, age + GRID[None, :], clean, costs)
    days = _root(loss - cycle.rate[:, None], GRID[None, :])
    days = np.where(np.isinf(cycle.interval), np.inf, days)
    return Waiting(days, loss)


def best_age(shape: Array, scale: Array, costs: Cleaning) -> tuple[Array, Array]:
    """Age of planned replacement and its average cost, USD/d, for each draw of a Weibull life.

    Least over T of (C + F P(T)) / (∫₀ᵀ(1 − P) + d), with F the extra cost of a failure. It is inf where
    running to failure is best: without extra cost, or with a shape of 1 and less.
    """
    ages = GRID[None, :]
    with np.errstate(over="ignore"):
        lasting = np.exp(-((ages / scale[:, None]) ** shape[:, None]))
    life = np.concatenate([np.zeros((len(shape), 1)), _integral(lasting)], axis=1)
    planned = costs.total_usd + costs.failure_cost_usd * (1 - lasting)
    with np.errstate(divide="ignore", invalid="ignore"):
        average = planned / (life + costs.downtime_days)
    average[:, 0] = np.inf
    best = np.argmin(average, axis=1)
    rows = np.arange(len(shape))
    least = average[rows, best]
    final = average[:, -1]
    never = (shape <= 1) | (least >= final * (1 - 1e-6))
    return np.where(never, np.inf, GRID[best]), np.where(never, final, least)


def _losses(
    draws: Draws, level: Array, gain: Array, ages: Array, clean: Array, costs: Cleaning
) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        value = draws.curve.value(ages, level[:, None], gain[:, None], draws.shape[:, None])
    away = draws.curve.sign * (value - clean[:, None])
    away = np.nan_to_num(away, nan=HUGE, posinf=HUGE, neginf=0.0)
    return costs.loss_usd_per_day_per_unit * np.maximum(away, 0.0)


def _integral(loss: Array) -> Array:
    return np.cumsum(np.diff(GRID) * (loss[:, 1:] + loss[:, :-1]) / 2, axis=1)


def _root(function: Array, grid: Array) -> Array:
    """First age at which a function reaches zero from below, by rows; 0 at once, inf for never."""
    above = function >= 0
    first = np.argmax(above, axis=1)
    rows = np.arange(len(function))
    before = np.maximum(first - 1, 0)
    low, high = function[rows, before], function[rows, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, -low / (high - low), 0.0)
    root = grid[0, before] + share * (grid[0, first] - grid[0, before])
    root = np.where(first == 0, 0.0, root)
    return np.where(above.any(axis=1), root, np.inf)


def _along(values: Array, ages: Array, rows: NDArray[np.intp]) -> Array:
    """Values at an age for each row."""
    after = np.clip(np.searchsorted(GRID, ages), 1, len(GRID) - 1)
    share = (ages - GRID[after - 1]) / (GRID[after] - GRID[after - 1])
    low, high = values[rows, after - 1], values[rows, after]
    low = np.where(np.isfinite(low), low, high)
    found: Array = low + share * (high - low)
    return found
