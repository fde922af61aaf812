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
_CHANGE = re.compile(
    r"(?P<sign>[+-])?(?P<number>\d+(?:[.,]\d+)?) ?(?P<unit>%|percent|pct|deg ?c|degrees?|°c|c\b|k\b|"
    r"bar\b|kpa\b|t/h|m3/h|kbd|bpd|usd|\$|ppm)?\s*(?P<way>less|more|lower|higher|fewer|extra|"
    r"de moins|de plus)\s+(?P<what>[a-z][a-z ]{1,30}?)(?=$|[,.;?!]| would| will| do| on | for )"
)
_CHANGE_BY = re.compile(
    r"(?P<way>rais\w+|increas\w+|up|lift\w*|add\w*|cut\w*|drop\w*|lower\w*|reduc\w+|decreas\w+|down|los\w+)\s+"
    r"(?:the |our |my )?(?P<what>[a-z][a-z0-9 .-]{1,30}?)(?: by| of)? (?P<number>\d+(?:[.,]\d+)?) ?"
    r"(?P<unit>%|percent|pct|deg ?c|degrees?|°c|c\b|k\b|bar\b|kpa\b|t/h|m3/h|kbd|bpd|usd|ppm)?"
)
_DOWN = re.compile(r"less|lower|fewer|de moins|cut|drop|reduc|decreas|down|los")
_PERCENT = re.compile(r"percent|pct")


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
    for pattern in (_CHANGE, _CHANGE_BY):
        for match in pattern.finditer(text):
            size = float(match["number"].replace(",", "."))
            unit = _PERCENT.sub("%", match["unit"] or "").strip()
            by = -size if _DOWN.match(match["way"]) else size
            changes.append({"what": match["what"].strip(), "by": whole(by), "unit": unit})
    return changes


def whole(number: float) -> int | float:
    """An integer where the number is whole."""
    return int(number) if number == int(number) else round(number, 6)


def _first(patterns: tuple[tuple[str, str], ...], text: str) -> str | None:
    found = [
        (match.start(), name) for pattern, name in patterns if (match := re.search(pattern, text))
    ]
    return min(found)[1] if found else None
