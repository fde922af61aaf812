"""What an OPC UA data value means to us: source time, number, quality."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.plant.samples import Quality

if TYPE_CHECKING:
    from asyncua import ua

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WAITING_FOR_INITIAL_DATA = 0x80320000
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


def reading_of(column: int, data: ua.DataValue, received: int) -> Reading | None:
    """A data value as a reading; None where nothing was ever measured.

    Without a source time the server's counts, and without that the time of receipt. What is bad, or
    no single finite number, is NaN and bad; where it has no time either, it is no sample.
    """
    at = data.SourceTimestamp or data.ServerTimestamp
    status = data.StatusCode.value if data.StatusCode is not None else 0
    if status == _WAITING_FOR_INITIAL_DATA and data.SourceTimestamp is None:
        return None  # the server's time is that of its answer, not of a measurement
    quality = quality_of(status)
    held = data.Value.Value if data.Value is not None else None
    # A bool is an int, so that a switch reads 0 or 1.
    value = float(held) if isinstance(held, int | float) else _NAN
    if quality is Quality.BAD or value != value or value in (float("inf"), float("-inf")):
        value, quality = _NAN, Quality.BAD
        if at is None:
            return None
    return Reading(column, received if at is None else microseconds(at), value, int(quality))


def readings_of(items: Iterable[tuple[int, ua.DataValue]], received: int) -> list[Reading]:
    """Column and data value of each item as readings; what was never measured is left out."""
    found = (reading_of(column, data, received) for column, data in items)
    return [reading for reading in found if reading is not None]
