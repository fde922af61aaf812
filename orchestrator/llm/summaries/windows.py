"""When a shift or a day begins and ends, in the site's own zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from orchestrator.chat_settings import ChatSettings

Span = Literal["shift", "day"]


@dataclass(frozen=True, slots=True)
class Window:
    """A shift or a day in UTC; ``end`` is not part of it."""

    span: Span
    start: datetime
    end: datetime


def window_of(
    span: Span, at: datetime, settings: ChatSettings, *, previous: bool = False
) -> Window:
    """The shift or the day that ``at`` lies in; with ``previous`` the one before."""
    zone = ZoneInfo(settings.timezone)
    starts = ("00:00",) if span == "day" else settings.shift_starts
    day = at.astimezone(zone).date()
    edges = sorted(
        _moment(day + timedelta(days=offset), text, zone)
        for offset in (-2, -1, 0, 1, 2)
        for text in starts
    )
    number = max(index for index, edge in enumerate(edges) if edge <= at) - int(previous)
    return Window(span, edges[number], edges[number + 1])


def _moment(day: date, text: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), zone).astimezone(UTC)
