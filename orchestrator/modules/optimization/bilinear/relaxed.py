"""Linear programs that a bilinear one gives: its convex relaxation, and itself with shares fixed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.linear import INFINITY, LinearProgram, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.modules.optimization.bilinear.program import BilinearProgram

SMALL = 1e-8


def mccormick(
    program: BilinearProgram,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    *,
    whole: bool = False,
) -> LinearProgram:
    """The linear program whose optimum no point of the bilinear one can exceed.

    Each product ``w = x·y`` is replaced by its convex envelope over the bounds of its factors
    (McCormick, Mathematical Programming 10, 1976). Sides that need a bound which is not there are left
    out.

    Args:
        program: The bilinear program.
        bounds: Tighter bounds of columns.
        whole: Whether integer columns stay integer.
    """
    relaxed = LinearProgram()
    relaxed.offset = program.linear.offset
    for column in program.linear.columns.values():
        low, high = (bounds or {}).get(column.name, (column.lower, column.upper))
        kind = column.kind if whole else "continuous"
        relaxed.add_column(replace(column, lower=low, upper=high, kind=kind))
    for row in program.linear.rows.values():
        relaxed.add_row(row)
    for w, (x, y) in program.products.items():
        for number, (terms, low, high) in enumerate(envelope(relaxed, w, x, y)):
            relaxed.add_row(Row(f"envelope {number} of {w}", terms, low, high, elastic=False))
    return relaxed


def envelope(
    linear: LinearProgram, w: str, x: str, y: str
) -> list[tuple[dict[str, float], float, float]]:
    """The sides of the envelope of ``w = x·y``: terms, least and largest activity.

    ``w ≥ x·yₗ + xₗ·y − xₗ·yₗ``, likewise at both upper bounds, and ``w ≤`` at mixed ones.
    """
    a, b = linear.columns[x], linear.columns[y]
    sides = []
    for at_x, at_y, above in (
        (a.lower, b.lower, True),
        (a.upper, b.upper, True),
        (a.upper, b.lower, False),
        (a.lower, b.upper, False),
    ):
        if not (math.isfinite(at_x) and math.isfinite(at_y)):
            continue
        terms = {w: 1.0}
        # Both factors may be one column: a square.
        terms[x] = terms.get(x, 0.0) - at_y
        terms[y] = terms.get(y, 0.0) - at_x
        constant = -at_x * at_y
        sides.append((terms, constant, INFINITY) if above else (terms, -INFINITY, constant))
    return sides


def with_shares(program: BilinearProgram, shares: Mapping[str, float]) -> LinearProgram:
    """The program with its shares held: linear, exact, and without the columns of shares and products.

    A row whose terms cancel to rounding is taken as kept.
    """
    columns = {
        column.name: replace(column)
        for column in program.linear.columns.values()
        if column.name not in shares and column.name not in program.products
    }
    held = LinearProgram()
    held.offset = program.linear.offset + sum(
        program.linear.columns[name].worth * value for name, value in shares.items()
    )
    for w, (x, y) in program.products.items():
        made, amount, share = program.linear.columns[w], columns[y], shares[x]
        amount.worth += made.worth * share
        if share > SMALL:
            amount.lower = max(amount.lower, made.lower / share)
            amount.upper = max(amount.lower, min(amount.upper, made.upper / share))
    for column in columns.values():
        held.add_column(column)
    for row in program.linear.rows.values():
        terms, constant = _at_shares(program, shares, row.terms)
        if terms:
            held.add_row(
                replace(row, terms=terms, lower=row.lower - constant, upper=row.upper - constant)
            )
    return held


def _at_shares(
    program: BilinearProgram, shares: Mapping[str, float], terms: Mapping[str, float]
) -> tuple[dict[str, float], float]:
    """Terms of a row over what is left free, and its constant part."""
    found: dict[str, float] = {}
    size: dict[str, float] = {}
    constant = 0.0
    for name, value in terms.items():
        if name in shares:
            constant += value * shares[name]
            continue
        if name in program.products:
            share, name = program.products[name]
            value *= shares[share]
        found[name] = found.get(name, 0.0) + value
        size[name] = size.get(name, 0.0) + abs(value)
    return {name: v for name, v in found.items() if abs(v) > SMALL * size[name]}, constant
