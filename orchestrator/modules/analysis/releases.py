"""When market reports are published: the standing rules, the exceptions, and dates of one's own.

The rules are those of the schedules that the U.S. Energy Information Administration publishes:

* Weekly Petroleum Status Report, https://www.eia.gov/petroleum/supply/weekly/schedule.php: Wednesday
  10:30 in New York. In a week with a federal holiday from Monday to Wednesday it comes on Thursday: at
  11:00 in the tables of 2019, 2020 and January 2025, at 12:00 in that of 2026. What lies between is
  taken as 12:00.
* Weekly Natural Gas Storage Report, https://ir.eia.gov/ngs/schedule.html: Thursday 10:30. A holiday on
  Tuesday or Wednesday moves it to Friday 10:30, one on Thursday to Wednesday 12:00.
* Short-Term Energy Outlook, https://www.eia.gov/outlooks/steo/release_schedule.php: the first Tuesday
  after the first Thursday of the month, 12:00; Wednesday after a holiday on that Monday.

The weeks around Christmas and New Year follow no rule; what was published of them stands in ``_MOVED``,
and ``moved`` of the configuration takes what is published later. Reports without a documented rule (OPEC,
IEA) are given by ``dates``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from orchestrator.modules.analysis.us_holidays import is_federal_holiday, nth_weekday

NEW_YORK = ZoneInfo("America/New_York")
TUESDAY, WEDNESDAY, THURSDAY = 1, 2, 3
ReportId = Literal["eia-wpsr", "eia-gas-storage", "eia-steo"]

_DAY = timedelta(days=1)
_MORNING, _ELEVEN, _NOON = time(10, 30), time(11), time(12)
_NOON_SINCE = date(2025, 1, 3)
_SCHEDULED_MOVE = 15 * _DAY
"""How far from its usual day a release is looked for at most."""
_MOVED: dict[ReportId, dict[date, tuple[date, time]]] = {
    # The usual day, and the day and time that were published instead.
    "eia-wpsr": {
        date(2019, 1, 2): (date(2019, 1, 4), _ELEVEN),
        date(2019, 12, 25): (date(2019, 12, 27), _ELEVEN),
        date(2020, 1, 1): (date(2020, 1, 3), _ELEVEN),
        date(2025, 12, 24): (date(2025, 12, 29), time(17)),
    },
    "eia-gas-storage": {
        date(2025, 12, 25): (date(2025, 12, 29), _NOON),
        date(2026, 1, 1): (date(2025, 12, 31), _NOON),
    },
    "eia-steo": {
        date(2016, 10, 11): (date(2016, 10, 13), time(9)),
    },
}


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MovedRelease(_Options):
    """A release that does not come when its rule says."""

    report: ReportId
    usual: date
    """The day that the rule gives without regard to holidays: a Wednesday, Thursday or Tuesday."""
    at: AwareDatetime | None
    """When it comes instead; null where it is left out."""


class DatedRelease(_Options):
    """A release of a report without a rule."""

    name: str = Field(min_length=1)
    at: AwareDatetime


class ReleaseOptions(_Options):
    """Which releases count as new market reports."""

    reports: tuple[ReportId, ...] = ()
    dates: tuple[DatedRelease, ...] = ()
    moved: tuple[MovedRelease, ...] = ()
    delay_minutes: float = Field(default=0.0, ge=0, le=24 * 60)
    """How long after its release a report counts as there: data services may lag."""
    new_minutes: float = Field(default=60.0, gt=0, le=7 * 24 * 60)
    """How long a report counts as new."""


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """A report and when it comes, UTC."""

    at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """The releases of the configured reports and dates; computed, never stored."""

    options: ReleaseOptions

    def between(self, after: datetime, until: datetime) -> list[Release]:
        """Releases later than ``after`` and not later than ``until``, in order of time."""
        found = {
            Release(at, report)
            for report in self.options.reports
            for at in self._times(report, after, until)
        }
        found |= {
            Release(item.at.astimezone(UTC) + self._delay, item.name) for item in self.options.dates
        }
        return sorted(item for item in found if after < item.at <= until)

    def upcoming(self, after: datetime, within: timedelta = 45 * _DAY) -> list[Release]:
        """The next release of each report and name after a time, as far as one comes ``within``."""
        first: dict[str, Release] = {}
        for item in self.between(after, after + within):
            first.setdefault(item.name, item)
        return sorted(first.values())

    def new_at(self, at: datetime, least: timedelta = timedelta(0)) -> list[Release]:
        """Releases that are new at a time: so for ``new_minutes``, or for ``least`` if longer."""
        lasting = max(timedelta(minutes=self.options.new_minutes), least)
        return self.between(at - lasting, at)

    @property
    def _delay(self) -> timedelta:
        return timedelta(minutes=self.options.delay_minutes)

    def _times(self, report: ReportId, after: datetime, until: datetime) -> Iterator[datetime]:
        moved = {item.usual: item.at for item in self.options.moved if item.report == report}
        first = (after - self._delay).astimezone(NEW_YORK).date() - _SCHEDULED_MOVE
        last = until.astimezone(NEW_YORK).date() + _SCHEDULED_MOVE
        for usual in _usual_days(report, first, last):
            at = moved[usual] if usual in moved else _scheduled(report, usual)
            if at is not None:
                yield at.astimezone(UTC) + self._delay


def _scheduled(report: ReportId, usual: date) -> datetime:
    day, hour = _MOVED[report].get(usual) or _RULES[report](usual)
    return datetime.combine(day, hour, NEW_YORK)


def _usual_days(report: ReportId, first: date, last: date) -> Iterator[date]:
    """The days on which a report would come if there were no holidays."""
    if report == "eia-steo":
        year, month = first.year, first.month
        while date(year, month, 1) <= last:
            yield nth_weekday(year, month, THURSDAY, 1) + 5 * _DAY
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return
    weekday = WEDNESDAY if report == "eia-wpsr" else THURSDAY
    day = first + (weekday - first.weekday()) % 7 * _DAY
    while day <= last:
        yield day
        day += 7 * _DAY


def _petroleum(usual: date) -> tuple[date, time]:
    if any(is_federal_holiday(usual - days * _DAY) for days in range(3)):
        return usual + _DAY, _NOON if usual >= _NOON_SINCE else _ELEVEN
    return usual, _MORNING


def _gas_storage(usual: date) -> tuple[date, time]:
    if is_federal_holiday(usual):
        return usual - _DAY, _NOON
    if is_federal_holiday(usual - _DAY) or is_federal_holiday(usual - 2 * _DAY):
        return usual + _DAY, _MORNING
    return usual, _MORNING


def _outlook(usual: date) -> tuple[date, time]:
    return (usual + _DAY if is_federal_holiday(usual - _DAY) else usual), _NOON


_RULES: dict[ReportId, Callable[[date], tuple[date, time]]] = {
    "eia-wpsr": _petroleum,
    "eia-gas-storage": _gas_storage,
    "eia-steo": _outlook,
}
