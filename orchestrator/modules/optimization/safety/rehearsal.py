"""Moves tried on a model before they are offered: which limits would be crossed, on the way or at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.optimization.safety.proposal import Step
from orchestrator.plant.expressions import Expression
from orchestrator.plant.samples import Quality
from orchestrator.plant.write_facts import Facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.plant.tags import Plant

    Array = NDArray[np.float64]

_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit that is crossed, or one broken already that is broken further.

    Attributes:
        name: Tag, or expression of a constraint.
        side: Which side of it.
        limit: The limit, in the tag's unit.
        value: The worst value.
        minute: When it is first beyond it, minutes after the begin.
        at_end: Whether it is still beyond it at the end.
    """

    name: str
    side: Literal["high", "low"]
    limit: float
    value: float
    minute: float
    at_end: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal showed.

    Attributes:
        method: What was rehearsed on, in words.
        crossings: Limits crossed.
        changes: Tag -> its change from now to the end, in its unit.
    """

    method: str
    crossings: tuple[Crossing, ...]
    changes: Mapping[str, float]


class Rehearse(Protocol):
    """Tries moves on a model of the plant."""

    def __call__(self, steps: Sequence[Step], facts: Facts) -> Rehearsal:
        """Rehearse the steps from the plant's present state.

        Raises:
            InsufficientDataError: a value that the model needs is not there.
            UnavailableError: the model cannot be used now.
        """
        ...


class SteadyRehearsal:
    """Rehearses on the economic model of the plant file: the steady state after each step.

    A response is ``present value + f(handles) - f(present handles)``. What happens between two steady
    states is not seen; for that a dynamic model is needed, such as the simulated unit.

    Args:
        plant: A plant with ``economics``.
    """

    method = "steady-state model of the plant file"

    def __init__(self, plant: Plant) -> None:
        assert plant.economics is not None
        self._plant = plant
        self._handles = tuple(plant.economics.handles)
        self._bounds = dict(plant.economics.constraints)
        self._specifications = plant.specifications
        self._responses = {t: Expression.parse(e) for t, e in plant.economics.responses.items()}
        self._others = {
            name: Expression.parse(name)
            for name in plant.economics.constraints
            if name not in self._responses and name not in plant.by_name
        }
        read = (*self._responses.values(), *self._others.values())
        self._reads = frozenset().union(*(item.names for item in read)) - self._responses.keys()

    def __call__(self, steps: Sequence[Step], facts: Facts) -> Rehearsal:
        """The steady state after each step against every limit, specification and constraint.

        Raises:
            InsufficientDataError: a value that the model needs is missing or not good, or a step moves
                what is no handle of the model.
        """
        strange = sorted({step.tag for step in steps} - set(self._handles))
        if strange:
            raise InsufficientDataError(
                f"{strange[0]} is no handle of the model", where="economics"
            )
        present = self._present(facts)
        positions: dict[str, float | Array | None] = {
            name: np.full(len(steps) + 1, value) for name, value in present.items()
        }
        for row, step in enumerate(steps, start=1):
            column = positions[step.tag]
            assert isinstance(column, np.ndarray)
            column[row:] = step.value
        found: dict[str, Array] = {}
        for tag, expression in self._responses.items():
            modelled = np.broadcast_to(np.asarray(expression.evaluate(positions)), len(steps) + 1)
            level = self._value(tag, facts)
            found[tag] = modelled + ((level - modelled[0]) if math.isfinite(level) else 0.0)
        for name, expression in self._others.items():
            values = np.asarray(expression.evaluate({**positions, **found}))
            found[name] = np.broadcast_to(values, len(steps) + 1)
        minutes = [0.0, *(step.at_minutes for step in steps)]
        crossings = tuple(
            crossing
            for name, values in found.items()
            for crossing in self._crossed(name, values, minutes)
        )
        changes = {
            name: float(v[-1] - v[0]) for name, v in found.items() if name in self._responses
        }
        return Rehearsal(self.method, crossings, changes)

    def _present(self, facts: Facts) -> dict[str, float]:
        present = {name: self._value(name, facts) for name in {*self._reads, *self._handles}}
        missing = sorted(name for name, value in present.items() if not math.isfinite(value))
        if missing:
            raise InsufficientDataError(
                f"the model needs a good value of {', '.join(missing[:5])}", where="economics"
            )
        return present

    @staticmethod
    def _value(name: str, facts: Facts) -> float:
        found = facts.values.get(name)
        good = found is not None and found.quality is Quality.GOOD and found.value is not None
        return (
            float(found.value)
            if found is not None and found.value is not None and good
            else math.nan
        )

    def _crossed(self, name: str, values: Array, minutes: Sequence[float]) -> Iterator[Crossing]:
        tag = self._plant.by_name.get(name)
        bounds = (self._bounds.get(name), self._specifications.get(name))
        lows = [item[0] for item in bounds if item is not None]
        highs = [item[1] for item in bounds if item is not None]
        if tag is not None:
            lows += [tag.limits.low, tag.limits.low_low]
            highs += [tag.limits.high, tag.limits.high_high]
        yield from crossed(name, "low", lows, values, minutes)
        yield from crossed(name, "high", highs, values, minutes)


def crossed(
    name: str,
    side: Literal["high", "low"],
    limits: Sequence[float | None],
    values: Array,
    minutes: Sequence[float],
) -> Iterator[Crossing]:
    """The tightest limit of one side, where it is crossed or, broken already, broken further.

    Args:
        name: Shown.
        side: Of the limits.
        limits: Limits; None where there is none.
        values: Values, the present one first, ``(n,)``; one that is no number counts as beyond.
        minutes: Time of each value, ``(n,)``.
    """
    given = [limit for limit in limits if limit is not None]
    if not given:
        return
    limit = min(given) if side == "high" else max(given)
    sign = 1.0 if side == "high" else -1.0
    excess = np.nan_to_num(sign * (values - limit), nan=np.inf)
    allowed = max(0.0, float(excess[0])) + _NOISE * max(1.0, abs(limit))
    beyond = excess > allowed
    if beyond.any():
        worst = int(np.argmax(excess))
        first = int(np.argmax(beyond))
        yield Crossing(
            name, side, limit, float(values[worst]), float(minutes[first]), bool(beyond[-1])
        )
