"""Figures of a report that are more than traces on axes: flows, a waterfall, and a map of numbers.

Each is drawn with Plotly in HTML; in Markdown its numbers stand as a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

GAIN, LOSS, TOTAL = "#3c8d5a", "#c0392b", "#2f6f9f"
INK, RULE = "#5b6675", "#d8dee6"
FONT = {"family": "system-ui, sans-serif", "size": 12, "color": INK}
_ROW_HEIGHT = 26
_LONG, _LONGER = 10, 16
_EDGE = {"l": 8, "r": 8, "t": 8, "b": 8}


@dataclass(frozen=True, slots=True)
class Node:
    """A place through which something flows.

    ``column`` is about how far from the left it stands, 0 to 1, from which the height of the figure is taken.
    """

    name: str
    colour: str
    column: float


@dataclass(frozen=True, slots=True)
class Link:
    """A flow between two nodes, by position."""

    source: int
    target: int
    amount: float
    name: str


@dataclass(frozen=True, slots=True)
class Flows:
    """What flows from where to where, as a Sankey diagram; ``unit`` is that of all amounts."""

    caption: str
    unit: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    @property
    def height(self) -> int:
        """Pixels that let each node's name stand clear."""
        columns = [node.column for node in self.nodes]
        most = max((columns.count(column) for column in set(columns)), default=1)
        return max(300, 56 * most + 60)

    def heads(self) -> tuple[str, ...]:
        """Heads of its table."""
        return "from", "to", "stream", f"n:{self.unit}"

    def rows(self) -> list[tuple[str, ...]]:
        """Its numbers."""
        return [
            (
                self.nodes[link.source].name,
                self.nodes[link.target].name,
                link.name,
                f"{link.amount:,.4g}",
            )
            for link in self.links
        ]

    def figure(self) -> Any:
        """The drawing."""
        import plotly.graph_objects as go

        through = [0.0] * len(self.nodes)
        into = [0.0] * len(self.nodes)
        for link in self.links:
            through[link.source] += link.amount
            into[link.target] += link.amount
        amounts = [max(pair) for pair in zip(through, into, strict=True)]
        sankey = go.Sankey(
            arrangement="snap",
            valuesuffix=f" {self.unit}",
            valueformat=",.4~g",
            node={
                "label": [
                    _label(node.name, _plain(amount))
                    for node, amount in zip(self.nodes, amounts, strict=True)
                ],
                "color": [node.colour for node in self.nodes],
                "pad": 30,
                "thickness": 14,
                "line": {"width": 0},
                "hovertemplate": "%{label}<extra></extra>",
            },
            link={
                "source": [link.source for link in self.links],
                "target": [link.target for link in self.links],
                "value": [link.amount for link in self.links],
                "label": [link.name for link in self.links],
                "color": [_clear(self.nodes[link.source].colour) for link in self.links],
                "hovertemplate": "%{label}: %{value}<extra></extra>",
            },
        )
        figure = go.Figure(sankey)
        figure.update_layout(
            margin=_EDGE | {"t": 20, "b": 20}, paper_bgcolor="rgba(0,0,0,0)", font=FONT
        )
        return figure


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Parts that add up: from ``start`` (where one is given) by steps to their sum."""

    caption: str
    unit: str
    steps: Sequence[tuple[str, float]]
    start: tuple[str, float] | None = None
    total: str = "margin"

    @property
    def height(self) -> int:
        """Pixels that let each step's name stand clear."""
        return 90 + _ROW_HEIGHT * (len(self.steps) + 1 + (self.start is not None))

    def heads(self) -> tuple[str, ...]:
        """Heads of its table."""
        return "part", f"n:{self.unit}"

    def rows(self) -> list[tuple[str, ...]]:
        """Its numbers."""
        first = [self.start] if self.start else []
        total = sum(value for _, value in [*first, *self.steps])
        parts = [*first, *self.steps, (self.total, total)]
        return [(name, f"{value:,.0f}") for name, value in parts]

    def figure(self) -> Any:
        """The drawing: bars from top to bottom, so that names of any length can be read."""
        import plotly.graph_objects as go

        first = [self.start] if self.start else []
        names = [name for name, _ in first] + [name for name, _ in self.steps] + [self.total]
        values = [value for _, value in first] + [value for _, value in self.steps] + [0.0]
        total = sum(values)
        shown = [*values[:-1], total]
        texts = [
            _money(value) if i == len(shown) - 1 or (first and i == 0) else _signed(value)
            for i, value in enumerate(shown)
        ]
        drawn = go.Waterfall(
            orientation="h",
            y=names,
            x=values,
            measure=["absolute"] * len(first) + ["relative"] * len(self.steps) + ["total"],
            increasing={"marker": {"color": GAIN}},
            decreasing={"marker": {"color": LOSS}},
            totals={"marker": {"color": TOTAL}},
            connector={"line": {"color": RULE, "width": 1}},
            customdata=texts,
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
        # To the right of each bar, where no name stands.
        ends = _right_ends([*values[:-1], total])
        labels = go.Scatter(
            x=ends, y=names, text=[f" {text}" for text in texts], mode="text", textposition="middle right", hoverinfo="skip",
            cliponaxis=False,
        )  # fmt: skip
        figure = go.Figure([drawn, labels])
        low, high = _reach(values[:-1])
        room = 0.16 * (high - low or 1.0)
        figure.update_layout(
            margin=_EDGE,
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            font=FONT,
            showlegend=False,
            yaxis={"autorange": "reversed", "automargin": True, "tickmode": "linear"},
            xaxis={
                "title": {"text": self.unit},
                "range": [low - (room if low < 0 else 0), high + room],
                "gridcolor": RULE,
                "zerolinecolor": RULE,
                "automargin": True,
                "tickformat": ",",
                "nticks": 7,
            },
        )
        return figure


@dataclass(frozen=True, slots=True)
class NumberMap:
    """A number for each pair of a row and a column; ``None`` where there is none.

    Rows may be of different units: the shade of a number is that within its row.
    """

    caption: str
    unit: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]

    @property
    def height(self) -> int:
        """Pixels that let each row's name stand clear."""
        return 110 + _ROW_HEIGHT * len(self.names)

    def heads(self) -> tuple[str, ...]:
        """Heads of its table."""
        return "", *(f"n:{column or self.unit}" for column in self.columns)

    def rows(self) -> list[tuple[str, ...]]:
        """Its numbers."""
        return [
            (name, *("" if value is None else _plain(value) for value in row))
            for name, row in zip(self.names, self.values, strict=True)
        ]

    def figure(self) -> Any:
        """The drawing."""
        import plotly.graph_objects as go

        shades = [_shades(row) for row in self.values]
        drawn = go.Heatmap(
            x=list(self.columns),
            y=list(self.names),
            z=shades,
            customdata=[list(row) for row in self.values],
            text=[["" if v is None else _plain(v) for v in row] for row in self.values],
            texttemplate="%{text}",
            zmin=-1,
            zmax=1,
            colorscale=[
                [0, "rgba(192,57,43,0.42)"],
                [0.5, "rgba(140,150,160,0.06)"],
                [1, "rgba(60,141,90,0.42)"],
            ],
            xgap=2,
            ygap=2,
            showscale=False,
            hovertemplate=f"%{{y}}, %{{x}}: %{{customdata:,.4~g}} {self.unit}<extra></extra>",
        )
        figure = go.Figure(drawn)
        figure.update_layout(
            margin=_EDGE | {"t": 30},
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            font=FONT,
            yaxis={"autorange": "reversed", "automargin": True, "type": "category",
                   "tickmode": "linear", "showgrid": False},
            xaxis={"side": "top", "type": "category", "showgrid": False, "automargin": True},
        )  # fmt: skip
        return figure


Figure = Flows | Waterfall | NumberMap


def _label(name: str, amount: str) -> str:
    """Name and amount; the amount of a long name under it, so that it stays clear of what follows."""
    safe = name.replace("<", "&lt;")
    if len(name) <= _LONG:
        return f"{safe} {amount}"
    breaks = [match.end() for match in re.finditer(r"[_ ]", safe)]
    if len(name) > _LONGER and breaks:
        middle = min(breaks, key=lambda at: abs(at - len(safe) / 2))
        safe = f"{safe[:middle]}<br>{safe[middle:]}"
    return f"{safe}<br>{amount}"


def _reach(steps: Sequence[float]) -> tuple[float, float]:
    """Least and largest running sum, with nothing."""
    reached, total = [0.0], 0.0
    for step in steps:
        total += step
        reached.append(total)
    return min(reached), max(reached)


def _right_ends(steps: Sequence[float]) -> list[float]:
    """Right end of each bar; the last one begins at nothing."""
    ends, total = [], 0.0
    for step in steps[:-1]:
        ends.append(max(total, total + step))
        total += step
    return [*ends, max(0.0, steps[-1])]


def _money(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _signed(value: float) -> str:
    return f"+{_money(value)}" if value > 0 else _money(value)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def _shades(row: Sequence[float | None]) -> list[float | None]:
    most = max((abs(value) for value in row if value is not None), default=0.0) or 1.0
    return [None if value is None else value / most for value in row]


def _clear(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.28)"
