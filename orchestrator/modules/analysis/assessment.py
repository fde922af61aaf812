"""What changed in the market, how sure that is, and what it means for this refinery.

Statements follow from fixed rules, each named with what it rests on; nothing is concluded without one.
A rule says which way to look, not what to do: the plan sets numbers, with all limits in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.catalogue import UNITED_STATES, words_of
from orchestrator.modules.analysis.cracks import Spread, netback_words
from orchestrator.modules.analysis.demand import demand_words
from orchestrator.modules.analysis.facts import (
    CrackFact,
    DemandFact,
    Evidence,
    NetbackFact,
    Statement,
    StockFact,
    TermStructure,
)
from orchestrator.modules.analysis.stocks import stock_words
from orchestrator.modules.analysis.words import day_of, quantity

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import Product
    from orchestrator.modules.analysis.series import Series
    from orchestrator.plant.tags import Plant

PERIODS = 5
WORTH_SAYING = 1.0
"""Standard deviations under which a change is not worth a statement."""
WORTH_SAYING_OF_DISTRICT = 2.0
"""The same for a part of the country, of which there are many."""
DEMAND_CHANGE_PCT = 5.0
LEAST_TO_COMPARE = 30
MARGIN_RULE = (
    "a barrel is worth running while its products earn more than crude and variable cost (marginal "
    "economics)"
)
SWING_RULE = (
    "the material between two neighbouring cuts can go to either (swing cut), so it goes to the dearer "
    "one (Gary, Handwerk and Kaiser, Petroleum Refining: Technology and Economics)"
)
STORAGE_RULE = (
    "low stocks make a product scarce now and its price and margin nervous, high stocks press on both "
    "(theory of storage: Kaldor 1939, Working 1949)"
)
CARRY_RULE = (
    "storing pays where later delivery is dearer by more than interest and storage cost; where it is "
    "cheaper, stock loses value (theory of storage: Working 1949)"
)
DEMAND_RULE = "product supplied is what left the primary system; it stands in for consumption (EIA)"

Sure = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class _Sized:
    """A statement and how unusual it is."""

    size: float
    statement: Statement


def statements(
    prices: Sequence[Series],
    spreads: Sequence[tuple[Spread, CrackFact]],
    stocks: Sequence[StockFact],
    demand: Sequence[DemandFact],
    worth: Sequence[NetbackFact],
    structure: Sequence[TermStructure],
    plant: Plant,
) -> tuple[Statement, ...]:
    """All statements that the rules give, most unusual first."""
    found = [
        *_prices(prices),
        *_cracks(spreads, plant),
        *_balance(spreads, plant),
        *_stocks(stocks),
        *_demand(demand),
        *_crudes(worth),
        *_structure(structure),
    ]
    found.sort(key=lambda item: -abs(item.size))
    return tuple(item.statement for item in found)


def sure(size: float) -> Sure:
    """By how many standard deviations something stands out."""
    return "high" if abs(size) >= 3 else "medium" if abs(size) >= 2 else "low"


def _prices(prices: Sequence[Series]) -> list[_Sized]:
    """Prices that moved, and the first crude whatever it did."""
    lead = next((item for item in prices if item.product == "crude"), None)
    found = []
    for item in prices:
        size = measures.move_size(item.values, PERIODS, item.per_year)
        if size is None or (abs(size) < WORTH_SAYING and item is not lead):
            continue
        moved = measures.changes(item.values, (PERIODS,))[0]
        direction = "rose" if moved.absolute > 0 else "fell"
        percent = f" ({moved.percent:+.1f} %)" if moved.percent is not None else ""
        meaning = None
        if item.product == "crude":
            meaning = (
                "Crude is dearer: margins shrink unless products follow."
                if moved.absolute > 0
                else "Crude is cheaper: margins widen unless products follow."
            ) + " The spreads below say whether they do."
        found.append(
            _Sized(
                size,
                Statement(
                    topic="price",
                    text=f"{item.label} {direction} by "
                    f"{quantity(abs(moved.absolute), item.unit)}{percent} over {PERIODS} {item.period}s, to "
                    f"{item.values[-1]:,.4g}; {abs(size):.1f} times its usual move.",
                    sure=sure(size),
                    meaning=meaning,
                    rule=MARGIN_RULE if meaning else None,
                    evidence=_ends(item),
                ),
            )
        )
    return found


def _ends(series: Series) -> tuple[Evidence, ...]:
    """The last value and the one of five periods before."""
    return tuple(
        Evidence(
            series=series.name,
            date=day_of(series.times[row]),
            value=float(series.values[row]),
            unit=series.unit,
        )
        for row in (-1 - PERIODS, -1)
    )


def _cracks(spreads: Sequence[tuple[Spread, CrackFact]], plant: Plant) -> list[_Sized]:
    """Spreads that moved, and the first one whatever it did.

    What it means is said once, by the first spread, and for each product at its place: others may move
    apart and would point the other way.
    """
    found = []
    place = _place(spreads)
    weighed = {"diesel", "gasoline"} if _pair(spreads) else set()
    told: set[Product | None] = set()
    for number, (spread, fact) in enumerate(spreads):
        size = measures.move_size(spread.series.values, PERIODS, spread.series.per_year)
        if size is None or (abs(size) < WORTH_SAYING and number > 0):
            continue
        moved = measures.changes(spread.series.values, (PERIODS,))[0]
        direction = "widened" if moved.absolute > 0 else "narrowed"
        meaning, rule = None, None
        simple = fact.kind == "simple"
        if abs(size) >= WORTH_SAYING and (
            number == 0
            or (simple and spread.place == place and fact.product not in {*told, *weighed})
        ):
            meaning, rule = _of_crack(fact, moved.absolute, plant)
            told.add(fact.product)
        found.append(
            _Sized(
                size,
                Statement(
                    topic="crack",
                    text=f"{fact.label} {fact.last:,.2f} USD/bbl: {direction} by "
                    f"{abs(moved.absolute):,.2f} USD/bbl over {PERIODS} {spread.series.period}s, "
                    f"{abs(size):.1f} times its usual move.",
                    sure=sure(size),
                    meaning=meaning,
                    rule=rule,
                    evidence=(*_ends(spread.series), *fact.evidence[1:]),
                ),
            )
        )
    return found


def _balance(spreads: Sequence[tuple[Spread, CrackFact]], plant: Plant) -> list[_Sized]:
    """Which of distillate and gasoline earns more over crude, at the first place that has both."""
    pair = _pair(spreads)
    if pair is None:
        return []
    diesel, gasoline = pair
    times = np.intersect1d(diesel.series.times, gasoline.series.times)
    parts = [s.series.values[np.searchsorted(s.series.times, times)] for s in (diesel, gasoline)]
    apart = parts[0] - parts[1]
    year = apart[times > times[-1] - np.timedelta64(365, "D")]
    deviation = float(year.std(ddof=1))
    size = float(apart[-1] - year.mean()) / deviation if deviation > 0 else 0.0
    product = "diesel" if apart[-1] > 0 else "gasoline"
    handles = _handles(plant, "diesel")
    at = f" Handles of this plant that draw diesel: {', '.join(handles)}." if handles else ""
    day = day_of(times[-1])
    return [
        _Sized(
            size,
            Statement(
                topic="crack",
                text=f"{diesel.legs[0][0].label} earns {abs(apart[-1]):,.2f} USD/bbl "
                f"{'more' if apart[-1] > 0 else 'less'} over crude than "
                f"{gasoline.legs[0][0].label}; the mean of the year is "
                f"{year.mean():+,.2f}, and this is {abs(size):.1f} standard deviations from it.",
                sure=sure(size),
                meaning=f"At these prices swing material belongs to {product}.{at}",
                rule=SWING_RULE,
                evidence=tuple(
                    Evidence(series=spread.name, date=day, value=float(values[-1]), unit="USD/bbl")
                    for spread, values in zip((diesel, gasoline), parts, strict=True)
                ),
            ),
        )
    ]


def _place(spreads: Sequence[tuple[Spread, CrackFact]]) -> str | None:
    """The place that was asked for, else the first: that of the first spread of several products."""
    sets = (spread.place for spread, fact in spreads if fact.kind not in ("simple", "own yields"))
    return next(sets, spreads[0][0].place if spreads else None)


def _pair(spreads: Sequence[tuple[Spread, CrackFact]]) -> tuple[Spread, Spread] | None:
    """Distillate and gasoline over crude at one place, long enough to compare."""
    simple = [spread for spread, fact in spreads if fact.kind == "simple"]
    place = _place(spreads)
    simple.sort(key=lambda spread: spread.place != place)
    for diesel in (spread for spread in simple if spread.legs[0][0].product == "diesel"):
        for gasoline in simple:
            if gasoline.legs[0][0].product == "gasoline" and gasoline.place == diesel.place:
                common = np.intersect1d(diesel.series.times, gasoline.series.times)
                return (diesel, gasoline) if len(common) >= LEAST_TO_COMPARE else None
    return None


def _of_crack(fact: CrackFact, change: float, plant: Plant) -> tuple[str, str]:
    if fact.kind == "simple" and len(fact.legs) == 1:
        product = fact.product
        if product is not None:
            towards = "towards" if change > 0 else "away from"
            handles = _handles(plant, product)
            at = f" Handles of this plant that draw it: {', '.join(handles)}." if handles else ""
            name = "jet fuel" if product == "jet" else product.replace("_", " ")
            return f"Swing material {towards} {name}.{at}", SWING_RULE
    if fact.last <= 0:
        return "At these prices a barrel costs more than its products: cut runs.", MARGIN_RULE
    more = "more" if change > 0 else "less"
    return f"A further barrel of charge earns {more} than before.", MARGIN_RULE


def _handles(plant: Plant, product: Product) -> list[str]:
    """Handles of the economics whose description names the product."""
    if plant.economics is None:
        return []
    words = ("kerosene", "jet") if product == "jet" else (product.replace("_", " "),)
    return [
        name
        for name in plant.economics.handles
        if (tag := plant.by_name.get(name)) is not None
        and any(word in tag.description.casefold() for word in words)
    ]


def _stocks(stocks: Iterable[StockFact]) -> list[_Sized]:
    found = []
    for fact in stocks:
        scores = [
            score
            for score in (
                fact.build.surprise_z if fact.build else None,
                fact.seasonal.z_score if fact.seasonal else None,
            )
            if score is not None
        ]
        whole = fact.region in (None, UNITED_STATES)
        least = WORTH_SAYING if whole else WORTH_SAYING_OF_DISTRICT
        if not scores or max(map(abs, scores)) < least:
            continue
        size = max(scores, key=abs)
        meaning = None
        level = fact.seasonal.z_score if fact.seasonal else None
        if fact.product is not None and level is not None and abs(level) >= WORTH_SAYING:
            what = words_of(fact.product)
            if fact.product == "crude":
                meaning = (
                    "Crude is plentiful for the season: little supports its price."
                    if level > 0
                    else "Crude is short for the season: its price has support."
                )
            else:
                meaning = (
                    f"{what.capitalize()} is plentiful for the season: its margin is under pressure."
                    if level > 0
                    else f"{what.capitalize()} is short for the season: its margin has support."
                )
        found.append(
            _Sized(
                size,
                Statement(
                    topic="stock",
                    text=f"{stock_words(fact)}.",
                    sure=sure(size),
                    meaning=meaning,
                    rule=STORAGE_RULE if meaning else None,
                    evidence=fact.evidence,
                ),
            )
        )
    return found


def _demand(demand: Iterable[DemandFact]) -> list[_Sized]:
    found = []
    for fact in demand:
        change = fact.year_change_pct
        if change is None or abs(change) < DEMAND_CHANGE_PCT:
            continue
        # Where its season is known the size is that of the level in it, else a bare change counts little.
        score = fact.seasonal.z_score if fact.seasonal else None
        size = score if score is not None else WORTH_SAYING
        product = words_of(fact.product) if fact.product else "product"
        found.append(
            _Sized(
                size,
                Statement(
                    topic="demand",
                    text=f"{demand_words(fact)}.",
                    sure=sure(size),
                    meaning=f"The market takes {'more' if change > 0 else 'less'} {product} than a "
                    "year ago.",
                    rule=DEMAND_RULE,
                    evidence=fact.evidence,
                ),
            )
        )
    return found


def _crudes(worth: Sequence[NetbackFact]) -> list[_Sized]:
    if not worth:
        return []
    best, worst = worth[0], worth[-1]
    said = netback_words(best)
    if worst is not best:
        said += f"; {netback_words(worst)}"
    size = best.margin_change_5_size or 0.0
    meaning = (
        f"{best.crude} earns most a barrel of these crudes; the plan says how much of it fits."
        if worst is not best
        else f"{best.crude} {'earns' if best.margin > 0 else 'loses'} "
        f"{abs(best.margin):,.2f} USD/bbl before fixed cost."
    )
    return [
        _Sized(
            size,
            Statement(
                topic="crude",
                text=f"{said}.",
                sure=sure(size),
                meaning=meaning,
                rule=MARGIN_RULE,
                evidence=best.evidence,
            ),
        )
    ]


def _structure(structure: Iterable[TermStructure]) -> list[_Sized]:
    found = []
    for item in structure:
        carry = f"{item.carry_pct:+.1f} % a year" if item.carry_pct is not None else "no carry"
        meaning = {
            "contango": "Holding stock is paid for where storage costs less than this carry.",
            "backwardation": "Stock loses value while it waits: hold no more than operation needs.",
            "flat": None,
        }[item.shape]
        found.append(
            _Sized(
                0.0,
                Statement(
                    topic="term structure",
                    text=f"{(item.product or 'Futures').capitalize()} futures are in {item.shape} "
                    f"({carry})."
                    if item.shape != "flat"
                    else f"{(item.product or 'Futures').capitalize()} futures are flat ({carry}).",
                    sure="high",
                    meaning=meaning,
                    rule=CARRY_RULE if meaning else None,
                    evidence=item.evidence,
                ),
            )
        )
    return found
