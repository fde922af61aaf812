"""The plan of each period, read out of a solution."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from orchestrator.modules.optimization.linear import LinearSolution
from orchestrator.modules.optimization.planning.book import tagged
from orchestrator.modules.optimization.planning.products import Ingredient
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.result import PeriodPlan, Quality
from orchestrator.modules.optimization.refinery.flowsheet import APART
from orchestrator.modules.optimization.refinery.numbers import at
from orchestrator.modules.optimization.refinery.parts import Period

SHOWN = 1e-7
_OTHER_DESTINATIONS = 1e-4


def read_periods(built: PlanProgram, solution: LinearSolution) -> tuple[PeriodPlan, ...]:
    """The plan of each period."""
    streams: dict[str, list[str]] = defaultdict(list)
    for stream, period in built.book.flows:
        streams[period].append(stream)
    money = _money(built, solution.values)
    return tuple(
        _period(built, solution, span, streams[span.name], money[span.name])
        for span in built.model.spans
    )


def total(periods: tuple[PeriodPlan, ...], name: str) -> dict[str, float]:
    """Sum of a field of the periods over all days."""
    found: dict[str, float] = defaultdict(float)
    for period in periods:
        for key, value in getattr(period, name).items():
            found[key] += value * period.days
    return dict(found)


def total_of_each(periods: tuple[PeriodPlan, ...], name: str) -> dict[str, dict[str, float]]:
    """The same for a field of fields."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for period in periods:
        for key, parts in getattr(period, name).items():
            for part, value in parts.items():
                found[key][part] += value * period.days
    return {key: dict(parts) for key, parts in found.items()}


def margin(built: PlanProgram, solution: LinearSolution) -> dict[str, float]:
    """Money of each account over all periods; they add up to the objective."""
    book = built.book
    found: dict[str, float] = defaultdict(float)
    for column, account in book.accounts.items():
        found[account] += book.program.columns[column].worth * solution.values[column]
    for account, money in book.constants.items():
        found[account] += money
    return {account: money for account, money in found.items() if abs(money) > SHOWN}


def split_severities(built: PlanProgram, solution: LinearSolution) -> list[str]:
    """Units whose two ends of severity are sent to different places, which no one severity can do."""
    values, found = solution.values, []
    for name, unit in built.model.units.items():
        if unit.severity is None:
            continue
        ends = {
            s for s in built.sheet.made if s.partition(APART)[2].split(APART)[-1] in ("low", "high")
        }
        for span in built.model.spans:
            for low in sorted(s for s in ends if s.endswith(f"{APART}low")):
                high = low.removesuffix("low") + "high"
                if not any(p.unit == name and low in p.yields for p in built.sheet.processes):
                    continue
                shares = [_destinations(built, stream, span, values) for stream in (low, high)]
                if not all(shares):
                    continue
                places = {*shares[0], *shares[1]}
                if any(
                    abs(shares[0].get(p, 0.0) - shares[1].get(p, 0.0)) > _OTHER_DESTINATIONS
                    for p in places
                ):
                    found.append(name)
    return list(dict.fromkeys(found))


def _destinations(
    built: PlanProgram, stream: str, span: Period, values: dict[str, float]
) -> dict[str, float]:
    """Share of a stream that goes to each place."""
    taken: dict[str, float] = defaultdict(float)
    for column, amount in built.book.flows[stream, span.name].items():
        if amount < 0 and values[column] > SHOWN:
            taken[column.replace(stream, "")] -= amount * values[column]
    whole = sum(taken.values())
    return {place: amount / whole for place, amount in taken.items()} if whole > SHOWN else {}


def _period(
    built: PlanProgram,
    solution: LinearSolution,
    span: Period,
    streams: list[str],
    money: dict[str, float],
) -> PeriodPlan:
    model, values, period = built.model, solution.values, span.name

    def value(name: str) -> float:
        return values.get(tagged(name, period), 0.0)

    def some(prefix: str, names: object) -> dict[str, float]:
        found = {str(n): value(f"{prefix}.{n}") for n in names}  # type: ignore[attr-defined]
        return {name: amount for name, amount in found.items() if amount > SHOWN}

    return PeriodPlan(
        name=period,
        days=span.days,
        crudes=some("crudes", model.crudes),
        purchases=some("purchases", model.purchases),
        units=_runs(built, values, period),
        running={
            name: value(f"on.{name}") > 0.5 for name, unit in model.units.items() if unit.on_off
        },
        severity=_severities(built, values, period),
        products=some("products", model.products),
        blends=_blends(built, values, period),
        qualities=_qualities(built, values, period),
        pools=_nested(
            {
                name: some(f"pools.{name}", [a for s in pool.mixes for a in built.sheet.actual(s)])
                for name, pool in model.pools.items()
            }
        ),
        pool_properties=_pool_properties(built, values, period),
        stocks={name: value(f"tanks.{name}") for name in model.tanks},
        surplus=some("surplus", streams),
        utilities=some("utilities", model.utilities),
        burnt=_nested(
            {
                name: some(f"burn.{name}", [a for s in item.from_ for a in built.sheet.actual(s)])
                for name, item in model.utilities.items()
            }
        ),
        emissions=some("emissions", model.emissions),
        stream_values={
            stream: -solution.row_dual[tagged(f"balance.{stream}", period)] / span.days
            for stream in streams
        },
        margin=_margin(built, money, span),
    )


def _money(built: PlanProgram, values: dict[str, float]) -> dict[str, dict[str, float]]:
    """Money of each account by period, of what is decided."""
    columns, by_period = built.program.columns, bool(built.model.periods)
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for column, account in built.book.accounts.items():
        period = column[:-1].rpartition("[")[2] if by_period else ""
        found[period][account] += columns[column].worth * values[column]
    return found


def _margin(built: PlanProgram, decided: dict[str, float], span: Period) -> dict[str, float]:
    """Money of each account in a period; what is spent whatever is decided is shared out by days."""
    found: dict[str, float] = defaultdict(float, decided)
    fixed = sum(at(u.fixed_cost, span.name) for u in built.model.units.values() if not u.on_off)
    found["fixed"] -= fixed * span.days
    return {account: money for account, money in found.items() if abs(money) > SHOWN}


def _nested(given: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: parts for name, parts in given.items() if parts}


def _runs(built: PlanProgram, values: dict[str, float], period: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for process in built.sheet.processes:
        amount = values[tagged(process.name, period)]
        if amount > SHOWN:
            feed = f"{process.way}: {process.feed}" if process.way else process.feed
            found[process.unit][feed] = amount
    return dict(found)


def _severities(built: PlanProgram, values: dict[str, float], period: str) -> dict[str, float]:
    """Severity of each unit that has one: the mean of its ends by what is fed at each."""
    found = {}
    for name, unit in built.model.units.items():
        if unit.severity is None:
            continue
        fed = {"low": 0.0, "high": 0.0}
        for process in built.sheet.processes:
            if process.unit == name:
                fed[process.way] += values[tagged(process.name, period)]
        whole = fed["low"] + fed["high"]
        if whole > SHOWN:
            low, high = unit.severity.low.value, unit.severity.high.value
            found[name] = (fed["low"] * low + fed["high"] * high) / whole
    return found


def _blends(
    built: PlanProgram, values: dict[str, float], period: str
) -> dict[str, dict[str, float]]:
    found = {}
    for name, product in built.model.products.items():
        if product.components:
            parts = {
                item.stream: values[item.column] * item.share
                for item in built.products.ingredients[name, period]
            }
            found[name] = {stream: amount for stream, amount in parts.items() if amount > SHOWN}
    return _nested(found)


def _parts(
    built: PlanProgram, item: Ingredient, known: dict[str, dict[str, float]], period: str
) -> Iterator[tuple[str, dict[str, float]]]:
    """Columns that an ingredient is made of, with their properties."""
    if built.pools is not None:
        return built.pools.parts(item.column, item.stream, period)
    return iter([(item.column, known.get(item.stream, {}))])


def _pool_properties(
    built: PlanProgram, values: dict[str, float], period: str
) -> dict[str, dict[str, float]]:
    """Properties of the computed pools through which anything flows."""
    found: dict[str, dict[str, float]] = {}
    if built.pools is None:
        return found
    for (pool, when), outlets in built.pools.outlets.items():
        if when != period or sum(values[outlet] for outlet in outlets) <= SHOWN:
            continue
        parts = [
            (values[column] * amount, properties)
            for outlet, amount in outlets.items()
            for column, properties in built.pools.parts(outlet, pool, period)
            if values[column] * amount > SHOWN
        ]
        names = dict.fromkeys(name for _, properties in parts for name in properties)
        mixed = {name: built.sheet.rules.mixed(name, parts) for name in names}
        found[pool] = {name: value for name, value in mixed.items() if math.isfinite(value)}
    return found


def _qualities(
    built: PlanProgram, values: dict[str, float], period: str
) -> dict[str, dict[str, Quality]]:
    found: dict[str, dict[str, Quality]] = {}
    known = {
        stream: {prop: at(value, period) for prop, value in given.items()}
        for stream, given in built.sheet.properties.items()
    }
    for name, product in built.model.products.items():
        parts = [
            (values[column] * item.share, properties)
            for item in built.products.ingredients[name, period]
            if values[item.column] * item.share > SHOWN
            for column, properties in _parts(built, item, known, period)
        ]
        for prop, spec in product.specs.items():
            if not parts:
                continue
            value = built.sheet.rules.mixed(prop, parts)
            low = None if spec.min is None else at(spec.min, period)
            high = None if spec.max is None else at(spec.max, period)
            room = [value - low] if low is not None else []
            room += [high - value] if high is not None else []
            real = math.isfinite(value)
            found.setdefault(name, {})[prop] = Quality(
                value=value if real else None,
                min=low,
                max=high,
                giveaway=max(0.0, min(room)) if real and room else None,
            )
    return found
