"""Words that lean on the turn before: what they keep of it, and what they change."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.core.understanding.concepts import concepts_of
from orchestrator.core.understanding.features import FILLERS
from orchestrator.core.understanding.masks import MASKS, TIME_MASKS, mask

HISTORY = "history"
FOLLOWING = frozenset(
    [
        "and",
        "same",
        "likewise",
        "again",
        "also",
        "too",
        "well",
        "instead",
        "rather",
        "or",
        "but",
        "then",
        "for",
        "with",
        "in",
        "over",
        "through",
        "by",
        "via",
        "on",
        "at",
        "only",
        "just",
        "double",
        "halve",
        "twice",
        "half",
        "try",
        "use",
        "extend",
        "shorten",
        "yes",
        "yeah",
        "no",
        "not",
        "actually",
        "sorry",
        "mean",
        "meant",
        "i",
        "say",
        "it",
        "its",
        "that",
        "this",
        "those",
        "these",
        "them",
        "they",
        "one",
        "ones",
        "first",
        "second",
        "third",
        "other",
        "both",
        "former",
        "latter",
        "make",
        "take",
        "now",
        "good",
        "fine",
        "ok",
        "okay",
        "please",
        "question",
        "as",
        "about",
        "what",
        "how",
        "there",
        "more",
        "longer",
        "shorter",
        "up",
        "to",
        "down",
        "until",
        "till",
        "typo",
        "wait",
        "hmm",
        "hm",
        "ah",
        "oops",
        "correction",
        "cut",
        "want",
        "need",
        "back",
        "asked",
        "go",
        "change",
        "let's",
        "lets",
        "let",
        "s",
        "next",
        "else",
        "whole",
        "total",
        "overall",
        "altogether",
        "past",
        "be",
        "should",
        "time",
        "hours",
        "days",
        "want",
        "ahead",
        "out",
        "idem",
        "pareil",
        "meme",
        "aussi",
        "et",
        "pour",
        "plutot",
        "non",
        "oui",
        "und",
        "auch",
        "nochmal",
        "stattdessen",
        "nein",
        "doch",
        "fur",
        "ja",
        "dasselbe",
        "gleiche",
        "gleich",
        "mismo",
        "igual",
        "tambien",
        "y",
        "para",
        "mejor",
        "anche",
        "stesso",
        "invece",
        "si",
        "mesmo",
        "tambem",
        "ook",
        "hetzelfde",
        "graag",
        "ayni",
        "peki",
        "ya",
        "icin",
        "hayir",
        "olsun",
        "why",
        "come",
        "pourquoi",
        "warum",
        "porque",
        "perche",
        "и",
        "тоже",
        "а",
        "для",
        "то",
        "же",
        "также",
        "нет",
        "也",
        "一样",
        "那",
        "呢",
        "那么",
        "换成",
        "و",
        "نفس",
        "ماذا",
        "عن",
        "ل",
        "لا",
    ]
)
FOLLOW_UP = re.compile(
    r"^(?:and|also|what about|how about|same|likewise|again|et|und|y|e|ve|en|и|а|و|那|pareil|meme|idem|pour|now|no,|no\b|ok(?:ay)?,?|good(?=[.,])|fine(?=[.,])|take|make (?:it|that)|instead|"
    r"rather|or|but|then|for|with|against|versus|in|over|through|by|via|on|at|only|just|double|halve|twice|try|use|extend|shorten|yes|the other|not|"
    r"actually|sorry|i mean(?:t)?|let's say|say|go|why|pourquoi|until|till|up to|down to|change|give me|plus|back to|hmm|right|nein|non|hayir|нет)\b"
    r"|\b(?:likewise|too|as well|instead|i mean(?:t)?|same|it|its|that|this|those|them|one|ones|aussi|there|auch|tambien|anche|ook|both)\b"
)
_WHY = re.compile(
    r"^(?:and |but |ok,? |hmm,? |so |right,? |et |und |y |e )*(?:why|how come|what makes you|on what basis|on what grounds|how so|explain|pourquoi|warum|wieso|por que|perche|waarom|neden|почему|لماذا|为什么|what(?:'s| is) (?:the reason|behind)|what(?:'s| is| are) .{0,20}(?:built|based|founded|resting) (?:on|upon))\b"
)
LONGEST_WHY, LONGEST_COURTESY = 9, 4
LEANING_WORDS = re.compile(
    r"\b(?:same|again|likewise|too|as well|instead|other|both|first|second|third|double|halve|twice|longer|shorter|more|less|aussi|idem|pareil|meme|"
    r"auch|gleiche?|dasselbe|tambien|mismo|anche|stesso|tambem|mesmo|ook|hetzelfde|ayni|так же|тоже)\b|一样|也"
)
_QUALITY = re.compile(
    r"\b(?:good|ok|okay|right|fine|trust\w*|usable|complete|plausible|clean|correct|valid|sound|sane|bon\w*|gut|bien|bueno\w*)\b"
)
_WAS = re.compile(r"\b(?:was|were|did|had|etait|war|era|fue|foi|idi|был[оа]?)\b")
_LOADED = frozenset({"etl.ingest", HISTORY})
_NO_WHY = re.compile(
    r"\b(?:nothing|refus\w*|skipp\w*|recommend\w*|optimi\w+|alarm\w*|alert\w*|decid\w*|run)\b"
)
_TO_FORECAST = frozenset(
    {
        "forecasting.soft_sensor",
        "etl.validate",
        "etl.clean",
        "etl.ingest",
        HISTORY,
        "forecasting.time_to_limit",
    }
)
_THE = frozenset(["the", "a", "our", "please", "pls", "le", "la", "der", "die", "das", "el", "il"])
_NAMES = frozenset(MASKS) | frozenset(TIME_MASKS)


def content(text: str) -> list[str]:
    """Words of folded text that say more than names, times and how they follow the turn before."""
    tokens = re.findall(r"[^\W_]+", mask(text))
    return [t for t in tokens if t not in _NAMES and t not in FILLERS and t not in FOLLOWING]


def is_why(text: str) -> bool:
    """Whether the words only ask for the reason of what was said."""
    return (
        _WHY.match(text) is not None
        and len(text.split()) <= LONGEST_WHY
        and _NO_WHY.search(text) is None
    )


def is_bare_name(text: str) -> bool:
    """Whether folded words are no more than one name: a product, a unit, a tag."""
    tokens = re.findall(r"[^\W_]+", mask(text))
    return sum(token in MASKS[:7] for token in tokens) == 1 and set(tokens) <= {*MASKS[:7], *_THE}


def is_courtesy(text: str) -> bool:
    """Whether folded words are no more than a greeting or thanks."""
    tokens = re.findall(r"[^\W_]+", mask(text))
    polite = [t for t in tokens if {"HELLO", "THANKS"} & set(concepts_of(t))]
    named = any(token in _NAMES for token in tokens)
    alone = bool(polite) and not named and len(tokens) <= LONGEST_COURTESY
    return alone and not set(content(text)) - set(polite)


def asks_value(text: str) -> bool:
    """Whether folded words are a tag and the present, and no more."""
    masked = mask(text)
    return (
        not content(text)
        and re.search(r"\bx(?:tag|tank)\b", masked) is not None
        and re.search(r"\bxnow\b", masked) is not None
        and re.search(r"\bx(?:ahead|future|prop|prod|dur)\b", masked) is None
    )


def asks_past_of(text: str, about: Sequence[str]) -> bool:
    """Whether the words ask what the measured thing, of which the turn before spoke, was."""
    return (
        not any(name.startswith("analysis.") for name in about)
        and not content(text)
        and _WAS.search(text) is not None
        and re.search(r"\bxpast\b", mask(text)) is not None
    )


def asks_quality(text: str, about: Sequence[str]) -> bool:
    """Whether the words ask if what was just loaded or shown can be trusted."""
    return (
        bool(about)
        and set(about) <= _LOADED
        and not content(text)
        and _QUALITY.search(text) is not None
        and "?" in text
    )


def leans(text: str) -> bool:
    """Whether the words hold something to change of the turn before, or ask for the same again."""
    return (
        LEANING_WORDS.search(text) is not None
        or re.search(r"\bx(?!now|past)[a-z]+\b", mask(text)) is not None
    )


def same_again(text: str, about: Sequence[str]) -> tuple[str, ...]:
    """Operations of words without a want of their own, after a turn that was about ``about``."""
    masked = mask(text)
    ahead = re.search(r"\bx(?:ahead|future)\b", masked) is not None and "xpast" not in masked
    if ahead and set(about) <= _TO_FORECAST:
        return ("forecasting.forecast",)
    at_present = (
        re.search(r"\bxnow\b", masked) is not None and re.search(r"\bxprop\b", masked) is not None
    )
    if at_present and set(about) <= {"forecasting.forecast"}:
        return ("forecasting.soft_sensor",)
    return tuple(name for name in about if name != HISTORY)
