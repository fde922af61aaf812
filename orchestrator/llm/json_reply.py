"""Finds and checks the JSON object in a model's answer, and says exactly what is wrong with it.

A model puts fences, headings and prose around its object, or a second object behind it. Objects are found by
balanced braces outside strings; of those that are JSON the first that fits the schema counts. A
piece from inside a broken object is never taken for the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.field_errors import field_errors, in_words
from orchestrator.llm.failures import Failure

MOST_CHARACTERS = 256 * 1024
MOST_OBJECTS = 16
MOST_DEPTH = 64
Schema = TypeVar("Schema", bound=BaseModel)
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_OBJECT_BEGINS = re.compile(r'\{\s*["}]')


class Found(NamedTuple, Generic[Schema]):
    """The object, the text that it was read from, and whether there were other, different ones."""

    value: Schema
    text: str
    several: bool


class _NotJsonError(ValueError):
    pass


def read_object(answer: str, schema: type[Schema]) -> Found[Schema]:
    """The object in an answer.

    Raises:
        Failure: ``malformed``, with what is wrong in words that the model can mend it by.
    """
    if len(answer) > MOST_CHARACTERS:
        raise Failure(
            "malformed", f"the answer has {len(answer)} characters: it is too long for one object"
        )
    first_error: str | None = None
    found: Found[Schema] | None = None
    others: set[str] = set()
    for text in _objects(answer):
        try:
            document = _parse(text)
        except _NotJsonError as error:
            first_error = first_error or str(error)
            continue
        others.add(json.dumps(document, sort_keys=True))
        if found is not None:
            continue
        try:
            found = Found(schema.model_validate_json(text), text, several=False)
        except ValidationError as error:
            told = in_words(field_errors(error.errors(), document))
            first_error = first_error or f"the object does not fit the schema: {told}"
    if found is not None:
        return found._replace(several=len(others) > 1)
    raise Failure("malformed", first_error or _nothing(answer), answer=answer)


def last_object(text: str, schema: type[Schema]) -> Found[Schema] | None:
    """The last object in a reasoning that fits; R1 drafts before it decides."""
    tail = text[-MOST_CHARACTERS:]
    for candidate in reversed(list(_objects(tail, most=256))):
        try:
            _parse(candidate)
            return Found(schema.model_validate_json(candidate), candidate, several=False)
        except (_NotJsonError, ValidationError):
            continue
    return None


def _nothing(answer: str) -> str:
    if _OBJECT_BEGINS.search(answer):
        return "the JSON object is not closed: the answer ends before its last brace"
    return "there is no JSON object in the answer"


def _objects(text: str, most: int = MOST_OBJECTS) -> Iterator[str]:
    """The balanced objects of a text, in order, none from inside another."""
    start, tried = text.find("{"), 0
    while start >= 0 and tried < most:
        tried += 1
        end = _end_of(text, start)
        if end is not None:
            yield text[start:end]
            start = text.find("{", end)
        elif _OBJECT_BEGINS.match(text, start):
            return  # a broken object: what is inside it is no answer
        else:
            start = text.find("{", start + 1)


def _end_of(text: str, start: int) -> int | None:
    depth = 0
    for token in _TOKENS.finditer(text, start):
        mark = token[0]
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _parse(text: str) -> Any:
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "}]":
            depth -= 1
    if deepest > MOST_DEPTH:
        raise _NotJsonError(f"the object is nested {deepest} deep; {MOST_DEPTH} is the most")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except _NotJsonError:
        raise
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20]
        raise _NotJsonError(
            f"the object is no valid JSON: {error.msg} at character {error.pos}, near {near!r}"
        ) from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise _NotJsonError(f"the object is no valid JSON: {error}") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    names = [name for name, _ in pairs]
    twice = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    )
    if twice:
        raise _NotJsonError(f"the object names {', '.join(sorted(twice))} twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise _NotJsonError(f"{name} is no JSON number; use null where there is no value")
