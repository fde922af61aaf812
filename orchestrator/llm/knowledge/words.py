"""Words of a text as both the index and the question hold them.

Both databases then see plain words and agree on them: what is a letter, what joins words and what a tag
name is made of is decided here.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

MOST_WORDS = 64
"""Words of a question that are looked for."""
LONGEST_WORD = 64
_RUN = re.compile(r"[^\W_]+(?:[-_/.][^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
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
    ]
)


def words_of(text: str) -> list[str]:
    """Words in their order, folded; parts that are joined (``E-101``, ``start-up``) also as one word."""
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


def asked_words(question: str) -> list[str]:
    """Words of a question to look for, each once; small words only where there are no others."""
    found = list(dict.fromkeys(words_of(question[:20_000])))
    telling = [word for word in found if word not in _PLAIN]
    return (telling or found)[:MOST_WORDS]
