"""The analysis operations: the market as a whole, and each of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis import facts
from orchestrator.modules.analysis.models import (
    CrackFact,
    CracksResult,
    DemandFact,
    DemandResult,
    MarketInput,
    MarketResult,
    PriceFact,
    PricesResult,
    StockFact,
    StocksResult,
)
from orchestrator.modules.analysis.series import SOURCES, Series, load
from orchestrator.modules.frames import iso

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import Role
    from orchestrator.modules.base import OperationContext

_OLD_DAYS = {"day": 7, "week": 21, "month": 75}


@dataclass(slots=True)
class _Read:
    """Series of a request, with the spreads made of them."""

    series: list[Series]
    spreads: list[tuple[Series, str]]
    warnings: list[str]

    def of(self, role: Role) -> list[Series]:
        return [item for item in self.series if item.role == role]

    @property
    def as_of(self) -> str | None:
        newest = max((item.times[-1] for item in self.series), default=None)
        return None if newest is None else iso(newest)


def _read(parameters: MarketInput, context: OperationContext) -> _Read:
    context.progress(0.1, "reading market series")
    series = load(parameters, context)
    spreads, warnings = facts.crack_series(series, parameters.crude)
    now = np.datetime64(context.now.replace(tzinfo=None), "us")
    for item in series:
        age = float((now - item.times[-1]) / np.timedelta64(86_400_000_000, "us"))
        if age > _OLD_DAYS[item.period]:
            warnings.append(f"the newest value of {item.label} is {age:.0f} days old")
    context.progress(0.5, "measuring")
    return _Read(series, spreads, warnings)


def market(parameters: MarketInput, context: OperationContext) -> MarketResult:
    """The market as a whole: prices, spreads, stocks, demand and the most unusual moves."""
    read = _read(parameters, context)
    prices, stocks = _prices(read, parameters), _stocks(read, parameters)
    cracks, demand = _cracks(read, parameters), _demand(read)
    moves = facts.largest_moves([*read.series, *(item for item, _ in read.spreads)], parameters)
    said = [_price_words(item) for item in prices if item.product == "crude"][:1]
    said += [_crack_words(item) for item in cracks[:1]]
    said += [_stock_words(item) for item in stocks if item.product != "crude"][:1]
    said += [f"largest move: {moves[0].text}"] if moves else []
    return MarketResult(
        summary=_sentence(said or [f"{len(read.series)} series read"]),
        warnings=tuple(read.warnings),
        as_of=read.as_of,
        prices=prices,
        cracks=cracks,
        stocks=stocks,
        demand=demand,
        largest_moves=moves,
    )


def prices(parameters: MarketInput, context: OperationContext) -> PricesResult:
    """Levels, changes, volatility and trend of prices; of their future no more is claimed."""
    read = _read(parameters, context)
    found = _prices(read, parameters)
    return PricesResult(
        summary=_sentence([_price_words(item) for item in found[:3]] or [_none("price")]),
        warnings=tuple(read.warnings),
        as_of=read.as_of,
        prices=found,
    )


def cracks(parameters: MarketInput, context: OperationContext) -> CracksResult:
    """Margins between crude and products."""
    read = _read(parameters, context)
    found = _cracks(read, parameters)
    return CracksResult(
        summary=_sentence(
            [_crack_words(item) for item in found[:3]]
            or ["no crack spread can be made: it takes a crude and a product with their units"]
        ),
        warnings=tuple(read.warnings),
        as_of=read.as_of,
        cracks=found,
    )


def stocks(parameters: MarketInput, context: OperationContext) -> StocksResult:
    """Inventories against their season."""
    read = _read(parameters, context)
    found = _stocks(read, parameters)
    return StocksResult(
        summary=_sentence([_stock_words(item) for item in found[:3]] or [_none("stock")]),
        warnings=tuple(read.warnings),
        as_of=read.as_of,
        stocks=found,
    )


def demand(parameters: MarketInput, context: OperationContext) -> DemandResult:
    """What the market takes, against a year before and its season."""
    read = _read(parameters, context)
    found = _demand(read)
    return DemandResult(
        summary=_sentence([_demand_words(item) for item in found[:3]] or [_none("demand")]),
        warnings=tuple(read.warnings),
        as_of=read.as_of,
        demand=found,
    )


def _prices(read: _Read, parameters: MarketInput) -> tuple[PriceFact, ...]:
    return tuple(facts.price(item, parameters.period_days) for item in read.of("price"))


def _cracks(read: _Read, parameters: MarketInput) -> tuple[CrackFact, ...]:
    return tuple(
        facts.crack(item, formula, parameters.period_days) for item, formula in read.spreads
    )


def _stocks(read: _Read, parameters: MarketInput) -> tuple[StockFact, ...]:
    taken = {item.product: item for item in read.of("demand") if item.product}
    return tuple(
        facts.stock(item, taken.get(item.product) if item.product else None, parameters.period_days)
        for item in read.of("stock")
    )


def _demand(read: _Read) -> tuple[DemandFact, ...]:
    return tuple(facts.demand(item) for item in read.of("demand"))


def _price_words(fact: PriceFact) -> str:
    moved = next((c for c in fact.changes if c.periods == 5 and c.percent is not None), None)
    change = f", {moved.percent:+.1f} % over 5 {fact.period}s" if moved else ""
    return f"{fact.label} {fact.last:,.4g} {fact.unit or ''}{change}, {fact.trend.direction}"


def _crack_words(fact: CrackFact) -> str:
    change = f", {fact.change_5_pct:+.1f} % over 5 periods" if fact.change_5_pct is not None else ""
    return f"{fact.name} {fact.last:,.4g} {fact.unit}{change}"


def _stock_words(fact: StockFact) -> str:
    season = ""
    if fact.seasonal is not None:
        score = f", z {fact.seasonal.z_score:+.1f}" if fact.seasonal.z_score is not None else ""
        season = f", {fact.seasonal.position} its {fact.seasonal.years}-year range{score}"
    supply = f", {fact.days_of_supply:.1f} days of supply" if fact.days_of_supply else ""
    return f"{fact.label} {fact.last:,.0f} {fact.unit or ''}{season}{supply}"


def _demand_words(fact: DemandFact) -> str:
    year = f", {fact.year_change_pct:+.1f} % on a year" if fact.year_change_pct is not None else ""
    return f"{fact.label} {fact.four_week_mean:,.0f} {fact.unit or ''} over four weeks{year}"


def _none(what: str) -> str:
    return f"no {what} series is among the data: {SOURCES}"


def _sentence(parts: list[str]) -> str:
    text = "; ".join(" ".join(part.split()).replace(" ,", ",") for part in parts)
    return f"{text[0].upper()}{text[1:]}."
