"""``analysis.demand``: what the market takes, against a year before and its season, and what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.modules.analysis import measures
from orchestrator.modules.analysis.facts import DemandFact, Evidence
from orchestrator.modules.analysis.results import DemandResult
from orchestrator.modules.analysis.series import Series, load
from orchestrator.modules.analysis.stocks import floor_words, forecast_words, outlooks
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
    from orchestrator.modules.analysis.models import DemandInput
    from orchestrator.modules.base import OperationContext


def run(parameters: DemandInput, context: OperationContext) -> DemandResult:
    """Demand against a year before and its season, with forecasts."""
    context.progress(0.1, "reading market series")
    loaded = load(parameters, context, "demand")
    found = tuple(demand_fact(item) for item in loaded.asked if item.role == "demand")
    points, models, refused = outlooks(loaded, parameters, context, "demand")
    result = DemandResult(
        summary=sentence(
            [demand_words(item) for item in found[:3]] + forecast_words(points, models, loaded)
            or [none_of("demand")]
        ),
        warnings=(
            *unmatched(loaded, parameters),
            *floor_words(models),
            *old_data(loaded.asked, context),
        ),
        as_of=as_of(loaded.asked),
        demand=found,
        forecasts=points,
        models=models,
        not_forecast={**of_other_roles(loaded, parameters, "demand"), **refused},
    )
    return with_report(result, parameters, context, loaded)


def demand_fact(series: Series) -> DemandFact:
    """Level of demand, smoothed over four weeks, against a year before."""
    count, back = measures.four_weeks(series), round(series.per_year)
    mean = measures.four_week_mean(series)
    day = day_of(series.times[-1])
    unit = measures.unit_of_mean(series)
    evidence = [Evidence(series=series.name, date=day, value=mean, unit=unit)]
    change = None
    if len(series.values) >= count + back:
        end = len(series.values) - back
        before = float(series.values[end - count : end].mean())
        change = 100 * (mean / before - 1) if before > 0 else None
        evidence.append(
            Evidence(
                series=series.name,
                date=day_of(series.times[end - 1]),
                value=before,
                unit=unit,
            )
        )
    return DemandFact(
        name=series.name,
        label=series.label,
        product=series.product,
        region=series.region,
        unit=series.unit,
        period=series.period,
        last=float(series.values[-1]),
        time=iso(series.times[-1]),
        four_week_mean=mean,
        year_change_pct=change,
        seasonal=measures.seasonal(series),
        season_strength=measures.season_strength(series),
        trend=measures.trend(series.values),
        evidence=tuple(evidence),
    )


def demand_words(fact: DemandFact) -> str:
    """One demand in words."""
    year = f", {fact.year_change_pct:+.1f} % on a year" if fact.year_change_pct is not None else ""
    return f"{fact.label} {quantity(fact.four_week_mean, fact.unit, 0)} over four weeks{year}"
