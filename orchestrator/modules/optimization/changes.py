"""Supposed changes of a refinery model: the new value of each number that they name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.named_numbers import Path, Place, find, number_at
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.numbers import DEFAULT

PriceOf = Callable[[float | str], float]
Planned = Callable[[str, str], float]
"""Amount of a path (``units.cdu``) in a period of the present plan, per day."""


def apply(
    model: RefineryModel,
    changes: Sequence[ChangeOf],
    price: PriceOf,
    where: str = "changes",
    planned: Planned | None = None,
) -> RefineryModel:
    """The model with all changes, in their order.

    Args:
        model: The model as it is.
        changes: What is supposed.
        price: Money for a price of the model.
        where: The field of the request, for errors.
        planned: The present plan, from which a change ``by`` of an amount or throughput goes.

    Raises:
        ParameterError: a change names nothing that the model has, or more than one thing.
        ConfigurationError: the changed model is wrong.
    """
    document = model.model_dump(by_alias=True)
    for change in changes:
        place = find(change.what, model, where)
        periods = [span.name for span in model.periods]
        if place.amount:
            document["limits"].update(_fixed(place, change, periods or [""], where, planned))
        else:
            _put(document, place, change, price, periods, where)
    # Numbers that a change leaves alone must not follow one that it moves.
    return validated(copy.deepcopy(document), "the changed model")


def value_at(model: RefineryModel, place: Place, price: PriceOf) -> float | None:
    """The present number; ``None`` where there is none, or where it differs by period."""
    value = number_at(model.model_dump(by_alias=True), place.path)
    if isinstance(value, Mapping):
        if place.period:
            value = value.get(place.period, value.get(DEFAULT))
        else:
            different = set(value.values())
            value = different.pop() if len(different) == 1 else None
    return price(value) if isinstance(value, str) else value


def _fixed(
    place: Place, change: ChangeOf, periods: Sequence[str], where: str, planned: Planned | None
) -> dict[str, Any]:
    """Side limits that hold an amount of the plan at a value, in one period or in all."""
    values = {}
    for period in [place.period] if place.period else periods:
        present = None if planned is None else planned(place.amount, period)
        values[period] = changed_number(change, present, place.words, where)
    name = f"supposed {place.words}"
    if len(values) == 1 and "" in values:
        return {name: {"terms": {place.amount: 1.0}, "min": values[""], "max": values[""]}}
    if set(values) == set(periods):
        return {name: {"terms": {place.amount: 1.0}, "min": values, "max": values}}
    # In the other periods the limit says nothing: its only term has no weight.
    terms = {place.amount: {DEFAULT: 0.0} | dict.fromkeys(values, 1.0)}
    bound = {DEFAULT: 0.0} | values
    return {name: {"terms": terms, "min": bound, "max": bound}}


def _put(
    document: Any,
    place: Place,
    change: ChangeOf,
    price: PriceOf,
    periods: Sequence[str],
    where: str,
) -> None:
    *parents, last = place.path
    holder = number_at(document, tuple(parents))
    if isinstance(holder, tuple):
        holder = list(holder)
        _set(document, tuple(parents), holder)
    present = holder[last]
    if last == "price" and present is None and holder.get("tiers"):
        _put_steps(document, tuple(parents), place, change, price, periods, where)
    elif place.period:
        by_period = (
            dict(present) if isinstance(present, Mapping) else dict.fromkeys(periods, present)
        )
        one = by_period.get(place.period, by_period.get(DEFAULT))
        by_period[place.period] = _changed(change, one, price, place.words, where)
        holder[last] = {name: value for name, value in by_period.items() if value is not None}
        if any(value is None for value in by_period.values()):
            raise ParameterError(
                f"{place.words} has no number in the other periods",
                where=where,
                remedy="give one for all periods first",
            )
    elif isinstance(present, Mapping):
        holder[last] = {
            name: _changed(change, value, price, place.words, where)
            for name, value in present.items()
        }
    else:
        holder[last] = _changed(change, present, price, place.words, where)


def _put_steps(
    document: Any,
    holder: Path,
    place: Place,
    change: ChangeOf,
    price: PriceOf,
    periods: Sequence[str],
    where: str,
) -> None:
    """Move each step of a price."""
    if change.to is not None:
        raise ParameterError(
            f"{place.words} goes by steps and cannot be set to one value",
            where=where,
            remedy=f"move it by an amount, or name a step such as {'.'.join(map(str, holder))}.tiers.0.price",
        )
    for number in range(len(number_at(document, holder)["tiers"])):
        step = Place((*holder, "tiers", number, "price"), place.period)
        _put(document, step, change, price, periods, where)


def _changed(change: ChangeOf, present: Any, price: PriceOf, what: str, where: str) -> float:
    value = price(present) if isinstance(present, str) else present
    return changed_number(change, value, what, where)


def changed_number(change: ChangeOf, present: float | None, what: str, where: str) -> float:
    """The new value of a number.

    Raises:
        ParameterError: it has no present value from which to go.
    """
    if change.to is not None:
        return change.to
    assert change.by is not None
    if present is None:
        raise ParameterError(
            f"{what} has no present value to change by {change.by:g}",
            where=where,
            remedy="give its new value as to",
        )
    if change.unit in ("%", "percent"):
        return present * (1.0 + change.by / 100.0)
    return present + change.by


def _set(document: Any, path: Path, value: Any) -> None:
    number_at(document, path[:-1])[path[-1]] = value
