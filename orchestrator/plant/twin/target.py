"""The set points of a simulated unit of this process, to be written like those of a plant."""

from __future__ import annotations

from orchestrator.clock import Clock
from orchestrator.errors import ParameterError, PlantRefusedError, UnavailableError
from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.source import TwinSource
from orchestrator.plant.write_target import Observation


class TwinTarget:
    """Writes set points of a :class:`TwinSource`.

    What is read is where a set point has been sent; the unit goes there at its own rate.

    Args:
        source: The simulated unit.
        clock: Its plant time.
    """

    simulated = True

    def __init__(self, source: TwinSource, clock: Clock) -> None:
        self.name = source.name
        self._source = source
        self._clock = clock

    async def read(self, tag: str) -> Observation:
        """Where the set point has been sent.

        Raises:
            UnavailableError: the tag is no set point of the unit.
        """
        value = self._source.set_points.get(tag)
        if value is None:
            raise UnavailableError(
                f"{tag!r} is not a set point of the simulated unit", where=self.name
            )
        return Observation(value, Quality.GOOD, self._clock.now())

    async def write(self, tag: str, value: float) -> None:
        """Send the set point.

        Raises:
            PlantRefusedError: the tag is no set point, or the value is outside its range.
        """
        try:
            self._source.set_point(tag, value)
        except ParameterError as error:
            raise PlantRefusedError(error.what, where=self.name, remedy=error.remedy) from error

    async def close(self) -> None:
        """Nothing is open."""
