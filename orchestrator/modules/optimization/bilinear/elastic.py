"""The least breach of limits that lets a bilinear program have a point: a program of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.bilinear.program import BilinearProgram
from orchestrator.modules.optimization.linear import Column, LinearProgram, Relaxation, Row

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Elastic:
    """A program whose elastic limits may give way, at one over their size for each unit.

    Attributes:
        program: It has a point unless what is not elastic conflicts by itself.
        slacks: Slack column -> limit, side and bound.
    """

    program: BilinearProgram
    slacks: Mapping[str, tuple[str, str, float]]

    def relaxations(self, values: Mapping[str, float], least: float) -> list[Relaxation]:
        """Limits that give way by more than ``least`` of their size, most first."""
        found = [
            Relaxation(name, side, bound, values[slack])
            for slack, (name, side, bound) in self.slacks.items()
            if values[slack] * -self.program.linear.columns[slack].worth > least
        ]
        return sorted(found, key=lambda item: item.by / max(abs(item.bound), 1.0), reverse=True)


def elastic(program: BilinearProgram) -> Elastic:
    """The elastic form (Chinneck, Feasibility and Infeasibility in Optimization, 2008, section 6.1)."""
    linear = LinearProgram()
    slacks: dict[str, tuple[str, str, float]] = {}
    limits = list(program.linear.rows.values())
    for column in program.linear.columns.values():
        kept = replace(column, worth=0.0)
        if column.elastic and column.lower > 0:
            # An upper bound stays: products are bounded by it.
            kept.lower = 0.0
            limits.append(Row(column.name, {column.name: 1.0}, column.lower, math.inf))
        linear.add_column(kept)
    for number, row in enumerate(limits):
        terms = dict(row.terms)
        for side, bound, sign in (("min", row.lower, 1.0), ("max", row.upper, -1.0)):
            if row.elastic and math.isfinite(bound):
                slack = f"slack {number} {side}"
                linear.add_column(Column(slack, worth=-1.0 / (row.scale or max(abs(bound), 1.0))))
                slacks[slack] = (row.name, side, bound)
                terms[slack] = sign
        linear.add_row(Row(f"limit {number}", terms, row.lower, row.upper, elastic=False))
    made = BilinearProgram(linear)
    for w, (x, y) in program.products.items():
        made.declare_product(w, x, y)
    return Elastic(made, slacks)
