"""Federal holidays of the United States by their rules (5 U.S.C. 6103), which move releases of data."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6
JUNETEENTH_SINCE = 2021
_DAY = timedelta(days=1)


@cache
def federal_holidays(year: int) -> frozenset[date]:
    """The days of ``year`` on which federal offices are closed for a holiday.

    A holiday on a Saturday is observed on the Friday before, one on a Sunday on the Monday after, so
    that New Year's Day may be observed in the year before. Days that the president gives free are not
    among them.
    """
    fixed = [(1, 1), (7, 4), (11, 11), (12, 25)]
    if year >= JUNETEENTH_SINCE:
        fixed.append((6, 19))
    days = {_observed(date(year, month, day)) for month, day in fixed}
    days.add(_observed(date(year + 1, 1, 1)))
    days |= {
        nth_weekday(year, 1, MONDAY, 3),  # Martin Luther King Jr.
        nth_weekday(year, 2, MONDAY, 3),  # Washington's Birthday
        nth_weekday(year, 6, MONDAY, 1) - 7 * _DAY,  # Memorial Day, the last Monday of May
        nth_weekday(year, 9, MONDAY, 1),  # Labor Day
        nth_weekday(year, 10, MONDAY, 2),  # Columbus Day
        nth_weekday(year, 11, THURSDAY, 4),  # Thanksgiving
    }
    return frozenset(day for day in days if day.year == year)


def is_federal_holiday(day: date) -> bool:
    """Whether federal offices are closed on ``day`` for a holiday."""
    return day in federal_holidays(day.year)


def nth_weekday(year: int, month: int, weekday: int, number: int) -> date:
    """The first, second, … such day of a month; Monday is 0."""
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (number - 1)) * _DAY


def _observed(day: date) -> date:
    return day + {SATURDAY: -_DAY, SUNDAY: _DAY}.get(day.weekday(), 0 * _DAY)
