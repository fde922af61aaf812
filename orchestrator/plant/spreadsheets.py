"""Excel and OpenDocument workbooks, written as CSV so that one reader reads all."""

from __future__ import annotations

import csv
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestrator.errors import DataError

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class StagedCsv:
    """A CSV file in a folder of its own, which goes when this object does."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="dan-g-table-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = Path(folder) / "table.csv"

    def write(self, header: Sequence[object], rows: Iterable[Sequence[object]]) -> int:
        """Write the rows; how many there were. Times are written in ISO 8601, absent values as nothing."""
        count = 0
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([cell_text(cell) for cell in header])
            for row in rows:
                writer.writerow([cell_text(cell) for cell in row])
                count += 1
        return count


def cell_text(cell: object) -> str:
    """A cell as CSV holds it, on one line."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return repr(cell.total_seconds())
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, Decimal):
        return format(cell, "f")
    return " ".join(str(cell).splitlines())


def is_spreadsheet(magic: bytes) -> bool:
    """Whether a file begins like a workbook: a ZIP archive, or the older binary form."""
    return magic.startswith((_ZIP, _OLE))


def as_csv(path: Path, sheet: str | None, shown: str) -> StagedCsv:
    """One sheet of a workbook as CSV; the first that holds anything unless one is named.

    Rows and columns that are empty above and left of the table are dropped.

    Raises:
        DataError: the file is no workbook, the sheet is not there or empty, or the reader of
            workbooks is not installed.
    """
    try:
        import python_calamine
    except ImportError:
        raise DataError(
            "this is a workbook or an archive, and workbooks cannot be read here",
            where=shown,
            remedy='install the extra with: pip install "dan-g-orchestrator[excel]", or save it as CSV '
            "or Parquet",
        ) from None
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as workbook:
            rows = _sheet(workbook, sheet, shown)
    except (python_calamine.CalamineError, OSError) as error:
        raise DataError(
            f"this is no workbook that can be read ({str(error).splitlines()[0]})",
            where=shown,
            remedy="give .xlsx, .xlsm, .xlsb, .xls or .ods without a password, or save it as CSV",
        ) from error
    staged = StagedCsv()
    width = max(len(row) for row in rows)
    staged.write(rows[0], ([*row, *[None] * (width - len(row))] for row in rows[1:]))
    return staged


def _sheet(workbook: Any, sheet: str | None, shown: str) -> list[list[Any]]:
    names: list[str] = workbook.sheet_names
    if sheet is not None and sheet not in names:
        raise DataError(
            f"there is no sheet {sheet!r}",
            where=shown,
            remedy=f"the sheets are {', '.join(map(repr, names))}",
        )
    for name in [sheet] if sheet is not None else names:
        rows: list[list[Any]] = workbook.get_sheet_by_name(name).to_python()
        if len(rows) > 1:
            return rows
    raise DataError(
        f"sheet {sheet!r} holds no table" if sheet else "no sheet holds a table",
        where=shown,
        remedy="give a sheet with a header, a time column and at least one row",
    )
