"""The largest moves of the whole period, the longest swings, and what is unusual now.

A move is a change from one value to the next, in % of the value before, measured by the usual such change
of the year before (the median absolute one, as a standard deviation): 10 % is much in a quiet year and
little in a wild one. From a value that is not positive a change has no percentage; there it is measured in
the series' unit instead.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.facts import LargeMove, MoveOfSeries, RecentMove, Swing
from orchestrator.modules.analysis.season import TO_SIGMA
from orchestrator.modules.analysis.series import Series
from orchestrator.modules.analysis.words import quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RECENT_PERIODS = 5
EPISODE_DAYS = 30
"""Smaller moves so near to a larger one belong to its episode."""
TOGETHER_DAYS = 4
TAKES_PART = 3.0
LEAST_SHARE_OF_YEAR = 0.25
REVERSAL = 0.4


@dataclass(frozen=True, slots=True)
class _Changes:
    """Changes of one series; ``size`` is without sign and NaN where the past is too short."""

    series: Series
    times: NDArray[np.datetime64]
    change: Array
    percent: Array
    size: Array


def largest_moves(series: Iterable[Series], count: int) -> tuple[LargeMove, ...]:
    """The days on which the market moved most, largest first, at most one in 30 days.

    The market's move on a day is the mean size over all series that have a value on it, so that an
    event that moves everything comes before the odd print of one product.
    """
    changes = [made for item in series if (made := _changes(item)) is not None]
    if not changes:
        return ()
    days = np.unique(np.concatenate([item.times.astype("datetime64[D]") for item in changes]))
    total, quoted = np.zeros(len(days)), np.zeros(len(days))
    for item in changes:
        known = np.isfinite(item.size)
        at = np.searchsorted(days, item.times[known].astype("datetime64[D]"))
        np.add.at(total, at, item.size[known])
        np.add.at(quoted, at, 1.0)
    mean = np.divide(total, quoted, out=np.zeros(len(days)), where=quoted > 0)
    found: list[LargeMove] = []
    taken: list[np.datetime64] = []
    for row in np.argsort(-mean, kind="stable"):
        if len(found) == count or mean[row] <= 0:
            break
        day = days[row]
        if all(abs((day - other).astype(int)) > EPISODE_DAYS for other in taken):
            taken.append(day)
            found.append(_move(changes, day))
    return tuple(found)


def _changes(series: Series) -> _Changes | None:
    values = series.values
    width = round(series.per_year)
    least = max(10, round(LEAST_SHARE_OF_YEAR * width))
    if len(values) <= least + 1:
        return None
    change = np.diff(values)
    positive = values[:-1] > 0
    percent = np.full(len(change), np.nan)
    percent[positive] = 100 * change[positive] / values[:-1][positive]
    by_percent = np.abs(percent) / running_scale(np.abs(percent), width, least)
    by_unit = np.abs(change) / running_scale(np.abs(change), width, least)
    return _Changes(
        series, series.times[1:], change, percent, np.where(positive, by_percent, by_unit)
    )


def running_scale(sizes: Array, width: int, least: int) -> Array:
    """Robust standard deviation of the ``width`` values before each; NaN with under ``least``."""
    found = np.full(len(sizes), np.nan)
    window: deque[float] = deque()
    ordered: list[float] = []
    for row, size in enumerate(sizes):
        if len(ordered) >= least:
            middle = len(ordered) // 2
            median = (ordered[middle] + ordered[-middle - 1]) / 2
            found[row] = TO_SIGMA * median if median > 0 else np.nan
        if np.isfinite(size):
            window.append(float(size))
            insort(ordered, float(size))
            if len(window) > width:
                del ordered[bisect_left(ordered, window.popleft())]
    return found


def _move(changes: Sequence[_Changes], day: np.datetime64) -> LargeMove:
    """The move of a day, with all series that moved much on it or within four days of it."""
    parts: list[MoveOfSeries] = []
    on_day: list[MoveOfSeries] = []
    for item in changes:
        apart = np.abs((item.times.astype("datetime64[D]") - day).astype(int))
        near = np.flatnonzero((apart <= TOGETHER_DAYS) & np.isfinite(item.size))
        if not len(near):
            continue
        today = near[apart[near] == 0]
        if len(today):
            on_day.append(_of_series(item, int(today[0])))
        row = int(near[np.argmax(item.size[near])])
        if item.size[row] >= TAKES_PART:
            parts.append(_of_series(item, row))
    # A reader looks for crude first; what moved more stands in the list.
    crudes = {item.series.name for item in changes if item.series.product == "crude"}
    leading = (part for part in on_day if part.name in crudes and part.size >= TAKES_PART)
    lead = next(leading, None) or max(on_day, key=lambda part: part.size)
    parts = [lead, *(part for part in parts if part.name != lead.name)]
    parts.sort(key=lambda part: -part.size)
    start, end = min(p.date for p in parts), max(p.date for p in parts)
    others = len(parts) - 1
    words = f"{lead.date}: {lead.label} {change_words(lead)}"
    if others:
        within = "on that day" if start == end else f"between {start} and {end}"
        words += f"; {others} other series moved with it {within}"
    return LargeMove(
        **lead.model_dump(exclude={"before_date"}),
        start=start,
        end=end,
        series=tuple(parts),
        text=words,
    )


def _of_series(item: _Changes, row: int) -> MoveOfSeries:
    percent = float(item.percent[row])
    return MoveOfSeries(
        name=item.series.name,
        label=item.series.label,
        date=str(item.times[row].astype("datetime64[D]")),
        before_date=str(item.series.times[row].astype("datetime64[D]")),
        before=float(item.series.values[row]),
        after=float(item.series.values[row + 1]),
        change=float(item.change[row]),
        percent=percent if np.isfinite(percent) else None,
        unit=item.series.unit,
        size=float(item.size[row]),
    )


def change_words(move: MoveOfSeries) -> str:
    """``from 18.31 to -36.98 USD/bbl (-302 %), 168 times its usual move of the year before``."""
    percent = f" ({move.percent:+.1f} %)" if move.percent is not None else ""
    return (
        f"from {move.before:,.6g} to {move.after:,.6g} {move.unit or ''}".rstrip()
        + f"{percent}, {move.size:.0f} times its usual move of the year before"
    )


def swings(series: Series, count: int) -> tuple[Swing, ...]:
    """The largest rises and falls between turning points, largest first by the ratio of their ends.

    Taken on medians of five values, so that one day does not make a turning point. A turn is confirmed
    once the price has moved back by 40 % of the way to zero (falls), or by as much as takes it from there
    (rises).
    """
    values = series.values
    if len(values) < 2 * RECENT_PERIODS:
        return ()
    windows = np.lib.stride_tricks.sliding_window_view(values, 5)
    smooth = np.median(windows, axis=1)
    times = series.times[2:-2]
    if (smooth <= 0).any():
        return ()
    height = np.log(smooth)
    turns = turning_points(height, -np.log(1 - REVERSAL))
    found = [
        Swing(
            name=series.name,
            label=series.label,
            start=str(times[a].astype("datetime64[D]")),
            end=str(times[b].astype("datetime64[D]")),
            before=float(smooth[a]),
            after=float(smooth[b]),
            percent=100 * (float(smooth[b] / smooth[a]) - 1),
            unit=series.unit,
        )
        for a, b in pairwise(turns)
    ]
    found.sort(key=lambda swing: -abs(np.log(swing.after / swing.before)))
    return tuple(found[:count])


def turning_points(height: Array, reversal: float) -> list[int]:
    """Rows of alternating highs and lows between which ``height`` moves by at least ``reversal``."""
    turns: list[int] = []
    high = low = 0
    direction = 0
    for row in range(1, len(height)):
        high = row if height[row] > height[high] else high
        low = row if height[row] < height[low] else low
        if direction >= 0 and height[high] - height[row] >= reversal:
            turns += [high] if direction > 0 or high > 0 else [0]
            direction, low = -1, row
            high = row
        elif direction <= 0 and height[row] - height[low] >= reversal:
            turns += [low] if direction < 0 or low > 0 else [0]
            direction, high = 1, row
            low = row
        elif direction > 0 and height[row] >= height[high]:
            low = row
        elif direction < 0 and height[row] <= height[low]:
            high = row
    if direction:
        turns.append(high if direction > 0 else low)
    return turns


def recent_moves(series: Iterable[Series], count: int) -> tuple[RecentMove, ...]:
    """The most unusual changes over the last five periods, largest first."""
    found: list[RecentMove] = []
    for item in series:
        size = measures.move_size(item.values, RECENT_PERIODS, item.per_year)
        if size is None:
            continue
        moved = measures.changes(item.values, (RECENT_PERIODS,))[0]
        percent = f" ({moved.percent:+.1f} %)" if moved.percent is not None else ""
        found.append(
            RecentMove(
                name=item.name,
                label=item.label,
                change=moved.absolute,
                percent=moved.percent,
                unit=item.unit,
                size=size,
                text=f"{item.label} {'+' if moved.absolute > 0 else ''}"
                f"{quantity(moved.absolute, item.unit)}{percent} over "
                f"{RECENT_PERIODS} {item.period}s, {abs(size):.1f} times its usual move",
            )
        )
    found.sort(key=lambda move: -abs(move.size))
    return tuple(found[:count])
