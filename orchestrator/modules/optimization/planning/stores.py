"""Tanks of a plan: what is in store at the end of each period."""

from __future__ import annotations

from orchestrator.modules.optimization.linear import INFINITY
from orchestrator.modules.optimization.planning.book import Book, Limit, Side, tagged
from orchestrator.modules.optimization.planning.trade import PriceOf
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.numbers import at, price_at
from orchestrator.modules.optimization.refinery.parts import Period, Tank

Make = dict[tuple[str, str], dict[str, float]]


def add_tanks(book: Book, model: RefineryModel, make: Make, price: PriceOf) -> None:
    """Add the stock at the end of each period, and what is drawn from it, to streams and products.

    The stock ``tanks.NAME`` is an amount; it adds ``(stock before − stock) / days`` to what it holds. The
    opening stock is a constant of the first balance, which whoever writes that balance adds.
    """
    for name, tank in model.tanks.items():
        held = tank.holds or name
        before = ""
        for number, span in enumerate(model.spans):
            last = number == len(model.spans) - 1
            stock = _stock(book, model, name, tank, span, price, last=last)
            moves = {stock: -1.0 / span.days} | ({before: 1.0 / span.days} if before else {})
            terms = make.get((held, span.name))
            for column, amount in moves.items():
                if terms is None:
                    book.flow(held, span.name, column, amount)
                else:
                    terms[column] = amount
            before = stock


def _stock(
    book: Book,
    model: RefineryModel,
    name: str,
    tank: Tank,
    span: Period,
    price: PriceOf,
    *,
    last: bool,
) -> str:
    path = f"tanks.{name}"
    low, low_key, low_words = at(tank.heel, span.name), "heel", f"heel of tank {name}"
    high = INFINITY if tank.capacity is None else at(tank.capacity, span.name)
    high_key, high_words = "capacity", f"capacity of tank {name}"
    if last and tank.closing.min is not None and at(tank.closing.min, span.name) >= low:
        low, low_key = at(tank.closing.min, span.name), "closing.min"
        low_words = f"least closing stock of tank {name}"
    if last and tank.closing.max is not None and at(tank.closing.max, span.name) <= high:
        high, high_key = at(tank.closing.max, span.name), "closing.max"
        high_words = f"largest closing stock of tank {name}"
    limits = []
    ends: tuple[tuple[Side, float, str, str], ...] = (
        ("max", high, high_key, high_words),
        ("min", low, low_key, low_words),
    )
    for side, bound, key, words in ends:
        if bound < INFINITY and (side == "max" or bound > 0):
            limits.append(
                Limit(
                    path,
                    f"{path}.{key}",
                    words,
                    side,
                    bound,
                    model.quantity_unit,
                    span.name,
                    span.days,
                )
            )
    carrying = -at(tank.carrying_cost, span.name) * span.days
    column = tagged(path, span.name)
    book.column(
        column,
        worth=carrying,
        account="carrying",
        lower=low,
        upper=high,
        limits=tuple(limits),
    )
    worth = price(price_at(tank.closing_price, span.name)) if last else 0.0
    if worth:
        left = book.column(tagged(f"closing.{name}", span.name), worth=worth, account="closing")
        book.row(tagged(f"closing.{name}", span.name), {left: 1.0, column: -1.0}, 0.0, 0.0)
    return column
