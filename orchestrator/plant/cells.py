"""Cells of a file as values with quality: one column of a wide file, or the rows of a long one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError
from orchestrator.plant.layout import NUMBER, LongColumns
from orchestrator.plant.pivot import LongRows
from orchestrator.plant.samples import Quality

_QUALITY_WORDS = {
    "good": Quality.GOOD, "ok": Quality.GOOD, "g": Quality.GOOD, "valid": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN, "questionable": Quality.UNCERTAIN, "u": Quality.UNCERTAIN,
    "substituted": Quality.UNCERTAIN,
    "bad": Quality.BAD, "b": Quality.BAD, "invalid": Quality.BAD, "none": Quality.NONE,
}  # fmt: skip
# Least code of OPC Classic for each quality; larger than any code of our own.
_OPC_GOOD, _OPC_UNCERTAIN = 192, 64


def column_values(column: Any, decimal: str = ".") -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Values and :class:`Quality` codes of a pyarrow array of any type, shape ``(n,)`` each."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    quality = np.zeros(len(column), dtype=np.uint8)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        numbers = _parsed(column, decimal)
    elif pa.types.is_boolean(kind):
        numbers = column.cast(pa.int8()).cast(pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False)
    else:
        numbers = pa.nulls(len(column), pa.float64())
    # NumPy gives NaN for null.
    values = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        values[~finite] = np.nan
        quality[~finite] = Quality.BAD
        if column.null_count:
            quality[column.is_null().to_numpy(zero_copy_only=False)] = Quality.NONE
    return values, quality


def _parsed(column: Any, decimal: str) -> Any:
    """Texts as numbers; null where a text is none."""
    import pyarrow as pa
    import pyarrow.compute as compute

    text = compute.utf8_trim_whitespace(column)
    if decimal != ".":
        text = compute.replace_substring(text, decimal, ".")
    numeric = compute.match_substring_regex(text, NUMBER)
    text = compute.utf8_ltrim(text, "+")
    return compute.if_else(numeric, text, pa.scalar(None, text.type)).cast(pa.float64())


class Cells:
    """What is learnt about a long file while it is read: its tags, their units, its quality codes.

    Attributes:
        tags: Tags in order of first appearance.
        codes: Position of each tag.
        units: Unit of each tag.
    """

    def __init__(self, path: str, long: LongColumns | None, decimal: str) -> None:
        self.path = path
        self.long = long
        self.decimal = decimal
        self.clear()

    def clear(self) -> None:
        """Forget what an unfinished pass has found."""
        self.tags: list[str] = []
        self.codes: dict[str, int] = {}
        self.units: dict[str, str] = {}

    def code(self, tag: str) -> int:
        """Code of ``tag``, given on first sight."""
        if tag not in self.codes:
            self.codes[tag] = len(self.tags)
            self.tags.append(tag)
        return self.codes[tag]

    def learn_unit(self, tag: str, unit: str, row: int) -> None:
        """Keep the unit of ``tag``; a second one is an error."""
        known = self.units.setdefault(tag, unit)
        if known != unit:
            raise DataError(
                f"tag {tag!r} is given in {known!r} and later in {unit!r}",
                where=f"{self.path}, about line {row}",
                why="one series cannot mix two units",
                remedy="write the tag in one unit",
            )


def long_rows(cells: Cells, times: NDArray[np.int64], batch: Any, *, first_row: int) -> LongRows:
    """The rows of a batch of a long file, coded by tag.

    Raises:
        DataError: a row without a tag, two units of one tag, or an unknown quality word.
    """
    long = cells.long
    if long is None:
        raise ValueError("the file is not long")
    indices, names = _categories(batch.column(long.tag))
    if (indices < 0).any():
        row = first_row + int(np.argmax(indices < 0))
        raise DataError("there is no tag", where=f"{cells.path}, line {row}")
    used = np.unique(indices)
    codes_of = np.zeros(len(names), dtype=np.int32)
    codes_of[used] = [cells.code(names[i].strip()) for i in used]
    codes = codes_of[indices]
    values, quality = column_values(batch.column(long.value), cells.decimal)
    quality[quality == Quality.NONE] = Quality.BAD  # a row is a sample, if a bad one
    if long.quality:
        stated = _stated_quality(cells.path, batch.column(long.quality))
        quality = np.maximum(quality, stated)
        values[quality >= Quality.BAD] = np.nan
    if long.unit:
        _learn_units(cells, indices, names, batch.column(long.unit), first_row)
    return LongRows(times, codes, values, quality)


def _categories(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """Index into the distinct texts for each row (-1 for null), and the distinct texts."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    indices = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return indices, [str(name) for name in column.dictionary.to_pylist()]


def _stated_quality(path: str, column: Any) -> NDArray[np.uint8]:
    indices, texts = _categories(column)
    codes = np.array(
        [_quality_code(path, text) for text in texts] or [Quality.GOOD], dtype=np.uint8
    )
    return np.where(indices < 0, np.uint8(Quality.GOOD), codes[indices]).astype(np.uint8)


def _quality_code(path: str, text: str) -> Quality:
    """Quality of a word, of an OPC Classic code (64 and more), or of our own code (0 to 3)."""
    plain = text.strip().casefold()
    if plain in _QUALITY_WORDS:
        return _QUALITY_WORDS[plain]
    try:
        number = int(float(plain))
    except ValueError:
        number = -1
    if number < 0:
        raise DataError(
            f"quality {text!r} is not known",
            where=path,
            remedy="write good, uncertain or bad, an OPC code (192 good, 64 uncertain), or 0 to 3",
        )
    if number >= _OPC_UNCERTAIN:
        return Quality.GOOD if number >= _OPC_GOOD else Quality.UNCERTAIN
    return Quality(number) if number <= Quality.NONE else Quality.BAD


def _learn_units(
    cells: Cells, indices: NDArray[np.int64], names: list[str], column: Any, first_row: int
) -> None:
    unit_indices, units = _categories(column)
    given = unit_indices >= 0
    pairs = np.unique(indices[given] * max(1, len(units)) + unit_indices[given])
    for pair in pairs.tolist():
        tag, unit = divmod(pair, max(1, len(units)))
        if units[unit].strip():
            cells.learn_unit(names[tag].strip(), units[unit].strip(), first_row)
