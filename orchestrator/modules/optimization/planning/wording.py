"""Numbers as a planner reads them: in full above a thousand, to a few digits below."""

from __future__ import annotations


def number(value: float) -> str:
    """The number, without what is only rounding."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{0.0 if abs(value) < 1e-9 else value:,.4g}"


def signed(value: float) -> str:
    """The number with its sign."""
    return f"{'+' if value > 0 else ''}{number(value)}"
