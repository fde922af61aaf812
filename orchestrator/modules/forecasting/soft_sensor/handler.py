"""``forecasting.soft_sensor``: a product property between laboratory samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.errors import InsufficientDataError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.soft_sensor.applicability import Applicability, Domain
from orchestrator.modules.forecasting.soft_sensor.choice import Choice, choose, estimate
from orchestrator.modules.forecasting.soft_sensor.features import (
    FeatureMaker,
    Inputs,
    fill_inputs,
    last_known,
    window_sets,
)
from orchestrator.modules.forecasting.soft_sensor.intervals import LEVEL, intervals
from orchestrator.modules.forecasting.soft_sensor.parameters import (
    ChosenModel,
    HeldOut,
    ModelChoice,
    SoftSensorInput,
    SoftSensorPoint,
    SoftSensorResult,
)
from orchestrator.modules.forecasting.soft_sensor.samples import (
    Array,
    Rows,
    Samples,
    Span,
    align,
    check_enough,
    learnt_from,
    spans,
    without_slips,
)
from orchestrator.modules.forecasting.soft_sensor.walk import Forward
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.recording import TRUTH

NO_PROCESS = ("lab", "price", "state", "total")
LEAST_COVERAGE = 0.85


def run(parameters: SoftSensorInput, context: OperationContext) -> SoftSensorResult:
    """Estimate the property at the rows asked for, each from what was known by then.

    Raises:
        UnknownTagError: a tag is not in the data.
        ParameterError: the target is among the inputs, or the rows do not fit the data.
        InsufficientDataError: fewer than thirty samples, or they or the inputs never change.
    """
    frame = read_frame(context.table(), needs_time=False).in_order()
    column = frame.column(parameters.target)
    names = _input_names(parameters, frame, context.plant)
    columns = np.column_stack([frame.column(name) for name in names])
    span = spans(len(column), parameters.train_rows, parameters.predict_rows)
    samples = align(column, parameters.delay, parameters.stamp)
    samples = samples.taken(samples.rows >= span.train[0])
    samples, slips = without_slips(samples, learnt_from(samples, span))
    count = learnt_from(samples, span)
    check_enough(samples, count, span, parameters.target)
    inputs = fill_inputs(names, columns, span.train)
    context.progress(0.05, "models are compared")
    forward = Forward(FeatureMaker(inputs, samples), samples, context.seed)
    spacing = float(np.median(np.diff(samples.rows[:count])))
    windows = window_sets(
        spacing, len(inputs.names), span.train[1] - span.train[0] + 1, parameters.lags
    )
    choice = choose(
        forward, samples, count, windows,
        lambda share: context.progress(0.05 + 0.75 * share, "models are compared"),
    )  # fmt: skip
    context.progress(0.8, "rows are estimated")
    estimates = _estimate(forward, samples, count, choice, span)
    judged = Domain(inputs, span.train)
    there = judged.judge(estimates.rows)
    newest = int(estimates.rows[-1])
    reason = "" if there.inside[-1] else judged.reasons(newest)
    return _result(
        parameters, context.plant, frame, samples, count, choice, estimates, there,
        inputs, slips, reason,
    )  # fmt: skip


def _input_names(parameters: SoftSensorInput, frame: Frame, plant: Plant) -> Sequence[str]:
    if parameters.target in parameters.inputs:
        raise ParameterError.of_field(
            "inputs",
            f"the target {parameters.target!r} cannot be its own input",
            remedy="leave it out: its known values are used anyway",
        )
    if parameters.inputs:
        return list(dict.fromkeys(parameters.inputs))
    others = [n for n in frame.names if n != parameters.target and not n.endswith(TRUTH)]
    kinds = {tag.name: tag.kind for tag in plant.tags}
    market = set(re.findall(r"\w+", " ".join(filter(None, plant.market.model_dump().values()))))
    names = [n for n in others if kinds.get(n) not in NO_PROCESS and n not in market]
    if not names:
        raise InsufficientDataError(
            "the data holds no process tag beside the target",
            where=parameters.target,
            remedy="give data with the tags that drive the property",
        )
    return names


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Estimates of the rows asked for.

    Attributes:
        rows: Rows, ascending.
        means: Estimates, ``(n_rows,)``.
        half_widths: Half widths of the intervals.
        last: Newest known value at each row.
        coverage: Share of the validated samples within their intervals; null where too few.
        shares: Share of each model in the newest estimate.
        bias_weights: Weight of its bias update there.
        alone: Rows that the inputs alone had to estimate.
    """

    rows: Rows
    means: Array
    half_widths: Array
    last: Array
    coverage: float | None
    shares: Array
    bias_weights: Array
    alone: int


def _estimate(
    forward: Forward, samples: Samples, count: int, choice: Choice, span: Span
) -> _Estimates:
    asked = np.arange(span.predict[0], span.predict[1] + 1)
    # samples between the training rows and the last row asked for keep the models up to date
    later = samples.rows[count:]
    later = later[later <= span.predict[1]]
    rows = np.union1d(asked, later)
    found = estimate(forward, samples, choice, rows)
    since = samples.values[count : count + len(later)] - found.means[np.searchsorted(rows, later)]
    errors = np.concatenate([choice.combined, since])
    first = choice.first
    sampled = samples.rows[first : first + len(errors)]
    past = intervals(errors, np.clip(samples.counts(sampled) - first, 0, None))
    known = np.clip(samples.counts(asked) - first, 0, len(errors))
    there = np.searchsorted(rows, asked)
    half_widths = past.half_widths[known]
    # one error more, at infinity, stands for the next
    level = min(1.0, LEVEL * (1 + 1 / len(choice.alone_errors)))
    half_widths[found.alone[there]] = np.quantile(np.abs(choice.alone_errors), level)
    validated = past.inside[: max(0, len(past.inside) - len(later))]
    return _Estimates(
        rows=asked,
        means=found.means[there],
        half_widths=half_widths,
        last=last_known(samples, asked),
        coverage=float(np.mean(validated)) if validated else None,
        shares=found.shares,
        bias_weights=found.bias_weights,
        alone=int(found.alone[there].sum()),
    )


def _result(
    parameters: SoftSensorInput,
    plant: Plant,
    frame: Frame,
    samples: Samples,
    count: int,
    choice: Choice,
    estimates: _Estimates,
    there: Applicability,
    inputs: Inputs,
    slips: int,
    reason: str,
) -> SoftSensorResult:
    rmse = _rms(choice.combined)
    rows, values = samples.rows[choice.first : count], samples.values[choice.first : count]
    naive = _rms(values - last_known(samples, rows))
    held_out = _held_out(samples, estimates)
    outside = int((~there.inside).sum())
    warnings = []
    if rmse >= naive:
        warnings.append("carrying the last sample forward was at least as good on validation")
    if outside:
        warnings.append(
            f"{outside} of {len(estimates.rows)} rows are outside what the models have seen "
            "(applicable: false); their values are not to be relied on"
        )
    if estimates.alone:
        warnings.append(
            f"{estimates.alone} row(s) are estimated from the inputs alone, as no sample had been known for "
            "more than twice as long as ever on validation"
        )
    if inputs.left_out:
        warnings.append(
            f"input(s) without a change in the rows learnt from are left out: "
            f"{', '.join(inputs.left_out[:8])}{', …' if len(inputs.left_out) > 8 else ''}"
        )
    if slips:
        warnings.append(
            f"{slips} value(s) learnt from, each far outside all others, are left out as slips"
        )
    if estimates.coverage is not None and estimates.coverage < LEAST_COVERAGE:
        warnings.append(
            f"{estimates.coverage:.0%} of the validated values were within their intervals, which are "
            f"meant for {LEVEL:.0%}"
        )
    tag = plant.by_name.get(parameters.target)
    unit = f" {tag.unit}" if tag and tag.unit else ""
    points = _points(frame, estimates, there)
    return SoftSensorResult(
        summary=_summary(
            parameters, points[-1], float(estimates.last[-1]), unit, rmse, naive, reason
        ),
        warnings=tuple(warnings),
        target=parameters.target,
        predictions=points,
        model=ModelChoice(
            chosen=tuple(
                ChosenModel(model=one.spec.text, bias_weight=float(weight), share=float(share))
                for one, weight, share in zip(
                    choice.finalists, estimates.bias_weights, estimates.shares, strict=True
                )
            ),
            scores=choice.scores,
            candidates=choice.tried,
            validated=len(choice.combined),
        ),
        rmse=rmse,
        rmse_last_sample=naive,
        coverage=estimates.coverage,
        held_out=held_out,
        samples=count,
        delay=parameters.delay,
        lags=max(
            (one.spec.windows[-1][1] for one in choice.finalists if one.spec.windows), default=0
        ),
    )


def _points(
    frame: Frame, estimates: _Estimates, there: Applicability
) -> tuple[SoftSensorPoint, ...]:
    times = frame.times[estimates.rows]
    return tuple(
        SoftSensorPoint(
            row=int(row),
            time=None if np.isnat(time) else iso(time),
            mean=float(mean),
            lower=float(mean - half),
            upper=float(mean + half),
            applicable=bool(inside),
            t2=float(t2),
            spe=float(spe),
        )
        for row, time, mean, half, inside, t2, spe in zip(
            estimates.rows, times, estimates.means, estimates.half_widths,
            there.inside, there.t2, there.spe, strict=True,
        )
    )  # fmt: skip


def _summary(
    parameters: SoftSensorInput,
    newest: SoftSensorPoint,
    last: float,
    unit: str,
    rmse: float,
    naive: float,
    reason: str,
) -> str:
    at = f"at {newest.time}" if newest.time else f"in row {newest.row}"
    gain = 100 * (1 - rmse / naive) if naive > 0 else 0.0
    if not newest.applicable:
        said = (
            f"No value of {parameters.target} is stated {at}: the plant is outside what the models have "
            f"seen ({reason}); the last known sample was {last:.4g}{unit}"
        )
    else:
        said = (
            f"{parameters.target} is about {newest.mean:.4g}{unit} {at} (95 % between "
            f"{newest.lower:.4g} and {newest.upper:.4g})"
        )
    return (
        f"{said}; on samples not seen before the error was {abs(gain):.0f} % "
        f"{'smaller' if gain >= 0 else 'larger'} than carrying the last sample forward, values coming "
        f"{parameters.delay} rows after their sample."
    )


def _held_out(samples: Samples, estimates: _Estimates) -> HeldOut | None:
    own = np.flatnonzero(np.isin(samples.rows, estimates.rows))
    if not len(own):
        return None
    at = samples.rows[own] - estimates.rows[0]
    errors = samples.values[own] - estimates.means[at]
    return HeldOut(
        samples=len(own),
        rmse=_rms(errors),
        rmse_last_sample=_rms(samples.values[own] - estimates.last[at]),
        coverage=float((np.abs(errors) <= estimates.half_widths[at]).mean()),
    )


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
