"""A bilinear program in other units, so that 1 is a meaningful amount and a meaningful worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.modules.optimization.bilinear.program import BilinearProgram
from orchestrator.modules.optimization.linear import LinearProgram

LARGEST = 100.0


@dataclass(frozen=True)
class Scaled:
    """A program in other units.

    Attributes:
        program: The program; its objective is the original's less its offset, over ``money``.
        size: Original unit of each column in one of the scaled.
        money: Original objective in one of the scaled.
        offset: What the original objective adds.
    """

    program: BilinearProgram
    size: Mapping[str, float]
    money: float
    offset: float

    def values(self, scaled: Mapping[str, float]) -> dict[str, float]:
        """Original values of a scaled point."""
        return {name: value * self.size[name] for name, value in scaled.items()}

    def objective(self, scaled: float) -> float:
        """Original objective."""
        return scaled * self.money + self.offset


def rescaled(program: BilinearProgram) -> Scaled:
    """The program with its largest known amount at 100 and its largest worth at 1.

    Shares, integer columns and those that cannot exceed 1 keep their unit.
    """
    columns = program.linear.columns
    shares = {share for share, _ in program.products.values()}
    plain = {
        column.name
        for column in columns.values()
        if column.name in shares or column.kind == "integer" or abs(column.upper) <= 1.0
    }
    plain -= {name for w, (_, amount) in program.products.items() for name in (w, amount)}
    known = [
        column.upper
        for column in columns.values()
        if column.name not in plain and 0 < column.upper < math.inf
    ]
    flow = max(known, default=LARGEST) / LARGEST
    size = {name: 1.0 if name in plain else flow for name in columns}
    money = max((abs(c.worth) * size[c.name] for c in columns.values()), default=0.0) or 1.0
    linear = LinearProgram()
    for column in columns.values():
        unit = size[column.name]
        linear.add_column(
            replace(
                column,
                lower=column.lower / unit,
                upper=column.upper / unit,
                worth=column.worth * unit / money,
            )
        )
    for row in program.linear.rows.values():
        unit = max((size[name] for name in row.terms), default=1.0)
        terms = {name: value * size[name] / unit for name, value in row.terms.items()}
        scale = None if row.scale is None else row.scale / unit
        linear.add_row(
            replace(row, terms=terms, lower=row.lower / unit, upper=row.upper / unit, scale=scale)
        )
    made = BilinearProgram(linear)
    for w, (share, amount) in program.products.items():
        made.declare_product(w, share, amount)
    return Scaled(made, size, money, program.linear.offset)
