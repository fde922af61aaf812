"""The flowsheet as a graph: what is bought, units, pools, tanks, utilities and products, joined by streams."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
from orchestrator.modules.optimization.refinery.numbers import every

Kind = Literal["crude", "purchase", "unit", "pool", "tank", "utility", "product"]
_SECTIONS: dict[str, Kind] = {"crudes": "crude", "purchases": "purchase"}


@dataclass(frozen=True, slots=True)
class Node:
    """A place that streams come from or go to; ``id`` is its path in the model."""

    id: str
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A stream from one node to another."""

    source: str
    target: str
    stream: str


class Graph:
    """Nodes and edges of a flowsheet, in the order of the file."""

    def __init__(self, sheet: Flowsheet) -> None:
        self.name = sheet.model.name
        self._sheet = sheet
        self.nodes = tuple(self._nodes())
        self.edges = tuple(dict.fromkeys(self._edges()))

    def _nodes(self) -> Iterable[Node]:
        model = self._sheet.model
        for section, kind in (
            *_SECTIONS.items(),
            ("units", "unit"),
            ("pools", "pool"),
            ("tanks", "tank"),
        ):
            for name in getattr(model, section):
                yield Node(f"{section}.{name}", kind, name)
        for name, utility in model.utilities.items():
            if utility.from_:
                yield Node(f"utilities.{name}", "utility", name)
        for name in model.products:
            yield Node(f"products.{name}", "product", name)

    def _edges(self) -> Iterable[Edge]:
        sheet, model = self._sheet, self._sheet.model
        makers: dict[str, list[str]] = {}
        for name, (section, _) in model.supplies.items():
            makers.setdefault(name, []).append(f"{section}.{name}")
        for process in sheet.processes:
            for stream, share in process.yields.items():
                unit = f"units.{process.unit}"
                if max(every(share)) > 0 and unit not in makers.setdefault(stream, []):
                    makers[stream].append(unit)
        for name in model.pools:
            makers.setdefault(name, []).append(f"pools.{name}")
        for process in sheet.processes:
            used = [s for s, share in process.yields.items() if min(every(share)) < 0]
            for stream in (process.feed, *used):
                for maker in makers.get(stream, []):
                    yield Edge(maker, f"units.{process.unit}", stream)
        for path, given in sheet.named:
            if path[0] == "limits":
                continue
            for stream in sheet.actual(given):
                for maker in makers.get(stream, []):
                    yield Edge(maker, f"{path[0]}.{path[1]}", stream)
        for name, tank in model.tanks.items():
            held = tank.holds or name
            if held in model.products and held not in makers:
                yield Edge(f"products.{held}", f"tanks.{name}", held)
            for maker in makers.get(held, []):
                yield Edge(maker, f"tanks.{name}", held)

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Node -> its column from left to right: one after the last of what feeds it, cycles cut."""
        after: dict[str, list[str]] = {}
        for edge in self.edges:
            after.setdefault(edge.target, []).append(edge.source)
        found: dict[str, int] = {}

        def rank(node: str, above: frozenset[str]) -> int:
            if node in found:
                return found[node]
            sources = [s for s in after.get(node, []) if s not in above and s != node]
            value = max((rank(s, above | {node}) + 1 for s in sources), default=0)
            found[node] = value
            return value

        for node in self.nodes:
            rank(node.id, frozenset())
        ends = {node.id for node in self.nodes if node.kind == "product"}
        stores = {edge.target for edge in self.edges if edge.source in ends}
        last = 1 + max(
            (rank for node, rank in found.items() if node not in ends | stores), default=0
        )
        return {
            node: last + 1 if node in stores else last if node in ends else place
            for node, place in found.items()
        }


def as_text(graph: Graph) -> str:
    """One line for each node: what comes in and what goes out."""
    lines = [f"{graph.name}"]
    for node in graph.nodes:
        into = _streams(e.stream for e in graph.edges if e.target == node.id)
        out = _streams(e.stream for e in graph.edges if e.source == node.id)
        if node.kind in ("crude", "purchase"):
            to = ", ".join(
                dict.fromkeys(
                    e.target.partition(".")[2] for e in graph.edges if e.source == node.id
                )
            )
            lines.append(f"  {node.kind:8} {node.name} → {to or '(nothing)'}")
        elif node.kind in ("product", "utility", "tank"):
            lines.append(f"  {node.kind:8} {into or '(nothing)'} → [{node.name}]")
        else:
            lines.append(
                f"  {node.kind:8} {into or '(nothing)'} → [{node.name}] → {out or '(nothing)'}"
            )
    return "\n".join(lines)


def as_mermaid(graph: Graph) -> str:
    """A Mermaid flow chart."""
    shapes = {
        "unit": ("[", "]"),
        "pool": ("{{", "}}"),
        "tank": ("[(", ")]"),
        "product": ("([", "])"),
    }
    number = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        left, right = shapes.get(node.kind, ("(", ")"))
        lines.append(f"  {number[node.id]}{left}{_quoted(node.name)}{right}")
    for edge in graph.edges:
        label = _quoted(edge.stream)
        lines.append(f"  {number[edge.source]} -->|{label}| {number[edge.target]}")
    return "\n".join(lines)


def as_dot(graph: Graph) -> str:
    """A Graphviz graph."""
    shapes = {"unit": "box", "pool": "hexagon", "tank": "cylinder", "product": "house"}
    lines = ["digraph refinery {", "  rankdir=LR;"]
    for node in graph.nodes:
        shape = shapes.get(node.kind, "ellipse")
        lines.append(f"  {_quoted(node.id)} [label={_quoted(node.name)}, shape={shape}];")
    for edge in graph.edges:
        ends = f"{_quoted(edge.source)} -> {_quoted(edge.target)}"
        lines.append(f"  {ends} [label={_quoted(edge.stream)}];")
    return "\n".join([*lines, "}"])


def as_json(graph: Graph) -> str:
    """Nodes and edges."""
    return json.dumps(
        {
            "name": graph.name,
            "nodes": [asdict(node) for node in graph.nodes],
            "edges": [asdict(edge) for edge in graph.edges],
        },
        ensure_ascii=False,
        indent=2,
    )


def _streams(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', "'").replace("\n", " ")
    return f'"{plain}"'
