"""What an instrument can credibly read: one definition for the live monitor and for ``etl.validate``."""

from __future__ import annotations

from math import inf

from orchestrator.plant.tags import Tag

ZERO_OFFSET_SHARE = 0.05
_ABSOLUTE_ZERO = {"degC": -273.15, "degF": -459.67, "K": 0.0, "kelvin": 0.0}


def credible_range(tag: Tag) -> tuple[float, float]:
    """Lowest and highest value, in the tag's unit, that its instrument or nature can give.

    The range is three widths of the normal range and never inside the alarm limits: a value beyond
    an alarm limit is an alarm, not a bad measurement. Percentages, flows, levels and absolute
    temperatures have physical ends beside it; a zero offset of 5 % is forgiven. Infinite where
    nothing is known.
    """
    low, high = -inf, inf
    if tag.normal is not None:
        width = tag.normal[1] - tag.normal[0]
        low, high = tag.normal[0] - width, tag.normal[1] + width
        for limit in (tag.limits.low_low, tag.limits.low):
            if limit is not None:
                low = min(low, limit - 0.5 * width)
        for limit in (tag.limits.high, tag.limits.high_high):
            if limit is not None:
                high = max(high, limit + 0.5 * width)
    if tag.unit in ("percent", "%") and tag.kind in ("valve", "level"):
        low, high = max(low, -100 * ZERO_OFFSET_SHARE), min(high, 100 * (1 + ZERO_OFFSET_SHARE))
    if tag.kind == "flow" and tag.normal is not None and tag.normal[0] >= 0:
        # A stopped stream reads about zero, which is far from normal and yet a good measurement.
        low = -ZERO_OFFSET_SHARE * tag.normal[1]
    if tag.kind == "temperature":
        low = max(low, _ABSOLUTE_ZERO.get(tag.unit, -inf))
    return low, high
