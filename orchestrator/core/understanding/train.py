"""Trains the reader of requests from its sentences: ``python -m orchestrator.core.understanding.train``.

The same sentences give the same weights. ``--check`` trains on four fifths of the lines five times over
and prints how often the fifth that was left out is read right, and what is mistaken for what; all variants
of a line are on one side.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from orchestrator.core.slots import fold
from orchestrator.core.understanding.classifier import WEIGHTS, save
from orchestrator.core.understanding.corpus import FOLDS, Sentence, sentences
from orchestrator.core.understanding.features import BUCKETS, features_of

VARIANTS = 24
INVERSE_PENALTY = 20.0
MOST_SHOWN = 25
_STEPS, _TOLERANCE = 80, 1e-3


def matrix(texts: Sequence[str]) -> csr_matrix:
    """Features of texts, one row each."""
    found = [features_of(fold(text), least_lines=2) for text in texts]
    ends = np.cumsum([0] + [len(item.index) for item in found])
    index = np.concatenate([item.index for item in found])
    value = np.concatenate([item.value for item in found])
    return csr_matrix((value, index, ends), shape=(len(texts), BUCKETS))


def weights_of(lines: NDArray[np.int64]) -> NDArray[np.float64]:
    """A line with many variants counts more than one with few, but not as many times more."""
    counts = np.bincount(lines)
    return np.asarray(1.0 / np.sqrt(counts[lines]))


def fit(
    rows: csr_matrix, labels: NDArray[np.str_], weight: NDArray[np.float64]
) -> LogisticRegression:
    """A classifier of these rows."""
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=_STEPS, tol=_TOLERANCE)
    return model.fit(rows, labels, sample_weight=weight)


def train(file: Path) -> None:
    """Train on all sentences and keep the weights in ``file``."""
    known = list(sentences(VARIANTS))
    rows, labels, lines = _arrays(known)
    model = fit(rows, labels, weights_of(lines))
    save([str(label) for label in model.classes_], model.coef_.T, model.intercept_, file)
    print(f"{len(known)} sentences from {lines.max()} lines, {file.stat().st_size / 1024:.0f} KiB")


def check() -> None:
    """Print the share of right labels on lines that were left out, and the common mistakes."""
    rows, labels, lines = _arrays(list(sentences(VARIANTS)))
    weight = weights_of(lines)
    right = 0
    mistaken: Counter[tuple[str, str]] = Counter()
    for number in range(FOLDS):
        learn, ask = (
            np.flatnonzero(lines % FOLDS != number),
            np.flatnonzero(lines % FOLDS == number),
        )
        said = fit(rows[learn], labels[learn], weight[learn]).predict(rows[ask])
        right += int((said == labels[ask]).sum())
        mistaken.update(
            (str(true), str(read))
            for true, read in zip(labels[ask], said, strict=True)
            if true != read
        )
    print(f"right on lines left out: {right} / {len(labels)} {right / len(labels):.3f}")
    for (true, read), count in mistaken.most_common(MOST_SHOWN):
        print(f"  {count:>4}  {true} read as {read}")


def _arrays(
    known: Sequence[Sentence],
) -> tuple[csr_matrix, NDArray[np.str_], NDArray[np.int64]]:
    rows = matrix([sentence.text for sentence in known])
    labels = np.array([sentence.label for sentence in known])
    return rows, labels, np.array([sentence.line for sentence in known])


def main() -> None:
    """Train, or check."""
    parser = argparse.ArgumentParser(description="Train the reader of requests from its sentences.")
    parser.add_argument(
        "--check", action="store_true", help="cross-validate instead of keeping weights"
    )
    parser.add_argument("--file", type=Path, default=WEIGHTS, help="where to keep the weights")
    chosen = parser.parse_args()
    if chosen.check:
        check()
    else:
        train(chosen.file)


if __name__ == "__main__":
    main()
