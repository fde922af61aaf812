"""The way from the present point to the proposed one: no handle too fast, no limit crossed on the way.

All handles move together along the straight line where the model, which is steady at each point of it,
keeps every limit there. Else they move one after the other, in the order that the model allows; where
none is free of crossings, the one that crosses least is given, and what it crosses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.optimization.steady_model import SteadyModel

Array = NDArray[np.float64]

STEP_MINUTES = 5.0
_POINTS = 11
_ORDERS = 5
_CROSSED = 1e-5


@dataclass(frozen=True, slots=True)
class Ramp:
    """The way.

    Attributes:
        steps: Minute, handle and its value from then on, in the order of time.
        minutes: When the last step is made.
        crossings: Limits that the model sees crossed on the way, in words.
        together: Whether the handles move together.
    """

    steps: tuple[tuple[float, str, float], ...]
    minutes: float
    crossings: tuple[str, ...]
    together: bool


def ramp(model: SteadyModel, target: Array, step_minutes: float = STEP_MINUTES) -> Ramp:
    """Plan the way to ``target`` ``(handles,)``."""
    moving = [i for i in range(len(target)) if target[i] != model.now[i]]
    if not moving:
        return Ramp((), 0.0, (), True)
    straight = _crossed(model, [(model.now, target)])
    order: tuple[int, ...] | None = None
    crossed = straight
    if straight.max(initial=0.0) > _CROSSED and len(moving) > 1:
        for candidate in _orders(model, target, moving):
            found = _crossed(model, _legs(model.now, target, candidate))
            if found.max(initial=0.0) < crossed.max(initial=0.0) - _CROSSED:
                order, crossed = candidate, found
            if crossed.max(initial=0.0) <= _CROSSED:
                break
    words = tuple(
        f"{limit.name} passes its {limit.side} {limit.bound:g} {limit.unit}".rstrip()
        + f" by {excess * limit.scale:.3g} on the way"
        for limit, excess in zip(model.limits, crossed, strict=True)
        if excess > _CROSSED
    )
    groups = [moving] if order is None else [[i] for i in order]
    steps: list[tuple[float, str, float]] = []
    start = 0.0
    for group in groups:
        start = _group_steps(model, target, group, start, step_minutes, steps)
    return Ramp(tuple(steps), start, words, order is None)


def _group_steps(
    model: SteadyModel,
    target: Array,
    group: list[int],
    start: float,
    step_minutes: float,
    steps: list[tuple[float, str, float]],
) -> float:
    """Add the steps of handles that move together; returns when they are there."""
    times = [_minutes(model, target, i) for i in group]
    whole = max(times)
    count = max(1, math.ceil(whole / step_minutes - 1e-9))
    for k in range(1, count + 1):
        share = 1.0 if k == count else k * step_minutes / whole
        at = start + share * whole
        for i in group:
            value = target[i] if k == count else model.now[i] + share * (target[i] - model.now[i])
            steps.append((round(at, 3), model.handles[i].tag, float(value)))
    return start + whole


def _minutes(model: SteadyModel, target: Array, i: int) -> float:
    rate = model.handles[i].rate
    return 0.0 if rate is None else float(abs(target[i] - model.now[i]) / rate)


def _legs(start: Array, target: Array, order: tuple[int, ...]) -> list[tuple[Array, Array]]:
    legs, now = [], start
    for i in order:
        then = now.copy()
        then[i] = target[i]
        legs.append((now, then))
        now = then
    return legs


def _crossed(model: SteadyModel, legs: list[tuple[Array, Array]]) -> Array:
    """How much farther than at the first and last point each limit is broken on the way."""
    shares = np.linspace(0.0, 1.0, _POINTS)[:, None]
    points = np.vstack([a + shares * (b - a) for a, b in legs])
    excess = np.maximum(model.excesses(points), 0.0)
    crossed: Array = excess.max(axis=0) - np.maximum(excess[0], excess[-1])
    return crossed


def _orders(model: SteadyModel, target: Array, moving: list[int]) -> list[tuple[int, ...]]:
    """Every order of few handles; of many, the one that breaks least at each next move."""
    if len(moving) <= _ORDERS:
        return list(itertools.permutations(moving))
    left, now, order = list(moving), model.now, []
    while left:
        costs = [_crossed(model, _legs(now, target, (i,))).max(initial=0.0) for i in left]
        after = []
        for i in left:
            then = now.copy()
            then[i] = target[i]
            after.append(float(np.maximum(model.excesses(then[None, :]), 0.0).sum()))
        best = min(range(len(left)), key=lambda k: (costs[k] + after[k], k))
        i = left.pop(best)
        order.append(i)
        now = _legs(now, target, (i,))[0][1]
    return [tuple(order)]
