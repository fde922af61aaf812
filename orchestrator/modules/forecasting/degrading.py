"""Which values degrade, towards what, and when they get there: the part of ``time_to_limit`` behind ``degradation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError, InsufficientDataError, ParameterError
from orchestrator.modules.forecasting.cleaning import MOST_DAYS
from orchestrator.modules.forecasting.cleaning_advice import TimeAfter, advise, advise_by_age
from orchestrator.modules.forecasting.cycles import DAY_US, Record, record
from orchestrator.modules.forecasting.degradation import Degraded, degraded
from orchestrator.modules.forecasting.degradation_curves import Sign, curves_for
from orchestrator.modules.forecasting.degradation_models import (
    Degradation,
    DegradationForecast,
    DegradationKind,
)
from orchestrator.modules.forecasting.lifetimes import Weibull, fit_weibull
from orchestrator.modules.frames import Frame, iso
from orchestrator.plant.tags import Limits, Plant

Array = NDArray[np.float64]

Way = Literal["rising", "falling"]

KINDS: dict[str, DegradationKind] = {"reactor": "catalyst", "filter": "filter"}
"""What equipment of a kind does by itself; all other equipment fouls."""
WANDERS = 0.9
"""Correlation of the residuals from point to point above which the draws say too little."""
FAR = 2.0
"""Lengths of the record beyond which a date is said to be far from what was seen."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One value that degrades.

    Attributes:
        name: Tag, or id of the equipment.
        what: How it degrades.
        unit: Its unit.
        limit: Its limit, if it has one.
        sign: Which way it degrades.
    """

    name: str
    what: Degradation
    unit: str
    limit: float | None
    sign: Sign


@dataclass(frozen=True, slots=True)
class Reach:
    """When a limit is reached, as probabilities and times; everything is null without a limit."""

    beyond: bool = False
    probability: float | None = None
    ever: float | None = None
    earliest: str | None = None
    median: str | None = None
    latest: str | None = None
    days: float | None = None


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
        if name in asked or name not in frame.names:
            continue
        what = Degradation(kind=KINDS.get(kinds[name], "fouling"))
        try:
            found.append(_one(name, what, limits, health_limit, frame, plant, horizon_days, seed))
        except DanGError:
            continue  # nobody asked; the forecast paths speak for it
    return sorted(found, key=lambda item: (not item.beyond, item.days is None, item.days or 0.0))


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
        return _by_age(
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
        return _by_age(subject, life, past.age, past, after, horizon_days, seed)
    positive = float(past.values.min()) > 0
    curves = curves_for(what.kind, what.model, subject.sign, positive=positive)
    if not curves:
        raise ParameterError(
            f"model is {what.model}",
            where=name,
            why="it is a curve for the other direction, or for values above zero",
            remedy="give model: auto",
        )
    return _by_curve(subject, degraded(past, curves, name, seed), after, horizon_days)


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
    return Subject(name, what, tag.unit if tag else "", limit, 1 if direction == "rising" else -1)


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


def _reach(days: Array, horizon_days: float, after: TimeAfter, *, beyond: bool) -> Reach:
    if beyond:
        return Reach(True, 1.0, 1.0, days=0.0)
    low, middle, high = np.quantile(days, [0.1, 0.5, 0.9], method="inverted_cdf")

    def date(value: float) -> str | None:
        return iso(after(value)) if value <= MOST_DAYS else None

    return Reach(
        False,
        round(float(np.mean(days <= horizon_days)), 4),
        round(float(np.mean(days <= MOST_DAYS)), 4),
        date(low),
        date(middle),
        date(high),
        round(float(middle), 3) if middle <= MOST_DAYS else None,
    )


def _by_curve(
    subject: Subject, found: Degraded, after: TimeAfter, horizon_days: float
) -> DegradationForecast:
    fit, past = found.best, found.record
    present = float(fit.at(np.array(past.age)))
    reach = Reach()
    notes: list[str] = []
    if subject.limit is not None:
        beyond = subject.sign * (present - subject.limit) >= 0
        reach = _reach(found.days_to(subject.limit), horizon_days, after, beyond=beyond)
        if reach.days is not None and reach.days > FAR * past.now:
            notes.append(
                f"the limit lies {reach.days / past.now:.0f} times as far ahead as the record goes back"
            )
    costs = subject.what.cleaning
    if costs is not None and len(past.starts) == 1 and costs.value_after is None:
        notes.append(
            "no cleaning is in the record: its first level is taken for clean, unless value_after is given"
        )
    if fit.correlation > WANDERS:
        notes.append("the level wanders about the curve; what comes may lie outside the interval")
    if fit.alone:
        notes.append("the present run differs from earlier ones and is followed alone")
    names = [f.name for f in found.fits]
    return DegradationForecast(
        name=subject.name,
        kind=subject.what.kind,
        model=fit.curve.name,
        weights={n: round(float(w), 4) for n, w in zip(names, found.weights, strict=True)},
        errors={f.name: None if np.isnan(f.error) else float(f.error) for f in found.fits},
        parameters=_parameters(found),
        limit=subject.limit,
        unit=subject.unit,
        direction="rising" if subject.sign > 0 else "falling",
        present=present,
        per_day=fit.slope(past.age),
        since=iso(past.time(float(past.starts[-1]))),
        cleanings=tuple(iso(past.time(float(at))) for at in past.starts[1:]),
        level_after_cleaning=found.level_after_cleaning,
        beyond=reach.beyond,
        probability=reach.probability,
        probability_ever=reach.ever,
        earliest_time=reach.earliest,
        median_time=reach.median,
        latest_time=reach.latest,
        days=reach.days,
        points=len(past.values),
        left_out=past.left_out,
        notes=tuple(notes),
        cleaning=None if costs is None else advise(found, costs, subject.limit, after),
    )


def _parameters(found: Degraded) -> dict[str, float]:
    fit = found.best
    shown = {"start_level": float(fit.levels[-1])}
    if fit.curve.name == "linear":
        shown["per_day"] = fit.gain
    elif fit.curve.name in ("asymptotic", "accelerating"):
        shown |= {"asymptote": fit.gain, "time_constant_days": fit.shape}
    elif fit.curve.name == "falling_rate":
        shown |= {"gain": fit.gain, "time_constant_days": fit.shape}
    else:
        shown["rate_per_day"] = fit.shape
    return shown


def _by_age(
    subject: Subject,
    life: Weibull,
    age: float,
    past: Record | None,
    after: TimeAfter,
    horizon_days: float,
    seed: int,
) -> DegradationForecast:
    beyond = (
        past is not None
        and subject.limit is not None
        and subject.sign * (float(np.median(past.values[-3:])) - subject.limit) >= 0
    )
    reach = _reach(life.remaining(age, seed), horizon_days, after, beyond=beyond)
    costs = subject.what.cleaning
    return DegradationForecast(
        name=subject.name,
        kind=subject.what.kind,
        model="weibull",
        weights={"weibull": 1.0},
        errors={"weibull": None},
        parameters={"shape": life.shape, "scale_days": life.scale, "age_days": age},
        limit=subject.limit,
        unit=subject.unit,
        direction="rising" if subject.sign > 0 else "falling",
        present=None if past is None else float(np.median(past.values[-3:])),
        per_day=None,
        since=None if past is None else iso(past.time(float(past.starts[-1]))),
        cleanings=()
        if past is None
        else tuple(iso(past.time(float(at))) for at in past.starts[1:]),
        level_after_cleaning=None,
        beyond=reach.beyond,
        probability=reach.probability,
        probability_ever=reach.ever,
        earliest_time=reach.earliest,
        median_time=reach.median,
        latest_time=reach.latest,
        days=reach.days,
        points=life.runs,
        left_out=0 if past is None else past.left_out,
        notes=(f"{life.failures} of {life.runs} runs ended in failure or at the limit",),
        cleaning=None if costs is None else advise_by_age(life, age, costs, seed, after),
    )


def in_words(found: Sequence[DegradationForecast]) -> list[str]:
    """A sentence for each of the three most urgent."""
    sentences = []
    for item in found[:3]:
        unit = f" {item.unit}" if item.unit else ""
        if item.limit is None:
            text = (
                f"{item.name} degrades" if item.median_time is None else f"{item.name} ends its run"
            )
        elif item.beyond:
            text = f"{item.name} is beyond {item.limit:g}{unit}"
        elif item.median_time is None:
            text = f"{item.name} degrades and reaches {item.limit:g}{unit} not within ten years"
        else:
            text = f"{item.name} degrades and reaches {item.limit:g}{unit}"
        if item.median_time is not None:
            first, last = (
                "no date" if time is None else time[:10]
                for time in (item.earliest_time, item.latest_time)
            )
            text += f" about {item.median_time[:10]} (80 %: {first} to {last})"
        sentences.append(f"{text}.")
        if item.cleaning is not None:
            sentences.append(item.cleaning.text)
    return sentences
