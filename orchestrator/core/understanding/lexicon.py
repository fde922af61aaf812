"""Which words the lines about operations use, so that a word from elsewhere shows as strange."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache

from orchestrator.core.slots import fold
from orchestrator.core.understanding.corpus import CORPUS

STEM = 5
"""Letters that two forms of one word share; shorter words must be the same."""
_OF_THE_FIELD = ("history", "system", "order")


@cache
def _lines() -> Counter[str]:
    """How many lines have a word, or a longer word of the same stem."""
    counts: Counter[str] = Counter()
    for file in CORPUS.glob("*.txt"):
        if "." not in file.stem and file.stem not in _OF_THE_FIELD:
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            if not line.startswith("# "):
                counts.update({_stem(word) for word in re.findall(r"[^\W\d_]+", fold(line))})
    return counts


@lru_cache(maxsize=1 << 13)
def lines_with(word: str) -> int:
    """How many lines about operations have folded ``word``."""
    return _lines()[_stem(word)]


def _stem(word: str) -> str:
    return word[:STEM]
