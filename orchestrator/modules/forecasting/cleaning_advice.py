"""The economic date of a cleaning in dates and words, with its interval and what a week is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.cleaning import (
    MOST_DAYS,
    best_age,
    best_cycle,
    waiting,
)
from orchestrator.modules.forecasting.degradation import Degraded, Draws, clean_level
from orchestrator.modules.forecasting.degradation_models import Cleaning, CleaningAdvice, Reason
from orchestrator.modules.forecasting.lifetimes import Weibull
from orchestrator.modules.frames import iso

Array = NDArray[np.float64]
TimeAfter = Callable[[float], np.datetime64]
"""The time that lies so many days after now."""

WEEK = 7.0
RISK = 0.1
"""Chance of reaching the limit that a date may leave."""


@dataclass(frozen=True, slots=True)
class Pays:
    """When cleaning pays, days from now: in the fit, and in the draws."""

    days: float
    reason: Reason
    draws: Array


def advise(
    found: Degraded, costs: Cleaning, limit: float | None, after: TimeAfter
) -> CleaningAdvice:
    """When to clean a value that follows a curve."""
    fit, record = found.best, found.record
    one = _fitted(found)
    cycle = best_cycle(one, costs, costs.value_after, limit)
    run = waiting(one, costs, costs.value_after, record.age, cycle)
    until = [
        waiting(
            part,
            costs,
            costs.value_after,
            record.age,
            best_cycle(part, costs, costs.value_after, limit),
        ).days
        for part in found.draws
    ]
    draws = np.concatenate(until)
    economic = float(run.days[0])
    reason: Reason = "economics"
    if limit is not None:
        reached = found.days_to(limit)
        risky = float(np.quantile(reached, RISK, method="inverted_cdf"))
        draws = np.minimum(draws, reached)
        if risky < min(economic, MOST_DAYS):
            economic, reason = risky, "limit"
    pays = Pays(economic, reason, draws)
    rate = float(cycle.rate[0])
    # the first run may have begun before the record
    usual = float(record.lengths[1:].mean()) if len(record.lengths) > 1 else None
    date = pays.days if pays.days <= MOST_DAYS else None
    may_wait = date is not None and (reason != "limit")
    clean = float(one.clean[0]) if costs.value_after is None else costs.value_after
    interval = float(cycle.interval[0])
    return _advice(
        pays,
        after,
        interval=interval if interval <= MOST_DAYS else None,
        usual=usual,
        rate=rate,
        usual_rate=None if usual is None else cycle.at(usual),
        now=float(run.losses[0, 0]),
        earlier=-run.excess(date - WEEK, date, rate) if date is not None and date >= WEEK else None,
        later=run.excess(date, date + WEEK, rate) if date is not None and may_wait else None,
        value_after=clean,
        levels_off=float(run.losses[0, -1]) if np.isinf(economic) else None,
        name=fit.curve.name,
    )


def advise_by_age(
    life: Weibull, age: float, costs: Cleaning, seed: int, after: TimeAfter
) -> CleaningAdvice:
    """When to change a thing whose lives are known, before it fails."""
    best, rate = best_age(np.array([life.shape]), np.array([life.scale]), costs)
    ages, _ = best_age(*life.draws(seed), costs)
    days = np.maximum(ages - age, 0.0)
    interval = float(best[0])
    pays = Pays(max(interval - age, 0.0), "economics", days)
    return _advice(
        pays,
        after,
        interval=interval if interval <= MOST_DAYS else None,
        usual=None,
        rate=float(rate[0]),
        usual_rate=None,
        now=None,
        earlier=None,
        later=None,
        value_after=None,
        levels_off=None,
        name="weibull",
    )


def _fitted(found: Degraded) -> Draws:
    """The likeliest curve as its only draw."""
    fit = found.best
    values = (fit.levels[-1], fit.gain, fit.shape, clean_level(fit.levels))
    return Draws(fit.curve, *(np.array([value]) for value in values))


def _advice(
    pays: Pays,
    after: TimeAfter,
    *,
    interval: float | None,
    usual: float | None,
    rate: float,
    usual_rate: float | None,
    now: float | None,
    earlier: float | None,
    later: float | None,
    value_after: float | None,
    levels_off: float | None,
    name: str,
) -> CleaningAdvice:
    def date(days: float) -> str | None:
        return iso(after(days)) if days <= MOST_DAYS else None

    low, high = np.quantile(pays.draws, [0.1, 0.9], method="inverted_cdf")
    reason = pays.reason
    if pays.days > MOST_DAYS:
        reason = "never"
    elif pays.days == 0.0 and reason == "economics":
        reason = "overdue"
    when = date(pays.days)
    if when is None:
        text = "Cleaning does not pay within ten years"
        if name == "weibull":
            text = "A change before failure does not pay within ten years"
        elif levels_off is not None:
            text += f": waiting comes to cost {levels_off:,.0f} USD a day, less than cleaning would"
    elif reason == "overdue":
        text = "Cleaning pays now"
    elif reason == "limit" and pays.days == 0.0:
        text = "Clean now: the limit is reached, or may be at any time"
    elif reason == "limit":
        text = f"Clean by {when[:10]}: the limit comes before cleaning pays by itself"
    else:
        text = f"Cleaning pays on {when[:10]}"
    if reason == "economics" and (date(low), date(high)) != (None, None):
        text += f" (80 %: {(date(low) or 'never')[:10]} to {(date(high) or 'never')[:10]})"
    if later is not None:
        text += f"; a week later costs {later:,.0f} USD more"
    if interval is not None:
        text += f"; best interval {interval:.3g} d at {rate:,.0f} USD a day"
    return CleaningAdvice(
        date=when,
        earliest=date(float(low)),
        latest=date(float(high)),
        reason=reason,
        interval_days=_rounded(interval),
        usual_interval_days=_rounded(usual),
        best_usd_per_day=round(rate, 2),
        usual_usd_per_day=_rounded(usual_rate),
        now_usd_per_day=_rounded(now),
        week_earlier_usd=_rounded(earlier),
        week_later_usd=_rounded(later),
        value_after=value_after,
        text=f"{text}.",
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
