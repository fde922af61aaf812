"""How sure a decision is, until outcomes exist to calibrate it against.

    confidence = 0.50 + 0.30 x known + 0.19 x clear

*known* is the share of the fields that rules and gates read which the situation gives. *clear* is the
smallest distance of a given value from its threshold, relative to the threshold, where 10 % of the
threshold and more counts as 1. A plant that is stopped needs nothing else to be known: 0.99.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.config import GateSettings
from orchestrator.core.expression import Comparison
from orchestrator.core.gates import STOPPED
from orchestrator.core.predicates import NUMBERS, Path, reader
from orchestrator.core.triggers import RuleBook

BASE, WEIGHT_KNOWN, WEIGHT_CLEAR = 0.50, 0.30, 0.19
CERTAIN = BASE + WEIGHT_KNOWN + WEIGHT_CLEAR
CLEAR_DISTANCE = 0.10


class ConfidenceRule:
    """The rule above for one policy."""

    def __init__(self, rules: RuleBook, gates: GateSettings) -> None:
        lists = {path[0] for path in rules.compared_in if len(path) == 1}
        compared = {path: _limits(listed) for path, listed in rules.compared.items()}
        quality = ("data_quality", "score")
        gated = tuple((limit, False) for limit in sorted(set(gates.min_quality.values())) if limit)
        compared[quality] = compared.get(quality, ()) + gated
        fields = (
            {path for path in rules.read_fields if path[0] not in lists}
            | {(name,) for name in lists}
            | {("plant_mode",)}
            | compared.keys()
        )
        self._fields = [(reader(path), compared.get(path, ())) for path in sorted(fields)]
        in_elements: dict[Path, list[Comparison]] = {}
        for source, listed in rules.compared_in.items():
            for comparison in listed:
                if len(source) == len(comparison.path) == 1:
                    in_elements.setdefault((*source, *comparison.path), []).append(comparison)
        self._in_elements = [
            (name, field, _limits(listed)) for (name, field), listed in in_elements.items()
        ]

    def __call__(self, facts: Mapping[str, Any]) -> float:
        """Confidence on the normalised facts of a situation, 0 to 1."""
        if facts.get("plant_mode") in STOPPED:
            return CERTAIN
        known = 0
        nearest = CLEAR_DISTANCE
        for read, limits in self._fields:
            value = read(facts)
            if value is None:
                continue
            known += 1
            if limits and type(value) in NUMBERS:
                nearest = min(nearest, _distance(value, limits))
        for name, field, limits in self._in_elements:
            for element in facts.get(name, ()):
                value = element.get(field)
                if type(value) in NUMBERS:
                    nearest = min(nearest, _distance(value, limits))
        clear = nearest / CLEAR_DISTANCE
        return round(BASE + WEIGHT_KNOWN * known / len(self._fields) + WEIGHT_CLEAR * clear, 4)


_Limits = tuple[tuple[float, bool], ...]
"""Thresholds, each with whether it is the size of the value that is compared."""


def _limits(comparisons: Iterable[Comparison]) -> _Limits:
    return tuple(dict.fromkeys((item.threshold, item.absolute) for item in comparisons))


def _distance(value: float, limits: _Limits) -> float:
    """Least distance from a threshold, relative to it (to 1 where it is 0)."""
    least = math.inf
    for threshold, absolute in limits:
        distance = abs((abs(value) if absolute else value) - threshold) / (abs(threshold) or 1.0)
        if distance < least:
            least = distance
    return least
