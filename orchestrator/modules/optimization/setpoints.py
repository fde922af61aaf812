"""``optimization.setpoints``: what to move on the running unit, limits first and money second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.optimization.models import (
    BindingLimit,
    Conflict,
    Move,
    Response,
    SetpointsInput,
    SetpointsResult,
)
from orchestrator.modules.optimization.present import present_values
from orchestrator.modules.optimization.search import Found, search
from orchestrator.modules.optimization.steady_model import TOLERANCE, Handle, SteadyModel

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

CONFIGURE = (
    "add a section economics to the plant file: handles (tags that may move), responses (tag: "
    "expression over handles), objective (USD per hour) and constraints"
)
HOURS = 24.0
_WORTH_SAYING = 0.01


def run(parameters: SetpointsInput, context: OperationContext) -> SetpointsResult:
    """Propose moves.

    Raises:
        UnknownTagError: the model or a parameter names what is not a tag.
        InsufficientDataError: a present value that the model needs is not there.
    """
    if context.plant.economics is None:
        return SetpointsResult(
            summary="No set points can be proposed: the plant file has no economic model.",
            status="no_model",
            configure=CONFIGURE,
        )
    context.progress(0.1, "placing the model at the present point")
    model = place(parameters, context)
    before = np.maximum(model.excesses(model.now[None, :])[0], 0.0)
    outside = sorted({i.name for i, e in zip(model.limits, before, strict=True) if e > TOLERANCE})
    context.progress(0.3, "restoring limits" if outside else "searching the optimum")
    found = search(
        model,
        model.restored,
        parameters.starts,
        context.seed,
        parameters.time_limit_seconds,
    )
    return _result(model, found, tuple(outside))


def place(parameters: SetpointsInput, context: OperationContext) -> SteadyModel:
    """The economic model at the present values of the data and of the parameters."""
    economics = context.plant.economics
    assert economics is not None
    present = present_values(context, parameters.average_minutes) | dict(parameters.current)
    return SteadyModel(economics, present, parameters, context)


def _result(model: SteadyModel, found: Found, outside: tuple[str, ...]) -> SetpointsResult:
    before = model.predict(model.now[None, :])
    after = model.predict(found.positions[None, :])
    worth = (found.objective - float(before["objective"][0])) * HOURS
    moves = tuple(
        Move(tag=handle.tag, from_=handle.now, to=float(to), unit=handle.unit)
        for handle, to in zip(model.handles, found.positions, strict=True)
        if to != handle.now
    )
    handles = {handle.tag for handle in model.handles}
    known = model.plant.by_name
    expected = {
        tag: Response(
            from_=float(values[0]),
            to=float(after[tag][0]),
            unit=known[tag].unit if tag in known else "",
        )
        for tag, values in before.items()
        if tag in known and tag not in handles
    }
    conflicts = _conflicts(model, found)
    return SetpointsResult(
        summary=_summary(found, moves, worth, outside, conflicts),
        warnings=tuple(model.warnings),
        status=found.status,
        moves=moves,
        worth_usd_per_day=worth,
        objective_usd_per_hour=found.objective,
        binding=tuple(_binding(model, found)),
        expected=expected,
        outside_before=outside,
        conflicts=conflicts,
        method=found.method,
    )


def _conflicts(model: SteadyModel, found: Found) -> tuple[Conflict, ...]:
    items = [
        (excess, item)
        for excess, item in zip(found.excess, model.limits, strict=True)
        if excess > 2 * TOLERANCE * item.scale
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
    for price, limit in zip(found.limit_prices, model.limits, strict=True):
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
        items += _handle_limits(handle, found.lower_prices[i], found.upper_prices[i])
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
    found: Found,
    moves: tuple[Move, ...],
    worth: float,
    outside: tuple[str, ...],
    conflicts: tuple[Conflict, ...],
) -> str:
    if not moves:
        text = "No move is worth making: the unit is where the model would have it"
    else:
        listed = ", ".join(f"{m.tag} {m.from_:.4g} → {m.to:.4g} {m.unit}".rstrip() for m in moves)
        gain = "worth" if worth >= 0 else "at a cost of"
        text = f"Move {listed}; {gain} {abs(worth):,.0f} USD a day"
    if outside and not conflicts:
        text += f"; brings {', '.join(outside)} back inside"
    if conflicts:
        text += f"; limits cannot all be kept: {'; '.join(item.text for item in conflicts)}"
    if found.status == "optimal" and "SLSQP" in found.method:
        text += " (best local optimum found)"
    return text + "."
