"""Which of the things that an earlier answer listed "the second one" is.

An ordinal counts only beside a word that points to a list (``one``, ``of them``, ``alert``), or where it ends
what is said; "the second half" and "the last 2 days" point to nothing.
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
    "alert": r"alerts?|alarms?|alarmes?",
    "recommendation": r"recommendations?|proposals?",
    "decision": r"decisions?",
    "tag": r"tags?|sensors?|moves?|variables?",
    "equipment": r"exchangers?|equipment",
    "operation": r"results?|operations?",
    "series": r"prices?|series|products?|crudes?|spreads?",
}
_POINTERS = (
    r"one|of (?:them|these|those)|(?:on|in|from) (?:the|that|your) list|in the list|d entre eux"
)
_NUMBER = re.compile(r"(?:number|no\.?|nr\.?|#|item|numero) ?(?P<digit>[1-9])\b(?![.,]\d)")
_TEMPLATE = (
    r"\b(?:the |le |la |l'|das |die |der |den |el |los )?(?:{ordinal})"
    r"(?: (?P<noun>{nouns})\b| (?:{pointers})\b|(?=\s*[?!.,;]|\s*$))"
)


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
        pattern = _TEMPLATE.format(
            ordinal=ordinal, nouns="|".join(_NOUNS.values()), pointers=_POINTERS
        )
        found = re.search(pattern, folded)
        if found is not None:
            return _at(text, folded, found, position, items, found["noun"])
    numbered = _NUMBER.search(folded)
    if numbered is not None:
        return _at(text, folded, numbered, int(numbered["digit"]) - 1, items, None)
    return Meant(text)


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
