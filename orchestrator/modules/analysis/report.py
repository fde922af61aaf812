"""The result of an analysis operation as a page with charts; every number on it is one of the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules import report_page
from orchestrator.modules.analysis.results import (
    AnalysisResult,
    Correlations,
    CrackFact,
    DemandFact,
    Evidence,
    LargeMove,
    NetbackFact,
    PriceFact,
    Statement,
    StockFact,
    Swing,
    TermStructure,
)
from orchestrator.modules.analysis.words import day_of
from orchestrator.modules.report_page import Chart, Items, Part, Section, Table, Trace

if TYPE_CHECKING:
    from orchestrator.modules.analysis.outlook_models import OutlookScore
    from orchestrator.modules.analysis.series import Loaded, Series
    from orchestrator.modules.forecasting.models import ForecastPoint
    from orchestrator.modules.price_deck import PriceDeck

SHOWN_YEARS = 2
MOST_POINTS = 1500
MOST_LINES = 5
MOST_ROWS = 40
MOST_STATEMENTS = 20


def page(result: AnalysisResult, loaded: Loaded, *, as_markdown: bool) -> str:
    """The page as HTML or Markdown."""
    title = _title(result)
    series = {item.name: item for item in loaded.all}
    sections = [section for section in _sections(result, series) if section.parts]
    write = report_page.markdown if as_markdown else report_page.html
    return write(title, result.summary, sections)


def _title(result: AnalysisResult) -> str:
    kind = type(result).__name__.removesuffix("Result")
    name = "The oil market" if kind == "Market" else kind
    return f"{name}, as of {result.as_of[:10]}" if result.as_of else name


def _sections(result: AnalysisResult, series: dict[str, Series]) -> Iterable[Section]:
    given = {name: getattr(result, name) for name in type(result).model_fields}
    if given.get("statements"):
        yield Section("What changed, and what it means", _statements(given["statements"]))
    if given.get("prices"):
        yield Section("Prices", _prices(given["prices"], given.get("correlations"), series))
    if given.get("largest_moves"):
        yield Section(
            "The largest moves of the whole period",
            _moves(given["largest_moves"], given["swings"], series),
        )
    if given.get("term_structure") or given.get("term_structure_note"):
        yield Section(
            "Term structure", _structure(given["term_structure"], given["term_structure_note"])
        )
    if given.get("cracks"):
        yield Section("Margins", _cracks(given["cracks"]))
    if given.get("netbacks"):
        yield Section("What crudes are worth", [_netbacks(given["netbacks"])])
    if given.get("stocks"):
        yield Section("Stocks", [_stocks(given["stocks"])])
    if given.get("demand"):
        yield Section("Demand", [_demand(given["demand"])])
    if given.get("forecasts"):
        yield Section("Forecasts", list(_forecasts(given["forecasts"], given["models"], series)))
    if given.get("price_deck"):
        yield Section("Price deck for the plan", _deck(given["price_deck"]))
    if given.get("statements"):
        yield Section("Evidence", [_evidence(given["statements"])])
    notes = [*result.warnings, *given.get("not_forecast", {}).values()]
    if notes:
        yield Section("Notes", [Items(tuple(notes))])


def _statements(statements: Sequence[Statement]) -> list[Part]:
    shown = statements[:MOST_STATEMENTS]
    rules = list(dict.fromkeys(item.rule for item in shown if item.rule))
    rows = [
        (
            item.text,
            item.sure,
            item.meaning or "",
            str(rules.index(item.rule) + 1) if item.rule else "",
        )
        for item in shown
    ]
    found: list[Part] = [Table(("what changed", "how sure", "what it means", "n:rule"), rows)]
    if rules:
        found.append(Items(tuple(f"Rule {n}: {rule}." for n, rule in enumerate(rules, 1))))
    return found


def _evidence(statements: Sequence[Statement]) -> Table:
    found: dict[tuple[str, str], Evidence] = {}
    for statement in statements[:MOST_STATEMENTS]:
        found.update({(item.series, item.date): item for item in statement.evidence})
    rows = [
        (item.series, item.date, number(item.value), item.unit or "")
        for _, item in sorted(found.items())
    ]
    return Table(("series", "d:date", "n:value", "unit"), rows)


def _prices(
    prices: Sequence[PriceFact], together: Correlations | None, series: dict[str, Series]
) -> list[Part]:
    rows = []
    for item in prices:
        moved = {change.periods: change for change in item.changes}
        five = moved[5].percent if 5 in moved else None
        movement = item.volatility
        rows.append(
            (
                item.label,
                number(item.last),
                item.unit or "",
                item.time[:10],
                signed(five, 1),
                f"{number(item.year_low)} to {number(item.year_high)}",
                number(movement.ewma_pct, 0) if movement else "",
                number(movement.garch_pct, 0) if movement else "",
                item.trend.direction,
            )
        )
    heads = (
        "price", "n:last", "d:unit", "d:date", "n:5 periods, %", "d:range of a year",
        "n:volatility EWMA, % a year", "n:GARCH, % a year", "trend",
    )  # fmt: skip
    found: list[Part] = [Table(heads, rows)]
    for unit in dict.fromkeys(item.unit for item in prices):
        lines = [_line(series[item.name], item.label) for item in prices if item.unit == unit][
            :MOST_LINES
        ]
        found.append(Chart(f"Prices of the last {SHOWN_YEARS} years", unit or "", tuple(lines)))
    points = [
        f"{item.label}: volatility from {point.volatility_before_pct:.0f} to "
        f"{point.volatility_after_pct:.0f} % a year since {point.date}"
        for item in prices
        for point in item.change_points[-1:]
    ]
    if points:
        found += ["Last changes of volatility in three years:", Items(tuple(points))]
    if together is not None:
        labels = {item.name: item.label for item in prices}
        names = [labels.get(name, name) for name in together.names]
        found += [
            f"Correlation of {together.returns} log returns, {together.start} to {together.end}:",
            Table(
                ("", *(f"n:{number}" for number in range(1, len(names) + 1))),
                [
                    (f"{row + 1} {name}", *(f"{value:.2f}" for value in together.matrix[row]))
                    for row, name in enumerate(names)
                ],
            ),
        ]
    return found


def _line(series: Series, label: str, years: float = SHOWN_YEARS) -> Trace:
    since = series.times[-1] - np.timedelta64(round(years * 365.25), "D")
    kept = series.times >= since
    step = max(1, int(kept.sum()) // MOST_POINTS)
    times, values = series.times[kept][::step], series.values[kept][::step]
    return Trace(label, [day_of(time) for time in times], [float(value) for value in values])


def _moves(
    moves: Sequence[LargeMove], swings: Sequence[Swing], series: dict[str, Series]
) -> list[Part]:
    rows = [
        (
            item.date,
            item.label,
            number(item.before),
            number(item.after),
            f"{item.change:+,.4g}",
            signed(item.percent, 1),
            item.unit or "",
            f"{item.size:.0f}×",
            str(len(item.series)),
        )
        for item in moves
    ]
    heads = (
        "d:date", "price", "n:before", "n:after", "n:change", "n:%", "unit",
        "n:of its usual move", "n:series that moved",
    )  # fmt: skip
    order = (
        "Ordered by the mean of all series, each change in % of the value before and measured by the "
        "usual change of the year before; from a value that is not positive, in its unit instead."
    )
    found: list[Part] = [order, Table(heads, rows)]
    lead = series.get(swings[0].name if swings else moves[0].name)
    if lead is not None:
        found.append(_history(lead, moves))
    if swings:
        found += [
            f"Longest rises and falls of {swings[0].label} (medians of five values):",
            Table(
                ("d:from", "d:to", "n:before", "n:after", "n:%"),
                [
                    (s.start, s.end, number(s.before), number(s.after), f"{s.percent:+,.0f}")
                    for s in swings
                ],
            ),
        ]
    return found


def _history(lead: Series, moves: Sequence[LargeMove]) -> Chart:
    """The whole history of one price with the days of the moves, whose values are always drawn."""
    days = lead.times.astype("datetime64[D]")
    marked = np.isin(days, np.array([move.date for move in moves], dtype="datetime64[D]"))
    kept = np.zeros(len(days), dtype=bool)
    kept[:: max(1, len(days) // MOST_POINTS)] = True
    kept |= marked
    return Chart(
        f"{lead.label}, whole period, with the days of the largest moves",
        lead.unit or "",
        (
            Trace(lead.label, [str(d) for d in days[kept]], [float(v) for v in lead.values[kept]]),
            Trace(
                "largest moves",
                [str(day) for day in days[marked]],
                [float(value) for value in lead.values[marked]],
                "points",
                labels=[str(day) for day in days[marked]] if marked.sum() <= MOST_LINES else (),
            ),
        ),
    )


def _structure(structure: Sequence[TermStructure], note: str | None) -> list[Part]:
    if not structure:
        return [note] if note else []
    rows = [
        (item.product or "", item.date, item.shape, signed(item.carry_pct, 1),
         f"{item.prompt_spread:+,.4g}", item.unit or "")
        for item in structure
    ]  # fmt: skip
    lines = tuple(
        Trace(item.product or "futures", list(item.prices), list(item.prices.values()))
        for item in structure
    )
    heads = ("product", "d:date", "shape", "n:carry, % a year", "n:first less second month", "unit")
    return [Table(heads, rows), Chart("Price by delivery month", structure[0].unit or "", lines)]


def _cracks(cracks: Sequence[CrackFact]) -> list[Part]:
    rows = [
        (
            item.label,
            item.formula,
            number(item.last, 2),
            item.time[:10],
            signed(item.change_5_pct, 1),
            number(item.year_percentile, 0),
        )
        for item in cracks
    ]
    heads = (
        "spread", "formula, USD/bbl", "n:last", "d:date",
        "n:5 periods, % of its usual size", "n:percentile of the year",
    )  # fmt: skip
    sets = [item for item in cracks if item.kind != "simple"] or list(cracks)
    lines = tuple(
        Trace(
            item.label,
            [value.date for value in item.values],
            [value.value for value in item.values],
        )
        for item in sets[:MOST_LINES]
        if len(item.values) > 1
    )
    found: list[Part] = ["A barrel holds 42 U.S. gallons.", Table(heads, rows)]
    return [*found, Chart("Margins, last values", "USD/bbl", lines)] if lines else found


def _netbacks(worth: Sequence[NetbackFact]) -> Table:
    heads = (
        "crude", "n:products are worth", "n:refining", "n:transport", "n:netback", "n:price",
        "n:margin", "n:5 periods", "without a price",
    )  # fmt: skip
    return Table(
        heads,
        [
            (
                item.crude,
                *(
                    f"{value:,.2f}"
                    for value in (
                        item.gross_worth, item.cost, item.transport, item.netback, item.price,
                        item.margin,
                    )
                ),
                signed(item.margin_change_5, 2),
                ", ".join(f"{name} {share:.0%}" for name, share in item.unvalued.items()),
            )
            for item in worth
        ],
    )  # fmt: skip


def _stocks(stocks: Sequence[StockFact]) -> Table:
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


def _demand(demand: Sequence[DemandFact]) -> Table:
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


def _forecasts(
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
        traces = [_line(series[name], series[name].label, years=1.0)]
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


def _deck(deck: PriceDeck) -> list[Part]:
    names = list(deck.base.prices)
    heads = ("price, " + deck.unit, *(f"n:{s.name} ({s.probability:g})" for s in deck.scenarios))
    rows = [(name, *(f"{s.prices[name]:,.2f}" for s in deck.scenarios)) for name in names]
    return [deck.method, Table(heads, rows)]


def number(value: float | None, places: int | None = None) -> str:
    """A number for a cell: to ``places``, else to four significant digits; empty for none."""
    if value is None:
        return ""
    return f"{value:,.{places}f}" if places is not None else f"{value:,.4g}"


def signed(value: float | None, places: int) -> str:
    """A change for a cell, with its sign; empty for none."""
    return "" if value is None else f"{value:+,.{places}f}"
