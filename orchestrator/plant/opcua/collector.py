"""Readings of many items made into ordered blocks, and handed from the event loop to a reader."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.plant.opcua.values import Reading
from orchestrator.plant.pivot import LongRows, pivot
from orchestrator.plant.samples import Quality, SampleBlock


class Collector:
    """Takes readings on one side and gives blocks on the other; safe to use from two threads.

    Live readings are held for ``settle`` seconds, so that those of one source time come in one row
    and rows come in order. What comes later than that, and what is filled in from history, comes in
    blocks of its own, in order in itself, with times that may lie before those handed out.

    Args:
        tags: Names of the columns.
        settle: Seconds that readings wait for others of an earlier time.
        heartbeat: Seconds without readings after which a row without samples tells the time.
    """

    def __init__(self, tags: Sequence[str], settle: float, heartbeat: float) -> None:
        self.tags = tuple(tags)
        self._settle = settle
        self._heartbeat = heartbeat
        self._changed = threading.Condition()
        self._live: list[Reading] = []
        self._late: deque[LongRows | Callable[[], None]] = deque()
        self._seen: deque[tuple[float, int]] = deque()
        self._released: int | None = None
        self._released_at = time.monotonic()
        self._marked = True
        self._ended: BaseException | bool = False

    def add(self, readings: Sequence[Reading]) -> None:
        """Live readings, as they come."""
        if not readings:
            return
        with self._changed:
            self._live.extend(readings)
            self._marked = False
            newest = max(reading.time for reading in readings)
            self._seen.append((time.monotonic(), newest))
            self._changed.notify()

    def add_past(self, readings: Sequence[Reading]) -> None:
        """Readings of the past, such as history that fills a gap."""
        if readings:
            with self._changed:
                self._late.append(ordered(readings))
                self._changed.notify()

    def after_past(self, call: Callable[[], None]) -> None:
        """Call back once the reader is done with all readings of the past that were added before."""
        with self._changed:
            self._late.append(call)
            self._changed.notify()

    def mark(self, columns: Sequence[int]) -> None:
        """One bad sample of each column, right behind the newest one: from there on nothing is known.

        Nothing happens where there was no reading since the last mark.
        """
        with self._changed:
            if self._marked:
                return
            self._marked = True
            times = [reading.time for reading in self._live]
            newest = max([*times, self._released or 0])
            nan, bad = float("nan"), int(Quality.BAD)
            self._live.extend(Reading(column, newest + 1, nan, bad) for column in columns)
            self._seen.append((time.monotonic() - self._settle, newest + 1))
            self._changed.notify()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing comes any more; :meth:`take` raises ``error`` or returns None once all is taken."""
        with self._changed:
            self._ended = error or True
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Readings not taken yet."""
        with self._changed:
            late = sum(len(rows.times) for rows in self._late if isinstance(rows, LongRows))
            return len(self._live) + late

    def take(self) -> list[SampleBlock] | None:
        """Wait for the next blocks; None after the end."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._late:
                    late = self._late.popleft()
                    if isinstance(late, LongRows):
                        return self._narrow(late)
                    late()
                    continue
                ready = self._ready(now)
                if ready is not None:
                    return self._wide(ready)
                if self._ended:
                    if isinstance(self._ended, BaseException):
                        raise self._ended
                    return None
                if self._released is not None and now - self._released_at >= self._heartbeat:
                    return [self._beat(now)]
                self._changed.wait(self._pause(now))

    def _ready(self, now: float) -> LongRows | None:
        """Live readings that have waited long enough, in order of time."""
        horizon: int | None = None
        while self._seen and (self._ended or now - self._seen[0][0] >= self._settle):
            newest = self._seen.popleft()[1]
            horizon = newest if horizon is None else max(horizon, newest)
        if horizon is None:
            return None
        taken = [reading for reading in self._live if reading.time <= horizon]
        self._live = [reading for reading in self._live if reading.time > horizon]
        if not taken:
            return None
        rows = ordered(taken)
        if self._released is not None and int(rows.times[0]) <= self._released:
            cut = int(np.searchsorted(rows.times, self._released, side="right"))
            if cut < len(rows.times):
                # What is in order goes on; the rest follows as a block of the past.
                self._late.append(rows.part(0, cut))
                rows = rows.part(cut)
            else:
                return rows
        self._released = int(rows.times[-1])
        self._released_at = now
        return rows

    def _pause(self, now: float) -> float:
        beat = self._heartbeat
        if self._released is not None:
            beat = self._released_at + self._heartbeat - now
        if self._seen:
            beat = min(beat, self._seen[0][0] + self._settle - now)
        return max(beat, 0.001)

    def _beat(self, now: float) -> SampleBlock:
        assert self._released is not None
        self._released += max(1, int((now - self._released_at) * 1e6))
        self._released_at = now
        shape = (1, len(self.tags))
        times: NDArray[np.datetime64] = np.array([self._released]).view("datetime64[us]")
        nothing = np.full(shape, int(Quality.NONE), dtype=np.uint8)
        return SampleBlock(self.tags, times, np.full(shape, np.nan), nothing)

    def _wide(self, rows: LongRows) -> list[SampleBlock]:
        return list(pivot([rows], self.tags))

    def _narrow(self, rows: LongRows) -> list[SampleBlock]:
        """Blocks with the columns that have samples, where these are few."""
        columns = np.unique(rows.codes)
        if 2 * len(columns) > len(self.tags):
            return self._wide(rows)
        codes = np.searchsorted(columns, rows.codes).astype(np.int32)
        tags = [self.tags[column] for column in columns.tolist()]
        return list(pivot([rows._replace(codes=codes)], tags))


def ordered(readings: Sequence[Reading]) -> LongRows:
    """Readings as columns in order of time; of one tag and time the last one that came is last."""
    columns, times, values, quality = zip(*readings, strict=True)
    at = np.array(times, dtype=np.int64)
    order = np.argsort(at, kind="stable")
    return LongRows(
        at[order],
        np.array(columns, dtype=np.int32)[order],
        np.array(values, dtype=np.float64)[order],
        np.array(quality, dtype=np.uint8)[order],
    )
