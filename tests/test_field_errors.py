"""What does not fit a model is told by field, in the words of JSON."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestrator.errors import ParameterError
from orchestrator.field_errors import field_errors, json_text
from orchestrator.modules.base import DataInput


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=1)
    share: float | None = Field(default=None, lt=1)
    mode: Literal["steady", "transient"] = "steady"
    enabled: bool = True


def errors_of(model: Any, given: Any) -> list[dict[str, str]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(given)
    return field_errors(caught.value.errors(), given)


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({}, "count", "is required"),
        ({"count": None}, "count", "must be a whole number, got null"),
        ({"count": 0}, "count", "must be at least 1, got 0"),
        ({"count": 1.5}, "count", "must be a whole number, got 1.5"),
        ({"count": 1, "share": 1}, "share", "must be less than 1, got 1"),
        ({"count": 1, "share": "x"}, "share", 'must be a number, got "x"'),
        ({"count": 1, "mode": True}, "mode", 'must be "steady" or "transient", got true'),
        ({"count": 1, "enabled": [None]}, "enabled", "must be true or false, got [null]"),
        ({"count": 1, "other": {"a": False}}, "other", 'unknown field, got {"a": false}'),
    ],
)
def test_values_are_spelt_as_json_and_types_in_plain_words(
    given: dict[str, Any], field: str, message: str
) -> None:
    (error,) = errors_of(Part, given)
    assert (error["field"], error["message"]) == (field, message)
    assert set(error) == {"field", "message", "type"}


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({"start": "2026-03-01T00:00:00Z"}, {"data.end"}),
        ({"start": "noon", "end": "2026-03-01T00:00:00Z"}, {"data.start"}),
        ({"rows": [{"a": 1}], "columns": {"a": [1]}}, {"data"}),
        ({"columns": {"FI101": 5}}, {"data.columns.FI101"}),
        (5, {"data"}),
    ],
)
def test_inner_branches_of_a_model_are_not_shown(data: Any, fields: set[str]) -> None:
    found = errors_of(DataInput, {"data": data})
    assert {item["field"] for item in found} == fields
    text = json.dumps(found)
    for inside in ("function-", "HistorianRange", "InlineData", "Input should", "Value error"):
        assert inside not in text


def test_a_long_value_is_cut() -> None:
    assert len(json_text("x" * 500)) == 81


def test_an_error_of_one_field_has_the_same_shape_as_one_of_many() -> None:
    problem = ParameterError.of_field("until", "is not after now", remedy="later").problem()
    assert problem["errors"] == [
        {"field": "until", "message": "is not after now", "type": "value_error"}
    ]
    assert problem["detail"].startswith("until: is not after now")
