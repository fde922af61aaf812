"""Checks of one tag's samples, each a mask of the samples that fail it.

All take values in time order with NaN where missing, and return boolean masks of equal length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.plant.credible import credible_range
from orchestrator.plant.tags import Tag

Mask = NDArray[np.bool_]
MAD_TO_SD = 1.4826
MIN_FROZEN_RUN = 12
MIN_FROZEN_TO_USUAL = 8
WINDOW_CELLS = 2_000_000


def period_seconds(times: NDArray[np.datetime64]) -> float | None:
    """Usual distance of two rows, s: the median of the positive steps; None below two times."""
    steps = np.diff(np.unique(times)).astype("timedelta64[us]").astype(np.int64)
    return float(np.median(steps)) / 1e6 if len(steps) else None


def frozen(
    values: NDArray[np.float64], *, min_run: int | None = None, whole_is_frozen: bool = True
) -> Mask:
    """Samples in a run of equal values far longer than this tag usually holds one.

    An analyser that reports every fifth sample holds each value for five; a run counts as frozen
    from ``max(12, 8 × the 90th percentile of run lengths)`` samples on, unless ``min_run`` is
    given. With two or fewer runs there is no usual length, and 12 alone decides.
    The first sample of a run is a real measurement and stays good, unless all samples are equal
    and ``whole_is_frozen``.
    """
    found = np.zeros(len(values), dtype=np.bool_)
    present = np.flatnonzero(np.isfinite(values))
    if len(present) < 2:
        return found
    series = values[present]
    starts = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))
    lengths = np.diff(np.concatenate((starts, [len(series)])))
    if len(lengths) == 1:
        if whole_is_frozen and len(series) >= (min_run or MIN_FROZEN_RUN):
            found[present] = True
        return found
    if min_run is None:
        usual = float(np.percentile(lengths, 90)) if len(lengths) > 10 else float(lengths.min())
        min_run = max(MIN_FROZEN_RUN, int(np.ceil(MIN_FROZEN_TO_USUAL * usual)))
    repeats = np.repeat(lengths >= min_run, lengths)
    repeats[starts] = False
    found[present[repeats]] = True
    return found


def standing(values: NDArray[np.float64]) -> int:
    """Length of the run of equal samples at the end, 0 unless it is clearly longer than usual.

    Clearly is four times the 90th percentile of the runs before it, and at least five samples: a
    first sign, long before :func:`frozen` condemns the samples.
    """
    series = values[np.isfinite(values)]
    if len(series) < 2:
        return 0
    starts = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))
    if len(starts) < 3:
        return 0
    lengths = np.diff(starts)
    last = int(len(series) - starts[-1])
    return last if last >= max(5.0, 4.0 * float(np.percentile(lengths, 90))) else 0


def hampel(
    values: NDArray[np.float64], half_width: int, sigmas: float
) -> tuple[Mask, NDArray[np.float64]]:
    """Outliers of the Hampel filter, and the local medians.

    A sample is an outlier when it lies more than ``sigmas`` local standard deviations (1.4826 times
    the median absolute deviation of the ``2 × half_width + 1`` samples around it) from the local
    median. The identifier is Hampel's (1974, J. Am. Stat. Assoc. 69, 383-393), its use as a moving
    window on process data Pearson's (2002, IEEE Trans. Control Syst. Technol. 10, 55-63). The local
    deviation is taken as at least half the typical one of the whole record, so that a short quiet
    spell does not make outliers of ordinary noise.
    """
    found = np.zeros(len(values), dtype=np.bool_)
    medians = np.full(len(values), np.nan)
    present = np.flatnonzero(np.isfinite(values))
    width = 2 * half_width + 1
    if len(present) < width:
        return found, medians
    series = values[present]
    padded = np.pad(series, half_width, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    median, deviation = np.empty(len(series)), np.empty(len(series))
    step = max(1, WINDOW_CELLS // width)
    for first in range(0, len(series), step):
        part = windows[first : first + step]
        middle = np.median(part, axis=1)
        median[first : first + step] = middle
        deviation[first : first + step] = np.median(np.abs(part - middle[:, None]), axis=1)
    scale = MAD_TO_SD * deviation
    moving = scale[scale > 0]
    floor = 0.5 * float(np.median(moving)) if len(moving) else 0.0
    if floor == 0.0:
        # every window is flat, so that any change at all would be an outlier
        floor = float(np.std(series))
    outlier = np.abs(series - median) > sigmas * np.maximum(scale, floor)
    found[present] = outlier
    medians[present] = median
    return found, medians


def spikes(values: NDArray[np.float64], sigmas: float) -> Mask:
    """Samples that leave and come back within two samples, far beyond the noise.

    A step of the plant fails the Hampel test around its edge; it is not a spike, as the values do
    not return. The distance is also measured against the tag's usual step from sample to sample.
    """
    outlier, _ = hampel(values, 5, sigmas)
    found = np.zeros(len(values), dtype=np.bool_)
    if not outlier.any():
        return found
    present = np.flatnonzero(np.isfinite(values))
    series, flags = values[present], outlier[present]
    steps = np.abs(np.diff(series))
    usual = MAD_TO_SD * float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    for first in np.flatnonzero(flags & ~np.concatenate(([False], flags[:-1]))):
        last = first
        while last + 1 < len(flags) and flags[last + 1]:
            last += 1
        if last - first > 1 or first == 0 or last + 1 >= len(series):
            continue
        before, after = series[first - 1], series[last + 1]
        height = np.min(np.abs(series[first : last + 1] - 0.5 * (before + after)))
        if height > sigmas * usual and abs(after - before) < 0.5 * height:
            found[present[first : last + 1]] = True
    return found


def out_of_range(values: NDArray[np.float64], tag: Tag) -> tuple[Mask, str]:
    """Samples outside of what the instrument can credibly read, and that range in words."""
    low, high = credible_range(tag)
    with np.errstate(invalid="ignore"):
        mask: Mask = (values < low) | (values > high)
    return mask, f"{low:.4g} to {high:.4g} {tag.unit}".rstrip()


def too_fast(values: NDArray[np.float64], times: NDArray[np.datetime64], per_minute: float) -> Mask:
    """Samples that differ from the one before by more than the rate limit allows."""
    found = np.zeros(len(values), dtype=np.bool_)
    present = np.flatnonzero(np.isfinite(values))
    if len(present) < 2:
        return found
    minutes = np.diff(times[present]).astype("timedelta64[us]").astype(np.int64) / 60e6
    change = np.abs(np.diff(values[present]))
    found[present[1:]] = change > per_minute * np.maximum(minutes, 1e-9)
    return found
