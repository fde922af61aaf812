"""Prices of the simulated market: a crude benchmark and the products' margins over it."""

from __future__ import annotations

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

_CRUDE_SIZE = 1.8
_SPREAD_SIZE = 0.08
_MEMORY_MINUTES = 8 * 24 * 60.0


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
