"""The margin over one number of the model, and what its first limits earn when they are moved by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.modules.optimization import changes
from orchestrator.modules.optimization.linear import LinearProgram, LinearSolution
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.named_numbers import find
from orchestrator.modules.optimization.parametric import BISECTIONS, Curve, curve
from orchestrator.modules.optimization.planning.program import PlanProgram, PriceOf
from orchestrator.modules.optimization.planning.result import PlanLimit
from orchestrator.modules.optimization.planning.what_if_models import (
    CurveOf,
    CurvePoint,
    MarginCurve,
    OneMore,
)
from orchestrator.modules.optimization.refinery.model import RefineryModel

MOST_MOVED = 10
MOST_COLUMNS = 5000


def curves(
    model: RefineryModel, asked: Sequence[CurveOf], price: PriceOf, deadline: float
) -> tuple[tuple[MarginCurve, ...], list[str]]:
    """Each curve that is asked for, and what limits them.

    Raises:
        ParameterError: a number is not in the model, or has no present value from which to take an end.
    """
    found, notes = [], []
    for number, item in enumerate(asked):
        where = f"curves.{number}"
        drawn, complete = _drawn(model, item, price, where, deadline)
        found.append(drawn)
        if not complete:
            notes.append(f"{where}: the time did not suffice for the whole curve of {drawn.what}")
    return tuple(found), notes


def moved_by_one(
    built: PlanProgram,
    solution: LinearSolution,
    limits: Sequence[PlanLimit],
    price: PriceOf,
    deadline: float,
) -> tuple[tuple[OneMore, ...], list[str]]:
    """What the first limits earn when the number is moved by one, and whether time lacked for some.

    Everything is solved again for each.
    """
    if len(built.program.columns) > MOST_COLUMNS or solution.objective is None:
        return (), []
    found: list[OneMore] = []
    asked = [item for item in limits if item.key][:MOST_MOVED]
    for limit in asked:
        if time.monotonic() >= deadline:
            break
        what = f"{limit.key}.{limit.period}" if limit.period else limit.key
        step = 1.0 if abs(limit.bound) >= 1.0 else 0.01
        worth: list[float | None] = []
        for by in (step, -step):
            margin = _margin(built.model, what, by, price, deadline)
            worth.append(None if margin is None else (margin - solution.objective) / step)
        if time.monotonic() >= deadline:
            # What was not solved to its end says nothing.
            break
        found.append(OneMore(key=limit.key, period=limit.period, more=worth[0], less=worth[1]))
    late = []
    if len(found) < len(asked):
        late = [f"the time sufficed to move {len(found)} of {len(asked)} limits by one"]
    return tuple(found), late


def _margin(
    model: RefineryModel, what: str, by: float, price: PriceOf, deadline: float
) -> float | None:
    try:
        changed = changes.apply(model, [ChangeOf(what=what, by=by)], price)
    except (ConfigurationError, ParameterError):
        # One less than none, or a minimum above its maximum, is no model.
        return None
    return PlanProgram(changed, price).program.solve(deadline - time.monotonic()).objective


def _drawn(
    model: RefineryModel, asked: CurveOf, price: PriceOf, where: str, deadline: float
) -> tuple[MarginCurve, bool]:
    place = find(asked.what, model, f"{where}.what")
    present = None if place.amount else changes.value_at(model, place, price)
    low = asked.low if asked.low is not None else _end(present, 0.5, place.words, where)
    high = asked.high if asked.high is not None else _end(present, 1.5, place.words, where)
    if low >= high:
        raise ParameterError(
            f"the curve of {place.words} begins at {low:g} and ends at {high:g}",
            where=where,
            remedy="give low below high",
        )

    def program_at(value: float) -> LinearProgram:
        changed = changes.apply(model, [ChangeOf(what=place.words, to=value)], price, where)
        return PlanProgram(changed, price).program

    inside = present if present is not None and low <= present <= high else None
    first, last = _usable(program_at, low, high, inside, deadline)
    drawn = curve(program_at, first, last, max(0.1, deadline - time.monotonic()))
    told = MarginCurve(
        what=place.words,
        present=present,
        shape=drawn.shape,
        low=drawn.low,
        high=drawn.high,
        points=tuple(
            CurvePoint(value=p.at, margin=p.objective, slope=p.slope) for p in drawn.points
        ),
        text=_text(place.words, drawn, low, high, model.money_unit),
    )
    return told, drawn.complete


def _usable(
    program_at: Callable[[float], LinearProgram],
    low: float,
    high: float,
    inside: float | None,
    deadline: float,
) -> tuple[float, float]:
    """The part of an interval in which the number makes a model, such as a capacity above its minimum.

    Raises:
        ConfigurationError: neither an end nor the present value does.
    """

    def fits(value: float) -> bool:
        try:
            program_at(value)
        except ConfigurationError:
            return False
        return True

    ends = fits(low), fits(high)
    if all(ends):
        return low, high
    within = low if ends[0] else high if ends[1] else inside
    if within is None or not (any(ends) or fits(within)):
        program_at(low)
        return low, high

    def edge(without: float) -> float:
        good = within
        for _ in range(BISECTIONS):
            if time.monotonic() >= deadline:
                break
            middle = (without + good) / 2
            good, without = (middle, without) if fits(middle) else (good, middle)
        return good

    return low if ends[0] else edge(low), high if ends[1] else edge(high)


def _end(present: float | None, share: float, what: str, where: str) -> float:
    if not present:
        raise ParameterError(
            f"{what} has no one present value from which to draw",
            where=where,
            remedy="give low and high",
        )
    return present * share if present > 0 else present * (2.0 - share)


def _text(what: str, drawn: Curve, low: float, high: float, money: str) -> str:
    if not drawn.points:
        return f"There is no plan with {what} between {low:g} and {high:g}."
    first, last = drawn.points[0], drawn.points[-1]
    text = (
        f"With {what} from {first.at:g} to {last.at:g} the margin goes from {first.objective:,.0f} to "
        f"{last.objective:,.0f} {money}"
    )
    inner = drawn.points[1:-1]
    if drawn.shape != "sampled" and inner:
        shown = ", ".join(f"{point.at:,.6g}" for point in inner[:6])
        more = f" and {len(inner) - 6} more" if len(inner) > 6 else ""
        text += f" and bends at {shown}{more}"
    if drawn.low > low or drawn.high < high:
        text += "; beyond that there is no plan"
    return f"{text}."
