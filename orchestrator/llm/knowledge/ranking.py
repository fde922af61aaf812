"""The order of what was found: BM25 over headings and text, and the fusion of two orders.

Each database has a ranking of its own, but SQLite's gives a word no weight that more than half of the
passages hold, as the name of the unit is in a small collection, and PostgreSQL's knows nothing of how rare a
word is. They choose the candidates, and these rules order them alike on both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.state.document_records import Candidate, WordStatistics

HEADING = 3
"""How many times a word of the heading counts."""
K1, B = 1.2, 0.75


def bm25(
    words: Sequence[str], candidates: Sequence[Candidate], known: WordStatistics
) -> dict[int, float]:
    """Scores by the id of the passage, the best first.

    BM25 as Robertson and Zaragoza give it (2009, equation 3.15), fields weighted before saturation, with
    the inverse document frequency ``ln(1 + (N - n + 0.5) / (n + 0.5))``, which is never negative.

    Args:
        words: Words of the question.
        candidates: Passages that hold any of them.
        known: How many passages there are and hold each word.
    """
    rarity = {word: _rarity(known.passages, known.holding.get(word, 0)) for word in words}
    held = [(item.id, _counts(item)) for item in candidates]
    mean = sum(sum(counts.values()) for _, counts in held) / max(1, len(held))
    scores = {}
    for identity, counts in held:
        length = sum(counts.values()) / mean if mean else 1.0
        damping = K1 * (1 - B + B * length)
        scores[identity] = sum(
            rarity[word] * counts[word] * (K1 + 1) / (counts[word] + damping)
            for word in words
            if counts[word]
        )
    return _ordered(scores)


def fused(*rankings: Sequence[int], constant: float = 60.0) -> dict[int, float]:
    """Reciprocal rank fusion: each id with the sum of ``1 / (constant + rank)``, the best first.

    Cormack, Clarke and Buettcher, SIGIR 2009, with their constant of 60.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, identity in enumerate(ranking, 1):
            scores[identity] = scores.get(identity, 0.0) + 1.0 / (constant + rank)
    return _ordered(scores)


def _rarity(passages: int, holding: int) -> float:
    return math.log(1 + (passages - holding + 0.5) / (holding + 0.5))


def _counts(item: Candidate) -> Counter[str]:
    counts: Counter[str] = Counter(item.words.split())
    for word in item.heading_words.split():
        counts[word] += HEADING
    return counts


def _ordered(scores: Mapping[int, float]) -> dict[int, float]:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
