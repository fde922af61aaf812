"""What is said of one value that degrades: when it reaches its limit, when to clean it, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.cleaning import MOST_DAYS
from orchestrator.modules.forecasting.cleaning_advice import TimeAfter, advise, advise_by_age
from orchestrator.modules.forecasting.cycles import Record
from orchestrator.modules.forecasting.degradation import Degraded
from orchestrator.modules.forecasting.degradation_curves import Sign
from orchestrator.modules.forecasting.degradation_models import Degradation, DegradationForecast
from orchestrator.modules.forecasting.lifetimes import Weibull
from orchestrator.modules.frames import iso

Array = NDArray[np.float64]

WANDERS = 0.9
"""Correlation of the residuals from point to point above which the draws say too little."""
WANDERING = "the level wanders about the curve; what comes may lie outside the interval"
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

    @property
    def direction(self) -> Literal["rising", "falling"]:
        """The sign, in words."""
        return "rising" if self.sign > 0 else "falling"


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


def by_curve(
    subject: Subject, found: Degraded, after: TimeAfter, horizon_days: float
) -> DegradationForecast:
    """The result for a value that follows a curve."""
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
    # residuals show too little memory once a curve is taken out (Kendall 1954)
    memory = fit.correlation + (2 + 4 * fit.correlation) / len(fit.residuals)
    if memory > WANDERS:
        notes.append(WANDERING)
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
        direction=subject.direction,
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


def by_age(
    subject: Subject,
    life: Weibull,
    age: float,
    past: Record | None,
    after: TimeAfter,
    horizon_days: float,
    seed: int,
) -> DegradationForecast:
    """The result for a thing whose lives are known; ``past`` is null where they were given."""
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
        direction=None if past is None else subject.direction,
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
        if WANDERING in item.notes:
            text += f"; {WANDERING}"
        sentences.append(f"{text}.")
        if item.cleaning is not None:
            sentences.append(item.cleaning.text)
    return sentences
