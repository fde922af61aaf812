"""The writes that a set of moves becomes, in order and in time, and those that take it back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import ParameterError
from orchestrator.plant.tags import Plant

Direction = Literal["apply", "roll_back"]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One write to come.

    Attributes:
        tag: The handle.
        before: Its value before this step, in the tag's unit.
        value: What is written, in the tag's unit.
        at_minutes: When, counted from the begin of the path.
    """

    tag: str
    before: float
    value: float
    at_minutes: float


def steps_of(content: Mapping[str, Any], plant: Plant, step_minutes: float) -> list[PlannedStep]:
    """The recommendation's own path, or ramps at each handle's rate limit where it has none.

    Raises:
        ParameterError: the path does not lead where the moves do.
    """
    moves = list(content.get("moves", ()))
    if not content.get("path"):
        return ramps(
            [(move["tag"], float(move["from"]), float(move["to"])) for move in moves],
            plant,
            step_minutes,
        )
    at = {move["tag"]: float(move["from"]) for move in moves}
    steps = []
    for item in sorted(content["path"], key=lambda item: float(item["at_minutes"])):
        tag, value = str(item["tag"]), float(item["value"])
        if tag not in at:
            raise ParameterError(f"the path moves {tag}, which is none of the moves", where="path")
        if value != at[tag]:
            steps.append(PlannedStep(tag, at[tag], value, float(item["at_minutes"])))
            at[tag] = value
    for move in moves:
        if not math.isclose(at[move["tag"]], float(move["to"]), rel_tol=1e-9, abs_tol=1e-9):
            raise ParameterError(
                f"the path leaves {move['tag']} at {at[move['tag']]:g}, not at {move['to']:g}",
                where="path",
            )
    return steps


def ramps(
    moves: Sequence[tuple[str, float, float]], plant: Plant, step_minutes: float
) -> list[PlannedStep]:
    """Each handle from one value to another, all beginning together, none faster than its rate limit.

    A step is written when the time that its size needs at the rate limit is over, so that the value
    never runs ahead of the ramp. A handle without a rate limit moves in one step.

    Args:
        moves: Tag, value now and value to reach, in each tag's unit.
        plant: Rate limits, in the tag's unit per minute.
        step_minutes: Time between two steps of one handle.
    """
    steps = []
    for tag, start, end in moves:
        known = plant.by_name.get(tag)
        rate = known.rate_limit if known is not None and known.rate_limit else math.inf
        way = end - start
        if way == 0.0:
            continue
        minutes = abs(way) / rate
        # A last step that is a rounding error long would be a write for nothing.
        count = max(1, math.ceil(minutes / step_minutes - 1e-9))
        before = start
        for number in range(1, count + 1):
            last = number == count
            value = end if last else start + math.copysign(rate * step_minutes * number, way)
            at = minutes if last else step_minutes * number
            steps.append(PlannedStep(tag, before, value, at))
            before = value
    return sorted(steps, key=lambda step: step.at_minutes)


def steps_back(
    content: Mapping[str, Any],
    written: Sequence[str],
    values: Mapping[str, float],
    plant: Plant,
    step_minutes: float,
) -> list[PlannedStep]:
    """Ramps that bring the handles which were written back to where they came from.

    Args:
        content: The recommendation.
        written: Handles of which at least one step was written.
        values: Present set points of these, in each tag's unit.
        plant: Rate limits.
        step_minutes: Time between two steps of one handle.
    """
    back = [
        (move["tag"], values[move["tag"]], float(move["from"]))
        for move in content.get("moves", ())
        if move["tag"] in written
    ]
    return ramps(back, plant, step_minutes)
