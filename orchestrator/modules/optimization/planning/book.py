"""The program of a plan while it is written: columns by account, and what each bound stands for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.modules.optimization.linear import INFINITY, Column, LinearProgram, Row

Account = Literal[
    "sales",
    "crudes",
    "purchases",
    "operating",
    "fixed",
    "startup",
    "utilities",
    "emissions",
    "surplus",
    "carrying",
    "closing",
]
Side = Literal["min", "max"]
Values = Mapping[str, float]


@dataclass(slots=True)
class Limit:
    """A number of the model that bounds a row or column.

    Attributes:
        path: What is limited (``units.cdu``).
        key: Where the number stands (``units.cdu.capacity``).
        what: The same in words (``capacity of cdu``).
        side: Which end of what is limited it is.
        bound: The number.
        unit: Its unit.
        period: The period; empty where there are none, or for all of them.
        days: Days that the period has.
        factor: Change of the program's bound for one more of the number; null for one.
        fixed_range: Whether the ends of the program's range are those of the number.
    """

    path: str
    key: str
    what: str
    side: Side
    bound: float
    unit: str
    period: str = ""
    days: float = 1.0
    factor: Callable[[Values], float] | None = None
    fixed_range: bool = True

    def scale(self, values: Values) -> float:
        """Change of the program's bound for one more of the number, at a solution."""
        return 1.0 if self.factor is None else self.factor(values)


def tagged(name: str, period: str) -> str:
    """Name of a column or row in a period."""
    return f"{name}[{period}]" if period else name


class Book:
    """Columns and rows with their accounts and limits, and the flows of each stream.

    Attributes:
        program: The program.
        accounts: Column -> account that its worth belongs to.
        constants: Account -> money that is spent whatever is decided.
        prices: Column -> money per unit of what is bought or sold.
        days: Column -> days that its worth counts.
        row_limits: Row and side -> the number that bounds it.
        column_limits: Column and side -> the number that bounds it.
        flows: Stream and period -> column -> amount that it adds for one unit.
    """

    def __init__(self) -> None:
        self.program = LinearProgram()
        self.accounts: dict[str, Account] = {}
        self.constants: dict[Account, float] = defaultdict(float)
        self.prices: dict[str, float] = {}
        self.days: dict[str, float] = {}
        self.row_limits: dict[tuple[str, Side], Limit] = {}
        self.column_limits: dict[tuple[str, Side], Limit] = {}
        self.flows: dict[tuple[str, str], dict[str, float]] = defaultdict(
            lambda: defaultdict(float)
        )

    def column(
        self,
        name: str,
        *,
        worth: float = 0.0,
        account: Account | None = None,
        lower: float = 0.0,
        upper: float = INFINITY,
        limits: tuple[Limit, ...] = (),
        binary: bool = False,
    ) -> str:
        """Add a quantity.

        Args:
            name: Its name, with the period.
            worth: Money per unit, over the days that it counts.
            account: Where that money belongs.
            lower: Least value.
            upper: Largest value.
            limits: The numbers of the model that these bounds are.
            binary: Whether it is a yes or no.

        Returns:
            The name.
        """
        kind: Literal["continuous", "integer"] = "integer" if binary else "continuous"
        self.program.add_column(
            Column(name, lower, 1.0 if binary else upper, worth, elastic=bool(limits), kind=kind)
        )
        if account is not None:
            self.accounts[name] = account
        for limit in limits:
            self.column_limits[name, limit.side] = limit
        return name

    def row(
        self,
        name: str,
        terms: Mapping[str, float],
        lower: float = -INFINITY,
        upper: float = INFINITY,
        limits: Mapping[Side, Limit] | None = None,
        scale: float | None = None,
    ) -> None:
        """Add a constraint; it is elastic where it stands for a number of the model."""
        kept = dict(terms)
        if 0.0 in kept.values():
            kept = {column: value for column, value in kept.items() if value != 0.0}
        self.program.add_row(Row(name, kept, lower, upper, elastic=bool(limits), scale=scale))
        if limits:
            for side, limit in limits.items():
                self.row_limits[name, side] = limit

    def flow(self, stream: str, period: str, column: str, amount: float) -> None:
        """Let a column add to a stream, or take from it."""
        self.flows[stream, period][column] += amount

    def spend(self, account: Account, money: float) -> None:
        """Count money that is spent whatever is decided."""
        self.constants[account] -= money
        self.program.offset -= money
