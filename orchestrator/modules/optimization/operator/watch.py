"""What must not happen while moves are made: an outer limit of a touched tag is crossed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.modules.optimization.operator.content import limiting_tags, moved_tags
from orchestrator.plant.tags import Plant


def touched_tags(content: Mapping[str, Any]) -> frozenset[str]:
    """Tags that the moves act on: handles, limits and expected responses."""
    return frozenset(
        {*moved_tags(content), *limiting_tags(content), *content.get("expected_response", {})}
    )


def beyond_limits(
    tags: Iterable[str], plant: Plant, values: Mapping[str, float | None]
) -> tuple[str, ...]:
    """``tag side limit`` of every outer alarm limit that a value is beyond; unknown values are beyond none.

    The inner limits raise an alert of their own, which waits until it is more than a spike.
    """
    found = []
    for name in sorted(tags):
        tag, value = plant.by_name.get(name), values.get(name)
        if tag is None or value is None or not math.isfinite(value):
            continue
        for side in ("low_low", "high_high"):
            bound = getattr(tag.limits, side)
            if bound is not None and (value < bound if side.startswith("low") else value > bound):
                found.append(f"{name} {side} {bound:g}")
    return tuple(found)
