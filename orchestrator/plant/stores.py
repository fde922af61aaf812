"""What the historian asks of the tables it writes to, and how old samples are thinned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from orchestrator.plant.samples import Sample, SampleBlock


@dataclass(frozen=True, slots=True)
class Tier:
    """Of samples older than ``after`` only the mean over each ``period`` is kept."""

    after: timedelta
    period: timedelta


class Store(Protocol):
    """Samples in tables. Writing, thinning and removing come from one thread at a time, reading from any.

    All methods raise :class:`~orchestrator.errors.DatabaseUnavailableError` when the tables cannot be
    used; what a failed call should have written is then not there.
    """

    def tags(self) -> list[str]:
        """Names in order of their codes."""
        ...

    def latest(self) -> list[Sample]:
        """The newest samples as of the last commit; several of one tag where they were not saved."""
        ...

    def save_latest(self, samples: Iterable[Sample], codes: Mapping[str, int]) -> None:
        """Keep the newest samples, so that opening need not look for them among all."""
        ...

    def span(self) -> tuple[int, int] | None:
        """First and last time, microseconds since 1970."""
        ...

    def count(self) -> int:
        """Number of samples and of the means that stand for old ones."""
        ...

    def write(
        self, blocks: Sequence[tuple[SampleBlock, datetime]], codes: Mapping[str, int]
    ) -> None:
        """Store blocks with their time of receipt, and new tags, in one transaction."""
        ...

    def read(
        self, codes: Sequence[int] | None, start: int | None, end: int | None, period: int | None
    ) -> Iterator[Any]:
        """Arrow batches (microseconds since 1970, tag code, usable value or null) in order of time.

        Args:
            codes: Tags wanted; None for all.
            start: First time, microseconds since 1970.
            end: Last time.
            period: Length in microseconds over which values are averaged.
        """
        ...

    def thin(self, level: int, before: datetime, period: timedelta) -> int:
        """Put means over ``period`` in the place of samples before ``before``; how many went.

        Args:
            level: 0 thins samples, 1 thins what level 0 made.
            before: On the grid of ``period`` since 1970.
            period: Length of a mean; its time is the start of its period.
        """
        ...

    def remove_before(self, time: datetime) -> int | None:
        """Remove samples before ``time`` (UTC); the first time that is left, in microseconds."""
        ...

    def close(self) -> None:
        """Release what is open."""
        ...
