"""Parameters and results of the analysis operations."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from orchestrator.modules.base import DataInput, OperationResult

Role = Literal["price", "stock", "demand", "other"]
Product = Literal["crude", "gasoline", "diesel", "jet", "naphtha", "gas_oil", "residue", "propane"]
Direction = Literal["rising", "falling", "flat"]


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")


class SeriesRole(BaseModel):
    """What a column is, where its name does not say it.

    ``unit`` is that of the column (``USD/bbl``, ``USD/gal``, ``kbbl``); a crack spread needs it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role = "price"
    product: Product | None = None
    unit: str | None = None
    label: str | None = None


class MarketInput(DataInput):
    """Parameters of the analysis operations.

    Data are dated rows of prices, stocks or demand. Without ``data`` they come from the files of the
    module's option ``market_files``, from the series that ``analysis.update`` keeps, and from the price
    tags of the historian.
    """

    series: dict[str, SeriesRole] = Field(
        default_factory=dict,
        description="Column -> what it is. Public EIA series, price tags of the plant and plain names "
        "such as wti, brent, gasoline_usd_gal are known without it.",
    )
    product: str | None = Field(
        default=None, description="Only series of this product (crude, gasoline, diesel, jet …)."
    )
    tags: tuple[str, ...] = Field(default=(), description="Only these columns; all when empty.")
    period_days: int | None = Field(
        default=None, ge=1, le=3650, description="Also the change over this many days."
    )
    crude: str | None = Field(
        default=None, description="Column of the crude of the crack spreads; the first when null."
    )
    as_known_at: AwareDatetime | None = Field(
        default=None,
        description="Stored series as they were known at this time; when null, at that of the request.",
    )
    top: int = Field(default=5, ge=1, le=50, description="How many of the largest moves to list.")


class ChangeFact(Part):
    """A change over some periods: in the series' unit, and in % where the start is positive."""

    periods: int
    absolute: float
    percent: float | None


class Trend(Part):
    """Least-squares line through the last 60 values.

    ``per_period_pct`` is its slope in % of their mean; the direction is given where the slope is over
    twice its standard error, with the errors' autocorrelation at lag 1 allowed for.
    """

    direction: Direction
    per_period_pct: float | None


class PriceFact(Part):
    """Where a price is and how it moved."""

    name: str
    label: str
    product: Product | None
    unit: str | None
    period: str
    last: float
    time: str
    changes: tuple[ChangeFact, ...]
    volatility_20_pct: float | None = Field(
        description="Standard deviation of the last 20 log returns, a year, %."
    )
    volatility_60_pct: float | None = Field(description="The same over 60 returns.")
    year_low: float
    year_high: float
    trend: Trend


class CrackFact(Part):
    """A margin between products and crude, USD/bbl; products in USD/gal count 42 gallons a barrel.

    ``change_5_pct`` is the change over 5 periods in % of the mean absolute spread of 60, since a
    spread can cross zero.
    """

    name: str
    formula: str
    unit: str = "USD/bbl"
    last: float
    time: str
    changes: tuple[ChangeFact, ...]
    change_5_pct: float | None
    year_percentile: float | None
    trend: Trend


class Seasonal(Part):
    """The same season of the five years before, from values within ten days of the date."""

    years: int
    low: float
    high: float
    mean: float
    z_score: float | None
    position: Literal["below", "inside", "above"]


class StockFact(Part):
    """An inventory, its changes and where it stands in its season."""

    name: str
    label: str
    product: Product | None
    unit: str | None
    period: str
    last: float
    time: str
    changes: tuple[ChangeFact, ...]
    seasonal: Seasonal | None
    days_of_supply: float | None = Field(
        default=None, description="Stock over the mean demand of four weeks, days."
    )


class DemandFact(Part):
    """What the market took: level, mean of four weeks, and that against a year before."""

    name: str
    label: str
    product: Product | None
    unit: str | None
    period: str
    last: float
    time: str
    four_week_mean: float
    year_change_pct: float | None
    seasonal: Seasonal | None
    trend: Trend


class LargeMove(Part):
    """A change over five periods, in standard deviations of the year's changes of that length."""

    name: str
    label: str
    change: float
    percent: float | None
    unit: str | None
    size: float
    text: str


class AnalysisResult(OperationResult):
    """Base of the results; ``as_of`` is the time of the newest value, null without any."""

    as_of: str | None = None


class PricesResult(AnalysisResult):
    """Result of ``analysis.prices``."""

    prices: tuple[PriceFact, ...] = ()


class CracksResult(AnalysisResult):
    """Result of ``analysis.cracks``."""

    cracks: tuple[CrackFact, ...] = ()


class StocksResult(AnalysisResult):
    """Result of ``analysis.stocks``."""

    stocks: tuple[StockFact, ...] = ()


class DemandResult(AnalysisResult):
    """Result of ``analysis.demand``."""

    demand: tuple[DemandFact, ...] = ()


class MarketResult(AnalysisResult):
    """Result of ``analysis.market``."""

    prices: tuple[PriceFact, ...] = ()
    cracks: tuple[CrackFact, ...] = ()
    stocks: tuple[StockFact, ...] = ()
    demand: tuple[DemandFact, ...] = ()
    largest_moves: tuple[LargeMove, ...] = ()
