"""``forecasting.time_to_limit``: when will something reach its limit, and how likely is that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.degradation_results import in_words
from orchestrator.modules.forecasting.degrading import degradations
from orchestrator.modules.forecasting.forecast import physical_bounds
from orchestrator.modules.forecasting.models import (
    LimitForecast,
    TimeToLimitInput,
    TimeToLimitResult,
)
from orchestrator.modules.forecasting.selection import Selection, select
from orchestrator.modules.forecasting.series import (
    DAY,
    HISTORY_PER_STEP,
    Plan,
    history,
    plan,
    span,
)
from orchestrator.modules.frames import Frame, iso, read_frame
from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import Plant

Array = NDArray[np.float64]
LimitName = Literal["low_low", "low", "high", "high_high", "health"]
PATHS = 2000
MAX_DEFAULT_HOURS = 168.0
LIKELY = 0.5
POSSIBLE = 0.05
NO_VALUES = "it has no values in the data"


@dataclass(frozen=True, slots=True)
class Watched:
    """One value with its limits; ``below`` tells whether a limit is reached from above."""

    name: str
    kind: Literal["tag", "equipment"]
    unit: str
    limits: tuple[tuple[LimitName, float], ...]

    @staticmethod
    def below(limit: LimitName) -> bool:
        """Whether the limit is a lower one."""
        return limit in ("low_low", "low", "health")


def run(parameters: TimeToLimitInput, context: OperationContext) -> TimeToLimitResult:
    """Forecast paths of each limited tag and each equipment's health, and when they reach a limit.

    Without a horizon it looks a third of the history ahead, at most a week. What is named in
    ``degradation``, and equipment whose health falls steadily, is carried on along curves of degradation
    too, beyond the horizon. What has no limit, no data or no change is listed in ``skipped`` with the
    reason.

    Raises:
        UnknownTagError, ParameterError: a tag or equipment named is not there, or none of those named has a
            limit.
        DataError: nothing can be said of any tag or equipment named, or within the horizon asked for.
    """
    context.progress(0.0, "reading")
    frame = read_frame(context.table()).in_order()
    skipped: dict[str, str] = {}
    watched = list(_watched(parameters, context.plant, frame, skipped))
    units = [item.name for item in watched if item.kind == "equipment"]
    frame = _with_health(frame, context.plant, [*units, *parameters.degradation], skipped)
    watched = [item for item in watched if item.name not in skipped]
    frame = _known_rows(frame, [*(item.name for item in watched), *parameters.degradation])
    grid = _plan(frame, parameters)
    found: list[LimitForecast] = []
    refused: dict[str, DanGError] = {}
    for i, item in enumerate(watched):
        context.progress(i / len(watched), f"forecasting {item.name}")
        try:
            past = history(frame, item.name, grid)
            bounds = physical_bounds(context.plant.by_name.get(item.name), past.values)
            selection = select(past, grid.steps, context.seed, bounds=bounds)
        except DanGError as error:
            skipped[item.name], refused[item.name] = str(error), error
            continue
        found += _reach(item, selection, grid, context.seed)
    found.sort(key=lambda item: (not item.beyond, -item.probability, item.hours or np.inf))
    context.progress(1.0, "degradation")
    degrading = degradations(
        parameters.degradation,
        units,
        parameters.limits,
        parameters.health_limit,
        frame,
        context.plant,
        horizon_days=grid.steps * grid.period / DAY,
        seed=context.seed,
        skipped=skipped,
    )
    if not found and not degrading:
        named = (*parameters.tags, *parameters.limits, *parameters.equipment)
        if not named and (parameters.horizon or parameters.horizon_hours):
            named = tuple(item.name for item in watched)
        _check_something_said(named, frame, skipped, refused)
    parts = [_summary(found, skipped, grid)] if found or not degrading else []
    return TimeToLimitResult(
        summary=" ".join([*parts, *in_words(degrading)]),
        warnings=grid.notes,
        limits=tuple(found),
        degradation=tuple(degrading),
        skipped=skipped,
        horizon=grid.steps,
        period_seconds=grid.period,
    )


def _check_something_said(
    named: Sequence[str],
    frame: Frame,
    skipped: Mapping[str, str],
    refused: Mapping[str, DanGError],
) -> None:
    """Raise the reason where everything named was skipped."""
    if not named or any(name not in skipped for name in named):
        return
    for name in named:
        if name in refused:
            raise refused[name]
    first = named[0]
    if skipped[first] == NO_VALUES:
        frame.column(first)  # raises, and names what there is
    raise ParameterError(
        skipped[first],
        where=first,
        remedy="name tags or equipment that the data and the plant file know",
    )


def _known_rows(frame: Frame, names: Sequence[str]) -> Frame:
    """The rows from the first in which anything watched is known; a longer past says nothing."""
    columns = [frame.names.index(name) for name in names if name in frame.names]
    known = np.flatnonzero(np.isfinite(frame.values[:, columns]).any(axis=1))
    if not len(known):
        return frame
    first = int(known[0])
    return Frame(frame.times[first:], frame.names, frame.values[first:], frame.skipped)


def _plan(frame: Frame, parameters: TimeToLimitInput) -> Plan:
    hours = parameters.horizon_hours
    if parameters.horizon is None and hours is None and len(frame.times) > 1:
        width = (frame.times[-1] - frame.times[0]).astype("timedelta64[us]").astype(np.int64)
        supported = float(width) / 3.6e9 / HISTORY_PER_STEP
        # a little less than the third, as the grid's own rounding takes its share
        hours = min(MAX_DEFAULT_HOURS, 0.9 * supported) if supported > 0 else None
    return plan(frame, parameters.horizon, hours)


def _watched(
    parameters: TimeToLimitInput, plant: Plant, frame: Frame, skipped: dict[str, str]
) -> Iterator[Watched]:
    tags = parameters.tags or (
        *parameters.limits,
        *(name for name in plant.tag_names if name not in parameters.limits),
    )
    named = parameters.equipment or parameters.degradation
    if named and not parameters.tags and not parameters.limits:
        tags = ()
    for name in tags:
        tag = plant.by_name.get(name)
        limits = parameters.limits.get(name) or (tag.limits if tag else None)
        given: tuple[tuple[LimitName, float], ...] = ()
        if limits is not None:
            names: tuple[LimitName, ...] = ("low_low", "low", "high", "high_high")
            given = tuple((n, value) for n in names if (value := getattr(limits, n)) is not None)
        if parameters.tags:
            frame.column(name)
            if not given:
                skipped[name] = (
                    "it has no alarm limits; give them in the plant file or as limits: "
                    f"{{{name}: {{high: …}}}}"
                )
                continue
        elif not given:
            continue
        elif name not in frame.names:
            skipped[name] = NO_VALUES
            continue
        yield Watched(name, "tag", tag.unit if tag else "", given)
    known = [item.id for item in plant.equipment]
    for name in parameters.equipment:
        if name not in known:
            raise ParameterError(
                f"there is no equipment {name!r}",
                where=plant.name,
                remedy=f"there is: {', '.join(known)}" if known else "the plant file names none",
            )
    if parameters.equipment or not (parameters.tags or parameters.degradation):
        for name in parameters.equipment or known:
            yield Watched(name, "equipment", "", (("health", parameters.health_limit),))


def _with_health(
    frame: Frame, plant: Plant, names: Sequence[str], skipped: dict[str, str]
) -> Frame:
    """The frame with one more column for each equipment of these names: its health over time."""
    expressions: Mapping[str, str] = {item.id: item.health for item in plant.equipment}
    columns = dict(zip(frame.names, frame.values.T, strict=True))
    values = dict(columns)
    for name in dict.fromkeys(names):
        if name not in expressions:
            continue
        expression = Expression.parse(expressions[name])
        lacking = sorted(expression.names - values.keys())
        if lacking:
            skipped[name] = f"its health needs {', '.join(lacking)}, which the data lacks"
            continue
        health = np.broadcast_to(np.asarray(expression.evaluate(values)), (len(frame.times),))
        columns[name] = health.astype(np.float64)
    table = np.column_stack(list(columns.values())) if columns else frame.values
    return Frame(frame.times, tuple(columns), table, frame.skipped)


def _reach(item: Watched, selection: Selection, grid: Plan, seed: int) -> list[LimitForecast]:
    paths = selection.paths(PATHS, seed)
    times = selection.history.future(grid.steps)
    present = float(selection.history.values[-1])
    found: list[LimitForecast] = []
    for limit, value in item.limits:
        below = Watched.below(limit)
        beyond = present <= value if below else present >= value
        reached = paths <= value if below else paths >= value
        ever = reached.any(axis=1)
        share = np.maximum.accumulate(reached, axis=1).mean(axis=0)
        median = _first(share, LIKELY)
        early = _first(share, 0.1)
        found.append(
            LimitForecast(
                name=item.name,
                kind=item.kind,
                limit=limit,
                limit_value=value,
                unit=item.unit,
                present=present,
                beyond=beyond,
                probability=1.0 if beyond else round(float(ever.mean()), 4),
                median_time=None if beyond or median is None else iso(times[median]),
                earliest_time=None if beyond or early is None else iso(times[early]),
                hours=0.0
                if beyond
                else None
                if median is None
                else round((median + 1) * grid.period / 3600, 3),
                model=selection.model.name,
            )
        )
    return found


def _first(share: Array, level: float) -> int | None:
    at = np.flatnonzero(share >= level)
    return int(at[0]) if len(at) else None


def _summary(found: list[LimitForecast], skipped: Mapping[str, str], grid: Plan) -> str:
    ahead = span(grid.steps * grid.period)
    if not found:
        if skipped:
            name, why = next(iter(skipped.items()))
            return f"Nothing can be said about any limit within {ahead}: {name}: {why}."
        return (
            "No tag of this plant has an alarm limit and no equipment a health: nothing to watch."
        )
    count = len({item.name for item in found})
    beyond = [item for item in found if item.beyond]
    likely = [item for item in found if not item.beyond and item.probability >= LIKELY]
    possible = [item for item in found if POSSIBLE <= item.probability < LIKELY]
    parts: list[str] = []
    if beyond:
        parts.append("; ".join(f"{_named(item)} is already reached" for item in beyond[:3]))
    if likely:
        parts.append(
            "; ".join(
                f"{_named(item)} is reached in about {span((item.hours or 0) * 3600)} "
                f"({100 * item.probability:.0f} % within {ahead})"
                for item in likely[:3]
            )
        )
    if possible:
        parts.append(
            "Possible: "
            + "; ".join(f"{_named(item)} {100 * item.probability:.0f} %" for item in possible[:3])
        )
    text = ". ".join(parts)
    checked = f"{count} {'value' if count == 1 else 'values'} looked at"
    return f"{text}; {checked}." if text else f"No limit is likely within {ahead}; {checked}."


def _named(item: LimitForecast) -> str:
    unit = f" {item.unit}" if item.unit else ""
    limit = "health limit" if item.limit == "health" else f"{item.limit.replace('_', '-')} limit"
    return f"{item.name} {limit} {item.limit_value:g}{unit} (now {item.present:.4g})"
