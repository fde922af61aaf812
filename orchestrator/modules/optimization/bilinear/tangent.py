"""A bilinear program with its products replaced by their tangents at a point."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.linear import Column, LinearProgram, Row

if TYPE_CHECKING:
    from orchestrator.modules.optimization.bilinear.program import BilinearProgram, Indexed
    from orchestrator.modules.optimization.linear import LiveProgram
    from orchestrator.modules.optimization.linear.arrays import Floats

TANGENT = "tangent of "


def tangent_program(program: BilinearProgram, penalty: float) -> LinearProgram:
    """The program with a tangent row for each product: ``w − x̄·y − ȳ·x = −x̄·ȳ``.

    Integer columns are continuous in it. With a positive penalty a row may be missed, at that price for each unit; the coefficients are for
    :func:`set_tangents` to fill in.
    """
    linear = LinearProgram()
    linear.offset = program.linear.offset
    for column in program.linear.columns.values():
        linear.add_column(replace(column, kind="continuous"))
    for row in program.linear.rows.values():
        linear.add_row(row)
    for w, (x, y) in program.products.items():
        terms = {w: 1.0, x: -1.0, y: -1.0}
        if penalty > 0:
            for name, sign in ((f"above {w}", -1.0), (f"below {w}", 1.0)):
                linear.add_column(Column(name, worth=-penalty))
                terms[name] = sign
        linear.add_row(Row(f"{TANGENT}{w}", terms, 0.0, 0.0, elastic=False))
    return linear


def set_tangents(live: LiveProgram, indexed: Indexed, x: Floats) -> None:
    """Put the tangents of a tangent program at the point ``x``."""
    columns = indexed.arrays.columns
    coefficients: dict[tuple[str, str], float] = {}
    constants: dict[str, tuple[float, float]] = {}
    for w, share, amount in zip(indexed.product, indexed.share, indexed.amount, strict=True):
        row, at_share, at_amount = f"{TANGENT}{columns[w]}", float(x[share]), float(x[amount])
        coefficients[row, columns[share]] = -at_amount
        coefficients[row, columns[amount]] = -at_share
        constants[row] = (-at_share * at_amount,) * 2
    live.set_coefficients(coefficients)
    live.set_rows(constants)
