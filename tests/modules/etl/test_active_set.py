"""Optima under bounds, against exact enumeration and against the optimality conditions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest

from orchestrator.modules.etl import bounds, least_squares
from orchestrator.modules.etl.bounds import BoundsError

Matrix = list[list[Fraction]]


def network(rng: np.random.Generator, nodes: int, streams: int, decades: float):
    """A random flow network whose measurements and bounds may contradict one another."""
    a = np.zeros((nodes, streams))
    for j in range(streams):
        ends = rng.choice(nodes + 1, size=2, replace=False)
        for end, sign in zip(ends, (1.0, -1.0), strict=True):
            if end < nodes:
                a[end, j] = sign
    size = 10 ** rng.uniform(-decades / 2, decades / 2, streams)
    known = rng.random(streams) < 0.7
    known[0] = True
    sd = size * 10 ** rng.uniform(-2, -0.5, streams)
    lower, upper = np.full(streams, -np.inf), np.full(streams, np.inf)
    for j, kind in enumerate(rng.random(streams)):
        if kind < 0.5:
            lower[j] = 0.0
        elif kind < 0.7:
            lower[j], upper[j] = 0.9 * size[j], size[j] * rng.uniform(1, 1.5)
        elif kind < 0.8:
            upper[j] = size[j]
    return a, size * rng.normal(1, 0.1, streams), sd, known, lower, upper


def solved(rows: Matrix, right: list[Fraction]) -> list[Fraction] | None:
    """A solution of linear equations in exact arithmetic, None where there is none."""
    work = [[*row, value] for row, value in zip(rows, right, strict=True)]
    count = len(rows[0])
    pivots: list[int] = []
    for column in range(count):
        at = len(pivots)
        row = next((i for i in range(at, len(work)) if work[i][column]), None)
        if row is None:
            continue
        work[at], work[row] = work[row], work[at]
        work[at] = [value / work[at][column] for value in work[at]]
        for i, other in enumerate(work):
            if i != at and other[column]:
                factor = other[column]
                work[i] = [x - factor * y for x, y in zip(other, work[at], strict=True)]
        pivots.append(column)
    if any(row[-1] for row in work[len(pivots) :]):
        return None
    found = [Fraction(0)] * count
    for row, column in enumerate(pivots):
        found[column] = work[row][-1]
    return found


def enumerated(a, y, sd, known, lower, upper) -> Fraction | None:
    """The least objective over all sets of held bounds, exactly; None where nothing is feasible."""
    rows, count = a.shape
    sides = [
        [None, *(Fraction(v) for v in (lo, up) if np.isfinite(v))]
        for lo, up in zip(lower, upper, strict=True)
    ]
    weight = [1 / Fraction(s) ** 2 if k else Fraction(0) for s, k in zip(sd, known, strict=True)]
    best: Fraction | None = None
    for held in product(*sides):
        size = count + rows
        system = [[Fraction(0)] * size for _ in range(size)]
        right = [Fraction(0)] * size
        for j, at in enumerate(held):
            if at is not None:
                system[j][j], right[j] = Fraction(1), at
                continue
            system[j][j], right[j] = weight[j], weight[j] * Fraction(y[j])
            for i in range(rows):
                system[j][count + i] = Fraction(a[i, j])
        for i in range(rows):
            system[count + i][:count] = [Fraction(v) for v in a[i]]
        found = solved(system, right)
        if found is None:
            continue
        point = found[:count]
        if any(x < lo or x > up for x, lo, up in zip(point, lower, upper, strict=True)):
            continue
        cost = sum(
            (w * (x - Fraction(v)) ** 2 for w, x, v in zip(weight, point, y, strict=True)),
            Fraction(0),
        )
        best = cost if best is None else min(best, cost)
    return best


def parts(a, y, sd, known, lower, upper):
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    problem = least_squares.Problem(
        a[:, known], a[:, ~known], np.zeros(len(a)), y[known], sd[known]
    )
    return problem, order, lower[order], upper[order]


@pytest.mark.parametrize("decades", [0.0, 3.0, 6.0])
@pytest.mark.parametrize("seed", range(15))
def test_the_optimum_is_that_of_exact_enumeration(seed: int, decades: float):
    rng = np.random.default_rng([seed, int(decades)])
    nodes = int(rng.integers(1, 4))
    case = network(rng, nodes, int(rng.integers(nodes + 1, 6)), decades)
    exact = enumerated(*case)
    problem, _, lower, upper = parts(*case)
    if exact is None:
        with pytest.raises(BoundsError) as refused:
            bounds.solve(problem, lower, upper)
        named = refused.value.context["streams"]
        assert named
        assert np.isfinite(lower[named]).any() or np.isfinite(upper[named]).any()
        return
    found = bounds.solve(problem, lower, upper)
    cost = float((((found.measured - problem.values) / problem.sd) ** 2).sum())
    assert cost == pytest.approx(float(exact), rel=1e-9, abs=1e-12)


def routes(rng: np.random.Generator, nodes: int, count: int, decades: float):
    """A larger network with flows along random routes, bounds around them, and contrary readings."""
    flows: dict[tuple[int, int], float] = {}
    for _ in range(count):
        stops = [nodes, *rng.permutation(nodes)[: rng.integers(1, 8)], nodes]
        amount = 10 ** rng.uniform(-decades / 2, decades / 2)
        for ends in pairwise(stops):
            flows[ends] = flows.get(ends, 0.0) + amount
    a = np.zeros((nodes + 1, len(flows)))
    for j, (source, target) in enumerate(flows):
        a[target, j] += 1.0
        a[source, j] -= 1.0
    true = np.array(list(flows.values()))
    sd = true * rng.choice([0.01, 0.02, 0.05], len(true))
    known = rng.random(len(true)) < 0.8
    lower = np.where(rng.random(len(true)) < 0.2, 0.9 * true, 0.0)
    upper = np.where(rng.random(len(true)) < 0.3, 1.005 * true, np.inf)
    return a[:nodes], true * rng.normal(1, 0.2, len(true)), sd, known, lower, upper


@pytest.mark.parametrize("decades", [0.0, 3.0, 6.0])
@pytest.mark.parametrize("seed", range(6))
def test_larger_networks_close_and_meet_the_optimality_conditions(seed: int, decades: float):
    rng = np.random.default_rng([seed, 7, int(decades)])
    case = routes(rng, 25, 30, decades)
    problem, order, lower, upper = parts(*case)
    found = bounds.solve(problem, lower, upper)
    assert found.binding.any()
    a = case[0][:, order]
    point = np.concatenate([found.measured, found.unmeasured])
    assert (point >= lower).all()
    assert (point <= upper).all()
    terms = np.abs(a) @ np.abs(point)
    assert (np.abs(a @ point) <= 1e-9 * np.maximum(terms, 1e-4 * terms.max())).all()
    # the multipliers of the balances, from the free streams alone, must push each held one outwards
    count = len(problem.values)
    sd = np.concatenate([problem.sd, np.abs(point[count:]) + 1.0])
    slope = np.zeros(len(point))
    slope[:count] = (point[:count] - problem.values) / problem.sd
    at_low, at_high = point <= lower, point >= upper
    free = ~(at_low | at_high)
    held_free = free | (found.binding == 0)
    scaled = a * sd
    rows = np.abs(scaled).max(axis=1)
    rows[rows == 0] = 1.0
    scaled /= rows[:, None]
    multipliers, *_ = np.linalg.lstsq(scaled[:, held_free].T, slope[held_free], rcond=1e-14)
    pull = slope - scaled.T @ multipliers
    room = 1e-7 * max(1.0, float(np.abs(slope).max()))
    assert (np.abs(pull[held_free]) < room).all()
    assert (pull[found.binding < 0] > -room).all()
    assert (pull[found.binding > 0] < room).all()
