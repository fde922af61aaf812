"""What an OPC UA data value means to us: source time, number, quality."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.plant.samples import Quality

if TYPE_CHECKING:
    from asyncua import ua

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEVERITY_SHIFT = 30
_NAN = float("nan")


class Reading(NamedTuple):
    """One sample of one item: column of the tag, microseconds since 1970, value, quality code."""

    column: int
    time: int
    value: float
    quality: int


def quality_of(status: int) -> Quality:
    """Quality by the two severity bits of a status code (OPC UA Part 4, 7.39)."""
    return (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)[
        (status >> _SEVERITY_SHIFT) & 3
    ]


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 of an aware time; a naive one is taken as UTC."""
    since = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(micros: int) -> datetime:
    """The aware time of microseconds since 1970."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def reading_of(column: int, data: ua.DataValue, received: int) -> Reading:
    """A data value as a reading.

    Without a source time the server's counts, and without that the time of receipt. What is bad, or
    no single finite number, is NaN and bad.
    """
    at = data.SourceTimestamp or data.ServerTimestamp
    quality = quality_of(data.StatusCode.value if data.StatusCode is not None else 0)
    held = data.Value.Value if data.Value is not None else None
    # A bool is an int, so that a switch reads 0 or 1.
    value = float(held) if isinstance(held, int | float) else _NAN
    if quality is Quality.BAD or value != value or value in (float("inf"), float("-inf")):
        value, quality = _NAN, Quality.BAD
    return Reading(column, received if at is None else microseconds(at), value, int(quality))
