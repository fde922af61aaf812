"""What the analysis operations find: facts, moves and statements, with their evidence."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.modules.analysis.models import Product

Direction = Literal["rising", "falling", "flat"]


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")


class Evidence(Part):
    """A value of a series on a date, on which a statement rests."""

    series: str
    date: str
    value: float
    unit: str | None = None


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


class Volatility(Part):
    """How much a price moves: standard deviation of log returns, scaled to a year, %.

    Attributes:
        ewma_pct: Exponentially weighted, λ = 0.94 (RiskMetrics 1996).
        garch_pct: GARCH(1,1) with Student errors, next period; null where the fit did not converge.
        garch_long_run_pct: Where that model returns to; null where it does not.
        persistence: α + β of the model; with β near 1 a disturbance lasts.
        degrees_of_freedom: Of the Student errors; the fewer, the fatter the tails.
        returns: Log returns that were used.
        note: What limits it.
    """

    ewma_pct: float | None
    garch_pct: float | None = None
    garch_long_run_pct: float | None = None
    persistence: float | None = None
    degrees_of_freedom: float | None = None
    returns: int
    note: str | None = None


class ChangePoint(Part):
    """A date at which the returns changed their volatility; both sides in % a year."""

    date: str
    volatility_before_pct: float
    volatility_after_pct: float


class PriceFact(Part):
    """Where a price is and how it moved."""

    name: str
    label: str
    product: Product | None
    region: str | None = None
    unit: str | None
    period: str
    last: float
    time: str
    changes: tuple[ChangeFact, ...]
    volatility_20_pct: float | None = Field(
        description="Standard deviation of the last 20 log returns, a year, %."
    )
    volatility_60_pct: float | None = Field(description="The same over 60 returns.")
    volatility: Volatility | None = None
    change_points: tuple[ChangePoint, ...] = ()
    year_low: float
    year_high: float
    trend: Trend


class Correlations(Part):
    """Correlations of the log returns of prices over the last year, on dates that all of them have."""

    names: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    returns: int
    start: str
    end: str


class TermStructure(Part):
    """Futures prices by delivery month on one date.

    Attributes:
        shape: ``contango`` where later months are dearer, ``backwardation`` where they are cheaper,
            ``flat`` within 1 % a year.
        carry_pct: Continuous return of the last month over the first, a year, %.
        prompt_spread: First month less second, in ``unit``.
        prices: By delivery month.
    """

    product: Product | None
    date: str
    shape: Literal["contango", "backwardation", "flat"]
    carry_pct: float | None
    prompt_spread: float
    unit: str | None
    prices: dict[int, float]
    evidence: tuple[Evidence, ...]


class CrackLeg(Part):
    """One product of a spread: barrels a barrel of crude, and USD/bbl for one unit of the column."""

    series: str
    barrels: float
    usd_per_barrel_for_one: float


class SpreadValue(Part):
    """A spread on a date, USD/bbl."""

    date: str
    value: float


class CrackFact(Part):
    """A margin between products and crude, USD/bbl; products in USD/gal count 42 gallons a barrel.

    ``change_5_pct`` is the change over 5 periods in % of the mean absolute spread of 60, since a
    spread can cross zero. ``values`` are the last ones and those of the dates asked for.
    """

    name: str
    label: str
    kind: Literal["3-2-1", "5-3-2", "2-1-1", "own yields", "simple"]
    place: str | None = None
    product: Product | None = Field(default=None, description="Of a simple spread: its product.")
    formula: str
    crude: str
    legs: tuple[CrackLeg, ...]
    unit: str = "USD/bbl"
    last: float
    time: str
    changes: tuple[ChangeFact, ...]
    change_5_pct: float | None
    year_percentile: float | None
    year_z_score: float | None = Field(
        default=None,
        description="Last value in standard deviations from the mean of the last year.",
    )
    trend: Trend
    values: tuple[SpreadValue, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class NetbackFact(Part):
    """What a crude is worth by its products, USD/bbl.

    Attributes:
        gross_worth: Products at their prices for one barrel of crude.
        netback: Gross worth less refining cost and transport: what the crude may cost where it loads.
        price: What it does cost.
        margin: Netback less price.
        margin_change_5: Change of the margin over 5 periods.
        margin_change_5_size: The same in standard deviations of the year's changes of that length.
        unvalued: Share of the barrel that has no price among the data; it counts as nothing.
    """

    crude: str
    gross_worth: float
    cost: float
    transport: float
    netback: float
    price: float
    margin: float
    margin_change_5: float | None = None
    margin_change_5_size: float | None = None
    yields: dict[str, float]
    unvalued: dict[str, float] = Field(default_factory=dict)
    time: str
    evidence: tuple[Evidence, ...] = ()


class Seasonal(Part):
    """The same season of the five years before, from values within ten days of the date.

    ``percentile`` is the share of these values that the last one is above, with half of its equals, %.
    """

    years: int
    low: float
    high: float
    mean: float
    percentile: float
    z_score: float | None
    position: Literal["below", "inside", "above"]


class Build(Part):
    """The last change of a stock against what the season let expect.

    Attributes:
        change: Build (positive) or draw (negative) over the last period.
        expected: Usual change of that period, from the years before, odd years drawn in.
        surprise: Change less expected.
        surprise_z: Surprise in robust standard deviations of past surprises.
    """

    change: float
    expected: float
    surprise: float
    surprise_z: float | None


class Anomaly(Part):
    """A period of the last year whose change departed from its season by over 3 robust deviations."""

    date: str
    change: float
    expected: float
    z_score: float


class StockFact(Part):
    """An inventory, its changes and where it stands in its season."""

    name: str
    label: str
    product: Product | None
    region: str | None = None
    unit: str | None
    period: str
    last: float
    time: str
    changes: tuple[ChangeFact, ...]
    build: Build | None = None
    seasonal: Seasonal | None
    days_of_supply: float | None = Field(
        default=None, description="Stock over the mean demand of four weeks, days."
    )
    storage_use_pct: float | None = Field(
        default=None, description="Stock over the working capacity that was given, %."
    )
    anomalies: tuple[Anomaly, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class DemandFact(Part):
    """What the market took: level, mean of four weeks, and that against a year before."""

    name: str
    label: str
    product: Product | None
    region: str | None = None
    unit: str | None
    period: str
    last: float
    time: str
    four_week_mean: float
    year_change_pct: float | None
    seasonal: Seasonal | None
    season_strength: float | None = Field(
        default=None,
        description="Share of the variance about a year's moving mean that the time of year explains.",
    )
    trend: Trend
    evidence: tuple[Evidence, ...] = ()


class RecentMove(Part):
    """A change over the last five periods, in standard deviations of the year's changes of that length."""

    name: str
    label: str
    change: float
    percent: float | None
    unit: str | None
    size: float
    text: str


class MoveOfSeries(Part):
    """What one series did in a large move; ``size`` in its usual movement of the year before."""

    name: str
    label: str
    date: str
    before_date: str
    before: float
    after: float
    change: float
    percent: float | None
    unit: str | None
    size: float


class LargeMove(Part):
    """One of the largest moves of the whole period: what moved together within some days.

    Attributes:
        date: Day of the largest change within it.
        start: First day of the move.
        end: Last day of the move.
        name: Series that moved most.
        label: The same for people.
        before: Its value on the trading day before.
        after: Its value on ``date``.
        change: After less before.
        percent: The same in %, null where the price before was not positive.
        unit: Unit of the series.
        size: How often the usual daily movement of the year before.
        series: All series that took part.
        text: The same in words.
    """

    date: str
    start: str
    end: str
    name: str
    label: str
    before: float
    after: float
    change: float
    percent: float | None
    unit: str | None
    size: float
    series: tuple[MoveOfSeries, ...]
    text: str


class Swing(Part):
    """A rise or fall of a price between two turning points, on medians of five values."""

    name: str
    label: str
    start: str
    end: str
    before: float
    after: float
    percent: float
    unit: str | None


class Statement(Part):
    """Something that can be said of the market.

    Attributes:
        topic: What it is about.
        text: What changed.
        sure: How sure that is, by its size against its usual movement: ``high`` from 3, ``medium``
            from 2 standard deviations, else ``low``.
        meaning: What it means for this refinery, where a rule says so.
        rule: The rule, and where it is from.
        evidence: Values that it rests on.
    """

    topic: Literal["price", "crack", "stock", "demand", "term structure", "crude"]
    text: str
    sure: Literal["low", "medium", "high"]
    meaning: str | None = None
    rule: str | None = None
    evidence: tuple[Evidence, ...]
