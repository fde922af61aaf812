"""How the alarm system itself performs, against the figures of EEMUA 191 and ISA-18.2.

====================================  ==========================================================
figure                                aim, for one operator
====================================  ==========================================================
alarms in 10 minutes, on average      at most 1 (2 can be managed)
most alarms in 10 minutes             at most 10, also after an upset
share of 10-minute periods over 10    below 1 %
standing alarms, on average           at most 9
stale alarms (active for a day)       at most 5, with a plan for each
chattering alarms (3 in a minute)     none
share of the ten most frequent        at most 5 % of all
priorities                            about 80 % low, 15 % medium, 5 % high and critical
====================================  ==========================================================

Sources: EEMUA Publication 191, 3rd edition (2013); ANSI/ISA-18.2-2016, clause 16.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

PERIOD = timedelta(minutes=10)
FLOOD = 10
"""Alarms in ten minutes above which an operator cannot follow."""
STALE = timedelta(hours=24)
CHATTER = 3
CHATTER_WITHIN = timedelta(minutes=1)
FREQUENT = 10
AIMS = {
    "average_per_10_minutes": 1.0,
    "peak_per_10_minutes": 10.0,
    "flood_share": 0.01,
    "average_standing": 9.0,
    "stale": 5.0,
    "chattering": 0.0,
    "ten_most_frequent_share": 0.05,
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alarm as it was annunciated; ``end`` is null while it stands."""

    key: str
    severity: str
    start: datetime
    end: datetime | None
    cause: str | None = None


class AlarmReport(BaseModel):
    """Figures of a span of time.

    Attributes:
        start: First time of the span.
        end: Last time of the span.
        alarms: Alarms annunciated.
        causes: The same, alarms of one cause counted once.
        average_per_10_minutes: Mean rate.
        peak_per_10_minutes: Most alarms in any ten minutes.
        flood_share: Share of ten-minute periods with more than ten.
        average_standing: Mean number of alarms that stand, over time.
        stale: Keys that have stood for a day at ``end``, longest first.
        chattering: Keys annunciated three times in a minute or more.
        most_frequent: The ten keys with most alarms, and how many.
        ten_most_frequent_share: Their share of all.
        priorities: Share of each severity.
        misses: Names of the figures that miss their aim.
    """

    model_config = ConfigDict(frozen=True)

    start: datetime
    end: datetime
    alarms: int
    causes: int
    average_per_10_minutes: float
    peak_per_10_minutes: int
    flood_share: float
    average_standing: float
    stale: tuple[str, ...]
    chattering: tuple[str, ...]
    most_frequent: tuple[tuple[str, int], ...]
    ten_most_frequent_share: float
    priorities: dict[str, float]
    misses: tuple[str, ...]


def alarm_report(occurrences: Sequence[Occurrence], start: datetime, end: datetime) -> AlarmReport:
    """Figures of the alarms that began from ``start`` to ``end``, or stood in that time.

    Args:
        occurrences: Annunciated alarms in any order; those that were withheld are left out by the
            caller, since nobody heard them.
        start: First time of the span, aware.
        end: Last time, after ``start``.
    """
    begun = sorted(item.start for item in occurrences if start <= item.start <= end)
    periods = max((end - start) / PERIOD, 1e-9)
    counted = Counter(item.key for item in occurrences if start <= item.start <= end)
    severities = Counter(item.severity for item in occurrences if start <= item.start <= end)
    peak = max(
        (bisect_left(begun, time + PERIOD) - place for place, time in enumerate(begun)), default=0
    )
    per_period = Counter(int((time - start) / PERIOD) for time in begun)
    flooded = sum(count > FLOOD for count in per_period.values())
    standing = sum(
        (
            max(min(item.end or end, end) - max(item.start, start), timedelta(0))
            for item in occurrences
        ),
        timedelta(0),
    )
    stale = sorted(
        (item.start, item.key)
        for item in occurrences
        if (item.end is None or item.end > end) and end - item.start >= STALE
    )
    frequent = counted.most_common(FREQUENT)
    total = len(begun)
    # A handful of keys always makes up most of a handful of alarms: that tells nothing.
    share = sum(count for _, count in frequent) / total if len(counted) > FREQUENT else 0.0
    figures = {
        "average_per_10_minutes": total / periods,
        "peak_per_10_minutes": float(peak),
        "flood_share": flooded / max(periods, 1.0),
        "average_standing": standing / (end - start) if end > start else 0.0,
        "stale": float(len(stale)),
        "chattering": float(len(_chattering(occurrences))),
        "ten_most_frequent_share": share,
    }
    return AlarmReport(
        start=start,
        end=end,
        alarms=total,
        causes=len({item.cause or id(item) for item in occurrences if start <= item.start <= end}),
        average_per_10_minutes=round(figures["average_per_10_minutes"], 4),
        peak_per_10_minutes=peak,
        flood_share=round(figures["flood_share"], 6),
        average_standing=round(figures["average_standing"], 4),
        stale=tuple(key for _, key in stale),
        chattering=_chattering(occurrences),
        most_frequent=tuple(frequent),
        ten_most_frequent_share=round(share, 4),
        priorities={name: round(count / total, 4) for name, count in sorted(severities.items())},
        misses=tuple(name for name, aim in AIMS.items() if figures[name] > aim),
    )


def _chattering(occurrences: Sequence[Occurrence]) -> tuple[str, ...]:
    """Keys that began at least three times within a minute."""
    starts: dict[str, list[datetime]] = {}
    for item in occurrences:
        starts.setdefault(item.key, []).append(item.start)
    found = []
    for key, times in starts.items():
        times.sort()
        if any(
            bisect_right(times, time + CHATTER_WITHIN) - place >= CHATTER
            for place, time in enumerate(times)
        ):
            found.append(key)
    return tuple(sorted(found))
