"""Counted times in words: how long, and whether ahead or back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

NUMBER_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "eighteen": 18, "twenty": 20, "thirty": 30, "forty": 40, "forty-eight": 48,
    "twenty-four": 24, "thirty-six": 36, "sixty": 60, "ninety": 90, "dozen": 12, "a dozen": 12,
    "half a": 0.5, "half an": 0.5, "couple of": 2, "a couple of": 2,
    "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "sept": 7, "huit": 8, "neuf": 9,
    "dix": 10, "douze": 12, "quinze": 15, "vingt": 20, "trente": 30, "demi": 0.5, "une demi": 0.5,
    "ein": 1, "eine": 1, "einen": 1, "einer": 1, "zwei": 2, "drei": 3, "vier": 4, "funf": 5, "sechs": 6,
    "sieben": 7, "acht": 8, "neun": 9, "zehn": 10, "zwolf": 12, "vierzehn": 14, "zwanzig": 20,
    "dreissig": 30, "halbe": 0.5, "halben": 0.5,
    "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10,
    "doce": 12, "quince": 15, "veinte": 20, "treinta": 30, "media": 0.5, "medio": 0.5,
    "dois": 2, "duas": 2, "quatro": 4, "sete": 7, "oito": 8, "nove": 9, "dez": 10, "doze": 12, "trinta": 30,
    "due": 2, "tre": 3, "quattro": 4, "cinque": 5, "sei": 6, "sette": 7, "otto": 8, "dieci": 10,
    "dodici": 12, "quindici": 15, "venti": 20, "trenta": 30,
    "een": 1, "twee": 2, "drie": 3, "vijf": 5, "zes": 6, "zeven": 7, "negen": 9, "tien": 10,
    "twaalf": 12, "veertien": 14, "twintig": 20, "dertig": 30,
    "bir": 1, "iki": 2, "uc": 3, "dort": 4, "bes": 5, "alti": 6, "yedi": 7, "sekiz": 8, "dokuz": 9, "on": 10,
    "два": 2, "две": 2, "три": 3, "четыре": 4, "пять": 5, "шесть": 6, "семь": 7, "восемь": 8, "десять": 10,
    "двенадцать": 12, "двое": 2, "трое": 3,
    "ثلاث": 3, "ثلاثة": 3, "اربع": 4, "اربعة": 4, "خمس": 5, "خمسة": 5, "ست": 6, "ستة": 6, "سبعة": 7,
    "عشرة": 10, "عشر": 10,
    "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10,
    "十二": 12, "半": 0.5,
}  # fmt: skip
ONLY_BEFORE_A_UNIT = frozenset({"on", "a", "an"})
_UNITS: tuple[tuple[float, str], ...] = (
    (1 / 60, r"min(?:ute)?s?\b|minuten\b|minutos?\b|minuti\b|dakika\w*|мин\w*|分钟|دقيقة|دقائق"),
    (
        1,
        (r"h(?:ou)?rs?\b|h\b|heures?\b|stunden?\b|std\b|horas?\b|or[ae]\b|uur\b|uren\b|saat\w*|час\w*|"
        r"个?小时|ساعات|ساعة|ساعه"),
    ),
    (24, r"d\b|days?\b|jours?\b|tage?n?\b|dias?\b|giorn[io]\b|dag(?:en)?\b|gun\w*|дн\w+|день\b|сут\w+|天|日(?!志)|ايام|يوما?\b"),
    (168, r"weeks?\b|wks?\b|semaines?\b|wochen?\b|semanas?\b|settiman[ae]\b|week\b|weken\b|hafta\w*|недел\w+|周|个?星期|اسابيع|اسبوع\w*"),
    (336, r"fortnights?\b|quinzaines?\b|quincenas?\b"),
    (720, r"months?\b|mths?\b|mois\b|monate?n?\b|mes(?:es)?\b|mesi\b|mese\b|maanden?\b|месяц\w*|个月|اشهر|شهرا?\b"),
    (8760, r"years?\b|yrs?\b|ans?\b|annees?\b|jahre?n?\b|anos?\b|anni\b|jaar\b|yil\w*|год\w*|лет\b|年|سنوات|سنة"),
    (8, r"shifts?\b|postes?\b|schichten?\b|turnos?\b|turni\b"),
)  # fmt: skip
_WORDS = "|".join(sorted(map(re.escape, NUMBER_WORDS), key=len, reverse=True))
_UNIT = "|".join(f"(?P<u{number}>{pattern})" for number, (_, pattern) in enumerate(_UNITS))
_DURATION = re.compile(
    rf"(?:(?<![\w.,])(?P<digits>\d{{1,3}}(?: \d{{3}})+(?!\d)|\d+(?:[.,]\d+)?)|(?<![a-zа-я'-])(?P<word>{_WORDS}))"
    rf"(?:[ -]|(?<=\d)|(?<=[一两二三四五六七八九十半]))(?P<mid>(?:full|whole|more|solid|consecutive|operating|good|last|past|next|coming|derniers?|dernieres?|prochaine?s?|letzten|nachsten|kommenden|ultim[oa]s|proxim[oa]s|prossim[ei]|laatste|komende) )?(?:{_UNIT})"
    r"(?P<half> and a half| et demie?| y medi[ao]| e mezz[ao])?"
)
_COUNTED_BACK = re.compile(
    r"(?:\b(?:last|past|previous|these|since|prior|trailing|latest|preceding|derniers?|dernieres?|passe(?:e?s)?|depuis|"
    r"letzten?|vergangenen?|seit|vor|ultim[oaei]s?|pasad[oa]s|passad[oa]s|desde hace|hace|scors[ei]|afgelopen|laatste|"
    r"son|gecen|последни[ехй]\w*|прошлы\w+|за)|过去|最近|近|خلال اخر|الماضية|اخر)(?: the| full| \w+)? ?$"
)
_BACK_AFTER = re.compile(
    r"^ ?(?:ago\b|back\b|of (?:history|data|records)|d.historique|passes?\b|history\b|fa\b|geleden|once\b|atras\b|"
    r"назад|前|以来|الماضية|trend\b|so far)"
)
_AHEAD = re.compile(
    r"(?:\b(?:next|in|within|coming|following|upcoming|for the next|over the next|dans|d.ici|prochain\w*|ahead|through|after|"
    r"nachste[nr]?|kommenden?|innerhalb von|dentro de|proxim[oa]s|daqui a|prossim[ei]|tra|fra|over|komende|volgende|onumuzdeki|"
    r"gelecek|через|ближайши\w+|следующи\w+)|未来|接下来|今后|بعد|القادمة|خلال)(?: the| about| full)? ?$"
)
_AHEAD_AFTER = re.compile(
    r"^ ?(?:ahead|out\b|from now|forward|hence|forecast|fcst|top\b|view|look|horizon|prediction|outlook|a l.avance|of it\b|"
    r"im voraus|sonra|后|之后|以后|القادمة|vooruit|avanti|adelante|a frente|into the future|down the (?:road|line))"
)
_OVER_BACKWARD = re.compile(r"\bover (?:the )?$")
_NO_LENGTH = re.compile(
    r"^ ?-?(?:grid|averages?\b|avg|means?\b|intervals?|periods?\b|steps?\b|base|basis|raster|range|norm|moving|rolling|old\b|"
    r"of (?:cover|supply|stock|storage|data in)|sampl\w+|resolution|high\b|low\b|seasonal)"
)
_NO_COUNT = re.compile(
    r"(?:\b(?:per|every|each|par|pro|por|twice|once|times|how many|many|few|to|onto|into|at|on)|/)(?: an?)? ?$"
)
LONG = 720.0


class Duration(NamedTuple):
    """A counted time.

    Attributes:
        start: Where it begins in the text.
        end: Where it ends.
        hours: How long [h].
        back: True for the past, False for the future, None where the words around do not say.
    """

    start: int
    end: int
    hours: float
    back: bool | None


def find_durations(text: str) -> Iterator[Duration]:
    """Counted times of folded text; grids, averages and rates (``a day``) are none."""
    for match in _DURATION.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        word = match["word"]
        number = NUMBER_WORDS[word] if word else _number(match["digits"])
        index = next(i for i in range(len(_UNITS)) if match[f"u{i}"])
        size = _UNITS[index][0]
        if match["half"]:
            number += 0.5
        back = _direction(before, after, match["mid"] or "")
        if _NO_LENGTH.match(after) or (_NO_COUNT.search(before) and back is None):
            continue
        if word in ONLY_BEFORE_A_UNIT and (
            (word == "on" and size != 1) or (back is None and not _is_length(before, after))
        ):
            continue
        if word in ONLY_BEFORE_A_UNIT and size >= LONG and back is False and before.endswith("in "):
            continue
        if size < 1 and back is not False:
            continue
        yield Duration(match.start(), match.end(), number * size, back)


def _direction(before: str, after: str, within: str) -> bool | None:
    if within and _COUNTED_BACK.search(within):
        return True
    if within and _AHEAD.search(within):
        return False
    if _BACK_AFTER.search(after):
        return True
    if _AHEAD_AFTER.search(after):
        return False
    if _COUNTED_BACK.search(before):
        return True
    if _AHEAD.search(before) and not _OVER_BACKWARD.search(before):
        return False
    return None


def _is_length(before: str, after: str) -> bool:
    """Whether ``a week`` counts a time, and does not say how often (``20 dollars a day``)."""
    return bool(
        re.search(
            r"(?:\b(?:for|over|take|of|about|only|just|say|make it|than|half|and|sur|pour|pendant|fur|por|per|voor)|^|[,:;?!]) ?$",
            before,
        )
    ) and not re.match(r"^ ?(?:ago|earlier)", after)


def _number(digits: str) -> float:
    return float(digits.replace(" ", "").replace(",", "."))
