"""Points spread evenly over a box.

The additive recurrence with the generalised golden ratio (Roberts 2018, "The unreasonable effectiveness
of quasirandom sequences"). SciPy's Sobol points would do as well, and take a second to import.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def even_points(count: int, dimensions: int, first: int = 0) -> Array:
    """Points ``first + 1`` to ``first + count`` of the sequence in the unit box, ``(count, dimensions)``."""
    ratio = 2.0
    for _ in range(40):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1.0)
    numbers = np.arange(first + 1.0, first + count + 1.0)
    points: Array = (0.5 + numbers[:, None] * steps) % 1.0
    return points
