"""Results of the analysis operations."""

from __future__ import annotations

from pydantic import Field

from orchestrator.modules.analysis.facts import (
    Correlations,
    CrackFact,
    DemandFact,
    LargeMove,
    NetbackFact,
    PriceFact,
    RecentMove,
    Statement,
    StockFact,
    Swing,
    TermStructure,
)
from orchestrator.modules.analysis.outlook_models import OutlookScore
from orchestrator.modules.base import OperationResult
from orchestrator.modules.forecasting.models import ForecastPoint
from orchestrator.modules.price_deck import PriceDeck


class AnalysisResult(OperationResult):
    """Base of the results.

    ``as_of`` is the time of the newest value, null without any; ``report`` the page where one was asked
    for.
    """

    as_of: str | None = None
    report: str | None = None


class PricesResult(AnalysisResult):
    """Result of ``analysis.prices``."""

    prices: tuple[PriceFact, ...] = ()
    largest_moves: tuple[LargeMove, ...] = ()
    swings: tuple[Swing, ...] = ()
    correlations: Correlations | None = None
    term_structure: tuple[TermStructure, ...] = ()
    term_structure_note: str | None = None


class CracksResult(AnalysisResult):
    """Result of ``analysis.cracks``."""

    cracks: tuple[CrackFact, ...] = ()
    netbacks: tuple[NetbackFact, ...] = ()


class StocksResult(AnalysisResult):
    """Result of ``analysis.stocks``; ``not_forecast`` says why of a series."""

    stocks: tuple[StockFact, ...] = ()
    forecasts: tuple[ForecastPoint, ...] = ()
    models: dict[str, OutlookScore] = Field(default_factory=dict)
    not_forecast: dict[str, str] = Field(default_factory=dict)


class DemandResult(AnalysisResult):
    """Result of ``analysis.demand``; ``not_forecast`` says why of a series."""

    demand: tuple[DemandFact, ...] = ()
    forecasts: tuple[ForecastPoint, ...] = ()
    models: dict[str, OutlookScore] = Field(default_factory=dict)
    not_forecast: dict[str, str] = Field(default_factory=dict)


class MarketResult(AnalysisResult):
    """Result of ``analysis.market``.

    Attributes:
        statements: What changed and what it means, surest first.
        largest_moves: Of the whole period of the data, largest first.
        swings: The longest rises and falls of the first crude over the whole period, largest first.
        recent_moves: Of the last five periods, most unusual first.
        price_deck: Scenarios for ``optimization.plan``; null without a price that moves.
    """

    statements: tuple[Statement, ...] = ()
    prices: tuple[PriceFact, ...] = ()
    correlations: Correlations | None = None
    term_structure: tuple[TermStructure, ...] = ()
    term_structure_note: str | None = None
    cracks: tuple[CrackFact, ...] = ()
    netbacks: tuple[NetbackFact, ...] = ()
    stocks: tuple[StockFact, ...] = ()
    demand: tuple[DemandFact, ...] = ()
    forecasts: tuple[ForecastPoint, ...] = ()
    models: dict[str, OutlookScore] = Field(default_factory=dict)
    not_forecast: dict[str, str] = Field(default_factory=dict)
    largest_moves: tuple[LargeMove, ...] = ()
    swings: tuple[Swing, ...] = ()
    recent_moves: tuple[RecentMove, ...] = ()
    price_deck: PriceDeck | None = None
