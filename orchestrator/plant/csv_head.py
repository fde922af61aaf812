"""What the first bytes of a file tell: its kind, and of a CSV encoding, separator and decimal mark."""

from __future__ import annotations

import csv
import io
import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import DataError

HEAD_BYTES = 1 << 18
SAMPLE_ROWS = 1000
WHITE_SPACE = " "
SEPARATORS = ",;\t|"
MOST_TITLE_LINES = 40
TABLE_SHARE = 0.9
"""Share of the rows below a header that have as many cells as it."""
NULLS = ("", "null", "NULL", "None", "NA", "N/A", "n/a", "#N/A", "<NA>", "-", "--", "?")
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# Groups of three digits, so that 1,234 is a thousand and 0,123 is not.
_GROUPS = r"^[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{3}})+$"
_COMMA_DECIMAL = re.compile(r"^[+-]?(\d{1,3}([. \u00a0\u202f']\d{3})+|\d*),\d+([eE][+-]?\d+)?$")
_POINT_DECIMAL = re.compile(r"^[+-]?(\d{1,3}([, \u00a0\u202f']\d{3})+|\d*)\.\d+([eE][+-]?\d+)?$")
_EITHER_COMMA, _EITHER_POINT = (re.compile(_GROUPS.format(mark=m)) for m in (",", r"\."))


def first_bytes(path: Path, shown: str) -> bytes:
    """What tells the kind of a file.

    Raises:
        DataError: it cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise DataError(
            f"the file cannot be read ({error.strerror})",
            where=shown,
            remedy="give the path of a CSV, Parquet or Excel file",
        ) from error
    if not magic:
        raise empty(shown)
    return magic


def empty(shown: str) -> DataError:
    """The error for a file without anything in it."""
    return DataError(
        "the file is empty",
        where=shown,
        remedy="give a file with a header, a time column and at least one row",
    )


def read_head(path: Path, shown: str) -> tuple[str, str]:
    """The first whole lines as text, and the encoding.

    Raises:
        DataError: the file cannot be read, or is not text.
    """
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            data = stream.read(HEAD_BYTES)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"the file cannot be read ({error})", where=shown) from error
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            # The last line may be cut, in the middle of a character even.
            text = data.decode(encoding, errors="ignore" if wide else "strict")
        except UnicodeDecodeError:
            if encoding == "utf-8-sig" and len(data) == HEAD_BYTES:
                cut = data[: data.rfind(b"\n") + 1]
                try:
                    return cut.decode(encoding), "utf-8"
                except UnicodeDecodeError:
                    pass
            continue
        if len(data) == HEAD_BYTES:
            text = text[: text.rfind("\n") + 1] or text
        if "\0" in text:
            break
        # pyarrow skips a byte order mark itself.
        return text, "utf-8" if encoding == "utf-8-sig" else encoding
    raise DataError("this is not a text file", where=shown, remedy="give CSV, Parquet or Excel")


def head_rows(head: str, delimiter: str) -> list[list[str]]:
    """The rows of the head that are not blank."""
    if delimiter == WHITE_SPACE:
        rows: Iterator[list[str]] = (line.split() for line in head.splitlines())
    else:
        rows = csv.reader(io.StringIO(head), delimiter=delimiter)
    return [row for row in itertools.islice(rows, SAMPLE_ROWS + 2) if row]


def physical_lines(text: str) -> list[str]:
    """Lines with their ends, as a CSV reader counts them: a form feed in a title ends none."""
    return io.StringIO(text, newline="").readlines()


def title_lines(head: str, separators: str = SEPARATORS) -> int:
    """How many lines stand above the header: a report's title, with fewer cells than the table has.

    0 where the file may begin with its header, or where what would be the header holds a number.
    """
    lines = physical_lines(head)[:SAMPLE_ROWS]
    found = 0
    for separator in separators:
        widths = [len(next(csv.reader([line], delimiter=separator), [])) for line in lines]
        usual = statistics.mode(widths[-(len(widths) // 2) - 1 :]) if widths else 0
        if usual < 2:
            continue
        first = widths.index(usual)
        below = [width for width in widths[first:] if width]
        alike = below.count(usual) >= TABLE_SHARE * len(below) and len(below) > 1
        above = [width for width in widths[:first] if width]
        if not alike or first > MOST_TITLE_LINES or max(above, default=0) > usual:
            continue
        if not above:
            return 0
        header = next(csv.reader([lines[first]], delimiter=separator))
        if not any(re.match(NUMBER, cell.strip().replace(",", ".")) for cell in header):
            found = found or first
    return found


def delimiter_of(head: str) -> str:
    """The separator with which most of the first lines have as many cells as the header."""
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    best, most = ",", 0
    for candidate in SEPARATORS:
        counts = [len(row) for row in csv.reader(lines, delimiter=candidate) if row]
        if counts and counts[0] > 1:
            score = counts[0] * sum(count == counts[0] for count in counts)
            if score > most:
                best, most = candidate, score
    if not most:
        widths = [len(line.split()) for line in lines]
        if len(widths) > 1 and widths[0] > 1 and widths.count(widths[0]) > len(widths) // 2:
            return WHITE_SPACE
    return best


def decimal_of(body: Sequence[Sequence[str]]) -> tuple[str, str | None]:
    """The decimal mark, and a cell that could be read either way where no other tells."""
    commas = points = 0
    either: str | None = None
    for cell in (cell.strip() for row in body for cell in row):
        if _EITHER_COMMA.match(cell) or _EITHER_POINT.match(cell):
            # 1,234 alone does not say; nor does 1.234, which is a decimal point unless commas are.
            either = either or (cell if "," in cell else None)
        elif _COMMA_DECIMAL.match(cell):
            commas += 1
        elif _POINT_DECIMAL.match(cell):
            points += 1
    if commas or points:
        return ("," if commas > points else "."), None
    return (",", either) if either else (".", None)


class Respaced:
    """A binary file whose cells stand between white space, as one with tabs."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """About ``size`` bytes of whole lines."""
        while True:
            data = bytes(self._stream.read(max(size, 1 << 16)))
            if not data:
                data, self._rest = self._rest, b""
                return b"\t".join(data.split())
            whole, _, self._rest = (self._rest + data).rpartition(b"\n")
            lines = [b"\t".join(line.split()) for line in whole.split(b"\n")]
            if any(lines):
                return b"\n".join(line for line in lines if line) + b"\n"

    def close(self) -> None:
        """Close what is beneath."""
        self.closed = True
