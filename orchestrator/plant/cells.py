"""Cells of a file as values with quality: one column of a wide file, or the rows of a long one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError
from orchestrator.plant.csv_head import NUMBER
from orchestrator.plant.layout import LongColumns
from orchestrator.plant.pivot import LongRows
from orchestrator.plant.rejects import Rejects
from orchestrator.plant.samples import Quality

_QUALITY_WORDS = {
    "good": Quality.GOOD, "ok": Quality.GOOD, "g": Quality.GOOD, "valid": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN, "questionable": Quality.UNCERTAIN, "u": Quality.UNCERTAIN,
    "substituted": Quality.UNCERTAIN, "suspect": Quality.UNCERTAIN, "doubtful": Quality.UNCERTAIN,
    "bad": Quality.BAD, "b": Quality.BAD, "invalid": Quality.BAD, "none": Quality.NONE,
}  # fmt: skip
# OPC Classic: the two high bits of the low byte; OPC UA: those of a 32-bit status code.
_OPC_GOOD, _OPC_UNCERTAIN, _OPC_MOST = 192, 64, 255
_UA_UNCERTAIN, _UA_BAD = 0x40000000, 0x80000000
# What historians write in place of a value that they have no good one for.
_STATE_WORDS = re.compile(
    r"bad( input| quality| data)?|no[ _-]?data|i/?o[ _-]?time[ -]?out|time[ -]?out|not connected|"
    r"comm(unication)?[ _-]?(fail(ure)?|error)|(sensor|device|configuration) fail(ure|ed)?|"
    r"calc(ulation)? failed|pt created|shutdown|scan (off|timeout)|under range|over range|out of serv(ice)?|"
    r"over ?flow|under ?flow|fail(ed|ure)?|error|offline|not available|unavailable|arc off-?line|intf shut|"
    r"#(value|ref|div/0|n/a|name|num)[!?]?",
    re.IGNORECASE,
)
_GROUPED = {
    ".": (r"^[+-]?\d{1,3}([, \x{00a0}\x{202f}'\x{2019}]\d{3})+(\.\d+)?$", r"[, \x{00a0}\x{202f}'\x{2019}]"),
    ",": (r"^[+-]?\d{1,3}([. \x{00a0}\x{202f}'\x{2019}]\d{3})+(,\d+)?$", r"[. \x{00a0}\x{202f}'\x{2019}]"),
}  # fmt: skip


NOT_A_NUMBER = "not a number"


class OpcCodesError(Exception):
    """Small quality codes were taken for our own, and turn out to be those of OPC."""


INFINITE = ("inf", "infinity", "1.#inf")


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
    grouped, marks = _GROUPED[decimal]
    is_grouped = compute.match_substring_regex(text, grouped)
    if compute.any(is_grouped).as_py():
        text = compute.if_else(is_grouped, compute.replace_substring_regex(text, marks, ""), text)
    if decimal != ".":
        # A point is then no decimal mark: 1.5 is no number here, rather than one and a half.
        plain = compute.invert(compute.match_substring(text, "."))
        text = compute.if_else(plain, text, pa.scalar(None, text.type))
        text = compute.replace_substring(text, decimal, ".")
    text = compute.replace_substring(text, "\u2212", "-")
    numeric = compute.match_substring_regex(text, NUMBER)
    text = compute.utf8_ltrim(text, "+")
    return compute.if_else(numeric, text, pa.scalar(None, text.type)).cast(pa.float64())


def reject_cells(
    rejects: Rejects,
    column: Any,
    bad: NDArray[np.bool_],
    names: Sequence[str],
    codes: NDArray[np.int32],
    line: Callable[[int], int],
) -> None:
    """Count the cells of a column that are filled and no number.

    Args:
        rejects: Where to count them.
        column: pyarrow array of the cells.
        bad: Which of them are at fault.
        names, codes: Names of columns or tags, and the position among them of each cell's.
        line: Gives the line of a row in the file.
    """
    import pyarrow as pa

    rows = np.flatnonzero(bad)
    if not len(rows):
        return
    texts = column.take(pa.array(rows)).cast(pa.string()).fill_null("").dictionary_encode()
    kinds = texts.dictionary.to_pylist()
    pairs = codes[rows].astype(np.int64) * len(kinds) + texts.indices.to_numpy()
    for pair, first, count in zip(
        *np.unique(pairs, return_index=True, return_counts=True), strict=True
    ):
        code, kind = divmod(int(pair), len(kinds))
        row = int(rows[first])
        rejects.add(
            _why(kinds[kind]), [(line(row), kinds[kind])], column=names[code], count=int(count)
        )


def words_in(column: Any, bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the ``bad`` cells hold a text that stands for no measurement, such as a name or a grade.

    The words with which historians say that a value is missing, and NaN, do.
    """
    import pyarrow as pa

    found = np.zeros(len(bad), dtype=np.bool_)
    rows = np.flatnonzero(bad)
    kind = column.type
    if not len(rows) or pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return found
    texts = column.take(pa.array(rows)).cast(pa.string()).fill_null("").dictionary_encode()
    is_word = np.array([_why(text) == NOT_A_NUMBER for text in texts.dictionary.to_pylist()])
    found[rows] = is_word[texts.indices.to_numpy()]
    return found


def infinite_in(column: Any, bad: NDArray[np.bool_]) -> int:
    """How many of the ``bad`` cells are infinite."""
    import pyarrow as pa

    rows = np.flatnonzero(bad)
    if not len(rows) or pa.types.is_integer(column.type):
        return 0
    cells = column.take(pa.array(rows))
    if pa.types.is_floating(cells.type):
        return int(np.isinf(cells.to_numpy(zero_copy_only=False)).sum())
    texts = cells.cast(pa.string()).fill_null("").to_pylist()
    return sum(text.strip().casefold().lstrip("+-") in INFINITE for text in texts)


def _why(text: str) -> str:
    plain = text.strip()
    if _STATE_WORDS.fullmatch(plain):
        return f"no good value, the source says {plain!r}"
    if plain.casefold().lstrip("+-") in ("nan", "1.#qnan", *INFINITE):
        return "not a finite number"
    return NOT_A_NUMBER


class Cells:
    """What is learnt about a long file while it is read: its tags, their units, its quality codes.

    Attributes:
        tags: Tags in order of first appearance.
        codes: Position of each tag.
        units: Unit of each tag.
        opc: Whether quality codes are those of OPC Classic, where 0 is bad.
        numbers, words: Of the last batch, values by tag that are numbers (whatever their quality), and
            texts that stand for no measurement.
        rejects: Where to count what cannot be used, instead of raising; None to raise.
    """

    def __init__(self, path: str, long: LongColumns | None, decimal: str) -> None:
        self.path = path
        self.long = long
        self.decimal = decimal
        self.opc = False
        self.rejects: Rejects | None = None
        self.numbers = self.words = np.zeros(0, dtype=np.int64)
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


def long_rows(
    cells: Cells, times: NDArray[np.int64], batch: Any, *, line: Callable[[int], int]
) -> LongRows:
    """The rows of a batch of a long file, coded by tag; ``line`` gives a row's line in the file.

    Raises:
        DataError: a row without a tag, two units of one tag, or an unknown quality word.
        OpcCodesError: the codes of earlier rows have to be read anew.
    """
    long = cells.long
    if long is None:
        raise ValueError("the file is not long")
    indices, names = _categories(batch.column(long.tag))
    lost = indices < 0
    if lost.any():
        rows = np.flatnonzero(lost)
        if cells.rejects is None:
            raise DataError(
                "there is no tag", where=f"{cells.path}, line {line(int(rows[0]))}",
                remedy="name the tag in every row",
            )  # fmt: skip
        shown = batch.column(long.value)
        cells.rejects.add(
            "the row names no tag", [(line(int(r)), shown[int(r)].as_py()) for r in rows[:3]],
            count=len(rows), whole_rows=True,
        )  # fmt: skip
        kept = np.flatnonzero(~lost)
        batch, times, indices = batch.take(kept), times[kept], indices[kept]
        inner = line
        line = lambda row: inner(int(kept[row]))  # noqa: E731
    used = np.unique(indices)
    codes_of = np.zeros(len(names), dtype=np.int32)
    codes_of[used] = [cells.code(names[i].strip()) for i in used]
    codes = codes_of[indices]
    values, quality = column_values(batch.column(long.value), cells.decimal)
    known = len(cells.tags)
    cells.numbers = np.bincount(codes[quality == Quality.GOOD], minlength=known)
    words = words_in(batch.column(long.value), quality == Quality.BAD)
    cells.words = np.bincount(codes[words], minlength=known)
    if cells.rejects is not None:
        reject_cells(
            cells.rejects,
            batch.column(long.value),
            quality == Quality.BAD,
            cells.tags,
            codes,
            line,
        )
    quality[quality == Quality.NONE] = Quality.BAD  # a row is a sample, if a bad one
    if long.quality:
        stated = _stated_quality(cells, batch.column(long.quality), line)
        if cells.rejects is not None:
            _reject_stated(cells, batch, codes, (stated >= Quality.BAD) & np.isfinite(values), line)
        quality = np.maximum(quality, stated)
        values[quality >= Quality.BAD] = np.nan
    if long.unit:
        _learn_units(cells, indices, names, batch.column(long.unit), line)
    return LongRows(times, codes, values, quality)


def _reject_stated(
    cells: Cells,
    batch: Any,
    codes: NDArray[np.int32],
    bad: NDArray[np.bool_],
    line: Callable[[int], int],
) -> None:
    """Count values that are numbers and that the source itself calls bad."""
    if cells.rejects is None or cells.long is None:
        return
    values = batch.column(cells.long.value)
    for code in np.unique(codes[bad]).tolist():
        rows = np.flatnonzero(bad & (codes == code))
        cells.rejects.add(
            "the quality is bad", [(line(int(r)), values[int(r)].as_py()) for r in rows[:3]],
            column=cells.tags[code], count=len(rows),
        )  # fmt: skip


def _categories(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """Index into the distinct texts for each row (-1 for null), and the distinct texts."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    indices = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return indices, [str(name) for name in column.dictionary.to_pylist()]


def _stated_quality(cells: Cells, column: Any, line: Callable[[int], int]) -> NDArray[np.uint8]:
    indices, texts = _categories(column)
    used = set(np.unique(indices).tolist())
    numbers = [_code(text) for i, text in enumerate(texts) if i in used]
    if not cells.opc and any(_OPC_UNCERTAIN <= n <= _OPC_MOST for n in numbers):
        cells.opc = True
        raise OpcCodesError
    codes = np.array([Quality.GOOD] * max(1, len(texts)), dtype=np.uint8)
    for i in used - {-1}:
        found = _quality_code(texts[i], opc=cells.opc)
        if found is None:
            row = int(np.argmax(indices == i))
            if cells.rejects is None:
                raise DataError(
                    f"quality {texts[i]!r} is not known",
                    where=f"{cells.path}, line {line(row)}",
                    remedy="write good, uncertain or bad, an OPC code (192 good, 64 uncertain, 0 bad), "
                    "or 0 to 3",
                )
            cells.rejects.add(
                "the quality is not known, so the value is not used",
                [(line(row), texts[i])],
                count=int((indices == i).sum()),
                column=cells.long.quality if cells.long else None,
            )
            found = Quality.BAD
        codes[i] = found
    return np.where(indices < 0, np.uint8(Quality.GOOD), codes[indices]).astype(np.uint8)


def _code(text: str) -> int:
    """A quality code as a number; -1 for a word."""
    plain = text.strip().casefold()
    try:
        return int(plain, 16) if plain.startswith("0x") else int(float(plain))
    except (ValueError, OverflowError):
        return -1


def _quality_code(text: str, *, opc: bool) -> Quality | None:
    """Quality of a word or code; None where it is not known.

    Codes are ours (0 good to 3 none), or where the file holds any from 64 to 255 those of OPC
    Classic, of which 192 and more are good, 64 and more uncertain and the rest bad (0 too). A larger
    one is a status code of OPC UA, whose two high bits tell.
    """
    plain = text.strip().casefold()
    if plain in _QUALITY_WORDS:
        return _QUALITY_WORDS[plain]
    number = _code(text)
    if number < 0:
        return Quality.BAD if _STATE_WORDS.fullmatch(plain) else None
    if number > _OPC_MOST:
        severe = number & (_UA_BAD | _UA_UNCERTAIN)
        if not severe:
            return Quality.GOOD
        return Quality.UNCERTAIN if severe == _UA_UNCERTAIN else Quality.BAD
    if opc:
        if number >= _OPC_GOOD:
            return Quality.GOOD
        return Quality.UNCERTAIN if number >= _OPC_UNCERTAIN else Quality.BAD
    return Quality(number) if number <= Quality.NONE else Quality.BAD


def _learn_units(
    cells: Cells,
    indices: NDArray[np.int64],
    names: list[str],
    column: Any,
    line: Callable[[int], int],
) -> None:
    unit_indices, units = _categories(column)
    given = unit_indices >= 0
    pairs = np.unique(indices[given] * max(1, len(units)) + unit_indices[given])
    for pair in pairs.tolist():
        tag, unit = divmod(pair, max(1, len(units)))
        if units[unit].strip():
            cells.learn_unit(names[tag].strip(), units[unit].strip(), line(0))
