"""The one source of time: wall time for a live plant, plant time for a replay or a simulation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


def iso(at: datetime) -> str:
    """An aware time as every document spells it: ISO 8601 in UTC with ``Z``."""
    return at.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def json_default(value: object) -> str:
    """What a JSON encoder writes for a value that JSON does not know: times as :func:`iso`."""
    return iso(value) if isinstance(value, datetime) and value.tzinfo is not None else str(value)


class Clock(Protocol):
    """Tells the time as timezone-aware UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """Wall time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class PlantClock:
    """Time as the plant's samples tell it; it stands still between samples and never goes back."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now if self._now is not None else datetime.now(UTC)

    @property
    def started(self) -> bool:
        """Whether any plant time has been seen."""
        return self._now is not None

    def advance(self, to: datetime) -> None:
        """Move on to ``to``; an earlier time is ignored."""
        if to.tzinfo is None:
            raise ValueError(f"a plant time needs a time zone, got {to!r}")
        if self._now is None or to > self._now:
            self._now = to.astimezone(UTC)
