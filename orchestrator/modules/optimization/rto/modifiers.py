"""Modifiers of everything that is measured: what corrects the model at any position, and how surely.

Outputs are modified, not cost and constraints, so that prices may change without anything being
learned again (output modifier adaptation MAy; Marchetti, Francois, Faulwasser and Bonvin 2016,
Processes 4(4):55, section 3.3). A cost or constraint that is itself measured is a measured definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.optimization.rto.estimation import Estimate, estimate
from orchestrator.modules.optimization.rto.even_points import even_points
from orchestrator.modules.optimization.rto.history import History
from orchestrator.modules.optimization.rto.mismatch import Mismatch
from orchestrator.modules.optimization.rto.steady_state import OBJECTIVE, Correction, SteadyState

Array = NDArray[np.float64]
_SAMPLE = 64
_SMALL = 1e-9
FORGOTTEN_HOURS = 48.0
MUCH_CHANGED = 0.1
"""Share of itself by which a disturbance changes until what was seen before counts little."""
UNMODELLED = 0.1
"""Share of itself by which a quantity is taken to vary that does not vary in the model."""
MISFIT = 0.05
"""Share of an output's variation by which the model may miss it, when parameters are estimated."""


@dataclass(frozen=True, slots=True)
class Range:
    """The box to which positions are scaled, and how much each measured quantity varies in it.

    Attributes:
        low: Lower ends, shape ``(d,)``.
        span: Widths, shape ``(d,)``.
        sizes: Name -> standard deviation of the model's quantity over the box.
        objective: That of the objective.
    """

    low: Array
    span: Array
    sizes: dict[str, float]
    objective: float

    @classmethod
    def of(cls, state: SteadyState, low: Array, high: Array, fixed: dict[str, Any]) -> Range:
        """Sample the model over the box, evenly."""
        span = np.maximum(high - low, 1e-12)
        sample = low + even_points(_SAMPLE, len(low)) * span
        point = state.at(sample, fixed)
        sizes = {name: _spread(point.values[name]) for name in state.measured}
        return cls(low, span, sizes, _spread(point.values["objective"]))

    def scaled(self, positions: Array) -> Array:
        """Positions on the unit box."""
        shares: Array = (positions - self.low) / self.span
        return shares


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What corrects the model.

    Attributes:
        range: The box.
        mismatch: Name -> its mismatch; a name that was never measured is absent.
        objective_spread: How much the objective varies over the box, in its unit.
        estimate: The estimated parameters; None where none is to be estimated.
    """

    range: Range
    mismatch: dict[str, Mismatch]
    objective_spread: float
    estimate: Estimate | None = None

    @classmethod
    def learn(cls, state: SteadyState, history: History, box: Range) -> Modifiers:
        """Estimate parameters, then learn what is left between plant and model."""
        found, fixed = None, dict[str, Any](history.fixed)
        if any(item.sd is not None for item in state.model.parameters.values()) and len(history):
            misfit = {n: np.hypot(sd, MISFIT * box.sizes[n]) for n, sd in history.noise.items()}
            found = estimate(state, history.positions, history.measured, misfit, history.fixed)
            fixed |= found.values
        positions = history.positions
        states = state.steady_states(positions, fixed)
        said = state.at(positions, fixed, states).values
        scaled = box.scaled(positions)
        lapse = _lapse(history, state.disturbances)
        mismatch, seen = {}, {}
        for name, values in history.measured.items():
            difference = values - said[name]
            seen[name] = np.nan_to_num(difference), np.zeros((positions.shape[1], len(positions)))
            known = np.isfinite(difference)
            if known.any():
                noise = history.noise[name][known]
                rows = np.append(np.flatnonzero(known), len(known))
                apart = None if lapse is None else lapse[np.ix_(rows, rows)]
                size = _size(box.sizes[name], values[known])
                mismatch[name] = Mismatch.fit(scaled[known], difference[known], noise, size, apart)
        money = state.at(positions, fixed, states, seen).values[OBJECTIVE]
        return cls(box, mismatch, _modelled(box.objective, money), found)

    def correction(self, positions: Array) -> Correction:
        """What is added to each measured quantity at positions ``(n, d)``, with slopes."""
        scaled = self.range.scaled(positions)
        found: dict[str, tuple[Array, Array]] = {}
        for name, item in self.mismatch.items():
            value, slope = item.mean(scaled)
            found[name] = value, slope / self.range.span[:, None]
        return found

    def sd(self, positions: Array) -> dict[str, Array]:
        """Standard deviation of each correction at positions ``(n, d)``, shape ``(n,)``."""
        scaled = self.range.scaled(positions)
        return {name: item.sd(scaled) for name, item in self.mismatch.items()}


def _lapse(history: History, disturbances: frozenset[str]) -> Array | None:
    """How far apart the points and the present are in time and conditions; None where they are not."""
    hours = np.append(history.hours, 0.0)
    apart = np.abs(hours[:, None] - hours[None, :]) / FORGOTTEN_HOURS
    for name in disturbances:
        values = np.append(history.fixed[name], history.fixed[name][-1])
        size = MUCH_CHANGED * max(float(np.abs(values).max()), 1e-9)
        apart = apart + ((values[:, None] - values[None, :]) / size) ** 2
    return apart if apart.any() else None


def _size(modelled: float, seen: Array) -> float:
    """How much a measured quantity varies: as in the model, and at least as was seen."""
    return max(_modelled(modelled, seen), float(np.std(seen)))


def _modelled(spread: float, seen: Array) -> float:
    """``spread``, but where the model does not vary at all and so says nothing, what was seen tells."""
    known = seen[np.isfinite(seen)]
    level = float(np.abs(known).max(initial=0.0))
    if spread > 1e-6 * level or not len(known):
        return spread
    return max(UNMODELLED * level, float(np.std(known)))


def _spread(values: Array) -> float:
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return 1.0
    spread = float(np.std(known))
    return max(spread, _SMALL * max(1.0, float(np.abs(known).max())))
