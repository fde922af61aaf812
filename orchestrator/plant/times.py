"""Which texts are times, and turning a column of them into ``datetime64[us]`` in UTC.

A time without an offset is UTC. ISO 8601 in all usual spellings, and the common spellings of
historian exports (``01-Jan-24 13:05:00.5``, ``31/12/2024 1:05 PM``) are read. Whether ``03/04`` is in
April or in March is found from the data, never assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DATES = ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y",
          "%d %b %Y", "%d-%b-%y")  # fmt: skip
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_FRACTION = r"^(?P<whole>.*?)(?P<fraction>\.\d{1,9})?$"
_EPOCH_UNITS = (("s", 1e8, 1e11), ("ms", 1e11, 1e14), ("us", 1e14, 1e17), ("ns", 1e17, 1e20))
_YEARS = (1900, 2200)
ROW_NUMBER = "row number"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """One way of writing times.

    Attributes:
        pattern: ``iso``, ``iso with offset``, ``epoch s|ms|us|ns``, ``native`` for a file's own time
            type, ``row number`` where there is none, or a ``strptime`` pattern.
    """

    pattern: str

    @property
    def day_first(self) -> bool | None:
        """Whether the day stands before the month in digits; None where that is no question."""
        day, month = self.pattern.find("%d"), self.pattern.find("%m")
        return None if day < 0 or month < 0 or self.pattern.startswith("%Y") else day < month

    def absolute(self, column: Any) -> bool:
        """Whether the texts say by themselves how far they are from UTC."""
        if self.pattern == "native":
            return getattr(column.type, "tz", None) is not None
        return self.pattern.startswith(("epoch", ROW_NUMBER)) or self.pattern.endswith(
            ("offset", "UTC")
        )

    def parse(self, column: Any) -> NDArray[np.int64]:
        """Microseconds since 1970 in UTC of a pyarrow array without nulls, shape ``(n,)``.

        Raises:
            ValueError: a text does not fit; pyarrow's words name it.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as compute

        if self.pattern == "native":
            parsed = column.cast(pa.timestamp("us"), safe=False) if _is_date(column) else column
            microseconds = parsed.cast(pa.timestamp("us", parsed.type.tz), safe=False)
        elif self.pattern.startswith("epoch"):
            return self._from_epoch(column)
        elif self.pattern.startswith("iso"):
            zone = "UTC" if self.pattern.endswith("offset") else None
            microseconds = _iso(column, zone)
        else:
            microseconds = self._from_pattern(column)
        numbers: NDArray[np.int64] = microseconds.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if len(numbers):
            bounds = compute.year(microseconds)
            low, high = compute.min(bounds).as_py(), compute.max(bounds).as_py()
            if low < _YEARS[0] or high > _YEARS[1]:
                raise ValueError(f"year {low if low < _YEARS[0] else high} is out of range")
        return numbers.astype(np.int64, copy=False)

    def _from_epoch(self, column: Any) -> NDArray[np.int64]:
        import numpy as np
        import pyarrow as pa

        factor = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[self.pattern.split()[1]]
        numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if not np.isfinite(numbers).all():
            raise ValueError("a time is not a finite number")
        microseconds: NDArray[np.int64] = np.rint(numbers * factor).astype(np.int64)
        return microseconds

    def _from_pattern(self, column: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as compute

        if not self.pattern.endswith("%S"):  # only seconds have fractions, and strptime reads none
            return compute.strptime(column, format=self.pattern, unit="us")
        parts = compute.extract_regex(column, _FRACTION)
        whole = compute.strptime(
            compute.struct_field(parts, "whole"), format=self.pattern, unit="us"
        )
        text = compute.binary_join_element_wise("0", compute.struct_field(parts, "fraction"), "")
        micros = compute.cast(
            compute.round(compute.multiply(compute.cast(text, pa.float64()), 1e6)), pa.int64()
        )
        return compute.add(whole, compute.cast(micros, pa.duration("us")))


def detect_formats(column: Any, *, named: bool) -> list[TimeFormat]:
    """The formats that fit every text of a sample, most likely first; empty if it holds no times.

    Args:
        column: pyarrow array, a sample of the column.
        named: Whether the user named this column as the time, so that numbers may be epoch times.
    """
    import pyarrow as pa

    column = column.drop_null()
    if len(column) == 0:
        return []
    if pa.types.is_timestamp(column.type) or _is_date(column):
        return [TimeFormat("native")]
    if _is_numeric(column):
        return _epoch(column) if named else []
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return []
    candidates = ["iso with offset", "iso", "%Y-%m-%d %H:%M:%S UTC"]
    for date in _DATES:
        candidates += [date, *(f"{date} {clock}" for clock in _CLOCKS)]
    return [TimeFormat(pattern) for pattern in candidates if _fits(TimeFormat(pattern), column)]


def _fits(time_format: TimeFormat, column: Any) -> bool:
    import pyarrow as pa

    try:
        time_format.parse(column)
    except (ValueError, pa.ArrowException):
        return False
    return True


def _is_date(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_date(column.type))


def _is_numeric(column: Any) -> bool:
    import pyarrow as pa

    try:
        column.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _epoch(column: Any) -> list[TimeFormat]:
    import pyarrow as pa
    import pyarrow.compute as compute

    numbers = column.cast(pa.float64())
    low, high = compute.min(numbers).as_py(), compute.max(numbers).as_py()
    return [
        TimeFormat(f"epoch {unit}")
        for unit, least, most in _EPOCH_UNITS
        if least <= low <= high < most
    ]


def _iso(column: Any, zone: str | None) -> Any:
    import pyarrow as pa

    for unit in ("us", "ns"):
        try:
            return column.cast(pa.timestamp(unit, zone)).cast(pa.timestamp("us", zone), safe=False)
        except pa.ArrowInvalid:
            if unit == "ns":
                raise
    raise AssertionError("unreachable")


def ambiguous(path: str, column: str, formats: list[TimeFormat]) -> DataError:
    """The error for times that can be read in more than one way."""
    readings = " or ".join(item.pattern for item in formats)
    return DataError(
        f"the times can be read as {readings}, and nothing in the file says which",
        where=f"{path}, column {column!r}",
        why="a month taken for a day would misplace every sample",
        remedy="write the times as ISO 8601, for example 2024-12-31T13:05:00Z, or load the file with "
        "etl.ingest and say which with day_first: true or false",
    )
