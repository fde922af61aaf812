"""Choose a model for one target by rolling-origin error, and how sure its forecast is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError, OperationError
from orchestrator.modules.forecasting.candidate import Array, Candidate
from orchestrator.modules.forecasting.candidates import Models, candidates_for
from orchestrator.modules.forecasting.combination import Combination, combine, combined_errors
from orchestrator.modules.forecasting.intervals import complete, conformal, spread
from orchestrator.modules.forecasting.naive import BASELINES
from orchestrator.modules.forecasting.series import History

QUANTILES = (0.025, 0.1, 0.9, 0.975)
MAX_ORIGINS = 40
MIN_ORIGINS_FOR_COVERAGE = 10
TEST_SHARE = 1 / 3
REFITS = 3
NAIVE_MARGIN = 0.01
BEYOND_CHANCE = 1.64


@dataclass(frozen=True)
class Selection:
    """The model of one target and its forecast.

    Attributes:
        history: What it was made from.
        model: The candidate chosen, fitted on the whole history.
        baseline: Name of the best naive one.
        ends: Rows known at each past moment whose errors shape the intervals, ``(origins,)``.
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
    ends: NDArray[np.intp]
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
        value = self.mean + self.offset(level)
        clipped: Array = np.clip(value, self.lower, self.upper)
        return clipped

    def offset(self, level: float) -> Array:
        """Distance of a quantile from the forecast at each step, ``(steps,)``."""
        found: Array = conformal(self.shapes, level, self.ends) * self.scale
        return found

    def coverage(self) -> dict[str, float] | None:
        """Share of past values inside the 80 % and 95 % intervals, each origin left out in turn
        with those that overlap it."""
        origins = len(self.shapes)
        if origins < MIN_ORIGINS_FOR_COVERAGE:
            return None
        inside = {"80": 0, "95": 0}
        total = 0
        for left_out in range(origins):
            # origins nearer than the horizon share what came after them
            apart = np.abs(self.ends - self.ends[left_out]) >= len(self.mean)
            if apart.sum() < MIN_ORIGINS_FOR_COVERAGE // 2:
                continue
            others, ends = self.shapes[apart], self.ends[apart]
            row = self.shapes[left_out]
            row = row[np.isfinite(row)]
            total += len(row)
            for name, low, high in (("80", 0.1, 0.9), ("95", 0.025, 0.975)):
                bounds = conformal(others, low, ends), conformal(others, high, ends)
                inside[name] += int(((row >= bounds[0]) & (row <= bounds[1])).sum())
        return {name: round(count / total, 4) for name, count in inside.items()} if total else None

    def paths(self, count: int, seed: int) -> Array:
        """Possible futures, ``(count, steps)``: the forecast plus mixtures of past error trajectories.

        Two past trajectories, turned into one another by a random angle, keep their variance and
        their correlation from step to step, and give more than ``origins`` different paths.
        """
        rows = complete(self.shapes)
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
    models: Models = "full",
) -> Selection:
    """Compare all candidates on the last third of the history and fit the best one.

    From each of up to ``max_origins`` past moments every candidate forecasts ``steps`` ahead, having
    been fitted only on what came before (again at each third of the origins). Their combination, with
    weights from the errors known at each moment, competes too. How one is chosen, :func:`_in_order`
    says; it is never worse than the best naive rule on its own past.

    Raises:
        InsufficientDataError: there is no past moment with values after it.
        OperationError: not even a naive model gave a forecast.
    """
    ends = origins_of(history, steps, max_origins)
    actual = actual_after(history, ends, steps)
    errors: dict[str, Array] = {}
    failed: dict[str, str] = {}
    pool: dict[str, Candidate] = {
        model.name: model for model in candidates_for(history, steps, int(ends[0]), seed, models)
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
    together = combine(pool, mae)
    if len(together.members) > 1:
        pool[Combination.name] = together
        errors[Combination.name] = combined_errors(errors, ends, steps)
        mae[Combination.name] = float(np.nanmean(np.abs(errors[Combination.name])))
    for name in _in_order(errors, mae, baseline, ends, steps, history.inputs.known is not None):
        model = pool[name]
        try:
            model.fit(history, len(history.values))
            mean = model.predict(history, [len(history.values)], steps)[0]
        except Exception as error:  # noqa: BLE001  see above
            failed[name] = f"{type(error).__name__}: {error}"
            continue
        if np.isfinite(mean).all():
            break
        failed[name] = "the forecast is not finite"
    else:
        raise OperationError(f"no model gives a forecast ({failed})", where=history.tag)
    profile, local, now = spread(errors[name], ends, steps)
    return Selection(
        history=history,
        model=model,
        baseline=baseline,
        ends=ends,
        errors=errors,
        failed=failed,
        mean=np.clip(mean, *bounds),
        scale=profile * now,
        shapes=errors[name] / (profile * local[:, None]),
        lower=bounds[0],
        upper=bounds[1],
        mae=mae,
    )


def _in_order(
    errors: Mapping[str, Array],
    mae: Mapping[str, float],
    baseline: str,
    ends: NDArray[np.intp],
    steps: int,
    informed: bool,
) -> list[str]:
    """Models from which to take the first that gives a forecast, ending with the naive rules.

    Only those are taken that beat the best naive rule: by 1 %, and beyond chance. Near a random walk
    some model always looks better by luck, and is not afterwards. A model that knows inputs ahead,
    which the naive rule does not, needs no such proof. Of these the combination comes first, but for
    single models that beat it beyond chance, as the best of many is lucky too.
    """
    apart = max(1.0, (ends[-1] - ends[0] + 1) / steps)
    floor = (1 - NAIVE_MARGIN) * mae[baseline]
    taken = [
        name
        for name in mae
        if name not in BASELINES
        and mae[name] < floor
        and (informed or _beats(errors[name], errors[baseline], apart))
    ]
    together = errors.get(Combination.name)
    ranks = {
        name: (
            name != Combination.name
            and not (together is not None and _beats(errors[name], together, apart)),
            mae[name],
        )
        for name in taken
    }
    last = sorted((name for name in mae if name in BASELINES), key=lambda name: mae[name])
    return [*sorted(taken, key=lambda name: ranks[name]), *last]


def _beats(errors: Array, others: Array, apart: float) -> bool:
    """Whether the gain over other errors is above 1.64 standard errors (95 %, one-sided).

    Origins nearer than the horizon share what came after them: the standard error is that of ``apart``
    independent ones (Diebold and Mariano 1995 correct for the same overlap).
    """
    gains = np.nanmean(np.abs(others), axis=1) - np.nanmean(np.abs(errors), axis=1)
    gains = gains[np.isfinite(gains)]
    error = float(gains.std()) / float(np.sqrt(min(apart, len(gains))))
    return float(gains.mean()) > BEYOND_CHANCE * error


def origins_of(history: History, steps: int, max_origins: int) -> NDArray[np.intp]:
    """Rows known at each past moment from which to forecast, spread over the last third.

    Raises:
        InsufficientDataError: there is no past moment with values after it.
    """
    rows = len(history.values)
    test_rows = max(int(rows * TEST_SHARE), steps + MIN_ORIGINS_FOR_COVERAGE + 2)
    first = max(rows - test_rows, min(rows - steps, max(8, history.season + 1)))
    last = rows - steps
    ends: NDArray[np.intp] = np.arange(first, last + 1)
    # a bridged value is made from the next measured one, which was not known then
    ends = ends[history.observed[ends - 1]]
    ends = ends[np.isfinite(actual_after(history, ends, steps)).any(axis=1)]
    if len(ends) == 0:
        raise InsufficientDataError(
            "the newest third of the history holds no value to judge a forecast by",
            where=history.tag,
            remedy="give history with fewer gaps",
        )
    count = min(max_origins, len(ends))
    return ends[np.unique(np.linspace(0, len(ends) - 1, count).round().astype(np.intp))]


def actual_after(history: History, ends: NDArray[np.intp], steps: int) -> Array:
    """What came after each origin, NaN where not measured, not yet there or beyond a closed gap."""
    rows = ends[:, None] + np.arange(steps)
    measured = np.where(history.observed, history.values, np.nan)
    actual: Array = np.append(measured, np.full(steps, np.nan))[rows]
    for seam in history.seams:
        actual[(ends[:, None] <= seam) & (rows >= seam)] = np.nan
    return actual


def _roll(model: Candidate, history: History, ends: NDArray[np.intp], steps: int) -> Array:
    parts: list[Array] = []
    for block in np.array_split(ends, min(REFITS, len(ends))):
        known = int(block[0])
        model.fit(history, known)
        parts.append(model.predict(history, [int(end) for end in block], steps))
    return np.concatenate(parts)
