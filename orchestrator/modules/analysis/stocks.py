"""``analysis.stocks``: where inventories stand in their season, and where they go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.analysis import measures, season
from orchestrator.modules.analysis.catalogue import UNITED_STATES
from orchestrator.modules.analysis.facts import Anomaly, Build, Evidence, StockFact
from orchestrator.modules.analysis.members import HALF_LIFE_YEARS
from orchestrator.modules.analysis.outlook import Outlook, outlook
from orchestrator.modules.analysis.outlook_models import OutlookScore
from orchestrator.modules.analysis.panel import has_grid, panel
from orchestrator.modules.analysis.results import StocksResult
from orchestrator.modules.analysis.series import Loaded, Series, load, require
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
from orchestrator.modules.forecasting.models import ForecastPoint
from orchestrator.modules.frames import iso

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import DemandInput, Role, StocksInput
    from orchestrator.modules.base import OperationContext

ANOMALY_SIZE = 3.0
MOST_UNASKED = 6
MAIN_PRODUCTS = ("crude", "gasoline", "diesel")


def run(parameters: StocksInput, context: OperationContext) -> StocksResult:
    """Inventories against their season, with forecasts."""
    context.progress(0.1, "reading market series")
    loaded = load(parameters, context, "stock")
    found = stock_facts(loaded, parameters)
    points, models, refused = outlooks(loaded, parameters, context, "stock")
    result = StocksResult(
        summary=sentence(
            [stock_words(item) for item in found[:3]] + forecast_words(points, models, loaded)
            or [none_of("stock")]
        ),
        warnings=(
            *unmatched(loaded, parameters),
            *floor_words(models),
            *old_data(loaded.asked, context),
        ),
        as_of=as_of(loaded.asked),
        stocks=found,
        forecasts=points,
        models=models,
        not_forecast={**of_other_roles(loaded, parameters, "stock"), **refused},
    )
    return with_report(result, parameters, context, loaded)


def stock_facts(loaded: Loaded, parameters: StocksInput) -> tuple[StockFact, ...]:
    """Facts of all stocks asked for; demand for the days of supply may be any of the data.

    What takes crude is the runs of refineries, the flow of no one product that is measured as crude is.

    Raises:
        UnknownTagError: ``capacity`` names no stock of the data.
    """
    stocks = [item.name for item in loaded.all if item.role == "stock"]
    require(parameters.capacity, stocks, "capacity", "stock")
    taken: dict[tuple[str | None, str | None], Series] = {}
    for item in loaded.all:
        if item.role == "demand" and item.product:
            taken.setdefault((item.product, item.region), item)
        elif item.role == "flow" and item.product is None and item.unit == "kbbl/d":
            taken.setdefault(("crude", item.region), item)
    return tuple(
        stock_fact(item, taken.get((item.product, item.region)), parameters)
        for item in loaded.asked
        if item.role == "stock"
    )


def stock_fact(series: Series, demand: Series | None, parameters: StocksInput) -> StockFact:
    """Level, changes and season of an inventory; days of supply where demand is known alike."""
    last, day = float(series.values[-1]), day_of(series.times[-1])
    days = None
    evidence = [Evidence(series=series.name, date=day, value=last, unit=series.unit)]
    if demand is not None and _matching(series.unit, demand.unit):
        taken = measures.four_week_mean(demand)
        days = last / taken if taken > 0 else None
        evidence.append(
            Evidence(
                series=demand.name,
                date=day_of(demand.times[-1]),
                value=taken,
                unit=measures.unit_of_mean(demand),
            )
        )
    capacity = parameters.capacity.get(series.name)
    built, anomalies = _against_season(series)
    return StockFact(
        name=series.name,
        label=series.label,
        product=series.product,
        region=series.region,
        unit=series.unit,
        period=series.period,
        last=last,
        time=iso(series.times[-1]),
        changes=measures.changes(
            series.values, measures.periods_of(series, parameters.period_days)
        ),
        build=built,
        seasonal=measures.seasonal(series),
        days_of_supply=days,
        storage_use_pct=100 * last / capacity if capacity else None,
        anomalies=anomalies,
        evidence=tuple(evidence),
    )


def _matching(stock_unit: str | None, demand_unit: str | None) -> bool:
    return stock_unit is not None and demand_unit in (f"{stock_unit}/d", f"{stock_unit}/day")


def _against_season(series: Series) -> tuple[Build | None, tuple[Anomaly, ...]]:
    """The last change and the odd ones of the last year against what was usual in the years before."""
    if not has_grid(series):
        return None, ()
    grid = panel(series, ())
    values = grid.values[series.name]
    if len(values) < 3 * round(grid.per_year):
        return None, ()
    changes = season.change(values, 1)
    usual = season.usual_change(changes, grid.per_year, HALF_LIFE_YEARS, 1)
    surprise = changes - usual
    scale = season.lagged(season.running_scale(surprise), 1)
    row = len(values) - 2
    if not np.isfinite(changes[row]):
        return None, ()
    score = float(surprise[row] / scale[row]) if np.isfinite(scale[row]) else None
    built = Build(
        change=float(changes[row]),
        expected=float(usual[row]),
        surprise=float(surprise[row]),
        surprise_z=score,
    )
    year = range(max(0, row + 1 - round(grid.per_year)), row + 1)
    odd = [r for r in year if abs(surprise[r]) > ANOMALY_SIZE * scale[r]]
    return built, tuple(
        Anomaly(
            date=day_of(grid.time(r + 1)),
            change=float(changes[r]),
            expected=float(usual[r]),
            z_score=float(surprise[r] / scale[r]),
        )
        for r in odd
    )


def outlooks(
    loaded: Loaded, parameters: DemandInput, context: OperationContext, role: Role
) -> tuple[tuple[ForecastPoint, ...], dict[str, OutlookScore], dict[str, str]]:
    """Forecasts of the series of a role: of those asked for by name, else of the main ones.

    A column of which ``series`` says what it is counts as asked for.
    """
    targets = [item for item in loaded.asked if item.role == role]
    if not (parameters.only or parameters.tags or parameters.product):
        main = [
            item
            for item in targets
            if item.region == UNITED_STATES and item.product in MAIN_PRODUCTS
        ]
        unasked = main or targets[:MOST_UNASKED]
        targets = [item for item in targets if item in unasked or item.name in parameters.roles]
    points: list[ForecastPoint] = []
    models: dict[str, OutlookScore] = {}
    refused: dict[str, str] = {}
    for number, item in enumerate(targets):
        context.progress(0.3 + 0.6 * number / len(targets), f"forecasting {item.label}")
        try:
            found: Outlook = outlook(item, loaded.all, parameters.horizon)
        except InsufficientDataError as error:
            refused[item.name] = str(error)
            continue
        points += found.points
        models[item.name] = found.score
    return tuple(points), models, refused


def floor_words(models: dict[str, OutlookScore]) -> list[str]:
    """Where a plain forecast stands in for the combination, and what was worse than one of late."""
    names = {"last_value": "the last value", "season_average": "the average change of the season"}
    plain = [
        f"{name} is forecast by {names[score.model]}: the combination of models was not better over "
        f"the last {score.judged_origins} forecasts"
        for name, score in models.items()
        if score.model in names
    ]
    worse = [
        f"{name}: the error of the last {score.origins} forecasts was {-score.skill_pct:.1f} % larger than that "
        f"of {names[score.baseline]}; over all {score.judged_origins} the model used was the better"
        for name, score in models.items()
        if score.skill_pct < 0
    ]
    return plain + worse


def forecast_words(
    points: Sequence[ForecastPoint], models: dict[str, OutlookScore], loaded: Loaded
) -> list[str]:
    """The last step of the first forecast in words."""
    if not models:
        return []
    name, score = next(iter(models.items()))
    last = [point for point in points if point.target == name][-1]
    interval = ""
    if "0.1" in last.quantiles:
        interval = f" (80 % between {last.quantiles['0.1']:,.0f} and {last.quantiles['0.9']:,.0f})"
    label = next(item.label for item in loaded.asked if item.name == name)
    return [f"{label} forecast {last.mean:,.0f} {score.unit} for {last.time[:10]}{interval}"]


def stock_words(fact: StockFact) -> str:
    """One stock in words."""
    built = ""
    if fact.build is not None:
        kind = "build" if fact.build.change >= 0 else "draw"
        built = (
            f", {kind} of {abs(fact.build.change):,.0f} where the season expects "
            f"{fact.build.expected:+,.0f}"
        )
    place = ""
    if fact.seasonal is not None:
        score = f", z {fact.seasonal.z_score:+.1f}" if fact.seasonal.z_score is not None else ""
        place = f", {fact.seasonal.position} its {fact.seasonal.years}-year range{score}"
    supply = f", {fact.days_of_supply:.1f} days of supply" if fact.days_of_supply else ""
    return f"{fact.label} {quantity(fact.last, fact.unit, 0)}{built}{place}{supply}"
