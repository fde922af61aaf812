"""Choosing and combining models by how they did on samples that came after those they were fitted to.

Every candidate is run forward over the later training samples. At each of them the candidates that did
best on the samples known by then are averaged; the error of that average is what the choice promises,
as no sample had a part in choosing what estimated it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.soft_sensor.features import KNOWN, Windows
from orchestrator.modules.forecasting.soft_sensor.learners import LEAST_FOR_TREES
from orchestrator.modules.forecasting.soft_sensor.samples import Array, Rows, Samples
from orchestrator.modules.forecasting.soft_sensor.walk import (
    BIAS_WEIGHTS,
    Forward,
    Spec,
    bias_after,
)

FIRST_SHARE = 0.4
LEAST_FITTED = 18
MOST_VALIDATED = 1500
LEAST_VALIDATED = 10
FINALISTS = 5
BASES = 2
"""Ways to see the data that all families are tried on."""
HALF_LIFE = 100.0
"""Samples after which an error counts half in the choice."""
MOST_AGE = 2
"""Longest age of the newest known sample, over the longest on validation, at which it still tells."""
LEAST_ERRORS = 5
"""Known errors before candidates are told apart."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """One model of the combination, and which variant of it."""

    spec: Spec
    variant: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        finalists: Models to combine, the best first.
        first: Number of the first sample validated on.
        begin: Samples known at it, to which models are fitted first.
        errors: Of the finalists without their bias update, value less estimate, ``(n_validated, n_finalists)``.
        combined: Errors of the average chosen at each sample from those before; of the median of all
            candidates where too few errors were known.
        alone: The best model of the inputs alone, for when no sample has been known for long.
        alone_errors: Its errors, ``(n_validated,)``.
        most_age: Most rows between a validated sample and the newest one known at it.
        scores: Family -> least root mean square error of its candidates.
        tried: Number of candidates.
    """

    finalists: tuple[Finalist, ...]
    first: int
    begin: int
    errors: Array
    combined: Array
    alone: Finalist
    alone_errors: Array
    most_age: int
    scores: dict[str, float]
    tried: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Errors of one model's variants under each bias weight, ``(n_validated, n_variants * n_weights)``."""

    spec: Spec
    raw: Array
    errors: Array

    def finalist(self, column: int) -> Finalist:
        return Finalist(self.spec, column // len(BIAS_WEIGHTS))


def choose(
    forward: Forward,
    samples: Samples,
    count: int,
    windows: Sequence[Windows],
    progress: Callable[[float], None],
) -> Choice:
    """Run the candidates over the later of the first ``count`` samples, and choose.

    Args:
        forward: Runs a model.
        samples: The target's samples.
        count: How many of them to learn from.
        windows: Ways to see the past of the inputs.
        progress: Told the share done.

    Raises:
        InsufficientDataError: too few samples come after enough others were known.
    """
    enough = int(np.searchsorted(samples.counts(samples.rows[:count]), LEAST_FITTED))
    first = max(enough, round(FIRST_SHARE * count), count - MOST_VALIDATED)
    if count - first < LEAST_VALIDATED:
        raise InsufficientDataError(
            f"{max(0, count - first)} of {count} samples come after {LEAST_FITTED} others were known",
            remedy=f"{LEAST_VALIDATED} are needed to compare models on: give a longer history, or a "
            "smaller delay",
        )
    rows, values = samples.rows[first:count], samples.values[first:count]
    # how many of the validated samples were known at each of them
    known = np.maximum(samples.counts(rows) - first, 0)
    begin = samples.known_by(int(rows[0]))
    total = len(windows) * len(KNOWN) + BASES * 5
    done = 0

    def run(spec: Spec) -> _Run:
        nonlocal done
        raw = values[:, None] - forward.run(spec, rows, begin)
        done += 1
        progress(min(1.0, done / total))
        if spec.family == "last sample":
            return _Run(spec, raw, np.repeat(raw, len(BIAS_WEIGHTS), axis=1))
        corrected = [raw - bias_after(raw, weight)[known] for weight in BIAS_WEIGHTS]
        return _Run(spec, raw, np.stack(corrected, axis=2).reshape(len(raw), -1))

    runs = [
        run(Spec("ridge", item, k))
        for item in windows
        for k in KNOWN
        if forward.fitted(k, int(rows[0])) >= LEAST_FITTED
    ]
    runs.sort(key=lambda item: float(_discounted(item.errors)[-1].min()))
    bases = [item.spec for item in runs[:BASES]]
    runs += [run(spec) for base in bases for spec in _beside(base, count)]
    if importlib.util.find_spec("lightgbm") and count >= LEAST_FOR_TREES:
        runs.append(run(Spec("boosting", bases[0].windows, bases[0].known)))
    runs.append(run(Spec("last sample")))
    combined = _combined(runs, known)
    final = [_discounted(item.errors)[-1] for item in runs]
    order = sorted(range(len(runs)), key=lambda i: float(final[i].min()))[:FINALISTS]
    finalists = tuple(runs[i].finalist(int(final[i].argmin())) for i in order)
    errors = [runs[i].raw[:, one.variant] for i, one in zip(order, finalists, strict=True)]
    by_inputs = min(
        (item for item in runs if item.spec.family == "ridge" and not item.spec.known),
        key=lambda item: float(_discounted(item.raw)[-1].min()),
    )
    variant = int(_discounted(by_inputs.raw)[-1].argmin())
    scores: dict[str, float] = {}
    for item in runs:
        least = float(np.sqrt(np.square(item.errors).mean(axis=0).min()))
        scores[item.spec.family] = min(least, scores.get(item.spec.family, np.inf))
    tried = sum(item.errors.shape[1] for item in runs[:-1]) + 1
    return Choice(
        finalists=finalists,
        first=first,
        begin=begin,
        errors=np.stack(errors, axis=1),
        combined=combined,
        alone=Finalist(by_inputs.spec, variant),
        alone_errors=by_inputs.raw[:, variant],
        most_age=int(samples.ages(rows).max()),
        scores=scores,
        tried=tried,
    )


def _beside(base: Spec, count: int) -> list[Spec]:
    """The other families, and fading ridge regressions, on what ``base`` sees."""
    found = [
        Spec("ridge", base.windows, base.known, half_life)
        for half_life in (count / 2, count / 6)
        if half_life >= LEAST_FITTED
    ]
    if importlib.util.find_spec("sklearn"):
        found += [Spec("pls", base.windows, base.known)]
        found += [Spec("gaussian process", base.windows, base.known)]
    return found


def _discounted(errors: Array) -> Array:
    """Mean square error after none, one, two… samples, older ones counting less; ``(n + 1, …)``."""
    keep = 0.5 ** (1 / HALF_LIFE)
    total, weight = np.zeros((len(errors) + 1, *errors.shape[1:])), 0.0
    for i, square in enumerate(np.square(errors)):
        weight = keep * weight + 1.0
        total[i + 1] = total[i] + (square - total[i]) / weight
    return total


def weights_of(mean_squares: Array) -> Array:
    """Weights of candidates by their mean square errors, adding up to 1."""
    largest = float(mean_squares.max())
    if largest == 0.0:
        return np.full(len(mean_squares), 1 / len(mean_squares))
    inverse = 1.0 / np.square(np.maximum(mean_squares / largest, 1e-12))
    share: Array = inverse / inverse.sum()
    return share


def _combined(runs: Sequence[_Run], known: Rows) -> Array:
    past = [_discounted(item.errors) for item in runs]
    combined = np.empty(len(known))
    for i, count in enumerate(known):
        if count < LEAST_ERRORS:
            combined[i] = np.median(np.concatenate([item.errors[i] for item in runs]))
            continue
        best = [int(item[count].argmin()) for item in past]
        squares = np.array([item[count, k] for item, k in zip(past, best, strict=True)])
        chosen = np.argsort(squares, kind="stable")[:FINALISTS]
        share = weights_of(squares[chosen])
        combined[i] = sum(
            w * runs[j].errors[i, best[j]] for w, j in zip(share, chosen, strict=True)
        )
    return combined


@dataclass(frozen=True, slots=True)
class Estimates:
    """The combination at some rows.

    Attributes:
        means: Estimates, ``(n_rows,)``.
        shares: Share of each finalist at the last row.
        bias_weights: Weight of the bias update of each there.
        alone: Rows at which the inputs had to do alone, as no sample had been known for too long.
    """

    means: Array
    shares: Array
    bias_weights: Array
    alone: NDArray[np.bool_]


def estimate(forward: Forward, samples: Samples, choice: Choice, rows: Rows) -> Estimates:
    """The combination at rows after those it was chosen on.

    Args:
        forward: Runs a model.
        samples: The target's samples.
        choice: What was chosen.
        rows: Ascending, with every row of a sample among them.
    """

    def run(one: Finalist, asked: Rows) -> Array:
        found: Array = forward.run(one.spec, asked, choice.begin)[:, one.variant]
        return found

    raw = np.stack([run(one, rows) for one in choice.finalists], axis=1)
    sampled = np.flatnonzero(np.isin(samples.rows, rows))
    there = np.searchsorted(rows, samples.rows[sampled])
    # the errors of all samples from the first validated one on
    errors = np.vstack([choice.errors, samples.values[sampled, None] - raw[there]])
    counts = np.clip(samples.counts(rows) - choice.first, 0, len(errors))
    own = samples.rows[choice.first : choice.first + len(errors)]
    at_sample = np.maximum(samples.counts(own) - choice.first, 0)
    # (…, n_finalists, n_weights): each finalist under each weight of its bias update
    bias = np.stack([bias_after(errors, weight) for weight in BIAS_WEIGHTS], axis=2)
    corrected = errors[:, :, None] - bias[at_sample]
    past = _discounted(corrected)
    best = past.argmin(axis=2)[:, :, None]
    squares = np.take_along_axis(past, best, axis=2)[:, :, 0]
    shares = np.stack([weights_of(row) for row in squares])[counts]
    estimates = raw + np.take_along_axis(bias[counts], best[counts], axis=2)[:, :, 0]
    means: Array = (shares * estimates).sum(axis=1)
    alone = samples.ages(rows) > MOST_AGE * choice.most_age
    if alone.any():
        means[alone] = run(choice.alone, rows[alone])
    weights = np.array(BIAS_WEIGHTS)[best[counts[-1], :, 0]]
    return Estimates(means, shares[-1], weights, alone)
