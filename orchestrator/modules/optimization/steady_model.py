"""The plant's economic model placed at its present values: what moves do, and what limits them.

A response is ``present value + f(handles) - f(present handles)``: the model gives the change and the
measurement the level, so that a biased model does no harm at the present point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.modules.optimization.present import require
from orchestrator.plant.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.models import SetpointsInput
    from orchestrator.plant.tags import EconomicModel, Plant, Tag

    Array = NDArray[np.float64]

TOLERANCE = 1e-6
DIFFERENCE = 1e-6


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle: present value, reach, and what ends the reach on each side."""

    tag: str
    now: float
    lower: float
    upper: float
    unit: str
    lower_kind: Literal["handle", "move"]
    upper_kind: Literal["handle", "move"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of a limit on a response or expression; ``scale`` makes violations comparable."""

    name: str
    kind: Literal["tag", "constraint"]
    side: Literal["min", "max"]
    bound: float
    scale: float
    unit: str = ""

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
        UnknownTagError: the model names what is not a tag.
        InsufficientDataError: a value that the model needs is not there.
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
        self._responses = {t: Expression.parse(e) for t, e in economics.responses.items()}
        self._objective = Expression.parse(economics.objective)
        self._constraints = {e: Expression.parse(e) for e in economics.constraints}
        read = set(self._objective.names)
        for expression in (*self._responses.values(), *self._constraints.values()):
            read |= expression.names
        require((read | economics.handles.keys()) - self._responses.keys(), present, context)
        unknown = sorted(
            {*parameters.hold} - economics.handles.keys()
            | {*parameters.limits} - economics.handles.keys() - self._responses.keys()
        )
        if unknown:
            raise ParameterError(
                f"{unknown[0]!r} is neither a handle nor a response of the economic model",
                remedy=f"handles: {', '.join(economics.handles)}; "
                f"responses: {', '.join(self._responses)}",
            )
        self.warnings: list[str] = []
        self._fixed = {name: present[name] for name in read if name in present}
        self.handles = tuple(
            self._handle(tag, present[tag], bounds, parameters)
            for tag, bounds in economics.handles.items()
        )
        self._bias = self._biases(present)
        self.now = np.array([handle.now for handle in self.handles])
        self.limits = tuple(self._all_limits(economics, parameters))
        modelled = self._responses.keys() | economics.handles.keys()
        self.warnings += [
            f"{tag} is not in the economic model, so it cannot be restored"
            for tag in parameters.restore
            if tag not in modelled
        ]
        wanted = {*parameters.restore, *self._stressed(parameters.equipment)}
        self.restored = tuple(sorted(wanted & modelled))
        self._draw_in(self.restored)

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

    def predict(self, positions: Array) -> dict[str, Array]:
        """Handles, responses, constraints and ``objective`` (USD/h) at positions ``(n, handles)``."""
        values: dict[str, Array | float | None] = dict(self._fixed)
        for i, handle in enumerate(self.handles):
            values[handle.tag] = positions[:, i]
        found: dict[str, Array] = {}
        rows = len(positions)
        for tag, expression in self._responses.items():
            value = np.broadcast_to(np.asarray(expression.evaluate(values)), (rows,))
            found[tag] = value + self._bias[tag]
        values.update(found)
        for name, expression in self._constraints.items():
            if name not in found:
                found[name] = np.broadcast_to(np.asarray(expression.evaluate(values)), (rows,))
        objective = np.broadcast_to(np.asarray(self._objective.evaluate(values)), (rows,))
        found["objective"] = objective
        for i, handle in enumerate(self.handles):
            found.setdefault(handle.tag, positions[:, i])
        return found

    def excesses(self, positions: Array) -> Array:
        """How far each limit is broken, over its scale, ``(n, limits)``; NaN counts as far."""
        values = self.predict(positions)
        columns = [item.excess(values) / item.scale for item in self.limits]
        if not columns:
            return np.zeros((len(positions), 0))
        return np.nan_to_num(np.column_stack(columns), nan=1e6)

    def gradients(self, position: Array) -> tuple[Array, Array]:
        """Gradients of the objective and of every excess at one position, by central differences."""
        spans = np.array([max(h.upper - h.lower, abs(h.now) * 1e-3, 1e-9) for h in self.handles])
        steps = np.diag(DIFFERENCE * spans)
        points = np.vstack((position + steps, position - steps))
        n = len(spans)
        objective = self.predict(points)["objective"]
        excess = self.excesses(points)
        width = 2 * DIFFERENCE * spans
        return (
            (objective[:n] - objective[n:]) / width,
            (excess[:n] - excess[n:]) / width[:, None],
        )

    def _biases(self, present: Mapping[str, float]) -> dict[str, float]:
        values: dict[str, float | Array | None] = dict(self._fixed)
        values.update({handle.tag: handle.now for handle in self.handles})
        biases: dict[str, float] = {}
        for tag, expression in self._responses.items():
            modelled = float(expression.evaluate(values))
            measured = present.get(tag, math.nan)
            if not math.isfinite(modelled):
                raise ConfigurationError(
                    f"the response of {tag} has no value at the present point",
                    where="economics.responses",
                    remedy="correct the expression in the plant file",
                )
            if not math.isfinite(measured):
                self.warnings.append(f"{tag} has no present value; the model's own level is used")
                measured = modelled
            biases[tag] = measured - modelled
        return biases

    def _handle(
        self,
        name: str,
        now: float,
        bounds: tuple[float | None, float | None],
        parameters: SetpointsInput,
    ) -> Handle:
        tag = self.plant.by_name.get(name)
        lows, highs = [bounds[0]], [bounds[1]]
        if tag is not None:
            lows += [tag.limits.low, tag.limits.low_low]
            highs += [tag.limits.high, tag.limits.high_high]
        asked = parameters.limits.get(name, (None, None))
        low = _highest([*lows, asked[0]])
        high = _lowest([*highs, asked[1]])
        if tag is not None and tag.normal is not None:
            low = tag.normal[0] if math.isinf(low) else low
            high = tag.normal[1] if math.isinf(high) else high
        if math.isinf(low) or math.isinf(high):
            raise ConfigurationError(
                f"handle {name!r} has no {'lower' if math.isinf(low) else 'upper'} bound",
                where="economics.handles",
                remedy="give bounds there, or limits or a normal range on the tag",
            )
        if low > high:
            raise ParameterError(
                f"the limits of {name} leave no room ({low:g} to {high:g})",
                remedy="widen the limits of this run",
            )
        reach = math.inf
        if name in parameters.hold:
            reach = 0.0
        elif tag is not None and tag.rate_limit is not None:
            reach = tag.rate_limit * parameters.move_minutes
        lower, upper = max(low, now - reach), min(high, now + reach)
        if lower > upper:
            # Outside its bounds and unable to get there in time: as far towards them as it may move.
            lower = upper = now + reach if now < low else now - reach
        unit = tag.unit if tag else ""
        return Handle(
            name,
            now,
            lower,
            upper,
            unit,
            "move" if now - reach > low else "handle",
            "move" if now + reach < high else "handle",
        )

    def _all_limits(self, economics: EconomicModel, parameters: SetpointsInput) -> Iterator[Limit]:
        for name in self._responses:
            tag = self.plant.by_name.get(name)
            asked = parameters.limits.get(name, (None, None))
            configured = economics.constraints.get(name, (None, None))
            lows, highs = [configured[0], asked[0]], [configured[1], asked[1]]
            if tag is not None:
                lows += [tag.limits.low, tag.limits.low_low]
                highs += [tag.limits.high, tag.limits.high_high]
            yield from _sides(name, "tag", _highest(lows), _lowest(highs), tag)
        for text in self._constraints:
            if text not in self._responses:
                low, high = economics.constraints[text]
                tag = self.plant.by_name.get(text)
                yield from _sides(text, "constraint", _highest([low]), _lowest([high]), tag)


def _highest(values: list[float | None]) -> float:
    return max((value for value in values if value is not None), default=-math.inf)


def _lowest(values: list[float | None]) -> float:
    return min((value for value in values if value is not None), default=math.inf)


def _sides(
    name: str, kind: Literal["tag", "constraint"], low: float, high: float, tag: Tag | None
) -> Iterator[Limit]:
    span = tag.normal[1] - tag.normal[0] if tag is not None and tag.normal else math.nan
    unit = tag.unit if tag else ""
    for side, bound in (("min", low), ("max", high)):
        if math.isfinite(bound):
            scale = span if math.isfinite(span) else max(abs(bound), 1.0)
            yield Limit(name, kind, "min" if side == "min" else "max", bound, scale, unit)
