"""The write journal as the writer needs it; the state database implements it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from orchestrator.write_records import Stop, WriteRecord, WriteState


class WriteJournal(Protocol):
    """Durable record of every write, and of the stop. Each method returns when its change is durable.

    Every change is entered in the audit chain in the same transaction. All methods raise
    ``DatabaseUnavailableError`` where the database cannot be reached.
    """

    async def intend(self, record: WriteRecord) -> None:
        """Journal a write before it is sent, and lock its tag.

        Raises:
            ConflictError: its permit was used, its step was or may have been carried out, or its tag
                is locked by a write without a known end.
        """
        ...

    async def refuse(self, record: WriteRecord) -> None:
        """Journal a write that is not sent. A permit that was used already may be named again."""
        ...

    async def end(
        self,
        id: str,  # noqa: A002
        state: WriteState,
        at: datetime,
        *,
        read_back: float | None = None,
        reasons: Sequence[str] = (),
        text: str = "",
    ) -> WriteRecord:
        """Give an intended write its end.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: it has an end already.
        """
        ...

    async def settle(
        self,
        id: str,  # noqa: A002
        state: WriteState,
        at: datetime,
        *,
        by: str,
        why: str,
    ) -> WriteRecord:
        """Give an unverified write the end, ``done`` or ``not_done``, that a person has seen.

        Raises:
            NotFoundError: there is no such write.
            ConflictError: it is not unverified.
            ParameterError: no name is given, or the end is another one.
        """
        ...

    async def get(self, id: str) -> WriteRecord:  # noqa: A002
        """The write called ``id``.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def open_writes(self, tag: str | None = None) -> tuple[WriteRecord, ...]:
        """Writes that lock their tag, oldest first."""
        ...

    async def moves(self, tag: str, since: datetime) -> tuple[WriteRecord, ...]:
        """Writes that have, or may have, moved a tag since an instant, oldest first."""
        ...

    async def of_recommendation(self, recommendation_id: str) -> tuple[WriteRecord, ...]:
        """All writes of a recommendation, oldest first."""
        ...

    async def moves_under_grant(self, grant_id: str) -> int:
        """How many writes a grant has been used for."""
        ...

    async def stop(self, by: str, why: str, at: datetime) -> Stop:
        """Stop all writing; while a stop is on, that one is kept and returned."""
        ...

    async def release(self, by: str, at: datetime) -> Stop | None:
        """Release the stop in the name of a person; None where none is on.

        Raises:
            ParameterError: no name is given.
        """
        ...

    async def stopped(self) -> Stop | None:
        """The stop that is on."""
        ...
