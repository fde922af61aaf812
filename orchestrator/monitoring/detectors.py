"""Principal component analysis with the T² and SPE statistics, and what each tag contributes.

Training rows are centred and scaled to unit variance, ``z``. The first ``k`` components, loadings
``P`` with variances ``λ``, give for each row

* T² = Σ (zᵀpᵢ)² / λᵢ, how far the row is from normal inside the model (Hotelling 1947), and
* SPE = ‖z − P Pᵀ z‖², how far it is from the model (Jackson and Mudholkar 1979).

Limits: for T² that of the F distribution, k(n²−1)/(n(n−k)) F(k, n−k); for SPE that of Jackson and
Mudholkar. Both assume that the model is known exactly, and SPE of rows outside training exceeds its
limit several times too often when rows are few for the number of tags. So both statistics are also
computed for rows that a model has not seen (contiguous folds of the training rows, since neighbours
are alike), a scaled χ² is matched to their mean and variance (Box 1954), and the larger limit holds.

Contributions are reconstruction-based (Alcala and Qin 2009) on the combined index
φ = T²/T²limit + SPE/SPElimit = zᵀ Φ z (Yue and Qin 2001): for tag i, (Φz)ᵢ² / Φᵢᵢ. A fault of one tag
is always the largest contribution of that tag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.delays import BoolArray, FloatArray
from orchestrator.monitoring.quantiles import chi_square_above, f_above, normal_above
from orchestrator.monitoring.tails import joint_limits

FOLDS = 5
MOST_MISSING = 0.3
"""A row that misses a larger share of the tags is not scored."""
OUTLIER_FACTOR = 3.0
"""Training rows over this many times a limit are left out, and the model is fitted again."""
OUTLIER_ROUNDS = 3
PATTERNS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Scores:
    """Statistics of rows as multiples of their limits, each of shape ``(n_rows,)``; NaN: not scored."""

    t2: FloatArray
    spe: FloatArray

    @property
    def over(self) -> BoolArray:
        """Whether one of them is over its limit."""
        return (self.t2 > 1.0) | (self.spe > 1.0)


@dataclass(frozen=True, slots=True)
class Components:
    """Loadings of shape ``(n_tags, k)``, their variances, and the variances left out."""

    loadings: FloatArray
    variances: FloatArray
    rest: FloatArray

    def statistics(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """T² and SPE of complete rows, shape ``(n_rows, n_tags)``."""
        score = z @ self.loadings
        square = score * score
        t2 = square @ (1.0 / self.variances)
        spe = np.maximum((z * z).sum(axis=1) - square.sum(axis=1), 0.0)
        return t2, spe


class PrincipalComponents:
    """The fitted model.

    Attributes:
        kept: Which training rows it was fitted on; outliers are left out.
        components: Loadings and variances.
        t2_limit: Limit of T².
        spe_limit: Limit of SPE.

    Args:
        z: Scaled training rows, shape ``(n_rows, n_tags)``; NaN counts as the mean.
        variance_explained: Share of variance that the components keep.
        false_alarm_rate: Share of normal rows that may be over a limit, per statistic.

    Raises:
        InsufficientDataError: fewer than 20 rows or 2 tags.
    """

    def __init__(self, z: FloatArray, variance_explained: float, false_alarm_rate: float) -> None:
        rate = false_alarm_rate
        rows, tags = z.shape
        if rows < 4 * FOLDS or tags < 2:
            raise InsufficientDataError(
                f"{rows} rows of {tags} varying tags are too few for principal components",
                where="training data",
                remedy="give at least 20 rows and 2 tags",
            )
        z = np.where(np.isfinite(z), z, 0.0)
        kept = np.ones(rows, dtype=np.bool_)
        for _ in range(OUTLIER_ROUNDS):
            self._fit(z[kept], variance_explained, rate)
            t2, spe = self.components.statistics(self.centred(z))
            normal = (t2 <= OUTLIER_FACTOR * self._theory) & (
                spe <= OUTLIER_FACTOR * median_limit(spe[kept], self.components.rest, rate)
            )
            if normal.sum() < max(rows * 0.7, 4 * FOLDS) or np.array_equal(normal, kept):
                break
            kept = normal
        self.kept = kept
        self._direction = self._index_matrix()
        self._patterns: dict[bytes, tuple[FloatArray, FloatArray]] = {}

    def _fit(self, z: FloatArray, share: float, rate: float) -> None:
        self._shift = z.mean(axis=0)
        spread = z.std(axis=0, ddof=1)
        self._spread = np.where(spread > 1e-6, spread, 1.0)
        z = self.centred(z)
        self.components = decompose(z, share)
        n, k = len(z), len(self.components.variances)
        held_t2, held_spe = held_out(z, k)
        f = f_above(rate, k, n - k) if n > k else np.inf
        self._theory = k * (n * n - 1) / (n * (n - k)) * f if n > k else np.inf
        held_limit = box_limit(held_t2, rate)
        self.t2_limit = max(self._theory, held_limit) if n > k else held_limit
        self.spe_limit = max(
            jackson_mudholkar_limit(self.components.rest, rate), box_limit(held_spe, rate)
        )

    def centred(self, z: FloatArray) -> FloatArray:
        """Rows as the model sees them, centred and scaled anew; what is missing stays missing."""
        centred: FloatArray = (z - self._shift) / self._spread
        return centred

    def _index_matrix(self) -> FloatArray:
        p = self.components.loadings
        inside = (p / self.components.variances) @ p.T / self.t2_limit
        outside = (np.eye(len(p)) - p @ p.T) / self.spe_limit
        return inside + outside

    def score(self, z: FloatArray) -> Scores:
        """T² and SPE of rows over their limits; missing values are NaN in ``z``.

        Known values give the score of a row with missing ones as the conditional mean under the
        model (probabilistic principal components); the missing ones then add nothing to SPE.
        """
        z = self.centred(z)
        known = np.isfinite(z)
        if known.all():
            t2, spe = self.components.statistics(z)
            return Scores(t2 / self.t2_limit, spe / self.spe_limit)
        t2, spe = np.full(len(z), np.nan), np.full(len(z), np.nan)
        filled = self._fill(z, known)
        scored = known.mean(axis=1) >= 1 - MOST_MISSING
        if scored.any():
            t2[scored], spe[scored] = self.components.statistics(filled[scored])
        return Scores(t2 / self.t2_limit, spe / self.spe_limit)

    def calibrate(self, z: FloatArray, false_alarm_rate: float) -> None:
        """Set both limits from normal rows that the model was not fitted on, watched together."""
        statistics = np.stack(self.components.statistics(self.complete(z)))
        limits = joint_limits(statistics, false_alarm_rate)
        self.t2_limit, self.spe_limit = float(limits[0]), float(limits[1])
        self._direction = self._index_matrix()

    def contributions(self, z: FloatArray) -> FloatArray:
        """Share of each tag in the combined index, averaged over the rows; sums to 1.

        Args:
            z: Scaled rows, shape ``(n_rows, n_tags)``.
        """
        z = self.complete(z)
        each = (z @ self._direction) ** 2 / np.diag(self._direction)
        total = each.sum(axis=1, keepdims=True)
        shares = each / np.where(total > 0, total, 1.0)
        mean: FloatArray = shares.mean(axis=0)
        whole = float(mean.sum())
        return mean / whole if whole > 0 else np.full(len(mean), 1.0 / len(mean))

    def complete(self, z: FloatArray) -> FloatArray:
        """:meth:`centred` rows, missing values as the model expects them."""
        z = self.centred(z)
        return self._fill(z, np.isfinite(z))

    def residual_model(self) -> FloatArray:
        """Matrix ``R`` such that ``R z`` of a complete row is each tag less its value as the other tags tell it.

        Row i is cᵢᵀ/cᵢᵢ with C = I − P Pᵀ: the reconstruction along tag i that brings SPE to its
        minimum (Dunia and others 1996). A tag that the components hold wholly has a row of NaN.
        """
        p = self.components.loadings
        c = np.eye(len(p)) - p @ p.T
        own = np.diag(c)
        return np.where(own[:, None] > 1e-6, c / np.maximum(own, 1e-6)[:, None], np.nan)

    def _fill(self, z: FloatArray, known: BoolArray) -> FloatArray:
        if known.all():
            return z
        filled = np.where(known, z, 0.0)
        short = np.flatnonzero(~known.all(axis=1))
        patterns, which = np.unique(known[short], axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            rows = short[which.reshape(-1) == i]
            gain, loadings = self._conditional(pattern)
            filled[np.ix_(rows, ~pattern)] = filled[np.ix_(rows, pattern)] @ gain @ loadings.T
        return filled

    def _conditional(self, pattern: BoolArray) -> tuple[FloatArray, FloatArray]:
        key = pattern.tobytes()
        found = self._patterns.get(key)
        if found is None:
            if len(self._patterns) >= PATTERNS_KEPT:
                self._patterns.clear()
            p = self.components.loadings
            rest = self.components.rest
            noise = max(float(rest.mean()) if len(rest) else 0.0, 1e-6)
            some = p[pattern]
            inner = some.T @ some + np.diag(noise / self.components.variances)
            gain: FloatArray = np.asarray(np.linalg.solve(inner, some.T).T, dtype=np.float64)
            found = (gain, p[~pattern])
            self._patterns[key] = found
        return found


def decompose(z: FloatArray, share: float | None, k: int | None = None) -> Components:
    """Components of centred rows: as many as explain ``share`` of the variance, or ``k``."""
    _, singular, right = np.linalg.svd(z, full_matrices=False)
    variances = singular**2 / (len(z) - 1)
    variances = np.maximum(variances, 1e-12)
    if k is None:
        explained = np.cumsum(variances) / variances.sum()
        k = int(np.searchsorted(explained, share if share is not None else 1.0) + 1)
        k = max(1, min(k, len(variances) - 1))
    return Components(right[:k].T.copy(), variances[:k], variances[k:])


def held_out(z: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """T² and SPE of each row by a model of k components that has not seen its neighbourhood."""
    t2, spe = np.empty(len(z)), np.empty(len(z))
    for fold in np.array_split(np.arange(len(z)), FOLDS):
        others = np.delete(z, fold, axis=0)
        shift, spread = others.mean(axis=0), others.std(axis=0, ddof=1)
        spread = np.where(spread > 1e-6, spread, 1.0)
        scaled = (others - shift) / spread
        model = decompose(scaled, None, min(k, min(scaled.shape) - 1))
        t2[fold], spe[fold] = model.statistics((z[fold] - shift) / spread)
    return t2, spe


def box_limit(values: FloatArray, rate: float) -> float:
    """Limit of a scaled χ² with the mean and variance of ``values`` (Box 1954)."""
    mean, variance = float(values.mean()), float(values.var())
    if mean <= 0 or variance <= 0:
        return max(mean, 1e-12)
    return variance / (2 * mean) * chi_square_above(rate, 2 * mean**2 / variance)


def median_limit(values: FloatArray, rest: FloatArray, rate: float) -> float:
    """Limit of SPE from its median, which outliers hardly move, for the shape that ``rest`` tells."""
    freedom = max(float(rest.sum()) ** 2 / max(float((rest**2).sum()), 1e-300), 0.5)
    ratio = chi_square_above(rate, freedom) / chi_square_above(0.5, freedom)
    return max(float(np.median(values)) * ratio, 1e-12)


def jackson_mudholkar_limit(rest: FloatArray, rate: float) -> float:
    """Limit of SPE from the variances that the components leave out (Jackson and Mudholkar 1979)."""
    first, second, third = (float((rest**power).sum()) for power in (1, 2, 3))
    if second <= 0:
        return 1e-12
    h = 1 - 2 * first * third / (3 * second**2)
    if h <= 0:
        return second / first * chi_square_above(rate, first**2 / second)
    c = normal_above(rate)
    root = c * np.sqrt(2 * second * h**2) / first + 1 + second * h * (h - 1) / first**2
    return float(first * root ** (1 / h))
