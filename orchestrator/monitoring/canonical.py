"""Canonical variate analysis: the directions of the recent past that tell the near future.

The past of row t is p = [z(t), z(t−1), … z(t−l+1)], its future f = [z(t+1), … z(t+h)]. With the
covariances Σpp, Σff, Σfp the singular value decomposition

    Σff^(−½) Σfp Σpp^(−½) = U D Vᵀ

gives the states x = Vₖᵀ q of the whitened past q = Σpp^(−½) p, and what no state holds, the residual
r = (I − Vₖ Vₖᵀ) q (Larimore 1983; for fault detection Russell, Chiang and Braatz 2000). T² of the
states is xᵀx, that of the residual rᵀr. A slow wander that the plant corrects by itself lives in the
states; a relation between tags and their past that has broken shows in the residual.

The covariances carry a small ridge: closed loops make some tags near copies of others, and the
directions in which they differ hold rounding only. The number of states is that of the leading
directions whose correlation holds on rows that were left out, above three times its standard error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray

RIDGE = 1e-3
"""Added to the variance of each tag of the past and of the future; tags have unit variance."""
FOLDS = 5
STANDARD_ERRORS = 3.0
"""A held-out canonical correlation counts from this many standard errors, 1/√n each."""
ROWS_A_DIMENSION = 4.0
"""Least training rows for each entry of the past."""


class CanonicalVariates:
    """The fitted model.

    Attributes:
        tags: Number of tags.
        lags: Rows in the past, the present one counted.
        states: Number of states kept.

    Args:
        segments: Training rows without gaps, each of shape ``(n_rows, n_tags)``, complete and scaled
            to unit variance.
        lags: Rows in the past.
        states: Number of states; null finds it from held-out rows.

    Raises:
        InsufficientDataError: fewer than four rows for each entry of the past, or fewer than 2 tags.
    """

    def __init__(
        self, segments: Sequence[FloatArray], lags: int, states: int | None = None
    ) -> None:
        past, future = _pairs(segments, lags)
        self.tags = past.shape[1] // lags
        self.lags = lags
        if self.tags < 2 or len(past) < ROWS_A_DIMENSION * past.shape[1]:
            raise InsufficientDataError(
                f"{len(past)} rows are too few for canonical variates of {self.tags} tags "
                f"and {lags} rows of past",
                where="training data",
                remedy=f"give at least {int(ROWS_A_DIMENSION * past.shape[1]) + 2 * lags} rows",
            )
        if states is None:
            states = _held_out_states(past, future)
        self.shift, covariance, self.whiten, directions, _ = _solve(past, future)
        self._inverse: FloatArray = self.whiten @ self.whiten.T
        self.states = min(states, directions.shape[1])
        self.directions: FloatArray = directions[:, : self.states].copy()
        # Known newest rows give the expected older ones, where a record has just begun.
        self._expected = [
            np.linalg.solve(
                covariance[: k * self.tags, : k * self.tags], covariance[: k * self.tags]
            )
            for k in range(1, lags)
        ]

    def whitened(self, past: FloatArray, known: IntArray) -> FloatArray:
        """q of each row.

        Args:
            past: Shape ``(n_rows, lags * n_tags)``, the newest row first.
            known: How many rows of the past are known; those beyond are set to what is expected.
        """
        centred = past - self.shift
        for k in range(1, self.lags):
            short = known == k
            if short.any():
                centred[short] = centred[short, : k * self.tags] @ self._expected[k - 1]
        whitened: FloatArray = centred @ self.whiten
        return whitened

    def expected_newest(self, past: FloatArray) -> FloatArray:
        """The newest row of a past, what is missing (NaN) as all that is known tells it.

        It is the conditional mean under the covariance of the past: what makes qᵀq least.

        Args:
            past: Shape ``(lags * n_tags,)``, the newest row first.
        """
        centred = past - self.shift
        known = np.isfinite(centred)
        inverse = self._inverse[~known]
        towards = inverse[:, known] @ centred[known]
        centred[~known] = -np.linalg.solve(inverse[:, ~known], towards)
        return (centred + self.shift)[: self.tags]

    def energies(self, q: FloatArray) -> tuple[FloatArray, FloatArray]:
        """T² of the states and of the residual, each of shape ``(n_rows,)``."""
        x = q @ self.directions
        inside = np.einsum("ij,ij->i", x, x)
        whole = np.einsum("ij,ij->i", q, q)
        return inside, np.maximum(whole - inside, 0.0)

    def contributions(self, q: FloatArray, *, inside: bool) -> FloatArray:
        """Share of each tag in T² of the states (``inside``) or of the residual; sums to 1.

        Reconstruction-based (Alcala and Qin 2009), along all rows of a tag's past at once: with the
        statistic pᵀ M p and Ξ the columns of one tag, pᵀMΞ (ΞᵀMΞ)⁻¹ ΞᵀMp. That is by how much the
        statistic falls when the past of that tag is set to what suits the others best.

        Args:
            q: Whitened rows, shape ``(n_rows, lags * n_tags)``; the shares are averaged over them.
        """
        v = self.directions
        half = (self.whiten @ v) @ v.T if inside else self.whiten - (self.whiten @ v) @ v.T
        matrix = half @ half.T
        gradient = q @ half.T
        each = np.empty((len(q), self.tags))
        for tag in range(self.tags):
            own = np.arange(tag, matrix.shape[0], self.tags)
            inverse = np.linalg.pinv(matrix[np.ix_(own, own)], hermitian=True)
            part = gradient[:, own]
            each[:, tag] = np.einsum("ij,jk,ik->i", part, inverse, part)
        total = each.sum(axis=1, keepdims=True)
        mean: FloatArray = (each / np.where(total > 0, total, 1.0)).mean(axis=0)
        whole = float(mean.sum())
        return mean / whole if whole > 0 else np.full(self.tags, 1.0 / self.tags)


class PastTrail:
    """Carries the last rows from block to block, and makes the past of each row.

    Args:
        tags: Number of tags.
        lags: Rows in the past.
    """

    def __init__(self, tags: int, lags: int) -> None:
        self._lags = lags
        self._rows: FloatArray = np.zeros((lags - 1, tags))
        self._known = 0

    def step(
        self, rows: FloatArray, begins: BoolArray, model: CanonicalVariates
    ) -> tuple[FloatArray, IntArray]:
        """Take in rows.

        Args:
            rows: Shape ``(n_rows, n_tags)``; missing values are NaN, and are set to what ``model``
                expects of them.
            begins: Whether what came before a row is too long ago to be its past.

        Returns:
            Past of each row, newest first, shape ``(n_rows, lags * n_tags)``, and how many of its
            rows are known.
        """
        row = np.arange(len(rows))
        since = np.maximum.accumulate(np.where(begins, row, -1))
        known = np.where(since >= 0, row - since + 1, self._known + row + 1)
        known = np.minimum(known, self._lags)
        joined = np.concatenate([self._rows, rows])
        newest = self._lags - 1
        for number in np.flatnonzero(~np.isfinite(rows).all(axis=1)):
            # One after the other: what is set in one row is the past of the next.
            own = joined[number : number + self._lags][::-1].copy()
            own[known[number] :] = np.nan
            joined[newest + number] = model.expected_newest(own.reshape(-1))
        past = np.concatenate(
            [joined[newest - k : len(joined) - k] for k in range(self._lags)], axis=1
        )
        self._rows = joined[len(joined) - newest :].copy()
        self._known = int(known[-1])
        return past, known


def _pairs(segments: Sequence[FloatArray], lags: int) -> tuple[FloatArray, FloatArray]:
    """Past and future of every row that has both in full; the future is as long as the past."""
    tags = segments[0].shape[1] if segments else 0
    pasts, futures = [np.zeros((0, lags * tags))], [np.zeros((0, lags * tags))]
    for rows in segments:
        if len(rows) < 2 * lags:
            continue
        windows = sliding_window_view(rows, 2 * lags, axis=0).transpose(0, 2, 1)
        pasts.append(windows[:, lags - 1 :: -1].reshape(len(windows), -1))
        futures.append(windows[:, lags:].reshape(len(windows), -1))
    return np.concatenate(pasts), np.concatenate(futures)


def _inverse_root(covariance: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(covariance)
    root: FloatArray = (vectors / np.sqrt(np.maximum(values, RIDGE))) @ vectors.T
    return root


def _solve(
    past: FloatArray, future: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean and covariance of the past, its whitening, directions V, and those of the future."""
    shift = past.mean(axis=0)
    p, f = past - shift, future - future.mean(axis=0)
    ridge = RIDGE * np.eye(p.shape[1])
    spp, sff = p.T @ p / len(p) + ridge, f.T @ f / len(f) + ridge
    whiten, of_future = _inverse_root(spp), _inverse_root(sff)
    u, _, vt = np.linalg.svd(of_future @ (f.T @ p / len(p)) @ whiten)
    return shift, spp, whiten, vt.T.copy(), of_future @ u


def _held_out_states(past: FloatArray, future: FloatArray) -> int:
    """Leading directions whose correlation holds on contiguous rows that were left out."""
    found = []
    for fold in np.array_split(np.arange(len(past)), FOLDS):
        rest_past, rest_future = np.delete(past, fold, axis=0), np.delete(future, fold, axis=0)
        shift, _, whiten, v, w = _solve(rest_past, rest_future)
        x, y = (past[fold] - shift) @ whiten @ v, (future[fold] - future[fold].mean(axis=0)) @ w
        x = x - x.mean(axis=0)
        scale = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
        found.append((x * y).sum(axis=0) / np.maximum(scale, 1e-12))
    correlation = np.mean(found, axis=0)
    below = np.flatnonzero(correlation < STANDARD_ERRORS / np.sqrt(len(past)))
    return max(1, int(below[0]) if len(below) else len(correlation))
