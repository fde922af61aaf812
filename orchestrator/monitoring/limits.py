"""Limit checks: low-low, low, high and high-high with dead band and delays, for all tags at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from orchestrator.monitoring.delays import BoolArray, Delay, FloatArray, Trail
from orchestrator.monitoring.life_cycle import Change, Severity
from orchestrator.monitoring.samples import Rows, moment
from orchestrator.plant.priority import priority_of, raised
from orchestrator.plant.tags import Tag

LimitName = Literal["low_low", "low", "high", "high_high"]
SEVERITY: dict[LimitName, Severity] = {
    "low_low": "critical",
    "low": "high",
    "high": "high",
    "high_high": "critical",
}
DEAD_BAND_SHARE = {"flow": 0.05, "level": 0.05, "pressure": 0.02, "temperature": 0.01}
"""Dead band as a share of the normal range where the tag has none: the usual starting points by kind
of measurement in ISA-18.2 and EEMUA 191."""
OTHER_DEAD_BAND = 0.02


class LimitWatch:
    """One alert for each tag and side; the outer limit raises its severity.

    Args:
        tags: The tags, in column order.
        on_delay: Rows over a limit in succession that raise the alert.
        off_delay: Rows back inside the dead band that end it.
    """

    def __init__(self, tags: Sequence[Tag], on_delay: int, off_delay: int) -> None:
        self._limits = [
            (j, name, limit)
            for j, tag in enumerate(tags)
            for name in SEVERITY
            if (limit := getattr(tag.limits, name)) is not None
        ]
        self._tags = tags
        self._columns = np.array([j for j, _, _ in self._limits], dtype=np.int64)
        # Signed so that over the limit is always greater.
        self._sign: FloatArray = np.array(
            [1.0 if name.startswith("high") else -1.0 for _, name, _ in self._limits]
        )
        self._limit: FloatArray = np.array([limit for _, _, limit in self._limits]) * self._sign
        bands: FloatArray = np.array([_dead_band(tags[j]) for j, _, _ in self._limits])
        self._clear = self._limit - bands
        self._inner_low: FloatArray = np.full(len(tags), -np.inf)
        self._inner_high: FloatArray = np.full(len(tags), np.inf)
        for j, name, limit in self._limits:
            if name.startswith("high"):
                self._inner_high[j] = min(self._inner_high[j], limit)
            else:
                self._inner_low[j] = max(self._inner_low[j], limit)
        self._over: BoolArray = np.zeros(len(self._limits), dtype=np.bool_)
        self._delay = Delay(len(self._limits), on_delay, off_delay)
        self._times = Trail(max(on_delay, off_delay) - 1, np.zeros(0, dtype=np.int64))

    def step(self, rows: Rows, held: FloatArray) -> list[tuple[int, Change]]:
        """Take in rows; returns (row, change) in order of rows.

        Args:
            rows: The rows.
            held: Their values, NaN where none is known, which leaves the check as it is.
        """
        if not self._limits:
            return []
        outside = ((held > self._inner_high) | (held < self._inner_low)).any()
        if outside or self._over.any():
            over = self._beyond(held[:, self._columns] * self._sign)
        else:
            over = np.zeros((len(held), len(self._limits)), dtype=np.bool_)
        times, before = self._times.join(rows.times)
        switches = self._delay.step(over)
        changes = []
        for at, channel, on in zip(switches.rows, switches.channels, switches.on, strict=True):
            back = (self._delay.on if on else self._delay.off) - 1
            since = times[max(before + at - back, 0)]
            value = float(held[at, self._columns[channel]])
            changes.extend(self._change(rows.times[at], since, int(channel), bool(on), value, at))
        return changes

    def _beyond(self, signed: FloatArray) -> BoolArray:
        """Whether each limit is exceeded, counting the dead band, after each row."""
        beyond = signed > self._limit
        decided = beyond | (signed <= self._clear)
        row = np.arange(len(signed))[:, None]
        decider = np.maximum.accumulate(np.where(decided, row, -1), axis=0)
        found = np.take_along_axis(beyond, np.maximum(decider, 0), axis=0)
        over: BoolArray = np.where(decider >= 0, found, self._over)
        self._over = over[-1].copy()
        return over

    def _change(
        self, at: np.int64, since: np.int64, channel: int, on: bool, value: float, row: int
    ) -> list[tuple[int, Change]]:
        j, name, limit = self._limits[channel]
        tag = self._tags[j]
        inner, outer = ("high", "high_high") if name.startswith("high") else ("low", "low_low")
        # The two limits of a side are one alert: it ends with the inner one, where there is one.
        if not on and name == outer and getattr(tag.limits, inner) is not None:
            return []
        words, unit = name.replace("_", "-"), f" {tag.unit}" if tag.unit else ""
        beyond = value > limit if name.startswith("high") else value < limit
        now = f"; {value:.6g}{unit} now" if beyond else f"; {value:.6g}{unit} now, not yet clear"
        change = Change(
            at=moment(at),
            since=moment(since),
            key=f"limit:{tag.name}:{inner}",
            kind="limit",
            active=on,
            severity=_severity(tag, name),
            tags=(tag.name,),
            message=f"{tag.name} passed its {words} limit {limit:.6g}{unit}{now}",
        )
        return [(int(row), change)]


def _severity(tag: Tag, name: LimitName) -> Severity:
    """As rationalised in the plant file, the outer limit one step up; else by the limit alone."""
    if tag.consequence is None:
        return SEVERITY[name]
    found = priority_of(tag.consequence, tag.respond_minutes)
    return found if name in ("low", "high") else raised(found)


def _dead_band(tag: Tag) -> float:
    if tag.dead_band > 0:
        return tag.dead_band
    limits = tag.limits
    if tag.normal is not None:
        width = tag.normal[1] - tag.normal[0]
    elif limits.low is not None and limits.high is not None:
        width = limits.high - limits.low
    else:
        return 0.0
    return DEAD_BAND_SHARE.get(tag.kind, OTHER_DEAD_BAND) * width
