"""Which values degrade, towards what, and when they get there: the part of ``time_to_limit`` behind ``degradation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError, InsufficientDataError, ParameterError
from orchestrator.modules.forecasting.cycles import DAY_US, Record, record
from orchestrator.modules.forecasting.degradation import degraded
from orchestrator.modules.forecasting.degradation_curves import curves_for
from orchestrator.modules.forecasting.degradation_models import (
    Degradation,
    DegradationForecast,
    DegradationKind,
)
from orchestrator.modules.forecasting.degradation_results import Subject, by_age, by_curve
from orchestrator.modules.forecasting.lifetimes import fit_weibull
from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Limits, Plant

Array = NDArray[np.float64]

Way = Literal["rising", "falling"]

KINDS: dict[str, DegradationKind] = {"reactor": "catalyst", "filter": "filter"}
"""What equipment of a kind does by itself; all other equipment fouls."""
LEAST_DAYS_UNASKED = 5.0
"""Length of a record from which equipment that nobody named is said to degrade."""


def degradations(
    asked: Mapping[str, Degradation],
    by_default: Sequence[str],
    limits: Mapping[str, Limits],
    health_limit: float,
    frame: Frame,
    plant: Plant,
    *,
    horizon_days: float,
    seed: int,
    skipped: dict[str, str],
) -> list[DegradationForecast]:
    """Forecasts by curves of degradation, the soonest first.

    Args:
        asked: Values by name; what cannot be said of them is put into ``skipped``.
        by_default: Equipment that is looked at besides; where it does not degrade, nothing is said.
        limits: Limits that were given with the request.
        health_limit: Health at which equipment counts as failing.
        frame: Tags, and the health of equipment under its id.
        plant: Equipment, units and alarm limits.
        horizon_days: Horizon of the operation, d.
        seed: Seed of the draws.
        skipped: Name to reason, added to.

    Raises:
        UnknownTagError: a value asked for is neither in the data nor equipment with a health there.
    """
    found: list[DegradationForecast] = []
    kinds = {item.id: item.kind for item in plant.equipment}
    for name, what in asked.items():
        if name not in frame.names and not what.lives and name not in kinds:
            frame.column(name)  # raises, and names what there is
        try:
            found.append(_one(name, what, limits, health_limit, frame, plant, horizon_days, seed))
        except DanGError as error:
            if name not in skipped:
                reason = str(error).removeprefix(f"{name}: ")
                skipped[name] = f"no degradation is forecast: {reason}"
    for name in by_default:
        if name in asked or name not in frame.names or _length(frame, name) < LEAST_DAYS_UNASKED:
            continue
        what = Degradation(kind=KINDS.get(kinds[name], "fouling"))
        try:
            found.append(_one(name, what, limits, health_limit, frame, plant, horizon_days, seed))
        except DanGError:
            continue  # nobody asked; the forecast paths speak for it
    return sorted(found, key=lambda item: (not item.beyond, item.days is None, item.days or 0.0))


def _length(frame: Frame, name: str) -> float:
    """Days from the first known value to the last."""
    known = frame.times[np.isfinite(frame.column(name))]
    if not len(known):
        return 0.0
    return float((known[-1] - known[0]).astype("timedelta64[us]").astype(np.float64)) / DAY_US


def _one(
    name: str,
    what: Degradation,
    limits: Mapping[str, Limits],
    health_limit: float,
    frame: Frame,
    plant: Plant,
    horizon_days: float,
    seed: int,
) -> DegradationForecast:
    if what.lives:
        now = frame.times[-1]
        life = fit_weibull([x.days for x in what.lives], [x.failed for x in what.lives], name)
        subject = Subject(name, what, "", None, -1)
        return by_age(
            subject, life, what.age_days or 0.0, None, lambda d: _later(now, d), horizon_days, seed
        )
    subject = _subject(name, what, limits, health_limit, frame, plant)
    cleaned = None
    if what.cleaned_at is not None:
        cleaned = [
            np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us") for at in what.cleaned_at
        ]
    past = record(frame.times, frame.column(name), name, subject.sign, cleaned)

    def after(days: float) -> np.datetime64:
        return past.time(past.now + days)

    if what.model == "weibull":
        lives, failed = _lives(subject, past)
        life = fit_weibull(lives, failed, name)
        return by_age(subject, life, past.age, past, after, horizon_days, seed)
    positive = float(past.values.min()) > 0
    curves = curves_for(what.kind, what.model, subject.sign, positive=positive)
    if not curves:
        raise ParameterError(
            f"model is {what.model}",
            where=name,
            why="it is a curve for the other direction, or for values above zero",
            remedy="give model: auto",
        )
    return by_curve(subject, degraded(past, curves, name, seed), after, horizon_days)


def _subject(
    name: str,
    what: Degradation,
    limits: Mapping[str, Limits],
    health_limit: float,
    frame: Frame,
    plant: Plant,
) -> Subject:
    if name not in frame.names:
        raise InsufficientDataError("its health needs tags that the data lacks")
    is_equipment = any(item.id == name for item in plant.equipment)
    tag = plant.by_name.get(name)
    limit: float | None = what.limit
    direction: Way | Literal["auto"] = what.direction
    values = frame.column(name)
    values = values[np.isfinite(values)]
    if is_equipment:
        limit = health_limit if limit is None else limit
        direction = "falling" if direction == "auto" else direction
    known = limits.get(name) or (tag.limits if tag else Limits())
    above = known.high if known.high is not None else known.high_high
    below = known.low if known.low is not None else known.low_low
    if direction == "auto":
        direction = _direction(values, limit, above, below)
    if limit is None:
        limit = above if direction == "rising" else below
    if limit is None and what.cleaning is None and what.model != "weibull":
        raise ParameterError(
            "it has no limit",
            where=name,
            remedy=f"give one as degradation: {{{name}: {{limit: …}}}}, or costs of cleaning",
        )
    subject = Subject(
        name, what, tag.unit if tag else "", limit, 1 if direction == "rising" else -1
    )
    clean = what.cleaning.value_after if what.cleaning else None
    if limit is not None and clean is not None and subject.sign * (clean - limit) >= 0:
        raise ParameterError(
            f"cleaning.value_after is {clean:g}, which is beyond the limit {limit:g}",
            where=name,
            remedy="give the value of the clean state, or the direction",
        )
    return subject


def _direction(values: Array, limit: float | None, above: float | None, below: float | None) -> Way:
    """From the start towards the limit; without one, the way of most steps."""
    if not len(values):
        return "rising"  # the record says that all is missing
    if limit is None and (above is None) != (below is None):
        return "rising" if above is not None else "falling"
    if limit is not None:
        start = float(np.median(values[: max(3, len(values) // 20)]))
        return "rising" if limit > start else "falling"
    lag = max(1, len(values) // 20)
    return "rising" if float(np.median(values[lag:] - values[:-lag])) >= 0 else "falling"


def _later(now: np.datetime64, days: float) -> np.datetime64:
    return now + np.timedelta64(round(days * DAY_US), "us")


def _lives(subject: Subject, past: Record) -> tuple[list[float], list[bool]]:
    """Length of every run, and whether it reached the limit."""
    if subject.limit is None:
        raise ParameterError(
            "it has no limit, at which a life would end",
            where=subject.name,
            remedy="give limit, or lives and age_days",
        )
    ends = [*past.starts[1:], past.now]
    lives, failed = [], []
    for run, (start, end) in enumerate(zip(past.starts, ends, strict=True)):
        inside = past.run == run
        reached = subject.sign * (past.values[inside] - subject.limit) >= 0
        first = past.days[inside][reached]
        lives.append(max(float((first[0] if len(first) else end) - start), 1e-6))
        failed.append(bool(len(first)))
    return lives, failed
