"""Why a program has no point: limits that conflict, and the least relaxation that mends it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.linear.live import LiveProgram
from orchestrator.modules.optimization.linear.parts import INFINITY, Column, Row
from orchestrator.modules.optimization.linear.program import TIME_LIMIT, LinearProgram

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Relaxation:
    """How far a limit must give way at least: ``by`` in the limit's own unit."""

    name: str
    side: str
    bound: float
    by: float


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of an elastic row or column."""

    name: str
    side: str
    bound: float
    column: bool


@dataclass(frozen=True, slots=True)
class Conflicting:
    """Limits that cannot be kept together.

    Attributes:
        limits: By name, side (``min`` or ``max``) and bound.
        irreducible: Whether without any one of them the rest can be kept; else that is not proven, as the
            time ran out or the solver gave no answer that stands its proof.
    """

    limits: tuple[Limit, ...] = ()
    irreducible: bool = True


def relaxation(
    program: LinearProgram, time_limit: float = TIME_LIMIT
) -> tuple[list[Relaxation], dict[str, float]]:
    """The least change of elastic limits that makes the program feasible, largest first.

    Solves the elastic program (Brown and Graves, 1975; Chinneck, Feasibility and Infeasibility in
    Optimization, 2008, section 6.1): each limit may be exceeded by a slack that costs one over the size
    of the limit, so that limits of different size count alike. Returned with the values of the columns
    then; both are empty if no change of limits helps.
    """
    elastic = LinearProgram()
    slacks: list[tuple[str, str, str, float]] = []
    limits = list(program.rows.values())
    for column in program.columns.values():
        if column.elastic:
            free = min(column.lower, 0.0)
            elastic.add_column(Column(column.name, free, INFINITY, kind=column.kind))
            least = column.lower if column.lower > 0 else -INFINITY
            limits.append(Row(column.name, {column.name: 1.0}, least, column.upper))
        else:
            elastic.add_column(Column(column.name, column.lower, column.upper, kind=column.kind))
    for number, row in enumerate(limits):
        terms = dict(row.terms)
        for side, bound, sign in (("min", row.lower, 1.0), ("max", row.upper, -1.0)):
            if row.elastic and math.isfinite(bound):
                slack = f"slack {number} {side}"
                size = row.scale or max(abs(bound), 1.0)
                elastic.add_column(Column(slack, worth=-1.0 / size))
                slacks.append((slack, row.name, side, bound))
                terms[slack] = sign
        elastic.add_row(Row(f"limit {number}", terms, row.lower, row.upper))
    solution = elastic.solve(time_limit)
    if not solution.solved:
        return [], {}
    found = [
        Relaxation(name, side, bound, solution.values[slack])
        for slack, name, side, bound in slacks
        if solution.values[slack] > 1e-7 * max(1.0, abs(bound))
    ]
    found.sort(key=lambda item: -item.by / max(abs(item.bound), 1.0))
    return found, solution.values


def conflicting(program: LinearProgram, time_limit: float = TIME_LIMIT) -> Conflicting:
    """An irreducible set of elastic limits that conflict, given all else.

    HiGHS names an irreducible infeasible system; its elastic limits are then filtered by deletion, with
    balances and definitions in force (Chinneck and Dravnieks, ORSA Journal on Computing 3, 1991): a limit
    without which the rest still conflict is left out. Empty where the program has a point, or where what
    is not elastic conflicts by itself.
    """
    deadline = time.monotonic() + time_limit
    live = _without_worths(program)
    if live.solve(time_limit).status != "infeasible":
        return Conflicting()
    every = list(_limits(program))
    named = set()
    if not live.arrays.integer.any():
        columns, rows = live.irreducible()
        named = {(name, True) for name in columns} | {(name, False) for name in rows}
    kept = [limit for limit in every if (limit.name, limit.column) in named]
    stays = set(kept)
    for limit in every:
        if limit not in stays:
            _lift(live, limit)
    if live.solve(deadline - time.monotonic()).status != "infeasible":
        kept = every
        live = _without_worths(program)
    irreducible = True
    for limit in list(kept):
        left = deadline - time.monotonic()
        if left <= 0:
            return Conflicting(tuple(kept), irreducible=False)
        _lift(live, limit)
        status = live.solve(left).status
        if status == "infeasible":
            kept = [item for item in kept if item is not limit]
        else:
            irreducible &= status in ("optimal", "feasible")
            _restore(live, limit)
    return Conflicting(tuple(kept), irreducible)


def _without_worths(program: LinearProgram) -> LiveProgram:
    """The program without an objective: HiGHS has been seen to call an unbounded program infeasible."""
    live = program.live()
    live.set_worths(dict.fromkeys(program.columns, 0.0))
    return live


def _limits(program: LinearProgram) -> Iterator[Limit]:
    for is_column, parts in ((True, program.columns), (False, program.rows)):
        for part in parts.values():
            if not part.elastic:
                continue
            # A column cannot go below nothing: that is no limit that anyone set.
            if math.isfinite(part.lower) and not (is_column and part.lower <= 0):
                yield Limit(part.name, "min", part.lower, is_column)
            if math.isfinite(part.upper):
                yield Limit(part.name, "max", part.upper, is_column)


def _lift(live: LiveProgram, limit: Limit) -> None:
    """Take a limit out of force."""
    # A quantity that need not reach its minimum may be nothing, not less.
    _set(live, limit, INFINITY if limit.side == "max" else (0.0 if limit.column else -INFINITY))


def _restore(live: LiveProgram, limit: Limit) -> None:
    _set(live, limit, limit.bound)


def _set(live: LiveProgram, limit: Limit, bound: float) -> None:
    arrays = live.arrays
    if limit.column:
        place = live.column[limit.name]
        low, high = arrays.lower[place], arrays.upper[place]
    else:
        place = live.row[limit.name]
        low, high = arrays.row_lower[place], arrays.row_upper[place]
    pair = (bound, float(high)) if limit.side == "min" else (float(low), bound)
    (live.set_bounds if limit.column else live.set_rows)({limit.name: pair})
