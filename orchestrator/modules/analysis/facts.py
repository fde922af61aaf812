"""Facts about prices, crack spreads, stocks and demand, from series."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.models import (
    CrackFact,
    DemandFact,
    LargeMove,
    MarketInput,
    PriceFact,
    StockFact,
)
from orchestrator.modules.analysis.series import Series
from orchestrator.modules.frames import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

MOVE_PERIODS = 5
SCALE_PERIODS = 60
SIMPLE_CRACKS = ("gasoline", "diesel", "jet", "naphtha", "gas_oil", "residue")


def price(series: Series, period_days: int | None) -> PriceFact:
    """Level, changes, volatility and trend of a price."""
    year = measures.last_year(series)
    return PriceFact(
        name=series.name,
        label=series.label,
        product=series.product,
        unit=series.unit,
        period=series.period,
        last=float(series.values[-1]),
        time=iso(series.times[-1]),
        changes=measures.changes(series.values, measures.periods_of(series, period_days)),
        volatility_20_pct=measures.volatility(series.values, 20, series.per_year),
        volatility_60_pct=measures.volatility(series.values, 60, series.per_year),
        year_low=float(year.min()),
        year_high=float(year.max()),
        trend=measures.trend(series.values),
    )


def crack_series(
    series: Iterable[Series], crude_name: str | None
) -> tuple[list[tuple[Series, str]], list[str]]:
    """Crack spreads in USD/bbl with their formulas, and what stands in the way of others.

    The 3-2-1 spread is two barrels of gasoline and one of diesel for three of crude.
    """
    prices = [item for item in series if item.role == "price"]
    crudes = [item for item in prices if item.product == "crude"]
    if crude_name is not None:
        crudes = [item for item in prices if item.name == crude_name]
        if not crudes:
            return [], [f"there is no price {crude_name!r} for the crude of the crack spreads"]
    products = [item for item in prices if item.product in SIMPLE_CRACKS]
    if not crudes or not products:
        return [], []
    warnings = [
        f"{item.name} has no unit in USD/bbl or USD/gal, so no crack spread uses it"
        for item in (crudes[0], *products)
        if item.in_barrels is None
    ]
    crude = crudes[0]
    if crude.in_barrels is None:
        return [], warnings
    usable = [item for item in products if item.in_barrels is not None]
    found: list[tuple[Series, str]] = []
    gasoline = next((item for item in usable if item.product == "gasoline"), None)
    diesel = next((item for item in usable if item.product == "diesel"), None)
    if gasoline is not None and diesel is not None:
        formula = f"(2 × {gasoline.label} + {diesel.label} − 3 × {crude.label}) / 3"
        parts = [(gasoline, 2 / 3), (diesel, 1 / 3)]
        found.append((_spread("3-2-1", parts, crude), formula))
    for item in usable:
        formula = f"{item.label} − {crude.label}"
        found.append((_spread(f"{item.name} crack", [(item, 1.0)], crude), formula))
    return [pair for pair in found if len(pair[0].values) > 1], warnings


def _spread(name: str, parts: list[tuple[Series, float]], crude: Series) -> Series:
    """A spread on the dates that all its series have."""
    times = crude.times
    for item, _ in parts:
        times = np.intersect1d(times, item.times)
    values = -_at(crude, times)
    for item, share in parts:
        values = values + share * _at(item, times)
    return replace(
        crude, name=name, label=name, product=None, unit="USD/bbl", times=times, values=values
    )


def _at(series: Series, times: np.ndarray) -> np.ndarray:
    barrels = series.in_barrels
    assert barrels is not None
    return barrels[np.searchsorted(series.times, times)]


def crack(series: Series, formula: str, period_days: int | None) -> CrackFact:
    """Level and changes of a crack spread."""
    values = series.values
    scale = float(np.mean(np.abs(values[-SCALE_PERIODS:])))
    change = None
    if len(values) > MOVE_PERIODS and scale > 0:
        change = 100 * float(values[-1] - values[-1 - MOVE_PERIODS]) / scale
    year = measures.last_year(series)
    return CrackFact(
        name=series.name,
        formula=formula,
        last=float(values[-1]),
        time=iso(series.times[-1]),
        changes=measures.changes(values, measures.periods_of(series, period_days)),
        change_5_pct=change,
        year_percentile=100 * float((year <= values[-1]).mean()) if len(year) > 20 else None,
        trend=measures.trend(values),
    )


def stock(series: Series, demand: Series | None, period_days: int | None) -> StockFact:
    """Level, changes and season of an inventory; days of supply where demand is known alike."""
    days = None
    if demand is not None and _matching(series.unit, demand.unit):
        days = float(series.values[-1]) / _recent(demand)
    return StockFact(
        name=series.name,
        label=series.label,
        product=series.product,
        unit=series.unit,
        period=series.period,
        last=float(series.values[-1]),
        time=iso(series.times[-1]),
        changes=measures.changes(series.values, measures.periods_of(series, period_days)),
        seasonal=measures.seasonal(series),
        days_of_supply=days,
    )


def _matching(stock_unit: str | None, demand_unit: str | None) -> bool:
    return stock_unit is not None and demand_unit in (f"{stock_unit}/d", f"{stock_unit}/day")


def _four_weeks(series: Series) -> int:
    return max(1, round(series.per_year * 28 / 365.25))


def _recent(series: Series) -> float:
    return float(series.values[-_four_weeks(series) :].mean())


def demand(series: Series) -> DemandFact:
    """Level of demand, smoothed over four weeks, against a year before."""
    count, back = _four_weeks(series), round(series.per_year)
    change = None
    if len(series.values) >= count + back:
        before = float(series.values[-count - back : len(series.values) - back].mean())
        change = 100 * (_recent(series) / before - 1) if before > 0 else None
    return DemandFact(
        name=series.name,
        label=series.label,
        product=series.product,
        unit=series.unit,
        period=series.period,
        last=float(series.values[-1]),
        time=iso(series.times[-1]),
        four_week_mean=_recent(series),
        year_change_pct=change,
        seasonal=measures.seasonal(series),
        trend=measures.trend(series.values),
    )


def largest_moves(series: Iterable[Series], parameters: MarketInput) -> tuple[LargeMove, ...]:
    """The most unusual changes over five periods, largest first."""
    found: list[LargeMove] = []
    for item in series:
        size = measures.move_size(item.values, MOVE_PERIODS, item.per_year)
        if size is None:
            continue
        moved = measures.changes(item.values, (MOVE_PERIODS,))[0]
        percent = f" ({moved.percent:+.1f} %)" if moved.percent is not None else ""
        found.append(
            LargeMove(
                name=item.name,
                label=item.label,
                change=moved.absolute,
                percent=moved.percent,
                unit=item.unit,
                size=size,
                text=f"{item.label} {moved.absolute:+,.3g} {item.unit or ''}{percent} over "
                f"{MOVE_PERIODS} {item.period}s, {abs(size):.1f} times its usual move",
            )
        )
    found.sort(key=lambda move: -abs(move.size))
    return tuple(found[: parameters.top])
