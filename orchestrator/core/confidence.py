"""How sure a decision is, until outcomes exist to calibrate it against.

    confidence = 0.50 + 0.30 x known + 0.19 x clear

*known* is the share of the fields that rules and gates read which the situation gives. *clear* is the
smallest distance of a given value from its threshold, relative to the threshold, where 10 % of the
threshold and more counts as 1. A plant that is stopped needs nothing else to be known: 0.99.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.config import GateSettings
from orchestrator.core.expression import Comparison, look_up
from orchestrator.core.gates import STOPPED
from orchestrator.core.triggers import RuleBook

BASE, WEIGHT_KNOWN, WEIGHT_CLEAR = 0.50, 0.30, 0.19
CERTAIN = BASE + WEIGHT_KNOWN + WEIGHT_CLEAR
CLEAR_DISTANCE = 0.10


class ConfidenceRule:
    """The rule above for one policy."""

    def __init__(self, rules: RuleBook, gates: GateSettings) -> None:
        self._compared = {path: tuple(set(c)) for path, c in rules.compared.items()}
        self._compared_in = {
            path: tuple(set(c)) for path, c in rules.compared_in.items() if len(path) == 1 and c
        }
        lists = {path[0] for path in rules.compared_in if len(path) == 1}
        self._fields = sorted(
            {path for path in rules.read_fields if path[0] not in lists}
            | {(name,) for name in lists}
            | {("plant_mode",), ("data_quality", "score")}
        )
        self._quality = tuple(set(gates.min_quality.values()))

    def __call__(self, facts: Mapping[str, Any]) -> float:
        """Confidence on the normalised facts of a situation, 0 to 1."""
        if facts.get("plant_mode") in STOPPED:
            return CERTAIN
        known = sum(look_up(facts, path) is not None for path in self._fields) / len(self._fields)
        clear = min(1.0, self._nearest(facts) / CLEAR_DISTANCE)
        return round(BASE + WEIGHT_KNOWN * known + WEIGHT_CLEAR * clear, 4)

    def _nearest(self, facts: Mapping[str, Any]) -> float:
        nearest = CLEAR_DISTANCE
        for path, comparisons in self._compared.items():
            nearest = min(nearest, _distance(look_up(facts, path), comparisons))
        for (name,), comparisons in self._compared_in.items():
            by_field: dict[str, list[Comparison]] = {}
            for comparison in comparisons:
                by_field.setdefault(comparison.path[0], []).append(comparison)
            for element in facts.get(name, ()):
                for field, group in by_field.items():
                    nearest = min(nearest, _distance(element.get(field), group))
        score = look_up(facts, ("data_quality", "score"))
        if score is not None:
            nearest = min(
                [nearest, *(abs(score - limit) / limit for limit in self._quality if limit)]
            )
        return nearest


def _distance(value: Any, comparisons: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return CLEAR_DISTANCE
    return min((comparison.distance(value) for comparison in comparisons), default=CLEAR_DISTANCE)
