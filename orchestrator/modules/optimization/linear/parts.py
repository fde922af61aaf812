"""The parts of which a program is built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

INFINITY = math.inf


@dataclass(slots=True)
class Column:
    """A variable with bounds and its worth in the objective.

    ``elastic`` says that its bounds are limits which an explanation of infeasibility may relax.
    """

    name: str
    lower: float = 0.0
    upper: float = INFINITY
    worth: float = 0.0
    elastic: bool = False
    kind: Literal["continuous", "integer"] = "continuous"


@dataclass(slots=True)
class Row:
    """A constraint ``lower ≤ Σ coefficient · column ≤ upper``.

    ``elastic`` rows (and columns) are limits that an explanation of infeasibility may relax; the
    others are balances and definitions, which hold whatever happens. ``scale`` is the size by which a
    relaxation is judged; the bound's own where it is null.
    """

    name: str
    terms: dict[str, float]
    lower: float = -INFINITY
    upper: float = INFINITY
    elastic: bool = True
    scale: float | None = None
