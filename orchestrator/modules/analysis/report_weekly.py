"""Stocks, demand and their forecasts on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.facts import DemandFact, StockFact
from orchestrator.modules.analysis.report_cells import line, signed
from orchestrator.modules.analysis.words import number
from orchestrator.modules.report_page import Chart, Part, Table, Trace

if TYPE_CHECKING:
    from orchestrator.modules.analysis.outlook_models import OutlookScore
    from orchestrator.modules.analysis.series import Series
    from orchestrator.modules.forecasting.models import ForecastPoint

MOST_ROWS = 40


def stock_table(stocks: Sequence[StockFact]) -> Table:
    heads = (
        "stock", "n:last", "d:unit", "d:date", "n:change", "n:season expects", "d:five-year range",
        "n:percentile", "n:z", "n:days of supply", "n:storage in use, %",
    )  # fmt: skip
    rows = []
    for item in stocks[:MOST_ROWS]:
        season = item.seasonal
        rows.append(
            (
                item.label,
                number(item.last, 0),
                item.unit or "",
                item.time[:10],
                f"{item.build.change:+,.0f}" if item.build else "",
                f"{item.build.expected:+,.0f}" if item.build else "",
                f"{season.low:,.0f} to {season.high:,.0f}" if season else "",
                number(season.percentile, 0) if season else "",
                signed(season.z_score, 1) if season else "",
                number(item.days_of_supply, 1),
                number(item.storage_use_pct, 0),
            )
        )
    return Table(heads, rows)


def demand_table(demand: Sequence[DemandFact]) -> Table:
    heads = (
        "demand", "n:four-week mean", "unit", "d:date", "n:on a year, %", "n:season explains, %",
        "trend",
    )  # fmt: skip
    return Table(
        heads,
        [
            (
                item.label,
                number(item.four_week_mean, 0),
                item.unit or "",
                item.time[:10],
                signed(item.year_change_pct, 1),
                number(100 * item.season_strength, 0) if item.season_strength is not None else "",
                item.trend.direction,
            )
            for item in demand
        ],
    )


def forecast_parts(
    points: Sequence[ForecastPoint],
    models: dict[str, OutlookScore],
    series: dict[str, Series],
) -> Iterable[Part]:
    rows = []
    for name, score in models.items():
        covered = score.coverage or {}
        rows.append(
            (
                series[name].label,
                score.model.replace("_", " "),
                _over(score, "mae_last_value"),
                _over(score, "mae_season_average"),
                *(
                    number(100 * covered[level], 0) if level in covered else ""
                    for level in ("80", "95")
                ),
                str(score.origins),
            )
        )
    yield (
        "Errors are those of forecasts from each of the last weeks, made again with what was known "
        "there. The average change of the season is that of the same weeks of all earlier years."
    )
    heads = (
        "series", "model", "n:error, % of that of the last value",
        "n:% of that of the season's average change", "n:inside 80 % interval, %",
        "n:inside 95 % interval, %", "n:forecasts",
    )  # fmt: skip
    yield Table(heads, rows)
    for name, score in models.items():
        own = [point for point in points if point.target == name]
        times = [score.last_time[:10], *(point.time[:10] for point in own)]
        traces = [line(series[name], series[name].label, years=1.0)]
        for low, high, words in (("0.025", "0.975", "95 %"), ("0.1", "0.9", "80 %")):
            if all(low in point.quantiles for point in own):
                traces.append(
                    Trace(
                        f"{words} interval",
                        times,
                        [score.last_value, *(point.quantiles[low] for point in own)],
                        "band",
                        [score.last_value, *(point.quantiles[high] for point in own)],
                    )
                )
        traces.append(Trace("forecast", times, [score.last_value, *(p.mean for p in own)]))
        yield Chart(f"{series[name].label}: forecast", score.unit, tuple(traces))


def _over(score: OutlookScore, field: str) -> str:
    """Mean over the steps of the model's error over a plain one's, %."""
    plain = [getattr(step, field) for step in score.horizons]
    if not all(plain):
        return ""
    over = [step.mae / base for step, base in zip(score.horizons, plain, strict=True)]
    return number(100 * float(np.mean(over)), 0)
