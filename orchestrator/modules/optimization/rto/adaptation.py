"""Modifier adaptation: where to go next, given where the plant has been.

Each call solves the economic problem on the model as corrected by its modifiers, inside a trust region
about the best point seen (Conn, Gould and Toint 2000; Biegler, Lang and Lin 2014). At a converged point
plant and corrected model agree in value and slope, so that a point that satisfies the conditions of
Karush, Kuhn and Tucker for the model satisfies them for the plant (Marchetti, Chachuat and Bonvin 2009,
Ind. Eng. Chem. Res. 48:6022).

No step is spent on slopes alone. Slopes come from the points that were visited, through the mismatch's
Gaussian process, and a probing move is made only when the plan has nothing to gain and the improvement
to be expected from what is not known exceeds the tolerance; with noise the point of the greatest
expected improvement is taken, which weighs the two. The model's curvature need not be right: the
mismatch has curvature of its own, and the trust region shrinks until the prediction holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.optimization.rto.even_points import even_points
from orchestrator.modules.optimization.rto.history import OperatingPoint
from orchestrator.modules.optimization.rto.posterior import Posterior
from orchestrator.modules.optimization.search import Found, search
from orchestrator.modules.optimization.steady_model import SteadyModel

Array = NDArray[np.float64]
Kind = Literal["step", "probe", "stay"]

FIRST_RADIUS = 0.25
LEAST_RADIUS = 0.03
MOST_RADIUS = 0.6
_SHRINK, _GROW = 0.5, 1.7
_POOR, _GOOD = 0.25, 0.5
_CANDIDATES = 96
_NEARBY = (1.0, 0.25)
"""Shares of the trust region about whose centre candidates for a probing move are sought as well."""
_PARTS = (0.5, 0.25, 0.1)
"""Shares of the trust region within which plans are sought for the greatest lower bound on the gain."""
_SAME = 0.004
_ASTRAY = 0.02
_DOUBT = 2.0
_MOST_BLUR = 0.15
_REACH = 1.5
_REACH_INSIDE = 0.5


@dataclass(frozen=True, slots=True)
class Rules:
    """How to adapt.

    Attributes:
        radius: Half-width of the first trust region, as a share of each handle's range; 1 trusts the
            model everywhere.
        probing: Whether moves may be made to learn.
        gain: Exponential filter on moves, 0 to 1: the share of a step that is made.
        tolerance: A gain that is not worth a move, as a share of the objective's spread.
        caution: Standard deviations of what is not known of a limit that are kept from it.
        pessimism: Standard deviations of what is not known of a gain that are taken from it before plans
            within smaller and smaller regions are compared; 0 takes the greatest expected gain.
    """

    radius: float = FIRST_RADIUS
    probing: bool = True
    gain: float = 1.0
    tolerance: float = 3e-4
    caution: float = 0.0
    pessimism: float = 0.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the last advice promised, to be compared with what came.

    Attributes:
        gain: Expected gain over the centre of the trust region.
        at_boundary: Whether the trust region held the step back.
        target: Where it was to go; a plant that went elsewhere says nothing of the promise.
    """

    gain: float
    at_boundary: bool
    target: tuple[float, ...]


@dataclass(slots=True)
class Memory:
    """What is kept between calls.

    Attributes:
        points: Operating points, oldest first.
        radius: Present trust region; None before the first advice.
        centre: Number of the point about which it lies.
        last: The last advice's prediction.
    """

    points: list[OperatingPoint] = field(default_factory=list)
    radius: float | None = None
    centre: int = 0
    last: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Where to go.

    Attributes:
        kind: A step for money, a probing move, or to stay.
        positions: Handles there, shape ``(d,)``.
        found: The best of the corrected model inside the trust region.
        gain: Expected gain of ``positions`` over the present point, in the objective's unit.
        gain_sd: Its standard deviation.
        worth_of_probing: Largest expected improvement from what is not known.
        radius: Trust region.
        converged: Whether neither a step nor a probing move is worth it.
    """

    kind: Kind
    positions: Array
    found: Found
    gain: float
    gain_sd: float
    worth_of_probing: float
    radius: float
    converged: bool


def advise(
    model: SteadyModel, memory: Memory, rules: Rules, starts: int, seed: int, time_limit: float
) -> Advice:
    """Say where to go next, and note what was promised.

    Args:
        model: The model at the present point, which is the last of ``memory.points``.
        memory: Where the plant has been; the trust region is updated in place.
        rules: How to adapt.
        starts: Starting points of the search.
        seed: Seed of everything random.
        time_limit: Longest search, s.
    """
    model.learn(memory.points)
    spread = model.modifiers.objective_spread
    visited = np.array([[p.handles[h.tag] for h in model.handles] for p in memory.points])
    seen = Posterior.at(model, visited, model.now)
    merit = seen.merit(spread)
    blur = min(_MOST_BLUR, Posterior.noise(model, memory.points[-1].noise) / spread)
    _update(memory, rules, merit, seen, model, blur)
    memory.centre = best = int(np.argmax(merit))
    assert memory.radius is not None
    lower, upper = _region(model, visited[best], memory.radius)
    inside = model.within(lower, upper)
    found = search(inside, model.restored, starts, seed, time_limit)
    if rules.caution > 0:
        margins = Posterior.at(model, found.positions[None, :], model.now).excess_sd[0]
        if margins.max(initial=0.0) > 1e-6:
            careful = inside.drawn_in(rules.caution * margins)
            found = search(careful, model.restored, starts, seed, time_limit)
            inside = careful
    if rules.pessimism > 0 and blur > 0:
        found = _surest(model, found, rules, visited[best], memory.radius, starts, seed, time_limit)
    positions, kind, worth = _choice(inside, found, rules, memory, visited, seed, blur)
    if kind == "step" and rules.gain < 1.0:
        positions = model.now + rules.gain * (positions - model.now)
    there = Posterior.at(model, positions[None, :], model.now)
    here = Posterior.at(model, model.now[None, :], model.now)
    reach = np.maximum(np.abs(positions - visited[best]) / model.range.span, 0.0).max()
    memory.last = None
    if kind != "stay":
        memory.last = Prediction(
            gain=float(there.merit(spread)[0] - merit[best]),
            at_boundary=bool(reach > 0.98 * memory.radius),
            target=tuple(positions.tolist()),
        )
    return Advice(
        kind=kind,
        positions=positions,
        found=found,
        gain=float(there.objective[0] - here.objective[0]),
        gain_sd=float(there.gain_sd[0]),
        worth_of_probing=worth,
        radius=memory.radius,
        converged=kind == "stay" and found.status != "infeasible",
    )


def _update(
    memory: Memory, rules: Rules, merit: Array, seen: Posterior, model: SteadyModel, blur: float
) -> None:
    """Shrink the trust region where the last promise was broken, widen it where it was kept.

    A promise counts as broken only beyond what noise explains.
    """
    if memory.radius is None:
        memory.radius = rules.radius
    if memory.last is None or len(merit) < 2:
        return
    astray = np.abs(model.now - np.array(memory.last.target)) / model.range.span
    if astray.max() > _ASTRAY:
        return
    came = merit[-1] - merit[memory.centre]
    came += 0.5 * seen.gain_sd[memory.centre]
    promised = max(memory.last.gain, 1e-12)
    if came < _POOR * promised:
        memory.radius = max(memory.radius * _SHRINK, LEAST_RADIUS, _REACH * blur)
    elif came > _GOOD * promised and memory.last.at_boundary:
        memory.radius = min(memory.radius * _GROW, max(MOST_RADIUS, rules.radius))


def _region(model: SteadyModel, centre: Array, radius: float) -> tuple[Array, Array]:
    """The trust region, as far as the handles reach."""
    low = np.array([h.lower for h in model.handles])
    high = np.array([h.upper for h in model.handles])
    width = radius * model.range.span
    return np.clip(centre - width, low, high), np.clip(centre + width, low, high)


def _surest(
    model: SteadyModel,
    found: Found,
    rules: Rules,
    centre: Array,
    radius: float,
    starts: int,
    seed: int,
    time_limit: float,
) -> Found:
    """The plan with the greatest lower bound on its gain, of those within smaller and smaller regions."""
    plans = [found]
    for part in _PARTS:
        inside = model.within(*_region(model, centre, part * radius))
        plans.append(search(inside, model.restored, starts, seed, time_limit))
    said = Posterior.at(model, np.array([plan.positions for plan in plans]), centre)
    sure = said.merit(model.modifiers.objective_spread) - rules.pessimism * said.gain_sd
    return plans[int(np.argmax(sure))]


def _choice(
    model: SteadyModel,
    found: Found,
    rules: Rules,
    memory: Memory,
    visited: Array,
    seed: int,
    blur: float,
) -> tuple[Array, Kind, float]:
    """The step, a probing move, or neither, and what probing is worth."""
    spread = model.modifiers.objective_spread
    centre = visited[memory.centre]
    radius = memory.radius or rules.radius
    lower = np.array([h.lower for h in model.handles])
    upper = np.array([h.upper for h in model.handles])
    shares = even_points(_CANDIDATES, len(lower), _CANDIDATES * (seed + len(visited)))
    sought = [lower + shares * (upper - lower)]
    for part in _NEARBY:
        low, high = _region(model, centre, part * radius)
        low, high = np.clip(low, lower, upper), np.clip(high, lower, upper)
        sought.append(low + shares * (high - low))
    candidates = np.vstack((*sought, found.positions, centre))
    said = Posterior.at(model, candidates, centre)
    best = float(said.merit(spread)[-1])
    gain = float(said.merit(spread)[-2] - best)
    tolerance = rules.tolerance * spread
    nearest = float(np.abs((visited - found.positions) / model.range.span).max(axis=1).min())
    at_centre = bool(np.abs((model.now - centre) / model.range.span).max() < 1e-9)
    done = gain <= tolerance or nearest < _SAME
    improvement = said.expected_improvement(best, doubt=_DOUBT if done else 1.0)
    scaled = model.range.scaled(candidates)[:, None, :] - model.range.scaled(visited)
    apart = np.abs(scaled).max(axis=2).min(axis=1)
    improvement = np.where(apart >= min(blur, _REACH_INSIDE * radius), improvement, 0.0)
    most = int(np.argmax(improvement[:-1]))
    worth = float(improvement[most])
    restoring = found.status == "infeasible" and not done
    if restoring or not rules.probing or worth <= tolerance:
        stay = at_centre and gain <= tolerance
        return (model.now, "stay", worth) if stay else (found.positions, "step", worth)
    if most < len(candidates) - 2 and (blur > 0 or done):
        return candidates[most], "probe", worth
    return found.positions, "step", worth


def settled(rules: Rules) -> Rules:
    """The same rules for the last move of a run: no probing, and the surest gain, not the greatest."""
    return replace(rules, probing=False, pessimism=1.0)
