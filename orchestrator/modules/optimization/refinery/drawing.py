"""The flowsheet drawn: a page of its own with an SVG, from left to right.

Layers as of Sugiyama, Tagawa and Toda (IEEE Transactions on Systems, Man, and Cybernetics 11, 1981): a stream that
passes a column of boxes has a lane of its own there, so that no line runs behind a box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from orchestrator.modules.optimization.refinery.graph import Edge, Graph

WIDTH, HEIGHT = 150, 34
ACROSS = 260
BOX, LANE = 50, 17
MARGIN = 24
COLOURS = {
    "crude": "#5b4636",
    "purchase": "#7d6b5a",
    "unit": "#1f5f8b",
    "pool": "#6a4c93",
    "tank": "#6a4c93",
    "utility": "#9c6b00",
    "product": "#2a7d4f",
}
_LONGEST = 20
_SWEEPS = 4

Place = tuple[str, int]
"""A box by its id, or a stream in a column."""


@dataclass(slots=True)
class _Layout:
    """Columns of places from top to bottom, and the pieces of line between them."""

    columns: list[list[Place]]
    pieces: dict[tuple[Place, Place], list[str]] = field(default_factory=dict)
    back: list[Edge] = field(default_factory=list)
    height: dict[Place, float] = field(default_factory=dict)


def as_svg(graph: Graph) -> str:
    """The graph as an SVG element; each box is a node, each line a stream with its name as title."""
    layout = _layout(graph)
    width = 2 * MARGIN + max(len(layout.columns) - 1, 0) * ACROSS + WIDTH
    height = 2 * MARGIN + max((_size(column) for column in layout.columns), default=0)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, *_lines(layout), *_boxes(graph, layout), "</svg>"])


def as_page(graph: Graph) -> str:
    """A page with the drawing and the list of its streams."""
    names = {node.id: node.name for node in graph.nodes}
    rows = "\n".join(
        f"<tr><td>{escape(e.stream)}</td><td>{escape(names[e.source])}</td>"
        f"<td>{escape(names[e.target])}</td></tr>"
        for e in graph.edges
    )
    kinds = " ".join(
        f'<span style="color:{colour}">■ {kind}</span>'
        for kind, colour in COLOURS.items()
        if any(node.kind == kind for node in graph.nodes)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(graph.name)}</title>'
        "<style>body{font-family:sans-serif;margin:1.5rem;color:#222}figure{margin:0;overflow-x:auto}"
        "table{border-collapse:collapse;margin-top:1rem}td,th{padding:.2rem .8rem;text-align:left;"
        "border-bottom:1px solid #ddd}g:hover path,g:hover line{stroke:#d0342c}</style></head><body>"
        f"<h1>{escape(graph.name)}</h1><p>{kinds}</p><figure>{as_svg(graph)}</figure>"
        f"<table><tr><th>stream</th><th>from</th><th>to</th></tr>{rows}</table></body></html>"
    )


def _layout(graph: Graph) -> _Layout:
    ranks = graph.ranks
    boxes = {node.id: (node.id, ranks[node.id]) for node in graph.nodes}
    layout = _Layout([[] for _ in range(max(ranks.values(), default=0) + 1)])
    for place in boxes.values():
        layout.columns[place[1]].append(place)
    streams: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if ranks[edge.target] > ranks[edge.source]:
            streams.setdefault(edge.stream, []).append(edge)
        else:
            layout.back.append(edge)
    for stream, edges in streams.items():
        for edge in edges:
            here = boxes[edge.source]
            for column in range(ranks[edge.source] + 1, ranks[edge.target]):
                lane = (f"stream {stream}", column)
                if lane not in layout.columns[column]:
                    layout.columns[column].append(lane)
                _join(layout, here, lane, stream)
                here = lane
            _join(layout, here, boxes[edge.target], stream)
    for _ in range(_SWEEPS):
        _order(layout)
    return layout


def _join(layout: _Layout, start: Place, end: Place, stream: str) -> None:
    streams = layout.pieces.setdefault((start, end), [])
    if stream not in streams:
        streams.append(stream)


def _order(layout: _Layout) -> None:
    """One sweep: each column in the order of the mean height of what it is joined to."""
    joined: dict[Place, list[Place]] = {}
    for start, end in layout.pieces:
        joined.setdefault(start, []).append(end)
        joined.setdefault(end, []).append(start)
    _set_heights(layout)
    for column in layout.columns:

        def mean(place: Place) -> float:
            heights = [layout.height[other] for other in joined.get(place, [])]
            return sum(heights) / len(heights) if heights else layout.height[place]

        column.sort(key=mean)
        _set_heights(layout)


def _set_heights(layout: _Layout) -> None:
    most = max((_size(column) for column in layout.columns), default=0)
    for column in layout.columns:
        top = MARGIN + (most - _size(column)) / 2
        for place in column:
            room = _room(place)
            layout.height[place] = top + room / 2
            top += room


def _room(place: Place) -> int:
    return LANE if place[0].startswith("stream ") else BOX


def _size(column: list[Place]) -> int:
    return sum(_room(place) for place in column)


def _lines(layout: _Layout) -> Iterator[str]:
    leaves, enters = _ports(layout, 0), _ports(layout, 1)
    for piece, streams in layout.pieces.items():
        start = MARGIN + piece[0][1] * ACROSS + WIDTH, leaves[piece]
        end = MARGIN + piece[1][1] * ACROSS, enters[piece]
        yield _curve(", ".join(streams), start, end)
    for column in layout.columns:
        for name, number in column:
            if name.startswith("stream "):
                stream, y = name.removeprefix("stream "), layout.height[name, number]
                x = MARGIN + number * ACROSS
                yield (
                    f'<g><title>{escape(stream)}</title><line x1="{x}" y1="{y:g}" x2="{x + WIDTH}" '
                    f'y2="{y:g}" stroke="#9aa5b1" stroke-width="1.6"/><text x="{x + 4}" y="{y - 3:g}" '
                    f'font-size="10" fill="#5a6672">{escape(stream)}</text></g>'
                )
    columns = {place[0]: place for column in layout.columns for place in column}
    for edge in layout.back:
        source, target = columns[edge.source], columns[edge.target]
        start = MARGIN + source[1] * ACROSS + WIDTH, layout.height[source]
        yield _curve(edge.stream, start, (MARGIN + target[1] * ACROSS, layout.height[target]))


def _ports(layout: _Layout, own: int) -> dict[tuple[Place, Place], float]:
    """Height at which each piece leaves (0) or enters (1) its place, spread over a box by the other ends."""
    met: dict[Place, list[tuple[Place, Place]]] = {}
    for piece in layout.pieces:
        met.setdefault(piece[own], []).append(piece)
    found = {}
    for place, pieces in met.items():
        pieces.sort(key=lambda piece: layout.height[piece[1 - own]])
        room = HEIGHT if _room(place) == BOX else 0
        for number, piece in enumerate(pieces, start=1):
            off = number / (len(pieces) + 1) - 0.5
            found[piece] = layout.height[place] + room * off
    return found


def _curve(streams: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    bend = max(40.0, abs(x2 - x1) / 2)
    return (
        f"<g><title>{escape(streams)}</title>"
        f'<path d="M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}" '
        'fill="none" stroke="#9aa5b1" stroke-width="1.6"/></g>'
    )


def _boxes(graph: Graph, layout: _Layout) -> Iterator[str]:
    for node in graph.nodes:
        place = node.id, graph.ranks[node.id]
        x, y = MARGIN + place[1] * ACROSS, layout.height[place] - HEIGHT / 2
        label = node.name if len(node.name) <= _LONGEST else node.name[: _LONGEST - 1] + "…"
        yield (
            f'<g><title>{escape(node.id)}</title><rect x="{x}" y="{y:g}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="5" fill="{COLOURS[node.kind]}"/>'
            f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 4:g}" fill="#fff" '
            f'text-anchor="middle">{escape(label)}</text></g>'
        )
