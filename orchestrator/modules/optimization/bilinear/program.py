"""The builder of a bilinear program, and the check of a point against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import OperationError
from orchestrator.modules.optimization.linear import LinearProgram
from orchestrator.modules.optimization.linear.arrays import Arrays, assemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.optimization.linear.arrays import Floats, Integers


class BilinearProgram:
    """A linear maximisation in which some columns are the product of two others.

    Of the two factors the first is called the **share**, the second the **amount**: with every share
    fixed the program is linear. In a pooling problem the shares are what a pool is made of, the amounts
    what flows out of it. Quantities are best scaled so that 1 is a meaningful amount of each.

    Attributes:
        linear: Columns and rows; the products are columns like any other.
        products: Name of each product column, and its share and amount.
    """

    def __init__(self, linear: LinearProgram | None = None) -> None:
        self.linear = linear or LinearProgram()
        self.products: dict[str, tuple[str, str]] = {}
        self._shares: set[str] = set()
        self._amounts: set[str] = set()

    def declare_product(self, column: str, share: str, amount: str) -> None:
        """Say that a column of the linear program equals ``share`` times ``amount``.

        Raises:
            OperationError: a factor is unknown, is a product itself, or is a share here and an amount
                there, so that fixing the shares would not leave a linear program.
        """
        for factor, role, other in (
            (share, "amount", self._amounts),
            (amount, "share", {share} | self._shares),
        ):
            if factor not in self.linear.columns or factor in self.products:
                raise OperationError(
                    f"product {column!r} has the factor {factor!r}, which is no plain column"
                )
            if factor in other:
                raise OperationError(f"{factor!r} is a factor of {column!r} and also a {role}")
        self._shares.add(share)
        self._amounts.add(amount)
        self.products[column] = (share, amount)

    def indexed(self) -> Indexed:
        """The program by position.

        Raises:
            OperationError: a bound or coefficient is not a usable number.
        """
        arrays = assemble(self.linear)
        place = {name: i for i, name in enumerate(arrays.columns)}
        index = np.array(
            [(place[w], place[x], place[y]) for w, (x, y) in self.products.items()], np.int32
        ).reshape(-1, 3)
        return Indexed(arrays, index[:, 0], index[:, 1], index[:, 2])


@dataclass(frozen=True)
class Indexed:
    """A bilinear program by position: ``x[product] = x[share] · x[amount]``, one entry a product."""

    arrays: Arrays
    product: Integers
    share: Integers
    amount: Integers

    @cached_property
    def shares(self) -> Integers:
        """Columns that are a share, each once."""
        return np.unique(self.share)

    def error(self, x: Floats) -> Floats:
        """``product − share · amount`` of each product, shape (products,)."""
        return np.asarray(x[self.product] - x[self.share] * x[self.amount])

    def violation(self, x: Floats) -> float:
        """The most by which a point breaks a bound, row, product or whole number, over its size.

        The size is the largest term of the row, or 1 where that is larger; infinite for a point that
        is not finite.
        """
        arrays = self.arrays
        if not np.all(np.isfinite(x)):
            return float("inf")
        size = np.ones(len(arrays.rows))
        np.maximum.at(size, arrays.row, np.abs(arrays.value * x[arrays.column]))
        fraction = np.abs(x - np.round(x))[arrays.integer]
        return max(
            _outside(x, arrays.lower, arrays.upper, np.maximum(1.0, np.abs(x))),
            _outside(arrays.activity(x), arrays.row_lower, arrays.row_upper, size),
            float(
                (np.abs(self.error(x)) / np.maximum(1.0, np.abs(x[self.product]))).max(initial=0.0)
            ),
            float(fraction.max(initial=0.0)),
        )

    def projected(self, x: Floats) -> Floats:
        """The point with each share set to Σ products / Σ amounts, the mix that its flows stand for.

        A share whose amounts are zero stays.
        """
        size = len(self.arrays.columns)
        made = np.bincount(self.share, x[self.product], size)
        carried = np.bincount(self.share, x[self.amount], size)
        mixed = self.shares[carried[self.shares] > 1e-9]
        found = x.copy()
        found[mixed] = np.clip(
            made[mixed] / carried[mixed], self.arrays.lower[mixed], self.arrays.upper[mixed]
        )
        return found


def _outside(value: Floats, lower: Floats, upper: Floats, size: Floats) -> float:
    excess: NDArray[np.float64] = np.maximum(lower - value, value - upper) / size
    return max(0.0, float(excess.max(initial=0.0)))
