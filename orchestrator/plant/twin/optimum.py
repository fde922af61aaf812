"""The true optimum of the simulated unit: what no optimizer that sees measured values alone can beat.

The yardstick of ``benchmarks/twin_optimization.py``. It reads the unit's own equations, crude, fouling and
weather; nothing that runs the plant may use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.plant.expressions import Expression
from orchestrator.plant.twin.unit import SET_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.plant.tags import Plant
    from orchestrator.plant.twin.running import RunningUnit

    Array = NDArray[np.float64]

BARRELS = 6289.81
"""One cubic metre, 1000 times, in barrels."""
KEPT = 1e-4
"""Excess over a limit, in shares of its tag's normal range, that counts as none."""
_STEP = 1e-5
_THOUSAND = 1000.0


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the unit would earn most.

    Attributes:
        set_points: Values by tag, in their units.
        margin: Margin there at steady state, USD/h.
        excess: Farthest beyond a limit, in shares of the tag's normal range; 0 where all are kept.
        binding: Limits that it stands at.
        spread: Largest difference in margin between starting points that kept the limits, USD/h.
    """

    set_points: dict[str, float]
    margin: float
    excess: float
    binding: tuple[str, ...]
    spread: float

    @property
    def feasible(self) -> bool:
        """Whether all limits are kept."""
        return self.excess <= KEPT


class Truth:
    """Margin and limits of the unit at steady state, in its present conditions.

    Args:
        unit: The unit; its conditions at its last row count.
        plant: Margin KPI, limits of tags and ranges of set points.
        prices: Prices by tag, USD/bbl.
    """

    def __init__(self, unit: RunningUnit, plant: Plant, prices: Mapping[str, float]) -> None:
        self._unit = unit
        self._prices = dict(prices)
        self._margin = Expression.parse(plant.kpis["margin_usd_per_bbl"].expression)
        ranges = [plant.tag(name).normal or (0.0, 0.0) for name in SET_POINTS]
        self.lower, self.upper = np.array(ranges, dtype=np.float64).T
        ends = unit.settled(np.vstack((self.lower, self.upper)))
        self.limits: list[tuple[str, float, float, float]] = []
        for tag in plant:
            # What no set point moves, crude and weather, is no limit of the optimum.
            if tag.name not in ends or ends[tag.name][0] == ends[tag.name][1]:
                continue
            scale = float(np.ptp(tag.normal)) if tag.normal else 1.0
            for low, high in (
                tag.limits.operating,
                plant.specifications.get(tag.name, (None, None)),
            ):
                self.limits += [
                    (tag.name, sign, bound, scale)
                    for sign, bound in ((-1.0, low), (1.0, high))
                    if bound is not None
                ]

    def at(self, positions: Array) -> tuple[Array, Array]:
        """Margin, USD/h ``(n,)``, and excess over each limit in its scale, at set points ``(n, 12)``."""
        values = self._unit.settled(positions)
        margin = margin_of(self._margin, {**values, **self._prices})
        excess = [sign * (values[name] - bound) / scale for name, sign, bound, scale in self.limits]
        return margin, np.array(excess).T


def margin_of(kpi: Expression, values: Mapping[str, Any]) -> Array:
    """Margin, USD/h: the KPI, USD/bbl, times the barrels charged."""
    found: Array = kpi.evaluate(values) * values["FI101"] * BARRELS / values["AI101"]
    return found


def optimum(truth: Truth, starts: Sequence[Array]) -> Optimum:
    """The set points of the largest margin within all limits.

    Sequential least squares programming (Kraft, DFVLR-FB 88-28, 1988) from each starting point on the unit's
    own steady state; the best verified end counts.

    Args:
        truth: Margin and limits.
        starts: Starting points, each ``(12,)``.
    """
    span = truth.upper - truth.lower
    found = []
    for start in starts:
        position = _from(truth, np.clip((start - truth.lower) / span, 0.0, 1.0), span)
        margin, excess = truth.at(position[None, :])
        found.append((float(max(0.0, excess.max())), float(margin[0]), position, excess[0]))
    kept = [item for item in found if item[0] <= KEPT]
    best = max(kept, key=lambda item: item[1]) if kept else min(found, key=lambda item: item[0])
    margins = [item[1] for item in kept]
    return Optimum(
        dict(zip(SET_POINTS, best[2].tolist(), strict=True)),
        best[1],
        best[0] if best[0] > KEPT else 0.0,
        tuple(
            f"{name} {'<' if sign > 0 else '>'} {bound:g}"
            for (name, sign, bound, _), excess in zip(truth.limits, best[3], strict=True)
            if excess > -1e-3
        ),
        max(margins) - min(margins) if margins else 0.0,
    )


def _from(truth: Truth, start: Array, span: Array) -> Array:
    from scipy.optimize import minimize

    seen: dict[bytes, tuple[float, Array, Array, Array]] = {}

    def at(z: Array) -> tuple[float, Array, Array, Array]:
        key = z.tobytes()
        if key not in seen:
            inwards = np.where(z < 0.5, _STEP, -_STEP)
            points = np.vstack((z, z + np.diag(inwards)))
            margin, excess = truth.at(truth.lower + points * span)
            seen[key] = (
                float(margin[0]) / _THOUSAND,
                (margin[1:] - margin[0]) / inwards / _THOUSAND,
                excess[0],
                (excess[1:] - excess[0]).T / inwards,
            )
        return seen[key]

    result: Any = minimize(
        lambda z: -at(z)[0],
        start,
        jac=lambda z: -at(z)[1],
        bounds=[(0.0, 1.0)] * len(start),
        constraints={"type": "ineq", "fun": lambda z: -at(z)[2], "jac": lambda z: -at(z)[3]},
        method="SLSQP",
        options={"maxiter": 100, "ftol": 1e-7},
    )
    position: Array = truth.lower + np.clip(result.x, 0.0, 1.0) * span
    return position
