"""Whether the tags that parameters name are there, as far as that is known before the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from orchestrator.errors import UnknownTagError
from orchestrator.field_errors import json_text
from orchestrator.modules.base import (
    HistorianRange,
    InlineData,
    NamesPlantTags,
    NamesTags,
    Operation,
    OperationInput,
)
from orchestrator.modules.frames import TIME_COLUMN
from orchestrator.plant.tags import Plant

MOST_LISTED = 12


def check_named_tags(
    operation: Operation, parameters: OperationInput, plant: Plant, stored: Sequence[str]
) -> None:
    """Refuse parameters that name a tag which neither the data, the plant nor the historian has.

    Args:
        operation: What is to run.
        parameters: Its parameters, already valid in themselves.
        plant: Tags of the plant.
        stored: Tags of which the historian has samples.

    Raises:
        UnknownTagError: names each field and tag, and the tags that are there.
    """
    readable = _readable(getattr(parameters, "data", None), plant, stored)
    of_plant = plant.tag_names
    found: list[dict[str, str]] = []
    remedies: list[str] = []
    for field, info in operation.input_model.model_fields.items():
        known = (
            readable
            if NamesTags in info.metadata
            else of_plant
            if NamesPlantTags in info.metadata
            else None
        )
        value = getattr(parameters, field)
        if not known or not value:
            continue
        for name in _missing((value,) if isinstance(value, str) else value, known):
            message = f"there is no tag {json_text(name)}"
            found.append({"field": field, "message": message, "type": "unknown_tag"})
            remedies.append(_remedy(name, known))
    if found:
        raise UnknownTagError.of_fields(found, where=operation.full_name, remedy=remedies[0])


def _readable(data: Any, plant: Plant, stored: Sequence[str]) -> tuple[str, ...]:
    """The tags that the operation will be able to read; empty where that is not known."""
    if isinstance(data, InlineData):
        rows = data.rows or ()
        names = data.columns or dict.fromkeys(name for row in rows for name in row)
        return tuple(str(name) for name in names if name != TIME_COLUMN)
    if isinstance(data, HistorianRange) and data.tags:
        return data.tags
    return tuple(dict.fromkeys((*stored, *plant.tag_names)))


def _missing(names: Iterable[str], known: Sequence[str]) -> list[str]:
    there = set(known)
    return [name for name in dict.fromkeys(names) if name not in there]


def _remedy(name: str, known: Sequence[str]) -> str:
    by_fold = {tag.casefold(): tag for tag in known}
    near = get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(by_fold[tag] for tag in near)}?"
    more = ", …" if len(known) > MOST_LISTED else ""
    return f"there is: {', '.join(known[:MOST_LISTED])}{more}"
