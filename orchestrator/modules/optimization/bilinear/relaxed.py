"""Linear programs that a bilinear one gives: its convex relaxation, and itself with shares fixed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.linear import INFINITY, LinearProgram, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.modules.optimization.bilinear.program import BilinearProgram

FIXED = "product "


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
    """The program with its shares fixed: linear, and exact for these shares."""
    fixed = LinearProgram()
    fixed.offset = program.linear.offset
    for column in program.linear.columns.values():
        if column.name in shares:
            value = shares[column.name]
            column = replace(column, lower=value, upper=value, elastic=False)
        fixed.add_column(column)
    for row in program.linear.rows.values():
        fixed.add_row(row)
    for w, (x, y) in program.products.items():
        terms = {w: 1.0, y: -shares[x]}
        fixed.add_row(Row(f"{FIXED}{w}", terms, 0.0, 0.0, elastic=False))
    return fixed
