"""Alignment: when each sample was taken, when its value became known, and which rows are whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError, ParameterError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Stamp = Literal["sampled", "reported"]

MIN_SAMPLES = 30
NEWEST = 200
"""Rows estimated where none are asked for."""
NEWEST_SHARE = 5
"""And never more than one row in so many."""
GROSS = 20.0
"""Values further than this many robust standard deviations from the median may be slips of the pen."""
MOST_SLIPS = 0.02
"""Share of the samples that may be slips; at least one may."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Values of the target, by the row in which each was sampled.

    Attributes:
        rows: Row of each sample, ascending.
        values: Its value.
        known: First row at which the value may be used, ascending; always after ``rows``.
    """

    rows: Rows
    values: Array
    known: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, which: NDArray[np.bool_]) -> Samples:
        """The samples for which ``which`` holds."""
        return Samples(self.rows[which], self.values[which], self.known[which])

    def known_by(self, row: int) -> int:
        """How many samples may be used at a row."""
        return int(np.searchsorted(self.known, row, side="right"))

    def counts(self, rows: Rows) -> Rows:
        """How many samples may be used at each row."""
        return np.searchsorted(self.known, rows, side="right")

    def ages(self, rows: Rows) -> Rows:
        """Rows since the newest sample known at each row was taken; at least one must be known."""
        return rows - self.rows[self.counts(rows) - 1]


def align(column: Array, delay: int, stamp: Stamp) -> Samples:
    """The samples in a column.

    Args:
        column: Values, NaN where there is none, ``(n_rows,)``.
        delay: Rows from a sample to its value.
        stamp: Whether a value stands in the row of its sample, or in that of its report.
    """
    found = np.flatnonzero(np.isfinite(column))
    rows = found if stamp == "sampled" else found - delay
    usable = rows >= 0
    rows = rows[usable]
    # with no delay either, a sample's own value is still not known when it is estimated
    return Samples(rows, column[found[usable]], rows + max(delay, 1))


def without_slips(samples: Samples, count: int) -> tuple[Samples, int]:
    """The samples less those that no plant makes, such as a lost decimal point, and how many went.

    A slip stands alone: the sample before and the one after lie nearer to the median than to it. Where more
    than one sample in fifty is such a one, they are another way to run the plant, and all stay.

    Args:
        samples: All samples.
        count: How many of them are learnt from. Only these are judged, by one another: their middle half sets
            the scale, and nothing is judged where that half is one value.
    """
    if not count:
        return samples, 0
    values = samples.values[:count]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    away = np.abs(values - middle)
    # the first and the last have one neighbour
    beside = np.pad(np.abs(np.diff(values)), 1, constant_values=np.inf)
    nearest = np.minimum(beside[:-1], beside[1:])
    slips = (away > GROSS * (high - low) / 1.349) & (nearest > away / 2)
    if high == low or not slips.any() or slips.sum() > max(1, MOST_SLIPS * count):
        return samples, 0
    kept = np.ones(len(samples), dtype=bool)
    kept[:count] = ~slips
    return samples.taken(kept), int(slips.sum())


@dataclass(frozen=True, slots=True)
class Span:
    """Rows to learn from and rows to estimate, both ends of each included."""

    train: tuple[int, int]
    predict: tuple[int, int]


def spans(count: int, train: Sequence[int] | None, predict: Sequence[int] | None) -> Span:
    """The rows asked for, or the newest rows and all before them.

    Raises:
        ParameterError: rows that the data does not have, in the wrong order, or that overlap.
    """
    for name, rows in (("train_rows", train), ("predict_rows", predict)):
        if rows is None:
            continue
        first, last = rows
        if last < first:
            raise ParameterError.of_field(
                name, f"[{first}, {last}] ends before it begins", remedy="give the first row first"
            )
        if last >= count:
            raise ParameterError.of_field(
                name,
                f"[{first}, {last}] reaches beyond the data, which has rows 0 to {count - 1}",
                remedy="rows count from 0 and both ends are included",
            )
    if predict is None:
        newest = max(1, min(NEWEST, count // NEWEST_SHARE))
        predict = (count - newest if train is None else train[1] + 1, count - 1)
        if predict[0] >= count:
            raise ParameterError.of_field(
                "train_rows",
                f"no row is left after {train[1] if train else count - 1}",
                remedy="end train_rows earlier, or leave it out",
            )
    if train is None:
        train = (0, predict[0] - 1)
    if train[1] >= predict[0]:
        raise ParameterError.of_field(
            "predict_rows",
            f"rows from {predict[0]} are to be estimated, and rows up to {train[1]} to be learnt from",
            remedy="estimate only rows after those learnt from; both ends are included",
        )
    return Span((train[0], train[1]), (predict[0], predict[1]))


def learnt_from(samples: Samples, span: Span) -> int:
    """How many of the samples were taken in the training rows and known at the first row estimated."""
    return int(((samples.rows <= span.train[1]) & (samples.known <= span.predict[0])).sum())


def check_enough(samples: Samples, count: int, span: Span, target: str) -> None:
    """Refuse to learn from the first ``count`` samples where they are too few, or all equal.

    Raises:
        InsufficientDataError: they are.
    """
    if count < MIN_SAMPLES:
        raise InsufficientDataError(
            f"{count} samples of rows {span.train[0]} to {span.train[1]} are known by row "
            f"{span.predict[0]}",
            where=target,
            remedy=f"a soft sensor needs at least {MIN_SAMPLES} samples: give a longer history or more "
            "train_rows, or check delay",
        )
    if float(np.ptp(samples.values[:count])) == 0.0:
        raise InsufficientDataError(
            f"the value never changes: all {count} samples are {samples.values[0]:.6g}",
            where=target,
            remedy="choose train_rows in which the property moves",
        )
