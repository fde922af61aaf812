"""Reports: one page of text, tables and charts, as HTML or as Markdown.

The HTML page holds its own styles and one copy of plotly.js, so that it opens without a network; it is
readable in light and in dark. Markdown holds each chart as an SVG picture inside the text. Both are made
of the same parts, so that they say the same.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal, get_args

from orchestrator.errors import UnavailableError
from orchestrator.modules.report_figures import Figure

COLOURS = ("#2f6f9f", "#c9820a", "#3c8d5a", "#9b4f96", "#c0392b", "#6b7785")
CHART_HEIGHT = 320
KINDS = ("n:", "d:")
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2530;--soft:#5b6675;--rule:#d8dee6;--page:#fff;--card:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#9aa7b6;--rule:#38424e;--page:#161b21;
--card:#1e252d}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:28px 24px 60px;
background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 8px}p{margin:6px 0}.lead{font-size:16px}
ul{margin:6px 0;padding-left:20px}li{margin:3px 0}.wide{overflow-x:auto;margin:10px 0}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:5px 12px 5px 0;
border-bottom:1px solid var(--rule);vertical-align:top}th{color:var(--soft);font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n,td.d{white-space:nowrap}
figure{margin:18px 0}figcaption{font-size:13px;color:var(--soft);margin-bottom:2px}
.chart{width:100%}
.chart text{fill:var(--soft)!important}
.chart .gridlayer path,.chart .zerolinelayer path{stroke:var(--rule)!important}
.chart .legend .bg{fill:transparent!important}.chart .hoverlayer text{fill:#fff!important}
"""


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads.

    A head that begins with ``n:`` is over numbers, with ``d:`` over dates and the like, which stay on one
    line.
    """

    heads: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Trace:
    """Values of one quantity over ``x``.

    Attributes:
        name: For the legend.
        x: Dates as ISO 8601, numbers, or names.
        y: Values, ``None`` for a gap.
        style: How it is drawn; ``band`` fills between ``y`` and ``high``.
        high: Upper edge of a band.
        faint: Drawn thin and dashed, as something to compare with.
        labels: Text shown beside each point.
    """

    name: str
    x: Sequence[Any]
    y: Sequence[float | None]
    style: Literal["line", "points", "bars", "band"] = "line"
    high: Sequence[float | None] = ()
    faint: bool = False
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Traces on common axes; ``unit`` names the upright one."""

    caption: str
    unit: str
    traces: tuple[Trace, ...]
    height: int = CHART_HEIGHT


Part = str | Items | Table | Chart | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """Parts under a heading."""

    heading: str
    parts: Sequence[Part] = field(default_factory=tuple)


def html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The report as one HTML page.

    Raises:
        UnavailableError: it has charts, and Plotly is not installed.
    """
    drawn = (Chart, *get_args(Figure))
    charts = [part for section in sections for part in section.parts if isinstance(part, drawn)]
    if charts and importlib.util.find_spec("plotly") is None:
        raise UnavailableError(
            "the charts of an HTML report need Plotly, which is not installed",
            remedy="install dan-g-orchestrator[forecasting], or ask for the report as Markdown",
        )
    body = [f"<h1>{escape(title)}</h1>", f'<p class="lead">{escape(lead)}</p>']
    for section in sections:
        body.append(f"<h2>{escape(section.heading)}</h2>")
        body += [_html_part(part) for part in section.parts]
    script = ""
    if charts:
        from plotly.offline import get_plotlyjs

        script = f"<script>{get_plotlyjs()}</script>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{script}</head>"
        f"<body>{''.join(body)}</body></html>"
    )


def markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The report as Markdown; needs Matplotlib where there is a chart."""
    lines = [f"# {_plain(title)}", "", _plain(lead), ""]
    for section in sections:
        lines += [f"## {_plain(section.heading)}", ""]
        for part in section.parts:
            lines += [_markdown_part(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _html_part(part: Part) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, Items):
        return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in part.texts)}</ul>"
    if isinstance(part, Table):
        marks = [f' class="{head[0]}"' if head[:2] in KINDS else "" for head in part.heads]
        heads = "".join(
            f"<th{mark}>{escape(_head(head))}</th>"
            for mark, head in zip(marks, part.heads, strict=True)
        )
        rows = "".join(
            "<tr>"
            + "".join(f"<td{m}>{escape(cell)}</td>" for m, cell in zip(marks, row, strict=True))
            + "</tr>"
            for row in part.rows
        )
        return f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>'
    figure = _figure(part) if isinstance(part, Chart) else part.figure()
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        default_height=f"{part.height}px",
        config={"displayModeBar": False, "responsive": True},
    )
    return f'<figure><figcaption>{escape(part.caption)}</figcaption><div class="chart">{drawn}</div></figure>'


def _markdown_part(part: Part) -> str:
    if isinstance(part, str):
        return _plain(part)
    if isinstance(part, Items):
        return "\n".join(f"- {_plain(text)}" for text in part.texts)
    if isinstance(part, Table):
        rule = " | ".join("--:" if head.startswith("n:") else "---" for head in part.heads)
        heads = " | ".join(_cell(_head(head)) for head in part.heads)
        rows = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in part.rows]
        return "\n".join([f"| {heads} |", f"| {rule} |", *rows])
    if not isinstance(part, Chart):
        table = _markdown_part(Table(part.heads(), part.rows()))
        return f"*{_plain(part.caption)}*\n\n{table}"
    picture = base64.b64encode(_svg(part).encode()).decode()
    return f"![{_plain(part.caption)}](data:image/svg+xml;base64,{picture})\n\n*{_plain(part.caption)}*"


def _head(head: str) -> str:
    return head[2:] if head[:2] in KINDS else head


def _plain(text: str) -> str:
    """Text whose characters Markdown would read as marks are escaped, on one line."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _figure(chart: Chart) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, trace in enumerate(chart.traces):
        colour = COLOURS[number % len(COLOURS)]
        if trace.style == "bars":
            figure.add_bar(x=list(trace.x), y=list(trace.y), name=trace.name, marker_color=colour)
            continue
        if trace.style == "band":
            edge = {"width": 0}
            figure.add_scatter(
                x=list(trace.x), y=list(trace.high), mode="lines", line=edge, showlegend=False,
                hoverinfo="skip", legendgroup=trace.name,
            )  # fmt: skip
            figure.add_scatter(
                x=list(trace.x), y=list(trace.y), mode="lines", line=edge, fill="tonexty",
                fillcolor=_clear(colour), name=trace.name, hoverinfo="skip", legendgroup=trace.name,
            )  # fmt: skip
            continue
        mode = "markers" if trace.style == "points" else "lines"
        figure.add_scatter(
            x=list(trace.x), y=list(trace.y), name=trace.name,
            mode=f"{mode}+text" if trace.labels else mode,
            text=list(trace.labels) or None, textposition="top center",
            line={"color": colour, "width": 1.2 if trace.faint else 1.8,
                  "dash": "dot" if trace.faint else "solid"},
            marker={"color": colour, "size": 8},
        )  # fmt: skip
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#5b6675"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="x unified" if len(chart.traces) > 1 else "closest",
        hoverlabel={"bgcolor": "#1d2530", "font": {"color": "#ffffff"}},
        yaxis={"title": {"text": chart.unit}, "gridcolor": "#d8dee6", "zerolinecolor": "#d8dee6",
               "automargin": True},
        xaxis={"gridcolor": "#d8dee6", "showgrid": False, "automargin": True},
        showlegend=len(chart.traces) > 1,
    )  # fmt: skip
    return figure


def _clear(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _svg(chart: Chart) -> str:
    """The chart as an SVG picture; without time stamps, so that equal charts are equal text."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, chart.height / 100), layout="constrained")
    axes = figure.add_subplot()
    for number, trace in enumerate(chart.traces):
        colour = COLOURS[number % len(COLOURS)]
        x = [_moment(value) for value in trace.x]
        y = [float("nan") if value is None else value for value in trace.y]
        if trace.style == "bars":
            axes.bar(x, y, color=colour, label=trace.name)
        elif trace.style == "band":
            high = [float("nan") if value is None else value for value in trace.high]
            axes.fill_between(x, y, high, color=colour, alpha=0.18, linewidth=0, label=trace.name)
        elif trace.style == "points":
            axes.plot(x, y, "o", color=colour, markersize=5, label=trace.name)
            for at, value, text in zip(x, y, trace.labels, strict=False):
                axes.annotate(text, (at, value), textcoords="offset points", xytext=(0, 6),
                              ha="center", fontsize=8)  # fmt: skip
        else:
            axes.plot(
                x, y, color=colour, label=trace.name,
                linewidth=1.0 if trace.faint else 1.5, linestyle=":" if trace.faint else "-",
            )  # fmt: skip
    axes.set_ylabel(chart.unit)
    axes.grid(axis="y", color="#d8dee6")
    axes.spines[["top", "right"]].set_visible(False)
    if len(chart.traces) > 1:
        axes.legend(frameon=False, fontsize=8, ncols=3)
    drawn = io.StringIO()
    with rc_context({"svg.hashsalt": "chart"}):
        FigureCanvasSVG(figure)
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def _moment(value: Any) -> Any:
    """ISO 8601 text as a time, anything else as it is."""
    from datetime import datetime

    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value
