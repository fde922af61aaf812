"""From selected candidates to ordered actions with dependencies and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from orchestrator.core.criteria import priority
from orchestrator.core.decision import Action
from orchestrator.core.gates import Candidate
from orchestrator.core.understanding.names import GRADES
from orchestrator.modules.base import Operation

ORDER = (
    "etl.ingest",
    "etl.validate",
    "etl.clean",
    "etl.reconcile",
    "forecasting.soft_sensor",
    "forecasting.forecast",
    "forecasting.backtest",
    "forecasting.explain",
    "forecasting.time_to_limit",
    "analysis.update",
    "analysis.stocks",
    "analysis.demand",
    "analysis.prices",
    "analysis.cracks",
    "analysis.market",
    "optimization.plan",
    "optimization.blend",
    "optimization.setpoints",
    "optimization.what_if",
    "optimization.sensitivity",
)
"""Validate, forecast, analyse, optimise; and the plan before the set points."""

FEEDS: dict[str, tuple[str, ...]] = {
    "etl": ("etl",),
    "forecasting": ("etl",),
    "analysis": (),
    "optimization": ("etl", "forecasting", "analysis"),
}
"""Modules whose results a module reads, when they are selected beside it."""

EQUIPMENT = re.compile(r"(?:[A-Z]|TK)-?\d+[A-Z]?")
"""Numbers of equipment as people write them: one letter, or TK, and digits."""

MARKET_PRODUCTS = {
    "jet fuel": "jet",
    "kerosene": "jet",
    "heating oil": "diesel",
    "distillate": "diesel",
    "middle distillates": "diesel",
    "light naphtha": "naphtha",
    "heavy naphtha": "naphtha",
    "vgo": "gas_oil",
    "fuel oil": "residue",
    "vlsfo": "residue",
    **{grade: "crude" for _, grade in GRADES},
}
"""Products as people name them, and the series by which the market knows them."""

_FROM_RULES = frozenset({"tags", "targets", "target", "restore", "equipment"})
"""Parameters that the elements of the rules determine."""
_RANK = {name: number for number, name in enumerate(ORDER)}
_INSIDE = {
    "etl.clean": ("etl.ingest",),
    "etl.validate": ("etl.ingest",),
    "etl.reconcile": ("etl.ingest", "etl.validate", "etl.clean"),
    "forecasting.explain": ("forecasting.forecast",),
    **{
        f"analysis.{name}": ("analysis.update",)
        for name in ("stocks", "demand", "prices", "cracks", "market")
    },
    "optimization.setpoints": ("optimization.plan",),
    "optimization.sensitivity": ("optimization.plan",),
}


def rank(operation: str) -> tuple[int, str]:
    """Sort key by dependency; operations of other modules come before the optimisation."""
    return _RANK.get(operation, _RANK["optimization.plan"] - 1), operation


def actions_of(
    candidates: Iterable[Candidate], parameters: Mapping[str, Mapping[str, Any]]
) -> tuple[Action, ...]:
    """The actions, each after those that it depends on.

    An action that starts now never waits for one that is deferred.
    """
    ordered = sorted(candidates, key=lambda candidate: rank(candidate.operation))
    return tuple(
        Action(
            module=candidate.module,
            operation=candidate.operation.partition(".")[2],
            parameters=dict(parameters.get(candidate.operation, {})),
            priority=priority(candidate),
            depends_on=_dependencies(candidate, ordered[:number]),
            deferred=candidate.deferred,
        )
        for number, candidate in enumerate(ordered)
    )


def _dependencies(candidate: Candidate, before: Sequence[Candidate]) -> tuple[str, ...]:
    feeding = FEEDS.get(candidate.module, ())
    inside = _INSIDE.get(candidate.operation, ())
    return tuple(
        other.operation
        for other in before
        if (
            other.operation in inside
            or (other.module in feeding and other.module != candidate.module)
        )
        and (candidate.deferred or not other.deferred)
    )


def parameters_of(
    candidate: Candidate, operation: Operation | None, slots: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What the situation or the words determine of an operation's parameters.

    Only names that its input model has are passed; the rest keep their defaults.
    """
    if operation is None:
        return {}
    slots = slots or {}
    accepted = operation.input_model.model_fields
    if not slots and _FROM_RULES.isdisjoint(accepted):
        return {}
    tags: set[str] = set()
    equipment: set[str] = set()
    for fired in candidate.fired:
        tags.update(a["tag"] for a in fired.elements.get("alerts", ()) if a.get("tag"))
        equipment.update(e["id"] for e in fired.elements.get("equipment", ()) if e.get("id"))
    for tag in slots.get("tags", ()):
        (equipment if EQUIPMENT.fullmatch(tag) else tags).add(tag)
    offered: dict[str, Any] = {
        "tags": sorted(tags),
        "targets": sorted(tags),
        "target": min(tags) if len(tags) == 1 else None,
        "restore": sorted(tags),
        "equipment": sorted(equipment),
        **{name: value for name, value in slots.items() if name != "tags"},
    }
    if candidate.module == "analysis" and "product" in slots:
        offered["product"] = MARKET_PRODUCTS.get(slots["product"], slots["product"])
    given = {name: value for name, value in offered.items() if value and name in accepted}
    return _valid(given, operation) if slots else given


def _valid(given: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """Those parameters that fit; words may say more, or less exactly, than an operation takes."""
    try:
        operation.input_model.model_validate(given)
    except ValidationError as error:
        unfit = {item["loc"][0] for item in error.errors() if item["loc"]}
        return {name: value for name, value in given.items() if name not in unfit}
    return given
