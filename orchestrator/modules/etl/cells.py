"""Turning cells as people and historians write them into times and numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.errors import DataError
from orchestrator.plant.times import TimeFormat, detect_formats

SAMPLE = 100
LEAST_TIMES = 0.6
EMPTY = frozenset({"", "-", "--", "na", "n/a", "nan", "null", "none", "#n/a", "?"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMMA_DECIMAL = re.compile(r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)?,\d+(e[+-]?\d+)?$", re.IGNORECASE)
_POINT_DECIMAL = re.compile(r"^[+-]?\d*\.\d+(e[+-]?\d+)?$", re.IGNORECASE)
_THOUSANDS = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")


class Tally:
    """What was rejected, by reason, with the first few as examples."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, reason: str, example: str) -> None:
        """Count one."""
        self.counts[reason] += 1
        shown = self.examples.setdefault(reason, [])
        if len(shown) < 3:
            shown.append(example[:80])


def is_empty(cell: Any) -> bool:
    """Whether a cell says that there is no value."""
    if cell is None:
        return True
    if isinstance(cell, float):
        return math.isnan(cell)
    return isinstance(cell, str) and cell.strip().casefold() in EMPTY


def decimal_of(columns: Sequence[Sequence[Any]]) -> str:
    """``,`` where numbers are written with a decimal comma and none with a point, else ``.``."""
    commas = points = 0
    for column in columns:
        for cell in column[: 10 * SAMPLE]:
            if isinstance(cell, str):
                text = cell.strip()
                commas += bool(_COMMA_DECIMAL.match(text)) and not _THOUSANDS.match(text)
                points += bool(_POINT_DECIMAL.match(text))
    return "," if commas and not points else "."


def number(cell: Any, decimal: str) -> float:
    """A cell as a number, NaN where it is empty.

    Raises:
        ValueError: it is not a finite number.
    """
    if is_empty(cell):
        return math.nan
    if isinstance(cell, bool | int | float):
        value = float(cell)
    else:
        text = str(cell).strip().replace("\u00a0", "").replace(" ", "").replace("\u2212", "-")
        if decimal == ",":
            text = text.replace(".", "").replace(",", ".") if "," in text else text
        elif _THOUSANDS.match(text):
            text = text.replace(",", "")
        value = float(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def find_time(names: Sequence[str], columns: Sequence[Sequence[Any]], wanted: str | None) -> int:
    """Position of the time column: the one named, or the first that parses as time.

    Raises:
        DataError: there is none.
    """
    if wanted is not None:
        if wanted not in names:
            raise DataError(
                f"there is no column {wanted!r}", remedy=f"the columns are: {', '.join(names[:12])}"
            )
        return list(names).index(wanted)
    for i, column in enumerate(columns):
        filled = [cell for cell in column if not is_empty(cell)][:SAMPLE]
        if not filled or not all(isinstance(cell, str | datetime) for cell in filled):
            continue
        known = sum(bool(_formats(cell, named=False)) for cell in filled)
        if known >= LEAST_TIMES * len(filled):
            return i
    raise DataError(
        "no column holds times",
        remedy="name it with time_column, or write times as 2025-03-01T06:00:00Z",
    )


def times_of(
    cells: Sequence[Any], zone: str, day_first: bool | None, rejected: Tally
) -> list[datetime | None]:
    """Times in UTC, None where a cell is none (and ``rejected`` says why).

    A time without an offset is local to ``zone``. Where clocks go back, the first of two equal local
    times is taken first; a local time that clocks skip is rejected.

    Raises:
        DataError: the order of day and month is not plain.
    """
    chosen = _format_of(cells, day_first)
    local = ZoneInfo(zone)
    found: list[datetime | None] = []
    previous: datetime | None = None
    for cell in cells:
        time = _parse(cell, chosen, local, previous, rejected)
        found.append(time)
        previous = time or previous
    return found


def _parse(
    cell: Any, chosen: TimeFormat, zone: ZoneInfo, previous: datetime | None, rejected: Tally
) -> datetime | None:
    import pyarrow as pa

    if is_empty(cell):
        rejected.add("the row has no time", "")
        return None
    if isinstance(cell, datetime):
        naive, absolute = cell, cell.tzinfo is not None
    else:
        try:
            micros = int(
                chosen.parse(pa.array([cell if _is_number(cell) else str(cell).strip()]))[0]
            )
        except (ValueError, pa.ArrowException):
            rejected.add("the time cannot be read", str(cell))
            return None
        naive = _EPOCH + timedelta(microseconds=micros)
        absolute = chosen.pattern.startswith("epoch") or chosen.pattern.endswith(("offset", "UTC"))
    if absolute:
        return naive.astimezone(UTC)
    wall = naive.replace(tzinfo=None)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) != wall:
        rejected.add(f"the local time does not exist in {zone.key} (clocks go forward)", str(cell))
        return None
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return second if previous is not None and previous >= first and second > first else first


def _format_of(cells: Sequence[Any], day_first: bool | None) -> TimeFormat:
    votes: Counter[str] = Counter()
    filled = [cell for cell in cells if not is_empty(cell)]
    # days after the twelfth decide the order of day and month, and may stand anywhere
    step = max(1, len(filled) // (4 * SAMPLE))
    for cell in filled[::step]:
        votes.update({item.pattern for item in _formats(cell, named=True)})
    if not votes:
        raise DataError(
            "no time can be read",
            remedy="write times as 2025-03-01T06:00:00Z",
            context={"examples": [str(cell)[:40] for cell in filled[:3]]},
        )
    most = max(votes.values())
    best = sorted(pattern for pattern, count in votes.items() if count == most)
    orders = {pattern: _day_first(pattern) for pattern in best}
    if len({order for order in orders.values() if order is not None}) > 1:
        if day_first is None:
            raise DataError(
                f"{filled[0]!r} can be read with the day or the month first",
                remedy="say which with day_first: true or false",
            )
        best = [pattern for pattern in best if orders[pattern] in (None, day_first)]
    return TimeFormat(best[0])


def _day_first(pattern: str) -> bool | None:
    day, month = pattern.find("%d"), pattern.find("%m")
    if day < 0 or month < 0 or pattern.startswith("%Y"):
        return None
    return day < month


def _formats(cell: Any, *, named: bool) -> list[TimeFormat]:
    import pyarrow as pa

    if isinstance(cell, datetime):
        return [TimeFormat("native")]
    return detect_formats(pa.array([cell if _is_number(cell) else str(cell).strip()]), named=named)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
