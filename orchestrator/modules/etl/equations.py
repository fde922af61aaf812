"""Equations over named variables, with exact derivatives.

``left = right`` in numbers, names, ``+ - * / ^ **``, parentheses and a few functions; a name that is
not an identifier stands in backticks. Values and first derivatives come from one pass (forward
differentiation), so that no step width has to suit variables of all sizes. The text is never executed.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ParameterError

Array = NDArray[np.float64]
Gradient = dict[int, float]
Dual = tuple[float, Gradient]
Term = Callable[[Sequence[float]], Dual]
MAX_LENGTH = 20_000
STEP = 1e-5
_BACKTICKS = re.compile(r"`([^`]+)`")
_NO_GRADIENT: Gradient = {}
_ACCEPTED = (
    "use numbers, names, + - * / ^, parentheses and sqrt, exp, log, log10, sin, cos, tanh, abs"
)


class Equations:
    """Equations over ``names``, as residuals left minus right and their derivatives.

    Raises:
        ParameterError: an equation cannot be read or names an unknown variable.
    """

    def __init__(
        self,
        texts: Sequence[str],
        names: Sequence[str],
        constants: Mapping[str, float] | None = None,
    ) -> None:
        self.texts = tuple(texts)
        self.names = tuple(names)
        position = {name: i for i, name in enumerate(names)}
        self._terms = [_Reader(text, position, constants or {}).read() for text in texts]

    def residual(self, point: Array) -> Array:
        """Left minus right of each equation, ``(m,)``; NaN where it has no value."""
        at = point.tolist()
        return np.array([_evaluated(term, at)[0] for term in self._terms])

    def jacobian(self, point: Array) -> Array:
        """Derivatives of the residuals, ``(m, n)``; NaN where there is none."""
        at = point.tolist()
        matrix = np.zeros((len(self._terms), len(at)))
        for i, term in enumerate(self._terms):
            value, gradient = _evaluated(term, at)
            if math.isnan(value):
                matrix[i] = np.nan
            for j, slope in gradient.items():
                matrix[i, j] = slope
        return matrix

    def curvature(self, point: Array, multipliers: Array, scale: Array) -> Array:
        """Hessian of ``multipliers @ residual``, ``(n, n)``, by central differences of the slopes."""
        count = len(point)
        matrix = np.zeros((count, count))
        for j in range(count):
            width = STEP * scale[j]
            above, below = point.copy(), point.copy()
            above[j] += width
            below[j] -= width
            slopes = multipliers @ (self.jacobian(above) - self.jacobian(below))
            matrix[:, j] = slopes / (2 * width)
        found: Array = 0.5 * (matrix + matrix.T)
        return found

    def size(self, point: Array) -> Array:
        """How large the terms of each equation are, to judge its residual by, ``(m,)``."""
        slopes = np.abs(np.nan_to_num(self.jacobian(point)))
        at_zero = np.abs(np.nan_to_num(self.residual(np.zeros(len(point)))))
        found: Array = np.maximum(np.maximum(slopes @ np.abs(point), at_zero), 1e-12)
        return found


def names_in(texts: Sequence[str]) -> tuple[str, ...]:
    """Names that the equations read, in the order of their first use; functions left out."""
    found: dict[str, None] = {}
    for text in texts:
        plain, quoted = _plain(text)
        try:
            tree = ast.parse(plain.replace("=", "-", 1), mode="eval")
        except (SyntaxError, ValueError):
            continue
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and id(node) not in called:
                found[quoted.get(node.id, node.id)] = None
    return tuple(found)


def _evaluated(term: Term, at: Sequence[float]) -> Dual:
    try:
        value, gradient = term(at)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan, _NO_GRADIENT
    if not math.isfinite(value):
        return math.nan, _NO_GRADIENT
    return value, gradient


def _plain(text: str) -> tuple[str, dict[str, str]]:
    quoted: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        placeholder = f"name_in_backticks_{len(quoted)}"
        quoted[placeholder] = match[1]
        return f" {placeholder} "

    return _BACKTICKS.sub(replace, text).replace("==", "=").replace("^", "**").strip(), quoted


class _Reader:
    """Turns one equation into nested functions over value and gradient."""

    def __init__(
        self, text: str, position: Mapping[str, int], constants: Mapping[str, float]
    ) -> None:
        self._text = text
        self._position = position
        self._constants = constants

    def read(self) -> Term:
        if len(self._text) > MAX_LENGTH:
            raise self._refused(f"it is longer than {MAX_LENGTH} characters")
        plain, self._quoted = _plain(self._text)
        sides = plain.split("=")
        if len(sides) > 2:
            raise self._refused("it has more than one '='")
        if any(not side.strip() for side in sides):
            raise self._refused("a side of it is empty")
        terms = [self._side(side) for side in sides]
        return terms[0] if len(terms) == 1 else _sum(terms[0], terms[1], -1.0)

    def _side(self, text: str) -> Term:
        try:
            tree = ast.parse(text.strip(), mode="eval")
            return self._compile(tree.body)
        except (SyntaxError, ValueError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise self._refused(reason) from None
        except (RecursionError, MemoryError):
            raise self._refused("it is nested too deeply") from None

    def _refused(self, reason: str) -> ParameterError:
        shown = self._text if len(self._text) <= 120 else self._text[:117] + "..."
        return ParameterError(f"{shown!r}: {reason}", where="constraints", remedy=_ACCEPTED)

    def _compile(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                number = float(value)
                return lambda _: (number, _NO_GRADIENT)
            case ast.Name(id=name):
                return self._name(self._quoted.get(name, name))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._compile(operand)
                return lambda at: _scaled(inner(at), -1.0)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._compile(operand)
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(operator, self._compile(left), self._compile(right))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                return self._function(name, self._compile(argument))
        raise self._refused(f"{type(node).__name__} is not accepted")

    def _name(self, name: str) -> Term:
        if name in self._position:
            index = self._position[name]
            gradient = {index: 1.0}
            return lambda at: (at[index], gradient)
        if name in self._constants:
            number = self._constants[name]
            return lambda _: (number, _NO_GRADIENT)
        listed = ", ".join(list(self._position)[:20])
        raise ParameterError(
            f"{self._text!r} names unknown variable {name!r}",
            where="constraints",
            remedy=f"the variables are: {listed}; add it to variables, or to constants",
        )

    def _binary(self, operator: ast.operator, left: Term, right: Term) -> Term:
        match operator:
            case ast.Add():
                return _sum(left, right, 1.0)
            case ast.Sub():
                return _sum(left, right, -1.0)
            case ast.Mult():
                return lambda at: _product(left(at), right(at))
            case ast.Div():
                return lambda at: _product(left(at), _reciprocal(right(at)))
            case ast.Pow():
                return lambda at: _power(left(at), right(at))
        raise self._refused(f"operator {type(operator).__name__} is not accepted")

    def _function(self, name: str, inner: Term) -> Term:
        if name not in _FUNCTIONS:
            raise self._refused(f"there is no function {name!r}")
        value_of, slope_of = _FUNCTIONS[name]

        def call(at: Sequence[float]) -> Dual:
            value, gradient = inner(at)
            slope = slope_of(value) if gradient else 0.0
            return value_of(value), {j: slope * g for j, g in gradient.items()}

        return call


def _sum(left: Term, right: Term, sign: float) -> Term:
    def add(at: Sequence[float]) -> Dual:
        a, da = left(at)
        b, db = right(at)
        gradient = dict(da)
        for j, slope in db.items():
            gradient[j] = gradient.get(j, 0.0) + sign * slope
        return a + sign * b, gradient

    return add


def _scaled(dual: Dual, factor: float) -> Dual:
    return factor * dual[0], {j: factor * slope for j, slope in dual[1].items()}


def _product(left: Dual, right: Dual) -> Dual:
    (a, da), (b, db) = left, right
    gradient = {j: b * slope for j, slope in da.items()}
    for j, slope in db.items():
        gradient[j] = gradient.get(j, 0.0) + a * slope
    return a * b, gradient


def _reciprocal(dual: Dual) -> Dual:
    value = 1.0 / dual[0]
    return value, {j: -value * value * slope for j, slope in dual[1].items()}


def _power(base: Dual, exponent: Dual) -> Dual:
    (a, da), (b, db) = base, exponent
    if not db:
        if a < 0 and b != int(b):
            raise ValueError("root of a negative number")
        factor = b * a ** (b - 1) if da and b else 0.0
        return a**b, {j: factor * slope for j, slope in da.items()}
    value = a**b
    gradient = {j: value * b / a * slope for j, slope in da.items()}
    for j, slope in db.items():
        gradient[j] = gradient.get(j, 0.0) + value * math.log(a) * slope
    return value, gradient


_FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "sqrt": (math.sqrt, lambda v: 0.5 / math.sqrt(v)),
    "exp": (math.exp, math.exp),
    "log": (math.log, lambda v: 1 / v),
    "ln": (math.log, lambda v: 1 / v),
    "log10": (math.log10, lambda v: 1 / (v * math.log(10))),
    "sin": (math.sin, math.cos),
    "cos": (math.cos, lambda v: -math.sin(v)),
    "tan": (math.tan, lambda v: 1 + math.tan(v) ** 2),
    "tanh": (math.tanh, lambda v: 1 - math.tanh(v) ** 2),
    "abs": (abs, lambda v: math.copysign(1.0, v)),
}
