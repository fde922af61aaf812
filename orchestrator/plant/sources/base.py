"""What a source of samples is, and the pace at which its samples are handed on."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.plant.samples import SampleBlock
    from orchestrator.plant.tags import Plant

MAX_BLOCK_CELLS = 2_000_000
MAX_LAG_SECONDS = 10.0


class Source(Protocol):
    """Where samples come from.

    Attributes:
        name: Shown to people.
        simulated: Whether the samples come from a simulation.
        plant: The tags it delivers and what is known about them.
    """

    name: str
    simulated: bool
    plant: Plant

    def history(self) -> Iterator[SampleBlock]:
        """What the source knows from before :meth:`blocks` begins; often nothing."""
        ...

    def resume_after(self, time: datetime) -> None:
        """Hand on only samples later than ``time``; called before any are taken.

        A recording skips what was taken before; a simulation begins after it.
        """
        ...

    def blocks(self, max_span: timedelta) -> Iterator[SampleBlock]:
        """All samples in order of time, not paced.

        ``floor(time / max_span)``, counted from 1970, is the same for all rows of a block.
        """
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """From ``since`` on samples of a tag may be missing, apart from those of the times ``held``.

    Attributes:
        held: Microseconds since 1970, ``int64``.
    """

    since: datetime
    held: NDArray[np.int64]


@runtime_checkable
class FillsGaps(Protocol):
    """A source that fetches what was missed, also by an earlier process."""

    @property
    def overlap(self) -> timedelta:
        """How far before the newest stored sample something may be missing after a crash."""
        ...

    def resume_gaps(self, gaps: Mapping[str, Gap]) -> None:
        """Fetch what an earlier process missed; called before any samples are taken."""
        ...

    def unfilled(self) -> Mapping[str, datetime]:
        """Tags with a gap that its reader has not got filled yet, and since when."""
        ...


class Pacer:
    """Holds samples back until their time has come.

    The first time waited for is now; later ones are due ``speed`` times faster than plant time
    passes. Who comes late is not held back, so short delays are made up for; after a long one
    (:data:`MAX_LAG_SECONDS`) the pace starts anew.

    Args:
        speed: Times real time; 0 is as fast as possible.
    """

    def __init__(self, speed: float) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise ValueError(f"speed must be 0 or more, got {speed!r}")
        self.speed = speed
        self._anchor: tuple[datetime, float] | None = None

    async def wait_for(self, plant_time: datetime) -> None:
        """Return when ``plant_time`` is due; other tasks run in any case."""
        delay = 0.0
        if self.speed > 0:
            now = time.monotonic()
            if self._anchor is None:
                self._anchor = (plant_time, now)
            since, started = self._anchor
            delay = started + (plant_time - since).total_seconds() / self.speed - now
            if delay < -MAX_LAG_SECONDS:
                self._anchor = (plant_time, now)
        await asyncio.sleep(max(0.0, delay))


def split_by_span(blocks: Iterable[SampleBlock], max_span: timedelta) -> Iterator[SampleBlock]:
    """Cut ascending blocks at every multiple of ``max_span`` since 1970, and join what lies between.

    A span of more than :data:`MAX_BLOCK_CELLS` values comes in several blocks. The parts of one
    input block are views of it.

    Raises:
        ValueError: ``max_span`` is not positive.
    """
    import numpy as np

    from orchestrator.plant.pivot import joined

    width = max_span // timedelta(microseconds=1)
    if width <= 0:
        raise ValueError(f"max_span must be positive, got {max_span}")
    held: SampleBlock | None = None
    for block in blocks:
        if not len(block):
            continue
        block = block if held is None else joined([held, block])
        span = block.times.view(np.int64) // width
        cuts = (np.flatnonzero(span[1:] != span[:-1]) + 1).tolist()
        first = 0
        for cut in cuts:
            yield block.rows(first, cut)
            first = cut
        held = block.rows(first, len(block)) if first else block
        if held.values.size >= MAX_BLOCK_CELLS:
            yield held
            held = None
    if held is not None:
        yield held
