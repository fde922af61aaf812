"""Samples as they travel from a source to the historian and the monitor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Quality(IntEnum):
    """Quality of a value, as in OPC UA Part 8: good, uncertain or bad; ``NONE`` marks no sample."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    NONE = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one tag.

    ``source_time`` is when the plant measured it and ``server_time`` when we received it, both UTC.
    """

    tag: str
    value: float | None
    quality: Quality
    source_time: datetime
    server_time: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Samples of many tags at common times, the unit of work of every hot loop.

    Attributes:
        tags: Names of the columns, length ``n_tags``.
        times: Source times, ``datetime64[us]`` in UTC, ascending, shape ``(n_times,)``.
        values: Measured values in each tag's own unit, ``float64`` of shape ``(n_times, n_tags)``;
            NaN where there is no usable number.
        quality: :class:`Quality` codes, ``uint8`` of shape ``(n_times, n_tags)``; ``NONE`` where the
            source had no sample at all, ``BAD`` where it had one that is not a number.
    """

    tags: tuple[str, ...]
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __post_init__(self) -> None:
        shape = (len(self.times), len(self.tags))
        if self.values.shape != shape or self.quality.shape != shape:
            raise ValueError(
                f"values {self.values.shape} and quality {self.quality.shape} must have shape {shape}"
            )

    def __len__(self) -> int:
        return len(self.times)

    @property
    def start(self) -> datetime:
        """Time of the first row."""
        return to_datetime(self.times[0])

    @property
    def end(self) -> datetime:
        """Time of the last row."""
        return to_datetime(self.times[-1])

    def rows(self, first: int, last: int) -> SampleBlock:
        """Rows ``first`` (included) to ``last`` (excluded), as views."""
        part = slice(first, last)
        return SampleBlock(self.tags, self.times[part], self.values[part], self.quality[part])

    def select(self, tags: Sequence[str]) -> SampleBlock:
        """The columns of ``tags``, in that order."""
        position = {tag: i for i, tag in enumerate(self.tags)}
        columns = [position[tag] for tag in tags]
        return SampleBlock(
            tuple(tags), self.times, self.values[:, columns], self.quality[:, columns]
        )

    def samples(self, server_time: datetime | None = None) -> Iterator[Sample]:
        """The block as single samples, row by row; slow, for edges and tests only."""
        for i, time in enumerate(self.times):
            at = to_datetime(time)
            for j, tag in enumerate(self.tags):
                code = Quality(int(self.quality[i, j]))
                if code is Quality.NONE:
                    continue
                value = float(self.values[i, j])
                yield Sample(tag, None if value != value else value, code, at, server_time or at)


def to_datetime(time: np.datetime64) -> datetime:
    """A ``datetime64`` in UTC as an aware :class:`datetime`."""
    microseconds = int(time.astype("datetime64[us]").astype("int64"))
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def to_datetime64(time: datetime) -> np.datetime64:
    """An aware :class:`datetime` as ``datetime64[us]`` in UTC; a naive one is refused."""
    import numpy as np

    if time.tzinfo is None:
        raise ValueError(f"a time needs a time zone, got {time!r}")
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")
