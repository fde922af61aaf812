"""A refinery model as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
from orchestrator.modules.optimization.refinery.numbers import PerPeriod, Price
from orchestrator.modules.optimization.refinery.parts import Priced


@dataclass(frozen=True, slots=True)
class ModelTable:
    """One table: its title, the names of its columns and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(sheet: Flowsheet) -> Iterator[ModelTable]:
    """The tables of a model; parts that it has not are left out."""
    model = sheet.model
    rate, money = f"{model.quantity_unit}/d", f"{model.money_unit}/{model.quantity_unit}"
    if model.periods:
        rows = tuple((span.name, f"{span.days:g}") for span in model.periods)
        yield ModelTable("Periods", ("period", "days"), rows)
    for title, section in (("Crudes", model.crudes), ("Purchases", model.purchases)):
        if section:
            yield ModelTable(
                title,
                ("name", f"price, {money}", f"min, {rate}", f"max, {rate}", "cuts"),
                tuple(
                    (name, _price(item), _number(item.min), _number(item.max), ", ".join(item.cuts))
                    for name, item in section.items()
                ),
            )
    yield ModelTable(
        "Processes",
        ("unit", "mode", "feed", "yields", f"cost, {money}", "use"),
        tuple(
            (
                process.unit,
                process.way,
                process.feed,
                ", ".join(f"{s} {_number(y)}" for s, y in process.yields.items()),
                _number(process.cost),
                _number(process.use),
            )
            for process in sheet.processes
        ),
    )
    yield ModelTable(
        "Units",
        ("unit", f"minimum, {rate}", f"capacity, {rate}", "how it runs"),
        tuple(
            (name, _number(unit.minimum), _number(unit.capacity), _manner(sheet, name))
            for name, unit in model.units.items()
        ),
    )
    yield from _stores(sheet)
    yield ModelTable(
        "Products",
        ("product", f"price, {money}", f"min, {rate}", f"max, {rate}", "made of", "specifications"),
        tuple(
            (
                name,
                _price(item),
                _number(item.min),
                _number(item.max),
                ", ".join(item.components)
                or ", ".join(f"{_number(part)} parts {s}" for s, part in item.recipe.items())
                or name,
                ", ".join(_spec(p, s.min, s.max) for p, s in item.specs.items()),
            )
            for name, item in model.products.items()
        ),
    )
    known = {stream: given for stream, given in sheet.properties.items() if given}
    if known:
        yield ModelTable(
            "Properties",
            ("stream", "properties"),
            tuple(
                (stream, ", ".join(f"{p} {_number(v)}" for p, v in known[stream].items()))
                for stream in sorted(known)
            ),
        )
    yield from _rest(sheet, rate)


def _stores(sheet: Flowsheet) -> Iterator[ModelTable]:
    model = sheet.model
    if model.pools:
        yield ModelTable(
            "Pools",
            ("pool", "mixes", "properties"),
            tuple(
                (name, ", ".join(pool.mixes), "computed" if pool.computed else "given")
                for name, pool in model.pools.items()
            ),
        )
    if model.tanks:
        yield ModelTable(
            "Tanks",
            ("tank", "holds", "opening", "heel", "capacity", "closing"),
            tuple(
                (
                    name,
                    tank.holds or name,
                    _number(tank.opening),
                    _number(tank.heel),
                    _number(tank.capacity),
                    _spec("", tank.closing.min, tank.closing.max),
                )
                for name, tank in model.tanks.items()
            ),
        )
    if model.utilities:
        yield ModelTable(
            "Utilities",
            ("utility", "unit", "price", "max a day", "from"),
            tuple(
                (
                    name,
                    item.unit,
                    "" if item.price is None else _money(item.price),
                    _number(item.max),
                    ", ".join(item.from_),
                )
                for name, item in model.utilities.items()
            ),
        )


def _rest(sheet: Flowsheet, rate: str) -> Iterator[ModelTable]:
    model = sheet.model
    if model.emissions:
        yield ModelTable(
            "Emissions",
            ("emission", "unit", "price", "cap a day", "cap in all"),
            tuple(
                (name, item.unit, _money(item.price), _number(item.cap), _number(item.cap_total))
                for name, item in model.emissions.items()
            ),
        )
    if model.limits:
        yield ModelTable(
            f"Further limits, {rate}",
            ("limit", "sum", "min", "max", "over"),
            tuple(
                (
                    name,
                    " + ".join(f"{_number(f)} {term}" for term, f in item.terms.items()),
                    _number(item.min),
                    _number(item.max),
                    item.over,
                )
                for name, item in model.limits.items()
            ),
        )


def _manner(sheet: Flowsheet, name: str) -> str:
    unit = sheet.model.units[name]
    said = []
    if unit.modes:
        said.append(f"{len(unit.modes)} modes{', one at a time' if unit.one_mode else ''}")
    if unit.severity is not None:
        said.append(f"severity {unit.severity.low.value:g} to {unit.severity.high.value:g}")
    if unit.on_off:
        said.append("on or off")
    if unit.segregate != "no":
        said.append(f"kept apart by {unit.segregate}")
    said += [f"{outage.days:g} days out in {period}" for period, outage in unit.maintenance.items()]
    return ", ".join(said)


def _price(item: Priced) -> str:
    if item.price is not None:
        return _money(item.price)
    return ", then ".join(
        _money(tier.price) + (f" for {_number(tier.max)}" if tier.max is not None else "")
        for tier in item.tiers
    )


def _money(price: Price) -> str:
    if isinstance(price, dict):
        return ", ".join(f"{name}: {_money(value)}" for name, value in price.items())
    return price if isinstance(price, str) else f"{price:g}"


def _number(value: PerPeriod | None) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {number:g}" for name, number in value.items())
    return f"{value:g}"


def _spec(prop: str, low: PerPeriod | None, high: PerPeriod | None) -> str:
    ends = [f"≥ {_number(low)}"] if low is not None else []
    ends += [f"≤ {_number(high)}"] if high is not None else []
    return f"{prop} {' and '.join(ends)}".strip()
