"""The flowsheet drawn: a page of its own with an SVG, from left to right."""

from __future__ import annotations

from html import escape

from orchestrator.modules.optimization.refinery.graph import Edge, Graph

WIDTH, HEIGHT = 150, 34
ACROSS, DOWN = 270, 58
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


def as_svg(graph: Graph) -> str:
    """The graph as an SVG element; each box is a node, each line a stream with its name as title."""
    columns = _columns(graph)
    most = max((len(column) for column in columns), default=1)
    place: dict[str, tuple[float, float]] = {}
    for across, column in enumerate(columns):
        top = MARGIN + (most - len(column)) * DOWN / 2
        for below, name in enumerate(column):
            place[name] = (MARGIN + across * ACROSS, top + below * DOWN)
    width = 2 * MARGIN + max(len(columns) - 1, 0) * ACROSS + WIDTH
    height = 2 * MARGIN + most * DOWN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
    )
    parts = [head]
    together: dict[tuple[str, str], list[str]] = {}
    for edge in graph.edges:
        together.setdefault((edge.source, edge.target), []).append(edge.stream)
    for (source, target), streams in together.items():
        parts.append(_line(Edge(source, target, ", ".join(streams)), place))
    for node in graph.nodes:
        x, y = place[node.id]
        label = node.name if len(node.name) <= _LONGEST else node.name[: _LONGEST - 1] + "…"
        parts.append(
            f'<g><title>{escape(node.id)}</title><rect x="{x}" y="{y:g}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="5" fill="{COLOURS[node.kind]}"/>'
            f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 4:g}" fill="#fff" '
            f'text-anchor="middle">{escape(label)}</text></g>'
        )
    return "\n".join([*parts, "</svg>"])


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
        "border-bottom:1px solid #ddd}</style></head><body>"
        f"<h1>{escape(graph.name)}</h1><p>{kinds}</p><figure>{as_svg(graph)}</figure>"
        f"<table><tr><th>stream</th><th>from</th><th>to</th></tr>{rows}</table></body></html>"
    )


def _columns(graph: Graph) -> list[list[str]]:
    """Nodes by rank, each rank ordered by the mean place of what feeds it (Sugiyama's barycentre)."""
    ranks = graph.ranks
    columns: list[list[str]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for node in graph.nodes:
        columns[ranks[node.id]].append(node.id)
    for column in columns[1:]:
        place = {node: y for other in columns for y, node in enumerate(other)}
        before: dict[str, list[int]] = {node: [] for node in column}
        for edge in graph.edges:
            if edge.target in before:
                before[edge.target].append(place[edge.source])
        column.sort(key=lambda node: sum(before[node]) / max(len(before[node]), 1))
    return columns


def _line(edge: Edge, place: dict[str, tuple[float, float]]) -> str:
    (x1, y1), (x2, y2) = place[edge.source], place[edge.target]
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2
    bend = max(40.0, abs(x2 - x1) / 2)
    return (
        f"<g><title>{escape(edge.stream)}</title>"
        f'<path d="M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}" '
        'fill="none" stroke="#9aa5b1" stroke-width="1.6"/></g>'
    )
