"""The newest sample of each tag and the span of all, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

import numpy as np

from orchestrator.plant.pivot import joined
from orchestrator.plant.samples import Quality, Sample, SampleBlock, to_datetime

FOLD_BLOCKS = 4096
_NEVER = np.iinfo(np.int64).min


class Latest:
    """Newest sample by tag.

    Blocks are only noted when they come and worked in when somebody asks, many at a time.

    Args:
        tags: Tags in order of their codes.
        samples: Newest samples at the start; of several of one tag the newest counts.
        span: First and last time at the start, microseconds since 1970.

    Attributes:
        codes: Code of each tag, in order of first appearance.
    """

    def __init__(
        self,
        tags: Sequence[str] = (),
        samples: Iterable[Sample] = (),
        span: tuple[int, int] | None = None,
    ) -> None:
        self.codes: dict[str, int] = {}
        self._times = np.zeros(0, dtype=np.int64)
        self._values = np.zeros(0)
        self._quality = np.zeros(0, dtype=np.uint8)
        self._received = np.zeros(0, dtype=np.int64)
        self._unfolded: list[tuple[SampleBlock, int]] = []
        self._codes_of: dict[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.intp]]] = {}
        self._span = span
        self._code_all(tuple(tags))
        for sample in samples:
            at, time = self.codes[sample.tag], _micros(sample.source_time)
            if time < self._times[at]:
                continue
            self._times[at] = time
            self._values[at] = np.nan if sample.value is None else sample.value
            self._quality[at] = sample.quality
            self._received[at] = _micros(sample.server_time)

    def add(self, block: SampleBlock, received: datetime) -> None:
        """Note a block."""
        self._unfolded.append((block, _micros(received)))
        if len(self._unfolded) >= FOLD_BLOCKS:
            self.fold()

    def fold(self) -> None:
        """Work in the blocks noted so far."""
        noted, self._unfolded = self._unfolded, []
        for _, group in groupby(noted, key=lambda item: item[0].tags):
            items = list(group)
            self._fold(joined([block for block, _ in items]), items[-1][1])

    def _fold(self, block: SampleBlock, received: int) -> None:
        times = block.times.astype("datetime64[us]", copy=False).view(np.int64)
        if (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            block = SampleBlock(
                block.tags, block.times[order], block.values[order], block.quality[order]
            )
            times = times[order]
        present = block.quality != Quality.NONE
        rows = np.flatnonzero(present.any(axis=1))
        codes = self._code_all(block.tags)
        if not len(rows):
            return
        first, last = int(times[rows[0]]), int(times[rows[-1]])
        before = self._span or (first, last)
        self._span = (min(first, before[0]), max(last, before[1]))
        row = len(block) - 1 - np.argmax(present[::-1], axis=0)
        column = np.arange(len(codes))
        newer = present.any(axis=0) & (times[row] >= self._times[codes])
        into, row, column = codes[newer], row[newer], column[newer]
        self._times[into] = times[row]
        self._values[into] = block.values[row, column]
        self._quality[into] = block.quality[row, column]
        self._received[into] = received

    def samples(self, tags: Sequence[str] | None = None) -> dict[str, Sample]:
        """The newest sample of each of ``tags`` that has one."""
        self.fold()
        wanted = self.codes if tags is None else [tag for tag in tags if tag in self.codes]
        return {
            tag: self._sample(tag, self.codes[tag])
            for tag in wanted
            if self._times[self.codes[tag]] != _NEVER
        }

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last time."""
        self.fold()
        return None if self._span is None else (_moment(self._span[0]), _moment(self._span[1]))

    def set_oldest(self, microseconds: int | None) -> None:
        """Tell that samples before this time are gone."""
        if self._span is not None and microseconds is not None:
            self._span = (microseconds, max(microseconds, self._span[1]))

    def _sample(self, tag: str, at: int) -> Sample:
        value = float(self._values[at])
        return Sample(
            tag=tag,
            value=None if value != value else value,
            quality=Quality(int(self._quality[at])),
            source_time=_moment(int(self._times[at])),
            server_time=_moment(int(self._received[at])),
        )

    def _code_all(self, tags: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        known = self._codes_of.get(tags)
        if known is not None:
            return known
        for tag in tags:
            self.codes.setdefault(tag, len(self.codes))
        new = len(self.codes) - len(self._times)
        self._times = np.append(self._times, np.full(new, _NEVER))
        self._values = np.append(self._values, np.full(new, np.nan))
        self._quality = np.append(self._quality, np.full(new, Quality.NONE, dtype=np.uint8))
        self._received = np.append(self._received, np.zeros(new, dtype=np.int64))
        codes = np.array([self.codes[tag] for tag in tags], dtype=np.intp)
        self._codes_of[tags] = codes
        return codes


def _micros(time: datetime) -> int:
    delta = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _moment(microseconds: int) -> datetime:
    return to_datetime(np.datetime64(microseconds, "us"))
