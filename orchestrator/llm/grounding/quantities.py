"""Finds the numbers that a text claims, with sign, unit, precision and the words that bear on them.

What only looks like a number is masked first: tag names and other identifiers, dates and times of day,
list numbers, ordinals, references ("step 2", "[3]", "ISA-18.2").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from orchestrator.llm.grounding.unit_words import PER, PER_PATTERN, read_unit, unit_after

WRITTEN = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "k": 1e3, "m": 1e6}

_NUMBER = re.compile(
    r"(?<![\w.,/])(?P<sign>[+\-−–±]\s?)?(?P<money>(?:US)?\$|USD\s|€)?(?P<inner>[-−])?"
    r"(?P<body>\d{1,3}(?:[,\u00a0\u202f'’]\d{3})+(?:\.\d+)?(?!\d)|\d{1,3}(?: \d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:(?P<exponent>[eE][+-]?\d+)|\s?[×x]\s?10(?:\^|\*\*)?(?P<power>[-−]?\d+|[⁻⁰¹²³⁴-⁹]+))?",
)
_WORD_NUMBER = re.compile(
    rf"(?<![\w-])(?P<word>(?:(?:{TENS})[- ](?:one|two|three|four|five|six|seven|eight|nine))|"
    rf"{'|'.join(sorted(WRITTEN, key=len, reverse=True))}|half|a (?:hundred|thousand|million))"
    r"(?P<point> point (?:(?:zero|one|two|three|four|five|six|seven|eight|nine)\b ?)+)?"
    r"(?P<scale> (?:hundred|thousand|million))?(?![\w-])",
    re.IGNORECASE,
)
_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_MASKS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?",
        r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b",
        rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?(?: of)?\s+{_MONTHS}\b\.?|{_MONTHS}\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?\b)(?:,?\s+\d{{4}}\b)?",
        rf"\b{_MONTHS}\s+\d{{4}}\b",
        r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?(?:am|pm|utc|z)\b)?",
        r"\b\d{1,2}\s?(?:am|pm)\b",
        r"\b(?:in|since|of|year|by|until|from)\s+(?:19|20)\d{2}\b(?!\s*(?:[a-z°%$]|\.\d))",
        r"^\s*(?:[-*•]\s*)?[(\[]?\d{1,2}[.)\]](?=\s)",
        r"(?<=[.;:,!?])\s+\(?\d{1,2}\)(?=\s)",
        r"(?<=[.;:!?])\s+\d{1,2}\.(?=\s+[A-Z_\"'*])",
        r"\b\d+(?:st|nd|rd|th)\b",
        (
            r"\b(?:step|section|table|figure|fig\.|option|row|page|item|clause|chapter|rule|case|scenario|phase|"
            r"stage|no\.|nr\.|number|version|priority|shift|line|point|question|train|unit|evidence|source)s?\s+#?\d+(?:\.\d+)*\b(?!\s?[%°])"
        ),
        r"\[(?:citation:?\s*)?\d+(?:\s*[,–-]\s*\d+)*\]",
        # A passage: the search that found it, and its letter.
        r"\[\d{1,2}[a-c](?:\s*,\s*\d{1,2}[a-c]?)*\]",
        r"\b(?:iso|iec|isa|rfc|api|astm|en|din|nfpa|osha)[- ]?\d+(?:[.-]\d+)*\b",
        r"\bv\d+(?:\.\d+)*\b",
        r"\b[0-9a-f]*(?:[a-f]+\d+|\d+[a-f]+)[0-9a-f]{6,}\b",
        r"https?://\S+",
        r"\bp(?:5|10|25|50|75|90|95|99)\b",
        r"\b(?:5|10|25|50|75|90|95|99)th percentile\b",
    )
)
_IDENTIFIER = re.compile(
    r"(?<![\w.])(?:[A-Za-z_]+[-_./]?)*[A-Za-z_]+[-_]?\d[\w.-]*\w|(?<![\w.])[A-Za-z]+\d\b|"
    r"(?<![\w.])\d+[-_]?[A-Za-z]{1,6}[-_]?\d+\w*|(?<![\w.])\d{1,3}-[A-Z]{1,4}-\d+\w*"
)
_GLUED = re.compile(r"(?:usd|us\$)\d", re.IGNORECASE)
HEDGE = re.compile(
    r"(?:\b(?:about|around|roughly|approximately|approx\.?|nearly|almost|some|close to|near|circa|ca\.|"
    r"just (?:over|under|above|below)|slightly (?:over|under|above|below|more than|less than)|on the order of)|[~≈])\s*(?:\$|usd )?$",
    re.IGNORECASE,
)
COMPARED = re.compile(
    r"(?:\b(?P<more>above|over|exceed(?:s|ing|ed)?|more than|greater than|higher than|at least|beyond|older than|longer than)|"
    r"\b(?P<less>below|under|less than|lower than|at most|up to|fewer than|no more than|younger than|shorter than)|(?P<gt>[>≥])|(?P<lt>[<≤]))\s*(?:\$|usd )?$",
    re.IGNORECASE,
)
_NOT_A_COUNT = re.compile(
    r"^\s*(?:of (?:the|these|those|them|its)\b|way|hand|side|thing|more|another|other|such|can\b|could\b|should\b|must\b|point|reason|option|question|"
    r"possibilit|cause|step|by\b|or two|at a time|after\b)",
    re.IGNORECASE,
)
COUNTED = re.compile(
    r"^\s*(?:(?:open|active|new|standing|critical|high|medium|low|stale|frozen|bad|different|more|of the|severity|priority|"
    r"laboratory|lab|plant|process|unacknowledged|suspect|failed|other|binding|anomaly|limit|drift|trend|predicted|market|crude|"
    r"heat|feed|severe)[- ]?(?:severity|priority)? )*"
    r"(?:alert|alarm|tag|sensor|sample|exchanger|pump|tank|reading|measurement|value|row|operation|job|run|move|step change|"
    r"set ?point|limit|constraint|instrument|transmitter|anomal|fault|recommendation|decision|crude|product|instance|outlier|gap|report)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that a text claims.

    Attributes:
        value: With its own sign, scale words worked in, in ``unit``.
        unit: In the spelling that ``plant.units`` reads; empty where none is written.
        step: Distance to the next number of the same precision.
        start: Where it begins in the text, sign and currency included.
        end: Where its unit ends.
        text: As it is written.
        signed: Whether it has a sign.
        hedged: Whether a word before it says that it is rough.
        counted: Whether it counts things rather than measures them.
    """

    value: float
    unit: str
    step: float
    start: int
    end: int
    text: str
    signed: bool = False
    hedged: bool = False
    counted: bool = False


def masked(text: str, names: Iterable[str] = ()) -> str:
    """``text`` with what only looks like a number replaced by as many blanks or letters.

    Args:
        text: Any text.
        names: Names that hold digits: tags, equipment, products.
    """

    def blank(found: re.Match[str]) -> str:
        return "_" * (found.end() - found.start())

    for pattern in _name_patterns(
        tuple(sorted({n for n in names if n}, key=lambda n: (-len(n), n)))
    ):
        text = pattern.sub(blank, text)
    for pattern in _MASKS:
        text = pattern.sub(lambda f: " " * (f.end() - f.start()), text)

    def identifier(found: re.Match[str]) -> str:
        word = found[0]
        if (
            word.lower() in ("m3", "sm3", "nm3", "cm2")
            or _GLUED.match(word)
            or _number_with_unit(word)
        ):
            return word
        return "_" * len(word)

    return _IDENTIFIER.sub(identifier, text)


def quantities(text: str, names: Iterable[str] = ()) -> list[Quantity]:
    """All numbers that ``text`` claims, in order."""
    clean = masked(text, names)
    found = [item for match in _NUMBER.finditer(clean) if (item := _in_digits(clean, text, match))]
    taken = [(item.start, item.end) for item in found]
    for match in _WORD_NUMBER.finditer(clean):
        if any(start <= match.start() < end for start, end in taken):
            continue
        item = _in_words(clean, text, match)
        if item is not None:
            found.append(item)
    found.sort(key=lambda item: item.start)
    return _with_shared_units(clean, found)


@cache
def _name_patterns(names: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    digits = [re.escape(name) for name in names if any(c.isdigit() for c in name)]
    if not digits:
        return ()
    return (re.compile(rf"(?<![\w])(?:{'|'.join(digits)})(?![\w])", re.IGNORECASE),)


def _number_with_unit(word: str) -> bool:
    found = re.fullmatch(r"\d+(?:\.\d+)?([A-Za-z°%/]+\d?(?:/[a-z]+)?)", word)
    return found is not None and read_unit(found[1], 0) is not None


def _in_digits(clean: str, text: str, match: re.Match[str]) -> Quantity | None:
    body = re.sub(r"[,\u00a0\u202f'’ ]", "", match["body"])
    value = float(body)
    decimals = len(body.partition(".")[2])
    step = 10.0**-decimals
    power = match["exponent"] and int(match["exponent"][1:])
    if match["power"]:
        power = int(match["power"].translate(_SUPERSCRIPTS))
    if power:
        value, step = value * 10.0**power, step * 10.0**power
    sign = (match["sign"] or "").strip()
    start = match.start()
    if sign in ("-", "–", "−") and _is_dash(clean, match.start()):
        sign, start = "", match.start("body")
    signed = bool(sign) or match["inner"] is not None
    end = match.end()
    scale = re.match(
        r"\s?(thousand|million|billion)\b|([kM])(?=\s*(?:USD|\$|€|/|bbl|\b))", clean[end:]
    )
    if scale and not (scale[2] and read_unit(clean, end) and not match["money"]):
        factor = SCALES[(scale[1] or scale[2]).lower()]
        value, step, end = value * factor, step * factor, end + scale.end()
    bare = end
    unit, end = unit_after(clean, end)
    if match["money"] and not unit.startswith("USD"):
        end = bare
    if match["money"] and not unit.startswith("USD"):
        per = PER_PATTERN.match(clean, end)
        unit, end = (f"USD/{PER[per['per'].lower()]}", per.end()) if per else ("USD", end)
    if sign in ("-", "−", "–") or match["inner"]:
        value = -value
    return Quantity(
        value,
        unit,
        step,
        start,
        end,
        text[start:end],
        signed=signed and sign != "±",
        hedged=HEDGE.search(clean[max(0, start - 40) : start]) is not None,
        counted=not unit and decimals == 0 and COUNTED.match(clean[end:]) is not None,
    )


_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def _is_dash(clean: str, at: int) -> bool:
    """Whether a minus there joins two numbers or words, as in ``360–370``."""
    before = clean[:at].rstrip()
    if clean[at : at + 1] == "–" and clean[at + 1 : at + 2] == " ":
        return True
    if not before or before[-1] in "(,:;=[|":
        return False
    glued = at > 0 and not clean[at - 1].isspace()
    return glued and (before[-1].isalnum() or before[-1] in "%°")


def _in_words(clean: str, text: str, match: re.Match[str]) -> Quantity | None:
    word = re.sub(r"[- ]", " ", match["word"].lower())
    step = 1.0
    if word == "half":
        return None
    if word.startswith("a "):
        value = SCALES[word[2:]]
        step = value
    else:
        value = float(sum(WRITTEN[part] for part in word.split()))
    if match["point"]:
        digits = "".join(str(WRITTEN[w]) for w in match["point"].lower().split()[1:])
        value += float(f"0.{digits}")
        step = 10.0 ** -len(digits)
    if match["scale"]:
        factor = SCALES[match["scale"].strip().lower()]
        value, step = value * factor, step * factor
    unit, end = unit_after(clean, match.end())
    counted = not unit and COUNTED.match(clean[end:]) is not None
    negative = re.search(r"\b(minus|negative)\s$", clean[: match.start()], re.IGNORECASE)
    plain = word in ("one", "zero") or _NOT_A_COUNT.match(clean[end:]) is not None
    if not unit and (plain or not (counted or match["point"] or match["scale"])):
        return None
    return Quantity(
        -value if negative else value,
        unit,
        step,
        match.start(),
        end,
        text[match.start() : end],
        signed=negative is not None,
        hedged=HEDGE.search(clean[max(0, match.start() - 40) : match.start()]) is not None,
        counted=counted,
    )


def _with_shared_units(clean: str, found: list[Quantity]) -> list[Quantity]:
    """In ``between 360 and 370 °C`` the first number has the unit of the second."""
    out = list(found)
    for index in range(len(out) - 2, -1, -1):
        first, second = out[index], out[index + 1]
        if first.unit or first.counted or not second.unit:
            continue
        between = clean[first.end : second.start]
        if re.fullmatch(
            r"\s*(?:to|and|or|[-–—]|,|,? and|\.\.\.?|±|\+/-|→|->)\s*(?:\$|USD )?", between
        ):
            out[index] = Quantity(
                first.value,
                second.unit,
                first.step,
                first.start,
                first.end,
                first.text,
                first.signed,
                first.hedged,
                first.counted,
            )
    return out
