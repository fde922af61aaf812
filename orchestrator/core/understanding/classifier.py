"""Says what a clause wants, as a probability for each label, from weights that were trained before.

Multinomial logistic regression over hashed features: the probability of label k is
``softmax(W x + b)[k]``. The weights are kept as 8-bit integers with one scale a label.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.core.understanding.corpus import digest
from orchestrator.core.understanding.features import features_of

WEIGHTS = Path(__file__).with_name("weights.npz")


class Weights(NamedTuple):
    """A trained classifier.

    Attributes:
        labels: Labels, in the order of the columns.
        table: Weights, buckets by labels.
        bias: One a label.
        learned_from: Digest of the sentences and concepts.
    """

    labels: tuple[str, ...]
    table: NDArray[np.float32]
    bias: NDArray[np.float32]
    learned_from: str


class Opinion(NamedTuple):
    """What a clause may want.

    Attributes:
        label: The most likely label.
        share: Its probability.
        ranked: All labels with their probabilities, the most likely first.
    """

    label: str
    share: float
    ranked: tuple[tuple[str, float], ...]


@cache
def weights() -> Weights:
    """The weights of the package."""
    with np.load(WEIGHTS, allow_pickle=False) as kept:
        table = np.zeros((int(kept["buckets"]), len(kept["labels"])), dtype=np.float32)
        table[kept["rows"]] = kept["values"].astype(np.float32) * kept["scale"]
        return Weights(
            tuple(str(label) for label in kept["labels"]),
            table,
            kept["bias"],
            str(kept["learned_from"]),
        )


@lru_cache(maxsize=4096)
def opinion(folded: str) -> Opinion:
    """What folded text may want."""
    known = weights()
    found = features_of(folded)
    logits = found.value @ known.table[found.index] + known.bias
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    ranked = tuple((known.labels[i], float(shares[i])) for i in np.argsort(-shares))
    return Opinion(ranked[0][0], ranked[0][1], ranked)


def save(
    labels: list[str], table: NDArray[np.float64], bias: NDArray[np.float64], file: Path
) -> None:
    """Keep weights (buckets by labels) as 8-bit integers, without the rows that are all zero."""
    scale = np.abs(table).max(axis=0) / 127
    small = np.rint(table / scale).astype(np.int8)
    rows = np.flatnonzero(small.any(axis=1)).astype(np.int32)
    np.savez_compressed(
        file,
        labels=np.array(labels),
        rows=rows,
        values=small[rows],
        scale=scale.astype(np.float32),
        bias=bias.astype(np.float32),
        learned_from=np.array(digest()),
        buckets=np.array(len(table)),
    )
