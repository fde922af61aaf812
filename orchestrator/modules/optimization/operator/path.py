"""The writes that a set of moves becomes, in order and in time: forth, the rest of the way, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.safety import Step, ramp
from orchestrator.plant.envelope import Envelope
from orchestrator.write_settings import TagEnvelope


def steps_of(content: Mapping[str, Any], envelope: Envelope) -> tuple[Step, ...]:
    """The recommendation's own path cut to what the envelope lets be written at once, or ramps.

    Each point of a path is the begin of a ramp there, so that nothing comes earlier than planned.

    Raises:
        ParameterError: the path does not lead where the moves do, or a handle is no tag.
    """
    moves = list(content.get("moves", ()))
    if not content.get("path"):
        return steps_to(
            {move["tag"]: float(move["to"]) for move in moves},
            {move["tag"]: float(move["from"]) for move in moves},
            envelope,
        )
    at = {move["tag"]: float(move["from"]) for move in moves}
    free = dict.fromkeys(at, 0.0)
    steps: list[Step] = []
    for item in sorted(content["path"], key=lambda item: float(item["at_minutes"])):
        tag, value = str(item["tag"]), float(item["value"])
        if tag not in at:
            raise ParameterError(f"the path moves {tag}, which is none of the moves", where="path")
        if value == at[tag]:
            continue
        own = limits_of(tag, envelope)
        begin = max(float(item["at_minutes"]), free[tag])
        part = ramp(tag, at[tag], value, own, start_minutes=begin)
        steps += part
        at[tag] = value
        # Where the next step may begin: one spacing after the last, as within the ramp.
        spaced = ramp(tag, 0.0, 2.0 * own.max_rate, own)
        free[tag] = part[-1].at_minutes + spaced[1].at_minutes
    for move in moves:
        if not math.isclose(at[move["tag"]], float(move["to"]), rel_tol=1e-9, abs_tol=1e-9):
            raise ParameterError(
                f"the path leaves {move['tag']} at {at[move['tag']]:g}, not at {move['to']:g}",
                where="path",
            )
    return in_order(steps)


def steps_to(
    targets: Mapping[str, float], values: Mapping[str, float], envelope: Envelope
) -> tuple[Step, ...]:
    """Ramps from present values to targets, all beginning together, each at its own pace.

    Args:
        targets: Value to reach by tag, in its unit.
        values: Present set points of these.
        envelope: How far and how fast.

    Raises:
        ParameterError: a target is no tag of the plant.
    """
    return in_order(
        [
            step
            for tag, value in targets.items()
            if value != values[tag]
            for step in ramp(tag, values[tag], value, limits_of(tag, envelope))
        ]
    )


def limits_of(tag: str, envelope: Envelope) -> TagEnvelope:
    """The envelope of a tag; that of the plant file where it is not on the write list.

    Raises:
        ParameterError: it is no tag of the plant.
    """
    own = envelope.tag(tag) or envelope.by_plant_file(tag)
    if own is None:
        raise ParameterError(f"{tag!r} is no tag of the plant", where="moves")
    return own


def in_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps in the order of their times."""
    return tuple(sorted(steps, key=lambda step: step.at_minutes))
