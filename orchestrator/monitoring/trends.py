"""Trend test: Mann–Kendall for significance, Sen's slope for size, over bins of plant time.

A trend is told only when it is significant (two-sided, the false-alarm rate divided by the number
of tags) *and* matters: it leads to an alarm limit within one more window, or it has carried the tag
far out of its normal operation. Everything is in training standard deviations and bins.

Sources: Mann (1945), Kendall (1975), Sen (1968).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import numpy as np

from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.delays import BoolArray, Delay, FloatArray, IntArray
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.quantiles import normal_above
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

BINS = 20
"""Bins in the window."""
LEAST_SHARE = 0.8
"""Share of them that must hold values."""
FAR = 4.0
"""Change over the window, in standard deviations, that matters without a limit."""
OUTSIDE = 3.0
"""Distance from normal, in standard deviations, that such a trend must have reached."""
TOWARDS = 1.5
"""Change over the window, in standard deviations, that matters when a limit is ahead. A trend that
was told goes on for as long as it is significant."""
ON_BINS = 2
OFF_BINS = 3
GROUP_LEAST = 5
GROUP_SHARE = 0.2
"""More tags than both at once are one alert: they have one cause."""
_TIE = 1e-6


def mann_kendall(window: FloatArray) -> FloatArray:
    """Standardised Mann–Kendall statistic of each column, with the correction for continuity.

    Args:
        window: Values in order of time, shape ``(n_bins, n_tags)``; NaN is left out.
    """
    earlier, later = _pairs(len(window))
    with np.errstate(invalid="ignore"):
        difference = window[later] - window[earlier]
    s = np.count_nonzero(difference > _TIE, axis=0) - np.count_nonzero(difference < -_TIE, axis=0)
    n = np.isfinite(window).sum(axis=0)
    variance = n * (n - 1) * (2 * n + 5) / 18.0
    return np.where(n > 2, (s - np.sign(s)) / np.sqrt(np.maximum(variance, 1.0)), 0.0)


@cache
def _pairs(rows: int) -> tuple[IntArray, IntArray]:
    """All pairs of rows, the earlier first."""
    earlier, later = np.triu_indices(rows, 1)
    return earlier, later


def sen_slope(window: FloatArray) -> FloatArray:
    """Median slope of all pairs, per bin, for each column; NaN is left out."""
    earlier, later = _pairs(len(window))
    return _median((window[later] - window[earlier]) / (later - earlier)[:, None])


def _median(values: FloatArray) -> FloatArray:
    """Median of each column without NaN; a column of NaN only is NaN."""
    ordered = np.sort(values, axis=0)
    count = np.isfinite(values).sum(axis=0)
    column = np.arange(values.shape[1])
    low = ordered[np.maximum((count - 1) // 2, 0), column]
    high = ordered[np.minimum(count // 2, len(values) - 1), column]
    return np.where(count > 0, (low + high) / 2.0, np.nan)


class TrendWatch:
    """Alerts of kind ``trend``.

    Args:
        tags: The tags, in column order.
        baseline: Their normal operation.
        false_alarm_rate: Share of windows without a trend that may be called significant.
        bin_seconds: Width of a bin, s.
    """

    def __init__(
        self,
        tags: Sequence[Tag],
        baseline: Baseline,
        false_alarm_rate: float,
        bin_seconds: float,
    ) -> None:
        count = len(tags)
        self._tags = tags
        self._bin = timedelta(seconds=bin_seconds)
        # One tag among many is told by chance more often; a trend that was told is one tag.
        self._critical = normal_above(false_alarm_rate / (2 * count))
        self._critical_told = normal_above(false_alarm_rate / 2)
        self._varies = baseline.varies
        limits = [tag.limits for tag in tags]
        low = _nearest([(limit.low, limit.low_low) for limit in limits])
        high = _nearest([(limit.high, limit.high_high) for limit in limits])
        self._low = np.where(np.isnan(low), -np.inf, baseline.scaled(low))
        self._high = np.where(np.isnan(high), np.inf, baseline.scaled(high))
        self._window: FloatArray = np.full((BINS, count), np.nan)
        # Channels: rising tags, falling tags, the group.
        self._delay = Delay(2 * count + 1, ON_BINS, OFF_BINS)
        self._times: list[int] = []

    def step(self, at: int, mean: FloatArray, explained: bool) -> list[Change]:
        """Take in a bin.

        Args:
            at: Time of the row that closed the bin, µs since the epoch.
            mean: Scaled mean of each tag in it.
            explained: Whether a multivariate alert is open. It tells of the same cause, so that no
                trend is begun then but one that leads to a limit.
        """
        self._window = np.concatenate([self._window[1:], mean[None]])
        self._times = [*self._times[-(max(ON_BINS, OFF_BINS) - 1) :], at]
        count = len(self._tags)
        rising, towards, left = self._trends()
        begun = self._delay.state
        mattering = np.concatenate([rising > 0, rising < 0, [False]])
        if explained:
            mattering &= np.concatenate([towards, towards, [False]]) | begun | begun[-1]
        together = int(mattering.sum())
        grouped = together > (0 if begun[-1] else max(GROUP_LEAST, GROUP_SHARE * count))
        members: list[int] = np.flatnonzero(rising).tolist()
        if grouped:
            mattering[:] = False
            mattering[-1] = True
        switches = self._delay.step(mattering[None])
        changes = []
        for channel, on in zip(switches.channels.tolist(), switches.on, strict=True):
            back = (ON_BINS if on else OFF_BINS) - 1
            since = self._times[max(len(self._times) - 1 - back, 0)]
            found = members if channel == 2 * count else [channel % count]
            key = (
                "trend:plant"
                if channel == 2 * count
                else f"trend:{self._tags[channel % count].name}:"
                f"{'rising' if channel < count else 'falling'}"
            )
            changes.append(
                Change(
                    at=moment(at),
                    since=moment(since),
                    key=key,
                    kind="trend",
                    active=bool(on),
                    severity="high" if (left[found] <= BINS / 2).any() else "medium",
                    tags=tuple(self._tags[j].name for j in found),
                    message=self._message(found, rising, left) if on else "",
                )
            )
        return changes

    def _trends(self) -> tuple[FloatArray, BoolArray, FloatArray]:
        """Of each tag: change over the window (0: no trend that matters), towards a limit, bins left."""
        count = len(self._tags)
        change, towards, left = (
            np.zeros(count),
            np.zeros(count, dtype=np.bool_),
            np.full(count, np.inf),
        )
        enough = np.isfinite(self._window).sum(axis=0) >= LEAST_SHARE * BINS
        if not enough.any():
            return change, towards, left
        state = self._delay.state
        told = state[:count] | state[count : 2 * count] | state[-1]
        critical = np.where(told, self._critical_told, self._critical)
        significant = np.abs(mann_kendall(self._window)) > critical
        chosen = np.flatnonzero(significant & enough & self._varies)
        if not len(chosen):
            return change, towards, left
        window = self._window[:, chosen]
        slope = sen_slope(window)
        moved = slope * (BINS - 1)
        level = _median(window) + moved / 2
        limit = np.where(slope > 0, self._high[chosen], self._low[chosen])
        ahead = np.divide(limit - level, slope, out=np.full(len(slope), np.inf), where=slope != 0)
        ahead = np.where(ahead >= 0, ahead, np.inf)
        reaching = (ahead <= BINS) & (np.abs(moved) >= TOWARDS)
        leaving = (np.abs(moved) >= FAR) & (level * np.sign(slope) >= OUTSIDE)
        same = np.where(slope > 0, state[chosen], state[count + chosen]) | state[-1]
        change[chosen] = np.where(reaching | leaving | same, moved, 0.0)
        towards[chosen] = reaching
        left[chosen] = np.where(reaching, ahead, np.inf)
        return change, towards, left

    def _message(self, found: list[int], change: FloatArray, left: FloatArray) -> str:
        if len(found) > 1:
            return f"{len(found)} tags are moving away from normal operation together"
        j = found[0]
        hours = BINS * self._bin.total_seconds() / 3600
        text = (
            f"{self._tags[j].name} is {'rising' if change[j] > 0 else 'falling'}: "
            f"{abs(change[j]):.1f} normal standard deviations in {hours:.3g} h"
        )
        if np.isfinite(left[j]):
            ahead = left[j] * self._bin.total_seconds() / 3600
            text += f"; at this slope it reaches its limit in {ahead:.2g} h"
        return text


def _nearest(pairs: list[tuple[float | None, float | None]]) -> FloatArray:
    """The inner limit, else the outer one, else NaN."""
    chosen = (inner if inner is not None else outer for inner, outer in pairs)
    return np.array([np.nan if value is None else value for value in chosen], dtype=np.float64)
