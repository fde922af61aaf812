"""The stop of all writing: works at once in this process, and is kept for all others."""

from __future__ import annotations

from uuid import uuid4

import structlog

from orchestrator.clock import Clock
from orchestrator.errors import ParameterError
from orchestrator.plant.write_journal import WriteJournal
from orchestrator.write_records import Stop

log = structlog.get_logger(__name__)


class StopSwitch:
    """Pressed by anyone, released by a named person.

    It is on in this process from the call of :meth:`press` on, before anything is awaited, and stays
    so where the journal cannot be reached.

    Args:
        journal: Keeps it through restarts and for other processes.
        clock: Dates it.
    """

    def __init__(self, journal: WriteJournal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._saved = False
        self.pressed: Stop | None = None
        """The stop as far as this process knows without asking."""

    async def press(self, by: str, why: str = "") -> Stop:
        """Stop all writing.

        Raises:
            DatabaseUnavailableError: it is on in this process and not kept for others; press it again.
        """
        self.pressed, self._saved = Stop(uuid4().hex, by, self._clock.now(), why), False
        log.warning("write.stopped", by=by, why=why)
        kept = await self._journal.stop(by, why, self._clock.now())
        self.pressed, self._saved = kept, True
        return kept

    async def release(self, by: str) -> Stop | None:
        """Release the stop; None where none was kept.

        Raises:
            ParameterError: no name is given.
        """
        if not by.strip():
            raise ParameterError("a stop is released by a named person", where="by")
        before = self.pressed
        released = await self._journal.release(by, self._clock.now())
        if self.pressed is before:  # else it was pressed anew meanwhile
            self.pressed = None
        log.warning("write.released", by=by)
        return released

    async def on(self) -> Stop | None:
        """The stop that is on, whoever pressed it.

        Raises:
            DatabaseUnavailableError: the journal cannot be reached, and this process knows of no stop.
        """
        pressed = self.pressed
        if pressed is not None and not self._saved:
            return pressed
        found = await self._journal.stopped()
        if found is None and pressed is not None and self.pressed is pressed:
            self.pressed = None  # another process released it
        return self.pressed or found
