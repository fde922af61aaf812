"""The mapping file: which columns of which files are which series.

A file that the Federal Reserve's FRED gives (``observation_date,DCOILWTICO``, or ``DATE,VALUE``, with ``.``
where there is no value) needs no more than its path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from orchestrator.errors import ConfigurationError
from orchestrator.modules.analysis.options import StoredSeries, validated
from orchestrator.yaml_files import read_yaml

REMEDY = "see the mapping file in docs/market-data.md"


class MappedSeries(StoredSeries):
    """A column, or an identifier of a long file, and the series that it is."""

    series: str | None = Field(default=None, min_length=1)
    """Name under which it is kept; that of the column when null."""
    scale: float = Field(default=1.0, allow_inf_nan=False)
    """Factor on the values; ``unit`` is that of the product."""


class FileMapping(BaseModel):
    """How to read one file, or all that match a pattern."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1)
    """Path or pattern (``prices/*.csv.gz``); relative to the mapping file."""
    layout: Literal["wide", "long"] = "wide"
    """One column a series, or one row a value."""
    time: str | None = None
    """Column of the dates; null for a file as FRED gives it."""
    date_format: str | None = None
    """As for ``strptime``, such as ``%d/%m/%Y``; null for ISO 8601."""
    separator: str = Field(default=",", min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("", ".", "NA", "N/A", "NaN", "nan", "null", "-")
    """Texts that stand for no value."""
    columns: dict[str, MappedSeries] = Field(default_factory=dict)
    """Series by column; in a long file by the identifier in ``series_column``."""
    series_column: str | None = None
    value_column: str | None = None
    known_at: Literal["now", "file"] | AwareDatetime = "now"
    """When its values became known: when they are read, when the file was written, or a time."""
    publication_lag_days: float | None = Field(default=None, ge=0, le=3660)
    """For all its series that do not say their own."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.layout == "long" and not (self.series_column and self.value_column and self.time):
            raise ValueError("a long file needs time, series_column and value_column")
        if self.layout == "wide" and (self.series_column or self.value_column):
            raise ValueError("series_column and value_column belong to layout: long")
        if self.decimal == self.separator:
            raise ValueError(f"separator and decimal are both {self.decimal!r}")
        if self.columns and self.time is None:
            raise ValueError("time must name the column of the dates where columns are given")
        if self.layout == "wide" and self.time is not None and not self.columns:
            raise ValueError("columns must name at least one series")
        return self

    def named(self, column: str) -> MappedSeries:
        """What a column is; itself where the file does not list its columns."""
        found = self.columns.get(column) or MappedSeries()
        lag = found.publication_lag_days
        return found.model_copy(
            update={
                "series": found.series or column,
                "publication_lag_days": self.publication_lag_days if lag is None else lag,
            }
        )


class MarketMapping(BaseModel):
    """The whole mapping file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[FileMapping, ...] = Field(min_length=1)

    def series(self) -> dict[str, MappedSeries]:
        """Every series that is listed, by the name under which it is kept."""
        named = (file.named(column) for file in self.files for column in file.columns)
        return {item.series: item for item in named if item.series}


def load_mapping(path: Path) -> MarketMapping:
    """Read a mapping file.

    Raises:
        ConfigurationError: it cannot be read, or a field does not fit; names file, key and value.
    """
    mapping = validated(MarketMapping, read_yaml(path), where=str(path), remedy=REMEDY)
    _refuse_twins(mapping, path)
    return mapping


def _refuse_twins(mapping: MarketMapping, path: Path) -> None:
    """One series from two columns of one file would revise itself at every reading."""
    for number, file in enumerate(mapping.files):
        names = [file.named(column).series for column in file.columns]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(
                f"files.{number}.columns: {', '.join(twice)} is named by more than one column",
                where=str(path),
                remedy="give each column a series of its own",
            )


def matching(file: FileMapping, mapping_file: Path) -> list[Path]:
    """The files that an entry means, in order of name.

    Raises:
        ConfigurationError: there is none.
    """
    given = Path(file.path).expanduser()
    base = mapping_file.expanduser().absolute().parent
    if given.is_absolute():
        base, pattern = Path(given.anchor), str(given.relative_to(given.anchor))
    else:
        pattern = str(given)
    literal = base / pattern
    found = [literal] if literal.is_file() else sorted(p for p in base.glob(pattern) if p.is_file())
    if not found:
        raise ConfigurationError(
            f"no file is there for path {file.path!r}",
            where=str(mapping_file),
            remedy=f"relative paths are looked for in {base}",
        )
    return found
