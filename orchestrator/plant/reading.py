"""How a file is to be read, where that is not to be found from the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Keep = Literal["last", "first", "mean", "refuse"]
Ambiguous = Literal["order", "first", "second"]
Nonexistent = Literal["reject", "shift"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader may state about a file; by default everything is found from the data.

    Attributes:
        time_column: The column that holds the time.
        timezone: IANA zone of times that carry none.
        ambiguous: Which of two equal local times is meant where clocks go back: told by the order of
            the rows, or always the first or the second.
        nonexistent: What to do with a local time that clocks skip: reject the row, or read it an hour
            later, as clocks that were not set forward would mean it.
        day_first: Whether 03/04/2025 is 3 April.
        decimal: Decimal mark, or ``auto``.
        separator: Between cells; one space stands for any white space; ``auto`` finds it.
        layout: One column a tag, or one sample a row.
        sheet: Sheet of a spreadsheet; the first that holds anything when None.
        duplicates: What to keep of the samples of one tag at one time.
        start: Time of the first row of a file that holds no times.
        period_seconds: Distance of the rows of such a file, s.
        timeless: Accept a file that holds no times and of which no start is stated: its rows then have no
            times, see :attr:`orchestrator.plant.tables.Table.timed`.
        lenient: Leave out the rows and cells that cannot be used, and count them, instead of refusing
            the file.
    """

    time_column: str | None = None
    timezone: str = "UTC"
    ambiguous: Ambiguous = "order"
    nonexistent: Nonexistent = "reject"
    day_first: bool | None = None
    decimal: Literal["auto", ".", ","] = "auto"
    separator: Literal["auto", ",", ";", "\t", "|", " "] = "auto"
    layout: Literal["auto", "wide", "long"] = "auto"
    sheet: str | None = None
    duplicates: Keep = "last"
    start: datetime | None = None
    period_seconds: float | None = None
    timeless: bool = False
    lenient: bool = False
