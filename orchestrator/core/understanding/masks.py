"""Replaces names, times and numbers by one word each, so that a sentence shows its pattern.

``T95 of the diesel in 6 hours`` becomes ``xprop of the xprod xahead``. A reader that learns from the
pattern needs no sentence for each product.
"""

from __future__ import annotations

import re

from orchestrator.core.slots import tag_spans
from orchestrator.core.understanding.durations import find_durations
from orchestrator.core.understanding.names import GRADES, PRODUCTS, PROPERTIES, UNIT_NUMBER, UNITS

MASKS = ("xtag", "xequip", "xtank", "xprod", "xgrade", "xprop", "xunit", "xahead", "xback", "xdur")  # fmt: skip
TIME_MASKS = ("xfuture", "xpast", "xnow", "xclock", "xnum")


def _any(*names: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for table in names for pattern, _ in table))


_EQUIPMENT = re.compile(r"[A-Z]-?\d+[A-Z]?")
_TANK = re.compile(r"T(?:K)?-?\d+[A-Z]?")
_SITE_TANK = re.compile(r"\b(?:tank|bac|reservoir|tanque|serbatoio) \d{1,4}\b")
_FUTURE = re.compile(
    r"\b(?:tomm?or?row|tmrw|tmr|tonight|tonite|(?:in |by )?(?:the )?(?:next|coming|following) (?:few |couple of )?"
    r"(?:hours?|shifts?|days?|weeks?|months?|mornings?|weekend|nights?|batch|run|quarter|cycle|winter|summer|spring|autumn)|"
    r"later(?: today| on)?|(?:this|in the) (?:evening|afternoon|weekend)|(?:over|during) the (?:weekend|night)|"
    r"(?:at|by|until|till|to|around|before|towards) (?:noon|midnight|midday|morning|evening|lunch|dawn|dinner|breakfast)|"
    r"(?:at |by )?(?:the )?end of (?:the |my |this |our |next )?(?:shift|day|week|month|night)|day after|"
    r"by (?:mon|tues|wednes|thurs|fri|satur|sun)day|next (?:mon|tues|wednes|thurs|fri|satur|sun)day|soon|"
    r"demain(?: matin| soir)?|ce soir|cette nuit|(?:la |le )?(?:semaine|mois|poste|nuit) prochaine?|prochain\w*|"
    r"(?<!guten )morgen(?: fruh| abend)?|heute (?:abend|nacht)|(?:in den |die )?(?:nachste|kommende)\w*(?: \w+)?|ubermorgen|"
    r"manana|esta (?:noche|tarde)|(?:la |el )?(?:semana|mes|proxim\w+) (?:que viene|proxim\w+)|amanha|hoje a noite|"
    r"(?:na |no )?proxim\w+ (?:semana|mes|hora|turno)s?|domani(?: mattina)?|stasera|stanotte|(?:la )?(?:settimana|mese) prossim\w+|prossim\w+|"
    r"vanavond|vannacht|volgende (?:week|maand)|yarin|bu (?:gece|aksam)|gelecek \w+|haftaya|onumuzdeki \w+|"
    r"завтра(?: утром)?|сегодня вечером|следующ\w+ \w+|на следующ\w+|ближайш\w+)\b"
    r"|明天(?:早上)?|明早|今晚|下(?:个)?(?:周|月|星期)|未来|接下来|غدا|الليلة|(?:الاسبوع|الشهر)? ?القادم\w*"
)
_PAST = re.compile(
    r"\b(?:yesterday(?:'s)?|ysdy|(?:over |during |in )?(?:the )?(?:last|previous|past) (?:few |couple of )?(?:night|week|month|shift|winter|summer|year|hour|day|weekend|"
    r"quarter|cycle|(?:mon|tues|wednes|thurs|fri|satur|sun)day)s?(?:'s)?|overnight|this morning(?:'s)?|since (?:the )?\w+|"
    r"earlier(?: today)?|lately|recently|so far|ago|"
    r"in (?:january|february|march|april|may|june|july|august|september|october|november|december)|"
    r"on (?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    r"hier(?: soir)?|la (?:semaine|nuit) (?:derniere|passee)|(?:le )?mois dernier|derniere?s?|depuis \w+|ce matin|"
    r"gestern|letzte\w*(?: \w+)?|vorgestern|seit \w+|heute (?:morgen|fruh)|vorig\w+|ayer|anoche|ultim\w+|(?:la |el )?(?:semana|mes) pasad\w|esta manana|"
    r"ontem|(?:semana|mes) passad\w|ieri(?: sera)?|(?:settimana|mese) scors\w|scors\w+|gisteren|afgelopen \w+|vorige \w+|dun(?:ku)?|gecen \w+|"
    r"вчера|прошл\w+ \w+|последн\w+|с утра)\b|昨天|昨晚|上(?:个)?(?:周|月|星期)|过去|最近|\bامس\b|(?:الاسبوع|الشهر) الماضي|الماضي\w*"
)
_NOW = re.compile(
    r"\b(?:(?:right |just )?now|rn|atm|currently|current|(?:at|for) (?:the moment|present|this (?:moment|minute|very moment|point))|present(?:ly)?|"
    r"this (?:very )?(?:minute|moment|second|instant)|as (?:we speak|of now|of this moment)|at the (?:minute|moment)|these days|today(?:'s)?|live|"
    r"en ce moment|maintenant|actuel\w*|aujourd'hui|a l'instant|jetzt|gerade|aktuell\w*|momentan|zur ?zeit|derzeit|heute|ahora(?: mismo)?|en este momento|actual(?:es|mente)?|"
    r"hoy|agora|neste momento|atual\w*|hoje|adesso|in questo momento|attual\w*|oggi|op dit moment|momenteel|nu|vandaag|huidige|"
    r"su an(?:ki|da)?|simdi(?:ki)?|bugun(?:ku)?|mevcut|сейчас|в данный момент|текущ\w+|на данный момент|сегодня)\b|现在|当前|目前|今天|此刻|الان|حاليا|اليوم|الحالي\w*"
)
_CLOCK = re.compile(
    r"\b(?:at |by |um |a |alle |as |om )?(?:\d{1,2}[:h]\d{2}|\d{1,2} ?(?:am|pm|o'clock|uhr|uur)\b|(?<=at )\d{1,2}(?= |$|[?.,]))(?: ?(?:am|pm))?"
)
_DEADLINE = re.compile(
    r"\b(?:by|until|till|before|towards) \d{1,2}(?::\d{2}| ?(?:am|pm|uhr|o'clock))"
)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:k\b)?")
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_SITE_TANK, " xtank "),
    (re.compile(UNIT_NUMBER), " xunit "),
    (_any(UNITS), " xunit "),
    (_any(PROPERTIES), " xprop "),
    (_any(PRODUCTS), " xprod "),
    (_any(GRADES), " xgrade "),
    (_DEADLINE, " xfuture "),
    (_FUTURE, " xfuture "),
    (_PAST, " xpast "),
    (_NOW, " xnow "),
    (_CLOCK, " xclock "),
    (_NUMBER, " xnum "),
)


def mask(text: str) -> str:
    """Folded ``text`` with names, times and numbers replaced."""
    spans = [
        (
            found.start,
            found.end,
            "xdur" if found.back is None else "xback" if found.back else "xahead",
        )
        for found in find_durations(text)
    ]
    spans += [(start, end, _kind(name)) for start, end, name in tag_spans(text)]
    for start, end, name in sorted(spans, reverse=True):
        text = f"{text[:start]} {name} {text[end:]}"
    for pattern, name in _STEPS:
        text = pattern.sub(name, text)
    return re.sub(r"\s+", " ", text).strip()


def _kind(tag: str) -> str:
    if _TANK.fullmatch(tag):
        return "xtank"
    return "xequip" if _EQUIPMENT.fullmatch(tag) else "xtag"
