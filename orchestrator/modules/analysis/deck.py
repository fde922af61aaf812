"""A price deck: low, base and high prices that belong together, with probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import ParameterError
from orchestrator.modules.analysis.freshness import ended, newest
from orchestrator.modules.analysis.series import DAY, Series
from orchestrator.modules.analysis.volatility import Spread, log_returns, spread
from orchestrator.modules.analysis.words import day_of
from orchestrator.modules.price_deck import PriceDeck, PriceScenario

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

QUANTILE = 1.2815515655446004
"""Of the standard normal distribution at 90 %."""
SWANSON = {"low": 0.3, "base": 0.4, "high": 0.3}
"""Weights of the 10 %, 50 % and 90 % points by Swanson's rule, which comes near the mean of a moderately
skew distribution (Hurst, Brown and Swanson 2000)."""
CORRELATION_DAYS = 365
LEAST_COMMON = 30
METHOD = (
    "Base is the last price (no drift is claimed). {driver} low and high are its 10 % and 90 % points "
    "after {days} days, from the volatility of its log returns ({model}); other prices take their most "
    "likely value given that of {driver}, by the correlation of log returns over the last year. "
    "Probabilities 0.3, 0.4, 0.3 by Swanson's rule."
)


def price_deck(
    prices: Sequence[Series], days: int, names: Mapping[str, str]
) -> tuple[PriceDeck | None, list[str]]:
    """The deck of all prices in USD/bbl or USD/gal that go on, driven by the first crude (else the
    first price).

    With normal log returns, the driver's move over the horizon is ±1.28 σ and another price moves with
    it by ρ times ±1.28 of its own σ. The second part says what is left out, and why.

    Raises:
        ParameterError: ``names`` gives two of the prices one name.
    """
    _refuse_twins(prices, names)
    usable, notes = [], []
    latest = newest(prices)
    for item in prices:
        if item.in_barrels is None:
            notes.append(f"{item.name} is not in the price deck: no unit in USD/bbl or USD/gal")
        elif item.values[-1] <= 0:
            notes.append(f"{item.name} is not in the price deck: its last price is not positive")
        elif ended(item, latest):
            day = day_of(item.times[-1])
            notes.append(f"{item.name} is not in the price deck: it ended on {day}")
        else:
            usable.append(item)
    driver = next((item for item in usable if item.product == "crude"), None)
    driver = driver or next(iter(usable), None)
    if driver is None:
        return None, notes
    of_driver = _spread(driver, days)
    if of_driver is None:
        return None, [*notes, f"no price deck: {driver.name} has fewer than 20 returns"]
    moves: dict[str, float] = {}
    bases: dict[str, float] = {}
    units: dict[str, str] = {}
    for item in usable:
        found = of_driver if item is driver else _spread(item, days)
        together = 1.0 if item is driver else correlation(item, driver)
        if found is None or together is None:
            notes.append(
                f"{item.name} is not in the price deck: too few returns beside {driver.name}"
            )
            continue
        name = names.get(item.name, item.name)
        barrels = item.in_barrels
        assert barrels is not None
        bases[name] = float(barrels[-1])
        units[name] = str(item.unit)
        moves[name] = together * QUANTILE * found.horizon_deviation(_periods(item, days))
    signs = {"low": -1.0, "base": 0.0, "high": 1.0}
    return (
        PriceDeck(
            scenarios=tuple(
                PriceScenario.model_validate(
                    {
                        "name": scenario,
                        "probability": SWANSON[scenario],
                        "prices": {
                            name: round(base * math.exp(sign * moves[name]), 4)
                            for name, base in bases.items()
                        },
                    }
                )
                for scenario, sign in signs.items()
            ),
            as_of=day_of(max(item.times[-1] for item in usable)),
            horizon_days=days,
            units=units,
            method=METHOD.format(driver=driver.label, days=days, model=of_driver.model.upper()),
        ),
        notes,
    )


def _refuse_twins(prices: Sequence[Series], names: Mapping[str, str]) -> None:
    taken: dict[str, str] = {}
    for item in prices:
        name = names.get(item.name, item.name)
        other = taken.setdefault(name, item.name)
        if other != item.name:
            raise ParameterError.of_field(
                "price_names",
                f"{other} and {item.name} both go by the name {name}",
                remedy="name one of them; each price of the plan comes from one series",
            )


def _periods(series: Series, days: int) -> int:
    return max(1, round(days * series.per_year / 365.25))


def _spread(series: Series, days: int) -> Spread | None:
    return spread(series.values, series.per_year, _periods(series, days))


def correlation(one: Series, other: Series) -> float | None:
    """Correlation of the log returns of the last year on common dates; ``None`` with few."""
    common = np.intersect1d(one.times, other.times)
    common = common[common > max(one.times[-1], other.times[-1]) - CORRELATION_DAYS * DAY]
    pair = [log_returns(item.values[np.searchsorted(item.times, common)]) for item in (one, other)]
    known = np.isfinite(pair[0]) & np.isfinite(pair[1])
    if known.sum() < LEAST_COMMON:
        return None
    first, second = pair[0][known], pair[1][known]
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
