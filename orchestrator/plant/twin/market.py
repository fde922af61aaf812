"""The simulated market: a crude benchmark, the products' margins over it, and stocks by weekly report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin.dynamics import Coloured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CRUDE = 74.0
"""Long-run price of the crude benchmark, USD/bbl."""

OVER_CRUDE: dict[str, float] = {
    "PR_CRUDE": 0.0,
    "PR_NAPHTHA": 7.0,
    "PR_KEROSENE": 24.0,
    "PR_DIESEL": 28.0,
    "PR_GASOIL": 9.0,
    "PR_RESIDUE": -3.5,
}
"""Price tag -> usual difference to the crude benchmark, USD/bbl."""

STOCK = "ST_PRODUCTS"
"""Tag of product stocks in the market, kbbl; one sample a week."""
REPORT = "XI_REPORT"
"""Tag of the number of the latest report."""

DEMAND_PRICE = 20.0
"""What twice the demand for a product adds to its price, USD/bbl."""
DEMAND_STOCK = 900.0
"""What twice the demand for a product takes from stocks a day, kbbl."""

_CRUDE_SIZE = 1.8
_SPREAD_SIZE = 0.08
_MEMORY_MINUTES = 8 * 24 * 60.0
_STOCK_LEVEL = 25_000.0
_STOCK_SEASON = 900.0
_STOCK_SIZE = 350.0
_FIRST_REPORT = datetime(1970, 1, 7, 15, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


class Market:
    """Mean-reverting prices, one row a step.

    Products follow crude one to one, and their margins wander on their own and little: most of a
    margin's movement comes from price shocks of the scenario.

    Args:
        period_minutes: Length of a step, min.
        scale: Scale of all movement; 0 holds prices still.
        random: Generator of its own.
    """

    def __init__(self, period_minutes: float, scale: float, random: np.random.Generator) -> None:
        sizes = [_CRUDE_SIZE * scale] + [_SPREAD_SIZE * scale] * (len(OVER_CRUDE) - 1)
        memory = _MEMORY_MINUTES / period_minutes
        self._moves = Coloured(sizes, [memory] * len(sizes), random)

    def run(self, rows: int) -> Array:
        """Prices for the next steps, USD/bbl, in the order of :data:`OVER_CRUDE`."""
        moves = self._moves.run(rows)
        over = np.array(list(OVER_CRUDE.values()))
        prices: Array = CRUDE + moves[:, :1] + over
        prices[:, 1:] += moves[:, 1:]
        return prices


def report_number(time: datetime) -> int:
    """Number of the latest weekly report (Wednesdays, 15:30 UTC) at a time."""
    return (time - _FIRST_REPORT) // WEEK


def report_time(number: int) -> datetime:
    """When a report is published."""
    return _FIRST_REPORT + number * WEEK


@cache
def stock(number: int, seed: int, scale: float) -> float:
    """Stocks that a report states, kbbl, without the effect of a changed demand.

    A season, highest in March, and a wandering part that remembers about a month; it depends on the
    report's number and the seed only, so that history and present join.
    """
    wandering = sum(
        0.8**age * np.random.default_rng((seed, number - age)).standard_normal()
        for age in range(12)
    )
    year = report_time(number).timetuple().tm_yday / 365.25
    season = _STOCK_SEASON * np.cos(2 * np.pi * (year - 0.2))
    return float(_STOCK_LEVEL + season + scale * _STOCK_SIZE * 0.6 * wandering)
