"""An economic model compiled: its steady state, and what it says there, with exact derivatives.

The unknowns are solved from the equations for many positions of the handles at once; their slopes come
from the implicit function theorem, dz/du = -(dF/dz)^-1 dF/du.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ConfigurationError, OperationError
from orchestrator.modules.optimization.rto import newton
from orchestrator.plant.dual import Dual
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.expressions import Expression

Array = NDArray[np.float64]
OBJECTIVE = "objective"


@dataclass(frozen=True, slots=True)
class Point:
    """What the model says at ``n`` positions.

    Attributes:
        values: Name -> values ``(n,)``.
        slopes: Name -> slopes ``(d, n)``.
        states: Slopes of the uncorrected unknowns at the first position, shape ``(d, m)``.
    """

    values: dict[str, Array]
    slopes: dict[str, Array]
    states: Array


Correction = Mapping[str, tuple[Array, Array]]
"""Name of what is measured -> what is added to it ``(n,)``, and the slopes of that ``(d, n)``."""


class SteadyState:
    """The compiled model.

    Args:
        model: Expressions.
        where: What to call the model in errors.

    Attributes:
        handles: Names of the handles, in the model's order.
        parameters: Nominal values of the parameters.
        reads: Names that the model reads and does not give: tags, disturbances and prices.
        disturbances: Those of them that act on the plant, not only on money and limits.
        measured: Names to which corrections apply: responses, and what the model lists as measured.

    Raises:
        ConfigurationError: definitions depend on one another in a circle, or an expression is wrong.
    """

    def __init__(self, model: EconomicModel, where: str = "economics") -> None:
        self.model = model
        self.where = where
        self.handles = tuple(model.handles)
        self.parameters = {name: item.value for name, item in model.parameters.items()}
        self.unknowns = tuple(model.unknowns)
        self.measured = tuple(dict.fromkeys((*model.responses, *model.measured)))
        dependent = {**model.definitions, **model.responses}
        self._dependent = self._ordered({n: Expression.parse(t) for n, t in dependent.items()})
        self._equations = [Expression.parse(_difference(text)) for text in model.equations]
        self._constraints = {text: Expression.parse(text) for text in model.constraints}
        self._objective = Expression.parse(model.objective)
        own = {*self.handles, *self.parameters, *self.unknowns, *dependent}
        inner = [*self._dependent.values(), *self._equations]
        self.reads = (
            frozenset().union(
                *(e.names for e in (*inner, *self._constraints.values(), self._objective))
            )
            - own
        )
        self.disturbances = frozenset().union(*(e.names for e in inner)) & self.reads
        wanted = frozenset().union(*(e.names for e in self._equations))
        self._before = self._needed(wanted)
        self._low = np.array([_or(u.low, -np.inf) for u in model.unknowns.values()])
        self._high = np.array([_or(u.high, np.inf) for u in model.unknowns.values()])
        self._start = np.array([u.start for u in model.unknowns.values()])
        width = np.where(np.isfinite(self._high - self._low), self._high - self._low, np.inf)
        own_size = np.where(self._start != 0, np.abs(self._start), 1.0)
        self._size = np.minimum(width, own_size)

    def _ordered(self, expressions: dict[str, Expression]) -> dict[str, Expression]:
        """The expressions, each after those it reads."""
        ordered: dict[str, Expression] = {}
        rest = dict(expressions)
        while rest:
            ready = [
                n for n, e in rest.items() if not (e.names - {n}) & rest.keys() - ordered.keys()
            ]
            ready = [n for n in ready if n not in rest[n].names]
            if not ready:
                raise ConfigurationError(
                    f"{', '.join(rest)} depend on one another in a circle",
                    where=self.where,
                    remedy="make one of them an unknown with an equation of its own",
                )
            for name in ready:
                ordered[name] = rest.pop(name)
        return ordered

    def _needed(self, names: Iterable[str]) -> dict[str, Expression]:
        """The dependent expressions that ``names`` need, in order."""
        wanted = set(names)
        for name in reversed(self._dependent):
            if name in wanted:
                wanted |= self._dependent[name].names
        return {name: e for name, e in self._dependent.items() if name in wanted}

    def steady_states(
        self, positions: Array, fixed: Mapping[str, Any], guess: Array | None = None
    ) -> Array:
        """The unknowns at positions ``(n, d)``, shape ``(n, m)``; NaN where there is no steady state.

        Args:
            positions: Handle values.
            fixed: Values of all that the model reads, and of parameters that are not at their nominal
                value: numbers, or arrays of shape ``(n,)``.
            guess: First values ``(m,)`` or ``(n, m)``; those of the model when left out.
        """
        n, m = len(positions), len(self.unknowns)
        if m == 0:
            return np.zeros((n, 0))
        base = {**self.parameters, **fixed}
        arrays = {k: v for k, v in base.items() if np.ndim(v)}
        plain = {k: v for k, v in base.items() if not np.ndim(v)}

        def residual(z: Array, rows: NDArray[np.intp]) -> tuple[Array, Array]:
            env: dict[str, Any] = dict(plain)
            env.update({k: v[rows] for k, v in arrays.items()})
            env.update({name: positions[rows, i] for i, name in enumerate(self.handles)})
            for j, name in enumerate(self.unknowns):
                env[name] = Dual(z[:, j], _unit(m, j))
            found = [_full(item, len(rows), m) for item in self._equations_at(env)]
            f = np.stack([item[0] for item in found], axis=1)
            jacobian = np.stack([item[1].T for item in found], axis=1)
            return f, jacobian

        first = self._start if guess is None else guess
        first = np.where(np.isfinite(first), first, self._start)
        start = np.broadcast_to(first, (n, m)).copy()
        with np.errstate(all="ignore"):
            return newton.solve(residual, start, self._low, self._high, self._size).values

    def _equations_at(self, env: dict[str, Any]) -> list[Dual]:
        for name, expression in self._before.items():
            env[name] = expression.linearised(env)
        return [equation.linearised(env) for equation in self._equations]

    def at(
        self,
        positions: Array,
        fixed: Mapping[str, Any],
        states: Array | None = None,
        correction: Correction | None = None,
        along: tuple[str, ...] | None = None,
    ) -> Point:
        """Everything at positions ``(n, d)``: unknowns, dependents, constraints and ``objective``.

        Args:
            positions: Handle values.
            fixed: Values of all that the model reads, and of parameters other than nominal.
            states: Unknowns there; solved when left out.
            correction: What to add to what is measured; objective and constraints are computed from
                the corrected values, and the values given back for measured names are corrected.
            along: Parameters along which slopes are wanted instead of along the handles; when empty,
                slopes are along the directions of the corrections alone.
        """
        n = len(positions)
        if states is None:
            states = self.steady_states(positions, fixed)
        directions = self.handles if along is None else along
        d = len(directions)
        if correction and not directions:
            d = max(len(slope) for _, slope in correction.values())
        env: dict[str, Any] = {**self.parameters, **fixed}
        env.update({name: positions[:, i] for i, name in enumerate(self.handles)})
        for i, name in enumerate(directions):
            env[name] = Dual(np.broadcast_to(np.asarray(env[name], float), (n,)), _unit(d, i))
        with np.errstate(all="ignore"):
            flat = np.zeros((len(self.unknowns), d, n))
            slopes = self._state_slopes(env, states, d) if directions else flat
            for j, name in enumerate(self.unknowns):
                env[name] = Dual(states[:, j], slopes[j])
            inner = dict(env)
            for name, expression in self._dependent.items():
                inner[name] = expression.linearised(inner)
            outer = inner if not correction else self._corrected(env, inner, correction)
            found = {name: outer[name] for name in (*self.unknowns, *self._dependent)}
            for text, expression in self._constraints.items():
                if text not in found:
                    found[text] = expression.linearised(outer)
            found[OBJECTIVE] = self._objective.linearised(outer)
        full = {name: _full(item, n, d) for name, item in found.items()}
        return Point(
            {k: v for k, (v, _) in full.items()},
            {k: s for k, (_, s) in full.items()},
            slopes[:, :, 0].T,
        )

    def _corrected(
        self, env: dict[str, Any], inner: dict[str, Any], correction: Correction
    ) -> dict[str, Any]:
        """Values with what is measured corrected, and what depends on it computed anew."""
        outer = dict(env)

        def add(name: str) -> None:
            value, slope = correction[name]
            base: Any = Dual(value, slope)
            outer[name] = np.add(inner[name], base)

        for name in self.unknowns:
            if name in correction:
                add(name)
        for name, expression in self._dependent.items():
            if name in correction:
                add(name)
            else:
                outer[name] = expression.linearised(outer)
        return outer

    def _state_slopes(self, env: dict[str, Any], states: Array, d: int) -> Array:
        """Slopes of the unknowns along the directions, shape ``(m, d, n)``."""
        n, m = states.shape
        if m == 0:
            return np.zeros((0, d, n))
        both: dict[str, Any] = {}
        for name, value in env.items():
            if isinstance(value, Dual):
                zeros = np.zeros((m, *np.shape(value.slope)[1:]))
                both[name] = Dual(value.value, np.concatenate((value.slope, zeros)))
            else:
                both[name] = value
        for j, name in enumerate(self.unknowns):
            both[name] = Dual(states[:, j], _unit(d + m, d + j))
        found = [_full(item, n, d + m)[1] for item in self._equations_at(both)]
        jacobian = np.stack(found, axis=0).transpose(2, 0, 1)
        by_direction, by_state = jacobian[:, :, :d], jacobian[:, :, d:]
        usable = np.all(np.isfinite(jacobian), axis=(1, 2))
        by_state = np.where(usable[:, None, None], by_state, np.eye(m))
        try:
            slopes = -np.linalg.solve(by_state, by_direction)
        except np.linalg.LinAlgError:
            slopes = -np.linalg.pinv(by_state) @ by_direction
        return np.where(usable, slopes.transpose(1, 2, 0), np.nan)

    def no_steady_state(self, position: Mapping[str, float]) -> OperationError:
        """The error that there is no steady state at a position."""
        at = ", ".join(f"{name} = {value:g}" for name, value in position.items())
        return OperationError(
            f"no steady state was found at {at}",
            where=self.where,
            why="the equations have no solution within the bounds of the unknowns there",
            remedy="check equations, signs and units, widen the bounds of the unknowns, or give "
            "starts nearer to the solution",
        )


def _difference(text: str) -> str:
    left, right = re.split(r"(?<![<>=!])=(?!=)", text)
    return f"({left.strip()}) - ({right.strip()})"


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _unit(size: int, position: int) -> Array:
    slope = np.zeros((size, 1))
    slope[position] = 1.0
    return slope


def _full(item: Dual, n: int, d: int) -> tuple[Array, Array]:
    """Values ``(n,)`` and slopes ``(d, n)``, whatever was constant; what is infinite is NaN."""
    value = np.broadcast_to(np.asarray(item.value, dtype=np.float64), (n,))
    slope = np.broadcast_to(np.asarray(item.slope, dtype=np.float64), (d, n))
    return np.where(np.isfinite(value), value, np.nan), slope
