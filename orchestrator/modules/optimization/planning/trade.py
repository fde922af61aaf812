"""What is bought and sold: bounds, one price or a price by steps."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.linear import INFINITY
from orchestrator.modules.optimization.planning.book import Account, Book, Limit, Side, tagged
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.numbers import at, price_at
from orchestrator.modules.optimization.refinery.parts import Period, Priced

PriceOf = Callable[[float | str], float]
_ACCOUNTS: dict[str, Account] = {
    "crudes": "crudes",
    "purchases": "purchases",
    "products": "sales",
}


def add_traded(
    book: Book,
    model: RefineryModel,
    path: str,
    item: Priced,
    span: Period,
    price: PriceOf,
    *,
    buying: bool,
) -> str:
    """Add what is bought or sold in a period.

    Returns:
        The column of the amount per day.

    Raises:
        ParameterError: steps of a price need an order that only a finite size can give.
    """
    section, _, name = path.partition(".")
    low = at(item.min, span.name)
    high = INFINITY if item.max is None else at(item.max, span.name)
    words: dict[Side, str] = (
        {"max": f"availability of {name}", "min": f"least purchase of {name}"}
        if buying
        else {"max": f"demand of {name}", "min": f"least sale of {name}"}
    )
    unit = f"{model.quantity_unit}/d"
    limits = [
        Limit(path, f"{path}.{side}", words[side], side, bound, unit, span.name, span.days)
        for side, bound in _ends(low, high)
    ]
    column = tagged(path, span.name)
    sign = -1.0 if buying else 1.0
    book.days[column] = span.days
    if item.price is not None:
        money = price(price_at(item.price, span.name))
        book.prices[column] = money
        worth = sign * money * span.days
    else:
        worth = 0.0
    book.column(
        column,
        worth=worth,
        account=_ACCOUNTS[section],
        lower=low,
        upper=high,
        limits=tuple(limits),
    )
    if item.tiers:
        _add_steps(book, path, item, span, price, sign, unit)
    return column


def _ends(low: float, high: float) -> list[tuple[Side, float]]:
    found: list[tuple[Side, float]] = [("max", high)] if high < INFINITY else []
    return [*found, ("min", low)] if low > 0 else found


def _add_steps(
    book: Book,
    path: str,
    item: Priced,
    span: Period,
    price: PriceOf,
    sign: float,
    unit: str,
) -> None:
    """The steps of a price: Σ step = total; in order by themselves where each is worse than the last."""
    section, _, name = path.partition(".")
    prices = [price(price_at(tier.price, span.name)) for tier in item.tiers]
    worths = [sign * money for money in prices]
    total = INFINITY if item.max is None else at(item.max, span.name)
    sizes = [total if tier.max is None else at(tier.max, span.name) for tier in item.tiers]
    columns = []
    for number, (worth, size) in enumerate(zip(worths, sizes, strict=True)):
        limits: tuple[Limit, ...] = ()
        if item.tiers[number].max is not None:
            key = f"{path}.tiers.{number}.max"
            what = f"step {number + 1} of the price of {name}"
            limits = (
                Limit(f"{path}.tiers.{number}", key, what, "max", size, unit, span.name, span.days),
            )
        columns.append(
            book.column(
                tagged(f"tiers.{path}.{number}", span.name),
                worth=worth * span.days,
                account=_ACCOUNTS[section],
                upper=size,
                limits=limits,
            )
        )
        book.prices[columns[-1]] = prices[number]
        book.days[columns[-1]] = span.days
    terms = dict.fromkeys(columns, 1.0) | {tagged(path, span.name): -1.0}
    book.row(tagged(f"tiers.{path}", span.name), terms, 0.0, 0.0)
    for number in range(1, len(columns)):
        if all(later <= worths[number - 1] for later in worths[number:]):
            continue
        if sizes[number] == INFINITY:
            raise ParameterError(
                f"the price of {name} gets better from step to step, and step {number + 1} has no end",
                where=f"{path}.tiers.{number}.max",
                remedy=f"give the step its max, or {path}.max",
            )
        begun = book.column(tagged(f"begun.{path}.{number}", span.name), binary=True)
        before, here = columns[number - 1], columns[number]
        book.row(
            tagged(f"full.{path}.{number}", span.name),
            {before: 1.0, begun: -sizes[number - 1]},
            lower=0.0,
        )
        book.row(
            tagged(f"begun.{path}.{number}", span.name),
            {here: 1.0, begun: -sizes[number]},
            upper=0.0,
        )
