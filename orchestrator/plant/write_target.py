"""What a set point is written to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.plant.samples import Quality


@dataclass(frozen=True, slots=True)
class Observation:
    """A value as the control system holds it at the moment of the answer.

    Attributes:
        value: In the tag's unit; None where it is bad.
        quality: As in OPC UA.
        plant_time: The control system's clock at the answer, UTC.
    """

    value: float | None
    quality: Quality
    plant_time: datetime


class WriteTarget(Protocol):
    """A control system, or a simulated one, that holds set points.

    An implementation never repeats a write: whether to repeat is not its to know.

    Attributes:
        name: Shown to people.
        simulated: Whether it is a simulation.
    """

    name: str
    simulated: bool

    async def read(self, tag: str) -> Observation:
        """The set point as it is held now, not a value from a cache.

        Raises:
            UnavailableError: it cannot be read.
        """
        ...

    async def write(self, tag: str, value: float) -> None:
        """Send the set point; returns when the control system has said that it took it.

        Raises:
            PlantRefusedError: it is certain that it is not carried out: the control system said so, or
                nothing was sent.
            UnavailableError: there was no answer, so that nobody knows.
        """
        ...

    async def close(self) -> None:
        """Release what is open."""
        ...
