"""What a crude is worth by the products it yields, against what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import UnknownTagError
from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.catalogue import product_of
from orchestrator.modules.analysis.facts import Evidence, NetbackFact
from orchestrator.modules.analysis.freshness import ended, living_first, newest
from orchestrator.modules.analysis.series import Series, spot_prices
from orchestrator.modules.analysis.words import day_of
from orchestrator.modules.frames import iso
from orchestrator.modules.optimization.plan import configured_model
from orchestrator.modules.price_units import per_barrel
from orchestrator.plant.expressions import Expression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.models import CracksInput
    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.refinery.model import RefineryModel

LEAST_VALUED = 0.5


@dataclass(frozen=True, slots=True)
class _Crude:
    """A crude to value: its price as a formula over columns, and yields by stream or product."""

    name: str
    price: str
    yields: dict[str, float]
    cost: float
    transport: float


def netbacks(
    series: Sequence[Series], parameters: CracksInput, context: OperationContext
) -> tuple[tuple[NetbackFact, ...], list[str]]:
    """Netbacks of the grades given, else of the crudes of the plan's model, best margin first.

    The netback is the gross worth of the products less refining cost and transport (what the crude may
    cost where it loads); the margin is the netback less its price. Prices are those of the newest date
    that all the series used have. The second part says what could not be valued.

    Raises:
        UnknownTagError: a grade names a price column that the data does not hold.
    """
    spot = living_first(spot_prices(list(series)))
    prices = {item.name: item for item in spot if item.in_barrels is not None}
    for name, grade in parameters.grades.items():
        if isinstance(grade.price, str) and grade.price not in prices:
            raise UnknownTagError(
                f"the grade {name} takes its price from {grade.price!r}, which is no price in "
                "USD/bbl or USD/gal of the data",
                where=f"parameters, grades.{name}.price",
                remedy=f"name one of: {', '.join(prices) or 'none'}; or give a number in USD/bbl",
            )
    given = [
        _Crude(
            name,
            f"{_in_barrels(grade.price, prices)} + {grade.differential!r}",
            {str(product): share for product, share in grade.yields.items()},
            grade.cost,
            grade.transport,
        )
        for name, grade in parameters.grades.items()
    ]
    if not given:
        model = configured_model(context)
        given = _of_model(model) if model is not None else []
    found, notes = [], []
    latest = newest(spot)
    for crude in given:
        worth = _netback(crude, prices)
        if isinstance(worth, str):
            notes.append(f"crude {crude.name} is not valued: {worth}")
        else:
            found.append(worth)
            gone = [e.series for e in worth.evidence if ended(prices[e.series], latest)]
            if gone:
                notes.append(
                    f"crude {crude.name} is valued on {worth.time[:10]}: {', '.join(gone)} ended then"
                )
    return tuple(
        sorted(found, key=lambda item: -item.margin)
    ), notes if found or parameters.grades else []


def _in_barrels(price: str | float, prices: Mapping[str, Series]) -> str:
    """A column or number in USD/bbl, as an expression writes it."""
    if isinstance(price, str):
        return f"{per_barrel(prices[price].unit)!r} * `{price}`"
    return repr(price)


def _of_model(model: RefineryModel) -> list[_Crude]:
    """Crudes of a plan in its first period, with the yields of the unit that takes them."""
    from orchestrator.modules.optimization.refinery.flowsheet import APART, Flowsheet
    from orchestrator.modules.optimization.refinery.numbers import at, price_at

    sheet, first = Flowsheet(model), model.spans[0].name
    found = []
    for name, crude in model.crudes.items():
        price = crude.price if crude.price is not None else crude.tiers[0].price
        process = next((item for item in sheet.processes if item.feed == name), None)
        if process is not None:
            shares = sheet.yields(process, first).items()
            yields = {stream.partition(APART)[0]: share for stream, share in shares if share > 0}
            cost = at(process.cost, first)
            found.append(_Crude(name, str(price_at(price, first)), yields, cost, 0.0))
    return found


def _netback(crude: _Crude, prices: Mapping[str, Series]) -> NetbackFact | str:
    formula = Expression.parse(crude.price)
    missing = sorted(formula.names - prices.keys())
    if missing:
        return f"its price needs {', '.join(missing)}"
    legs: dict[str, Series] = {}
    for stream in crude.yields:
        product = product_of(stream)
        leg = next((p for p in prices.values() if p.product == product and product), None)
        if leg is not None:
            legs[stream] = leg
    valued = sum(share for stream, share in crude.yields.items() if stream in legs)
    if valued < LEAST_VALUED * sum(crude.yields.values()):
        return "under half of what it yields has a price"
    used = [*legs.values(), *(prices[name] for name in formula.names)]
    times = used[0].times
    for item in used[1:]:
        times = np.intersect1d(times, item.times)
    if not len(times):
        return "its prices share no date"
    barrels = {item.name: _at(item, times) for item in used}
    gross = sum(
        (
            share * barrels[legs[stream].name]
            for stream, share in crude.yields.items()
            if stream in legs
        ),
        np.zeros(len(times)),
    )
    # A formula is written for its tags as the data give them, in their own units.
    own = {n: prices[n].values[np.searchsorted(prices[n].times, times)] for n in formula.names}
    price = np.zeros(len(times)) + formula.evaluate(own)
    netback = gross - crude.cost - crude.transport
    margin = netback - price
    at = times[-1]
    return NetbackFact(
        crude=crude.name,
        gross_worth=float(gross[-1]),
        cost=crude.cost,
        transport=crude.transport,
        netback=float(netback[-1]),
        price=float(price[-1]),
        margin=float(margin[-1]),
        margin_change_5=float(margin[-1] - margin[-6]) if len(margin) > 5 else None,
        margin_change_5_size=measures.move_size(margin, 5, used[0].per_year),
        yields=crude.yields,
        unvalued={s: share for s, share in crude.yields.items() if s not in legs},
        time=iso(at),
        evidence=tuple(
            Evidence(
                series=item.name,
                date=day_of(at),
                value=float(barrels[item.name][-1]),
                unit="USD/bbl",
            )
            for item in {item.name: item for item in used}.values()
        ),
    )


def _at(series: Series, times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    barrels = series.in_barrels
    assert barrels is not None
    return barrels[np.searchsorted(series.times, times)]
