"""Parameters and results of operations that run on another server, whose schemas that server tells.

Each tool has a class of its own, made when the configuration is read: the schema is not known until the
server was reached, and may change. Such a class has no name that could be imported; it crosses to a worker
process as what it is made of.
"""

from __future__ import annotations

import copy
import copyreg
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.modules.base import OperationInput, OperationResult

log = structlog.get_logger(__name__)

LARGEST_SCHEMA = 200_000
"""Largest schema that is held against parameters, characters; beyond it the server itself must judge."""
LONGEST_DESCRIPTION = 2_000
MOST_ERRORS = 20
OPEN: Mapping[str, Any] = {"type": "object", "additionalProperties": True}
_NOT_HELD = frozenset({"pattern", "patternProperties", "format"})
"""Not checked here: a regular expression of another program can take for ever."""


class _FromServer(type(BaseModel)):  # type: ignore[misc]  # pydantic's own metaclass has no public name
    """Metaclass by which :mod:`pickle` knows these classes."""


class MountedInput(OperationInput, metaclass=_FromServer):
    """Parameters of a tool of another server; anything until its schema is known."""

    model_config = ConfigDict(extra="allow")

    server: ClassVar[str] = ""
    tool: ClassVar[str] = ""
    schema_version: ClassVar[int] = 0
    """Grows with each change of the schema."""
    known: ClassVar[Mapping[str, Any] | None] = None
    """The schema that the server told last; null while it was never reached."""
    repeatable: ClassVar[bool] = False
    """Whether the server says that a call may be repeated without a further effect."""

    @classmethod
    def learn(cls, schema: Mapping[str, Any], description: str, *, repeatable: bool) -> bool:
        """Take over what the server told; whether it is new."""
        told = copy.deepcopy(dict(schema))
        if description:
            told["description"] = description[:LONGEST_DESCRIPTION]
        if cls.known == told and cls.repeatable == repeatable:
            return False
        cls.known, cls.repeatable = told, repeatable
        cls.schema_version += 1
        return True

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """The server's own schema of the tool's parameters."""
        return copy.deepcopy(dict(cls.known or OPEN))

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Hold parameters against the server's schema.

        Raises:
            ValidationError: they do not fit; each field is named.
        """
        made = super().model_validate(obj, **options)
        errors = list(_errors(cls.known, obj)) if isinstance(obj, dict) else []
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors[:MOST_ERRORS])
        return made


class MountedResult(OperationResult):
    """What a tool of another server answered: data of that program, not of this one."""

    server: str
    tool: str
    text: tuple[str, ...] = Field(default=(), description="Text parts of the answer.")
    structured: Any = Field(
        default=None, description="The answer as JSON, where the tool gives one."
    )


def make_input(
    server: str,
    tool: str,
    known: Mapping[str, Any] | None = None,
    version: int = 0,
    *,
    repeatable: bool = False,
) -> type[MountedInput]:
    """The class of one tool's parameters."""
    made: type[MountedInput] = _FromServer(
        f"{server}_{tool}",
        (MountedInput,),
        {
            "__module__": __name__,
            "__qualname__": f"{server}_{tool}",
            "__doc__": f"Parameters of {tool} on the server {server}.",
        },
    )
    made.server, made.tool = server, tool
    made.known, made.schema_version, made.repeatable = known, version, repeatable
    return made


def _again(state: tuple[str, str, str, int, bool]) -> type[MountedInput]:
    server, tool, known, version, repeatable = state
    return make_input(server, tool, json.loads(known), version, repeatable=repeatable)


def _reduced(made: type[MountedInput]) -> tuple[Any, ...]:
    known = json.dumps(dict(made.known)) if made.known is not None else "null"
    return _again, ((made.server, made.tool, known, made.schema_version, made.repeatable),)


copyreg.pickle(_FromServer, _reduced)


def _errors(known: Mapping[str, Any] | None, given: dict[str, Any]) -> list[InitErrorDetails]:
    if known is None or len(json.dumps(known)) > LARGEST_SCHEMA:
        return []
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    held = _without_expressions(known)
    try:
        Draft202012Validator.check_schema(held)
        # An empty registry: nothing is fetched from where a reference points.
        validator = Draft202012Validator(held, registry=Registry())
        found = sorted(validator.iter_errors(given), key=lambda error: list(map(str, error.path)))
    except (SchemaError, Unresolvable, RecursionError) as error:
        log.warning("a schema of another server cannot be used", error=type(error).__name__)
        return []
    return [
        InitErrorDetails(
            type=PydanticCustomError("schema", "{said}", {"said": error.message[:300]}),
            loc=tuple(error.absolute_path),
            input=error.instance,
        )
        for error in found
    ]


def _without_expressions(node: Any, names: bool = False) -> Any:
    if isinstance(node, list):
        return [_without_expressions(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: _without_expressions(value, names=not names and key in ("properties", "$defs"))
        for key, value in node.items()
        if names or key not in _NOT_HELD
    }
