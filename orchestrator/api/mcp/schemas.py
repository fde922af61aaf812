"""JSON schemas of operations as other programs are to read them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from orchestrator.modules.base import Operation

_NAMES = frozenset({"properties", "$defs", "patternProperties"})
"""Keywords whose keys are names of the schema's author, not keywords."""


def input_schema(operation: Operation) -> dict[str, Any]:
    """Schema of an operation's parameters, without the titles that only repeat the names of fields."""
    return schema_of(operation.input_model, "validation")


def output_schema(operation: Operation) -> dict[str, Any]:
    """Schema of an operation's result; a number that is not finite is null there."""
    return schema_of(operation.output_model, "serialization")


def schema_of(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """Schema of a model, which is an object."""
    schema = _without_titles(model.model_json_schema(mode=mode))
    if mode == "serialization":
        schema = _nullable_numbers(schema)
    return {**schema, "type": "object"}


def _without_titles(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_titles(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMES and isinstance(value, dict):
            kept[key] = {name: _without_titles(item) for name, item in value.items()}
        elif key in ("default", "const", "enum", "examples"):
            kept[key] = value
        elif key != "title":
            kept[key] = _without_titles(value)
    return kept


def _nullable_numbers(node: Any) -> Any:
    if isinstance(node, list):
        return [_nullable_numbers(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {
        key: value if key in ("default", "const", "enum", "examples") else _nullable_numbers(value)
        for key, value in node.items()
    }
    if changed.get("type") == "number":
        changed["type"] = ["number", "null"]
    return changed
