"""Finds what a request in words says of tags, products, properties, units, times and changes.

All functions read text that :func:`fold` has brought to lower case without accents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

HOURS_AHEAD, DAYS_BACK = "horizon_hours", "period_days"

_NO_TIME = "".join(
    f"(?<!{word} )"
    for word in ("s", "hour", "day", "week", "month", "year", "min", "minute", "h", "while")
)
"""In front of AGO (atmospheric gas oil), so that ``6 hours ago`` names no product."""
PRODUCTS: tuple[tuple[str, str], ...] = (
    (r"light naphtha|naphta leger|\bln\b|light cut", "light naphtha"),
    (r"heavy naphtha|naphta lourd|\bhn\b|heavy cut", "heavy naphtha"),
    (r"naphthas?|naphta", "naphtha"),
    (r"jet ?fuel|jet a-?1|\bjet\b|carbureacteur|avtur|aviation fuel", "jet fuel"),
    (r"kerosene|kerosine|\bkeros?\b|\bdpk\b|kerosen", "kerosene"),
    (r"heating oil|gasoil de chauffage|fioul domestique|\bfod\b", "heating oil"),
    (rf"diesel|gazoles?|\bulsd\b|{_NO_TIME}\bago\b|\bderv\b", "diesel"),
    (r"gasoline|petrol\b|\bpms\b|\bessence\b|mogas", "gasoline"),
    (r"\blpg\b|\bgpl\b", "lpg"),
    (r"propane", "propane"),
    (r"\bvgo\b|vacuum gas ?oil", "vgo"),
    (r"\bvlsfo\b", "vlsfo"),
    (r"fuel oil|\bhsfo\b|\blsfo\b|\bhfo\b|fioul lourd|mazout", "fuel oil"),
    (r"residue|\bresid\b|residu\b|atmospheric bottoms?", "residue"),
    (r"middle distillates?|distillats moyens", "middle distillates"),
    (r"distillates?", "distillate"),
    (r"bitumen|asphalt|bitume", "bitumen"),
)
GRADES: tuple[tuple[str, str], ...] = tuple(
    (rf"\b{name}\b", name)
    for name in (
        "brent",
        "wti",
        "dubai",
        "urals",
        "forties",
        "maya",
        "oman",
        "murban",
        "forcados",
        "qua iboe",
        "bonny light",
        "arab light",
        "arab medium",
        "arab heavy",
        "es sider",
        "saharan blend",
        "basrah light",
        "basrah heavy",
        "azeri light",
        "western canadian select",
    )
)
_CRUDE = re.compile(
    r"(?<!light )(?<!heavy )(?<!sour )(?<!sweet )(?<!against )(?<!more )(?<!less )(?<!vs )(?<!versus )"
    r"(?<!which )(?<!above )(?<!over )(?<!above the )(?<!over the )(?<!against the )(?<!to the )"
    r"\b(?:crude(?: oil)?|brut)\b(?! (?:diet|slate|heater|feed|unit|rate|charge|column|tower|furnace|"
    r"preheat|basket|selection|mix|train|run|intake|throughput|pump|temperature|flow|it came))"
)
PROPERTIES: tuple[tuple[str, str], ...] = (
    (r"\bt ?90\b|90 ?% (?:point|recovered)", "T90"),
    (r"\bt ?95\b|95 ?% (?:point|recovered)", "T95"),
    (r"\bfbp\b|\bep\b|end ?point|final boiling|point final", "FBP"),
    (r"cut ?points?|point de coupe", "cut point"),
    (r"\bflash(?: ?point)?\b|point d.eclair", "flash point"),
    (r"\bfreez(?:e|ing)(?: ?point)?\b|point de congelation", "freeze point"),
    (r"\bcloud(?: ?point)?\b|point de trouble", "cloud point"),
    (r"\bpour point\b|point d.ecoulement", "pour point"),
    (r"\bsmoke(?: ?point)?\b|point de fumee", "smoke point"),
    (r"\bron\b|octane", "RON"),
    (r"\brvp\b|vapou?r pressure|tension de vapeur", "RVP"),
    (r"sul(?:ph|f)ur(?! fuel)|soufre", "sulphur"),
    (r"aromatics?|aromatiques", "aromatics"),
)
UNITS: tuple[tuple[str, str], ...] = (
    (
        r"\bcdu\b|crude unit|crude distillation|topping unit|atmospheric (?:unit|distillation)",
        "CDU",
    ),
    (r"\bvdu\b|vac(?:uum)? unit|\bdsv\b|vacuum distillation", "VDU"),
    (r"\bdht\b|diesel hydrotreater", "DHT"),
    (r"\bfcc\b|cat cracker", "FCC"),
    (r"\breformer\b|\breformeur\b", "reformer"),
)
_TAG = re.compile(
    r"\b(?:\d{1,3}-?[a-z]{2,5}-?\d{2,5}[a-z]?|[a-z]{1,4}-\d{2,5}[a-z]?|(?:xmeas|xmv)[_ ]?\d+"
    r"|[a-z]{2,4}\d{3,5}[a-z]?|[a-z]\d{3,4}[a-z]?)(?:\.[a-z]+)?\b"
)
_NOT_TAGS = re.compile(
    r"(?:jet|jp|en|iso|astm|q[1-4]|covid|ron|mon|b|e)-?\d{1,2}|t-?9[05]|[a-z]-\d$"
)
_NUMBER_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30,
    "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "huit": 8, "dix": 10,
    "douze": 12, "quinze": 15, "half an": 0.5, "half a": 0.5, "couple of": 2, "a couple of": 2,
}  # fmt: skip
_HOURS = {"h": 1, "m": 1 / 60, "d": 24, "w": 168, "o": 720, "y": 8760, "s": 8, "f": 336}
_DURATION = re.compile(
    r"(?P<number>\b\d+(?:[.,]\d+)?|\b(?:half an|half a|a couple of|couple of|"
    + "|".join(sorted((w for w in _NUMBER_WORDS if " " not in w), key=len, reverse=True))
    + r")\b)[ -]?(?P<unit>h(?:ou)?rs?\b|h\b|heures?\b|min(?:ute)?s?\b|d\b|days?\b|jours?\b|weeks?\b|"
    r"semaines?\b|months?\b|mois\b|years?\b|ans?\b|shifts?\b|fortnights?\b|quinzaines?\b)"
)
_BACK = re.compile(
    r"(?:last|past|previous|these|since|prior|trailing|derniers?|dernieres?|passe(?:e?s)?|over the last)"
    r"(?: \w+)? ?$"
)
_BACK_AFTER = re.compile(r"^ ?(?:ago\b|back\b|of history|d.historique|passes?\b|history\b)")
_AHEAD = re.compile(
    r"(?:next|in|within|for the next|coming|over the next|dans|prochaine?s?|ahead|through)(?: the)? ?$"
)
_AHEAD_AFTER = re.compile(
    r"^ ?(?:ahead|out\b|from now|forward|hence|forecast|top|view|look|horizon|prediction|a l.avance|of it)"
)
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
    """Lower case, without accents, with plain quotes and single spaces."""
    text = text.replace("\u2019", "'").replace("\u00a0", " ").replace("\u202f", " ")
    decomposed = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", plain).strip()


def find_tags(text: str) -> list[str]:
    """Instrument tags, equipment and tank numbers, upper case, in the order of the words."""
    found = (match[0] for match in _TAG.finditer(text) if not _NOT_TAGS.fullmatch(match[0]))
    return list(dict.fromkeys(tag.upper() for tag in found))


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
    if found is None and (number := re.search(r"\b(?:unit|unite) (\d{1,4})\b", text)):
        return number[1]
    return found


def find_durations(text: str) -> Iterator[tuple[float, str | None]]:
    """Counted times in hours, each with the slot that the words around it point to, if any do."""
    for match in _DURATION.finditer(text):
        word = match["number"]
        number = _NUMBER_WORDS[word] if word in _NUMBER_WORDS else float(word.replace(",", "."))
        unit = match["unit"]
        key = "o" if unit.startswith("mo") else "y" if unit.startswith("an") else unit[0]
        if unit.startswith(("j",)):
            key = "d"
        elif unit.startswith("semaine"):
            key = "w"
        elif unit.startswith("quinz"):
            key = "f"
        before, after = text[: match.start()], text[match.end() :]
        slot = None
        if _BACK.search(before) or _BACK_AFTER.search(after):
            slot = DAYS_BACK
        elif _AHEAD.search(before) or _AHEAD_AFTER.search(after):
            slot = HOURS_AHEAD
        if key == "m" or re.match(r"^ ?(?:grid|average|mean|interval|period|step|base)", after):
            continue
        yield number * _HOURS[key], slot


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
