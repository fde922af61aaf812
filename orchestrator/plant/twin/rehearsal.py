"""Moves tried on the simulated unit before anyone makes them: is a limit crossed, on the way too?"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from orchestrator.errors import InsufficientDataError, ParameterError
from orchestrator.plant.tags import load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.crudes import MASS, VOLUME, crudes
from orchestrator.plant.twin.faults import Faults
from orchestrator.plant.twin.instruments import LOOPS
from orchestrator.plant.twin.running import RunningUnit
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.unit import SET_POINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from orchestrator.plant.tags import Plant

    Array = NDArray[np.float64]

Side = Literal["low_low", "low", "high", "high_high", "spec_low", "spec_high"]
ALARMS: tuple[Side, ...] = ("low_low", "low", "high", "high_high")
HORIZON = 180.0
"""Minutes to look ahead: the slowest path, a full-range move and then 60 min of level control, is over."""


class Crossing(NamedTuple):
    """A limit that is crossed.

    Attributes:
        tag: The tag.
        side: Which of its limits, or end of its specification.
        limit: The limit, in the tag's unit.
        value: The farthest value beyond it.
        minute: When it is first crossed, min from now; 0 where it is crossed already.
        without_moves: Whether it is crossed just as far when nothing is moved.
    """

    tag: str
    side: Side
    limit: float
    value: float
    minute: float
    without_moves: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What moves are expected to do, simulated.

    Attributes:
        times: Minutes from now, ``(n,)``.
        tags: Tags with limits.
        values: Their expected true values, in their units, ``(n, n_tags)``.
        unmoved: The same where nothing is moved.
        crossings: Limits crossed, by time.
    """

    times: Array
    tags: tuple[str, ...]
    values: Array
    unmoved: Array
    crossings: tuple[Crossing, ...]

    @property
    def caused(self) -> tuple[Crossing, ...]:
        """Crossings that the moves bring about or make worse."""
        return tuple(item for item in self.crossings if not item.without_moves)


@dataclass(frozen=True, slots=True)
class Standing:
    """The unit as it stands, ready to be moved on paper.

    Attributes:
        unit: A copy that looks ahead, held by :meth:`RunningUnit.hold`.
        plant: Tags and limits.
        offsets: Measured less modelled value by tag, added to what the model says; empty where the copy
            is of the simulation itself.
    """

    unit: RunningUnit
    plant: Plant
    offsets: Mapping[str, float] = field(default_factory=dict)


def rehearse(
    standing: Standing,
    steps: Sequence[tuple[float, str, float]],
    horizon_minutes: float = HORIZON,
) -> Rehearsal:
    """Move set points on a copy of the unit and see what its limits make of it.

    The forecast is without chance: weather, crude, fouling and faults stay as they are, disturbances die away,
    and the scenario's future is not known to it. Each set point moves at the rate limit of its tag.

    Args:
        standing: Where to begin; it is left as it is.
        steps: Minutes from now, set point, and value to send it to in its unit.
        horizon_minutes: How far to look, min.

    Raises:
        ParameterError: a step is no set point, outside its range or outside the horizon.
    """
    for minute, tag, value in steps:
        if not 0 <= minute < horizon_minutes:
            raise ParameterError(
                f"the move of {tag} at {minute:g} min is outside the {horizon_minutes:g} min looked ahead",
                remedy="give minutes from 0 to below horizon_minutes, or a longer horizon",
            )
        standing.unit.handles.check(tag, value)
    limited = tuple(tag.name for tag in standing.plant if _limits(standing.plant, tag.name))
    ordered = sorted(steps, key=lambda step: step[0])
    tags, values = _run(standing, ordered, limited, horizon_minutes)
    _, unmoved = _run(standing, (), limited, horizon_minutes)
    times = np.arange(1, len(values) + 1, dtype=np.float64) * standing.unit.period
    found = sorted(_crossings(standing.plant, tags, times, values, unmoved), key=_when)
    return Rehearsal(times, tags, values, unmoved, tuple(found))


def standing_at(values: Mapping[str, float], plant: Plant | None = None) -> Standing:
    """The unit at rest where measured values have it, for a source that is not the simulation.

    The crude is mixed so that its density is the measured one; what the model then misses of each measured
    tag is carried along unchanged. Slow changes under way are not known to it.

    Args:
        values: Measured values by tag, best as means over some minutes; every set point or the value that its loop controls must be there.
        plant: Tags and limits; those of the simulated unit if left out.

    Raises:
        InsufficientDataError: a set point is not known.
    """
    known = {tag: value for tag, value in values.items() if math.isfinite(value)}
    handles = {}
    for tag, (controlled, _, _) in LOOPS.items():
        value = known.get(
            tag, known.get(controlled, SET_POINTS[tag][0] if not controlled else None)
        )
        if value is None:
            raise InsufficientDataError(
                f"no present value of {tag} or of {controlled}",
                where="rehearsal on the simulated unit",
                remedy="give the measured values of all set points",
            )
        handles[tag] = float(value)
    plant = plant or load_plant(PLANT_FILE)
    scenario = Scenario(
        name="as measured",
        noise=0,
        disturbance=0,
        warm_up_hours=0,
        price_history_days=0,
        set_points=handles,
        crude=_crude(known.get("AI101")),
    )
    randoms = [np.random.default_rng(0) for _ in range(2)]
    unit = RunningUnit(scenario, plant, Faults(()), 0.0, randoms)
    unit.hold()
    modelled = {tag: float(row[0]) for tag, row in copy.deepcopy(unit).ahead(1).items()}
    offsets = {tag: known[tag] - modelled[tag] for tag in known.keys() & modelled.keys()}
    return Standing(unit, plant, offsets)


def _crude(density: float | None) -> dict[str, float]:
    """Shares of the two neighbours in density, by volume, as shares of mass."""
    dense = {
        name: 1000.0 * item.table[:, MASS].sum() / item.table[:, VOLUME].sum()
        for name, item in crudes().items()
    }
    wanted = dense["medium"] if density is None else density
    line = sorted(("condensate", "light", "medium", "heavy", "bitumen"), key=dense.__getitem__)
    wanted = min(max(wanted, dense[line[0]]), dense[line[-1]])
    at = max(1, next(i for i, name in enumerate(line) if dense[name] >= wanted))
    light, heavy = line[at - 1], line[at]
    # Volumes add up: 1 / density is linear in the share of mass.
    share = (1 / dense[light] - 1 / wanted) / (1 / dense[light] - 1 / dense[heavy])
    return {light: 1.0 - float(share), heavy: float(share)}


def _run(
    standing: Standing,
    steps: Sequence[tuple[float, str, float]],
    tags: tuple[str, ...],
    horizon: float,
) -> tuple[tuple[str, ...], Array]:
    """Those of the tags that the unit has, and their values."""
    unit = copy.deepcopy(standing.unit)
    rows = max(1, round(horizon / unit.period))
    cuts = sorted({0, rows, *(min(rows, math.ceil(step[0] / unit.period)) for step in steps)})
    parts: dict[str, list[Array]] = {}
    waiting = list(steps)
    for first, end in itertools.pairwise(cuts):
        while waiting and math.ceil(waiting[0][0] / unit.period) <= first:
            _, tag, value = waiting.pop(0)
            unit.handles.send(tag, value)
        reached = unit.ahead(end - first)
        for tag in tags:
            if tag in reached:
                parts.setdefault(tag, []).append(reached[tag] + standing.offsets.get(tag, 0.0))
    return tuple(parts), np.array([np.concatenate(part) for part in parts.values()]).T


def _limits(plant: Plant, tag: str) -> list[tuple[Side, float]]:
    """Limits and specification; an end of the latter that is a limit too is told once."""
    limits = plant.tag(tag).limits
    found = [(side, bound) for side in ALARMS if (bound := getattr(limits, side)) is not None]
    low, high = plant.specifications.get(tag, (None, None))
    if low is not None and low not in (limits.low_low, limits.low):
        found.append(("spec_low", low))
    if high is not None and high not in (limits.high, limits.high_high):
        found.append(("spec_high", high))
    return found


def _crossings(
    plant: Plant, tags: tuple[str, ...], times: Array, values: Array, unmoved: Array
) -> Iterator[Crossing]:
    for i, tag in enumerate(tags):
        for side, bound in _limits(plant, tag):
            sign = 1.0 if "high" in side else -1.0
            beyond = sign * (values[:, i] - bound)
            if not (beyond > 0).any():
                continue
            farthest = int(np.argmax(beyond))
            first = int(np.argmax(beyond > 0))
            alone = float((sign * (unmoved[:, i] - bound)).max())
            yield Crossing(
                tag,
                side,
                float(bound),
                float(values[farthest, i]),
                0.0 if first == 0 else float(times[first]),
                alone > 0 and float(beyond[farthest]) <= alone + plant.tag(tag).dead_band,
            )


def _when(crossing: Crossing) -> float:
    return crossing.minute
