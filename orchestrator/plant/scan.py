"""What a pass over a whole file finds: rows, order of times, counts by column, and what was left out."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.plant.local_times import LocalTimes
from orchestrator.plant.rejects import Rejects

MOST_LINES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a scan found in one column or tag: cells that are numbers, others that are filled, and how
    many of these hold a text that stands for no measurement."""

    numbers: int
    others: int
    words: int = 0


class Rows(NamedTuple):
    """The usable rows of one batch: times in microseconds since 1970 in UTC, their columns without
    that of the time, and the line in the file of each row."""

    times: NDArray[np.int64]
    batch: Any
    line: Callable[[int], int]


@dataclass
class Pass:
    """The state of one reading of a file, from its first row to its last.

    Attributes:
        rejects: What was left out; None where a fault ends the reading instead.
        clock: Turns local times into UTC; None where they are UTC.
        given: Rows read so far, those left out included.
        bad_lines: Lines with too few or too many cells, in file order, as far as they are kept.
    """

    rejects: Rejects | None = None
    clock: LocalTimes | None = None
    given: int = 0
    bad_lines: list[int] = field(default_factory=list)

    def on_bad_row(self, row: Any) -> str:
        """Count a row that has not as many cells as the header."""
        if self.rejects is None:
            return "error"
        if len(self.bad_lines) < MOST_LINES_KEPT:
            self.bad_lines.append(int(row.number))
        self.rejects.add(
            f"the row has not {row.expected_columns} cells",
            [(int(row.number), row.text)],
            whole_rows=True,
        )
        return "skip"

    def line(self, index: int, header_rows: int) -> int:
        """The line of the ``index``-th row that was parsed."""
        line = index + 1 + header_rows
        skipped = 0
        # Each skipped line at or before the row moves it on, perhaps past further ones.
        while (more := bisect_right(self.bad_lines, line + skipped)) > skipped:
            skipped = more
        return line + skipped


@dataclass
class Scan:
    """What one pass over the whole file finds."""

    rows: int = 0
    first: int = 0
    last: int = 0
    ordered: bool = True
    repeated: bool = False
    unordered: int = 0
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    others: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    words: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    infinite: Counter[str] = field(default_factory=Counter)
    reading: Pass = field(default_factory=Pass)

    def add(self, times: NDArray[np.int64]) -> None:
        """Take the times of the next rows into account."""
        if not len(times):
            return
        steps = np.diff(times, prepend=self.last if self.rows else times[0] - 1)
        self.unordered += int((steps < 0).sum())
        self.ordered = not self.unordered
        self.repeated = self.repeated or bool((steps == 0).any())
        low, high = int(times.min()), int(times.max())
        self.first = min(self.first, low) if self.rows else low
        # While rows ascend the last time is the highest; after that only the span matters.
        self.last = max(self.last, high) if self.rows else high
        self.rows += len(times)

    def count(
        self, numbers: NDArray[np.int64], others: NDArray[np.int64], words: NDArray[np.int64]
    ) -> None:
        """Add counts by column; later ones may know more columns."""
        grow = len(numbers) - len(self.numbers)
        self.numbers = np.pad(self.numbers, (0, grow)) + numbers
        self.others = np.pad(self.others, (0, grow)) + others
        self.words = np.pad(self.words, (0, grow)) + words
