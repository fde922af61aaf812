"""Which subjects a sentence speaks of, and which of them a number belongs to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.llm.grounding.evidence import Evidence

_COMMON = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "in",
        "at",
        "on",
        "to",
        "for",
        "and",
        "or",
        "by",
        "from",
        "with",
        "is",
        "are",
        "was",
        "were",
        "be",
        "it",
        "its",
        "no",
        "not",
        "value",
    ]
)
_SYNONYMS = {
    "margin": ("margin", "margins", "profit"),
    "crack spread": ("crack spread", "crack", "cracks", "crack spreads"),
    "energy index": ("energy index", "energy use", "energy intensity", "energy consumption"),
    "yield deviation": ("yield deviation", "yield", "yields"),
    "product stock zscore": ("product stock", "product stocks", "stocks", "z-score", "stock"),
    "crude": ("crude price", "crude oil price", "crude", "crude oil"),
    "throughput": ("throughput", "charge rate", "feed rate"),
    "balance error": ("balance error", "mass balance", "imbalance", "closure error"),
    "cpu free share": ("cpu", "processor"),
    "memory free share": ("memory",),
    "missing share": ("missing", "missing values", "missing share"),
    "window starts": ("maintenance window", "window", "maintenance"),
}


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a text names a subject; ``weight`` is how many words of its name are there."""

    key: str
    start: int
    end: int
    weight: int


class Mentions:
    """Finds what a text names.

    Args:
        evidence: All subjects and how they may be named.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._phrases: dict[str, set[str]] = {}
        self._words: dict[str, frozenset[str]] = {}
        for key, subject in evidence.subjects.items():
            for phrase in subject.phrases:
                if len(phrase) > 1:
                    self._phrases.setdefault(phrase, set()).add(key)
                for synonym in _SYNONYMS.get(phrase, ()) if key.startswith("field:") else ():
                    self._phrases.setdefault(synonym, set()).add(key)
            words = {
                word
                for phrase in subject.phrases
                for word in re.findall(r"[a-z0-9]+", phrase)
                if len(word) > 2 and word not in _COMMON
            }
            self._words[key] = frozenset(words)
        self._frequency = Counter(word for words in self._words.values() for word in words)
        self._pattern = _any_of(self._phrases)

    def of(self, text: str) -> list[Mention]:
        """All mentions in order; of those that overlap the longest."""
        folded = text.casefold()
        found: list[Mention] = []
        if self._pattern is not None:
            for match in self._pattern.finditer(folded):
                phrase = " ".join(match[0].split())
                found += [
                    Mention(key, match.start(), match.end(), 10 + len(phrase.split()))
                    for key in self._phrases.get(phrase, ())
                ]
        covered = [(item.start, item.end) for item in found]
        found += self._by_words(folded, covered)
        return sorted(found, key=lambda item: item.start)

    def _by_words(self, folded: str, covered: Sequence[tuple[int, int]]) -> list[Mention]:
        """Runs of words that belong to few subjects' descriptions: two words of one, or a rare one."""
        tokens = [
            match
            for match in re.finditer(r"[a-z0-9]+", folded)
            if len(match[0]) > 2
            and not match[0].isdigit()
            and match[0] not in _COMMON
            and self._frequency.get(match[0])
            and not any(start <= match.start() < end for start, end in covered)
        ]
        runs: list[list[re.Match[str]]] = []
        for token in tokens:
            joined = runs and re.fullmatch(
                r"[\s\-/]*(?:of |the |at |in |to )*[\s\-/]*",
                folded[runs[-1][-1].end() : token.start()],
            )
            if joined:
                runs[-1].append(token)
            else:
                runs.append([token])
        found: list[Mention] = []
        for run in runs:
            words = {token[0] for token in run}
            scores = {key: len(words & own) for key, own in self._words.items() if words & own}
            best = max(scores.values())
            keys = [key for key, score in scores.items() if score == best]
            rare = min(self._frequency[word] for word in words)
            if (best >= 2 and len(keys) <= 3) or (best == 1 and rare <= 2 and len(keys) <= 2):
                found += [Mention(key, run[0].start(), run[-1].end(), best) for key in keys]
        return found


def _any_of(phrases: dict[str, set[str]]) -> re.Pattern[str] | None:
    if not phrases:
        return None
    parts = [
        re.escape(p).replace(r"\ ", r"\s+") for p in sorted(phrases, key=lambda p: (-len(p), p))
    ]
    return re.compile(rf"(?<![\w])(?:{'|'.join(parts)})(?![\w])")


def subjects_of(
    text: str,
    mentions: Sequence[Mention],
    start: int,
    end: int,
    bounds: tuple[int, int],
    numbers: Sequence[int],
) -> set[str]:
    """The subjects that a number from ``start`` to ``end`` may belong to; none where none is named.

    Nearest before it, all of a list that stands before the first number, and what directly follows it.

    Args:
        text: The whole answer.
        mentions: Of the sentence, in order.
        start: Where the number begins.
        end: Where it ends.
        bounds: Of the sentence.
        numbers: Where the sentence's numbers begin, in order.
    """
    inside = [m for m in mentions if bounds[0] <= m.start < bounds[1]]
    before = [m for m in inside if m.end <= start]
    after = [m for m in inside if m.start >= end]
    found: set[str] = set()
    if before:
        last = max(before, key=lambda m: (m.end, m.weight))
        near = [m for m in before if m.end == last.end]
        found |= {m.key for m in near}
        first = min((n for n in numbers if n >= bounds[0]), default=start)
        opening = [m for m in before if m.end <= first]
        if len({m.start for m in opening}) > 1 and not [m for m in before if m.end > first]:
            found |= {m.key for m in opening}
    following = min((n for n in numbers if n >= end), default=bounds[1])
    close = [
        m
        for m in after
        if m.start < following
        and not re.search(r"[,;:()\n]|\band\b|\bwhile\b", text[end : m.start])
    ]
    if close:
        least = min(m.start for m in close)
        found |= {m.key for m in close if m.start == least}
    return found
