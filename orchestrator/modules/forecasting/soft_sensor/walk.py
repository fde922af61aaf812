"""Running a model forward through the rows, refitted as samples become known, with nothing known later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from orchestrator.modules.forecasting.soft_sensor.features import (
    KNOWN,
    FeatureMaker,
    Windows,
    last_known,
)
from orchestrator.modules.forecasting.soft_sensor.learners import (
    Boosting,
    GaussianProcess,
    partial_least_squares,
)
from orchestrator.modules.forecasting.soft_sensor.ridge import ridge
from orchestrator.modules.forecasting.soft_sensor.samples import Array, Rows, Samples

Family = Literal["ridge", "pls", "gaussian process", "boosting", "last sample"]
Learner = Callable[[Array, Array, Array], Array]

MOST_SAMPLES = 3000
"""Newest samples to which a model is fitted."""
GROWTH = 1.05
"""Known samples, over those fitted to, at which a model is fitted anew."""
BIAS_WEIGHTS = (0.0, 0.1, 0.3, 0.6)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a model is and sees.

    Attributes:
        family: Kind of model.
        windows: First and last lag of each window over the inputs, rows.
        known: How many known values of the target it sees.
        half_life: Samples after which one weighs half in its fit; null where all weigh alike.
    """

    family: Family
    windows: Windows = ()
    known: int = 0
    half_life: float | None = None

    @property
    def text(self) -> str:
        """In words."""
        if self.family == "last sample":
            return "the last sample carried forward"
        fading = "" if self.half_life is None else f", half-life {self.half_life:.0f} samples"
        seen = f"inputs up to {self.windows[-1][1]} rows back"
        return f"{self.family}, {seen}, {self.known} known values{fading}"


class Forward:
    """Estimates rows in order, each from samples known by then.

    Args:
        maker: Makes features.
        samples: The target's samples.
        seed: Of everything random.
    """

    def __init__(self, maker: FeatureMaker, samples: Samples, seed: int) -> None:
        self._maker = maker
        self._samples = samples
        self._seed = seed
        self._learners: dict[Spec, Learner] = {}

    def run(self, spec: Spec, rows: Rows, begin: int) -> Array:
        """Estimates of every variant of a model, ``(n_rows, n_variants)``.

        It is fitted to the first ``begin`` samples, and anew each time that a twentieth more are known: what
        serves a row depends on no later one.

        Args:
            spec: The model.
            rows: Ascending; at the first of them ``begin`` samples must be known.
            begin: Samples of the first fit.
        """
        if spec.family == "last sample":
            return last_known(self._samples, rows)[:, None]
        learner = self._learner(spec)
        first = self._first_usable(spec.known)
        asked = self._maker.make(rows, spec.windows, spec.known)
        seen = self._maker.make(self._samples.rows, spec.windows, spec.known)
        known = self._samples.counts(rows)
        found = []
        done, count = 0, begin
        while done < len(rows):
            following = max(count + 1, int(GROWTH * count))
            part = slice(done, int(np.searchsorted(known, following)))
            if part.stop > done:
                fitted = slice(max(first, count - MOST_SAMPLES), count)
                found.append(learner(seen[fitted], self._samples.values[fitted], asked[part]))
            done, count = part.stop, following
        return np.vstack(found)

    def fitted(self, known: int, row: int) -> int:
        """How many samples a model that sees ``known`` values is fitted to at a row."""
        return self._samples.known_by(row) - self._first_usable(known)

    def _first_usable(self, known: int) -> int:
        """The first sample that had as many known values before it as the model sees."""
        back = max(KNOWN[known], default=-1)
        counts = self._samples.counts(self._samples.rows)
        return int(np.searchsorted(counts, back + 1))

    def _learner(self, spec: Spec) -> Learner:
        if spec not in self._learners:
            self._learners[spec] = self._new_learner(spec)
        return self._learners[spec]

    def _new_learner(self, spec: Spec) -> Learner:
        if spec.family == "ridge":
            return partial(ridge, half_life=spec.half_life)
        if spec.family == "pls":
            return partial_least_squares
        if spec.family == "gaussian process":
            return GaussianProcess(self._seed)
        level = -len(KNOWN[spec.known]) if spec.known else None
        return Boosting(level, self._seed)


def bias_after(errors: Array, weight: float) -> Array:
    """Exponentially weighted mean of the errors after none, one, two… of them, ``(n + 1, …)``."""
    bias = np.zeros((len(errors) + 1, *errors.shape[1:]))
    for i, error in enumerate(errors):
        bias[i + 1] = bias[i] + weight * (error - bias[i])
    return bias
