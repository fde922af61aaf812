"""Where the plant has been: steady operating points with what was measured there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One steady state of the plant.

    Attributes:
        handles: Handle -> value.
        measured: Name -> value; what was not measured is absent.
        noise: Name -> standard deviation of that value; 0 or absent where it is exact.
        fixed: What else the model reads -> value then.
        at: When it was seen; None on a simulated plant without a clock.
    """

    handles: Mapping[str, float]
    measured: Mapping[str, float]
    noise: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Operating points as arrays, oldest first.

    Attributes:
        positions: Handle values, shape ``(n, d)``.
        measured: Name -> values, shape ``(n,)``, NaN where not measured.
        noise: Name -> standard deviations, shape ``(n,)``.
        fixed: Name -> values, shape ``(n,)``.
        hours: Age of each, h, shape ``(n,)``; 0 where it has no time.
    """

    positions: Array
    measured: dict[str, Array]
    noise: dict[str, Array]
    fixed: dict[str, Array]
    hours: Array

    @classmethod
    def of(
        cls,
        points: Iterable[OperatingPoint],
        handles: Iterable[str],
        measured: Iterable[str],
        fixed: Mapping[str, float],
    ) -> History:
        """The points as arrays; what a point does not tell of ``fixed`` is as it is now."""
        known = list(points)
        return cls(
            np.array([[p.handles[h] for h in handles] for p in known], dtype=np.float64),
            {m: np.array([p.measured.get(m, np.nan) for p in known]) for m in measured},
            {m: np.array([p.noise.get(m, 0.0) for p in known]) for m in measured},
            {f: np.array([p.fixed.get(f, now) for p in known]) for f, now in fixed.items()},
            np.array([_age(p.at, known[-1].at) for p in known]),
        )

    def __len__(self) -> int:
        return len(self.positions)


def _age(then: datetime | None, now: datetime | None) -> float:
    return 0.0 if then is None or now is None else (now - then).total_seconds() / 3600.0
