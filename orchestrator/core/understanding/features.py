"""Turns a clause into hashed features: words, pairs of words, parts of words, cues, and its shape."""

from __future__ import annotations

import itertools
import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from orchestrator.core.understanding.concepts import concepts_of
from orchestrator.core.understanding.lexicon import lines_with
from orchestrator.core.understanding.masks import MASKS, TIME_MASKS, mask

BUCKETS = 1 << 16
LONGEST = 60
"""Words of a clause that count; a longer one says no more about what is wanted."""
WORD, PART, CONCEPT, SHAPE = 1.0, 0.7, 1.2, 0.5
"""Weights of the families of features, each normalised to unit length."""

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\W_]+|[?%+]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_NAMES = frozenset(MASKS) | frozenset(TIME_MASKS)
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "for",
        "on",
        "in",
        "at",
        "to",
        "and",
        "or",
        "is",
        "are",
        "was",
        "were",
        "be",
        "me",
        "my",
        "our",
        "we",
        "i",
        "you",
        "it",
        "its",
        "this",
        "that",
        "please",
        "pls",
        "with",
        "by",
        "do",
        "does",
        "did",
        "can",
        "could",
        "would",
        "will",
        "give",
        "show",
        "tell",
        "what",
        "which",
        "how",
        "much",
        "have",
        "has",
        "had",
        "some",
        "any",
        "us",
        "from",
        "le",
        "la",
        "les",
        "de",
        "du",
        "des",
        "un",
        "une",
        "pour",
        "sur",
        "et",
        "est",
        "der",
        "die",
        "das",
        "den",
        "dem",
        "des",
        "ein",
        "eine",
        "fur",
        "und",
        "ist",
        "el",
        "los",
        "las",
        "del",
        "para",
        "y",
        "o",
        "os",
        "as",
        "da",
        "do",
        "il",
        "lo",
        "gli",
        "per",
        "di",
        "e",
        "het",
        "een",
        "van",
        "voor",
        "en",
        "is",
    ]
)


class Features:
    """Hashed features of one clause: ``index`` and ``value``, of equal length."""

    __slots__ = ("index", "value")

    def __init__(self, index: NDArray[np.int64], value: NDArray[np.float32]) -> None:
        self.index = index
        self.value = value


def features_of(folded: str, least_lines: int = 1) -> Features:
    """Features of folded text.

    A word is one of the field when ``least_lines`` lines about operations have it: 1 for words of a
    person; 2 for a line that is learned, so that it does not count as known by itself.
    """
    masked = mask(folded)
    tokens = _TOKEN.findall(masked)[:LONGEST]
    families = (
        (WORD, _words(tokens)),
        (PART, [part for token in tokens if token not in _NAMES for part in _parts(token)]),
        (CONCEPT, _concepts(tokens)),
        (SHAPE, _shape(tokens, least_lines)),
    )
    found: dict[int, float] = {}
    for weight, names in families:
        unique = set(names)
        size = weight / max(1.0, len(unique)) ** 0.5
        for name in unique:
            bucket = _bucket(name)
            found[bucket] = found.get(bucket, 0.0) + size
    return Features(
        np.fromiter(found, dtype=np.int64, count=len(found)),
        np.fromiter(found.values(), dtype=np.float32, count=len(found)),
    )


@lru_cache(maxsize=1 << 15)
def _bucket(name: str) -> int:
    return zlib.crc32(name.encode()) % BUCKETS


def _words(tokens: list[str]) -> list[str]:
    names = [f"w:{token}" for token in tokens]
    names += [f"b:{a} {b}" for a, b in itertools.pairwise(tokens)]
    names += [f"s:{a} {b}" for a, b in zip(tokens, tokens[2:], strict=False)]
    names += [f"t:{' '.join(tokens[i : i + 3])}" for i in range(len(tokens) - 2)]
    if tokens:
        names += [f"f:{tokens[0]}", f"f:{' '.join(tokens[:2])}", f"l:{tokens[-1]}"]
    return names


@lru_cache(maxsize=1 << 13)
def _parts(token: str) -> tuple[str, ...]:
    if _CJK.match(token):
        return tuple(f"p:{token[i : i + n]}" for n in (1, 2, 3) for i in range(len(token) - n + 1))
    edged = f"<{token}>"
    return tuple(f"p:{edged[i : i + n]}" for n in (3, 4, 5) for i in range(len(edged) - n + 1))


def _concepts(tokens: list[str]) -> list[str]:
    """Concepts and names that the clause holds, singly, in order, and as unordered pairs."""
    said: list[str] = []
    for token in tokens:
        said += [token] if token in _NAMES else concepts_of(token)
    distinct = sorted(set(said))
    names = [f"c:{name}" for name in distinct]
    names += [f"d:{a} {b}" for i, a in enumerate(distinct) for b in distinct[i + 1 :]]
    names += [f"o:{a} {b}" for a, b in itertools.pairwise(said)]
    return names


def _shape(tokens: list[str], least_lines: int) -> list[str]:
    content = [
        token for token in tokens if token not in FILLERS and token not in _NAMES and len(token) > 1
    ]
    known = [token for token in content if concepts_of(token)]
    strange = min(sum(lines_with(token) < least_lines for token in content), 3)
    held = sorted({token for token in tokens if token in MASKS})
    return [
        f"n:content {min(len(content), 4)}",
        f"n:unknown {min(len(content) - len(known), 4)}",
        f"n:known {min(len(known), 3)}",
        f"n:names {' '.join(held)}",
        f"n:strange {strange}",
        f"n:strange {strange} {bool(held)} {min(len(content), 4)}",
        f"n:length {min(len(tokens) // 3, 5)}",
        f"n:asks {'?' in tokens}",
    ]
