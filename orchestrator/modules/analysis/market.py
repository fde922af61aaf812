"""``analysis.market``: the market as a whole, and what it means for this refinery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.modules.analysis.assessment import statements
from orchestrator.modules.analysis.catalogue import UNITED_STATES
from orchestrator.modules.analysis.cracks import crack_words, fact, spreads_of
from orchestrator.modules.analysis.deck import price_deck
from orchestrator.modules.analysis.demand import demand_fact
from orchestrator.modules.analysis.freshness import ended, living_first, newest
from orchestrator.modules.analysis.futures import ABSENT, term_structures
from orchestrator.modules.analysis.moves import largest_moves, recent_moves
from orchestrator.modules.analysis.netbacks import netbacks
from orchestrator.modules.analysis.prices import (
    correlations,
    moves_words,
    price_fact,
    price_words,
    swings_of,
)
from orchestrator.modules.analysis.results import MarketResult
from orchestrator.modules.analysis.series import load, require, spot_prices
from orchestrator.modules.analysis.stocks import (
    floor_words,
    outlooks,
    stock_facts,
    stock_words,
)
from orchestrator.modules.analysis.words import as_of, old_data, sentence, unmatched, with_report

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import MarketInput
    from orchestrator.modules.base import OperationContext


def run(parameters: MarketInput, context: OperationContext) -> MarketResult:
    """Prices, spreads, stocks and demand in one assessment, with a price deck for the plan.

    Raises:
        UnknownTagError: ``capacity`` names no stock of the data, or ``price_names`` no price.
    """
    context.progress(0.05, "reading market series")
    loaded = load(parameters, context)
    known = [item.name for item in loaded.all if item.role == "price"]
    require(parameters.price_names, known, "price_names", "price")
    prices = living_first(spot_prices(loaded.asked))
    latest = newest(loaded.asked)
    spreads, warnings = spreads_of(loaded.asked, parameters)
    context.progress(0.1, "measuring prices and spreads")
    price_facts = tuple(price_fact(item, parameters.period_days) for item in prices)
    crack_facts = tuple(fact(item, parameters) for item in spreads)
    worth, unvalued = netbacks(loaded.all, parameters, context)
    structure = term_structures(loaded.asked)
    stocks = stock_facts(loaded, parameters)
    demand = tuple(demand_fact(item) for item in loaded.asked if item.role == "demand")
    points, models, refused = outlooks(loaded, parameters, context, "stock")
    context.progress(0.8, "assessing")
    deck, left_out = price_deck(prices, parameters.deck_days, parameters.price_names)
    moving = [item for item in loaded.asked if item.role != "flow" and item.contract is None]
    leading = prices or moving
    moves = largest_moves(leading, parameters.top)
    whole = [s for s in moving if s.role == "price" or s.region in (None, UNITED_STATES)]
    recent = recent_moves(
        [s for s in (*whole, *(item.series for item in spreads)) if not ended(s, latest)],
        parameters.top,
    )
    said = [price_words(item) for item in price_facts if item.product == "crude"][:1]
    said += [crack_words(item) for item in crack_facts[:1]]
    said += [stock_words(item) for item in stocks if item.product != "crude"][:1]
    said += [f"most unusual now: {recent[0].text}"] if recent else []
    result = MarketResult(
        summary=sentence(
            [*said, *moves_words(leading, moves)] or [f"{len(loaded.asked)} series read"]
        ),
        warnings=(
            *unmatched(loaded, parameters),
            *warnings,
            *unvalued,
            *left_out,
            *floor_words(models),
            *old_data(loaded.asked, context),
        ),
        as_of=as_of(loaded.asked),
        statements=statements(
            [item for item in prices if not ended(item, latest)],
            [
                (item, of)
                for item, of in zip(spreads, crack_facts, strict=True)
                if not ended(item.series, latest)
            ],
            stocks,
            demand,
            worth,
            structure,
            context.plant,
        ),
        prices=price_facts,
        correlations=correlations(prices),
        term_structure=structure,
        term_structure_note=None if structure or not prices else ABSENT,
        cracks=crack_facts,
        netbacks=worth,
        stocks=stocks,
        demand=demand,
        forecasts=points,
        models=models,
        not_forecast=refused,
        largest_moves=moves,
        swings=swings_of(prices, parameters.top),
        recent_moves=recent,
        price_deck=deck,
    )
    return with_report(result, parameters, context, loaded)
