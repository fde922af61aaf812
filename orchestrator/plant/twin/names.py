"""Whether a scenario names what the unit has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import ConfigurationError
from orchestrator.plant.twin.catalogue import KINDS
from orchestrator.plant.twin.unit import SET_POINTS

if TYPE_CHECKING:
    from orchestrator.plant.tags import Plant
    from orchestrator.plant.twin.scenario import Scenario


def check_names(scenario: Scenario, plant: Plant) -> None:
    """Refuse a scenario that names what the unit does not have, or a set point out of its range.

    Raises:
        ConfigurationError: says what is wrong and what is accepted.
    """
    where = f"scenario {scenario.name!r}"
    for fault in scenario.faults:
        strikes = KINDS[fault.kind].strikes
        accepted = _accepted(strikes, plant) if strikes else (fault.target,)
        if fault.target not in accepted:
            raise ConfigurationError(
                f"fault {fault.name!r}: {fault.kind} strikes a {strikes}, and {fault.target!r} is none",
                where=where,
                remedy=f"one of: {', '.join(accepted)}",
            )
    wanted = [("set_points", tag, value) for tag, value in scenario.set_points.items()]
    wanted += [("moves", move.tag, move.to) for move in scenario.moves]
    for place, tag, value in wanted:
        if tag not in SET_POINTS:
            raise ConfigurationError(
                f"{place}: no set point {tag!r}",
                where=where,
                remedy=f"one of: {', '.join(SET_POINTS)}",
            )
        low, high = plant.tag(tag).normal or (float("-inf"), float("inf"))
        if not low <= value <= high:
            raise ConfigurationError(
                f"{place}: {tag} = {value:g} is outside its range",
                where=where,
                remedy=f"choose from {low:g} to {high:g} {plant.tag(tag).unit}",
            )


def _accepted(strikes: str, plant: Plant) -> tuple[str, ...]:
    if strikes == "analyser":
        return tuple(tag.name for tag in plant.tags if tag.kind == "analyser")
    if strikes == "price":
        return tuple(tag.name for tag in plant.tags if tag.kind == "price")
    if strikes == "area":
        return ("all", *dict.fromkeys(tag.area for tag in plant.tags))
    return plant.tag_names
