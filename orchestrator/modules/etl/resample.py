"""Values of one tag on a regular grid, so that what flowed is conserved and states stay states.

All functions take times in microseconds, ascending, and values without gaps in them; each sample
stands for the time until the next one, but for no longer than ``hold``. With evenly spaced samples
that is their plain mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
ROLLOVER_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of equal length: ``start + i * step`` to ``start + (i + 1) * step``, microseconds."""

    start: int
    step: int
    count: int


@dataclass(frozen=True, slots=True)
class Increase:
    """What a counter grew by in each bin.

    Attributes:
        values: Increase a bin, 0 where no sample tells of one.
        covered: Share of each bin between two samples no farther apart than ``hold``.
        resets: Times at which it began again from zero, as positions of the sample after.
        unassigned: What it grew by across longer gaps, which belongs to no bin.
        total: All of it.
    """

    values: Array
    covered: Array
    resets: Ints
    unassigned: float
    total: float


def durations(times: Ints, period: int, hold: int) -> Ints:
    """How long each sample stands, microseconds: to the next one, or one period before a gap."""
    steps = np.diff(times)
    usual = np.int64(1.5 * period)
    stands = np.where(steps <= max(hold, usual), steps, period)
    return np.concatenate([stands, [period]]).astype(np.int64)


def time_weighted(times: Ints, values: Array, stands: Ints, bins: Bins) -> tuple[Array, Array]:
    """Time-weighted mean of each bin (NaN where nothing covers it), and the share that is covered."""
    total, covered = _spread(times, times + stands, bins, values * stands)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(covered > 0, total / covered, np.nan)
    # A bin in which the value never changes holds exactly that value.
    low, high = np.full(bins.count, np.inf), np.full(bins.count, -np.inf)
    at = (times - bins.start) // bins.step
    np.minimum.at(low, at, values)
    np.maximum.at(high, at, values)
    alone = (low == high) & (np.abs(mean - low) <= 1e-9 * np.maximum(1.0, np.abs(low)))
    mean[alone] = low[alone]
    return mean, covered / bins.step


def last(times: Ints, values: Array, bins: Bins) -> Array:
    """Last value of each bin, NaN where there is none."""
    found = np.full(bins.count, np.nan)
    found[(times - bins.start) // bins.step] = values
    return found


def mode(times: Ints, values: Array, stands: Ints, bins: Bins) -> Array:
    """The value that stood longest in each bin, NaN where there is none; of equals the smallest."""
    found = np.full(bins.count, np.nan)
    longest = np.zeros(bins.count)
    for state in np.unique(values):
        which = values == state
        ends = times[which] + stands[which]
        stood, _ = _spread(times[which], ends, bins, stands[which].astype(np.float64))
        wins = stood > longest
        found[wins], longest[wins] = state, stood[wins]
    return found


def summed(times: Ints, values: Array, bins: Bins) -> Array:
    """Sum of the samples of each bin, NaN where there is none: for amounts that are given a batch."""
    at = (times - bins.start) // bins.step
    sums = np.bincount(at, weights=values, minlength=bins.count)
    return np.where(np.bincount(at, minlength=bins.count) > 0, sums, np.nan)


def increase(times: Ints, values: Array, bins: Bins, hold: int) -> Increase:
    """What a counter grew by in each bin; an increase across a bin's end is split by time.

    A counter that falls has rolled over where it stood in the last tenth below a power of ten and is
    now in the first, and began again from zero otherwise.
    """
    steps = np.diff(values)
    fell = np.flatnonzero(steps < 0)
    grown = steps.copy()
    for i in fell:
        full = 10.0 ** np.ceil(np.log10(values[i])) if values[i] > 1 else 0.0
        near_full = values[i] >= (1 - ROLLOVER_SHARE) * full
        rolled = full > 0 and near_full and values[i + 1] <= ROLLOVER_SHARE * full
        grown[i] = values[i + 1] + (full - values[i] if rolled else 0.0)
    near = np.diff(times) <= hold
    shares, covered = _spread(times[:-1][near], times[1:][near], bins, grown[near])
    unassigned = float(grown[~near].sum())
    return Increase(shares, covered / bins.step, fell + 1, unassigned, float(grown.sum()))


def _spread(begins: Ints, ends: Ints, bins: Bins, amounts: Array) -> tuple[Array, Array]:
    """Spread amounts over the bins that their spans cover, evenly in time; and the time covered.

    What lies past the last bin belongs to none.
    """
    total, covered = np.zeros(bins.count), np.zeros(bins.count)
    spans = (ends - begins).astype(np.float64)
    begins, ends = begins.astype(np.int64), ends.astype(np.int64)
    first = (begins - bins.start) // bins.step
    count = np.maximum(1, -(-(ends - bins.start) // bins.step) - first)
    rows = np.repeat(np.arange(len(begins)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    at = first[rows] + within
    edges = bins.start + at * bins.step
    overlap = np.minimum(ends[rows], edges + bins.step) - np.maximum(begins[rows], edges)
    inside = (at >= 0) & (at < bins.count) & (overlap > 0)
    shares = np.where(spans[rows] > 0, overlap / np.where(spans[rows] > 0, spans[rows], 1.0), 0.0)
    np.add.at(total, at[inside], (amounts[rows] * shares)[inside])
    np.add.at(covered, at[inside], overlap[inside].astype(np.float64))
    return total, covered
