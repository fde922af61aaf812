"""Which tags of a plant the words of a question mean.

A tag is meant when every word that says something is one of the tag's own words (name, description,
aliases, area) and the quantity that is named is the tag's. A question with a word that no tag
explains means none: a wrong value is worse than none. Text is folded as for the query parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.core.slots import find_tags, fold
from orchestrator.core.understanding.names import PRODUCTS
from orchestrator.plant.tags import Plant, Tag

MOST_SHOWN = 5
QUANTITIES: tuple[tuple[str, str], ...] = (
    ("temperature", r"temp(?:erature)?s?|hot|hotter|cold|degrees?|warm"),
    ("flow", r"flows?|flowrates?|rates?|debits?"),
    ("pressure", r"pressures?|press|pression"),
    ("level", r"levels?|niveaux?"),
    ("valve", r"valve|opening|openings"),
    ("price", r"prices?|prix|cost|costs"),
)
SAME = {
    "charge": "feed", "intake": "feed", "throughput": "feed", "heater": "furnace", "four": "furnace",
    "fourneau": "furnace", "tower": "column", "colonne": "column", "overheads": "overhead",
    "head": "overhead", "tete": "overhead", "exit": "outlet", "out": "outlet", "sortie": "outlet",
    "into": "inlet", "entree": "inlet", "entry": "inlet", "brut": "crude", "temp": "temperature",
    "vapeur": "steam", "setpoint": "set point", "consigne": "set point", "sp": "set point",
    "cot": "coil outlet", "o2": "oxygen", "percent": "%", "pct": "%", "accumulator": "drum",
}  # fmt: skip
_FILLERS = frozenset(
    """a about actual actually all an and any are as at be been being by can could current currently
    dan data did display do does doing dose exactly fast figure for from full get give go going got
    graph had has have hello hey hi high historian history hold holding how i in is it its just know
    latest like live look low me measurement measured moment much my need newest now number of on or
    our over per plant please plot present presently process processed produce produced quick read
    reading right roughly run running say see sensor shall show showing signal so stand standing tag
    tell than that the their there these this time to trend u unit up us value was we were what what's
    when where which will with would you your instrument make made put sit sitting at during between
    s whats today's thanks ok recent recently last
    actuelle actuel affiche au aux ce combien d dans de des donne du elle en est etait et il l la le les
    maintenant moi montre nous par pour quel quelle quels quelles qu que qui sont sur un une valeur
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Meant:
    """The tags that words mean; none, with the reason and the nearest ones, where it is not clear."""

    tags: tuple[Tag, ...] = ()
    reason: str = ""


def find_meant(text: str, plant: Plant, stored: Sequence[str] = ()) -> Meant:
    """The tags that folded ``text`` means.

    Args:
        text: The question without its words for time and statistic.
        plant: Tags with descriptions and aliases.
        stored: Names of tags that have samples, whether the plant knows them or not.
    """
    known = dict(plant.by_name)
    known.update((name, Tag(name=name)) for name in stored if name not in known)
    named = [
        tag for name, tag in known.items() if fold(name) not in _FILLERS and _says(text, fold(name))
    ]
    if named:
        named.sort(key=lambda tag: text.index(fold(tag.name)))
        return Meant(tuple(named[:MOST_SHOWN]))
    if not known:
        return Meant(
            reason="no tag is known: there is no plant file and the historian is empty. "
            "Start a source with dan-g run or dan-g serve, or set plant.file"
        )
    if strangers := find_tags(text):
        return Meant(
            reason=f"neither the plant nor the historian has a tag {' or '.join(strangers)}. "
            "List the tags with: dan-g tags list"
        )
    words = [_Words(tag) for tag in known.values()]
    found = _fitting(text, words)
    if not found:
        parts = [part for part in re.split(r",| and | et |&|/", text) if _content(part)]
        each = [_fitting(part, words) for part in parts]
        if len(parts) > 1 and all(each):
            found = list({word.tag.name: word for part in each for word in part}.values())
    if not found:
        return Meant(reason=_none(text, words))
    if len(found) > MOST_SHOWN:
        names = ", ".join(word.tag.name for word in found[:12])
        return Meant(reason=f"{len(found)} tags fit these words ({names}); name one of them")
    return Meant(tuple(word.tag for word in found))


class _Words:
    """The words of one tag."""

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        texts = (tag.name, tag.description, *tag.aliases)
        self.phrases = [frozenset(_tokens(text)) for text in texts if text]
        self.all = frozenset().union(*self.phrases, _tokens(tag.area))
        self.is_set_point = {"set", "point"} <= self.all or re.search(
            r"[._]SP$", tag.name
        ) is not None

    def is_of(self, quantity: str | None) -> bool:
        """Whether it measures the quantity that was named."""
        return quantity is None or self.tag.kind == quantity or quantity in self.all

    def left_over(self, content: frozenset[str]) -> int:
        """Words of its closest name that were not said."""
        quantities = {name for name, _ in QUANTITIES}
        return min(
            (len(phrase - content - quantities) for phrase in self.phrases if content & phrase),
            default=99,
        )


def _fitting(text: str, words: Iterable[_Words]) -> list[_Words]:
    content, quantity = _content(text), _quantity(text)
    if not content:
        return []
    wants_set_point = {"set", "point"} <= content
    content -= {"set", "point"} if wants_set_point else set()
    fits = [
        word
        for word in words
        if content <= word.all and word.is_of(quantity) and word.is_set_point >= wants_set_point
    ]
    if not wants_set_point and not all(word.is_set_point for word in fits):
        fits = [word for word in fits if not word.is_set_point]
    nearest = min((word.left_over(content) for word in fits), default=0)
    return [word for word in fits if word.left_over(content) == nearest]


def _none(text: str, words: Sequence[_Words]) -> str:
    content, quantity = _content(text), _quantity(text)
    if not content:
        return "the words name no tag. List the tags with: dan-g tags list"
    ranked = sorted(
        (word for word in words if content & word.all),
        key=lambda word: (-len(content & word.all), not word.is_of(quantity), len(word.all)),
    )
    known = frozenset().union(*(word.all for word in words))
    unknown = sorted(content - known)
    said = f"no tag is described by {' '.join(map(repr, unknown))}" if unknown else "no tag fits"
    nearest = ", ".join(_shown(word.tag) for word in ranked[:3])
    return (
        f"{said}; nearest: {nearest}" if nearest else f"{said}. List the tags with: dan-g tags list"
    )


def _shown(tag: Tag) -> str:
    return f"{tag.name} ({tag.description})" if tag.description else tag.name


def _says(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None


def _content(text: str) -> frozenset[str]:
    """The words that say something, in one spelling, without the quantity."""
    quantities = "|".join(pattern for _, pattern in QUANTITIES)
    plain = re.sub(rf"\b(?:{quantities})\b", " ", _canonical(text))
    return frozenset(word for word in _split(plain) if word not in _FILLERS)


def _quantity(text: str) -> str | None:
    found = [
        (match.start(), name)
        for name, pattern in QUANTITIES
        for match in re.finditer(rf"\b(?:{pattern})\b", text)
    ]
    return max(found)[1] if found else None


def _tokens(text: str) -> list[str]:
    return _split(_canonical(fold(re.sub(r"[_.]", " ", text))))


def _canonical(text: str) -> str:
    """Products under one name, so that kero and kerosene are the same word."""
    for pattern, name in PRODUCTS:
        text = re.sub(pattern, name, text)
    return text


def _split(text: str) -> list[str]:
    words: list[str] = []
    for word in re.findall(r"[a-z]+|\d+|%", text):
        singular = (
            word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word
        )
        words.extend(SAME.get(word, SAME.get(singular, singular)).split())
    return words
