"""Parameters of the analysis operations."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from orchestrator.modules.base import DataInput

Role = Literal["price", "stock", "demand", "flow", "other"]
Product = Literal["crude", "gasoline", "diesel", "jet", "naphtha", "gas_oil", "residue", "propane"]


class SeriesRole(BaseModel):
    """What a column is, where its name does not say it.

    Attributes:
        role: A flow is what fills or empties a stock: output, runs, imports, exports.
        product: What it is of; a flow of no one product (runs of refineries) moves all.
        unit: That of the column (``USD/bbl``, ``USD/gal``, ``kbbl``); a crack spread needs it.
        label: For people.
        region: Where it is; stocks and prices of one region go together.
        contract: Number of the delivery month of a futures price, 1 for the nearest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role = "price"
    product: Product | None = None
    unit: str | None = None
    label: str | None = None
    region: str | None = None
    contract: int | None = Field(default=None, ge=1, le=60)


class SeriesInput(DataInput):
    """Parameters that all analysis operations have.

    Data are dated rows of prices, stocks or demand. Without ``data`` they come from the files of the
    module's option ``market_files``, from the series that ``analysis.update`` keeps, and from the price
    tags of the historian.
    """

    series: dict[str, SeriesRole] | tuple[str, ...] = Field(
        default_factory=dict,
        description="Column -> what it is; or a list of columns, and then only these are analysed. "
        "Public EIA series, price tags of the plant and plain names such as wti, brent, "
        "gasoline_usd_gal are known without it.",
    )
    product: str | None = Field(
        default=None, description="Only series of this product (crude, gasoline, diesel, jet …)."
    )
    tags: tuple[str, ...] = Field(default=(), description="Only these columns; all when empty.")
    period_days: int | None = Field(
        default=None, ge=1, le=3650, description="Also the change over this many days."
    )
    as_known_at: AwareDatetime | None = Field(
        default=None,
        description="Stored series as they were known at this time; when null, at that of the request.",
    )
    report: bool | Literal["markdown"] = Field(
        default=False,
        description="Also give the result as a page with charts: HTML, or Markdown.",
    )

    @property
    def roles(self) -> dict[str, SeriesRole]:
        """What columns are, as far as it was given."""
        return self.series if isinstance(self.series, dict) else {}

    @property
    def only(self) -> tuple[str, ...]:
        """Columns to which the analysis is limited; none when empty."""
        return self.series if isinstance(self.series, tuple) else ()


class PricesInput(SeriesInput):
    """Parameters of ``analysis.prices``."""

    top: int = Field(default=10, ge=1, le=50, description="How many of the largest moves to list.")


class Grade(BaseModel):
    """A crude to be valued by what it yields.

    ``price`` is a column, or a number in USD/bbl; ``differential`` is added to it. ``yields`` are barrels
    of product a barrel of crude; ``transport`` and ``cost`` (of refining) are USD/bbl.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    price: str | float
    differential: float = 0.0
    yields: dict[Product, float] = Field(min_length=1)
    transport: float = 0.0
    cost: float = 0.0

    @model_validator(mode="after")
    def _within_a_barrel(self) -> Self:
        _check_yields(self.yields)
        return self


class CracksInput(SeriesInput):
    """Parameters of ``analysis.cracks``."""

    crude: str | None = Field(
        default=None, description="Column of the crude of the crack spreads; the first when null."
    )
    gasoline: str | None = Field(default=None, description="Column of the gasoline leg.")
    diesel: str | None = Field(default=None, description="Column of the distillate leg.")
    region: str | None = Field(
        default=None,
        description="Place whose products come first, such as New York Harbor or Gulf Coast.",
    )
    yields: dict[Product, float] = Field(
        default_factory=dict,
        description="The refinery's own yields, barrels of product a barrel of crude.",
    )
    grades: dict[str, Grade] = Field(
        default_factory=dict,
        description="Crudes to value by their yields; those of the plan's model when empty.",
    )
    dates: tuple[date, ...] = Field(
        default=(), max_length=1000, description="Also the spreads on these dates."
    )
    values: int = Field(
        default=20, ge=0, le=5000, description="How many of the last values of each spread to give."
    )

    @model_validator(mode="after")
    def _own_yields_within_a_barrel(self) -> Self:
        if self.yields:
            _check_yields(self.yields)
        return self


class DemandInput(SeriesInput):
    """Parameters of ``analysis.demand``."""

    horizon: int = Field(
        default=4, ge=1, le=26, description="How many periods of the series to forecast."
    )


class StocksInput(DemandInput):
    """Parameters of ``analysis.stocks``."""

    capacity: dict[str, PositiveFloat] = Field(
        default_factory=dict,
        description="Column -> working storage capacity, in the column's unit, for the share in use.",
    )


class MarketInput(PricesInput, CracksInput, StocksInput):
    """Parameters of ``analysis.market``."""

    deck_days: int = Field(
        default=30, ge=1, le=365, description="Days ahead for which the price deck holds."
    )
    price_names: dict[str, str] = Field(
        default_factory=dict,
        description="Price column -> name that the plan's model has for it (a tag, crude or product); "
        "its own name when left out.",
    )


def _check_yields(yields: dict[Product, float]) -> None:
    wrong = {name: share for name, share in yields.items() if share < 0}
    if wrong:
        raise ValueError(f"yields cannot be negative, got {wrong}")
    total = sum(yields.values())
    if not 0 < total <= 1.2:
        raise ValueError(
            f"yields are barrels a barrel of crude and make {total:g}; with volume gain they reach 1.2"
        )
