"""The result of an analysis operation as a page with charts; every number on it is one of the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules import report_page
from orchestrator.modules.analysis.facts import (
    Correlations,
    CrackFact,
    Evidence,
    LargeMove,
    NetbackFact,
    PriceFact,
    Statement,
    Swing,
    TermStructure,
)
from orchestrator.modules.analysis.report_cells import (
    MOST_LINES,
    MOST_POINTS,
    SHOWN_YEARS,
    line,
    signed,
)
from orchestrator.modules.analysis.report_weekly import demand_table, forecast_parts, stock_table
from orchestrator.modules.analysis.results import AnalysisResult
from orchestrator.modules.analysis.words import number
from orchestrator.modules.report_page import Chart, Items, Part, Section, Table, Trace

if TYPE_CHECKING:
    from orchestrator.modules.analysis.series import Loaded, Series
    from orchestrator.modules.price_deck import PriceDeck

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
        yield Section("Stocks", [stock_table(given["stocks"])])
    if given.get("demand"):
        yield Section("Demand", [demand_table(given["demand"])])
    if given.get("forecasts"):
        yield Section(
            "Forecasts", list(forecast_parts(given["forecasts"], given["models"], series))
        )
    if given.get("price_deck"):
        yield Section("Price deck for the plan", _deck(given["price_deck"], series))
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
        lines = [line(series[item.name], item.label) for item in prices if item.unit == unit][
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


def _deck(deck: PriceDeck, series: dict[str, Series]) -> list[Part]:
    names = list(deck.base.prices)
    heads = (
        "name in the plan",
        f"price, {deck.unit}",
        *(f"n:{s.name} ({s.probability:g})" for s in deck.scenarios),
    )
    rows = [
        (
            name,
            series[name].label if name in series else "",
            *(f"{scenario.prices[name]:,.2f}" for scenario in deck.scenarios),
        )
        for name in names
    ]
    return [deck.method, Table(heads, rows)]
