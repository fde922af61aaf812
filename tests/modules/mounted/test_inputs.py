"""Classes made of another server's schemas: what fits, what does not, and the way to a worker."""

from __future__ import annotations

import pickle
import time

import pytest
from pydantic import ValidationError

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.mounted.inputs import make_input
from orchestrator.modules.mounted.modules import mounted_modules

SCHEMA = {
    "type": "object",
    "properties": {
        "place": {"type": "string"},
        "days": {"type": "array", "items": {"type": "integer"}},
        "pattern": {"type": "string"},
    },
    "required": ["place"],
    "additionalProperties": False,
}


def test_anything_fits_until_the_schema_is_known() -> None:
    made = make_input("weather", "forecast")
    assert made.model_validate({"any": [1, {"thing": None}]}).model_dump() == {
        "any": [1, {"thing": None}]
    }
    assert made.model_json_schema()["type"] == "object"


def test_a_field_that_does_not_fit_the_schema_is_named() -> None:
    made = make_input("weather", "forecast")
    assert made.learn(SCHEMA, "words", repeatable=True)
    assert not made.learn(SCHEMA, "words", repeatable=True)
    assert made.schema_version == 1
    assert made.model_validate({"place": "Baku", "pattern": "x"}).model_dump()["place"] == "Baku"
    with pytest.raises(ValidationError) as wrong:
        made.model_validate({"days": [1, "two"]})
    fields = field_errors(wrong.value.errors(), {"days": [1, "two"]})
    assert {item["field"] for item in fields} >= {"days[1]"} or "days.1" in str(fields)
    assert "'place' is a required property" in str(wrong.value)


def test_it_crosses_to_another_process_with_its_schema() -> None:
    made = make_input("weather", "forecast")
    made.learn(SCHEMA, "", repeatable=True)
    again = pickle.loads(pickle.dumps(made))
    assert (again.server, again.tool, again.repeatable) == ("weather", "forecast", True)
    assert again.model_json_schema() == made.model_json_schema()
    with pytest.raises(ValidationError):
        again.model_validate({})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://nowhere.example/schema"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
        {"type": "nonsense"},
        {"type": "object", "properties": {"a": {"description": "x" * 300_000}}},
    ],
)
def test_a_schema_that_is_bad_or_hostile_holds_nothing_up(schema: dict[str, object]) -> None:
    made = make_input("weather", "forecast")
    made.learn(schema, "", repeatable=False)
    started = time.perf_counter()
    made.model_validate({"a": "a" * 40 + "!"})
    assert time.perf_counter() - started < 1


def test_a_module_is_made_of_the_configuration_alone() -> None:
    server = McpServerSettings(name="weather", url="http://127.0.0.1:9/mcp", allow=("say-hello",))
    (module,) = mounted_modules([server], {"etl"})
    (operation,) = module.operations
    assert operation.full_name == "weather.say_hello"
    assert operation.changes == "runs on another server"
    with pytest.raises(ConfigurationError, match="there is a module 'weather'"):
        mounted_modules([server], {"weather"})
    both = server.model_copy(update={"allow": ("a-b", "a.b")})
    with pytest.raises(ConfigurationError, match="'a_b'"):
        mounted_modules([both], ())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "weather", "allow": ["a"]}, "exactly one of url and command"),
        ({"name": "w", "allow": ["a"], "url": "http://h/mcp", "command": ["x"]}, "exactly one"),
        ({"name": "Weather.x", "allow": ["a"], "command": ["x"]}, "no name of a module"),
        ({"name": "w", "allow": [], "command": ["x"]}, "at least 1"),
        ({"name": "w", "allow": ["a", "a"], "command": ["x"]}, "twice"),
        ({"name": "w", "allow": ["a"], "url": "http://user:word@h/mcp"}, "not in the address"),
        ({"name": "w", "allow": ["a"], "url": "h/mcp"}, "expected http"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        McpServerSettings.model_validate(given)
