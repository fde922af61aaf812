"""Parameters and result of ``analysis.update``."""

from __future__ import annotations

from pydantic import Field

from orchestrator.modules.analysis.models import Part
from orchestrator.modules.base import OperationInput, OperationResult


class UpdateInput(OperationInput):
    """Parameters of ``analysis.update``: where data come from is configured, never given."""

    only: tuple[str, ...] = Field(
        default=(), description="Only these series and files, by name; all when empty."
    )
    full: bool = Field(
        default=False,
        description="Download whole series rather than from some months before their newest period.",
    )


class SeriesUpdate(Part):
    """What came of one series; periods and unit are those of all that is held of it."""

    name: str
    source: str
    received: int
    new: int
    revised: int
    unchanged: int
    unmodified: bool = Field(description="The server said that nothing changed.")
    first: str | None
    last: str | None
    unit: str | None


class RevisionFact(Part):
    """A value that replaced another; null where there is none before or after."""

    series: str
    period: str
    before: float | None
    after: float | None


class SourceFailure(Part):
    """A source of which nothing was stored, and why."""

    source: str
    code: str
    error: str


class ReleaseFact(Part):
    """A report and when it comes next."""

    name: str
    at: str


class UpdateResult(OperationResult):
    """Result of ``analysis.update``: what is new and what was revised."""

    new: int = 0
    revised: int = 0
    series: tuple[SeriesUpdate, ...] = ()
    revisions: tuple[RevisionFact, ...] = Field(
        default=(), description="The latest periods first, 50 at most."
    )
    failed: tuple[SourceFailure, ...] = ()
    next_releases: tuple[ReleaseFact, ...] = ()
