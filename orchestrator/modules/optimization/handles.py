"""The handles of the running unit: where each is, and how far it may be moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestrator.errors import ConfigurationError, ParameterError

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.models import SetpointsInput
    from orchestrator.plant.economic_model import EconomicModel
    from orchestrator.write_settings import TagEnvelope


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle; all values in the unit of its tag.

    Attributes:
        tag: Its name.
        now: Present value.
        lower: Lowest value that it may be moved to now.
        upper: Highest value that it may be moved to now.
        unit: Unit.
        lower_kind: Whether its range or the length of a move ends its reach downwards.
        upper_kind: The same upwards.
        low: Lowest value of its range.
        high: Highest value of its range.
        rate: Most that it moves in a minute; null where nothing says so.
    """

    tag: str
    now: float
    lower: float
    upper: float
    unit: str
    lower_kind: Literal["handle", "move"]
    upper_kind: Literal["handle", "move"]
    low: float
    high: float
    rate: float | None = None


def handle_of(
    name: str,
    now: float,
    economics: EconomicModel,
    parameters: SetpointsInput,
    context: OperationContext,
) -> Handle:
    """The handle inside its bounds, the limits of its tag and, where it is written, its envelope.

    Args:
        name: One of the model's handles.
        now: Present value.
        economics: The model.
        parameters: May hold it, limit it further, and say how long the moves may take.
        context: Knows the tag, and what may be written.

    Raises:
        ConfigurationError: a side has no bound.
        ParameterError: the limits leave no room.
    """
    tag = context.plant.by_name.get(name)
    asked = parameters.limits.get(name, (None, None))
    bounds = economics.handles[name]
    lows, highs = [bounds[0], asked[0]], [bounds[1], asked[1]]
    own = context.write_list.get(name)
    if own is not None:
        within = _proposable(own, now, name in parameters.limits)
        lows.append(within[0])
        highs.append(within[1])
    if tag is not None:
        lows.append(tag.settable[0])
        highs.append(tag.settable[1])
    low, high = highest(lows), lowest(highs)
    if math.isinf(low) or math.isinf(high):
        raise ConfigurationError(
            f"handle {name!r} has no {'lower' if math.isinf(low) else 'upper'} bound",
            where="economics.handles",
            remedy="give bounds there, or limits or a normal range on the tag",
        )
    if low > high:
        raise ParameterError(
            f"the limits of {name} leave no room ({low:g} to {high:g})",
            remedy="widen the limits of this run",
        )
    rate = economics.rates.get(name) if tag is None else tag.rate_limit
    reach = math.inf
    if own is not None:
        rate = own.max_rate if rate is None else min(rate, own.max_rate)
        reach = own.max_move
    if name in parameters.hold:
        reach = 0.0
    elif rate is not None:
        reach = min(reach, rate * parameters.move_minutes)
    lower, upper = max(low, now - reach), min(high, now + reach)
    if lower > upper:
        # Outside its bounds and unable to get there in time: as far towards them as it may move.
        lower = upper = now + reach if now < low else now - reach
    return Handle(
        name,
        now,
        lower,
        upper,
        tag.unit if tag else economics.units.get(name, ""),
        "move" if now - reach > low else "handle",
        "move" if now + reach < high else "handle",
        low,
        high,
        rate,
    )


def _proposable(own: TagEnvelope, now: float, asked: bool) -> tuple[float, float]:
    """The range to propose in: what one person may approve, or the hard limits where limits are asked for.

    A set point beyond the soft limits was put there by two persons, and may stay.
    """
    low, high = own.hard
    if asked:
        return low, high
    return max(low, min(own.usual[0], now)), min(high, max(own.usual[1], now))


def highest(values: list[float | None]) -> float:
    """The tightest lower bound; -inf where there is none."""
    return max((value for value in values if value is not None), default=-math.inf)


def lowest(values: list[float | None]) -> float:
    """The tightest upper bound; inf where there is none."""
    return min((value for value in values if value is not None), default=math.inf)
