"""What a reader left out of a file: counted by reason and column, the first few shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

SHOWN = 3
SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Example:
    """One cell or row that was not taken: its line in the file, from 1, and its text."""

    row: int
    text: str


@dataclass(slots=True)
class Reject:
    """All that was not taken of one column (or of whole rows, without one) for one reason."""

    reason: str
    column: str | None
    whole_rows: bool
    count: int = 0
    examples: list[Example] = field(default_factory=list)


class Rejects:
    """Tally of what was not taken, in the order in which reasons came up."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], Reject] = {}

    def add(
        self,
        reason: str,
        examples: Iterable[tuple[int, object]],
        *,
        column: str | None = None,
        count: int = 1,
        whole_rows: bool = False,
    ) -> None:
        """Count ``count`` of one kind; of the examples, as ``(row, cell)``, the first few are kept."""
        item = self._found.setdefault(
            (reason, column), Reject(reason, column, whole_rows=whole_rows)
        )
        item.count += count
        for row, cell in examples:
            if len(item.examples) >= SHOWN:
                break
            text = "" if cell is None else str(cell)
            shown = text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"
            item.examples.append(Example(row, shown))

    def __iter__(self) -> Iterator[Reject]:
        return iter(sorted(self._found.values(), key=lambda item: -item.count))

    @property
    def rows(self) -> int:
        """Rows that were left out altogether."""
        return sum(item.count for item in self._found.values() if item.whole_rows)

    @property
    def total(self) -> int:
        """Rows and cells together."""
        return sum(item.count for item in self._found.values())

    def largest(self) -> Reject | None:
        """The commonest reason."""
        return max(self._found.values(), key=lambda item: item.count, default=None)

    def without(self, columns: Iterable[str]) -> Rejects:
        """The same, less the cells of these columns."""
        gone = set(columns)
        kept = Rejects()
        kept._found = {key: item for key, item in self._found.items() if key[1] not in gone}
        return kept
