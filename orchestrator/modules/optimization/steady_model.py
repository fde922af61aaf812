"""The plant's economic model placed at its present values: what moves do, and what limits them.

What is measured is ``model + modifier``. The modifiers are learned from where the plant has been; from
the present point alone they are its bias, so that the model gives the change and the measurement the
level, and a biased model does no harm at the present point.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.modules.optimization.handles import handle_of, highest, lowest
from orchestrator.modules.optimization.present import require
from orchestrator.modules.optimization.rto.history import History, OperatingPoint
from orchestrator.modules.optimization.rto.modifiers import Modifiers, Range
from orchestrator.modules.optimization.rto.steady_state import OBJECTIVE, Point, SteadyState
from orchestrator.plant.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.models import SetpointsInput
    from orchestrator.plant.economic_model import EconomicModel
    from orchestrator.plant.tags import Plant, Tag

    Array = NDArray[np.float64]

TOLERANCE = 1e-6
_FAR = 1e6
_HOURLY = {"second": 3600.0, "hour": 1.0, "day": 1.0 / 24.0}
_KEPT = 4000


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of a limit on a response or expression.

    ``scale`` makes violations comparable; ``bound`` is already drawn in by ``back_off``.
    """

    name: str
    kind: Literal["tag", "constraint"]
    side: Literal["min", "max"]
    bound: float
    scale: float
    unit: str = ""
    back_off: float = 0.0

    def excess(self, values: Mapping[str, Array]) -> Array:
        """How far the limit is broken in its own unit; negative is room."""
        value = values[self.name]
        return value - self.bound if self.side == "max" else self.bound - value


class SteadyModel:
    """Predicts responses, objective and limits for positions of the handles.

    Args:
        economics: The plant's model.
        present: Present values of tags.
        parameters: Limits, held handles and time for the moves of this run.
        context: The plant.

    Raises:
        ConfigurationError: an expression is wrong, or a handle has no bounds.
        UnknownTagError: the model names what is not a tag.
        InsufficientDataError: a value that the model needs is not there.
        OperationError: the model has no steady state at the present point.
        ParameterError: a parameter names what the model does not have.
    """

    def __init__(
        self,
        economics: EconomicModel,
        present: Mapping[str, float],
        parameters: SetpointsInput,
        context: OperationContext,
    ) -> None:
        self.plant: Plant = context.plant
        self.economics = economics
        self.state = SteadyState(economics)
        self.hourly = _HOURLY[economics.objective_per]
        require(self.state.reads | economics.handles.keys(), present, context)
        self._responses = tuple(dict.fromkeys((*economics.responses, *economics.unknowns)))
        unknown = sorted(
            {*parameters.hold} - economics.handles.keys()
            | {*parameters.limits} - economics.handles.keys() - {*self._responses}
        )
        if unknown:
            raise ParameterError(
                f"{unknown[0]!r} is neither a handle nor a response of the economic model",
                remedy=f"handles: {', '.join(economics.handles)}; "
                f"responses: {', '.join(self._responses)}",
            )
        self.warnings: list[str] = []
        self.fixed: dict[str, Any] = {name: present[name] for name in self.state.reads}
        self.handles = tuple(
            handle_of(tag, present[tag], economics, parameters, context)
            for tag in economics.handles
        )
        self.now = np.array([handle.now for handle in self.handles])
        self._points: dict[bytes, Point] = {}
        self._near: list[Array] = []
        self._place(present)
        low, high = (np.array([getattr(h, side) for h in self.handles]) for side in ("low", "high"))
        self.range = Range.of(self.state, low, high, self.fixed)
        self.learn([self.present])
        self.limits = tuple(self._all_limits(parameters))
        modelled = {*self._responses, *economics.handles}
        self.warnings += [
            f"{tag} is not in the economic model, so it cannot be restored"
            for tag in parameters.restore
            if tag not in modelled
        ]
        wanted = {*parameters.restore, *self._stressed(parameters.equipment)}
        self.restored = tuple(sorted(wanted & modelled))
        self._draw_in(self.restored)

    def _place(self, present: Mapping[str, float]) -> None:
        """Find the steady state at the present point, and what is measured there."""
        states = self.state.steady_states(self.now[None, :], self.fixed)
        position = {handle.tag: handle.now for handle in self.handles}
        if not np.isfinite(states).all():
            raise self.state.no_steady_state(position)
        self._guess: Array = states[0]
        said = self.state.at(self.now[None, :], self.fixed, states).values
        measured: dict[str, float] = {}
        for name in self.state.measured:
            if not math.isfinite(said[name][0]):
                raise ConfigurationError(
                    f"the response of {name} has no value at the present point",
                    where="economics.responses",
                    remedy="correct the expression in the plant file",
                )
            value = present.get(name, math.nan)
            if math.isfinite(value):
                measured[name] = value
            else:
                self.warnings.append(f"{name} has no present value; the model's own level is used")
        noise = {k: sd for k, sd in self.economics.measured.items() if sd is not None}
        self.present = OperatingPoint(position, measured, noise, dict(self.fixed))

    def learn(self, points: list[OperatingPoint]) -> None:
        """Correct the model by where the plant has been."""
        history = History.of(points, self.state.handles, self.state.measured, self.fixed)
        self.modifiers = Modifiers.learn(self.state, history, self.range)
        self._points.clear()
        if self.modifiers.estimate is not None:
            self.fixed.update(self.modifiers.estimate.values)
        self._near.clear()

    def measured_objective(self, measured: Mapping[str, float]) -> float:
        """The objective at the present handles, computed from what was measured there."""
        said = self.state.at(self.now[None, :], self.fixed).values
        exact = {
            name: (np.array([value - said[name][0]]), np.zeros((len(self.handles), 1)))
            for name, value in measured.items()
        }
        values = self.state.at(self.now[None, :], self.fixed, correction=exact).values
        return float(values[OBJECTIVE][0])

    def within(self, lower: Array, upper: Array) -> SteadyModel:
        """The same model with other ends of the handles' reach."""
        other = copy.copy(self)
        other.handles = tuple(
            replace(h, lower=float(a), upper=float(b))
            for h, a, b in zip(self.handles, lower, upper, strict=True)
        )
        return other

    def without_back_off(self) -> SteadyModel:
        """The same model with the limits themselves."""
        other = copy.copy(self)
        other.limits = tuple(
            replace(
                i, bound=i.bound + (i.back_off if i.side == "max" else -i.back_off), back_off=0.0
            )
            for i in self.limits
        )
        return other

    def drawn_in(self, margins: Array) -> SteadyModel:
        """The same model with each limit tighter by so many of its scales, shape ``(limits,)``."""
        other = copy.copy(self)
        other.limits = tuple(
            replace(i, bound=i.bound + float(m) * i.scale * (1 if i.side == "min" else -1))
            for i, m in zip(self.limits, margins, strict=True)
        )
        return other

    def _stressed(self, equipment: tuple[str, ...]) -> set[str]:
        """Tags that the health of some equipment is computed from."""
        found: set[str] = set()
        for item in self.plant.equipment:
            if item.id in equipment:
                found |= Expression.parse(item.health).names
        return found

    def _draw_in(self, tags: tuple[str, ...]) -> None:
        """Draw in limits of some tags by their dead bands, so that their alarms return to normal."""
        self.limits = tuple(
            Limit(
                item.name,
                item.kind,
                item.side,
                item.bound + (-band if item.side == "max" else band),
                item.scale,
                item.unit,
            )
            if item.name in tags and (band := self._band(item.name))
            else item
            for item in self.limits
        )

    def _band(self, name: str) -> float:
        tag = self.plant.by_name.get(name)
        return tag.dead_band if tag else 0.0

    def point(self, positions: Array) -> Point:
        """Everything at positions ``(n, handles)``, corrected, with slopes along the handles."""
        if len(positions) > 1:
            return self._computed(positions)
        key = positions.tobytes()
        found = self._points.get(key)
        if found is None:
            if len(self._points) > _KEPT:
                self._points.clear()
            found = self._points[key] = self._computed(positions)
        return found

    def _computed(self, positions: Array) -> Point:
        states = self.state.steady_states(positions, self.fixed, self._first_guess(positions))
        correction = self.modifiers.correction(positions)
        point = self.state.at(positions, self.fixed, states, correction)
        if len(positions) == 1 and np.isfinite(states).all():
            self._near[:] = [positions[0], states[0], point.states]
        return point

    def _first_guess(self, positions: Array) -> Array:
        """Unknowns from the tangent at the last point that was solved."""
        if len(self._near) < 3:
            return self._guess
        at, states, slopes = self._near
        tangent = states + (positions - at) @ slopes
        guess: Array = np.where(np.isfinite(tangent), tangent, self._guess)
        return guess

    def along_measured(self, positions: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Corrected values at positions ``(n, d)``, with slopes along each modifier ``(modifiers, n)``."""
        states = self.state.steady_states(positions, self.fixed, self._first_guess(positions))
        correction = self.modifiers.correction(positions)
        unit = np.eye(len(correction))[:, :, None]
        along = {name: (value, unit[i]) for i, (name, (value, _)) in enumerate(correction.items())}
        point = self.state.at(positions, self.fixed, states, along, along=())
        return self._with_handles(point.values, positions), point.slopes

    def predict(self, positions: Array) -> dict[str, Array]:
        """Handles, responses, constraints and ``objective`` at positions ``(n, handles)``."""
        return self._with_handles(self.point(positions).values, positions)

    def _with_handles(self, values: Mapping[str, Array], positions: Array) -> dict[str, Array]:
        return {**values, **{h.tag: positions[:, i] for i, h in enumerate(self.handles)}}

    def excesses(self, positions: Array) -> Array:
        """How far each limit is broken, over its scale, ``(n, limits)``; NaN counts as far."""
        return self.excesses_of(self.predict(positions))

    def excesses_of(self, values: Mapping[str, Array]) -> Array:
        """The same of values that :meth:`predict` gave."""
        columns = [item.excess(values) / item.scale for item in self.limits]
        if not columns:
            return np.zeros((len(values[OBJECTIVE]), 0))
        return np.nan_to_num(np.column_stack(columns), nan=_FAR)

    def gradients(self, position: Array) -> tuple[Array, Array]:
        """Gradients ``(handles,)`` of the objective and ``(handles, limits)`` of every excess."""
        slopes = dict(self.point(position[None, :]).slopes)
        unit = np.eye(len(self.handles))
        for i, handle in enumerate(self.handles):
            slopes[handle.tag] = unit[:, [i]]
        columns = [
            slopes[item.name][:, 0] * ((1.0 if item.side == "max" else -1.0) / item.scale)
            for item in self.limits
        ]
        excess = np.column_stack(columns) if columns else np.zeros((len(unit), 0))
        return np.nan_to_num(slopes[OBJECTIVE][:, 0]), np.nan_to_num(excess)

    def _all_limits(self, parameters: SetpointsInput) -> Iterator[Limit]:
        configured = self.economics.constraints
        for name in self._responses:
            tag = self.plant.by_name.get(name)
            bounds = configured.get(name, (None, None))
            asked = parameters.limits.get(name, (None, None))
            sold = self.plant.specifications.get(name, (None, None))
            lows, highs = [bounds[0], asked[0], sold[0]], [bounds[1], asked[1], sold[1]]
            if tag is not None:
                lows += [tag.limits.low, tag.limits.low_low]
                highs += [tag.limits.high, tag.limits.high_high]
            kind: Literal["tag", "constraint"] = "constraint" if tag is None else "tag"
            yield from self._sides(name, kind, highest(lows), lowest(highs), tag)
        for text, (low, high) in configured.items():
            if text not in self._responses:
                tag = self.plant.by_name.get(text)
                yield from self._sides(text, "constraint", highest([low]), lowest([high]), tag)

    def _sides(
        self,
        name: str,
        kind: Literal["tag", "constraint"],
        low: float,
        high: float,
        tag: Tag | None,
    ) -> Iterator[Limit]:
        span = tag.normal[1] - tag.normal[0] if tag is not None and tag.normal else math.nan
        unit = tag.unit if tag else self.economics.units.get(name, "")
        for side, bound in (("min", low), ("max", high)):
            if math.isfinite(bound):
                scale = span if math.isfinite(span) else self._scale(bound)
                yield Limit(name, kind, "min" if side == "min" else "max", bound, scale, unit)

    def _scale(self, bound: float) -> float:
        """What is much for a limit on something that has no normal range."""
        explicit = not self.state.unknowns
        return max(abs(bound), 1.0) if explicit or bound == 0 else abs(bound)
