"""What a solution says in words: what holds the plan back, what is left out, what conflicts, what grows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.modules.optimization.linear import (
    INFINITY,
    LinearSolution,
    Range,
    Relaxation,
    conflicting,
)
from orchestrator.modules.optimization.models import Conflict
from orchestrator.modules.optimization.planning.book import Limit, Side
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.result import NotDone, PlanLimit
from orchestrator.modules.optimization.planning.wording import number

SMALL = 1e-9


def binding(built: PlanProgram, solution: LinearSolution) -> tuple[PlanLimit, ...]:
    """Limits with a shadow price, by the size of price times bound, largest first."""
    values = solution.values
    found = [
        _limit(built, limit, price, ends, equal=equal)
        for limit, dual, ends, equal in _priced(built, solution)
        if abs(price := dual * limit.scale(values)) > SMALL
    ]
    found.sort(key=lambda item: -abs(item.shadow_price * (item.bound or 1.0)))
    return tuple(found)


def _priced(
    built: PlanProgram, solution: LinearSolution
) -> Iterator[tuple[Limit, float, Range | None, bool]]:
    """Each limit that holds a row or column, its dual value and the range of the program's bound."""
    book = built.book
    for name, dual, place in solution.row_prices(SMALL):
        limit = book.row_limits.get((name, _held(dual)))
        if limit is not None:
            row, ends = book.program.rows[name], solution.row_bounds.at(place)
            yield limit, dual, ends, row.lower == row.upper
    for name, dual, place in solution.column_prices(SMALL):
        limit = book.column_limits.get((name, _held(dual)))
        if limit is not None:
            column, ends = book.program.columns[name], solution.column_bounds.at(place)
            yield limit, dual, ends, column.lower == column.upper


def _held(dual: float) -> Side:
    """The end that a dual value of a maximum prices: more of a largest value cannot cost."""
    return "max" if dual > 0 else "min"


def _limit(
    built: PlanProgram, limit: Limit, price: float, ends: Range | None, *, equal: bool
) -> PlanLimit:
    low, high = (ends.low, ends.high) if ends and limit.fixed_range else (-math.inf, math.inf)
    scale = limit.factor({}) if limit.factor and limit.fixed_range else 1.0
    low, high = (low / scale, high / scale) if scale > 0 else (-math.inf, math.inf)
    return PlanLimit(
        limit=limit.what,
        path=limit.path,
        key=limit.key,
        period=limit.period,
        side="equal" if equal else limit.side,
        bound=limit.bound,
        shadow_price=price,
        from_bound=low if math.isfinite(low) else None,
        to_bound=high if math.isfinite(high) else None,
        step=_step(limit),
        text=_words(built, limit, price),
    )


def _words(built: PlanProgram, limit: Limit, price: float) -> str:
    money = built.model.money_unit
    step = _step(limit)
    amount = "one" if step == 1.0 else f"{step:g}"
    effect = "earns" if price > 0 else "costs"
    when = f" in {limit.period}" if limit.period else ""
    span = "a day"
    if built.model.periods:
        span = f"over its {limit.days:g} days" if limit.period else "over all periods"
    return (
        f"{f'{amount} {limit.unit}'.rstrip()} more of the limit on {limit.what} ({number(limit.bound)}){when} "
        f"{effect} {number(abs(price) * step)} {money} {span}"
    )


def _step(limit: Limit) -> float:
    """How much more is told of: one, or of a quality or share about a hundredth to a tenth of it."""
    if limit.fixed_range or not 0 < abs(limit.bound) < 10:
        return 1.0
    return float(10.0 ** (math.floor(math.log10(abs(limit.bound))) - 1))


def not_done(built: PlanProgram, solution: LinearSolution) -> tuple[NotDone, ...]:
    """Crudes, purchases, products and feeds at zero, with what their price lacks."""
    found: list[NotDone] = []
    money = f"{built.model.money_unit}/{built.model.quantity_unit}"
    for name, dual, _ in solution.column_prices(SMALL):
        kind, _, rest = name.partition(".")
        if kind not in ("crudes", "purchases", "products", "units") or dual > 0:
            continue
        if solution.values[name] > SMALL or built.program.columns[name].lower > 0:
            continue
        what, _, period = name.removesuffix("]").partition("[")
        rest = rest.partition("[")[0]
        lacks = -dual / built.book.days[name]
        when = f" in {period}" if period else ""
        if kind == "products":
            text = f"{rest} would have to sell for {number(lacks)} {money} more to be made"
        elif kind == "units":
            text = f"running {rest} loses {number(lacks)} {money}"
        else:
            text = f"{rest} would have to be {number(lacks)} {money} cheaper to be bought"
        found.append(NotDone(what=what, period=period, lacks=lacks, text=text + when))
    return tuple(sorted(found, key=lambda item: item.lacks))


def relaxations(built: PlanProgram, time_limit: float) -> tuple[Conflict, ...]:
    """Where infeasible: the limits to relax, with the least relaxation."""
    relaxed, values = built.program.relaxation(time_limit)
    return in_words(built, relaxed, values)


def in_words(
    built: PlanProgram, relaxed: Sequence[Relaxation], values: Mapping[str, float]
) -> tuple[Conflict, ...]:
    """Limits that give way, in the words of the model."""
    found: list[Conflict] = []
    for item in relaxed:
        side: Side = "min" if item.side == "min" else "max"
        limit = _limit_of(built, item.name, side)
        if limit is None:
            continue
        scale = abs(limit.scale(values))
        by = item.by / scale if scale > SMALL else item.by
        direction = "raise" if limit.side == "max" else "lower"
        when = f" in {limit.period}" if limit.period else ""
        text = f"{direction} the {limit.side} {number(limit.bound)} on {limit.what}{when} by {by:,.6g} "
        found.append(
            Conflict(
                limit=limit.what,
                key=limit.key,
                period=limit.period,
                side=limit.side,
                bound=limit.bound,
                relax_by=by,
                unit=limit.unit,
                text=f"{text}{limit.unit}".rstrip(),
            )
        )
    return tuple(found)


def in_conflict(built: PlanProgram, deadline: float) -> tuple[str, ...]:
    """Where infeasible: limits that cannot be kept together, none of which can be left out.

    None where the time did not suffice to leave out what can be.
    """
    conflict = conflicting(built.program, deadline - time.monotonic())
    if not conflict.irreducible:
        return ()
    found = []
    for item in conflict.limits:
        limit = _limit_of(built, item.name, "min" if item.side == "min" else "max")
        if limit is not None:
            when = f" in {limit.period}" if limit.period else ""
            found.append(f"{limit.what}{when} ({limit.side} {number(limit.bound)})")
    return tuple(found)


def _limit_of(built: PlanProgram, name: str, side: Side) -> Limit | None:
    book = built.book
    return book.row_limits.get((name, side)) or book.column_limits.get((name, side))


def unlimited(built: PlanProgram, solution: LinearSolution) -> tuple[tuple[str, ...], str]:
    """Where unbounded: what grows, and which numbers would stop it, in words."""
    numbers: dict[str, None] = {}
    for name in solution.ray:
        if built.program.columns[name].upper == INFINITY:
            numbers.update(dict.fromkeys(_missing(built, name)))
    return solution.ray, " or ".join(numbers)


def _missing(built: PlanProgram, column: str) -> list[str]:
    """The number that the model could have to bound a quantity without one."""
    kind, name, *_ = column.partition("[")[0].split(".")
    if kind in ("crudes", "purchases", "products", "utilities"):
        return [f"{kind}.{name}.max"]
    if kind == "tanks":
        return [f"tanks.{name}.capacity"]
    if kind == "units" and built.model.units[name].capacity is None:
        return [f"units.{name}.capacity"]
    return []
