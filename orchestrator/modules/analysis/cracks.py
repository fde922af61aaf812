"""``analysis.cracks``: margins between crude and products, and what each crude is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import ParameterError, UnknownTagError
from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.facts import (
    CrackFact,
    CrackLeg,
    Evidence,
    NetbackFact,
    SpreadValue,
)
from orchestrator.modules.analysis.freshness import ended, living_first, newest
from orchestrator.modules.analysis.netbacks import netbacks
from orchestrator.modules.analysis.results import CracksResult
from orchestrator.modules.analysis.series import Series, load, spot_prices
from orchestrator.modules.analysis.words import as_of, day_of, old_data, sentence, with_report
from orchestrator.modules.frames import iso
from orchestrator.modules.price_units import per_barrel

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import CracksInput, Product
    from orchestrator.modules.base import OperationContext

MOVE_PERIODS = 5
SCALE_PERIODS = 60
SIMPLE = ("gasoline", "diesel", "jet", "naphtha", "gas_oil", "residue")
STANDS_FOR: dict[str, tuple[str | None, ...]] = {
    "crude": ("crude", None),
    "gasoline": ("gasoline", "naphtha", None),
    "diesel": ("diesel", "gas_oil", "jet", None),
}
"""Products that can be named for a leg; ``None`` is a series of which nothing tells the product."""
SETS: dict[str, tuple[float, float]] = {"3-2-1": (2, 1), "5-3-2": (3, 2), "2-1-1": (1, 1)}
"""Barrels of gasoline and of distillate; of crude as many as both together."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A margin in USD a barrel of crude on the dates that all its series have."""

    name: str
    kind: str
    place: str | None
    crude: Series
    legs: tuple[tuple[Series, float], ...]
    series: Series

    @property
    def label(self) -> str:
        """The spread for people."""
        if self.kind == "simple":
            return f"{self.legs[0][0].label} crack"
        return (
            self.name if not self.place or self.place in self.name else f"{self.name} {self.place}"
        )

    @property
    def formula(self) -> str:
        """The spread in words and numbers, with the 42 gallons of a barrel."""
        parts = []
        for leg, barrels in self.legs:
            factor = _factor(leg)
            inside = f"{factor:g} gal/bbl × {leg.label}" if factor != 1 else leg.label
            parts.append(inside if barrels == 1 else f"{_share(barrels, self.kind)} × {inside}")
        return f"{' + '.join(parts)} − {self.crude.label}"


def run(parameters: CracksInput, context: OperationContext) -> CracksResult:
    """Crack spreads with their history, and netbacks of crudes.

    Raises:
        ParameterError: the region has no products, a product of the yields has no price, or a leg is
            named that is a price of another product.
        UnknownTagError: a named leg is not a price of the data.
    """
    context.progress(0.1, "reading market series")
    loaded = load(parameters, context, "price")
    spreads, warnings = spreads_of(loaded.asked, parameters)
    found = tuple(fact(item, parameters) for item in spreads)
    worth, notes = netbacks(loaded.all, parameters, context)
    result = CracksResult(
        summary=sentence(
            [crack_words(item) for item in found[:3]]
            or ["no crack spread can be made: it takes a crude and a product with their units"]
        ),
        warnings=(*warnings, *notes, *old_data(loaded.asked, context)),
        as_of=as_of(loaded.asked),
        cracks=found,
        netbacks=worth,
    )
    return with_report(result, parameters, context, loaded)


def spreads_of(series: Sequence[Series], parameters: CracksInput) -> tuple[list[Spread], list[str]]:
    """All spreads that the series allow, the asked place first, and what stands in the way of others.

    Of several series the first one that goes on is taken, unless one is named.
    """
    prices = living_first(spot_prices(list(series)))
    crude = _named(prices, parameters.crude, "crude") or _first(prices, "crude")
    products = [item for item in prices if item.product in SIMPLE]
    if crude is None or not (products or parameters.yields):
        return [], []
    warnings = [
        f"{item.name} has no unit in USD/bbl or USD/gal, so no crack spread uses it; series can give it: "
        f'{{"{item.name}": {{"product": "{item.product}", "unit": "USD/bbl"}}}}'
        for item in (crude, *products)
        if item.in_barrels is None
    ]
    if crude.in_barrels is None:
        return [], warnings
    usable = [item for item in products if item.in_barrels is not None]
    found: list[Spread] = []
    for number, (place, gasoline, diesel) in enumerate(_places(usable, parameters)):
        for kind, (of_gasoline, of_diesel) in SETS.items():
            total = of_gasoline + of_diesel
            legs = ((gasoline, of_gasoline / total), (diesel, of_diesel / total))
            # The first place's spread bears the plain name by which it is quoted.
            name = kind if number == 0 else f"{kind} {place}"
            found.append(_spread(name, kind, place, crude, legs))
    if parameters.yields:
        # Also of products that are too small for a spread of their own, such as propane.
        sold = [item for item in prices if item.product != "crude" and item.in_barrels is not None]
        found.insert(0, _own(parameters.yields, sold, crude))
    found += [
        _spread(f"{item.name} crack", "simple", item.region, crude, ((item, 1.0),))
        for item in usable
    ]
    return [item for item in found if len(item.series.values) > 1], warnings


def _places(
    usable: Sequence[Series], parameters: CracksInput
) -> list[tuple[str | None, Series, Series]]:
    """Places that have both gasoline and distillate, the asked one first."""
    gasoline = _named(usable, parameters.gasoline, "gasoline")
    diesel = _named(usable, parameters.diesel, "diesel")
    places = list(dict.fromkeys(item.region for item in usable))
    found = []
    for place in places:
        here = [item for item in usable if item.region == place]
        pair = _first(here, "gasoline"), _first(here, "diesel")
        if pair[0] is not None and pair[1] is not None:
            found.append((place, pair[0], pair[1]))
    latest = newest(usable)
    found.sort(key=lambda item: ended(item[1], latest) or ended(item[2], latest))
    if parameters.region is not None:
        asked = _plain(parameters.region)
        first = [item for item in found if item[0] and asked in _plain(item[0])]
        if not first:
            known = ", ".join(str(item[0]) for item in found if item[0]) or "no place is known"
            raise ParameterError(
                f"no gasoline and distillate prices of {parameters.region!r}",
                where="parameters, region",
                remedy=f"name one of: {known}; or name the columns in gasoline and diesel",
            )
        found = [*first, *(item for item in found if item not in first)]
    if gasoline is not None or diesel is not None or not found:
        legs = gasoline or _first(usable, "gasoline"), diesel or _first(usable, "diesel")
        if legs[0] is not None and legs[1] is not None:
            place = legs[0].region if legs[0].region == legs[1].region else None
            own = (place, legs[0], legs[1])
            found = [own, *(item for item in found if item != own)]
    return found


def _plain(place: str) -> str:
    return place.casefold().replace("_", " ").removeprefix("us ").removeprefix("u.s. ").strip()


def _own(yields: Mapping[Product, float], sold: Sequence[Series], crude: Series) -> Spread:
    legs = []
    for product, share in yields.items():
        leg = _first(sold, product)
        if leg is None and share > 0:
            raise ParameterError(
                f"the yields name {product}, of which there is no price in USD/bbl or USD/gal",
                where="parameters, yields",
                remedy="give its price, or leave it out of the yields",
            )
        if leg is not None and share > 0:
            legs.append((leg, share))
    return _spread("own yields", "own yields", None, crude, tuple(legs))


def _spread(
    name: str, kind: str, place: str | None, crude: Series, legs: tuple[tuple[Series, float], ...]
) -> Spread:
    times = crude.times
    for leg, _ in legs:
        times = np.intersect1d(times, leg.times)
    values = -_at(crude, times)
    for leg, barrels in legs:
        values = values + barrels * _at(leg, times)
    series = replace(crude, name=name, product=None, unit="USD/bbl", times=times, values=values)
    spread = Spread(name, kind, place, crude, legs, series)
    return replace(spread, series=replace(series, label=spread.label))


def _at(series: Series, times: Any) -> Any:
    barrels = series.in_barrels
    assert barrels is not None
    return barrels[np.searchsorted(series.times, times)]


def _factor(series: Series) -> float:
    """USD/bbl for one unit of the column."""
    factor = per_barrel(series.unit)
    assert factor is not None
    return factor


def _share(barrels: float, kind: str) -> str:
    """Barrels a barrel of crude; as a fraction where the spread's name tells it."""
    if kind not in SETS:
        return f"{barrels:g}"
    total = int(sum(SETS[kind]))
    return f"{round(barrels * total)}/{total}"


def _first(series: Sequence[Series], product: str) -> Series | None:
    return next((item for item in series if item.product == product), None)


def _named(series: Sequence[Series], name: str | None, what: str) -> Series | None:
    if name is None:
        return None
    found = next((item for item in series if item.name == name), None)
    if found is None:
        listed = ", ".join(item.name for item in series) or "none"
        raise UnknownTagError(
            f"there is no price {name!r} for the {what} of the crack spreads",
            where=f"parameters, {what}",
            remedy=f"name one of the prices with a unit: {listed}",
        )
    if found.product not in STANDS_FOR[what]:
        fit = [item.name for item in series if item.product in STANDS_FOR[what]]
        raise ParameterError.of_field(
            what,
            f"{name} is a price of {str(found.product).replace('_', ' ')}, not of {what}",
            remedy=f"name one of: {', '.join(fit) or 'none is there'}; or say in series what it is",
        )
    return found


def fact(spread: Spread, parameters: CracksInput) -> CrackFact:
    """Level, changes and history of a spread."""
    series = spread.series
    values = series.values
    scale = float(np.mean(np.abs(values[-SCALE_PERIODS:])))
    change = None
    if len(values) > MOVE_PERIODS and scale > 0:
        change = 100 * float(values[-1] - values[-1 - MOVE_PERIODS]) / scale
    year = measures.last_year(series)
    deviation = float(year.std(ddof=1)) if len(year) > 20 else 0.0
    day = day_of(series.times[-1])
    return CrackFact.model_validate(
        {
            "name": spread.name,
            "label": spread.label,
            "kind": spread.kind,
            "place": spread.place,
            "product": spread.legs[0][0].product if spread.kind == "simple" else None,
            "formula": spread.formula,
            "crude": spread.crude.name,
            "legs": tuple(
                CrackLeg(series=leg.name, barrels=barrels, usd_per_barrel_for_one=_factor(leg))
                for leg, barrels in spread.legs
            ),
            "last": float(values[-1]),
            "time": iso(series.times[-1]),
            "changes": measures.changes(
                values, measures.periods_of(series, parameters.period_days)
            ),
            "change_5_pct": change,
            "year_percentile": 100 * float((year <= values[-1]).mean()) if len(year) > 20 else None,
            "year_z_score": float(values[-1] - year.mean()) / deviation if deviation > 0 else None,
            "trend": measures.trend(values),
            "values": _values(series, parameters),
            "evidence": (
                Evidence(series=spread.name, date=day, value=float(values[-1]), unit="USD/bbl"),
                *(
                    Evidence(
                        series=leg.name,
                        date=day,
                        value=float(leg.values[np.searchsorted(leg.times, series.times[-1])]),
                        unit=leg.unit,
                    )
                    for leg in (spread.crude, *(leg for leg, _ in spread.legs))
                ),
            ),
        }
    )


def _values(series: Series, parameters: CracksInput) -> tuple[SpreadValue, ...]:
    """The last values and those of the dates asked for, oldest first; a date without one is not there."""
    days = series.times.astype("datetime64[D]")
    asked = np.array([np.datetime64(day, "D") for day in parameters.dates], dtype="datetime64[D]")
    shown = np.isin(days, asked)
    if parameters.values:
        shown[-parameters.values :] = True
    return tuple(
        SpreadValue(date=str(day), value=float(value))
        for day, value in zip(days[shown], series.values[shown], strict=True)
    )


def crack_words(item: CrackFact) -> str:
    """One spread in words, with its date: that of its legs which ends first."""
    moved = next((c for c in item.changes if c.periods == MOVE_PERIODS), None)
    change = f", {moved.absolute:+,.2f} {item.unit} over {MOVE_PERIODS} periods" if moved else ""
    return f"{item.label} {item.last:,.4g} {item.unit} on {item.time[:10]}{change}"


def netback_words(item: NetbackFact) -> str:
    """One crude in words."""
    return (
        f"{item.crude} is worth {item.netback:,.2f} USD/bbl by its products and costs "
        f"{item.price:,.2f}: {item.margin:+,.2f}"
    )
