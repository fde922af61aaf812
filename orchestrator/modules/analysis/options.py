"""The options of the module in the configuration: where market data come from, and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, in_words
from orchestrator.modules.analysis.models import SeriesRole
from orchestrator.modules.analysis.releases import Calendar, ReleaseOptions

WHERE = "modules.analysis.options"
Frequency = Literal["daily", "weekly", "monthly", "quarterly", "annual"]
Model = TypeVar("Model", bound=BaseModel)


class StoredSeries(SeriesRole):
    """A series that is kept: what it is, where that is not plain from its identifier."""

    region: str | None = None
    """Where it is of; shown with its name where it has no label."""
    publication_lag_days: float | None = Field(default=None, ge=0, le=3660)
    """Days from the begin of a period to its publication, for values of before the first download; null
    where nothing is assumed: such a value counts as known from the download on."""


class EiaSeries(StoredSeries):
    """A series of the EIA Open Data API."""

    route: str = Field(pattern=r"^[A-Za-z0-9-]+(/[A-Za-z0-9-]+)*$")
    """Path of its data set, such as ``petroleum/pri/spt``."""
    series: str = Field(min_length=1)
    """Value of the facet that names it, such as ``RWTC``."""
    frequency: Frequency
    facet: str = Field(default="series", pattern=r"^[A-Za-z0-9_-]+$")
    column: str = Field(default="value", pattern=r"^[A-Za-z0-9_-]+$")
    """Column of the data set that holds its values."""
    name: str | None = Field(default=None, min_length=1)
    """Name under which it is kept; ``series`` when null."""

    @property
    def kept_as(self) -> str:
        """Its name in the store."""
        return self.name or self.series


class EiaOptions(BaseModel):
    """The EIA Open Data API, version 2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(default="https://api.eia.gov/v2", pattern=r"^https?://[^?#\s]+$")
    api_key: SecretStr | None = None
    """``${EIA_API_KEY}``; one is given free of charge at https://www.eia.gov/opendata/register.php."""
    series: tuple[EiaSeries, ...] = ()
    timeout: float = Field(default=30.0, gt=0)
    """Longest silence of the server, s."""
    deadline: float = Field(default=60.0, gt=0)
    """Longest time for all pages of one series, with all repeats, s."""
    page_rows: int = Field(default=5000, ge=1, le=5000)
    """Rows of a page; the API gives 5000 at most."""
    requests_per_second: float = Field(default=4.0, gt=0, le=5)
    """The API asks to stay under five."""
    revision_days: float = Field(default=120.0, ge=0)
    """How far before the newest period values are read again, so that revisions are seen."""


class MarketOptions(BaseModel):
    """Those of the module's options that concern market data; others are read elsewhere."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    eia: EiaOptions | None = None
    mapping: Path | None = None
    """Mapping file of data files, see ``docs/market-data.md``."""
    releases: ReleaseOptions | None = None

    @field_validator("mapping")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> MarketOptions:
        """The options in a module's settings.

        Raises:
            ConfigurationError: names each option that does not fit.
        """
        return validated(
            cls, settings, where=WHERE, remedy="see the options in docs/market-data.md"
        )


def calendar_of(settings: Mapping[str, Any]) -> Calendar | None:
    """The calendar of releases that the module's settings ask for; ``None`` where they ask for none.

    Raises:
        ConfigurationError: an option does not fit.
    """
    releases = MarketOptions.of(settings).releases
    return Calendar(releases) if releases is not None else None


def validated(model: type[Model], document: Any, *, where: str, remedy: str) -> Model:
    """A document as a model.

    Raises:
        ConfigurationError: names each field that does not fit; the value of a key is not shown.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = field_errors(error.errors(), document, secret=lambda field: "key" in field)
        raise ConfigurationError(
            in_words(found), where=where, remedy=remedy, context={"errors": found}
        ) from error
