"""A linear map from the last values straight to all steps ahead, by penalised least squares.

One regression a step, from a window of past values less the window's mean, so that a change of level
does not matter. On long seasonal records this closed form does what linear networks are trained to do
(Zeng et al. 2023, DLinear; Toner and Darlow 2024 show that they all are this regression).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.series import History

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
BLOCKS = 4
MAX_LOOK_BACK = 336
MIN_LOOK_BACK = 8
INPUT_LAGS = (1, 2, 3, 5, 8)


class DirectLinear:
    """Steps ahead as linear functions of a window of the past, past inputs and known inputs.

    Past inputs count as they were 1, 2, 3, 5 and 8 steps ago, beside the level of the window.

    Args:
        look_back: Length of the window, in steps.
        steps: Steps ahead.
    """

    name: ClassVar[str] = "direct_linear"

    def __init__(self, look_back: int, steps: int) -> None:
        self.look_back = look_back
        self._steps = steps
        self.weights = np.zeros((steps, 0))
        self.penalty = 0.0

    def fit(self, history: History, end: int) -> None:
        self.fit_many([(history, end)])

    def fit_many(self, pasts: Sequence[tuple[History, int]]) -> None:
        """Learn one map from several series of equal inputs, each up to its own end.

        The penalty is the one that did best from each quarter of the past to the next.

        Raises:
            ValueError: no window of any series is complete.
        """
        blocks = [_Sums(self._steps) for _ in range(BLOCKS)]
        for history, end in pasts:
            for sums, some in zip(
                blocks, np.array_split(self._origins(history, end), BLOCKS), strict=True
            ):
                if len(some):
                    sums.add(*self._rows(history, some))
        blocks = [sums for sums in blocks if sums.count]
        if not blocks:
            raise ValueError("the history is shorter than the window")
        known = blocks[0]
        errors = np.zeros(len(PENALTIES))
        for later in blocks[1:]:
            errors += [later.error(known.weights(penalty)) for penalty in PENALTIES]
            known = known + later
        self.penalty = PENALTIES[int(np.argmin(errors)) if len(blocks) > 1 else -1]
        self.weights = known.weights(self.penalty)

    def predict(self, history: History, ends: Sequence[int], steps: int) -> Array:
        at = np.asarray(ends)
        features, level = self._features(history, at)
        known = history.inputs.known
        if known is None:
            plain: Array = level[:, None] + features @ self.weights[:steps].T
            return plain
        found = np.empty((len(at), steps))
        for step in range(steps):
            columns = _beside(features, known, at, step)
            found[:, step] = level + columns @ self.weights[step]
        return found

    def contributions(self, history: History, steps: int) -> dict[str, float]:
        """By how much the past and each input move the forecast from the window's mean, on average."""
        at = np.array([len(history.values)])
        features, _ = self._features(history, at)
        inputs = history.inputs
        names = ["past"] * self.look_back
        if inputs.past_names:
            names += [*len(INPUT_LAGS) * inputs.past_names, "past"]
        if features.shape[1] > len(names):
            names = ["past", *names]
        found = dict.fromkeys([*names, *inputs.known_names], 0.0)
        for step in range(steps):
            row = features if inputs.known is None else _beside(features, inputs.known, at, step)
            parts = row[0] * self.weights[step]
            for name, part in zip([*names, *2 * inputs.known_names], parts, strict=True):
                found[name] += float(part) / steps
        return found

    def _origins(self, history: History, end: int) -> NDArray[np.intp]:
        """Ends of windows with all their targets before ``end``; none looks across a closed gap."""
        ends = np.arange(self.look_back, end - self._steps + 1)
        for seam in history.seams:
            across = (ends - self.look_back < seam) & (seam < ends + self._steps)
            ends = ends[~across]
        return ends

    def _rows(self, history: History, ends: NDArray[np.intp]) -> tuple[list[Array], Array, Array]:
        features, level = self._features(history, ends)
        rows = ends[:, None] + np.arange(self._steps)
        targets = history.values[rows] - level[:, None]
        known = history.inputs.known
        columns = [
            features if known is None else _beside(features, known, ends, step)
            for step in range(self._steps)
        ]
        return columns, targets, history.observed[rows].astype(float)

    def _features(self, history: History, ends: NDArray[np.intp]) -> tuple[Array, Array]:
        short = max(0, self.look_back - int(ends.min()))
        values = np.concatenate((np.full(short, history.values[0]), history.values))
        windows = sliding_window_view(values, self.look_back)[ends + short - self.look_back]
        level = windows.mean(axis=1)
        features = windows - level[:, None]
        past = history.inputs.past
        if past is not None:
            newest = [past[np.maximum(ends - lag, 0)] for lag in INPUT_LAGS]
            features = np.column_stack((features, *newest, level))
        if past is not None or history.inputs.known is not None:
            # windows less their mean need no constant, and on data that drifts it does harm
            features = np.column_stack((np.ones(len(ends)), features))
        return features, level


def _beside(features: Array, known: Array, ends: NDArray[np.intp], step: int) -> Array:
    """The features and, for the step, each known input and its change since the origin."""
    ahead, now = known[ends + step], known[ends - 1]
    return np.column_stack((features, ahead, ahead - now))


class _Sums:
    """What least squares needs of the rows, step by step, so that no row is kept."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.count = 0
        self._squares: list[Array] = []
        self._products: list[Array] = []
        self._sums: list[Array] = []
        self._totals = np.zeros(steps)

    def add(self, columns: list[Array], targets: Array, observed: Array) -> None:
        """Add rows: features by step, targets and whether observed, ``(n, steps)``."""
        whole = bool(observed.all())
        x = columns[0]
        shared = x.T @ x
        for step in range(self._steps):
            weight = observed[:, step]
            same = columns[step] is columns[0]
            x = columns[step]
            square = shared if same and whole else x.T @ (x * weight[:, None])
            product = x.T @ (weight * targets[:, step])
            if self.count == 0:
                self._squares.append(square.copy())
                self._products.append(product)
            else:
                self._squares[step] = self._squares[step] + square
                self._products[step] = self._products[step] + product
            self._totals[step] += float(weight @ targets[:, step] ** 2)
        self.count += len(targets)

    def __add__(self, other: _Sums) -> _Sums:
        both = _Sums(self._steps)
        both.count = self.count + other.count
        both._squares = [a + b for a, b in zip(self._squares, other._squares, strict=True)]
        both._products = [a + b for a, b in zip(self._products, other._products, strict=True)]
        both._totals = self._totals + other._totals
        return both

    def weights(self, penalty: float) -> Array:
        """Least squares with ``penalty`` on each weight, relative to its feature's mean square."""
        found = []
        for square, product in zip(self._squares, self._products, strict=True):
            size = np.diag(square).copy()
            ridge = penalty * size + 1e-9 * max(float(size.max()), 1e-12)
            found.append(np.linalg.solve(square + np.diag(ridge), product))
        return np.stack(found)

    def error(self, weights: Array) -> float:
        """Sum of squared errors of these rows with other weights."""
        return sum(
            float(w @ square @ w - 2 * w @ product + total)
            for w, square, product, total in zip(
                weights, self._squares, self._products, self._totals, strict=True
            )
        )
