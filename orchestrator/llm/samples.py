"""Asks several times and takes what most answers agree on (self-consistency, Wang et al. 2023,
https://arxiv.org/abs/2203.11171).

The rule. Two answers agree when they are equal in every field that decides: the fields that the schema names in
``model_config["json_schema_extra"]["agree_on"]``, else all its switches, enumerations and literals at any depth,
with lists as sets. The largest group of agreeing answers wins; of equally large ones the first asked. In it
each number becomes the lower median of the group, where all of the group have a number in that place and the
object still fits its schema, so each is a number that the model did give; all texts are those of the
answer nearest to the medians. Flags tell the rest: ``agreement_2_of_3``, and ``samples_disagree`` where the group is
not more than half of what was asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from statistics import median_low
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.errors import ModelError
from orchestrator.llm.asking import attempts_of, total
from orchestrator.llm.port import Budget, LanguageModel, Message, Piece, Reply, Schema

Path = tuple[str | int, ...]


class SampledModel:
    """Implements `LanguageModel` by asking another one ``budget.samples`` times at once.

    Only structured answers are sampled. Answers that fail are left out, as long as one is there.
    """

    def __init__(self, inner: LanguageModel) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """Name of the first model that is asked."""
        return self._inner.name

    async def complete(
        self, messages: Sequence[Message], schema: type[Schema] | None, budget: Budget
    ) -> Reply[Schema]:
        """See `LanguageModel.complete`."""
        single = replace(budget, samples=1)
        if schema is None or budget.samples <= 1:
            return await self._inner.complete(messages, schema, single)
        asked = [self._inner.complete(messages, schema, single) for _ in range(budget.samples)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        replies: list[Reply[Schema]] = []
        errors: list[ModelError] = []
        for outcome in ended:
            if isinstance(outcome, ModelError):
                errors.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                replies.append(outcome)
        if not replies:
            raise errors[0]
        return _agreed(replies, errors, schema, budget.samples)

    def stream(self, messages: Sequence[Message], budget: Budget) -> AsyncIterator[Piece]:
        """See `LanguageModel.stream`; a stream is asked for once."""
        return self._inner.stream(messages, budget)


def _agreed(
    replies: Sequence[Reply[Schema]],
    errors: Sequence[ModelError],
    schema: type[Schema],
    samples: int,
) -> Reply[Schema]:
    documents = [
        reply.value.model_dump(mode="json") for reply in replies if reply.value is not None
    ]
    groups: dict[str, list[int]] = {}
    for index, document in enumerate(documents):
        groups.setdefault(vote_of(document, schema), []).append(index)
    group = max(groups.values(), key=len)
    chosen, value = _middle([documents[index] for index in group], schema)
    reply = replies[group[chosen]]
    trail = [attempt for error in errors for attempt in attempts_of(error)]
    trail += [attempt for other in replies for attempt in other.attempts]
    flags = [*reply.flags, f"agreement_{len(group)}_of_{samples}"]
    if 2 * len(group) <= samples:
        flags.append("samples_disagree")
    text = reply.text if value == reply.value else value.model_dump_json()
    return replace(
        reply,
        text=text,
        value=value,
        usage=total(trail),
        attempts=tuple(trail),
        flags=tuple(dict.fromkeys(flags)),
    )


def vote_of(document: Mapping[str, Any], schema: type[BaseModel]) -> str:
    """What an answer decides, as a text to compare."""
    described = schema.model_json_schema()
    named = described.get("agree_on")
    if named:
        kept: Any = {name: _as_set(document.get(name)) for name in named}
    else:
        kept = _deciding(document, described, described.get("$defs", {}))
    return json.dumps(kept, sort_keys=True)


def _deciding(value: Any, shape: Mapping[str, Any], shapes: Mapping[str, Any]) -> Any:
    """The switches, enumerations and literals in a value; ``None`` where there are none."""
    reference = shape.get("$ref")
    if reference is not None:
        shape = shapes.get(reference.rpartition("/")[2], {})
    options = shape.get("anyOf") or shape.get("oneOf")
    if options:
        found = [_deciding(value, option, shapes) for option in options]
        return next((item for item in found if item is not None), None)
    if isinstance(value, dict):
        properties = shape.get("properties", {})
        parts = {
            name: _deciding(item, properties.get(name, {}), shapes) for name, item in value.items()
        }
        return {name: part for name, part in parts.items() if part is not None} or None
    if isinstance(value, list):
        items = [_deciding(item, shape.get("items", {}), shapes) for item in value]
        return _as_set([item for item in items if item is not None]) or None
    decides = isinstance(value, bool) or "enum" in shape or "const" in shape
    return value if decides else None


def _as_set(value: Any) -> Any:
    if isinstance(value, list):
        return sorted({json.dumps(_as_set(item), sort_keys=True) for item in value})
    if isinstance(value, dict):
        return {name: _as_set(item) for name, item in value.items()}
    return value


def _middle(documents: Sequence[Any], schema: type[Schema]) -> tuple[int, Schema]:
    """Index of the answer nearest to the medians, and that answer with the medians in it."""
    numbers = [dict(_numbers(document)) for document in documents]
    shared = set(numbers[0]).intersection(*numbers[1:])
    medians = {
        path: median_low(found[path] for found in numbers) for path in sorted(shared, key=str)
    }

    def distance(index: int) -> float:
        return sum(
            abs(numbers[index][path] - middle) / (abs(middle) or 1.0)
            for path, middle in medians.items()
        )

    nearest = min(range(len(documents)), key=distance)
    own = schema.model_validate_json(json.dumps(documents[nearest]))
    changed = json.loads(json.dumps(documents[nearest]))
    for path, middle in medians.items():
        _put(changed, path, middle)
    try:
        return nearest, schema.model_validate_json(json.dumps(changed))
    except ValidationError:
        return nearest, own


def _numbers(value: Any, path: Path = ()) -> list[tuple[Path, float]]:
    if isinstance(value, dict):
        return [found for name, item in value.items() for found in _numbers(item, (*path, name))]
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in _numbers(item, (*path, i))]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [(path, value)]
    return []


def _put(document: Any, path: Path, value: float) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value
