"""Parameters and results of validate, clean and ingest; those of reconcile are in network.py."""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.modules.base import DataInput, OperationResult, TagNames

ReasonKind = Literal[
    "missing",
    "not_finite",
    "frozen",
    "spike",
    "out_of_range",
    "rate",
    "unknown_tag",
    "not_numeric",
]


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
    """Quality of one tag: the share of its samples that can be used, 0 to 1, and why not all."""

    tag: str
    score: float
    samples: int
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


class ValidateResult(OperationResult):
    """Result of ``etl.validate``; ``tags`` are listed worst first."""

    score: float
    time: TimeQuality
    tags: tuple[TagQuality, ...]


class CleanInput(DataInput):
    """Parameters of ``etl.clean``."""

    tags: TagNames = Field(default=(), description="Tags to clean; all when empty.")
    window: int = Field(
        default=5, ge=1, le=500, description="Half width of the Hampel window, samples."
    )
    sigmas: float = Field(default=4.0, gt=0, description="Threshold of the Hampel filter, in sd.")
    max_gap_minutes: float | None = Field(
        default=None, ge=0, description="Longest gap to fill; three sampling periods if null."
    )
    period_seconds: float | None = Field(
        default=None, gt=0, description="Period to resample to; the data's own if null."
    )


class Mark(Part):
    """One value that was changed."""

    tag: str
    time: str
    action: Literal["spike_replaced", "filled"]
    before: float | None
    after: float | None


class TagCleaning(Part):
    """What was done to one tag, in samples."""

    tag: str
    samples: int
    spikes: int
    filled: int
    still_missing: int
    why_not_filled: str | None = None


class CleanResult(OperationResult):
    """Result of ``etl.clean``.

    Attributes:
        columns: The cleaned table, when it is small; ``time`` and one list a tag.
        artefact: Parquet file in the run's folder with every value and, in ``<tag>__mark``, 0 as
            measured, 1 spike replaced, 2 filled, 3 missing.
        marks: The first of the values that were changed; ``marks_total`` counts all.
    """

    period_seconds: float | None
    tags: tuple[TagCleaning, ...]
    marks: tuple[Mark, ...] = ()
    marks_total: int = 0
    columns: dict[str, list[Any]] | None = None
    artefact: str | None = None


class IngestInput(DataInput):
    """Parameters of ``etl.ingest``: text of a CSV, or rows or columns in ``data``."""

    text: str | None = Field(default=None, description="Text of a CSV file with a header line.")
    layout: Literal["auto", "wide", "long"] = Field(
        default="auto", description="Wide: one column a tag. Long: columns tag and value."
    )
    time_column: str | None = Field(
        default=None, description="The first that parses as time if null."
    )
    timezone: str = Field(default="UTC", description="IANA zone of times that carry none.")
    day_first: bool | None = Field(
        default=None,
        description="Whether 03/04/2025 is 3 April; needed only where it is not plain.",
    )
    decimal: Literal["auto", ".", ","] = "auto"
    separator: Literal["auto", ",", ";", "\t", "|"] = "auto"
    units: dict[str, str] = Field(
        default_factory=dict, description="Unit of a column where it is not the tag's own."
    )
    duplicates: Literal["last", "first", "mean", "refuse"] = Field(
        default="last", description="What to keep of rows at one time."
    )

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
        if self.text is not None and self.data is not None:
            raise ValueError("give either text or data, not both")
        return self


class Rejected(Part):
    """Rows or cells that were not taken, grouped by reason, with the first few as examples."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()


class IngestedColumn(Part):
    """One column as it was taken."""

    tag: str
    values: int
    missing: int
    converted: str | None = None
    known: bool = True


class IngestResult(OperationResult):
    """Result of ``etl.ingest``: what was read, converted and rejected, and the clean table."""

    rows_read: int
    rows_kept: int
    start: str
    end: str
    period_seconds: float | None
    layout: Literal["wide", "long"]
    columns_taken: tuple[IngestedColumn, ...]
    duplicates_resolved: int
    reordered: int
    rejected: tuple[Rejected, ...] = ()
    columns: dict[str, list[Any]] | None = None
    artefact: str | None = None
