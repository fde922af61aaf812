"""Choose a model for one target by rolling-origin error, and how sure its forecast is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError, OperationError
from orchestrator.modules.forecasting.candidates import (
    BASELINES,
    Array,
    Candidate,
    candidates_for,
)
from orchestrator.modules.forecasting.series import History

QUANTILES = (0.025, 0.1, 0.9, 0.975)
MAX_ORIGINS = 40
MIN_ORIGINS_FOR_COVERAGE = 10
TEST_SHARE = 1 / 3
REFITS = 3
NAIVE_MARGIN = 0.01


@dataclass(frozen=True)
class Selection:
    """The model of one target and its forecast.

    Attributes:
        history: What it was made from.
        model: The candidate chosen, fitted on the whole history.
        baseline: Name of the best naive one.
        errors: Actual minus forecast of every candidate, ``(origins, steps)``, NaN where there is no
            actual value to compare with.
        failed: Candidates that gave no forecast, with the reason.
        mean: Forecast, ``(steps,)``.
        scale: Standard deviation of the error at each step, never falling, ``(steps,)``.
        shapes: Past error trajectories over ``scale``, ``(origins, steps)``.
        lower: Physical lower bound of the values, or −inf.
        upper: Physical upper bound, or inf.
    """

    history: History
    model: Candidate
    baseline: str
    errors: dict[str, Array]
    failed: dict[str, str]
    mean: Array
    scale: Array
    shapes: Array
    lower: float = -np.inf
    upper: float = np.inf
    mae: dict[str, float] = field(default_factory=dict)

    @property
    def skill_pct(self) -> float:
        """How much smaller the chosen model's error is than the baseline's, %."""
        base = self.mae[self.baseline]
        return 100.0 * (1.0 - self.mae[self.model.name] / base) if base > 0 else 0.0

    def quantile(self, level: float) -> Array:
        """Forecast quantile at each step, ``(steps,)``."""
        value = self.mean + _conformal(self.shapes, level) * self.scale
        clipped: Array = np.clip(value, self.lower, self.upper)
        return clipped

    def coverage(self) -> dict[str, float] | None:
        """Share of past values inside the 80 % and 95 % intervals, each origin left out in turn."""
        origins = len(self.shapes)
        if origins < MIN_ORIGINS_FOR_COVERAGE:
            return None
        inside = {"80": 0, "95": 0}
        total = 0
        for left_out in range(origins):
            others = np.delete(self.shapes, left_out, axis=0)
            row = self.shapes[left_out]
            row = row[np.isfinite(row)]
            total += len(row)
            for name, low, high in (("80", 0.1, 0.9), ("95", 0.025, 0.975)):
                bounds = _conformal(others, low), _conformal(others, high)
                inside[name] += int(((row >= bounds[0]) & (row <= bounds[1])).sum())
        return {name: round(count / total, 4) for name, count in inside.items()} if total else None

    def paths(self, count: int, seed: int) -> Array:
        """Possible futures, ``(count, steps)``: the forecast plus mixtures of past error trajectories.

        Two past trajectories, turned into one another by a random angle, keep their variance and
        their correlation from step to step, and give more than ``origins`` different paths.
        """
        rows = _complete(self.shapes)
        centre = rows.mean(axis=0)
        rng = np.random.default_rng(seed)
        first, second = rng.integers(len(rows), size=(2, count))
        angle = rng.uniform(0, 2 * np.pi, size=(count, 1))
        mixed = np.cos(angle) * (rows[first] - centre) + np.sin(angle) * (rows[second] - centre)
        # a finite sample of origins understates the spread
        spread = np.sqrt((len(rows) + 1) / max(1, len(rows) - 1))
        found: Array = self.mean + (centre + spread * mixed) * self.scale
        return np.clip(found, self.lower, self.upper)


def select(
    history: History,
    steps: int,
    seed: int,
    *,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    max_origins: int = MAX_ORIGINS,
) -> Selection:
    """Compare all candidates on the last third of the history and fit the best one.

    From each of up to ``max_origins`` past moments every candidate forecasts ``steps`` ahead, having
    been fitted only on what came before (again at each third of the origins). The smallest mean
    absolute error wins; a naive model keeps its place unless it is beaten by 1 %, so that the forecast
    is never worse than the best naive one on its own past.

    Raises:
        InsufficientDataError: there is no past moment with values after it.
        OperationError: not even a naive model gave a forecast.
    """
    ends = _origins(history, steps, max_origins)
    actual = _actual(history, ends, steps)
    errors: dict[str, Array] = {}
    failed: dict[str, str] = {}
    pool = {
        model.name: model for model in candidates_for(history.season, steps, int(ends[0]), seed)
    }
    for name, model in pool.items():
        try:
            forecast = np.clip(_roll(model, history, ends, steps), *bounds)
        except Exception as error:  # noqa: BLE001  a library may fail in any way on odd data
            failed[name] = f"{type(error).__name__}: {error}"
            continue
        if np.isfinite(forecast).all():
            errors[name] = actual - forecast
        else:
            failed[name] = "the forecast is not finite"
    mae = {name: float(np.nanmean(np.abs(found))) for name, found in errors.items()}
    baseline = min((name for name in mae if name in BASELINES), key=lambda name: mae[name])
    for name in sorted(mae, key=lambda name: mae[name]):
        if name not in BASELINES and mae[name] >= (1 - NAIVE_MARGIN) * mae[baseline]:
            continue
        model = pool[name]
        try:
            model.fit(history.values, history.observed)
            mean = model.predict(history.values, [len(history.values)], steps)[0]
        except Exception as error:  # noqa: BLE001  see above
            failed[name] = f"{type(error).__name__}: {error}"
            continue
        if np.isfinite(mean).all():
            break
        failed[name] = "the forecast is not finite"
    else:
        raise OperationError(f"no model gives a forecast ({failed})", where=history.tag)
    scale = _scale(errors[name])
    return Selection(
        history=history,
        model=model,
        baseline=baseline,
        errors=errors,
        failed=failed,
        mean=np.clip(mean, *bounds),
        scale=scale,
        shapes=errors[name] / scale,
        lower=bounds[0],
        upper=bounds[1],
        mae=mae,
    )


def _origins(history: History, steps: int, max_origins: int) -> NDArray[np.intp]:
    rows = len(history.values)
    test_rows = max(int(rows * TEST_SHARE), steps + MIN_ORIGINS_FOR_COVERAGE + 2)
    first = max(rows - test_rows, min(rows - steps, max(8, history.season + 1)))
    last = rows - steps
    count = min(max_origins, last - first + 1)
    ends: NDArray[np.intp] = np.unique(np.linspace(first, last, count).round().astype(np.intp))
    usable = _actual(history, ends, steps)
    kept: NDArray[np.intp] = ends[np.isfinite(usable).any(axis=1)]
    if len(kept) == 0:
        raise InsufficientDataError(
            "the newest third of the history holds no value to judge a forecast by",
            where=history.tag,
            remedy="give history with fewer gaps",
        )
    return kept


def _actual(history: History, ends: NDArray[np.intp], steps: int) -> Array:
    """What came after each origin, NaN where not measured or beyond a closed gap."""
    rows = ends[:, None] + np.arange(steps)
    actual: Array = np.where(history.observed, history.values, np.nan)[rows]
    for seam in history.seams:
        actual[(ends[:, None] <= seam) & (rows >= seam)] = np.nan
    return actual


def _roll(model: Candidate, history: History, ends: NDArray[np.intp], steps: int) -> Array:
    parts: list[Array] = []
    for block in np.array_split(ends, min(REFITS, len(ends))):
        known = int(block[0])
        model.fit(history.values[:known], history.observed[:known])
        parts.append(model.predict(history.values, [int(end) for end in block], steps))
    return np.concatenate(parts)


def _scale(errors: Array) -> Array:
    """Root mean square error by step, non-decreasing, with the steps beside it for support."""
    squares = np.where(np.isfinite(errors), errors**2, 0.0).sum(axis=0)
    counts = np.isfinite(errors).sum(axis=0).astype(float)
    kernel = np.ones(3)
    padded_squares = np.convolve(squares, kernel)[1:-1]
    padded_counts = np.convolve(counts, kernel)[1:-1]
    rms = np.sqrt(padded_squares / np.maximum(padded_counts, 1.0))
    tiny = 1e-12 + 1e-9 * float(np.nanmax(np.abs(errors)))
    scale: Array = np.maximum.accumulate(np.maximum(rms, tiny))
    return scale


def _conformal(shapes: Array, level: float) -> float:
    """Split-conformal quantile of the standardised errors of all steps together.

    With n exchangeable errors the level is moved outwards by (n + 1) / n (Vovk et al. 2005). Errors
    of one origin are not independent and neither are those of overlapping ones: n is taken as the
    geometric mean of the number of origins and of errors. With too few for the level, the largest
    error is widened as a Student one would be.
    """
    sample = shapes[np.isfinite(shapes)]
    effective = float(np.sqrt(len(shapes) * len(sample)))
    outward = max(level, 1 - level) * (effective + 1) / effective
    adjusted = 1 - outward if level < 0.5 else outward
    if 0 < adjusted < 1:
        return float(np.quantile(sample, adjusted))
    from scipy.stats import t

    wide = float(t.ppf(level, max(1.0, effective - 1)))
    return min(float(sample.min()), wide) if level < 0.5 else max(float(sample.max()), wide)


def _complete(shapes: Array) -> Array:
    """Error trajectories without holes: bridged inside, the nearest error carried to the ends."""
    found = []
    index = np.arange(shapes.shape[1])
    for row in shapes:
        known = np.isfinite(row)
        if known.any():
            found.append(np.interp(index, index[known], row[known]))
    return np.stack(found)
