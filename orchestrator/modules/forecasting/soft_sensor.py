"""``forecasting.soft_sensor``: a product property between laboratory samples, from process tags.

Ridge regression on lagged inputs; lags and penalty are chosen on later samples than it was fitted to. The
newest samples reported correct a bias of the model (exponentially weighted), as analysers drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import chdtri

from orchestrator.errors import InsufficientDataError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.models import (
    SoftSensorInput,
    SoftSensorPoint,
    SoftSensorResult,
)
from orchestrator.modules.frames import Frame, iso, read_frame

Array = NDArray[np.float64]
MIN_SAMPLES = 30
TEST_SHARE = 1 / 3
PENALTIES = tuple(float(10.0**power) for power in range(-1, 6))
BIAS_WEIGHTS = (0.0, 0.1, 0.3, 0.6)
LAGS = (0, 8, 30)
MAX_FEATURES = 400
MAX_SHOWN = 200
APPLICABLE = 0.999


@dataclass(frozen=True, slots=True)
class _Model:
    """Standardised ridge regression and the spread of the inputs it has seen."""

    centre: Array
    scale: Array
    weights: Array
    level: float
    axes: Array
    variances: Array

    def predict(self, features: Array) -> Array:
        """Expected value for each row."""
        found: Array = (features - self.centre) / self.scale @ self.weights + self.level
        return found

    def applicable(self, features: Array) -> NDArray[np.bool_]:
        """Rows whose T² against the inputs seen is within its 99.9 % limit."""
        scores = (features - self.centre) / self.scale @ self.axes
        distance = np.square(scores / np.sqrt(self.variances)).sum(axis=1)
        inside: NDArray[np.bool_] = distance <= chdtri(len(self.variances), 1 - APPLICABLE)
        return inside


def run(parameters: SoftSensorInput, context: OperationContext) -> SoftSensorResult:
    """Estimate the property at each of the newest rows, with 95 % intervals.

    A value of the target stands in the row where it was reported, ``delay`` rows after its sample.
    Only values reported up to a row are used for it.

    Raises:
        UnknownTagError: a tag is not in the data.
        InsufficientDataError: fewer than thirty samples, or they or the inputs never change.
    """
    frame = read_frame(context.table()).in_order()
    reported = frame.column(parameters.target)
    names = parameters.inputs or tuple(n for n in frame.names if n != parameters.target)
    inputs = _inputs(frame, names, parameters.target)
    sampled = np.flatnonzero(np.isfinite(reported))
    candidates: tuple[int, ...] = LAGS if parameters.lags is None else (parameters.lags,)
    candidates = tuple(lag for lag in candidates if lag < len(reported) // 4) or candidates[:1]
    longest = _lagged(inputs, _lag_set(max(candidates), inputs.shape[1]))
    # the sample was taken `delay` rows before its value came
    rows = sampled - parameters.delay
    usable = (rows >= 0) & np.isfinite(longest[np.maximum(rows, 0)]).all(axis=1)
    rows, values = rows[usable], reported[sampled[usable]]
    if len(rows) < MIN_SAMPLES:
        raise InsufficientDataError(
            f"{len(rows)} samples have inputs beside them",
            where=parameters.target,
            remedy=f"a soft sensor needs at least {MIN_SAMPLES} samples; give more history, or "
            "fewer lags or delay",
        )
    if float(np.ptp(values)) == 0.0:
        raise InsufficientDataError("the value never changes", where=parameters.target)
    split = len(rows) - int(len(rows) * TEST_SHARE)
    inner = split - int(split * TEST_SHARE)
    tunings = []
    for lag in candidates:
        features = _lagged(inputs, _lag_set(lag, inputs.shape[1]))
        tunings.append((*_tuned(features, rows, values, inner, split, parameters.delay), lag))
    _, penalty, bias_weight, lag = min(tunings)
    features = _lagged(inputs, _lag_set(lag, inputs.shape[1]))
    tested = _Fitter(features[rows[:split]], values[:split]).model(penalty)
    errors = _errors(tested, features, rows, values, split, parameters.delay, bias_weight)
    rmse = float(np.sqrt(np.mean(errors**2)))
    carried = _last_reported(reported, rows[split:], parameters.delay)
    known = np.isfinite(carried)
    naive = float(np.sqrt(np.mean((values[split:][known] - carried[known]) ** 2)))
    model = _Fitter(features[rows], values).model(penalty)
    points = _points(
        frame, model, features, rows, values, parameters.delay, bias_weight, np.abs(errors)
    )
    newest = points[-1]
    gain = 100 * (1 - rmse / naive) if naive > 0 else 0.0
    sure = "" if newest.applicable else " The plant is outside what the model has seen."
    tag = context.plant.by_name.get(parameters.target)
    unit = f" {tag.unit}" if tag and tag.unit else ""
    return SoftSensorResult(
        summary=(
            f"{parameters.target} is about {newest.mean:.4g}{unit} at {newest.time} (95 % between "
            f"{newest.lower:.4g} and {newest.upper:.4g}); on samples not seen before the error was "
            f"{abs(gain):.0f} % {'smaller' if gain >= 0 else 'larger'} than carrying the last "
            f"sample forward, assuming the analyser reports {parameters.delay} rows late.{sure}"
        ),
        warnings=() if gain > 0 else ("the last reported sample is at least as good as the model",),
        target=parameters.target,
        predictions=tuple(points),
        rmse=rmse,
        rmse_last_sample=naive,
        samples=len(rows),
        delay=parameters.delay,
        lags=lag,
    )


def _inputs(frame: Frame, names: Sequence[str], target: str) -> Array:
    if target in names:
        raise ParameterError(f"the target {target!r} cannot be its own input", where="inputs")
    columns = []
    for name in names:
        column = frame.column(name)
        present = np.isfinite(column)
        if present.any() and float(np.ptp(column[present])) > 0:
            # the newest value known at each row: nothing from later rows
            last = np.maximum.accumulate(np.where(present, np.arange(len(column)), -1))
            columns.append(np.where(last >= 0, column[np.maximum(last, 0)], np.nan))
    if not columns:
        raise InsufficientDataError("no input changes", remedy="name process tags as inputs")
    return np.stack(columns, axis=1)


def _lag_set(longest: int, inputs: int) -> list[int]:
    """Lags from 0 to ``longest``, thinned so that the regression stays small."""
    most = max(1, MAX_FEATURES // inputs)
    return sorted({round(lag) for lag in np.linspace(0, longest, min(longest + 1, most))})


def _lagged(inputs: Array, lags: Sequence[int]) -> Array:
    rows, count = inputs.shape
    found = np.full((rows, count * len(lags)), np.nan)
    for i, lag in enumerate(lags):
        found[lag:, i * count : (i + 1) * count] = inputs[: rows - lag]
    return found


class _Fitter:
    """Ridge regressions of one set of samples: one decomposition serves every penalty."""

    def __init__(self, features: Array, values: Array) -> None:
        scale = features.std(axis=0)
        self._centre = features.mean(axis=0)
        self._scale = np.where(scale > 0, scale, 1.0)
        self._level = float(values.mean())
        left, self._singular, self._right = linalg.svd(
            (features - self._centre) / self._scale, full_matrices=False
        )
        self._projected = left.T @ (values - self._level)
        variances = self._singular**2 / max(1, len(values) - 1)
        self._kept = 1 + int(np.searchsorted(np.cumsum(variances), 0.95 * variances.sum()))
        self._variances = variances[: self._kept]

    def model(self, penalty: float) -> _Model:
        """The regression with this penalty on its squared weights."""
        shrunk = self._singular / (self._singular**2 + penalty)
        weights = self._right.T @ (shrunk * self._projected)
        axes = self._right[: self._kept].T
        return _Model(self._centre, self._scale, weights, self._level, axes, self._variances)


def _tuned(
    features: Array, rows: NDArray[np.intp], values: Array, inner: int, split: int, delay: int
) -> tuple[float, float, float]:
    """Squared error, penalty and bias weight of what did best on the samples before the test."""
    best = (np.inf, PENALTIES[0], BIAS_WEIGHTS[0])
    fitter = _Fitter(features[rows[:inner]], values[:inner])
    for penalty in PENALTIES:
        model = fitter.model(penalty)
        for weight in BIAS_WEIGHTS:
            errors = _errors(model, features, rows[:split], values[:split], inner, delay, weight)
            best = min(best, (float(np.mean(errors**2)), penalty, weight))
    return best


def _errors(
    model: _Model,
    features: Array,
    rows: NDArray[np.intp],
    values: Array,
    first: int,
    delay: int,
    weight: float,
) -> Array:
    """Actual minus estimate of the samples from ``first`` on, each with what was reported by then."""
    raw = values - model.predict(features[rows])
    bias = _bias_by_report(raw, weight)
    # with a delay, a value that comes in at this very row belongs to an older sample
    come = np.searchsorted(rows + delay, rows[first:], side="right" if delay else "left")
    return raw[first:] - bias[come]


def _bias_by_report(raw: Array, weight: float) -> Array:
    """Exponentially weighted mean of the errors after 0, 1, 2… reports, ``(n + 1,)``."""
    bias = np.zeros(len(raw) + 1)
    for i, error in enumerate(raw):
        bias[i + 1] = bias[i] + weight * (error - bias[i])
    return bias


def _last_reported(reported: Array, rows: NDArray[np.intp], delay: int) -> Array:
    """The value that an operator would carry forward at each row, its own sample's never."""
    present = np.where(np.isfinite(reported), np.arange(len(reported)), -1)
    last = np.maximum.accumulate(present)
    newest = rows if delay else rows - 1
    before = np.where(newest >= 0, last[np.maximum(newest, 0)], -1)
    return np.where(before >= 0, reported[np.maximum(before, 0)], np.nan)


def _points(
    frame: Frame,
    model: _Model,
    features: Array,
    rows: NDArray[np.intp],
    values: Array,
    delay: int,
    weight: float,
    sizes: Array,
) -> list[SoftSensorPoint]:
    known = np.flatnonzero(np.isfinite(features).all(axis=1))[-MAX_SHOWN:]
    bias = _bias_by_report(values - model.predict(features[rows]), weight)
    come = np.searchsorted(rows + delay, known, side="right")
    means = model.predict(features[known]) + bias[come]
    inside = model.applicable(features[known])
    level = min(1.0, 0.95 * (len(sizes) + 1) / len(sizes))
    half = float(np.quantile(sizes, level))
    return [
        SoftSensorPoint(
            time=iso(frame.times[row]),
            mean=float(mean),
            lower=float(mean - half),
            upper=float(mean + half),
            applicable=bool(good),
        )
        for row, mean, good in zip(known, means, inside, strict=True)
    ]
