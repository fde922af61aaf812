"""Observe, assess, decide, coordinate: the loop that runs as long as a source gives samples."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog

from orchestrator.clock import PlantClock, iso
from orchestrator.config import Settings
from orchestrator.core.assessment import Assessor
from orchestrator.core.gap_keeper import GapKeeper
from orchestrator.errors import DanGError
from orchestrator.monitoring.life_cycle import AlertEvent
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import SampleBlock, to_datetime64
from orchestrator.plant.sources.base import FillsGaps, Pacer, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = structlog.get_logger(__name__)
BULK = timedelta(hours=6)

Act = Callable[[datetime], Awaitable[None]]
OnAlerts = Callable[[list[AlertEvent]], Awaitable[None]]


class LiveLoop:
    """Feeds a source's samples to historian, monitor and assessor, and acts at every assessment.

    Args:
        source: Where samples come from.
        speed: Times real time; 0 runs as fast as possible, and then plant time stands still while
            what was decided runs.
        act: Called with the plant time at each assessment.
        on_alerts: Called with the alert transitions of each block.
        gaps: File for the gaps of a source that fills them.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        *,
        clock: PlantClock,
        historian: Historian,
        monitor: Monitor,
        assessor: Assessor,
        act: Act,
        on_alerts: OnAlerts,
        speed: float,
        train: Source | None = None,
        gaps: Path | None = None,
    ) -> None:
        self._source = source
        self._train = train
        self._clock = clock
        self._historian = historian
        self._monitor = monitor
        self._assessor = assessor
        self._act = act
        self._on_alerts = on_alerts
        self._pacer = Pacer(speed)
        # A live source keeps its own pace, and fills gaps with blocks that lie in the past.
        self._live = bool(getattr(source, "live", False))
        self._keeper: GapKeeper | None = None
        if gaps is not None and isinstance(source, FillsGaps):
            tags = [tag.name for tag in source.plant.tags if tag.expression is None]
            self._keeper = GapKeeper(gaps, source, source.name, tags, historian)
        self._seen_until: datetime | None = None
        self._interval = timedelta(seconds=settings.plant.assess_interval)
        self._next_assessment: datetime | None = None
        self.lock = asyncio.Lock()
        self.rows = 0
        self.history_rows = 0
        self.tag_samples = 0
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None

    async def run(self) -> None:
        """Run until the source ends or the task is cancelled."""
        await self._prepare()
        blocks = self._source.blocks(self._interval)
        try:
            while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                if not self._live:
                    await self._pacer.wait_for(block.end)
                    await self._take(block)
                    continue
                past, present = self._divided(block)
                if len(past):
                    await self._take_past(past)
                if len(present):
                    await self._take(present)
                await self._keep_gaps()
        finally:
            await asyncio.to_thread(self._close, blocks)

    def _close(self, blocks: Iterator[SampleBlock]) -> None:
        close = getattr(blocks, "close", None)
        if close is not None:
            close()
        self._historian.flush()
        if self._keeper is not None:
            self._keeper.keep()

    async def _keep_gaps(self) -> None:
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.keep)

    async def _prepare(self) -> None:
        """Take in the source's own past, and train the monitor where there is something to learn from."""
        if self._train is not None:
            training = await asyncio.to_thread(lambda s: list(s.blocks(BULK)), self._train)
            await asyncio.to_thread(self._fit, training)
        else:
            await asyncio.to_thread(self._monitor.restore)
        span = await asyncio.to_thread(self._historian.span)
        if self._keeper is not None:
            self._seen_until = await asyncio.to_thread(self._keeper.resume)
        elif span is not None:
            log.info("the source resumes", after=iso(span[1]))
            self._source.resume_after(span[1])
        past = await asyncio.to_thread(self._take_history, span[1] if span else None)
        if not self._monitor.fitted and past:
            await asyncio.to_thread(self._fit, past)

    def _take_history(self, held_until: datetime | None) -> list[SampleBlock]:
        """The source's own past; the historian takes what it does not hold yet."""
        past: list[SampleBlock] = []
        for block in self._source.history():
            if self._live or held_until is None or block.start > held_until:
                self._historian.append(block)
            self._assessor.learn_history(block)
            past.append(block)
            self.history_rows += len(block)
        if past:
            self._clock.advance(past[-1].end)
        return past

    def _fit(self, blocks: list[SampleBlock]) -> None:
        try:
            self._monitor.fit(join(blocks))
        except DanGError as error:
            log.warning("the monitor is not trained", error=str(error))

    async def _take(self, block: SampleBlock) -> None:
        async with self.lock:
            events = await asyncio.to_thread(self._observe, block)
        self._clock.advance(block.end)
        if events:
            await self._on_alerts(events)
        if self._next_assessment is None or block.end >= self._next_assessment:
            epochs = block.end.timestamp() // self._interval.total_seconds()
            self._next_assessment = datetime.fromtimestamp(
                (epochs + 1) * self._interval.total_seconds(), tz=block.end.tzinfo
            )
            await self._act(block.end)

    def _divided(self, block: SampleBlock) -> tuple[SampleBlock, SampleBlock]:
        """The rows up to the newest one seen, and those after it."""
        cut = 0
        if self._seen_until is not None:
            cut = int(block.times.searchsorted(to_datetime64(self._seen_until), side="right"))
        return block.rows(0, cut), block.rows(cut, len(block))

    async def _take_past(self, block: SampleBlock) -> None:
        """Keep what fills a gap; what was judged in the meantime is not judged again."""
        async with self.lock:
            await asyncio.to_thread(self._historian.append, block)
            await asyncio.to_thread(self._assessor.learn_history, block)
        self.rows += len(block)
        self.tag_samples += int(np.isfinite(block.values).sum())

    def _observe(self, block: SampleBlock) -> list[AlertEvent]:
        self._historian.append(block)
        self._assessor.update(block)
        self.rows += len(block)
        self.tag_samples += int(np.isfinite(block.values).sum())
        self.started_at = self.started_at or block.start
        self.ended_at = self._seen_until = block.end
        return self._monitor.update(block)


def join(blocks: list[SampleBlock]) -> SampleBlock:
    """Blocks of the same tags one after another, as one."""
    first = blocks[0]
    times: NDArray[np.datetime64] = np.concatenate([block.times for block in blocks])
    return SampleBlock(
        first.tags,
        times,
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.quality for block in blocks]),
    )
