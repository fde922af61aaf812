"""Words of a text as both the index and the question hold them.

Both databases then see the same plain words: what is a letter, what joins words, what a tag name is made of
and which forms are of one word is decided here.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Any

MOST_WORDS = 64
"""Words of a question that are looked for."""
LONGEST_WORD = 64
_RUN = re.compile(r"[^\W_]+(?:[-_/.][^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_LATIN = re.compile(r"[a-z]{3,}")
_CYRILLIC = re.compile(r"[а-яё]{3,}")
_PLAIN = frozenset(
    [
        "a",
        "about",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "me",
        "of",
        "on",
        "or",
        "our",
        "shall",
        "should",
        "tell",
        "that",
        "the",
        "their",
        "there",
        "these",
        "this",
        "to",
        "us",
        "was",
        "we",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "you",
        "в",
        "во",
        "и",
        "к",
        "как",
        "на",
        "не",
        "о",
        "от",
        "по",
        "с",
        "что",
        "это",
    ]
)
_own = threading.local()


def words_of(text: str) -> list[str]:
    """Words in their order, as stems; parts that are joined (``E-101``, ``start-up``) also as one word."""
    return [_stem(word) for word in _whole_words(text)]


def asked_words(question: str) -> list[str]:
    """Words of a question to look for, each once; small words only where there are no others."""
    found = _whole_words(question[:20_000])
    telling = [word for word in found if word not in _PLAIN]
    return list(dict.fromkeys(_stem(word) for word in telling or found))[:MOST_WORDS]


def _whole_words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = []
    for run in _RUN.findall(folded):
        parts = _WORD.findall(run)
        found.extend(part[:LONGEST_WORD] for part in parts)
        # Each pair of neighbours too: 11-TI-042 is found by 11TI, TI042 and 11TI042.
        if len(parts) > 2:
            found.extend((a + b)[:LONGEST_WORD] for a, b in pairwise(parts))
        if len(parts) > 1:
            found.append("".join(parts)[:LONGEST_WORD])
    return found


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """A word without its ending, by the Snowball rules of English or Russian; names are left as they are."""
    if _LATIN.fullmatch(word):
        return str(_stemmer("english").stemWord(word))
    if _CYRILLIC.fullmatch(word):
        return str(_stemmer("russian").stemWord(word))
    return word


def _stemmer(language: str) -> Any:
    # A stemmer keeps the word that it works on, so each thread has its own.
    found = getattr(_own, language, None)
    if found is None:
        import snowballstemmer

        found = snowballstemmer.stemmer(language)
        setattr(_own, language, found)
    return found
