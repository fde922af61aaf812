"""An operation's result, and what an operation takes, as text of bounded length for a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.llm.fence import fenced, harmless
from orchestrator.modules.base import Operation

LONGEST_RESULT = 6000
LONGEST_LISTS = (12, 6, 3, 1)
DIGITS = 6


def result_text(result: Mapping[str, Any], *, longest: int = LONGEST_RESULT) -> str:
    """The result as fenced JSON: floats to six digits, long lists cut until it fits."""
    text = ""
    for most in LONGEST_LISTS:
        text = json.dumps(
            _cut(result, most), ensure_ascii=False, separators=(",", ":"), default=str
        )
        if len(text) <= longest:
            break
    return fenced(text, "result of an operation", longest=longest)


def parameters_text(operation: Operation) -> str:
    """Name, type and meaning of each parameter, on one line each."""
    schema = operation.input_model.model_json_schema()
    required = set(schema.get("required", ()))
    lines = []
    for name, field in schema.get("properties", {}).items():
        if name == "data":
            continue
        kind = field.get("type") or "/".join(
            str(option.get("type", "object")) for option in field.get("anyOf", ())
        )
        about = harmless(str(field.get("description", "")))[:100]
        needed = ", needed" if name in required else ""
        lines.append(f"    {name} ({kind or 'object'}{needed}){f': {about}' if about else ''}")
    return "\n".join(lines)


def catalogue(operations: Mapping[str, Operation]) -> str:
    """All operations with what they answer and take."""
    return "\n".join(
        f"- {name}: {harmless(operation.summary)}\n{parameters_text(operation)}".rstrip()
        for name, operation in sorted(operations.items())
    )


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _cut(item, most) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        kept = [_cut(item, most) for item in value[:most]]
        return [*kept, f"…{len(value) - most} more"] if len(value) > most else kept
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return value
