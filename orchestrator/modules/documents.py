"""Problem documents: fields that describe one are let through, those that look meant are told.

A field that is nearly a known one is an error; another that is neither known nor descriptive is worth a
warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

NEARLY = 0.85
ALIKE = 0.6
DESCRIPTIVE = frozenset({
    "$schema", "area", "author", "authors", "case", "citation", "class", "colour", "comment",
    "comments", "component", "date", "description", "doi", "equipment", "fluid", "group", "id",
    "key_figures", "kind", "known_answer", "known_optimum", "label", "licence", "license",
    "location", "medium", "name", "note", "notes", "number", "objective_definition", "origin", "phase", "reference",
    "references", "remark", "remarks", "sense", "service", "short_name", "true", "truth", "type",
    "unit", "units", "url", "verification", "version", "x", "y", "year",
})  # fmt: skip
DESCRIPTIVE_STARTS = ("_", "x-", "known_", "published", "reconciled", "true_")
OTHER_WORDS = {
    "low": "lower", "lb": "lower", "lo": "lower", "min": "lower", "minimum": "lower",
    "high": "upper", "hi": "upper", "max": "upper", "maximum": "upper", "ub": "upper",
    "sigma": "sd", "std": "sd", "stddev": "sd", "stdev": "sd", "standard_deviation": "sd", "error": "sd",
    "variance": "sd", "var": "sd", "uncertainty": "sd",
    "value": "measured", "reading": "measured", "measurement": "measured", "flow": "measured",
    "source": "from", "src": "from", "start": "from", "inlet": "from",
    "target": "to", "destination": "to", "dst": "to", "end": "to", "sink": "to", "outlet": "to",
    "alpha": "significance", "limits": "bounds", "equations": "constraints", "edges": "streams",
    "arcs": "streams",
}  # fmt: skip


class DocumentPart(BaseModel):
    """Part of a problem document: fields that describe it (its source, true values) are let through."""

    # kept, so that the result can say which were not read
    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _spelt(cls, value: Any) -> Any:
        return refuse_misspelt(cls, value)


def refuse_misspelt(kind: type[BaseModel], value: Any) -> Any:
    """Fields that describe a document are let through, but not one that is nearly a known one.

    Raises:
        ValueError: names the field and the one that may be meant.
    """
    if isinstance(value, dict):
        known = set(fields_of(kind))
        for name in value:
            near = get_close_matches(str(name), known - set(value), n=1, cutoff=NEARLY)
            if near and name not in kind.model_fields and name not in known:
                raise ValueError(f"unknown field {name!r}: is {near[0]!r} meant?")
    return value


def of_parts(parts: Iterable[tuple[str, BaseModel]], top: BaseModel) -> list[str]:
    """A warning for each field of the document and its named parts that is neither known nor descriptive.

    At the top, "source" says where a document comes from.
    """
    found = [_told("", key, top) for key in _unknown(top) if key != "source"]
    for place, part in parts:
        found += [_told(f"{place}: ", key, part) for key in _unknown(part)]
    return found


def names(place: str, given: Mapping[str, Any], known: Iterable[str], what: str) -> list[str]:
    """A warning for each key of ``given`` that is no ``what`` (variable, stream)."""
    known = list(known)
    return [
        f"{place}: {name!r} is no {what} and was not used" + _meant(nearest(name, known))
        for name in given
        if name not in known
    ]


def nearest(key: str, known: Iterable[str]) -> str | None:
    """The accepted name that ``key`` may stand for."""
    known = list(known)
    word = OTHER_WORDS.get(key.lower())
    if word in known:
        return word
    near = get_close_matches(key.lower(), known, n=1, cutoff=ALIKE)
    return near[0] if near else None


def fields_of(kind: type[BaseModel]) -> list[str]:
    """Names of a part's fields as a document gives them."""
    return [info.alias or name for name, info in kind.model_fields.items()]


def _unknown(part: BaseModel) -> Iterator[str]:
    for key in part.model_extra or ():
        if key.lower() not in DESCRIPTIVE and not key.lower().startswith(DESCRIPTIVE_STARTS):
            yield key


def _told(place: str, key: str, part: BaseModel) -> str:
    near = nearest(key, fields_of(type(part)))
    square = " (its square root)" if near == "sd" and key.lower().startswith("var") else ""
    return f"{place}{key!r} is no field and was not read{_meant(near, square)}"


def _meant(near: str | None, more: str = "") -> str:
    return f": is {near!r}{more} meant?" if near else ""
