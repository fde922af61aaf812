"""Finds the best positions of the handles: limits first, then money.

Two problems, one after the other (lexicographic):

1. least violation: minimise the sum of broken limits, each over its scale
2. most money: maximise the objective with no limit broken further than step 1 had to

A model that is linear in the handles is solved by HiGHS; any other by SLSQP from several starts, the
best of many random points among them. What is found counts only after it was evaluated on the model itself against every limit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.modules.optimization.linear import Column, LinearProgram, Row
from orchestrator.modules.optimization.models import SolveStatus
from orchestrator.modules.optimization.steady_model import TOLERANCE, SteadyModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STATIONARY = 5e-3
_PROBES = 12
_SCREENED = 64


@dataclass(frozen=True, slots=True)
class Found:
    """The best positions, the multipliers there, and how sure that is.

    Attributes:
        status: ``optimal`` where verified and stationary, ``feasible`` where only verified,
            ``infeasible`` where limits stay broken.
        positions: Handle values, shape ``(handles,)``.
        objective: Objective there, USD/h.
        excess: How far each limit is broken there, in its own unit, shape ``(limits,)``.
        limit_prices: Gain of the objective, USD/h, for one unit of room on each limit.
        lower_prices: The same for the lower end of each handle.
        upper_prices: The same for the upper end of each handle.
        method: Solver used.
    """

    status: SolveStatus
    positions: Array
    objective: float
    excess: Array
    limit_prices: Array
    lower_prices: Array
    upper_prices: Array
    method: str


def search(
    model: SteadyModel, restore: tuple[str, ...], starts: int, seed: int, time_limit: float
) -> Found:
    """The best positions of the handles.

    Args:
        model: The model.
        restore: Tags whose limits weigh ten times as much while limits are restored.
        starts: Starting points where the model is nonlinear.
        seed: Seed of the random starting points.
        time_limit: Longest search, s.
    """
    return _Search(model, restore, starts, seed, time.monotonic() + time_limit).run()


class _Search:
    def __init__(
        self,
        model: SteadyModel,
        restore: tuple[str, ...],
        starts: int,
        seed: int,
        deadline: float,
    ) -> None:
        self.model = model
        self.weights = np.array([10.0 if i.name in restore else 1.0 for i in model.limits])
        self.starts = starts
        self.random = np.random.default_rng(seed)
        self.deadline = deadline
        self.lower = np.array([h.lower for h in model.handles])
        self.upper = np.array([h.upper for h in model.handles])
        self.span = self.upper - self.lower
        self.free = np.flatnonzero(self.span > 1e-12 * np.maximum(1.0, np.abs(self.upper)))
        self.base = np.clip(model.now, self.lower, self.upper)

    def run(self) -> Found:
        linear = self._is_linear()
        allowed = np.zeros(len(self.model.limits))
        start = self.base
        broken = np.maximum(self._excess(start), 0.0)
        if len(self.free) and broken.max(initial=0.0) > TOLERANCE:
            candidate = self._least_linear() if linear else self._least_nonlinear(start, broken)
            if self._violation(candidate) < self._violation(start):
                start = candidate
        reached = np.maximum(self._excess(start), 0.0)
        allowed = np.where(reached > TOLERANCE, reached, 0.0)
        best, method, complete = start, "evaluation", True
        if len(self.free):
            if linear:
                point = self._most_linear(allowed)
                method = "HiGHS simplex"
                if point is None or not self._verified(point, allowed):
                    linear = False
                else:
                    best = self._better(best, point)
            if not linear:
                best, complete = self._most_nonlinear(start, allowed)
                method = f"SLSQP from {self.starts} starts"
        best = self._snapped(best, allowed)
        return self._found(best, allowed, method, complete)

    def _found(self, best: Array, allowed: Array, method: str, complete: bool) -> Found:
        limit_prices, lower_prices, upper_prices, stationary = self._prices(best, allowed)
        excess = self._excess(best)
        status: SolveStatus = "optimal"
        if excess.max(initial=0.0) > 2 * TOLERANCE:
            status = "infeasible"
        elif not stationary or not complete:
            status = "feasible"
        scales = np.array([item.scale for item in self.model.limits])
        return Found(
            status,
            best,
            self._objective(best),
            excess * scales,
            limit_prices,
            lower_prices,
            upper_prices,
            method,
        )

    def _objective(self, position: Array) -> float:
        value = float(self.model.predict(position[None, :])["objective"][0])
        return value if np.isfinite(value) else -np.inf

    def _excess(self, position: Array) -> Array:
        excess: Array = self.model.excesses(position[None, :])[0]
        return excess

    def _violation(self, position: Array) -> float:
        return float(self.weights @ np.maximum(self._excess(position), 0.0))

    def _verified(self, position: Array, allowed: Array) -> bool:
        inside = bool(np.all(position >= self.lower) and np.all(position <= self.upper))
        return inside and bool(np.all(self._excess(position) <= allowed + TOLERANCE))

    def _better(self, one: Array, other: Array) -> Array:
        gain = self._objective(other) - self._objective(one)
        return other if gain > 1e-9 * max(1.0, abs(self._objective(one))) else one

    def _is_linear(self) -> bool:
        """Whether objective and limits follow their tangent at random positions."""
        if not len(self.free):
            return True
        probes = self.lower + self.random.random((_PROBES, len(self.span))) * self.span
        slope, excess_slope = self.model.gradients(self.base)
        moved = probes - self.base
        objective = self._objective(self.base) + moved @ slope
        excess = self._excess(self.base) + moved @ excess_slope
        size = np.abs(moved) @ np.abs(slope) + 1e-9
        same = np.abs(self.model.predict(probes)["objective"] - objective) <= 1e-6 * size
        level = 1e-6 * (np.abs(moved) @ np.abs(excess_slope) + 1.0)
        return bool(same.all() and (np.abs(self.model.excesses(probes) - excess) <= level).all())

    def _program(self, allowed: Array) -> LinearProgram:
        slope, excess_slope = self.model.gradients(self.base)
        excess = self._excess(self.base)
        program = LinearProgram()
        for i in self.free:
            low, high = self.lower[i] - self.base[i], self.upper[i] - self.base[i]
            program.add_column(Column(f"move {i}", low, high, slope[i]))
        for k in range(len(self.model.limits)):
            terms = {f"move {i}": float(excess_slope[i, k]) for i in self.free}
            program.add_row(Row(f"limit {k}", terms, upper=float(allowed[k] - excess[k])))
        return program

    def _position(self, values: dict[str, float]) -> Array:
        position = self.base.copy()
        for i in self.free:
            position[i] += values[f"move {i}"]
        return self._inside(position)

    def _least_linear(self) -> Array:
        program = self._program(np.zeros(len(self.model.limits)))
        for column in program.columns.values():
            column.worth = 0.0
        for k, weight in enumerate(self.weights):
            program.add_column(Column(f"slack {k}", worth=-float(weight)))
            program.rows[f"limit {k}"].terms[f"slack {k}"] = -1.0
        solution = program.solve(max(0.1, self.deadline - time.monotonic()))
        return self.base if solution.status != "optimal" else self._position(solution.values)

    def _most_linear(self, allowed: Array) -> Array | None:
        solution = self._program(allowed).solve(max(0.1, self.deadline - time.monotonic()))
        return self._position(solution.values) if solution.status == "optimal" else None

    def _least_nonlinear(self, start: Array, broken: Array) -> Array:
        """Least sum of violations: each limit gets a slack that is paid for."""
        n, m = len(self.free), len(broken)

        def cost(z: Array) -> float:
            return float(self.weights @ z[n:])

        def cost_slope(_: Array) -> Array:
            return np.concatenate((np.zeros(n), self.weights))

        def room(z: Array) -> Array:
            return z[n:] - self._excess(self._at(z[:n]))

        def room_slope(z: Array) -> Array:
            return np.hstack((-self._limit_slopes(z[:n]), np.eye(m)))

        first = np.concatenate((self._shares(start), broken))
        bounds: list[tuple[float, float | None]] = [(0.0, 1.0)] * n
        bounds += [(0.0, None)] * m
        z = self._minimise(cost, cost_slope, room, room_slope, first, bounds)
        best = start if z is None else self._at(z[:n])
        # The tangent's answer costs little and is often better where the limits are nearly linear.
        tangent = self._least_linear()
        return min((best, tangent), key=self._violation)

    def _most_nonlinear(self, start: Array, allowed: Array) -> tuple[Array, bool]:
        n = len(self.free)
        steepness, _ = self.model.gradients(self.base)
        scale = max(float(np.linalg.norm(steepness[self.free] * self.span[self.free])), 1e-9)

        def cost(z: Array) -> float:
            return -self._objective(self._at(z)) / scale

        def cost_slope(z: Array) -> Array:
            gradient, _ = self.model.gradients(self._at(z))
            slope: Array = -gradient[self.free] * self.span[self.free] / scale
            return slope

        def room(z: Array) -> Array:
            left: Array = allowed - self._excess(self._at(z))
            return left

        def room_slope(z: Array) -> Array:
            return -self._limit_slopes(z)

        best, complete = start, True
        bounds: list[tuple[float, float | None]] = [(0.0, 1.0)] * n
        points = [self._shares(start)]
        tangent = self._most_linear(allowed)
        if tangent is not None:
            points.append(self._shares(tangent))
        points += self._promising(self.starts - len(points), allowed)
        for point in points:
            if time.monotonic() > self.deadline:
                complete = False
                break
            z = self._minimise(cost, cost_slope, room, room_slope, point, bounds)
            if z is not None:
                best = self._better(best, self._drawn_back(self._at(z), start, allowed))
        return best, complete

    def _promising(self, wanted: int, allowed: Array) -> list[Array]:
        """The best of random starts: most objective, less what limits are broken by."""
        if wanted <= 0:
            return []
        shares = self.random.random((_SCREENED, len(self.free)))
        positions = np.stack([self._at(share) for share in shares])
        objective = self.model.predict(positions)["objective"]
        known = np.where(np.isfinite(objective), objective, -np.inf)
        spread = (
            float(np.ptp(objective[np.isfinite(objective)])) if np.isfinite(known).any() else 1.0
        )
        broken = np.maximum(self.model.excesses(positions) - allowed, 0.0).sum(axis=1)
        best = np.argsort(-(known - 10.0 * spread * broken), kind="stable")[:wanted]
        return [shares[i] for i in best]

    def _drawn_back(self, position: Array, verified: Array, allowed: Array) -> Array:
        """The farthest point towards ``position`` from a verified one that breaks no limit."""
        if self._verified(position, allowed):
            return position
        share, step = 0.0, 0.5
        for _ in range(40):
            trial = verified + (share + step) * (position - verified)
            if self._verified(self._inside(trial), allowed):
                share += step
            step /= 2
        return self._inside(verified + share * (position - verified))

    def _minimise(
        self,
        cost: Callable[[Array], float],
        cost_slope: Callable[[Array], Array],
        room: Callable[[Array], Array],
        room_slope: Callable[[Array], Array],
        start: Array,
        bounds: list[tuple[float, float | None]],
    ) -> Array | None:
        from scipy.optimize import minimize

        constraints = {"type": "ineq", "fun": room, "jac": room_slope}
        result: Any = minimize(
            cost,
            start,
            jac=cost_slope,
            bounds=bounds,
            constraints=[constraints] if len(self.model.limits) else [],
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-12},
        )
        return np.asarray(result.x) if np.all(np.isfinite(result.x)) else None

    def _at(self, shares: Array) -> Array:
        position = self.base.copy()
        position[self.free] = self.lower[self.free] + np.clip(shares, 0, 1) * self.span[self.free]
        return self._inside(position)

    def _inside(self, position: Array) -> Array:
        inside: Array = np.clip(position, self.lower, self.upper)
        return inside

    def _shares(self, position: Array) -> Array:
        shares: Array = (position - self.lower)[self.free] / self.span[self.free]
        inside: Array = np.clip(shares, 0.0, 1.0)
        return inside

    def _limit_slopes(self, shares: Array) -> Array:
        _, slopes = self.model.gradients(self._at(shares))
        found: Array = (slopes[self.free] * self.span[self.free, None]).T
        return found

    def _snapped(self, position: Array, allowed: Array) -> Array:
        """Moves too small to matter are left out where that breaks nothing."""
        small = np.abs(position - self.model.now) < 1e-5 * np.maximum(self.span, 1e-12)
        snapped = np.where(small, self.base, position)
        return snapped if self._verified(snapped, allowed) else position

    def _prices(self, best: Array, allowed: Array) -> tuple[Array, Array, Array, bool]:
        """Multipliers of active limits and handle ends, by non-negative least squares.

        At an optimum the objective's gradient is a non-negative sum of the gradients of what is
        active (Karush, Kuhn, Tucker); what is left over tells how far from an optimum this is.
        """
        from scipy.optimize import nnls

        n, m = len(best), len(self.model.limits)
        limit_prices, lower_prices, upper_prices = np.zeros(m), np.zeros(n), np.zeros(n)
        if not len(self.free):
            return limit_prices, lower_prices, upper_prices, True
        slope, excess_slope = self.model.gradients(best)
        span = self.span[self.free]
        target = slope[self.free] * span
        size = float(np.linalg.norm(target))
        shares = self._shares(best)
        active = np.flatnonzero(self._excess(best) >= allowed - 1e-5)
        at_low, at_high = np.flatnonzero(shares <= 1e-6), np.flatnonzero(shares >= 1 - 1e-6)
        unit = np.eye(len(self.free))
        columns = np.hstack(
            (excess_slope[self.free][:, active] * span[:, None], -unit[:, at_low], unit[:, at_high])
        )
        if columns.shape[1] == 0 or size == 0:
            return limit_prices, lower_prices, upper_prices, size < 1e-6 * (1 + self._size())
        sizes = np.maximum(np.linalg.norm(columns, axis=0), 1e-12)
        solved, residual = nnls(columns / sizes, target / size)
        prices = solved / sizes * size
        scales = np.array([item.scale for item in self.model.limits])
        limit_prices[active] = prices[: len(active)] / scales[active]
        lows = prices[len(active) : len(active) + len(at_low)]
        lower_prices[self.free[at_low]] = lows / span[at_low]
        upper_prices[self.free[at_high]] = prices[len(active) + len(at_low) :] / span[at_high]
        return limit_prices, lower_prices, upper_prices, bool(residual < STATIONARY)

    def _size(self) -> float:
        value = self._objective(self.base)
        return abs(value) if np.isfinite(value) else 1.0
