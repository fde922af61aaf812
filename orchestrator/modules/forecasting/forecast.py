"""``forecasting.forecast``: what will happen to several tags, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from orchestrator.errors import DanGError, InsufficientDataError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.candidates import Models
from orchestrator.modules.forecasting.coherence import coherent
from orchestrator.modules.forecasting.inputs import with_inputs
from orchestrator.modules.forecasting.models import (
    FittedModel,
    ForecastInput,
    ForecastPoint,
    ForecastResult,
    LiveAccuracy,
    ModelScore,
    SeriesInput,
)
from orchestrator.modules.forecasting.naive import BASELINES
from orchestrator.modules.forecasting.reuse import Origin, selection_for
from orchestrator.modules.forecasting.selection import QUANTILES, Selection, select
from orchestrator.modules.forecasting.series import History, Plan, history, plan, span
from orchestrator.modules.forecasting.store import ModelStore, key_of
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.tags import Plant, Tag

MAX_DEFAULT_TARGETS = 12
DEFAULT_KINDS = ("analyser", "lab", "temperature", "flow", "pressure", "level", "computed", "other")
FLOW_OR_LEVEL = re.compile(r"flow|level|(?:^|[^a-z])rate", re.IGNORECASE)
NOT_NEGATIVE_KINDS = ("flow", "level", "valve")
STALE_STEPS = 2
NOTHING_TO_FORECAST = "none of the tags can be forecast"


def run(parameters: ForecastInput, context: OperationContext) -> ForecastResult:
    """Forecast each target with the model that did best on its past.

    One target that cannot be forecast does not stop the others: it is refused with its reason.

    Raises:
        UnknownTagError: a target is not in the data.
        InsufficientDataError: no target can be forecast; the text says what is needed.
        DataError, ParameterError: as in :func:`series.plan` and :func:`series.history`.
    """
    context.progress(0.0, "reading")
    frame = read_columns(parameters, context)
    notes: list[str] = []
    targets = parameters.targets
    if not targets:
        targets = default_targets(frame, context.plant, leave_out=parameters.known_future)
        notes.append(
            f"no targets were named: {len(targets)} of {len(frame.names)} tags were chosen"
        )
    grid = plan(frame, parameters.horizon, parameters.horizon_hours)
    chosen = select_all(frame, targets, grid, context, parameters)
    refused = chosen.refused
    selections, balances, open_balances = coherent(
        chosen.selections, frame, context.plant, parameters.sums, refused
    )
    points = [point for found in selections.values() for point in points_of(found, grid.steps)]
    notes += [
        *grid.notes,
        *open_balances,
        *_staleness(selections, frame, grid, parameters),
        *_naive(selections),
    ]
    notes += [f"{tag} was not forecast: {reason}" for tag, reason in refused.items()]
    return ForecastResult(
        summary=_summary(selections, grid, context.plant, named=bool(parameters.targets)),
        warnings=tuple(notes),
        forecasts=tuple(points),
        models={
            tag: score(found, context.plant, chosen.origins.get(tag))
            for tag, found in selections.items()
        },
        refused=refused,
        balances=balances,
        horizon=grid.steps,
        period_seconds=grid.period,
    )


def read_columns(parameters: SeriesInput, context: OperationContext) -> Frame:
    """The columns that are asked for, in order of time; all when no target is named.

    Raises:
        UnknownTagError: a named column is not in the data.
    """
    named = (*parameters.targets, *parameters.known_future, *parameters.inputs)
    wanted = tuple(dict.fromkeys(named)) if parameters.targets else ()
    frame = read_frame(context.table(), wanted).in_order()
    # rows of other tags say nothing of the period of these
    holds = np.isfinite(frame.values).any(axis=1) | np.isinf(frame.values).any(axis=1)
    if not wanted or holds.all() or not holds.any():
        return frame
    return Frame(frame.times[holds], frame.names, frame.values[holds], frame.skipped)


@dataclass(slots=True)
class Chosen:
    """Selections by target, where each comes from, and why other targets have none."""

    selections: dict[str, Selection] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def select_all(
    frame: Frame,
    targets: Sequence[str],
    grid: Plan,
    context: OperationContext,
    parameters: SeriesInput,
) -> Chosen:
    """A model for each target, from the store where a fresh one lies there.

    Raises:
        DanGError: no target can be forecast; with one target, its own error.
    """
    chosen = Chosen()
    found, refused = chosen.selections, chosen.refused
    store = ModelStore(None if context.folder is None else context.folder / "models")
    last_error: DanGError | None = None
    for i, target in enumerate(dict.fromkeys(targets)):
        context.progress(i / len(targets), f"forecasting {target}")
        try:
            past = history_of(frame, target, grid, parameters)
            found[target], chosen.origins[target] = _stored_or_new(
                past, grid.steps, context, parameters.models, store
            )
        except UnknownTagError:
            raise
        except DanGError as error:
            refused[target] = str(error)
            last_error = error
    if last_error is not None and not found:
        if len(refused) == 1:
            raise last_error
        first = next(iter(refused.items()))
        raise InsufficientDataError(
            f"{NOTHING_TO_FORECAST}; {first[1]}",
            remedy="give more history, or fewer steps",
            context={"refused": refused},
        )
    return chosen


def history_of(
    frame: Frame,
    target: str,
    grid: Plan,
    parameters: SeriesInput,
    *,
    known_ahead: bool = True,
) -> History:
    """The history of a target with the inputs that are asked for.

    With ``known_ahead`` false the known inputs need not reach past its end, as only past moments are
    forecast from.

    Raises:
        DataError, InsufficientDataError, ParameterError: as in :func:`series.history` and
            :func:`inputs.with_inputs`.
    """
    return with_inputs(
        history(frame, target, grid),
        frame,
        grid.steps if known_ahead else 0,
        parameters.known_future,
        parameters.inputs,
    )


def _stored_or_new(
    past: History, steps: int, context: OperationContext, models: Models, store: ModelStore
) -> tuple[Selection, Origin]:
    bounds = physical_bounds(context.plant.by_name.get(past.tag), past.values, past.tag)
    key = key_of(past, steps, bounds=bounds, models=models)
    return selection_for(
        past,
        steps,
        store,
        key,
        context.now,
        lambda: select(past, steps, context.seed, bounds=bounds, models=models),
    )


def default_targets(frame: Frame, plant: Plant, leave_out: Sequence[str] = ()) -> tuple[str, ...]:
    """At most twelve tags when none are named: those with alarm limits first, then by kind.

    Tags without enough distinct values, set points and states are left out.

    Raises:
        InsufficientDataError: no tag has values that change.
    """
    ranked: list[tuple[bool, int, int, str]] = []
    for i, name in enumerate(frame.names):
        if name in leave_out:
            continue
        values = frame.values[:, i]
        values = values[np.isfinite(values)]
        if len(values) < 2 or np.ptp(values) == 0.0:
            continue
        tag = plant.by_name.get(name)
        kind = tag.kind if tag else "other"
        if kind not in DEFAULT_KINDS or (tag is not None and tag.controllable):
            continue
        limited = tag is not None and bool(tag.limits.model_dump(exclude_none=True))
        ranked.append((not limited, DEFAULT_KINDS.index(kind), i, name))
    if not ranked:
        raise InsufficientDataError(
            f"{NOTHING_TO_FORECAST}: no tag of the data changes",
            remedy="name targets, or give data",
        )
    return tuple(name for *_, name in sorted(ranked)[:MAX_DEFAULT_TARGETS])


def physical_bounds(tag: Tag | None, values: np.ndarray, name: str = "") -> tuple[float, float]:
    """What the value cannot leave: no negative flow or level, percentages of valves and levels.

    Without a tag in the plant file its name tells, where no value was negative so far.
    """
    if float(values.min()) < 0:
        return -np.inf, np.inf
    if tag is None:
        return (0.0 if FLOW_OR_LEVEL.search(name) else -np.inf), np.inf
    if tag.kind not in NOT_NEGATIVE_KINDS:
        return -np.inf, np.inf
    percent = tag.unit in ("percent", "%") and float(values.max()) <= 100
    return 0.0, 100.0 if percent else np.inf


def score(found: Selection, plant: Plant, origin: Origin | None = None) -> ModelScore:
    """How the model was chosen, as the result shows it."""
    past = found.history
    tag = plant.by_name.get(past.tag)
    return ModelScore(
        model=found.model.name,
        baseline=found.baseline,
        errors={name: round(error, 9) for name, error in found.mae.items()},
        failed=found.failed,
        skill_pct=round(found.skill_pct, 2),
        coverage=found.coverage(),
        origins=len(found.shapes),
        observations=int(past.observed.sum()),
        missing=past.missing,
        interpolated=past.bridged,
        season=past.season,
        unit=tag.unit if tag else "",
        last_time=iso(past.last_time),
        last_value=float(past.values[-1]),
        fitted=None if origin is None else _fitted(origin),
    )


def _fitted(origin: Origin) -> FittedModel:
    live = origin.live
    return FittedModel(
        version=origin.version,
        fitted_at=origin.fitted_at,
        fingerprint=origin.fingerprint,
        reused=origin.reused,
        why=origin.why,
        live=None
        if live is None
        else LiveAccuracy(
            mae=live.mae,
            values=live.values,
            coverage={"80": live.coverage_80, "95": live.coverage_95},
        ),
    )


def points_of(found: Selection, steps: int) -> list[ForecastPoint]:
    """The forecast as the result shows it, one point a step."""
    times = found.history.future(steps)
    bands = {f"{level:g}": found.quantile(level) for level in QUANTILES}
    return [
        ForecastPoint(
            target=found.history.tag,
            time=iso(times[i]),
            mean=float(found.mean[i]),
            quantiles={name: float(band[i]) for name, band in bands.items()},
        )
        for i in range(steps)
    ]


def _staleness(
    selections: Mapping[str, Selection], frame: Frame, grid: Plan, parameters: ForecastInput
) -> list[str]:
    """Targets that end before the data do, or, where rows of plans follow, before other targets."""
    lasts = [found.history.last_time for found in selections.values()]
    end = max(lasts) if parameters.known_future else frame.times[-1]
    notes = []
    for tag, found in selections.items():
        behind = (end - found.history.last_time).astype("timedelta64[us]").astype(np.int64) / 1e6
        if behind > STALE_STEPS * grid.period:
            notes.append(
                f"{tag} has no value since {iso(found.history.last_time)}; its forecast starts there"
            )
    return notes


def _naive(selections: Mapping[str, Selection]) -> list[str]:
    """Which targets no model forecasts better than a naive rule: said, not hidden."""
    return [
        f"{tag}: no model was better than the {found.model.name.replace('_', ' ')} rule on its past "
        "beyond chance, so that rule is used"
        for tag, found in selections.items()
        if found.model.name in BASELINES
    ]


def _summary(selections: Mapping[str, Selection], grid: Plan, plant: Plant, *, named: bool) -> str:
    many = len(selections)
    ahead = span(grid.steps * grid.period)
    head = f"{many} {'tag' if many == 1 else 'tags'} forecast {ahead} ahead"
    if not named:
        head += " (chosen, as none were named)"

    def move(found: Selection) -> float:
        spread = float(np.std(found.history.values[-200:]))
        change = abs(float(found.mean[-1] - found.history.values[-1]))
        return change / spread if spread > 0 else 0.0

    found = max(selections.values(), key=move)
    tag = plant.by_name.get(found.history.tag)
    unit = f" {tag.unit}" if tag and tag.unit else ""
    low, high = found.quantile(0.025)[-1], found.quantile(0.975)[-1]
    text = (
        f"{head}. {'' if many == 1 else 'Largest move: '}{found.history.tag} from "
        f"{found.history.values[-1]:.4g} to {found.mean[-1]:.4g}{unit} by "
        f"{iso(found.history.future(grid.steps)[-1])} (95 % between {low:.4g} and {high:.4g})."
    )
    crossing = [
        name for name, item in selections.items() if _crosses(item, plant.by_name.get(name))
    ]
    if crossing:
        text += f" Expected beyond an alarm limit: {', '.join(crossing[:5])}."
    return text


def _crosses(found: Selection, tag: Tag | None) -> bool:
    if tag is None:
        return False
    high = [limit for limit in (tag.limits.high, tag.limits.high_high) if limit is not None]
    low = [limit for limit in (tag.limits.low, tag.limits.low_low) if limit is not None]
    above = bool(high) and bool((found.mean >= min(high)).any())
    return above or (bool(low) and bool((found.mean <= max(low)).any()))
