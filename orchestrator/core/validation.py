"""Says in words what is wrong with values that do not fit a model."""

from __future__ import annotations

from pydantic import ValidationError


def describe(invalid: ValidationError) -> str:
    """Each wrong field with its value and what is accepted."""
    parts = []
    for item in invalid.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in item["loc"]) or "(all)"
        given = "" if item["type"] == "missing" else f", got {_short(item.get('input'))}"
        parts.append(f"{name}: {item['msg']}{given}")
    return "; ".join(parts)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
