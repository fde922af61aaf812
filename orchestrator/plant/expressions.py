"""Arithmetic over tags, as KPIs, balances of a plant file and computed tags are written.

    (product_a * price_a + product_b * price_b - `11FI001.PV` * crude) / max(feed, 1)

A tag that is not an identifier stands in backticks. Only numbers, tags, ``+ - * / // % **``,
comparisons, ``and or not``, ``a if c else b`` and a few functions are accepted; the text is never
executed as Python. Values are numbers or arrays of one shape.

A missing value is NaN and propagates through everything, comparisons included; what has no finite
value (division by zero, the root of a negative number) is NaN as well.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError, UnknownTagError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.plant.dual import Dual

    Value = float | NDArray[np.float64]

MAX_LENGTH = 4000
MAX_NODES = 500
FUNCTIONS = ("abs", "sqrt", "exp", "log", "min", "max", "where")

_BACKTICKS = re.compile(r"`([^`]+)`")
_PLACEHOLDER = "tag_in_backticks_{}"
_Node = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: As written.
        names: Tags that it reads.
    """

    text: str
    names: frozenset[str]
    _root: _Node = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Parse ``text``.

        Raises:
            ConfigurationError: the text is not an expression, or uses what is not accepted.
        """
        if len(text) > MAX_LENGTH:
            raise _refused(text, f"it is longer than {MAX_LENGTH} characters")
        quoted: dict[str, str] = {}

        def replace(match: re.Match[str]) -> str:
            placeholder = _PLACEHOLDER.format(len(quoted))
            quoted[placeholder] = match[1]
            return f" {placeholder} "

        plain = _BACKTICKS.sub(replace, text).strip()
        try:
            tree = ast.parse(plain, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise _refused(text, reason or type(error).__name__) from None
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            raise _refused(text, f"it has more than {MAX_NODES} parts")
        compiler = _Compiler(text, quoted)
        root = compiler.compile(tree.body)
        return cls(text, frozenset(compiler.names), root)

    def evaluate(self, values: Mapping[str, float | NDArray[np.float64] | None]) -> Value:
        """The value for ``values``, a number or array for each name; None counts as NaN.

        Raises:
            UnknownTagError: ``values`` lacks a name that the expression reads.
        """
        import numpy as np

        self._require(values)
        given = {
            name: np.asarray(np.nan if values[name] is None else values[name], dtype=np.float64)
            for name in self.names
        }
        with np.errstate(all="ignore"):
            result = np.asarray(self._root(given), dtype=np.float64)
        if result.ndim == 0:
            number = float(result)
            return number if math.isfinite(number) else math.nan
        return np.where(np.isfinite(result), result, np.nan)

    def linearised(self, values: Mapping[str, Dual | Value]) -> Dual:
        """The value and its slopes, for ``values`` of which some are dual numbers.

        The result has the shapes of the values that it reads; a constant has slope 0.0.

        Raises:
            UnknownTagError: ``values`` lacks a name that the expression reads.
        """
        import numpy as np

        from orchestrator.plant.dual import Dual

        self._require(values)
        with np.errstate(all="ignore"):
            result = self._root(values)
        return result if isinstance(result, Dual) else Dual(result, 0.0)

    def _require(self, values: Mapping[str, Any]) -> None:
        missing = self.names - values.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise UnknownTagError(
                f"no tag {names}",
                where=f"expression {self.text!r}",
                remedy="correct the name, or add the tag to the plant file",
            )


def _refused(text: str, reason: str) -> ConfigurationError:
    shown = text if len(text) <= 120 else text[:117] + "..."
    return ConfigurationError(
        f"{shown!r} is not an expression: {reason}",
        remedy="use numbers, tags, + - * / // % **, comparisons, and/or/not and "
        f"{', '.join(FUNCTIONS)}; put a tag that is not an identifier in backticks",
    )


class _Compiler:
    """Turns the accepted part of the syntax tree into nested functions."""

    def __init__(self, text: str, quoted: Mapping[str, str]) -> None:
        self.text = text
        self.quoted = quoted
        self.names: set[str] = set()

    def compile(self, node: ast.expr) -> _Node:
        match node:
            case ast.Constant(value=bool() as truth):
                raise _refused(self.text, f"{truth} is not a number")
            case ast.Constant(value=int() | float() as value):
                try:
                    number = float(value)
                except OverflowError:
                    raise _refused(self.text, "a number in it is too large") from None
                return lambda _: number
            case ast.Name(id=name):
                tag = self.quoted.get(name, name)
                self.names.add(tag)
                return lambda values: values[tag]
            case ast.UnaryOp(op=operator, operand=operand):
                return self._apply(_UNARY, type(operator), [operand])
            case ast.BinOp(left=left, op=operator, right=right):
                return self._apply(_BINARY, type(operator), [left, right])
            case ast.BoolOp(op=operator, values=parts):
                return self._fold(type(operator), parts)
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._call("where", [test, body, orelse])
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
        raise _refused(self.text, f"{type(node).__name__} is not accepted")

    def _apply(
        self, table: Mapping[type, Callable[..., Any]], operator: type, operands: list[ast.expr]
    ) -> _Node:
        function = table.get(operator)
        if function is None:
            raise _refused(self.text, f"operator {operator.__name__} is not accepted")
        if len(operands) == 1:
            only = self.compile(operands[0])
            return lambda values: function(only(values))
        left, right = map(self.compile, operands)
        return lambda values: function(left(values), right(values))

    def _fold(self, operator: type, parts: list[ast.expr]) -> _Node:
        function = _all if operator is ast.And else _any
        compiled = [self.compile(part) for part in parts]
        return lambda values: function([part(values) for part in compiled])

    def _comparison(self, node: ast.Compare) -> _Node:
        operands = [node.left, *node.comparators]
        pairs = [
            self._apply(_COMPARISONS, type(operator), [operands[i], operands[i + 1]])
            for i, operator in enumerate(node.ops)
        ]
        return pairs[0] if len(pairs) == 1 else lambda values: _all([p(values) for p in pairs])

    def _call(self, name: str, arguments: list[ast.expr]) -> _Node:
        if name not in FUNCTIONS:
            raise _refused(self.text, f"there is no function {name!r}")
        least, most = _ARGUMENTS[name]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} or more"
            raise _refused(self.text, f"{name} takes {wanted} arguments, got {len(arguments)}")
        function = _CALLS[name]
        compiled = [self.compile(argument) for argument in arguments]
        return lambda values: function(*(argument(values) for argument in compiled))


_ARGUMENTS = {
    "abs": (1, 1),
    "sqrt": (1, 1),
    "exp": (1, 1),
    "log": (1, 1),
    "min": (2, 100),
    "max": (2, 100),
    "where": (3, 3),
}


def _numpy(name: str) -> Callable[..., Any]:
    """The NumPy function of that name, found when it is first needed."""

    def call(*arguments: Any) -> Any:
        import numpy as np

        return getattr(np, name)(*arguments)

    return call


def _partial(name: str) -> Callable[..., Any]:
    """A NumPy function that has no finite value everywhere, or hides a NaN; NaN where either."""
    function = _numpy(name)

    def call(*arguments: Any) -> Any:
        import numpy as np

        result = function(*arguments)
        usable = np.isfinite(result)
        for argument in arguments:
            usable = usable & ~np.isnan(argument)
        return np.where(usable, result, np.nan)

    return call


def _reduced(name: str) -> Callable[..., Any]:
    """A two-argument NumPy function over any number of arguments; NaN propagates."""
    function = _numpy(name)

    def call(first: Any, *rest: Any) -> Any:
        for item in rest:
            first = function(first, item)
        return first

    return call


def _compared(name: str) -> Callable[[Any, Any], Any]:
    """A comparison that is 1, 0, or NaN where a side is NaN."""
    function = _numpy(name)

    def call(left: Any, right: Any) -> Any:
        import numpy as np

        unknown = np.isnan(left) | np.isnan(right)
        return np.where(unknown, np.nan, function(left, right))

    return call


def _not(value: Any) -> Any:
    import numpy as np

    return np.where(np.isnan(value), np.nan, np.equal(value, 0.0))


def _all(parts: list[Any]) -> Any:
    return _reduced("minimum")(*(_truth(part) for part in parts))


def _any(parts: list[Any]) -> Any:
    return _reduced("maximum")(*(_truth(part) for part in parts))


def _truth(value: Any) -> Any:
    import numpy as np

    return np.where(np.isnan(value), np.nan, np.not_equal(value, 0.0))


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    import numpy as np

    chosen = np.where(np.equal(condition, 0.0), otherwise, then)
    return np.where(np.isnan(condition), np.nan, chosen)


_UNARY: dict[type, Callable[..., Any]] = {
    ast.USub: _numpy("negative"),
    ast.UAdd: _numpy("positive"),
    ast.Not: _not,
}
_BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: _numpy("add"),
    ast.Sub: _numpy("subtract"),
    ast.Mult: _numpy("multiply"),
    ast.Div: _partial("divide"),
    ast.FloorDiv: _partial("floor_divide"),
    ast.Mod: _partial("mod"),
    ast.Pow: _partial("float_power"),
}
_COMPARISONS: dict[type, Callable[..., Any]] = {
    ast.Lt: _compared("less"),
    ast.LtE: _compared("less_equal"),
    ast.Gt: _compared("greater"),
    ast.GtE: _compared("greater_equal"),
    ast.Eq: _compared("equal"),
    ast.NotEq: _compared("not_equal"),
}
_CALLS: dict[str, Callable[..., Any]] = {
    "abs": _numpy("abs"),
    "sqrt": _numpy("sqrt"),
    "exp": _partial("exp"),
    "log": _partial("log"),
    "min": _reduced("minimum"),
    "max": _reduced("maximum"),
    "where": _where,
}
