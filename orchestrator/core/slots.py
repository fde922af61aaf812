"""Finds what a request in words says of tags, products, properties, units, times and changes.

All functions read text that :func:`fold` has brought to lower case without accents.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from orchestrator.core.understanding.names import (
    CRUDE,
    GRADES,
    PRODUCTS,
    PROPERTIES,
    UNIT_NUMBER,
    UNITS,
)

HOURS_AHEAD, DAYS_BACK = "horizon_hours", "period_days"

_CRUDE = re.compile(CRUDE)
_TAG = re.compile(
    r"(?<![\w.-])(?:\d{1,3}-?[a-z]{2,5}-?\d{2,5}[a-z]?|[a-z]{1,4}-\d{2,5}[a-z]?|(?:xmeas|xmv)[_ ]?\d+"
    r"|[a-z]{2,4}\d{3,5}[a-z]?|[a-z]\d{3,4}[a-z]?)(?:\.[a-z]+)?(?![\w-])"
)
_SPACED_TANK = re.compile(r"\b(tk|tank) (?:no\.? ?)?(\d{2,4}[a-z]?)\b")
_NOT_TAGS = re.compile(
    r"(?:jet|jp|en|iso|astm|q[1-4]|covid|ron|mon|b|e|api|euro|no|nr)-?\d{1,2}|t-?9[05]|t-?[15]0|[a-z]-\d$"
    r"|(?:june|july|may|march|rev|rec|spec|top|day|days|week|page|step|case|plan|than|and|by|to|of|or|at|in|is)-?\d+"
)
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_JOINTS = (
    re.compile(rf"(?<=[{_CJK}])(?=[a-z0-9])"),
    re.compile(rf"(?<=[a-z0-9%])(?=[{_CJK}])"),
)
_OTHERS = str.maketrans({"\u0131": "i", "\u00df": "ss", "\u2212": "-", "\u2013": "-", "\u2014": ",", "\u061f": "?",
                         "\u060c": ",", "\u3002": ". ", "\u3001": ", ", "\u00bf": " ", "\u00a1": " ", "\u00ab": " ", "\u00bb": " ",
                         "\u201c": '"', "\u201d": '"', "\u2019": "'", "\u02bc": "'", "\u00a0": " ", "\u202f": " "})  # fmt: skip
_SIZE = (
    r"(?P<sign>[+-])?(?:(?P<money>\$|usd|eur) ?)?(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?) ?"
    r"(?P<unit>%|percent|pct|deg ?c\b|degrees?\b|°c|c\b|k\b|bar\b|kpa\b|t/h|m3/h|kbd\b|bpd\b|ppm\b|"
    r"(?:usd\b|us dollars?|dollars?|bucks?|\$|eur\b|euros?|cents?)"
    r"(?: ?(?:/|per|an?) ?(?:bbl|barrel|t|tonne|ton|m3)\b)?)?"
)
_CHANGE = re.compile(
    _SIZE + r"\s*(?P<way>less|more|lower|higher|fewer|extra|"
    r"de moins|de plus)\s+(?P<what>[a-z][a-z ]{1,30}?)(?=$|[,.;?!]| would| will| do| on | for )"
)
_CHANGE_BY = re.compile(
    r"\b(?P<way>rais\w+|increas\w+|up|lift\w*|add\w*|cut\w*|drop\w*|lower\w*|reduc\w+|decreas\w+|down|los\w+)\s+"
    r"(?:the |our |my )?(?P<what>[a-z][a-z0-9 .-]{1,30}?)(?: by| of)? " + _SIZE
)
_SUBJECT = r"(?P<what>[a-z][a-z0-9 ._-]{1,50}?) "
_MOVES = re.compile(
    _SUBJECT + r"(?:(?:will|would|should|were to|was to|is|are) )?(?:suddenly )?"
    r"(?P<way>rises?|rose|rising|go(?:es)? up|went up|going up|moves? up|climb(?:s|ed)?|gain(?:s|ed)?|grow(?:s|n)?|"
    r"jump(?:s|ed)?|increase[sd]?|up|falls?|fell|falling|go(?:es)? down|went down|going down|moves? down|"
    r"drop(?:s|ped)?|decrease[sd]?|declin(?:es?|ed)|sinks?|sank|slip(?:s|ped)?|lose[s]?|lost|down)"
    r" (?:by )?" + _SIZE
)
_IS_HIGHER = re.compile(
    _SUBJECT
    + r"(?:(?:will|would|should) )?(?:is|are|was|were|be|gets?|got|becomes?|costs?|goes|ran|runs?) "
    + _SIZE
    + r" ?(?P<way>higher|more|up|above|lower|less|down|cheaper|dearer)\b"
)
_BEFORE_SUBJECT = re.compile(
    r"^.*\b(?:if|that|when|whether|supposing|suppose|assuming|assume|say|then|and|but|with)\b"
)
_LEADING = re.compile(r"^(?:(?:the|our|my|both|all|what|now|only|just)\b ?)+")
_NO_SUBJECT = re.compile(
    r"by|we|i|you|it|they|he|to|of|that|this|these|those|us|them|what|would|is|on|in|for"
)
_DOWN = re.compile(
    r"less|lower|fewer|de moins|cut|drop|reduc|decreas|los|fall|fell|declin|sink|sank|slip|cheaper"
    r"|(?:(?:go\w*|went|move\w*) )?down"
)
_PERCENT = re.compile(r"percent|pct")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_PER = {"barrel": "bbl", "tonne": "t", "ton": "t"}


def fold(text: str) -> str:
    """Lower case, without accents, with plain quotes and single spaces; Chinese and Latin words apart."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_OTHERS).lower()).translate(_OTHERS)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    for joint in _JOINTS:
        plain = joint.sub(" ", plain)
    return re.sub(r"\s+", " ", plain).strip()


def find_tags(text: str) -> list[str]:
    """Instrument tags, equipment and tank numbers, upper case, in the order of the words."""
    return list(dict.fromkeys(name for _, _, name in tag_spans(text)))


def tag_spans(text: str) -> list[tuple[int, int, str]]:
    """Where tags stand in the text, each with its name."""
    found = [
        (match.start(), match.end(), match[0].upper())
        for match in _TAG.finditer(text)
        if not _NOT_TAGS.fullmatch(match[0])
    ]
    found += [
        (match.start(), match.end(), f"TK-{match[2].upper()}")
        for match in _SPACED_TANK.finditer(text)
        if match[1] == "tk"
    ]
    return sorted(found)


def find_product(text: str, previous: str | None = None) -> str | None:
    """The product: the first refined one; else a grade of crude; else crude itself."""
    named = [
        (match.start(), -len(match[0]), name)
        for pattern, name in PRODUCTS
        for match in re.finditer(pattern, text)
    ]
    if named:
        first = min(named)[2]
        bare_cut = re.search(r"\b(?:light|heavy) cut\b", text)
        return first if not bare_cut or previous is None or "naphtha" in previous else None
    for pattern, name in GRADES:
        if re.search(pattern, text):
            return name
    return "crude" if _CRUDE.search(text) else None


def find_property(text: str) -> str | None:
    """The first product property that is named."""
    return _first(PROPERTIES, text)


def find_unit(text: str) -> str | None:
    """The process unit that is named, or its number."""
    found = _first(UNITS, text)
    if found is None and (number := re.search(UNIT_NUMBER, text)):
        return number[1]
    return found


def find_changes(text: str) -> list[dict[str, Any]]:
    """Supposed changes: what, by how much (negative is less) and in which unit."""
    changes = []
    taken: list[tuple[int, int]] = []
    for pattern in (_IS_HIGHER, _MOVES, _CHANGE, _CHANGE_BY):
        for match in pattern.finditer(text):
            start, end = match.span("number")
            what = _subject(match["what"])
            if what is None or any(start < b and a < end for a, b in taken):
                continue
            taken.append((start, end))
            size, unit = _sized(match)
            down = _DOWN.match(match["way"]) is not None
            changes.append(
                (start, {"what": what, "by": whole(-size if down else size), "unit": unit})
            )
    return [change for _, change in sorted(changes, key=lambda placed: placed[0])]


def _subject(what: str) -> str | None:
    """What is meant to change; null where that is no name of anything."""
    named = _LEADING.sub("", _BEFORE_SUBJECT.sub("", what).strip()).strip(" .-")
    words = named.split()
    return named if words and not any(map(_NO_SUBJECT.fullmatch, (words[0], words[-1]))) else None


def _sized(match: re.Match[str]) -> tuple[float, str]:
    number = match["number"]
    plain = number.replace(",", "") if _THOUSANDS.fullmatch(number) else number.replace(",", ".")
    unit = _PERCENT.sub("%", match["unit"] or match["money"] or "").strip()
    size = float(plain)
    if unit.startswith("cent"):
        size, unit = size / 100, unit.replace("cents", "usd").replace("cent", "usd")
    unit = re.sub(r"us dollars?|dollars?|bucks?|\$", "usd", unit)
    unit = re.sub(r"euros?", "eur", unit)
    per = re.fullmatch(r"(usd|eur) ?(?:/|per|an?) ?(\w+)", unit)
    if per:
        unit = f"{per[1]}/{_PER.get(per[2], per[2])}"
    return size, unit


def whole(number: float) -> int | float:
    """An integer where the number is whole."""
    return int(number) if number == int(number) else round(number, 6)


def _first(patterns: tuple[tuple[str, str], ...], text: str) -> str | None:
    found = [
        (match.start(), name) for pattern, name in patterns if (match := re.search(pattern, text))
    ]
    return min(found)[1] if found else None
