"""Which readings are new, and which stretch of each item's past still has to be fetched."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from orchestrator.plant.opcua.values import Reading

_NEVER = -(2**62)


class Gaps:
    """Per item, the time up to which everything is known, and what came since the gap behind it.

    While an item has a gap, the times of its live readings are kept, so that the same sample is not
    handed on again when it comes out of the server's history too.

    Args:
        count: Number of items.
    """

    def __init__(self, count: int) -> None:
        self.known_until = [_NEVER] * count
        self._newest: list[Reading | None] = [None] * count
        self._open: dict[int, array[int]] = {}
        # Times handed on from history before the subscription delivered them.
        self._ahead: dict[int, set[int]] = {}
        self._first = [True] * count

    def start_after(self, time: int) -> None:
        """Everything up to ``time`` (microseconds since 1970) is known for all items."""
        self.known_until = [max(known, time) for known in self.known_until]

    def resume(self, column: int, known_until: int, held: Iterable[int]) -> None:
        """A gap of an earlier process: all up to ``known_until`` is known, and the times ``held``."""
        self.known_until[column] = known_until
        self._open[column] = array("q", held)

    def known_since(self, start: int) -> list[int]:
        """Items of which nothing is missing before ``start``; those never read begin there."""
        for column, known in enumerate(self.known_until):
            if known == _NEVER:
                self.known_until[column] = start
        return [c for c, known in enumerate(self.known_until) if known >= start]

    def is_open(self, column: int) -> bool:
        """Whether an item has a gap."""
        return column in self._open

    def connection_lost(self) -> None:
        """From the newest reading of each item on, something may be missing."""
        for column, known in enumerate(self.known_until):
            self._first[column] = True
            if known != _NEVER and column not in self._open:
                self._open[column] = array("q")

    def open_columns(self) -> list[int]:
        """Items with a gap."""
        return sorted(self._open)

    def newest(self) -> int | None:
        """The newest time of all live readings."""
        times = [reading.time for reading in self._newest if reading is not None]
        return max(times) if times else None

    def live(self, readings: Iterable[Reading]) -> list[Reading]:
        """Those of the live readings that are new."""
        fresh: list[Reading] = []
        for reading in readings:
            column = reading.column
            before = self._newest[column]
            ahead = self._ahead.get(column)
            if ahead is not None and reading.time >= max(ahead):
                del self._ahead[column]
            if ahead is not None and reading.time in ahead:
                self._first[column] = False
                self._newest[column] = reading
                continue
            if self._first[column]:
                # The value as it is now: perhaps the one that we had before the connection was lost.
                self._first[column] = False
                if reading.time <= self.known_until[column]:
                    continue
                if before is not None and reading.time <= before.time:
                    continue
                if before is None and reading.time in self._open.get(column, ()):
                    continue
            elif before is not None and reading.time == before.time and _same(reading, before):
                continue
            if before is None or reading.time >= before.time:
                self._newest[column] = reading
            since = self._open.get(column)
            if since is None:
                if reading.time > self.known_until[column]:
                    self.known_until[column] = reading.time
            else:
                since.append(reading.time)
            fresh.append(reading)
        return fresh

    def past(self, readings: Sequence[Reading]) -> list[Reading]:
        """Those of the readings from history that were not handed on before, each once."""
        fresh: list[Reading] = []
        seen: dict[int, set[int]] = {}
        for reading in readings:
            column = reading.column
            if reading.time <= self.known_until[column]:
                continue
            if column not in seen:
                seen[column] = set(self._open.get(column, ()))
            if reading.time not in seen[column]:
                seen[column].add(reading.time)
                fresh.append(reading)
        for reading in fresh:
            column = reading.column
            if column in self._open:
                self._open[column].append(reading.time)
            newest = self._newest[column]
            if newest is None or self._first[column] or reading.time > newest.time:
                self._ahead.setdefault(column, set()).add(reading.time)
        return fresh

    def close(self, columns: Iterable[int]) -> None:
        """The gaps of these items are filled, or cannot be."""
        for column in columns:
            since = self._open.pop(column, None)
            if since:
                self.known_until[column] = max(self.known_until[column], *since)


def _same(one: Reading, other: Reading) -> bool:
    values = one.value == other.value or (one.value != one.value and other.value != other.value)
    return values and one.quality == other.quality
