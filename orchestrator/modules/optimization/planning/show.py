"""A plan as tables for people: amounts by period, margin by account, what holds it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.modules.optimization.planning.result import PeriodPlan, PlanResult
from orchestrator.modules.optimization.planning.wording import number
from orchestrator.modules.optimization.refinery.show import ModelTable

_SHOWN_LIMITS = 15


def plan_tables(result: PlanResult) -> Iterator[ModelTable]:
    """The tables of a plan; of one without an optimum none."""
    if not result.periods:
        return
    spans = result.periods
    heads = tuple(f"{span.name}, {span.days:g} d" if span.name else "a day" for span in spans)
    unit = result.quantity_unit
    rows: list[tuple[str, ...]] = []
    for title, name, what in (
        ("buy", "crudes", f"{unit}/d"),
        ("buy", "purchases", f"{unit}/d"),
        ("sell", "products", f"{unit}/d"),
        ("in store", "stocks", unit),
        ("left over", "surplus", f"{unit}/d"),
        ("utility", "utilities", "a day"),
        ("emission", "emissions", "a day"),
        ("severity", "severity", ""),
    ):
        rows += _rows(title, what, [getattr(span, name) for span in spans])
    runs = [_throughputs(span) for span in spans]
    rows += _rows("run", f"{unit}/d", runs)
    yield ModelTable("Plan", ("", "what", "unit", *heads), tuple(rows))
    yield ModelTable(
        "Blends",
        ("product", "stream", *heads),
        tuple(
            (product, stream, *(_number(s.blends.get(product, {}).get(stream)) for s in spans))
            for product in dict.fromkeys(p for s in spans for p in s.blends)
            for stream in dict.fromkeys(x for s in spans for x in s.blends.get(product, {}))
        ),
    )
    yield ModelTable(
        "Qualities",
        ("product", "property", "limits", *heads),
        tuple(_qualities(spans)),
    )
    yield ModelTable(
        f"Margin, {result.money_unit}",
        ("account", *heads, "in all"),
        tuple(
            (account, *(_number(s.margin.get(account)) for s in spans), _number(money))
            for account, money in result.margin.items()
        ),
    )
    yield ModelTable(
        "What holds it back, by price times size of the limit",
        ("limit", "in words"),
        tuple((item.key, item.text) for item in result.binding[:_SHOWN_LIMITS]),
    )


def _throughputs(span: PeriodPlan) -> dict[str, float]:
    return {
        f"{unit}: {feed}": amount
        for unit, feeds in span.units.items()
        for feed, amount in feeds.items()
    }


def _rows(title: str, unit: str, amounts: Sequence[Mapping[str, float]]) -> list[tuple[str, ...]]:
    names = dict.fromkeys(name for given in amounts for name in given)
    return [(title, name, unit, *(_number(given.get(name)) for given in amounts)) for name in names]


def _qualities(spans: tuple[PeriodPlan, ...]) -> Iterator[tuple[str, ...]]:
    pairs = dict.fromkeys(
        (product, prop)
        for span in spans
        for product, given in span.qualities.items()
        for prop in given
    )
    for product, prop in pairs:
        found = [span.qualities.get(product, {}).get(prop) for span in spans]
        ends = []
        for word, values in (
            ("≥", [item.min for item in found if item is not None]),
            ("≤", [item.max for item in found if item is not None]),
        ):
            numbers = dict.fromkeys(value for value in values if value is not None)
            if numbers:
                ends.append(f"{word} {', '.join(f'{value:g}' for value in numbers)}")
        made = (_number(item.value if item is not None else None) for item in found)
        yield (product, prop, " and ".join(ends), *made)


def _number(value: float | None) -> str:
    return "" if value is None else number(value)
