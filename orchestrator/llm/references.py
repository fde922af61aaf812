"""Which of the things that an earlier answer listed "the second one" is.

An ordinal counts only beside a word that points to a list (``one``, ``of them``, ``alert``), or, in a short
message, where it has an article and ends a clause ("why the first?") or is all that is said. "The second half",
"the last 2 days", "what should I check first?" and "at last!" point to nothing. A number counts after ``item``,
or after a word that a thing's own name cannot end with: "heater no. 1" and "no. 2 fuel oil" are names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.slots import fold
from orchestrator.llm.answers.draft import Listed

_ORDINALS: tuple[tuple[int, str], ...] = (
    (0, r"first|1st|premiere?|erste[rns]?|primer[oa]?|former"),
    (1, r"second|2nd|deuxieme|zweite[rns]?|segund[oa]|latter"),
    (2, r"third|3rd|troisieme|dritte[rns]?|tercer[oa]?"),
    (3, r"fourth|4th|quatrieme|vierte[rns]?|cuart[oa]"),
    (4, r"fifth|5th|cinquieme|funfte[rns]?|quint[oa]"),
    (-1, r"last|derniere?|letzte[rns]?|ultim[oa]"),
)
_NOUNS = {
    "alert": r"alert|alarm|alarme",
    "recommendation": r"recommendation|proposal",
    "decision": r"decision",
    "tag": r"tag|sensor|move|variable",
    "equipment": r"exchanger|equipment",
    "operation": r"result|operation",
    "series": r"price|series|product|crude|spread",
}
_POINTERS = (
    r"one|of (?:them|these|those)|(?:on|in|from) (?:the|that|your) list|in the list|d entre eux"
)
_ARTICLE = r"\b(?:the |le |la |l'|das |die |der |den |dem |el |los )"
_NUMBER = re.compile(
    r"(?:\bitem (?:number |no\.? |# ?)?"
    r"|(?:^|(?<=\b(?:the|and|why|for) )|(?<=\b(?:show|open|take|then) )|(?<=\b(?:about|check) )"
    r"|(?<=\b(?:explain) )|(?<=\b(?:forecast) ))(?:(?:number|no\.?|nr\.?|numero) ?|# ?))"
    r"(?P<digit>[1-9])\b(?![.,]\d)(?=\s*[?!.,;]|\s*$| (?:for|over|in|please)\b)"
)
_NAMED = rf"(?:{_ARTICLE})?\b(?:{{ordinal}})(?: (?P<noun>{{nouns}})\b| (?:{{pointers}})\b)"
_BARE = rf"(?:{_ARTICLE}|^)(?:{{ordinal}})(?P<noun>)(?=\s*[?!.,;]|\s*$)"
_ALONE = re.compile(r"[^\s?!.,;]+\s*[?!.]*")
SHORT = 6
"""Words up to which a message may be about an ordinal with nothing beside it."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a reference stands for.

    Attributes:
        text: The words with what is meant in place of the reference; as they were where nothing is.
        item: What is meant.
        missing: How many things there are, where the words point beyond them.
    """

    text: str
    item: Listed | None = None
    missing: int | None = None


def resolve(text: str, items: Sequence[Listed]) -> Meant:
    """What ``text`` means by an ordinal, among what the last answer listed."""
    if not items:
        return Meant(text)
    folded = fold(text)
    for position, ordinal in _ORDINALS:
        pattern = _NAMED.format(
            ordinal=ordinal, nouns="|".join(_NOUNS.values()), pointers=_POINTERS
        )
        found = re.search(pattern, folded) or _bare(folded, ordinal)
        if found is not None:
            return _at(text, folded, found, position, items, found["noun"])
    numbered = _NUMBER.search(folded)
    if numbered is not None:
        return _at(text, folded, numbered, int(numbered["digit"]) - 1, items, None)
    return Meant(text)


def _bare(folded: str, ordinal: str) -> re.Match[str] | None:
    if len(folded.split()) > SHORT:
        return None
    found = re.search(_BARE.format(ordinal=ordinal), folded)
    if found is None or found.start() > 0 or not re.match(ordinal, folded):
        return found
    # Without an article it is the whole message, or the beginning of an order: "first, validate the data".
    return found if _ALONE.fullmatch(folded) else None


def _at(
    text: str,
    folded: str,
    found: re.Match[str],
    position: int,
    items: Sequence[Listed],
    noun: str | None,
) -> Meant:
    kind = next((k for k, words in _NOUNS.items() if noun and re.fullmatch(words, noun)), None)
    among = [item for item in items if kind is None or item.kind == kind]
    if not among:
        return Meant(text)
    if position >= len(among):
        return Meant(text, missing=len(among))
    item = among[position]
    if item.kind in ("tag", "equipment", "series"):
        return Meant(f"{folded[: found.start()]}{item.label}{folded[found.end() :]}".strip(), item)
    # What is kept of a record is told as a question about the system itself.
    return Meant(f"show the {item.kind} {item.ref}", item)
