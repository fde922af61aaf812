"""``analysis.prices``: where prices are, how they move and have moved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.facts import Correlations, LargeMove, PriceFact, Swing
from orchestrator.modules.analysis.futures import ABSENT, term_structures
from orchestrator.modules.analysis.moves import largest_moves, swings
from orchestrator.modules.analysis.regimes import change_points
from orchestrator.modules.analysis.results import PricesResult
from orchestrator.modules.analysis.series import DAY, Series, load, spot_prices
from orchestrator.modules.analysis.volatility import log_returns, spread
from orchestrator.modules.analysis.words import (
    as_of,
    day_of,
    none_of,
    of_other_roles,
    old_data,
    quantity,
    sentence,
    unmatched,
    with_report,
)
from orchestrator.modules.frames import iso

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import PricesInput
    from orchestrator.modules.base import OperationContext

CORRELATION_DAYS = 365
LEAST_RETURNS = 30


def run(parameters: PricesInput, context: OperationContext) -> PricesResult:
    """Levels, changes, volatility and trend of prices; of their future no more is claimed."""
    context.progress(0.1, "reading market series")
    loaded = load(parameters, context, "price")
    prices = spot_prices(loaded.asked)
    context.progress(0.3, "measuring volatility")
    found = tuple(price_fact(item, parameters.period_days) for item in prices)
    moves = largest_moves(prices, parameters.top)
    structure = term_structures(loaded.asked)
    crude_first = sorted(found, key=lambda item: item.product != "crude")
    said = [price_words(item) for item in crude_first[:3]] or [none_of("price")]
    result = PricesResult(
        summary=sentence([*said, *moves_words(prices, moves)]),
        warnings=(
            *of_other_roles(loaded, parameters, "price").values(),
            *unmatched(loaded, parameters),
            *old_data(loaded.asked, context),
        ),
        as_of=as_of(loaded.asked),
        prices=found,
        largest_moves=moves,
        swings=swings_of(prices, parameters.top),
        correlations=correlations(prices),
        term_structure=structure,
        term_structure_note=None if structure else ABSENT,
    )
    return with_report(result, parameters, context, loaded)


def price_fact(series: Series, period_days: int | None) -> PriceFact:
    """Level, changes, volatility and trend of a price."""
    year = measures.last_year(series)
    movement = spread(series.values, series.per_year)
    return PriceFact(
        name=series.name,
        label=series.label,
        product=series.product,
        region=series.region,
        unit=series.unit,
        period=series.period,
        last=float(series.values[-1]),
        time=iso(series.times[-1]),
        changes=measures.changes(series.values, measures.periods_of(series, period_days)),
        volatility_20_pct=measures.volatility(series.values, 20, series.per_year),
        volatility_60_pct=measures.volatility(series.values, 60, series.per_year),
        volatility=movement.fact if movement else None,
        change_points=change_points(series),
        year_low=float(year.min()),
        year_high=float(year.max()),
        trend=measures.trend(series.values),
    )


def swings_of(prices: Sequence[Series], count: int) -> tuple[Swing, ...]:
    """Of the first crude, else of the first price."""
    lead = next((item for item in prices if item.product == "crude"), None) or next(
        iter(prices), None
    )
    return swings(lead, count) if lead is not None else ()


def correlations(prices: Sequence[Series]) -> Correlations | None:
    """Correlations of log returns of the last year; ``None`` for one price or few common returns.

    A price without values in that year is left out, so that an ended series does not end the others'.
    """
    if not prices:
        return None
    since = max(item.times[-1] for item in prices) - CORRELATION_DAYS * DAY
    recent = [item for item in prices if (item.times > since).sum() > LEAST_RETURNS]
    if len(recent) < 2:
        return None
    common = reduce(np.intersect1d, [item.times[item.times > since] for item in recent])
    if len(common) <= LEAST_RETURNS:
        return None
    returns = np.stack(
        [log_returns(item.values[np.searchsorted(item.times, common)]) for item in recent]
    )
    known = np.isfinite(returns).all(axis=0)
    moving = returns[:, known].std(axis=1) > 0 if known.any() else np.zeros(len(recent), bool)
    if known.sum() < LEAST_RETURNS or moving.sum() < 2:
        return None
    matrix = np.corrcoef(returns[moving][:, known])
    return Correlations(
        names=tuple(item.name for item, moves in zip(recent, moving, strict=True) if moves),
        matrix=tuple(tuple(round(float(value), 4) for value in row) for row in matrix),
        returns=int(known.sum()),
        start=day_of(common[0]),
        end=day_of(common[-1]),
    )


def price_words(fact: PriceFact) -> str:
    """One price in words."""
    moved = next((c for c in fact.changes if c.periods == 5 and c.percent is not None), None)
    change = f", {moved.percent:+.1f} % over 5 {fact.period}s" if moved else ""
    return f"{fact.label} {quantity(fact.last, fact.unit)}{change}, {fact.trend.direction}"


def moves_words(series: Sequence[Series], moves: Sequence[LargeMove]) -> list[str]:
    """The five largest moves of ``series`` with their dates; nothing where there are none."""
    if not moves:
        return []
    first = min(item.times[0] for item in series)
    last = max(item.times[-1] for item in series)
    shown = []
    for move in moves[:5]:
        size = (
            f"{move.percent:+.0f} %"
            if move.percent is not None and move.after > 0
            else f"{move.change:+,.4g} {move.unit or ''}".strip()
        )
        shown.append(f"{move.date} {move.label} {size}")
    return [f"largest moves from {day_of(first)} to {day_of(last)}: {', '.join(shown)}"]
