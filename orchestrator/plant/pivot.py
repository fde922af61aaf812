"""From long rows (time, tag, value, quality) to wide blocks, and to one row a time.

All streams here are ascending in time. Of several samples of one tag at one time the last one wins,
unless another is asked for; how many there were is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError
from orchestrator.plant.reading import Keep
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime

MAX_CELLS = 2_000_000


_COUNTS = {
    "last": "the last one counts",
    "first": "the first one counts",
    "mean": "their mean counts",
    "refuse": "refused",
}


@dataclass
class Duplicates:
    """Samples that came more than once: with the same value, and with another one.

    ``keep`` says which sample counts: the last, the first, the mean of the good ones, or none, with
    an error instead.
    """

    identical: int = 0
    conflicting: int = 0
    keep: Keep = "last"

    @property
    def note(self) -> str | None:
        """What came twice, in words; null when nothing did."""
        if not (self.identical or self.conflicting):
            return None
        return (
            f"times that came more than once: {self.identical} repeats dropped, "
            f"{self.conflicting} with other values ({_COUNTS[self.keep]})"
        )


class LongRows(NamedTuple):
    """Samples as columns of equal length: time in microseconds since 1970, code of the tag
    (its position in the list of tags), value, :class:`Quality` code."""

    times: NDArray[np.int64]
    codes: NDArray[np.int32]
    values: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def part(self, first: int, last: int | None = None) -> LongRows:
        """Rows ``first`` to ``last`` as views."""
        return self.taken(slice(first, last))

    def taken(self, which: slice | NDArray[np.bool_]) -> LongRows:
        """The rows that a slice or a mask picks."""
        return LongRows(
            self.times[which], self.codes[which], self.values[which], self.quality[which]
        )

    def followed_by(self, other: LongRows) -> LongRows:
        """These rows, then those of ``other``."""
        return LongRows(
            np.concatenate([self.times, other.times]),
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.quality, other.quality]),
        )


def pivot(
    rows: Iterable[LongRows], tags: Sequence[str], duplicates: Duplicates | None = None
) -> Iterator[SampleBlock]:
    """Wide blocks of ``tags`` from long ``rows``; blocks share no time."""
    names = tuple(tags)
    counts = duplicates if duplicates is not None else Duplicates()
    held: LongRows | None = None
    for batch in rows:
        if not len(batch.times):
            continue
        if held is not None:
            batch = held.followed_by(batch)
        # The last time may go on in the next batch.
        cut = int(np.searchsorted(batch.times, batch.times[-1], side="left"))
        held = batch.part(cut)
        if cut:
            yield from _scattered(batch.part(0, cut), names, counts)
    if held is not None:
        yield from _scattered(held, names, counts)


def _scattered(rows: LongRows, tags: tuple[str, ...], counts: Duplicates) -> Iterator[SampleBlock]:
    starts = np.flatnonzero(np.diff(rows.times, prepend=rows.times[0] - 1))
    step = max(1, MAX_CELLS // max(1, len(tags)))
    for first in range(0, len(starts), step):
        part_starts = starts[first : first + step]
        end = starts[first + step] if first + step < len(starts) else len(rows.times)
        part = rows.part(int(part_starts[0]), int(end))
        lengths = np.diff(np.append(part_starts, end))
        row = np.repeat(np.arange(len(part_starts)), lengths)
        shape = (len(part_starts), len(tags))
        values = np.full(shape, np.nan)
        quality = np.full(shape, Quality.NONE, dtype=np.uint8)
        values[row, part.codes] = part.values
        quality[row, part.codes] = part.quality
        stored = int(np.count_nonzero(quality != Quality.NONE))
        if stored < len(row):
            if counts.keep == "first":
                values[row[::-1], part.codes[::-1]] = part.values[::-1]
                quality[row[::-1], part.codes[::-1]] = part.quality[::-1]
            elif counts.keep == "mean":
                _average(part.values, part.quality, row * len(tags) + part.codes, values, quality)
            before = counts.identical + counts.conflicting
            _count(part, row, values, quality, counts)
            if counts.keep == "refuse" and counts.identical + counts.conflicting > before:
                raise _refused(part, row)
        times = rows.times[part_starts].view("datetime64[us]")
        yield SampleBlock(tags, times, values, quality)


def _count(
    part: LongRows,
    row: NDArray[np.intp],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    counts: Duplicates,
) -> None:
    present = part.quality != Quality.NONE
    won, won_quality = values[row, part.codes], quality[row, part.codes]
    same = (won == part.values) | (np.isnan(won) & np.isnan(part.values))
    conflicting = int(np.count_nonzero(present & ~(same & (won_quality == part.quality))))
    cells = np.unique(row[present] * values.shape[1] + part.codes[present])
    counts.conflicting += conflicting
    counts.identical += int(np.count_nonzero(present)) - len(cells) - conflicting


def _average(
    given: NDArray[np.float64],
    given_quality: NDArray[np.uint8],
    cells: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> None:
    """Set each cell that has usable samples to their mean, with the worst of their qualities."""
    usable = (given_quality <= Quality.UNCERTAIN) & np.isfinite(given)
    at = cells[usable]
    count = np.bincount(at, minlength=values.size)
    total = np.bincount(at, weights=given[usable], minlength=values.size)
    some = count > 0
    values.reshape(-1)[some] = total[some] / count[some]
    worst = np.zeros(values.size, dtype=np.uint8)
    np.maximum.at(worst, at, given_quality[usable])
    quality.reshape(-1)[some] = worst[some]


def _refused(part: LongRows, row: NDArray[np.intp]) -> DataError:
    pairs = np.stack([row, part.codes], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(row)), first)[0]
    return _repeated(part.times[again])


def _repeated(microseconds: np.int64) -> DataError:
    at = to_datetime(np.datetime64(int(microseconds), "us"))
    return DataError(
        f"a sample at {at:%Y-%m-%dT%H:%M:%S}Z comes more than once",
        why="duplicates are to be refused",
        remedy="choose which to keep with duplicates: last, first or mean",
    )


def one_row_a_time(
    blocks: Iterable[SampleBlock], duplicates: Duplicates | None = None
) -> Iterator[SampleBlock]:
    """Wide blocks with strictly ascending times from blocks with ascending ones.

    Rows of one time are merged; in each column the last sample wins, or as ``duplicates`` says, which
    counts rows.
    """
    counts = duplicates if duplicates is not None else Duplicates()
    held: SampleBlock | None = None
    for block in blocks:
        if not len(block):
            continue
        if held is not None:
            block = joined([held, block])
        cut = int(np.searchsorted(block.times, block.times[-1], side="left"))
        held = block.rows(cut, len(block))
        if cut:
            yield _merged(block.rows(0, cut), counts)
    if held is not None:
        yield _merged(held, counts)


def joined(blocks: Sequence[SampleBlock]) -> SampleBlock:
    """Blocks of the same tags, one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    return SampleBlock(
        blocks[0].tags,
        np.concatenate([block.times for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.quality for block in blocks]),
    )


def _merged(block: SampleBlock, counts: Duplicates) -> SampleBlock:
    new = np.ones(len(block), dtype=bool)
    new[1:] = block.times[1:] != block.times[:-1]
    if new.all():
        return block
    if counts.keep == "refuse":
        raise _repeated(block.times[~new][0].astype(np.int64))
    group = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    rank = np.arange(len(block)) - starts[group]
    values, quality = block.values[starts].copy(), block.quality[starts].copy()
    for turn in range(1, int(rank.max()) + 1):
        rows = np.flatnonzero(rank == turn)
        into = group[rows]
        given, given_quality = block.values[rows], block.quality[rows]
        present = given_quality != Quality.NONE
        before, had = values[into], quality[into] != Quality.NONE
        same = (given == before) | (np.isnan(given) & np.isnan(before))
        clash = (present & had & ~same).any(axis=1)
        counts.conflicting += int(np.count_nonzero(clash))
        counts.identical += int(np.count_nonzero(~clash))
        wins = present & ~had if counts.keep == "first" else present
        values[into] = np.where(wins, given, before)
        quality[into] = np.where(wins, given_quality, quality[into])
    if counts.keep == "mean":
        width = len(block.tags)
        cells = group[:, None] * width + np.arange(width)
        _average(block.values.ravel(), block.quality.ravel(), cells.ravel(), values, quality)
    return SampleBlock(block.tags, block.times[starts], values, quality)
