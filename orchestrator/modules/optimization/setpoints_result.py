"""The result of ``optimization.setpoints``: what to move, what it is worth, what holds it back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.optimization.handles import Handle
from orchestrator.modules.optimization.models import (
    BackOff,
    BindingLimit,
    Conflict,
    Estimated,
    Modifier,
    Move,
    PathStep,
    Response,
    SetpointsResult,
    Status,
)
from orchestrator.modules.optimization.rto.adaptation import Advice
from orchestrator.modules.optimization.rto.ramp import Ramp, ramp
from orchestrator.modules.optimization.rto.worth import worth
from orchestrator.modules.optimization.search import Found
from orchestrator.modules.optimization.steady_model import TOLERANCE, SteadyModel

Array = NDArray[np.float64]
HOURS = 24.0
_WORTH_SAYING = 0.01


def result_of(
    model: SteadyModel,
    advice: Advice,
    outside: tuple[str, ...],
    back_offs: tuple[BackOff, ...],
    step_minutes: float,
    points: int,
) -> SetpointsResult:
    """The result of an advice.

    Args:
        model: The model at the present point, with its limits drawn in.
        advice: Where to go.
        outside: Tags outside their limits now.
        back_offs: How far limits were drawn in by variation.
        step_minutes: Time between the steps of the way.
        points: Operating points that the model is corrected by.
    """
    target = advice.positions
    before = model.predict(model.now[None, :])
    after = model.predict(target[None, :])
    daily = HOURS * model.hourly
    gain = worth(model, target)
    moves = tuple(
        Move(tag=handle.tag, from_=handle.now, to=float(to), unit=handle.unit)
        for handle, to in zip(model.handles, target, strict=True)
        if to != handle.now
    )
    conflicts = _conflicts(model, target)
    status: Status = advice.found.status
    warnings = list(model.warnings)
    if status == "infeasible" and not conflicts:
        status = "feasible"
        warnings.append("every limit is kept, but not by the distance that its variation asks for")
    way = ramp(model.without_back_off(), target, step_minutes)
    warnings += way.crossings
    return SetpointsResult(
        summary=_summary(advice, moves, gain.expected * daily, outside, conflicts),
        warnings=tuple(warnings),
        status=status,
        moves=moves,
        worth_usd_per_day=gain.expected * daily,
        objective_usd_per_hour=float(after["objective"][0]) * model.hourly,
        binding=tuple(_binding(model, advice.found)) if advice.kind != "probe" else (),
        expected=_expected(model, before, after, _by_moves(model, target)),
        outside_before=outside,
        conflicts=conflicts,
        method=advice.found.method,
        kind=advice.kind,
        path=_path(model, way),
        path_minutes=way.minutes,
        worth_interval=(gain.low * daily, gain.high * daily),
        chance_of_gain=gain.chance,
        parameters=estimated(model),
        modifiers=modifiers_at(model, model.now),
        back_offs=back_offs,
        points=points,
        trust_region=advice.radius,
        converged=advice.converged,
    )


def _expected(
    model: SteadyModel,
    before: dict[str, Array],
    after: dict[str, Array],
    by_moves: dict[str, float],
) -> dict[str, Response]:
    known = model.plant.by_name
    handles = {handle.tag for handle in model.handles}
    shown = {*model.state.measured, *(name for name in before if name in known)} - handles
    return {
        name: Response(
            from_=float(values[0]),
            to=float(after[name][0]),
            unit=known[name].unit if name in known else model.economics.units.get(name, ""),
            by_moves=by_moves.get(name),
        )
        for name, values in before.items()
        if name in shown
    }


def _by_moves(model: SteadyModel, target: Array) -> dict[str, float]:
    """What each move changes a response by on its own, without signs and added up."""
    moving = np.flatnonzero(target != model.now)
    points = np.tile(model.now, (len(moving) + 1, 1))
    points[np.arange(len(moving)) + 1, moving] = target[moving]
    return {
        name: float(np.abs(values[1:] - values[0]).sum())
        for name, values in model.predict(points).items()
    }


def _path(model: SteadyModel, way: Ramp) -> tuple[PathStep, ...]:
    units = {handle.tag: handle.unit for handle in model.handles}
    return tuple(
        PathStep(at_minutes=minute, tag=tag, value=value, unit=units[tag])
        for minute, tag, value in way.steps
    )


def estimated(model: SteadyModel) -> dict[str, Estimated]:
    """Parameters that were to be estimated."""
    estimate = model.modifiers.estimate
    if estimate is None:
        return {}
    nominal = model.state.parameters
    found = {
        name: Estimated(value=value, nominal=nominal[name], sd=estimate.sd[name], held=False)
        for name, value in estimate.values.items()
    }
    held = {
        name: Estimated(value=nominal[name], nominal=nominal[name], sd=None, held=True)
        for name in estimate.held
    }
    return found | held


def modifiers_at(model: SteadyModel, position: Array) -> dict[str, Modifier]:
    """Zeroth- and first-order modifiers at a position ``(d,)``."""
    correction = model.modifiers.correction(position[None, :])
    sd = model.modifiers.sd(position[None, :])
    return {
        name: Modifier(
            zeroth=float(value[0]),
            sd=float(sd[name][0]),
            first=dict(zip(model.state.handles, slope[:, 0].tolist(), strict=True)),
        )
        for name, (value, slope) in correction.items()
    }


def _conflicts(model: SteadyModel, target: Array) -> tuple[Conflict, ...]:
    plain = model.without_back_off()
    items = [
        (excess * item.scale, item)
        for excess, item in zip(plain.excesses(target[None, :])[0], plain.limits, strict=True)
        if excess > 2 * TOLERANCE
    ]
    items.sort(key=lambda pair: -pair[0] / pair[1].scale)
    return tuple(
        Conflict(
            limit=item.name,
            side=item.side,
            bound=item.bound,
            relax_by=float(excess),
            unit=item.unit,
            text=f"{item.name} cannot come nearer to its {item.side} {item.bound:g} {item.unit} "
            f"than {excess:.3g}",
        )
        for excess, item in items
    )


def _binding(model: SteadyModel, found: Found) -> list[BindingLimit]:
    items: list[BindingLimit] = []
    hourly = model.hourly
    for price, limit in zip(found.limit_prices * hourly, model.limits, strict=True):
        if price * HOURS * limit.scale > _WORTH_SAYING:
            items.append(
                BindingLimit(
                    limit=limit.name,
                    kind=limit.kind,
                    side=limit.side,
                    bound=limit.bound,
                    unit=limit.unit,
                    shadow_price=_signed(price, limit.side),
                    text=_price_text(limit.name, limit.side, limit.bound, limit.unit, price),
                )
            )
    for i, handle in enumerate(model.handles):
        items += _handle_limits(
            handle, found.lower_prices[i] * hourly, found.upper_prices[i] * hourly
        )
    return sorted(items, key=lambda item: -abs(item.shadow_price))


def _handle_limits(handle: Handle, lower: float, upper: float) -> list[BindingLimit]:
    span = handle.upper - handle.lower
    return [
        BindingLimit.model_validate(
            {
                "limit": handle.tag,
                "kind": kind,
                "side": side,
                "bound": bound,
                "unit": handle.unit,
                "shadow_price": _signed(price, side),
                "text": _price_text(handle.tag, side, bound, handle.unit, price),
            }
        )
        for price, side, bound, kind in (
            (lower, "min", handle.lower, handle.lower_kind),
            (upper, "max", handle.upper, handle.upper_kind),
        )
        if price * HOURS * span > _WORTH_SAYING
    ]


def _signed(price: float, side: str) -> float:
    """Per day, for one more unit of the bound: more of a minimum costs what less of it earns."""
    return float(price * HOURS if side == "max" else -price * HOURS)


def _price_text(name: str, side: str, bound: float, unit: str, price: float) -> str:
    easing = "more" if side == "max" else "less"
    return (
        f"one {unit or 'unit'} {easing} on the {side} {bound:g} of {name} is worth "
        f"{price * HOURS:,.0f} USD a day"
    )


def _summary(
    advice: Advice,
    moves: tuple[Move, ...],
    worth: float,
    outside: tuple[str, ...],
    conflicts: tuple[Conflict, ...],
) -> str:
    found = advice.found
    listed = ", ".join(f"{m.tag} {m.from_:.4g} → {m.to:.4g} {m.unit}".rstrip() for m in moves)
    if not moves:
        text = "No move is worth making: the unit is where the model would have it"
    elif advice.kind == "probe":
        text = f"Move {listed} to learn how the plant answers; {worth:+,.0f} USD a day meanwhile"
    else:
        gain = "worth" if worth >= 0 else "at a cost of"
        text = f"Move {listed}; {gain} {abs(worth):,.0f} USD a day"
    if outside and not conflicts:
        text += f"; brings {', '.join(outside)} back inside"
    if conflicts:
        text += f"; limits cannot all be kept: {'; '.join(item.text for item in conflicts)}"
    if found.status == "optimal" and "SLSQP" in found.method:
        text += " (best local optimum found)"
    return text + "."
