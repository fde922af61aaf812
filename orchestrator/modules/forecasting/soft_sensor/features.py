"""What the models see at a row: past inputs in windows, and the newest values of the target known by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.soft_sensor.samples import Array, Rows, Samples

MOST_FEATURES = 300
CLIP = 3.0
"""Distances from the median to its farthest 0.5 % at which an input is cut, so that no spike rules a fit."""
CLIP_SPREADS = 10.0
"""And at least so many robust standard deviations."""
KNOWN = {0: (), 1: (0,), 3: (0, 1, 2), 5: (0, 1, 2, 4, 8)}
"""Number of known values used -> how many samples back each lies."""

Windows = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Process inputs without gaps.

    Attributes:
        names: Those that move in the rows learnt from.
        values: Newest value at each row, ``(n_rows, n_inputs)``.
        ages: Rows since it was measured.
        centre: Training median, ``(n_inputs,)``.
        low, high: Bounds at which the models see an input cut, ``(n_inputs,)``.
        left_out: Inputs that never move or have no value there.
    """

    names: tuple[str, ...]
    values: Array
    ages: Rows
    centre: Array
    low: Array
    high: Array
    left_out: tuple[str, ...]

    @property
    def clipped(self) -> Array:
        """The values as the models see them."""
        cut: Array = np.clip(self.values, self.low, self.high)
        return cut


def fill_inputs(names: Sequence[str], columns: Array, train: tuple[int, int]) -> Inputs:
    """Carry each input forward over its gaps; before its first value stands its training median.

    Args:
        names: Of the columns.
        columns: As measured, NaN where missing, ``(n_rows, n_inputs)``.
        train: First and last row to learn from.

    Raises:
        InsufficientDataError: no input moves there.
    """
    columns = np.where(np.isfinite(columns), columns, np.nan)
    learnt = columns[train[0] : train[1] + 1]
    there = np.isfinite(learnt)
    highest = np.where(there, learnt, -np.inf).max(axis=0)
    moving: NDArray[np.bool_] = highest > np.where(there, learnt, np.inf).min(axis=0)
    if not moving.any():
        raise InsufficientDataError(
            f"no input changes in rows {train[0]} to {train[1]}",
            where=", ".join(names[:12]),
            remedy="name process tags that move as inputs, or choose other train_rows",
        )
    columns, learnt = columns[:, moving], learnt[:, moving]
    present = np.isfinite(columns)
    row = np.arange(len(columns))[:, None]
    last = np.maximum.accumulate(np.where(present, row, -1), axis=0)
    quarters = np.nanquantile(learnt, [0.005, 0.25, 0.5, 0.75, 0.995], axis=0)
    filled = np.take_along_axis(columns, np.maximum(last, 0), axis=0)
    filled = np.where(last >= 0, filled, quarters[2])
    reach = CLIP_SPREADS * (quarters[3] - quarters[1]) / 1.349
    return Inputs(
        names=tuple(n for n, kept in zip(names, moving, strict=True) if kept),
        values=filled,
        ages=row - last,
        centre=quarters[2],
        low=quarters[2] - np.maximum(reach, CLIP * (quarters[2] - quarters[0])),
        high=quarters[2] + np.maximum(reach, CLIP * (quarters[4] - quarters[2])),
        left_out=tuple(n for n, kept in zip(names, moving, strict=True) if not kept),
    )


def window_sets(spacing: float, inputs: int, rows: int, lags: int | None = None) -> list[Windows]:
    """Ways to see the past of the inputs, from the present alone to long windows.

    Args:
        spacing: Median rows between samples.
        inputs: Number of inputs.
        rows: Rows to learn from; no window reaches past a quarter of them.
        lags: How far back to see, where that is stated.
    """
    found: list[Windows] = [((0, 0),)]
    if lags is not None:
        each = _single(lags + 1)
        fits = len(each) * inputs <= max(inputs, MOST_FEATURES)
        return [each if fits else _growing(1, lags + 1)]
    found += [_single(8), _single(16), _growing(1, 32), _growing(1, 64)]
    if spacing > 1:
        found += [((0, 9),), ((0, 9), (10, 29), (30, 59)), ((0, 29),), ((0, 59), (60, 179))]
    return [
        windows
        for windows in found
        if len(windows) * inputs <= max(inputs, MOST_FEATURES) and 4 * windows[-1][1] <= rows
    ]


def _single(count: int) -> Windows:
    return tuple((lag, lag) for lag in range(count))


def _growing(first: int, reach: int) -> Windows:
    """Windows each twice as wide as the one before, to ``reach`` rows back."""
    windows = [(0, first - 1)]
    while windows[-1][1] + 1 < reach:
        begin = windows[-1][1] + 1
        windows.append((begin, min(2 * begin, reach) - 1))
    return tuple(windows)


class FeatureMaker:
    """Makes the features of rows.

    Args:
        inputs: Process inputs.
        samples: The target's samples.
    """

    def __init__(self, inputs: Inputs, samples: Samples) -> None:
        clipped = inputs.clipped
        # sums of departures keep their digits
        total = np.cumsum(clipped - inputs.centre, axis=0)
        self._total = np.vstack([np.zeros(clipped.shape[1]), total])
        self._samples = samples

    def make(self, rows: Rows, windows: Windows, known: int) -> Array:
        """Means of the inputs over each window, then the newest known value and its past changes.

        Args:
            rows: Rows wanted.
            windows: First and last lag of each window; near the beginning they are cut there.
            known: Number of known values, a key of :data:`KNOWN`.

        Returns:
            ``(n, n_windows * n_inputs + known)``; means are given as departures from the training median.
        """
        parts = []
        for nearest, farthest in windows:
            end = np.maximum(rows - nearest, 0) + 1
            begin = np.minimum(np.maximum(rows - farthest, 0), end - 1)
            parts.append((self._total[end] - self._total[begin]) / (end - begin)[:, None])
        if known:
            parts.append(self._known(rows, KNOWN[known]))
        return np.hstack(parts)

    def _known(self, rows: Rows, back: Sequence[int]) -> Array:
        count = self._samples.counts(rows)
        values = self._samples.values
        picked = np.stack([values[np.maximum(count - 1 - b, 0)] for b in back], axis=1)
        # changes rather than levels: neighbouring values are nearly equal
        return np.hstack([picked[:, :1], picked[:, :-1] - picked[:, 1:]])


def last_known(samples: Samples, rows: Rows) -> NDArray[np.float64]:
    """The newest value known at each row, NaN where there is none."""
    count = samples.counts(rows)
    return np.where(count > 0, samples.values[np.maximum(count - 1, 0)], np.nan)
