"""Small plots, one for each meter that stands out: measured against reconciled, flagged days marked."""

from __future__ import annotations

from datetime import date
from html import escape

from orchestrator.modules.etl.day_meters import SURE_OF_BIAS
from orchestrator.modules.etl.reconciled import MeterPeriods, Periods
from orchestrator.modules.etl.svg import Plot

SIGMAS = 2.0
WIDTH, HEIGHT = 480, 220
RADIUS = {"not_steady": 2.0, "measured": 2.0, "stands_out": 4.0}


def section(periods: Periods) -> list[str]:
    """Heading, key and plots; nothing where no meter stands out."""
    if not periods.meters:
        return []
    plots = "".join(_figure(periods, meter) for meter in periods.meters)
    return [
        "<h2>Meters that stand out</h2>",
        (
            '<p class="soft">What each meter read, and what the balance makes of it on that day with all '
            "the others. On a flagged day the likeliest suspect is left out of the balance, so that its "
            "reconciled value is what the other meters say; days that were not steady are not reconciled.</p>"
        ),
        _key(),
        f'<div class="multiples">{plots}</div>',
    ]


def _figure(periods: Periods, meter: MeterPeriods) -> str:
    unit = f", {meter.unit}" if meter.unit else ""
    return (
        f"<figure><figcaption><b>{escape(meter.id)}</b>{escape(unit)}<br>"
        f'<span class="soft">{escape(_caption(periods, meter))}</span></figcaption>'
        f"{_plot(periods, meter)}</figure>"
    )


def _caption(periods: Periods, meter: MeterPeriods) -> str:
    days = [start[:10] for start in meter.flagged]
    parts = []
    if days:
        shown = ", ".join(days[:4]) + (f" and {len(days) - 4} more" if len(days) > 4 else "")
        parts.append(f"stands out on {shown}")
    for bias in periods.steady_bias:
        best = bias.explanations[0] if bias.explanations else None
        if best is None or best.id != meter.id or best.confidence < SURE_OF_BIAS:
            continue
        if best.kind == "scale":
            way = "high" if best.size > 0 else "low"
            parts.append(
                f"{bias.start[:10]} to {bias.end[:10]} perhaps {100 * abs(best.size):.0f} % too {way} "
                f"({100 * best.confidence:.0f} % sure)"
            )
    return "; ".join(parts)


def _plot(periods: Periods, meter: MeterPeriods) -> str:
    days = [date.fromisoformat(p.start[:10]) for p in periods.periods]
    values = [v for v in (*meter.measured, *meter.reconciled) if v is not None]
    low, high = min(values), max(values)
    margin = 0.06 * max(high - low, 0.02 * abs(high), 1e-9)
    plot = Plot(
        days[0], days[-1], low - margin, high + margin, meter.unit or "flow", HEIGHT,
        f"{meter.id}: measured and reconciled by day", WIDTH,
    )  # fmt: skip
    known = [
        (day, best, SIGMAS * sd)
        for day, best, sd in zip(days, meter.reconciled, meter.reconciled_sd, strict=True)
        if best is not None and sd is not None
    ]
    plot.ribbon(
        [day for day, _, _ in known],
        [best - reach for _, best, reach in known],
        [best + reach for _, best, reach in known],
        "band",
    )
    plot.line(days, meter.reconciled, "reconciled")
    flagged = set(meter.flagged)
    for day, value, best, p in zip(
        days, meter.measured, meter.reconciled, periods.periods, strict=True
    ):
        if p.start in flagged and value is not None and best is not None:
            plot.stem(day, value, best, "gap")
    drawn: dict[str, list[tuple[date, float, str]]] = {}
    for day, value, p in zip(days, meter.measured, periods.periods, strict=True):
        if value is not None:
            kind = "stands_out" if p.start in flagged else "measured"
            kind = "not_steady" if p.status == "not_steady" else kind
            drawn.setdefault(kind, []).append((day, value, f"{p.start[:10]}: {value:,.4g}"))
    for kind, radius in RADIUS.items():
        those = drawn.get(kind, [])
        plot.points(
            [day for day, _, _ in those],
            [value for _, value, _ in those],
            kind,
            [text for _, _, text in those],
            radius,
        )
    return plot.text()


def _key() -> str:
    return (
        '<p class="key soft"><span><i class="small" style="background:var(--good)"></i>measured</span>'
        '<span><i style="background:var(--bad)"></i>measured, flagged day</span>'
        '<span><i class="small" style="background:var(--soft)"></i>measured, not steady</span>'
        '<span><i class="l" style="background:var(--warn)"></i>reconciled</span>'
        '<span><i style="background:var(--usual-band);border-radius:0"></i>'
        f"± {SIGMAS:g} sd of the reconciled</span></p>"
    )
