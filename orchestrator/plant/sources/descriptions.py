"""Descriptions and units of tags from a companion CSV (a tag list, a legend)."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import DataError

MAX_BYTES = 16_000_000
_TEXT = re.compile(r"desc|name|label|title", re.IGNORECASE)
_UNIT = re.compile(r"^(units?|uom|eu|eng.*units?)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Description:
    """What a companion file says about one tag."""

    text: str = ""
    unit: str = ""


def read_descriptions(path: Path, tags: Collection[str]) -> dict[str, Description]:
    """Descriptions by tag; the column of names is the one that names most of ``tags``.

    Raises:
        DataError: the file cannot be read, or names none of the tags.
    """
    rows = _rows(path)
    wanted = set(tags)
    header = list(rows[0]) if rows else []
    hits = {key: sum(row[key].strip() in wanted for row in rows) for key in header}
    names = max(header, key=lambda key: hits[key], default="")
    if not hits.get(names):
        raise DataError(
            "the file describes none of the tags",
            where=str(path),
            remedy="give a CSV with a column of tag names, and columns 'description' and 'unit'",
        )
    others = [key for key in header if key != names]
    unit = next((key for key in others if _UNIT.match(key)), None)
    text = next((key for key in others if key != unit and _TEXT.search(key)), None)
    return {
        row[names].strip(): Description(
            text=row[text].strip() if text else "", unit=row[unit].strip() if unit else ""
        )
        for row in rows
        if row[names].strip() in wanted
    }


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"the file is larger than {MAX_BYTES} bytes", where=str(path))
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the descriptions cannot be read ({error})", where=str(path)) from error
    lines = content.splitlines()
    first = lines[0] if lines else ""
    delimiter = max(",;\t", key=first.count)
    found = csv.DictReader(lines, delimiter=delimiter)
    return [{key: value or "" for key, value in row.items() if isinstance(key, str)} for row in found]  # fmt: skip
