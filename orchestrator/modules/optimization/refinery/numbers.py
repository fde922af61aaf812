"""Numbers of a refinery model: plain, with a unit, or one for each period.

    max: 60                      the model's own unit (flows per day)
    max: 60 kbbl/d               any unit of the same sort
    max: [60, 40]                one for each period, in order
    max: {january: 60, default: 40}

They are turned into the model's units while the model is read. Which units and periods those are is told
by ``reading``, so that an error stands at its own place in the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from orchestrator.errors import ConfigurationError
from orchestrator.plant.expressions import Expression
from orchestrator.plant.units import conversion

PerPeriod = float | dict[str, float]
Price = float | str | dict[str, float | str]
Sort = Literal["rate", "amount", "plain", "money", "quality"]

DEFAULT = "default"
MOST = 1e12
"""Largest size of a number: no refinery has more, and solvers reckon with rounding beyond it."""
_QUOTED = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?")
_WITH_UNIT = re.compile(
    r"^\s*(?P<number>[-+]?\d+(?:_\d+)*(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(?P<unit>[A-Za-z%°$€][^\n]*)?$"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """Units and periods of the model that is being read; ``periods`` is null where they are not known."""

    quantity_unit: str = "bbl"
    money_unit: str = "USD"
    periods: tuple[str, ...] | None = None


_READING: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading(units: Reading) -> Iterator[None]:
    """Read numbers in these units and for these periods."""
    token = _READING.set(units)
    try:
        yield
    finally:
        _READING.reset(token)


def at(value: PerPeriod, period: str) -> float:
    """The number of a period."""
    if not isinstance(value, dict):
        return value
    return value[period] if period in value else value[DEFAULT]


def price_at(value: Price, period: str) -> float | str:
    """The price of a period, a number or an expression."""
    if not isinstance(value, dict):
        return value
    return value[period] if period in value else value[DEFAULT]


def every(value: PerPeriod) -> tuple[float, ...]:
    """All its numbers."""
    return tuple(value.values()) if isinstance(value, dict) else (value,)


def added(*values: PerPeriod) -> PerPeriod:
    """Sum of numbers, period by period."""
    return _combined(math.fsum, values)


def multiplied(*values: PerPeriod) -> PerPeriod:
    """Product of numbers, period by period."""
    return _combined(math.prod, values)


def _combined(
    operation: Callable[[list[float]], float], values: tuple[PerPeriod, ...]
) -> PerPeriod:
    scalars = [value for value in values if not isinstance(value, dict)]
    if len(scalars) == len(values):
        return operation(scalars)
    given = [value for value in values if isinstance(value, dict)]
    names = dict.fromkeys(name for value in given for name in value if name != DEFAULT)
    found = {name: operation([at(value, name) for value in values]) for name in names}
    if all(DEFAULT in value for value in given):
        found[DEFAULT] = operation([at(value, DEFAULT) for value in values])
    return found


def _read(sort: Sort, least: float | None, *, above: bool) -> Any:
    """A validator of numbers of a sort."""

    def scalar(value: Any) -> float:
        number = _number(value, sort)
        if abs(number) > MOST:
            raise ValueError(f"is beyond {MOST:g}; where there is no limit leave it out")
        if least is not None and (number < least or (above and number == least)):
            raise ValueError(f"must be {'greater than' if above else 'at least'} {least:g}")
        return number

    def read(value: Any) -> PerPeriod:
        if isinstance(value, Mapping):
            return {name: scalar(item) for name, item in _by_period(value).items()}
        if isinstance(value, list | tuple):
            return {name: scalar(item) for name, item in _in_order(value).items()}
        return scalar(value)

    return read


def _price(value: Any) -> Price:
    if isinstance(value, Mapping):
        return {name: _one_price(item) for name, item in _by_period(value).items()}
    if isinstance(value, list | tuple):
        return {name: _one_price(item) for name, item in _in_order(value).items()}
    return _one_price(value)


def _one_price(value: Any) -> float | str:
    if not isinstance(value, str):
        number = _number(value, "money")
        if abs(number) > MOST:
            raise ValueError(f"is beyond {MOST:g}")
        return number
    found = _with_unit(value)
    if found is None or " " in (found["unit"] or ""):
        try:
            Expression.parse(value)
        except ConfigurationError as error:
            raise ValueError(
                f"is neither a number nor an expression over tags ({error.what})"
            ) from error
        return value
    return _number(value, "money")


def _number(value: Any, sort: Sort) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    if isinstance(value, str):
        return _measured(value, sort)
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value)


def _measured(text: str, sort: Sort) -> float:
    """A number with its unit, in the model's."""
    found = _with_unit(text)
    if found is None:
        raise ValueError("must be a number, with or without a unit")
    number, unit = float(found["number"]), found["unit"]
    if not unit:
        # YAML 1.1 takes 1e6 for text; what it takes for a number is text only where it was quoted.
        if _QUOTED.fullmatch(text.strip()):
            raise ValueError("is text: write the number without quotes, or with its unit behind it")
        return number
    unit = unit.strip()
    if sort == "money":
        return number * _per_unit(unit)
    if sort == "quality":
        raise ValueError(
            f"has a unit ({unit}); write the number alone, in the unit that the property is given in"
        )
    units = _READING.get() or Reading()
    if sort == "plain":
        if unit in ("%", "percent"):
            return number / 100.0
        raise ValueError(f"has a unit ({unit}) where a plain number or % is meant")
    wanted = units.quantity_unit + ("/day" if sort == "rate" else "")
    scale = _scale(unit, wanted)
    if scale is None:
        kind = "a flow" if sort == "rate" else "an amount"
        raise ValueError(
            f"is in {unit}, which does not fit quantity_unit {units.quantity_unit}: "
            f"give {kind} in {wanted}"
        )
    return number * scale


def _with_unit(text: str) -> re.Match[str] | None:
    """A number and the unit behind it, whose parts may stand apart (``60 kbbl / d``)."""
    return _WITH_UNIT.match(re.sub(r"\s*/\s*", "/", text))


def _per_unit(unit: str) -> float:
    """What a price per some unit is per unit of the model."""
    units = _READING.get() or Reading()
    money, _, quantity = unit.partition("/")
    money, quantity = money.strip(), quantity.strip()
    if money.casefold() != units.money_unit.casefold():
        raise ValueError(f"is in {money}, and money_unit is {units.money_unit}")
    scale = _scale(units.quantity_unit, quantity)
    if scale is None:
        raise ValueError(
            f"is money per {quantity or 'nothing'}, and quantity_unit is {units.quantity_unit}: "
            f"give it in {units.money_unit}/{units.quantity_unit}"
        )
    return scale


def _scale(given: str, wanted: str) -> float | None:
    found = conversion(given, wanted)
    return None if found is None or found[1] != 0.0 else found[0]


def _by_period(value: Mapping[Any, Any]) -> dict[str, Any]:
    given = {str(name): item for name, item in value.items()}
    known = _READING.get()
    if known is None or known.periods is None:
        return given
    names = ", ".join(known.periods) or "none"
    unknown = [name for name in given if name != DEFAULT and name not in known.periods]
    if unknown:
        raise ValueError(f"names the period {unknown[0]!r}; the model's periods are: {names}")
    if DEFAULT not in given:
        missing = [name for name in known.periods if name not in given]
        if missing or not given:
            raise ValueError(
                f"has no number for {', '.join(missing) or 'any period'}; name each period or "
                f"give a {DEFAULT}"
            )
    return given


def _in_order(value: Sequence[Any]) -> dict[str, Any]:
    known = _READING.get()
    names = known.periods if known is not None and known.periods is not None else ()
    if len(value) != len(names) or not names:
        raise ValueError(
            f"has {len(value)} numbers, and the model has {len(names) or 'no'} periods"
        )
    return dict(zip(names, value, strict=True))


_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "object"}, {"type": "array"}]}
_JSON = WithJsonSchema(_SCHEMA)
Rate = Annotated[PerPeriod, PlainValidator(_read("rate", 0.0, above=False)), _JSON]
"""A flow per day, at least 0, by period."""
"""A flow per day of either sign, by period."""
Amount = Annotated[PerPeriod, PlainValidator(_read("amount", 0.0, above=False)), _JSON]
"""An amount in store, at least 0, by period."""
Plain = Annotated[PerPeriod, PlainValidator(_read("plain", None, above=False)), _JSON]
"""A number without unit of its own (a yield, a share), by period."""
Quality = Annotated[PerPeriod, PlainValidator(_read("quality", None, above=False)), _JSON]
"""A property or its limit, in the property's own unit, by period."""
Cost = Annotated[PerPeriod, PlainValidator(_read("money", None, above=False)), _JSON]
"""Money per unit: a number, or a number with unit; by period."""
PlainPositive = Annotated[PerPeriod, PlainValidator(_read("plain", 0.0, above=True)), _JSON]
"""The same, greater than 0."""
PlainLeastZero = Annotated[PerPeriod, PlainValidator(_read("plain", 0.0, above=False)), _JSON]
"""The same, at least 0."""
Money = Annotated[Price, PlainValidator(_price), _JSON]
"""Money per unit: a number, a number with unit, or an expression over tags; by period."""
