"""Moves rehearsed on the simulated unit, minute by minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from orchestrator.errors import ParameterError, UnavailableError
from orchestrator.modules.optimization.safety.proposal import Step
from orchestrator.modules.optimization.safety.rehearsal import Crossing, Rehearsal
from orchestrator.plant.samples import Quality
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin import rehearsal as twin
from orchestrator.plant.write_facts import Facts

SETTLING = 120.0
"""Minutes looked ahead after the last step: four times the slowest lag and dead time of an analyser."""


class TwinRehearsal:
    """Rehearses on the simulated unit, the way as well as the end.

    Crossings that come without the moves too are not among those told.

    Args:
        plant: Tags and limits.
        standing: The unit as it stands, where the plant is the simulated unit
            (:meth:`~orchestrator.plant.twin.source.TwinSource.standing`); else one at rest is set up from the
            measured values.
    """

    method = "simulated unit, minute by minute"

    def __init__(self, plant: Plant, standing: Callable[[], twin.Standing] | None = None) -> None:
        self._plant = plant
        self._standing = standing

    def __call__(self, steps: Sequence[Step], facts: Facts) -> Rehearsal:
        """Rehearse.

        Raises:
            InsufficientDataError: a set point is not known.
            UnavailableError: a step is nothing that the simulated unit can do.
        """
        standing = (
            self._standing() if self._standing else twin.standing_at(_good(facts), self._plant)
        )
        begin = min((step.at_minutes for step in steps), default=0.0)
        moves = [(step.at_minutes - begin, step.tag, step.value) for step in steps]
        end = max((minute for minute, _, _ in moves), default=0.0)
        try:
            seen = twin.rehearse(standing, moves, end + SETTLING)
        except ParameterError as error:
            raise UnavailableError(error.what, where=self.method, remedy=error.remedy) from error
        return Rehearsal(
            self.method,
            _tightest(seen, begin),
            dict(zip(seen.tags, (seen.values[-1] - seen.unmoved[-1]).tolist(), strict=True)),
        )


def _good(facts: Facts) -> dict[str, float]:
    return {
        tag: float(item.value)
        for tag, item in facts.values.items()
        if item.quality is Quality.GOOD and item.value is not None
    }


def _tightest(seen: twin.Rehearsal, begin: float) -> tuple[Crossing, ...]:
    """Of each tag and side the limit that is crossed first, the inner one."""
    found: dict[tuple[str, str], Crossing] = {}
    for item in seen.caused:
        side: Literal["high", "low"] = "high" if "high" in item.side else "low"
        sign = 1.0 if side == "high" else -1.0
        known = found.get((item.tag, side))
        if known is None or sign * item.limit < sign * known.limit:
            last = float(seen.values[-1, seen.tags.index(item.tag)])
            found[item.tag, side] = Crossing(
                item.tag,
                side,
                item.limit,
                item.value,
                begin + item.minute,
                sign * (last - item.limit) > 0,
            )
    return tuple(found.values())
