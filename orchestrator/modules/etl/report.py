"""The result of ``etl.reconcile`` as one self-contained HTML page: no script, no outside file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from html import escape

from orchestrator.modules.etl import report_meters
from orchestrator.modules.etl.reconciled import PeriodBalance, Periods, ReconcileResult
from orchestrator.modules.etl.svg import Plot

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2530;--soft:#5b6675;--rule:#d8dee6;--page:#fff;--card:#f6f8fa;
--good:#2f6f9f;--warn:#c9820a;--bad:#c0392b;--band:#c0392b22;--usual-band:#c9820a2e}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#9aa7b6;--rule:#38424e;--page:#161b21;
--card:#1e252d;--good:#6fb1e0;--warn:#e5a93c;--bad:#ef6f60;--band:#ef6f6033;--usual-band:#e5a93c33}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:28px 24px 60px;background:var(--page);
color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 8px}p{margin:6px 0}
.lead{font-size:16px}.soft{color:var(--soft)}.figures{display:grid;gap:12px;
grid-template-columns:repeat(auto-fit,minmax(138px,1fr));margin:18px 0}
.figures div{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 14px}.figures b{display:block;font-size:22px;font-variant-numeric:tabular-nums}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(400px,100%),1fr));gap:22px 18px;
margin-top:14px}figure{margin:0;min-width:0;display:flex;flex-direction:column;justify-content:space-between}
figcaption{font-size:13px;line-height:1.4;overflow-wrap:anywhere;margin-bottom:4px}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:5px 10px 5px 0;
border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
td.d{white-space:nowrap}.wide{overflow-x:auto}table.narrow{width:auto}
th{color:var(--soft);font-weight:600}svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font-size:12px}.grid{stroke:var(--rule);stroke-width:1}
circle.closes{fill:var(--good);fill-opacity:.75}circle.not_steady{fill:var(--soft);fill-opacity:.55}
circle.stands_out{fill:var(--bad)}circle.measured{fill:var(--good);fill-opacity:.8}circle.edge{stroke:currentColor;stroke-width:1.6;fill-opacity:.15}
polyline{fill:none;stroke-width:1.8}.usual,.reconciled{stroke:var(--warn)}line.gap{stroke:var(--bad);stroke-width:1.2}polygon.band{fill:var(--usual-band)}.input{stroke:var(--good)}
.output{stroke:var(--warn)}line.one{stroke:var(--ink);stroke-width:1.2}rect.bias{fill:var(--band)}
.key span{margin-right:18px;white-space:nowrap}.key i{display:inline-block;width:11px;height:11px;
border-radius:50%;margin-right:6px;vertical-align:-1px}.key i.small{width:7px;height:7px;vertical-align:1px}.key i.l{height:3px;border-radius:0;width:18px;
vertical-align:4px}
"""
MOST_DAYS = 60
SHOWN = {"closes": "closes", "not_steady": "not steady", "stands_out": "stands out"}


def page(result: ReconcileResult, plant: str) -> str:
    """The page; every number on it is one of the result."""
    body = [
        f"<h1>Material balance: {escape(plant)}</h1>",
        f'<p class="lead">{escape(result.summary)}</p>',
    ]
    for periods in result.periods:
        body += _periods(periods)
    if result.comparisons:
        body += _comparisons(result)
    if result.left_out:
        body += [
            "<h2>What was left out, and why</h2>",
            _table(
                ("column", "d:from", "d:to", "n:values", "why"),
                (
                    (o.id, (o.start or "")[:10], (o.end or "")[:10], str(o.count), o.why)
                    for o in result.left_out
                ),
            ),
        ]
    body += _reconciled(result)
    if result.warnings:
        notes = "".join(f"<li>{escape(text)}</li>" for text in result.warnings)
        body.append(f"<h2>Notes</h2><ul>{notes}</ul>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Material balance: {escape(plant)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>"
    )


def _periods(periods: Periods) -> list[str]:
    days = [p for p in periods.periods if p.closure is not None]
    count = {
        kind: sum(p.status == kind for p in periods.periods) for kind in (*SHOWN, "incomplete")
    }
    cards = [
        ("output / input, median", _number(periods.closure_median, 4)),
        ("scatter, robust sd", _percent(periods.closure_robust_sd)),
        ("days with data", str(len(days))),
        ("days that stand out", str(count["stands_out"])),
        ("days not steady", str(count["not_steady"])),
        ("days without data", str(count["incomplete"])),
    ]
    figures = "".join(f"<div><b>{v}</b>{escape(k)}</div>" for k, v in cards)
    body = [
        f"<h2>{escape(periods.balance)}, day by day</h2>",
        f'<p class="soft">{escape(_in_unit(periods.unit))}</p>',
        f'<div class="figures">{figures}</div>',
    ]
    if len(days) > 1:
        body += [_closure_plot(periods, days), _key(), _flow_plot(days, periods.unit)]
    body += report_meters.section(periods)
    body += _biases(periods)
    body += [
        "<h2>Closure by month</h2>",
        _table(
            ("month", "n:days", "n:usable days", "n:median output / input"),
            (
                (m.month, str(m.periods), str(m.usable), _number(m.closure, 4))
                for m in periods.months
                if m.periods
            ),
            narrow=True,
        ),
    ]
    out = [p for p in periods.periods if p.status == "stands_out"]
    unsteady = [p for p in periods.periods if p.status == "not_steady"]
    body += _days("Days that stand out", out, "meters that stand out", periods.unit)
    body += _days("Days when the plant was not steady", unsteady, "what moved most", periods.unit)
    return body


def _in_unit(unit: str | None) -> str:
    if unit:
        return f"Flows in {unit}, mean of each day."
    return (
        "Neither the data nor the plant file state one unit for these flows: they are shown as they are, "
        "mean of each day (flow_unit states one)."
    )


def _closure_plot(periods: Periods, days: Sequence[PeriodBalance]) -> str:
    values = sorted(p.closure or 0.0 for p in days)
    inner = values[len(values) // 50 : len(values) - len(values) // 50]
    margin = 0.15 * max(inner[-1] - inner[0], 0.02)
    low, high = min(inner[0] - margin, 0.98), max(inner[-1] + margin, 1.02)
    plot = Plot(_day(days[0]), _day(days[-1]), low, high, "output / input", 300, "closure by day")
    for bias in periods.steady_bias:
        plot.band(
            date.fromisoformat(bias.start[:10]), date.fromisoformat(bias.end[:10]),
            min(1.0, bias.closure), max(1.0, bias.closure), "bias",
            f"{bias.start[:10]} to {bias.end[:10]}: {100 * (bias.closure - 1):+.1f} %",
        )  # fmt: skip
    plot.level(1.0, "one")
    plot.line([_day(p) for p in days], [p.usual for p in days], "usual")
    for kind in SHOWN:
        those = [p for p in days if p.status == kind]
        plot.points(
            [_day(p) for p in those],
            [p.closure or 0.0 for p in those],
            kind,
            [_said(p) for p in those],
        )
    return plot.text()


def _flow_plot(days: Sequence[PeriodBalance], unit: str | None) -> str:
    top = max(max(p.input or 0.0, p.output or 0.0) for p in days)
    plot = Plot(
        _day(days[0]),
        _day(days[-1]),
        0.0,
        1.05 * top,
        unit or "flow",
        220,
        "input and output by day",
    )
    plot.line([_day(p) for p in days], [p.input for p in days], "input")
    plot.line([_day(p) for p in days], [p.output for p in days], "output")
    key = (
        '<p class="key soft"><span><i class="l" style="background:var(--good)"></i>input</span>'
        '<span><i class="l" style="background:var(--warn)"></i>output</span></p>'
    )
    return plot.text() + key


def _key() -> str:
    dots = (("--good", "closes as usual"), ("--bad", "stands out"), ("--soft", "not steady"))
    parts = [f'<span><i style="background:var({c})"></i>{t}</span>' for c, t in dots]
    parts.append('<span><i class="l" style="background:var(--warn)"></i>usual level</span>')
    parts.append('<span><i style="background:var(--band);border-radius:0"></i>steady bias</span>')
    parts.append("<span>hollow: beyond the scale</span>")
    return f'<p class="key soft">{"".join(parts)}</p>'


def _biases(periods: Periods) -> list[str]:
    if not periods.steady_bias:
        return []
    body = [
        "<h2>What is off all the time</h2>",
        (
            '<p class="soft">Stretches of constant level whose median is off by more than 1 % and by four '
            "standard errors. For each, how well a scale error of one meter, or a constant flow, follows "
            "the imbalance from day to day; the confidence compares these explanations only.</p>"
        ),
    ]
    rows = []
    for bias in periods.steady_bias:
        for k, e in enumerate(bias.explanations[:3]):
            span = f"{bias.start[:10]} to {bias.end[:10]}" if k == 0 else ""
            off = f"{100 * (bias.closure - 1):+.2f} %" if k == 0 else ""
            days = str(bias.periods) if k == 0 else ""
            rows.append((span, days, off, e.text, f"{100 * e.confidence:.0f} %"))
    body.append(_table(("d:stretch", "n:days", "n:off by", "explanation", "n:confidence"), rows))
    return body


def _days(title: str, days: Sequence[PeriodBalance], what: str, unit: str | None) -> list[str]:
    if not days:
        return []
    worst = sorted(days, key=lambda p: -abs(p.excess_sd or 0.0))[:MOST_DAYS]
    rows = (
        (
            p.start[:10],
            _number(p.input, 1),
            _number(p.output, 1),
            _number(p.closure, 3),
            _number(p.usual, 3),
            _number(p.excess_sd, 1),
            ", ".join(p.suspects) or p.why or "",
        )
        for p in sorted(worst, key=lambda p: p.start)
    )
    each = f", {unit}" if unit else ""
    head = ("d:day", f"n:input{each}", f"n:output{each}", "n:closure", "n:usual", "n:off, sd", what)
    more = (
        f'<p class="soft">The {MOST_DAYS} largest of {len(days)}.</p>'
        if len(days) > MOST_DAYS
        else ""
    )
    return [f"<h2>{title}</h2>", more, _table(head, rows)]


def _comparisons(result: ReconcileResult) -> list[str]:
    rows = (
        (
            c.id,
            c.follows,
            str(c.days),
            f"{c.correlation:.3f}",
            _number(c.difference, 1),
            f"{c.ratio:.3f}",
        )
        for c in result.comparisons
    )
    head = (
        "meter beside the balance",
        "follows",
        "n:days",
        "n:correlation",
        "n:difference",
        "n:ratio",
    )
    return ["<h2>What other meters say</h2>", _table(head, rows)]


def _reconciled(result: ReconcileResult) -> list[str]:
    test = result.global_test
    where = "the mean of the usable days" if result.periods else "the measurements"
    body = [
        f"<h2>Reconciled: {where}</h2>",
        (
            f"<p>Global test {test.statistic:.3g}, critical {test.critical:.3g} with {test.dof} degrees of "
            "freedom.</p>"
        ),
    ]
    units = {s.id: s.unit or "" for s in result.streams}
    if result.gross_errors:
        errors = (
            (
                str(e.kind),
                e.id,
                f"{e.size:+.4g} {units.get(e.id, '')}".rstrip(),
                f"{100 * e.confidence:.0f} %",
                ", ".join(e.same_as),
                f"{100 * e.group_confidence:.0f} %",
            )
            for e in result.gross_errors
        )
        named = ("kind", "where", "n:size", "n:confidence", "or, just as well", "n:one of them")
        body.append(_table(named, errors))
    rows = (
        (
            s.id,
            s.unit or "",
            _number(s.measured, 4),
            _number(s.reconciled, 4),
            _number(s.sd, 4),
            _number(s.adjustment_sd, 2),
            s.klass.replace("_", " "),
        )
        for s in result.streams
    )
    head = ("stream", "unit", "n:measured", "n:reconciled", "n:sd", "n:adjustment, sd", "class")
    body.append(_table(head, rows))
    loss = result.loss
    if loss is not None:
        unit = loss.unit or "flow units"
        text = f"Unaccounted for: {loss.rate:+.4g} ± {loss.rate_sd or 0.0:.2g} {unit} (positive is lost)"
        if loss.tonnes is not None:
            text += f", {loss.tonnes:,.0f} t over {loss.hours:,.0f} h"
        if loss.usd is not None:
            text += (
                f", {loss.usd:,.0f} USD at {loss.price_usd_per_t:,.0f} USD/t ({loss.price_source})"
            )
        body.append(f"<p>{escape(text)}.</p>")
    return body


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, narrow: bool = False) -> str:
    """A table; heads that begin with ``n:`` are numbers, with ``d:`` dates."""
    kinds = [name[0] if name[1:2] == ":" else "" for name in head]
    names = [name[2:] if kind else name for name, kind in zip(head, kinds, strict=True)]
    top = "".join(f'<th class="{k}">{escape(n)}</th>' for n, k in zip(names, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{k}">{escape(c)}</td>' for c, k in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    kind = ' class="narrow"' if narrow else ""
    return f'<div class="wide"><table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _said(period: PeriodBalance) -> str:
    text = f"{period.start[:10]}: {_number(period.closure, 3)}, {SHOWN.get(period.status, '')}"
    return f"{text} ({period.why})" if period.why else text


def _day(period: PeriodBalance) -> date:
    return date.fromisoformat(period.start[:10])


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
