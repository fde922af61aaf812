"""Parameters and results of validate, clean and ingest; those of reconcile are in network.py."""

from __future__ import annotations

import re
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.modules.base import DataInput, OperationResult, TagNames

ReasonKind = Literal[
    "missing",
    "not_finite",
    "frozen",
    "spike",
    "out_of_range",
    "rate",
    "stale",
    "unit",
    "unknown_tag",
    "not_numeric",
]


_PASSWORD = re.compile(r"://[^/\s:@]*:(?!\$\{\w+\}@)[^\s]+@")
_SECRET_OPTION = re.compile(r"[?&](password|passwd|pwd|token|secret)=", re.IGNORECASE)


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")


class ValidateInput(DataInput):
    """Parameters of ``etl.validate``."""

    tags: TagNames = Field(default=(), description="Tags to check; all when empty.")
    spike_sigmas: float = Field(
        default=6.0, gt=0, description="Distance from the local median that makes a spike, in sd."
    )
    frozen_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Least time without any change; found from the data if null.",
    )


class Reason(Part):
    """One thing wrong with a tag: how many of its samples, first and last time, and in words."""

    kind: ReasonKind
    count: int
    share: float
    first: str | None = None
    last: str | None = None
    text: str


class TagQuality(Part):
    """Quality of one tag: the share of its expected samples that can be used, 0 to 1, and why not all.

    ``expected`` counts the samples due at the tag's own period from the first to the last row.
    """

    tag: str
    area: str = ""
    score: float
    samples: int
    expected: int
    period_seconds: float | None = None
    last_value: float | None
    last_time: str | None
    reasons: tuple[Reason, ...] = ()


class TimeQuality(Part):
    """Quality of the time axis itself."""

    rows: int
    start: str
    end: str
    period_seconds: float | None
    duplicates: int
    unordered: int
    missing_rows: int


class AreaQuality(Part):
    """Quality of one area of the plant: the mean over its tags, and the share that each check fails."""

    area: str
    score: float
    tags: int
    worst: str
    failing: dict[str, float]


class BalanceQuality(Part):
    """How far a balance of the plant file is from closing, % of what enters.

    ``open_share`` is the share of the rows in which it misses by more than three standard deviations
    of the meters.
    """

    name: str
    rows: int
    mean_error_pct: float
    open_share: float


class SchemaFault(Part):
    """One way in which the data is not what the plant file says."""

    tag: str
    fault: Literal["absent", "not_in_plant_file", "not_numeric", "unit_unknown"]
    text: str


class ValidateResult(OperationResult):
    """Result of ``etl.validate``; ``tags`` and ``areas`` are listed worst first.

    Attributes:
        score: Mean of the tags' scores, times the share of rows whose time is unique and in order,
            less a quarter of the share of rows in which balances are open.
    """

    score: float
    time: TimeQuality
    tags: tuple[TagQuality, ...]
    areas: tuple[AreaQuality, ...] = ()
    balances: tuple[BalanceQuality, ...] = ()
    schema_faults: tuple[SchemaFault, ...] = ()


class CleanInput(DataInput):
    """Parameters of ``etl.clean``."""

    tags: TagNames = Field(default=(), description="Tags to clean; all when empty.")
    window: int = Field(
        default=5, ge=1, le=500, description="Half width of the Hampel window, samples."
    )
    sigmas: float = Field(default=4.0, gt=0, description="Threshold of the Hampel filter, in sd.")
    max_gap_minutes: float | None = Field(
        default=None,
        ge=0,
        description="Longest gap to fill; if null three sampling periods, or less as the kind of tag asks.",
    )
    period_seconds: float | None = Field(
        default=None, gt=0, description="Period to resample to; the data's own if null."
    )
    resample: dict[str, Literal["mean", "last", "mode", "sum", "difference"]] = Field(
        default_factory=dict,
        description="How to resample a tag where not as its kind asks: time-weighted mean, last value, "
        "the value that stood longest, sum of amounts, increase of a counter.",
    )
    mode_tag: str | None = Field(
        default=None,
        description="Tag that tells the plant's mode, across whose changes nothing is filled; the plant "
        "file's, or all states, if null.",
    )


class Mark(Part):
    """One value that was changed."""

    tag: str
    time: str
    action: Literal["spike_replaced", "filled"]
    before: float | None
    after: float | None


class TagCleaning(Part):
    """What was done to one tag, in samples.

    ``unassigned`` is what a counter grew by across gaps that are too long to say when.
    """

    tag: str
    samples: int
    spikes: int
    filled: int
    still_missing: int
    why_not_filled: str | None = None
    resets: int = 0
    unassigned: float = 0.0


class CleanResult(OperationResult):
    """Result of ``etl.clean``.

    Attributes:
        columns: The cleaned table, when it is small; ``time`` and one list a tag.
        artefact: Parquet file in the run's folder with every value and, in ``<tag>__mark``, 0 as
            measured, 1 spike replaced, 2 filled, 3 missing.
        mark_columns: The marks of ``columns``, one list a tag.
        marks: The first of the values that were changed; ``marks_total`` counts all.
    """

    period_seconds: float | None
    tags: tuple[TagCleaning, ...]
    marks: tuple[Mark, ...] = ()
    marks_total: int = 0
    columns: dict[str, list[Any]] | None = None
    mark_columns: dict[str, list[int]] | None = None
    artefact: str | None = None


class SqlInput(BaseModel):
    """Rows of a database: a table, or a query that only reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(
        default=None,
        description="SQLAlchemy URL; its password as ${NAME} of an environment variable, never itself.",
    )
    connection: str | None = Field(
        default=None, description="Name of a connection in the configuration, instead of url."
    )
    table: str | None = Field(default=None, description="Table or view, also schema.table.")
    query: str | None = Field(default=None, description="SELECT statement, instead of table.")
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600)

    @field_validator("url")
    @classmethod
    def _no_secret(cls, value: str | None) -> str | None:
        if value is not None and (_PASSWORD.search(value) or _SECRET_OPTION.search(value)):
            raise ValueError(
                "must not hold a password: write ${NAME} in its place and set that environment variable"
            )
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> SqlInput:
        if (self.url is None) == (self.connection is None):
            raise ValueError("give either url or connection")
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


class IngestInput(DataInput):
    """Parameters of ``etl.ingest``: one of ``file``, ``text``, ``sql`` and ``data``."""

    file: str | None = Field(
        default=None,
        description="CSV (also compressed), Parquet or Excel file, in a folder that the service may read.",
    )
    text: str | None = Field(default=None, description="Text of a CSV file with a header line.")
    sql: SqlInput | None = Field(default=None, description="Table or query of a database.")
    layout: Literal["auto", "wide", "long"] = Field(
        default="auto", description="Wide: one column a tag. Long: columns tag and value."
    )
    time_column: str | None = Field(
        default=None, description="The first that parses as time if null."
    )
    timezone: str = Field(default="UTC", description="IANA zone of times that carry none.")
    ambiguous: Literal["order", "first", "second"] = Field(
        default="order",
        description="Which is meant of the local times that come twice when clocks go back.",
    )
    nonexistent: Literal["reject", "shift"] = Field(
        default="reject",
        description="What to do with local times that clocks skip: reject, or read an hour later.",
    )
    day_first: bool | None = Field(
        default=None,
        description="Whether 03/04/2025 is 3 April; needed only where it is not plain.",
    )
    start: AwareDatetime | None = Field(
        default=None, description="Time of the first row, where the rows hold no time."
    )
    period_seconds: float | None = Field(default=None, gt=0, description="Distance of such rows.")
    decimal: Literal["auto", ".", ","] = "auto"
    separator: Literal["auto", ",", ";", "\t", "|", " "] = "auto"
    sheet: str | None = Field(
        default=None, description="Sheet of a workbook; else the first filled."
    )
    units: dict[str, str] = Field(
        default_factory=dict, description="Unit of a column where it is not the tag's own."
    )
    unknown_tags: Literal["keep", "leave_out", "refuse"] = Field(
        default="keep", description="What to do with columns that the plant file does not name."
    )
    duplicates: Literal["last", "first", "mean", "refuse"] = Field(
        default="last", description="What to keep of rows at one time."
    )
    to_historian: bool = Field(default=False, description="Append what was taken to the historian.")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Rome") from error
        return value

    @model_validator(mode="after")
    def _one_source(self) -> IngestInput:
        given = [n for n in ("file", "text", "sql", "data") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(
                f"give only one of file, text, sql and data, not {' and '.join(given)}"
            )
        if (self.start is None) != (self.period_seconds is None):
            raise ValueError("start and period_seconds belong together")
        return self


class RejectedExample(Part):
    """One row or cell that was not taken: its line in the file, from 1, and its text."""

    row: int
    text: str


class Rejected(Part):
    """Rows, or cells of one column, that were not taken for one reason; the first few are shown."""

    reason: str
    column: str | None = None
    whole_rows: bool = False
    count: int
    examples: tuple[RejectedExample, ...] = ()


class IngestedColumn(Part):
    """One column as it was taken.

    Attributes:
        tag: Name of the tag.
        column: Name of the column, where it is another.
        values: Values that can be used.
        uncertain: How many of these the source calls uncertain.
        bad: Samples that cannot be used: bad by their own quality, or no number.
        missing: Times at which there is no sample.
        converted: From which unit to which.
        known: Whether the plant file names the tag.
    """

    tag: str
    column: str | None = None
    values: int
    uncertain: int = 0
    bad: int = 0
    missing: int
    converted: str | None = None
    known: bool = True


class LeftOut(Part):
    """A column that was not taken, and why."""

    column: str
    why: str


class IngestResult(OperationResult):
    """Result of ``etl.ingest``: what was read, converted and rejected, and the clean table.

    Attributes:
        rows_read: Rows of the source, those rejected included.
        rows_kept: Different times that were kept.
        duplicates_resolved: Samples that came more than once at one time.
        reordered: Rows older than the row before.
        columns: The table, when it is small; ``time`` and one list a tag.
        artefact: Parquet file in the run's folder with all of it; null is no sample, NaN a bad one.
        append: The same, where it is to be appended to the historian.
    """

    rows_read: int
    rows_kept: int
    start: str
    end: str
    period_seconds: float | None
    layout: Literal["wide", "long"]
    columns_taken: tuple[IngestedColumn, ...]
    left_out: tuple[LeftOut, ...] = ()
    duplicates_resolved: int
    reordered: int
    rejected: tuple[Rejected, ...] = ()
    columns: dict[str, list[Any]] | None = None
    artefact: str | None = None
    append: str | None = None
