"""What flows from where to where in a plan, for a Sankey diagram."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.refinery.numbers import at
from orchestrator.modules.report_figures import Flows, Link, Node

BOUGHT, UNIT, STORE, SOLD, LOST = "#6b7785", "#2f6f9f", "#9b4f96", "#3c8d5a", "#c9820a"
_LEAST_SHARE = 1e-4
_KINDS = {"crudes": BOUGHT, "purchases": BOUGHT, "units": UNIT, "pools": UNIT, "tanks": STORE, "into": STORE,
          "stream": "#8b98a5", "products": SOLD, "utilities": LOST, "surplus": LOST}  # fmt: skip
_ENDS = ("products", "utilities", "surplus", "into")

Place = tuple[str, str]


def flows(built: PlanProgram, solution: LinearSolution) -> Flows:
    """Flows of all streams, as means over the days of the plan."""
    amounts: dict[tuple[Place, Place, str], float] = defaultdict(float)
    whole = sum(span.days for span in built.model.spans)
    for stream, (made, used) in _by_stream(built, solution, whole).items():
        for pair, amount in _links(stream, made, used).items():
            amounts[(*pair, stream)] += amount
    least = _LEAST_SHARE * max(amounts.values(), default=0.0)
    kept = {key: amount for key, amount in amounts.items() if amount > least}
    places = list(dict.fromkeys(place for source, target, _ in kept for place in (source, target)))
    depth = _depths(places, [(source, target) for source, target, _ in kept])
    deepest = max(depth.values(), default=1) or 1
    order = sorted(places, key=lambda place: (depth[place], list(_KINDS).index(place[0])))
    index = {place: number for number, place in enumerate(order)}
    return Flows(
        caption=f"What flows where, {built.model.quantity_unit} a day"
        + (", mean over the periods" if len(built.model.spans) > 1 else ""),
        unit=f"{built.model.quantity_unit}/d",
        nodes=tuple(Node(_label(p), _KINDS[p[0]], depth[p] / deepest) for p in order),
        links=tuple(
            Link(index[source], index[target], amount, stream)
            for (source, target, stream), amount in kept.items()
        ),
    )


def _by_stream(
    built: PlanProgram, solution: LinearSolution, whole: float
) -> dict[str, tuple[dict[Place, float], dict[Place, float]]]:
    """By stream, where it comes from and where it goes, as means per day."""
    values = solution.values
    unit_of = {process.name: process.unit for process in built.sheet.processes}
    spans = {span.name: span for span in built.model.spans}
    found: dict[str, tuple[dict[Place, float], dict[Place, float]]] = {}
    for (stream, period), columns in built.book.flows.items():
        span = spans[period]
        net: dict[Place, float] = defaultdict(float)
        for column, amount in columns.items():
            net[_place(column, unit_of)] += amount * values[column] * span.days / whole
        for tank, given in built.model.tanks.items():
            if (given.holds or tank) == stream and span is built.model.spans[0]:
                net["tanks", tank] += at(given.opening, period) / whole
        made, used = found.setdefault(stream, (defaultdict(float), defaultdict(float)))
        for place, amount in net.items():
            if amount > 0:
                made[place] += amount
            elif amount < 0:
                # What is put by and what is drawn later are two places, so that flows lead on.
                used[("into", place[1]) if place[0] == "tanks" else place] -= amount
    return found


def _place(column: str, unit_of: Mapping[str, str]) -> Place:
    plain = column.removesuffix("]").partition("[")[0]
    if plain in unit_of:
        return "units", unit_of[plain]
    kind, _, rest = plain.partition(".")
    name = rest.partition(".")[0]
    if kind in ("blend", "made", "products"):
        return "products", name if kind == "blend" else rest
    if kind == "burn":
        return "utilities", name
    if kind == "tanks":
        return "tanks", rest
    if kind == "pools":
        return "pools", name
    if kind in ("crudes", "purchases", "surplus"):
        return kind, rest
    return "stream", rest


def _links(
    stream: str, made: Mapping[Place, float], used: Mapping[Place, float]
) -> dict[tuple[Place, Place], float]:
    """Straight from its only source or to its only use; else by way of the stream itself."""
    sources = {place: amount for place, amount in made.items() if amount > 0}
    targets = {place: amount for place, amount in used.items() if amount > 0}
    if len(sources) == 1:
        return {(next(iter(sources)), place): amount for place, amount in targets.items()}
    if len(targets) == 1:
        return {(place, next(iter(targets))): amount for place, amount in sources.items()}
    middle = ("stream", stream)
    return {
        **{(place, middle): amount for place, amount in sources.items()},
        **{(middle, place): amount for place, amount in targets.items()},
    }


def _depths(places: list[Place], links: list[tuple[Place, Place]]) -> dict[Place, int]:
    """How far each place is from what is bought, along the longest way without a return."""
    targets: dict[Place, list[Place]] = defaultdict(list)
    for source, target in links:
        if source != target:
            targets[source].append(target)
    forward = _without_returns(places, targets)
    depth = dict.fromkeys(places, 0)
    for _ in places:
        for source, target in forward:
            depth[target] = max(depth[target], depth[source] + 1)
    last = max((depth[p] for p in places), default=0)
    return {place: last if place[0] in _ENDS else depth[place] for place in places}


def _without_returns(
    places: list[Place], targets: Mapping[Place, list[Place]]
) -> list[tuple[Place, Place]]:
    """Links that lead on; those back to a place on the way are left out (depth-first search)."""
    kept: list[tuple[Place, Place]] = []
    state: dict[Place, str] = {}

    def visit(place: Place) -> None:
        state[place] = "open"
        for target in dict.fromkeys(targets.get(place, ())):
            if state.get(target) == "open":
                continue
            kept.append((place, target))
            if target not in state:
                visit(target)
        state[place] = "done"

    fed = {target for found in targets.values() for target in found}
    for place in sorted(places, key=lambda item: item in fed):
        if place not in state:
            visit(place)
    return kept


def _label(place: Place) -> str:
    kind, name = place
    words = {"surplus": "surplus", "tanks": "from tank", "into": "into tank"}
    return f"{words[kind]} {name}" if kind in words else name
