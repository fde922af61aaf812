"""How sure a decision is, until outcomes exist to calibrate it against.

    confidence = 0.50 + 0.30 x known + 0.19 x clear

*known* is the share of the fields that rules and gates read which the situation gives. *clear* is the
smallest distance of a given value from its threshold, relative to the threshold, where 10 % of the
threshold and more counts as 1. A plant that is stopped needs nothing else to be known: 0.99.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.config import GateSettings
from orchestrator.core.expression import Comparison, Path, look_up
from orchestrator.core.gates import STOPPED
from orchestrator.core.triggers import RuleBook

BASE, WEIGHT_KNOWN, WEIGHT_CLEAR = 0.50, 0.30, 0.19
CERTAIN = BASE + WEIGHT_KNOWN + WEIGHT_CLEAR
CLEAR_DISTANCE = 0.10


class ConfidenceRule:
    """The rule above for one policy."""

    def __init__(self, rules: RuleBook, gates: GateSettings) -> None:
        self._compared = {path: tuple(set(c)) for path, c in rules.compared.items()}
        self._compared_in: dict[Path, set[Comparison]] = {}
        for source, listed in rules.compared_in.items():
            for comparison in listed:
                if len(source) == len(comparison.path) == 1:
                    self._compared_in.setdefault((*source, *comparison.path), set()).add(comparison)
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
        distances = [CLEAR_DISTANCE]
        for path, comparisons in self._compared.items():
            if values := _numbers([look_up(facts, path)]):
                distances += [comparison.distance(values) for comparison in comparisons]
        for (name, field), listed in self._compared_in.items():
            if values := _numbers([element.get(field) for element in facts.get(name, ())]):
                distances += [comparison.distance(values) for comparison in listed]
        score = look_up(facts, ("data_quality", "score"))
        if score is not None:
            distances += [abs(score - limit) / limit for limit in self._quality if limit]
        return min(distances)


def _numbers(values: Iterable[Any]) -> list[float]:
    return [value for value in values if type(value) in {int, float}]
