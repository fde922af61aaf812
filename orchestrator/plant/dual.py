"""Numbers that carry their derivatives: forward-mode automatic differentiation over NumPy arrays.

A dual number holds values of shape ``s`` and their slopes along ``k`` directions, shape ``(k, *s)``.
It takes part in NumPy's functions, so that what computes with arrays computes derivatives unchanged
(Griewank and Walther 2008, Evaluating Derivatives, chapter 3). At a kink the slope is that of the side
taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Dual:
    """Values and slopes.

    Args:
        value: Values, shape ``s``.
        slope: Slopes along ``k`` directions, shape ``(k, *s)``.
    """

    __slots__ = ("slope", "value")

    def __init__(self, value: Any, slope: Any) -> None:
        self.value: Any = value
        self.slope: Any = slope

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        values = [item.value if isinstance(item, Dual) else item for item in inputs]
        if method != "__call__" or options:
            return NotImplemented
        if name in _FLAT:
            return ufunc(*values)
        rule = _RULES.get(name)
        if rule is None:
            return NotImplemented
        result = ufunc(*values)
        slope: Any = 0.0
        factors = rule(result, *values)
        for item, factor in zip(inputs, factors, strict=True):
            if isinstance(item, Dual):
                slope = slope + factor * item.slope
        return Dual(result, slope)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function is not np.where or options:
            return NotImplemented
        condition, then, otherwise = arguments
        condition = condition.value if isinstance(condition, Dual) else condition
        sides = [item if isinstance(item, Dual) else Dual(item, 0.0) for item in (then, otherwise)]
        return Dual(
            np.where(condition, sides[0].value, sides[1].value),
            np.where(condition, sides[0].slope, sides[1].slope),
        )


_FLAT = {
    "isnan", "isfinite", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "floor_divide", "logical_and", "logical_or", "bitwise_and", "bitwise_or",
}  # fmt: skip


def _power(result: Any, base: Any, exponent: Any) -> tuple[Any, Any]:
    positive = np.where(base > 0, base, 1.0)
    by_base = np.where(exponent == 0, 0.0, exponent * np.float_power(base, exponent - 1.0))
    return by_base, np.where(base > 0, result * np.log(positive), 0.0)


_RULES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "add": lambda *_: (1.0, 1.0),
    "subtract": lambda *_: (1.0, -1.0),
    "multiply": lambda _, a, b: (b, a),
    "divide": lambda r, _, b: (1.0 / b, -r / b),
    "remainder": lambda _, a, b: (1.0, -np.floor_divide(a, b)),
    "float_power": _power,
    "negative": lambda *_: (-1.0,),
    "positive": lambda *_: (1.0,),
    "absolute": lambda _, a: (np.sign(a),),
    "sqrt": lambda r, _: (0.5 / r,),
    "exp": lambda r, _: (r,),
    "log": lambda _, a: (1.0 / a,),
    "minimum": lambda _, a, b: (np.where(a <= b, 1.0, 0.0), np.where(a <= b, 0.0, 1.0)),
    "maximum": lambda _, a, b: (np.where(a >= b, 1.0, 0.0), np.where(a >= b, 0.0, 1.0)),
}
"""Name of a function -> result and arguments -> its partial derivatives."""
